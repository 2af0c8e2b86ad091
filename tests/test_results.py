"""`RunResult`: its record, its best epochs, and hit epochs."""

import dataclasses
import json
import math

import pytest
from fakes import complete, diverged, failed
from hypothesis import given
from hypothesis import strategies as st

from bncli.config import RunConfig
from bncli.errors import InvalidConfig, UnknownName
from bncli.results import RunResult, hit_epoch
from bncli.tasks.metrics import HISTORY_METRICS, METRICS

CONFIG = RunConfig(norm="batch", lr=0.05, seed=3)
numbers = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False))


def through_json(result):
    return RunResult.from_record(json.loads(json.dumps(result.to_record(), allow_nan=False)))


@given(
    state=st.sampled_from(["complete", "diverged", "failed"]),
    metrics=st.dictionaries(st.sampled_from(list(METRICS)), numbers),
    history=st.dictionaries(st.sampled_from(HISTORY_METRICS), st.lists(numbers, max_size=4)),
    milliseconds=st.integers(0, 10**9),
    total=st.integers(0, 10**9),
    error=st.one_of(st.none(), st.text()),
)
def test_a_result_is_the_same_after_json(state, metrics, history, milliseconds, total, error):
    params = {"total": total, "trainable": total // 2}
    result = RunResult(CONFIG, state, params, metrics, history, milliseconds / 1000, "keras", error)
    assert through_json(result) == result


@pytest.mark.parametrize("result", [complete(CONFIG), diverged(CONFIG), failed(CONFIG)], ids=lambda each: each.state)
def test_a_record_has_the_documented_entries_in_order(result):
    record = result.to_record()
    documented = "run_id state config params metrics best history stopped_epoch seconds engine error"
    assert list(record) == documented.split()
    assert record["run_id"] == CONFIG.run_id
    assert record["config"] == CONFIG.to_dict()
    assert through_json(result) == result


def test_json_rejects_a_record_with_nan():
    broken = dataclasses.replace(complete(CONFIG), metrics={"loss": math.nan})
    with pytest.raises(ValueError, match=r"^Out of range float values are not JSON compliant"):
        json.dumps(broken.to_record(), allow_nan=False)


def test_seconds_are_rounded_as_they_are_recorded():
    result = complete(CONFIG, seconds=0.00912345678)
    assert result.seconds == result.to_record()["seconds"] == 0.009123


@pytest.mark.parametrize(
    "missing", [name for name in complete(CONFIG).to_record() if name not in ("best", "stopped_epoch")]
)
def test_from_record_rejects_a_record_with_a_missing_entry(missing):
    record = complete(CONFIG).to_record()
    del record[missing]
    with pytest.raises(KeyError) as caught:
        RunResult.from_record(record)
    assert caught.value.args == (missing,)


def test_best_has_every_metric_of_the_history():
    result = complete(CONFIG, (0.5, 0.75, 0.75))
    assert result.best == {
        "loss": {"value": 0.25, "epoch": 2},
        "accuracy": {"value": 0.675, "epoch": 2},
        "val_loss": {"value": 1.25, "epoch": 2},
        "val_accuracy": {"value": 0.75, "epoch": 2},
    }


def test_best_leaves_out_metrics_without_a_finite_value():
    assert set(diverged(CONFIG, (0.1,)).best) == {"accuracy", "val_accuracy"}
    assert failed(CONFIG).best == {}


def test_a_result_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        complete(CONFIG).state = "failed"


def test_from_record_rejects_an_unknown_state():
    with pytest.raises(UnknownName) as caught:
        RunResult.from_record(complete(CONFIG).to_record() | {"state": "done"})
    assert str(caught.value) == "Unknown state 'done'. Allowed: complete, diverged, failed."


def test_from_record_rejects_the_id_of_another_run():
    record = complete(CONFIG).to_record() | {"run_id": "0123456789ab"}
    with pytest.raises(InvalidConfig) as caught:
        RunResult.from_record(record)
    assert str(caught.value) == f"run_id must be {CONFIG.run_id} for this config. Received: '0123456789ab'."


@pytest.mark.parametrize(
    ("metric", "threshold", "epoch"),
    [
        ("val_accuracy", 0.6, 2),
        ("val_accuracy", 0.65, 3),
        ("val_accuracy", 0.8, math.inf),
        ("val_loss", 1.4, 2),
        ("train_accuracy", 0.1, math.inf),
    ],
)
def test_the_hit_epoch_is_the_first_epoch_at_the_threshold(metric, threshold, epoch):
    assert hit_epoch(complete(CONFIG, (0.5, 0.6, 0.7)), metric, threshold) == epoch


def test_the_hit_epoch_skips_values_that_are_not_finite():
    assert hit_epoch(diverged(CONFIG, (0.5, 0.1)), "loss", 9.0) == 1
    assert hit_epoch(failed(CONFIG), "val_accuracy", 0.0) == math.inf
