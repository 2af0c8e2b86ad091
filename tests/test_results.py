"""What a run leaves behind: its record, and what its numbers mean."""

import dataclasses
import json
import math

import pytest
from fakes import complete, diverged, failed
from hypothesis import given
from hypothesis import strategies as st

from bncli.config import RunConfig
from bncli.errors import UnknownName
from bncli.results import RunResult
from bncli.tasks.metrics import HISTORY_METRICS, LOWER_IS_BETTER, best_epoch, lower_is_better
from bncli.values import finite

CONFIG = RunConfig(norm="batch", lr=0.05, seed=3)
numbers = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False))


def through_json(result):
    return RunResult.from_record(json.loads(json.dumps(result.to_record(), allow_nan=False)))


@given(
    state=st.sampled_from(["complete", "diverged", "failed"]),
    metrics=st.dictionaries(st.sampled_from(list(LOWER_IS_BETTER)), numbers),
    history=st.dictionaries(st.sampled_from(HISTORY_METRICS), st.lists(numbers, max_size=4)),
    milliseconds=st.integers(0, 10**9),
    total=st.integers(0, 10**9),
    error=st.one_of(st.none(), st.text()),
)
def test_a_result_survives_its_record(state, metrics, history, milliseconds, total, error):
    params = {"total": total, "trainable": total // 2}
    result = RunResult(CONFIG, state, params, metrics, history, milliseconds / 1000, "keras", error)
    assert through_json(result) == result


@pytest.mark.parametrize("result", [complete(CONFIG), diverged(CONFIG), failed(CONFIG)], ids=lambda each: each.state)
def test_a_record_has_the_documented_fields_in_order(result):
    record = result.to_record()
    documented = "run_id state config params metrics best history seconds engine error"
    assert list(record) == documented.split()
    assert record["run_id"] == CONFIG.run_id
    assert record["config"] == CONFIG.to_dict()
    assert through_json(result) == result


def test_a_number_that_json_does_not_know_is_refused_in_a_record():
    broken = dataclasses.replace(complete(CONFIG), metrics={"loss": math.nan})
    with pytest.raises(ValueError, match=r"^Out of range float values are not JSON compliant"):
        json.dumps(broken.to_record(), allow_nan=False)


def test_seconds_are_those_that_are_recorded():
    result = complete(CONFIG, seconds=0.00912345678)
    assert result.seconds == result.to_record()["seconds"] == 0.009123


@pytest.mark.parametrize("missing", [name for name in complete(CONFIG).to_record() if name != "best"])
def test_a_record_without_a_field_is_no_result(missing):
    record = complete(CONFIG).to_record()
    del record[missing]
    with pytest.raises(KeyError) as caught:
        RunResult.from_record(record)
    assert caught.value.args == (missing,)


@given(st.floats())
def test_finite_keeps_numbers_and_drops_the_rest(value):
    assert finite(value) == (value if math.isfinite(value) else None)


def test_finite_returns_a_plain_float():
    import numpy as np

    assert type(finite(np.float32(0.5))) is float


@pytest.mark.parametrize(("metric", "is_lower"), LOWER_IS_BETTER.items())
def test_losses_fall_and_accuracies_rise(metric, is_lower):
    assert is_lower == ("loss" in metric)
    assert lower_is_better(metric) == is_lower


def test_a_metric_that_is_none_has_no_direction():
    with pytest.raises(UnknownName) as caught:
        lower_is_better("val_acuracy")
    assert str(caught.value) == (
        "Unknown metric 'val_acuracy'. Allowed: loss, accuracy, val_loss, val_accuracy, train_accuracy. "
        "Did you mean 'val_accuracy'?"
    )


@pytest.mark.parametrize(
    ("metric", "values", "expected"),
    [
        ("val_accuracy", [0.5, 0.9, 0.7], {"value": 0.9, "epoch": 2}),
        ("val_accuracy", [0.5, 0.9, 0.9], {"value": 0.9, "epoch": 2}),
        ("val_loss", [0.5, 0.2, 0.2, 0.3], {"value": 0.2, "epoch": 2}),
        ("loss", [None, 3.0, None], {"value": 3.0, "epoch": 2}),
        ("val_accuracy", [0.0], {"value": 0.0, "epoch": 1}),
        ("loss", [None, None], None),
        ("loss", [], None),
    ],
)
def test_the_best_epoch_is_the_first_that_reached_the_best_value(metric, values, expected):
    assert best_epoch(metric, values) == expected


@given(st.lists(st.floats(0, 1), min_size=1))
def test_nothing_in_a_history_beats_its_best(values):
    best = best_epoch("val_accuracy", values)
    assert best["value"] == max(values)
    assert best["epoch"] == values.index(max(values)) + 1


def test_a_result_knows_the_best_of_every_metric_it_has():
    result = complete(CONFIG, (0.5, 0.75, 0.75))
    assert result.best == {
        "loss": {"value": 0.25, "epoch": 2},
        "accuracy": {"value": 0.675, "epoch": 2},
        "val_loss": {"value": 1.25, "epoch": 2},
        "val_accuracy": {"value": 0.75, "epoch": 2},
    }


def test_a_run_that_diverged_at_once_has_no_best_loss():
    assert set(diverged(CONFIG, (0.1,)).best) == {"accuracy", "val_accuracy"}
    assert failed(CONFIG).best == {}


def test_a_result_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        complete(CONFIG).state = "failed"
