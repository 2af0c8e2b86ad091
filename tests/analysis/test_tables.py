"""What holds for all tables: checked names, stored runs, speed."""

import itertools
import time
from dataclasses import replace

import numpy as np
import pytest
from fakes import complete, evidence, make_study, make_table

from bncli.analysis.comparisons import differences_table
from bncli.analysis.conditions import conditions_table
from bncli.analysis.hits import hits_table, reached_table
from bncli.analysis.rates import lr_table
from bncli.analysis.runs import history_table, runs_table
from bncli.analysis.tables import score_of
from bncli.config import RunConfig
from bncli.errors import UnknownName
from bncli.tasks.metrics import METRICS

RUN = RunConfig(dataset="circles")


def test_the_balanced_accuracy_is_the_score_where_all_data_has_rare_classes():
    rare = replace(complete(RUN), history={"loss": [1.0], "val_balanced_accuracy": [0.5]})
    failed = replace(rare, history={}, state="failed")
    assert score_of([rare, failed]) == "balanced_accuracy"
    assert score_of([rare, complete(RUN)]) == score_of([]) == score_of([failed]) == "accuracy"


@pytest.mark.parametrize("function", [differences_table, lr_table])
def test_an_unknown_metric_is_refused(function):
    with pytest.raises(UnknownName) as caught:
        make_table(function, make_study(), complete, metric="val_acuracy")
    assert str(caught.value) == (
        f"Unknown metric 'val_acuracy'. Allowed: {', '.join(METRICS)}. Did you mean 'val_accuracy'?"
    )


@pytest.mark.parametrize("function", [hits_table, reached_table])
def test_a_metric_without_history_is_refused(function):
    with pytest.raises(UnknownName) as caught:
        make_table(function, make_study(), complete, metric="train_accuracy")
    assert str(caught.value) == (
        "Unknown metric of a history 'train_accuracy'. Allowed: loss, accuracy, val_loss, val_accuracy, r2, val_r2, "
        "val_balanced_accuracy. Did you mean 'val_accuracy'?"
    )


def test_stored_runs_make_the_same_tables():
    study = make_study(axes=(("lr", (0.001, 0.01, 0.1)),), seeds=range(6))
    shown = evidence(
        study, lambda config: replace(complete(config, (0.3, 0.5, 0.7, 0.9)), seconds=1 / 3 + config.seed / 7)
    )
    stored = [type(result).from_record(result.to_record()) for result in shown.results]
    for function in (conditions_table, differences_table, hits_table, lr_table):
        assert function(stored, shown.conditions).equals(function(shown.results, shown.conditions))


def test_the_tables_of_a_thousand_runs_are_fast():
    """100 conditions x 10 seeds x 50 epochs, all tables: half a second of a core, with room for a slow one."""
    lrs = tuple(round(10**-exponent, 6) for exponent in np.linspace(0, 4, 50))
    study = make_study(axes=(("lr", lrs),), seeds=range(10), epochs=50)
    curve = tuple(np.linspace(0.1, 0.9, 50).tolist())
    shown = evidence(study, lambda config: complete(config, (*curve[:-1], 0.8 + 0.01 * config.seed)))
    assert len(shown.results) == 1000
    tables = (runs_table, history_table, conditions_table, differences_table)
    timed = (hits_table, reached_table, lr_table)
    before = time.process_time()
    for function in itertools.chain(tables, timed):
        assert not function(shown.results, shown.conditions).empty
    assert time.process_time() - before < 4.0


@pytest.mark.filterwarnings("error")
def test_tables_of_runs_with_every_metric_bring_no_warning_of_pandas():
    def measured(config):
        return replace(complete(config), metrics=dict.fromkeys(METRICS, 0.5))

    table = evidence(make_study(), measured).joined_table
    assert table.shape[1] > 100
    assert {f"mean_{metric}" for metric in METRICS} <= {*table.columns}
