"""The one frozen value that says what a run is."""

import dataclasses
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bncli.config import DEFAULTS, FIELDS, RunConfig, parse_value, resolve
from bncli.errors import BncliError, InvalidConfig, UnknownName


def message(**fields):
    with pytest.raises(BncliError) as caught:
        RunConfig.from_dict(fields)
    return str(caught.value)


def test_run_ids_are_pinned_so_that_stored_studies_stay_readable():
    assert RunConfig().run_id == "6499f5edbdb6"
    assert RunConfig(dataset="circles", lr=0.01, seed=3).run_id == "10e51b5de2bf"


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_enters_the_run_id(name):
    other = {
        "dataset": "moons",
        "label": "class",
        "train_rows": ":9",
        "val_rows": ":9",
        "scaling": "none",
        "model": "dense3",
        "activation": "tanh",
        "kernel_initializer": "he_normal",
        "init_scale": 0.5,
        "use_bias": "true",
        "norm": "rms",
        "placement": "after",
        "optimizer": "sgd",
    }
    kinds = {"whole": 9, "number": 0.25, "flag": not DEFAULTS[name]}
    changed = RunConfig().replace(**{name: other.get(name, kinds.get(FIELDS[name].kind))})
    assert changed.run_id != RunConfig().run_id


def test_a_config_is_frozen_and_survives_json():
    config = RunConfig(norm="batch", lr=0.05, label="x")
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.lr = 1.0
    assert RunConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_a_whole_number_for_a_number_is_the_same_run():
    assert RunConfig(lr=1).run_id == RunConfig(lr=1.0).run_id
    assert RunConfig(use_bias=True).use_bias == "true"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"lr": 0}, "lr must be a number above 0 to 1e+06. Received: 0."),
        ({"lr": math.nan}, "lr must be a number above 0 to 1e+06. Received: nan."),
        ({"lr": "fast"}, "lr must be a number above 0 to 1e+06. Received: 'fast'."),
        ({"epochs": 0}, "epochs must be a whole number from 1 to 100000. Received: 0."),
        ({"epochs": 2.5}, "epochs must be a whole number from 1 to 100000. Received: 2.5."),
        ({"epochs": True}, "epochs must be a whole number from 1 to 100000. Received: True."),
        ({"momentum": 1}, "momentum must be a number from 0 below 1. Received: 1."),
        ({"shuffle": 1}, "shuffle must be true, false. Received: 1."),
        ({"train_rows": "5"}, "train_rows must be a slice such as 1:8001, :500 or ::2. Received: '5'."),
        ({"label": 3}, "label must be text. Received: 3."),
        ({"seed": -1}, "seed must be a whole number from 0 to 2.14748e+09. Received: -1."),
        ({"norm": "bach"}, "Unknown norm 'bach'. Allowed: none, batch, layer, group, rms. Did you mean 'batch'?"),
        ({"optimizer": "Adam"}, "Unknown optimizer 'Adam'. Allowed: sgd, rmsprop, adam, adamw. Did you mean 'adam'?"),
        ({"use_bias": "maybe"}, "Unknown use_bias 'maybe'. Allowed: auto, true, false."),
        ({"epoch": 3}, f"Unknown field 'epoch'. Allowed: {', '.join(FIELDS)}. Did you mean 'epochs'?"),
    ],
)
def test_errors_say_what_is_allowed_and_what_was_received(fields, expected):
    assert message(**fields) == expected


VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.lists(st.integers()))


@given(st.dictionaries(st.sampled_from(list(FIELDS)), VALUES, max_size=4))
def test_nonsense_is_refused_or_harmless(fields):
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


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("lr", "1e-3", 0.001),
        ("epochs", " 7 ", 7),
        ("center", "False", False),
        ("weight_decay", "none", None),
        ("label", "", None),
        ("model", "dense8 dense4", "dense8 dense4"),
    ],
)
def test_values_are_parsed_into_the_fields_type(name, text, value):
    assert parse_value(name, text) == value


def test_an_unreadable_value_names_the_field():
    with pytest.raises(InvalidConfig, match=r"^center must be true, false\. Received: 'yes'\.$"):
        parse_value("center", "yes")
    with pytest.raises(UnknownName, match=r"^Unknown field 'lrr'\. Allowed: .* Did you mean 'lr'\?$"):
        parse_value("lrr", "1")


def test_resolving_makes_every_number_explicit():
    config, void = resolve(RunConfig(dataset="circles", model="circles-mlp", optimizer="adamw"))
    assert (config.n_samples, config.noise, config.data_seed) == (1000, 0.1, 1)
    assert (config.scaling, config.weight_decay, void) == ("none", 0.004, ())
    assert resolve(config) == (config, ())


@pytest.mark.parametrize(
    ("fields", "void"),
    [
        ({"placement": "after", "norm_momentum": 0.5, "center": False}, ("placement", "norm_momentum", "center")),
        ({"norm": "layer", "norm_momentum": 0.5, "groups": 4}, ("norm_momentum", "groups")),
        ({"norm": "rms", "scale": False}, ("scale",)),
        ({"norm_output": True}, ("norm_output",)),
        ({"optimizer": "adam", "momentum": 0.9, "nesterov": True}, ("momentum", "nesterov")),
        ({"optimizer": "sgd", "nesterov": True}, ("nesterov",)),
        ({"optimizer": "sgd", "momentum": 0.9, "nesterov": True}, ()),
        ({"noise": 0.3, "label": "x"}, ("label", "noise")),
        ({"dataset": "circles", "noise": 0.3}, ()),
        ({"norm": "batch", "placement": "after", "model": "conv4 norm flatten dense4"}, ("placement",)),
        ({"norm": "batch", "placement": "after", "model": "lstm4"}, ("placement",)),
        ({"norm": "batch", "placement": "after"}, ()),
        ({"norm": "batch", "placement": "input", "model": "lstm4"}, ()),
        ({"norm": "batch", "placement": "input", "model": "conv4 norm flatten dense4"}, ("placement",)),
        ({"norm": "batch", "placement": "input", "norm_input": True}, ("norm_input",)),
    ],
)
def test_fields_without_effect_are_put_back_and_named(fields, void):
    config, found = resolve(RunConfig(**fields))
    assert found == void
    kept = {name: value for name, value in fields.items() if name not in void}
    assert config == resolve(RunConfig(**kept))[0]


def test_resolving_refuses_a_network_that_can_not_take_the_data():
    with pytest.raises(InvalidConfig, match=r"^model 'conv8' can't be built: conv8 needs an image"):
        resolve(RunConfig(dataset="circles", model="conv8"))


def test_tiny_is_small_and_trainable():
    tiny, _ = resolve(RunConfig(model="conv32 flatten dense64*2").tiny())
    assert (tiny.model, tiny.epochs, tiny.train_rows) == ("conv8 flatten dense8 dense8", 2, ":64")
    assert RunConfig(dataset="circles").tiny().n_samples == 64
