"""What probes see as a metric: the mean over layers at the end, compared in pairs, with no side that is better."""

from dataclasses import replace

import numpy as np
import pytest
from fakes import complete, evidence, make_study

from bncli.analysis.inside import with_probe
from bncli.report.answer import answer_of
from bncli.report.rows import difference_rows, result_rows, table_caption
from bncli.results import Inside, Series
from bncli.tasks.metrics import METRICS, PROBE
from bncli.tasks.probes import PROBES

SERIES = (Series("gradient_norm", "dense", 1), Series("gradient_norm", "dense_1", 2), Series("dead", "relu", 1))

OTHER = {"none": "batch", "batch": "none"}


def probed(config):
    """A run whose gradients are as large as its seed says, twice as large with batch normalization."""
    end = (1 + config.seed % 3) * (2.0 if config.norm == "batch" else 1.0)
    values = np.array([[9.0, 9.0, 0.5], [end, end + 2, 0.0], [np.nan, np.nan, 0.25]])
    return replace(complete(config, (0.5, 0.6)), inside=Inside(SERIES, values))


def by(metric, seeds=range(8), make=probed):
    shown = evidence(make_study(seeds=seeds), make, 0.1)
    return replace(shown, results=with_probe(shown.results, None, metric), metric=metric)


def test_every_probe_is_a_metric_without_direction():
    assert {name for name, metric in METRICS.items() if not metric.has_direction} == {f"{PROBE}{p}" for p in PROBES}


def test_a_probe_is_its_mean_over_layers_in_the_last_epoch_that_has_it():
    runs = with_probe(evidence(make_study("none", seeds=(0, 1)), probed).results, None, "probe_gradient_norm")
    assert [run.metrics["probe_gradient_norm"] for run in runs] == [2.0, 3.0]
    runs = with_probe(runs, None, "probe_dead")
    assert [run.metrics["probe_dead"] for run in runs] == [0.25, 0.25]


def test_other_metrics_and_runs_without_probes_stay_as_they_are():
    shown = evidence(make_study("none", seeds=(0, 1)), complete)
    for metric in ("probe_dead", "val_accuracy", None):
        assert with_probe(shown.results, None, metric) == list(shown.results)


def test_arms_are_higher_or_lower_and_none_is_best():
    shown = by("probe_gradient_norm")
    none, batch = result_rows(shown)
    assert (none["verdict"], batch["verdict"]) == ("-", "higher")
    assert not shown.conditions_table["best"].any()
    raised = "batch:before raises gradient norm (mean over layers) from 2.875 to 4.750: +1.875 (95% interval "
    assert answer_of(shown).sentences[0].startswith(raised)
    assert "; higher, lower: the 95% interval excludes 0 and p < 0.05" in table_caption(shown)
    assert shown.lr_table is None
    lower = by("probe_gradient_norm", make=lambda run: replace(probed(run.replace(norm=OTHER[run.norm])), config=run))
    assert result_rows(lower)[1]["verdict"] == "lower"


def test_pairs_are_higher_equal_or_lower_and_an_arm_that_has_no_such_layers_is_neither():
    def lacks(config):
        done = probed(config)
        return done if config.norm == "batch" else replace(done, inside=None)

    for make, counts in ((probed, "8/0/0"), (lacks, "0/0/0")):
        (row,) = difference_rows(by("probe_gradient_norm", make=make))
        assert row["higher/equal/lower"] == counts


def test_runs_that_did_not_learn_count_as_all_others():
    def dies(config):
        return replace(probed(config), metrics=complete(config, (0.1, 0.1 if config.seed < 4 else 0.9)).metrics)

    assert result_rows(by("probe_gradient_norm", make=dies))[1]["verdict"] == "higher"


@pytest.mark.parametrize(("seeds", "sentence"), [((0,), "one pair of seeds is too few to judge.")])
def test_one_pair_is_too_few(seeds, sentence):
    assert answer_of(by("probe_gradient_norm", seeds)).sentences[0].endswith(sentence)
