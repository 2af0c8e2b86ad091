"""`resolve`: fields that are filled in, ignored or refused."""

import pytest

from bncli.config import RunConfig
from bncli.errors import InvalidConfig
from bncli.resolution import resolve


def test_resolve_fills_in_every_field():
    config, ignored = resolve(RunConfig(dataset="circles", model="circles-mlp", optimizer="adamw"))
    assert (config.n_samples, config.noise, config.data_seed) == (1000, 0.1, 1)
    assert (config.scaling, config.weight_decay, ignored) == ("none", 0.004, ())
    assert resolve(config) == (config, ())


@pytest.mark.parametrize(
    ("fields", "ignored"),
    [
        ({"placement": "after", "norm_momentum": 0.5, "center": False}, ("placement", "norm_momentum", "center")),
        ({"norm": "layer", "norm_momentum": 0.5, "groups": 4}, ("norm_momentum", "groups")),
        ({"norm": "rms", "scale": False}, ("scale",)),
        ({"norm": "group", "groups": 4}, ()),
        ({"norm": "batch", "ghost": 4}, ()),
        ({"norm": "batch", "ghost": 32}, ("ghost",)),
        ({"norm": "renorm", "ghost": 4}, ("ghost",)),
        ({"norm_output": True}, ("norm_output",)),
        ({"optimizer": "adam", "momentum": 0.9, "nesterov": True}, ("momentum", "nesterov")),
        ({"optimizer": "sgd", "nesterov": True}, ("nesterov",)),
        ({"optimizer": "sgd", "momentum": 0.9, "nesterov": True}, ()),
        ({"optimizer": "nadam", "momentum": 0.9, "decay": "kernels"}, ("momentum", "decay")),
        ({"optimizer": "adamw", "decay": "kernels"}, ()),
        ({"optimizer": "adamw", "decay": "kernels", "weight_decay": 0.0}, ("decay",)),
        ({"optimizer": "lion", "decay": "kernels", "weight_decay": 0.01}, ()),
        ({"noise": 0.3, "label": "x"}, ("label", "noise")),
        ({"dataset": "circles", "noise": 0.3}, ()),
        ({"norm": "batch", "placement": "after", "model": "conv4 norm flatten dense4"}, ("placement",)),
        ({"norm": "batch", "placement": "after", "model": "lstm4"}, ("placement",)),
        ({"norm": "batch", "placement": "after"}, ()),
        ({"norm": "batch", "placement": "input", "model": "lstm4"}, ()),
        ({"norm": "batch", "placement": "after", "model": "lstm4 dense4"}, ()),
        ({"norm": "batch", "placement": "input", "model": "conv4 norm flatten dense4"}, ("placement",)),
        ({"norm": "batch", "placement": "input", "norm_input": True}, ("norm_input",)),
    ],
)
def test_resolve_sets_ignored_fields_to_their_defaults_and_names_them(fields, ignored):
    config, found = resolve(RunConfig(**fields))
    assert found == ignored
    kept = {name: value for name, value in fields.items() if name not in ignored}
    assert config == resolve(RunConfig(**kept))[0]


def test_the_number_of_groups_stays_open_for_group_norm_and_is_that_of_earlier_versions_elsewhere():
    assert resolve(RunConfig(norm="group"))[0].groups is None
    assert [resolve(RunConfig(norm=norm))[0].groups for norm in ("none", "batch", "layer")] == [2, 2, 2]


def test_resolve_rejects_a_dtype_for_a_file_whose_layers_have_their_own(tmp_path):
    import keras

    place = str(tmp_path / "model.keras")
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, "sigmoid")]).save(place)
    config = RunConfig(dataset="circles", model=place, norm="as-is", dtype="mixed_float16")
    with pytest.raises(InvalidConfig) as caught:
        resolve(config)
    assert str(caught.value) == (
        f"dtype must be float32 for the model '{place}', whose layers have types of their own. Received: "
        "'mixed_float16'. Try a function that builds the model."
    )
    assert resolve(config.replace(dtype="float32"))[0].dtype == "float32"


def test_resolve_rejects_a_network_that_can_not_be_built_for_the_data():
    with pytest.raises(InvalidConfig, match=r"^model 'conv8' can't be built: conv8 needs an image"):
        resolve(RunConfig(dataset="circles", model="conv8"))
