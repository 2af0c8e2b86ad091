"""`RunConfig`: checks, ids, and fields that are filled in or ignored."""

import dataclasses
import hashlib
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bncli.config import ABSENT, DEFAULTS, FIELDS, SETTLED, RunConfig, as_in_format_1, format_1_id
from bncli.errors import BncliError, UnknownName
from bncli.fields import parse_value
from bncli.networks.layout import lay_out
from bncli.resolution import resolve


def error_text(**fields):
    with pytest.raises(BncliError) as caught:
        RunConfig.from_dict(fields)
    return str(caught.value)


def test_run_ids_do_not_change_between_versions():
    assert RunConfig().run_id == "44136fa355b3"
    assert RunConfig(dataset="circles", lr=0.01, seed=3).run_id == "92844aa0078c"
    assert RunConfig(norm="batch").run_id == "893cd338ab88"
    assert RunConfig(norm="group", groups=2).run_id == "e617ad2691f6"


def test_a_number_of_groups_that_fits_is_another_run_than_the_two_of_earlier_versions():
    runs = [RunConfig(norm="group", groups=groups) for groups in (None, 2, 16)]
    assert len({run.run_id for run in runs}) == 3
    assert RunConfig.from_record({"norm": "group"}) == runs[1].replace(**SETTLED)
    assert RunConfig.from_record({"norm": "group", "groups": None}) == runs[0].replace(**SETTLED)
    assert RunConfig(norm="layer").run_id == RunConfig(norm="layer", groups=2).run_id


def test_the_run_id_of_format_1_is_found_from_the_fields_of_its_record():
    first, *_ = (Path(__file__).parent / "study" / "folders" / "train" / "runs.jsonl").read_text().splitlines()
    record = json.loads(first)
    assert format_1_id(record["config"]) == record["run_id"]


def test_runs_of_a_condition_have_one_condition_id():
    assert RunConfig(lr=0.1, seed=3).condition_id == RunConfig(lr=0.1, seed=4).condition_id
    assert RunConfig(lr=0.1).condition_id != RunConfig(lr=0.2).condition_id


def test_a_field_that_a_record_lacks_has_the_value_that_it_had_when_it_was_introduced():
    record = RunConfig(lr=0.1).to_dict()
    del record["shuffle"]
    assert RunConfig.from_record(record) == RunConfig(lr=0.1, shuffle=ABSENT["shuffle"])
    with pytest.raises(UnknownName, match=r"^Unknown field 'cycles'\."):
        RunConfig.from_record(record | {"cycles": 3})


def test_numpy_numbers_are_accepted():
    config = RunConfig(seed=np.int64(3), lr=np.float64(0.1), epochs=np.int32(2))
    assert config == RunConfig(seed=3, lr=0.1, epochs=2)
    assert config.run_id == RunConfig(seed=3, lr=0.1, epochs=2).run_id
    assert [type(value) for value in (config.seed, config.lr, config.epochs)] == [int, float, int]


@pytest.mark.parametrize("name", FIELDS)
def test_the_run_id_depends_on_every_field(name):
    other = {
        "dataset": "moons",
        "label": "class",
        "drop": "id",
        "encode": "ordinal",
        "impute": "mean",
        "class_balance": 0.75,
        "task": "regression",
        "target_scaling": "standard",
        "loss": "mae",
        "class_weight": "balanced",
        "train_rows": ":9",
        "val_rows": ":9",
        "scaling": "none",
        "model": "dense3",
        "model_digest": "0123456789abcdef",
        "activation": "tanh",
        "kernel_initializer": "he_normal",
        "init_scale": 0.5,
        "use_bias": "true",
        "norm": "rms",
        "placement": "after",
        "optimizer": "sgd",
        "decay": "kernels",
        "schedule": "cosine",
        "dtype": "mixed_float16",
    }
    kinds = {"whole": 9, "number": 0.25, "flag": not DEFAULTS[name]}
    changed = RunConfig().replace(**{name: other.get(name, kinds.get(FIELDS[name].kind))})
    assert changed.run_id != RunConfig().run_id


def test_a_config_is_frozen_and_the_same_after_json():
    config = RunConfig(norm="batch", lr=0.05, label="x")
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.lr = 1.0
    assert RunConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_an_int_instead_of_a_float_is_the_same_run():
    assert RunConfig(lr=1).run_id == RunConfig(lr=1.0).run_id
    assert RunConfig(use_bias=True).use_bias == "true"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"lr": 0}, "lr must be a number above 0 and up to 1000000. Received: 0."),
        ({"lr": math.nan}, "lr must be a number above 0 and up to 1000000. Received: nan."),
        ({"lr": "fast"}, "lr must be a number above 0 and up to 1000000. Received: 'fast'."),
        ({"epochs": 0}, "epochs must be a whole number from 1 to 100000. Received: 0."),
        ({"epochs": 2.5}, "epochs must be a whole number from 1 to 100000. Received: 2.5."),
        ({"epochs": True}, "epochs must be a whole number from 1 to 100000. Received: True."),
        ({"momentum": 1}, "momentum must be a number from 0 to below 1. Received: 1."),
        ({"shuffle": 1}, "shuffle must be true or false. Received: 1."),
        ({"train_rows": "5"}, "train_rows must be a slice such as 1:8001, :500 or ::2. Received: '5'."),
        ({"label": 3}, "label must be text. Received: 3."),
        ({"seed": -1}, "seed must be a whole number from 0 to 2147483647. Received: -1."),
        (
            {"epochs": 3, "warmup": 3},
            "warmup must be below epochs, which is 3. Received: 3. Try a shorter warmup, or more epochs.",
        ),
        (
            {"norm": "bach"},
            "Unknown norm 'bach'. Allowed: none, batch, group, instance, layer, renorm, rms, as-is, frozen, "
            "recalibrated. Did you mean 'batch'?",
        ),
        (
            {"optimizer": "adan"},
            "Unknown optimizer 'adan'. Allowed: sgd, rmsprop, adam, adamw, nadam, lion. Did you mean 'adam'?",
        ),
        ({"use_bias": "maybe"}, "Unknown use_bias 'maybe'. Allowed: auto, true, false, unshifted."),
        ({"epoch": 3}, f"Unknown field 'epoch'. Allowed: {', '.join(FIELDS)}. Did you mean 'epochs'?"),
    ],
)
def test_errors_name_the_allowed_and_the_received_value(fields, expected):
    assert error_text(**fields) == expected


VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.lists(st.integers()))


@given(st.dictionaries(st.sampled_from(list(FIELDS)), VALUES, max_size=4))
def test_random_values_are_rejected_or_kept(fields):
    try:
        config = RunConfig.from_dict(fields)
    except BncliError as error:
        assert str(error)
        return
    assert RunConfig.from_dict(config.to_dict()) == config
    json.dumps(config.to_dict(), allow_nan=False)


@given(st.sampled_from(list(FIELDS)), st.text(max_size=12))
def test_any_text_for_a_field_is_a_value_or_a_clear_error(name, text):
    try:
        RunConfig.from_dict({name: parse_value(name, text)})
    except BncliError as error:
        assert str(error)


def test_tiny_is_small_and_trainable():
    tiny, _ = resolve(RunConfig(model="conv32 flatten dense64*2").tiny())
    assert (tiny.model, tiny.epochs, tiny.train_rows) == ("conv8 flatten dense8 dense8", 2, ":64")
    assert RunConfig(dataset="circles").tiny().n_samples == 64


@pytest.mark.parametrize(
    ("fields", "differ"),
    [
        ({"norm": "layer"}, True),
        ({"norm": "group"}, True),
        ({"norm": "layer", "norm_output": True, "placement": "after", "model": "dense8 softmax"}, True),
        ({"norm": "layer", "placement": "after"}, False),
        ({"norm": "layer", "center": False}, False),
        ({"norm": "rms"}, False),
        ({"norm": "batch"}, False),
        ({"norm": "none"}, False),
        ({"norm": "layer", "model": "dense8 norm dense8"}, False),
        ({"norm": "layer", "model": "{ dense8 norm dense8 norm }"}, True),
        ({"norm": "layer", "model": "{ dense8 norm dense8 norm }", "placement": "after"}, True),
        ({"norm": "layer", "model": "{ dense8 norm dense8 dropout0.1 norm }"}, False),
        ({"norm": "layer", "model": "{ dense8 dense8 } dense8"}, True),
        ({"norm": "layer", "model": "{ dense8 dense8 } dense8", "placement": "after"}, False),
    ],
)
def test_auto_and_unshifted_biases_are_two_runs_only_where_their_networks_differ(fields, differ):
    auto, unshifted = (
        resolve(RunConfig(**{"dataset": "circles", "model": "dense8"} | fields, use_bias=rule))[0]
        for rule in ("auto", "unshifted")
    )
    biases = [[layer.use_bias for layer in lay_out(run, (2,), 2)] for run in (auto, unshifted)]
    assert (biases[0] != biases[1]) == differ == (auto.run_id != unshifted.run_id) == (auto != unshifted)
    assert as_in_format_1(auto) == unshifted


def test_the_ids_of_earlier_versions_are_those_of_unshifted_biases():
    """A run whose `use_bias` was `auto` had an id without it."""
    run = RunConfig(dataset="circles", norm="layer", use_bias="unshifted", groups=2)
    values = run.to_dict() | {name: ABSENT[name] for name in SETTLED}
    without = {name: value for name, value in values.items() if value != ABSENT[name] and name != "use_bias"}
    assert run.run_id == hashlib.sha256(json.dumps(without, sort_keys=True).encode()).hexdigest()[:12]
