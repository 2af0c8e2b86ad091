"""Networks that are read from `.keras` files: loaded without code, drawn anew for every seed, refused by name."""

import os
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from bncli.config import RunConfig
from bncli.errors import InvalidConfig
from bncli.networks.network import network_of

SHAPE = (6,)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def saved(*parts, name="net.keras"):
    model = keras.Sequential([keras.Input(SHAPE), *parts])
    model.save(name)
    return model


def normed():
    return saved(layers.Dense(5, use_bias=False), layers.BatchNormalization(), layers.ReLU(), layers.Dense(3))


def build(model="net.keras", shape=SHAPE, n_classes=3, seed=0, **fields):
    return network_of(model).build(RunConfig(model=model, **fields), shape, n_classes, seed)


def refusal(*arguments, **fields):
    with pytest.raises(InvalidConfig) as caught:
        build(*arguments, **fields)
    return str(caught.value)


def test_every_seed_draws_new_weights_and_all_arms_have_them():
    original = normed()
    first, again, other = (build(norm="as-is", seed=seed) for seed in (1, 1, 2))
    kernel = first.layers[1].kernel
    np.testing.assert_array_equal(kernel, again.layers[1].kernel)
    assert not np.allclose(kernel, other.layers[1].kernel)
    assert not np.allclose(kernel, original.layers[0].kernel)
    for fields in (
        {"norm": "none"},
        {"norm": "layer", "placement": "in-place"},
        {"norm": "batch", "placement": "after"},
    ):
        np.testing.assert_array_equal(kernel, build(seed=1, **fields).layers[1].kernel)


def test_what_a_file_has_learned_of_data_stays():
    scaled = layers.Normalization()
    scaled.adapt(np.arange(12.0).reshape(2, 6))
    saved(scaled, layers.Dense(4, activation="relu"), layers.Dense(3))
    for norm, placement in (("as-is", "before"), ("none", "before"), ("batch", "after")):
        first = next(each for each in build(norm=norm, placement=placement).layers if "normalization" in each.name)
        np.testing.assert_array_equal(first.mean, scaled.mean)


def test_a_swapped_normalization_starts_afresh():
    saved(
        layers.Dense(5), layers.BatchNormalization(center=False, scale=False, name="bn"), layers.ReLU(), layers.Dense(3)
    )
    norm = build(norm="layer", placement="in-place").get_layer("bn")
    assert (norm.gamma.numpy().tolist(), norm.beta.numpy().tolist()) == ([1.0] * 5, [0.0] * 5)


def test_logits_get_a_softmax():
    normed()
    assert build(norm="as-is").layers[-1].name == "probabilities"


def test_the_fields_that_have_an_effect():
    normed()
    network = network_of("net.keras")
    used = {"activation", "norm", "placement", "use_bias", "norm_momentum", "norm_epsilon", "center", "scale", "groups"}
    for norm, expected in (
        ("as-is", {"norm"}),
        ("none", {"norm", "use_bias"}),
        ("batch", {"norm", "placement", "use_bias", "norm_momentum", "norm_epsilon", "center", "scale"}),
    ):
        assert used - network.unused_fields(RunConfig(norm=norm)) == expected


def test_a_changed_file_is_another_network():
    normed()
    before = network_of("net.keras")
    assert network_of("net.keras") is before
    saved(layers.Dense(3))
    assert network_of("net.keras").digest != before.digest
    assert (before.has_norms, network_of("net.keras").has_norms) == (True, False)


class Own(layers.Layer):
    pass


def test_what_is_refused():
    normed()
    assert refusal("none.keras") == (
        "model 'none.keras' can't be read (No such file or directory). Give the path of a .keras file."
    )
    assert refusal(shape=(4, 4, 1)) == "model 'net.keras' takes rows of shape (6,), but the data has shape (4, 4, 1)."
    assert refusal(n_classes=4) == (
        "model 'net.keras': the model's output for one row is of shape (3,). Allowed: (4,), one number per class."
    )
    Path("text.keras").write_text("no archive")
    assert refusal("text.keras") == (
        "model 'text.keras' is not a model that Keras 3 saved (BadZipFile: File is not a zip file)."
    )
    saved(Own(), layers.Dense(3), name="own.keras")
    assert refusal("own.keras") == (
        "model 'own.keras' has a layer of the class 'Own', which Keras does not have. Give a Python function that "
        "loads or builds the model, as FILE.py:FUNCTION."
    )
    assert refusal("old.h5") == (
        "model 'old.h5': HDF5 files can run code when they are loaded, and are not read. Convert it where you trust "
        "it: keras.models.load_model(FILE).save('model.keras')."
    )


def test_a_file_that_tries_to_run_code_is_refused_and_does_not_run_it():
    saved(layers.Lambda(lambda x: Path("run").touch() or x), layers.Dense(3), name="evil.keras")
    Path("run").unlink(missing_ok=True)
    assert refusal("evil.keras", norm="as-is") == (
        "model 'evil.keras' has a Lambda layer, whose Python code is not run. Give a Python function that builds the "
        "model, as FILE.py:FUNCTION."
    )
    assert not Path("run").exists()


def test_a_file_of_a_newer_keras_says_so_and_why_it_can_not_be_read():
    normed()
    change("metadata.json", (keras.__version__, "99.0.0"))
    change("config.json", ('"negative_slope"', '"shiny"'))
    assert refusal(norm="as-is") == (
        "model 'net.keras' can't be loaded: TypeError: Unrecognized keyword arguments passed to ReLU: {'shiny': 0.0}. "
        f"Keras 99.0.0 saved it, and this is {keras.__version__}: try to update Keras."
    )


def test_a_file_of_several_inputs_or_outputs_is_refused():
    inputs = [keras.Input(SHAPE), keras.Input(SHAPE)]
    keras.Model(inputs, layers.Dense(3)(layers.Add()(inputs))).save("net.keras")
    message = "model 'net.keras': the model must have one input and one output. Received: inputs {}, outputs {}."
    assert refusal(norm="as-is") == message.format(2, 1)
    with pytest.raises(InvalidConfig, match=r"Received: inputs 2, outputs 1\.$"):
        network_of("net.keras").shapes()
    keras.Model(inputs[0], [layers.Dense(3)(inputs[0])] * 2).save("net.keras")
    assert refusal(norm="as-is") == message.format(1, 2)


def test_a_pipe_is_refused_and_not_waited_for():
    os.mkfifo("pipe.keras")
    assert (
        refusal("pipe.keras")
        == "model 'pipe.keras' can't be read (Not a regular file). Give the path of a .keras file."
    )


def change(member, *pairs):
    """Change the text of a member of net.keras."""
    with zipfile.ZipFile("net.keras") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    for old, new in pairs:
        assert old.encode() in members[member]
        members[member] = members[member].replace(old.encode(), new.encode())
    with zipfile.ZipFile("net.keras", "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def test_a_file_that_names_a_function_of_another_module_is_refused():
    normed()
    change("config.json", ('"keras.layers"', '"os"'), ('"ReLU"', '"system"'))
    assert refusal(norm="as-is").startswith("model 'net.keras' has a layer of the class ")


def test_weights_are_kept_for_fine_tuning_in_every_arm_and_seed():
    original = normed()
    original.layers[1].moving_mean.assign([1.0, 2.0, 3.0, 4.0, 5.0])
    original.save("net.keras")
    x = np.random.default_rng(0).normal(size=(7, *SHAPE)).astype("float32")
    for norm in ("as-is", "frozen", "recalibrated"):
        for seed in (0, 1):
            kept = build(norm=norm, seed=seed, keep_weights=True)
            np.testing.assert_allclose(kept(x), keras.ops.softmax(original(x)), rtol=1e-5)
    np.testing.assert_array_equal(build(norm="none", keep_weights=True).layers[1].kernel, original.layers[0].kernel)


def test_frozen_normalizations_train_nothing_and_the_rest_does():
    normed()
    frozen, plain = (build(norm=norm, keep_weights=True) for norm in ("frozen", "as-is"))
    assert [norm.trainable for norm in frozen.layers if isinstance(norm, layers.BatchNormalization)] == [False]
    assert len(plain.trainable_variables) - len(frozen.trainable_variables) == 2


def test_kept_weights_are_of_a_file_and_what_is_frozen_is_kept():
    normed()
    with pytest.raises(InvalidConfig) as caught:
        network_of("net.keras").check(RunConfig(model="net.keras", norm="frozen"), SHAPE, 3)
    assert str(caught.value) == (
        "Arm frozen starts from the weights of model 'net.keras', which are not kept. Try --keep-weights."
    )
    with pytest.raises(InvalidConfig) as caught:
        network_of("mlp").check(RunConfig(keep_weights=True), SHAPE, 3)
    assert str(caught.value) == "keep_weights is for models that have weights: a .keras file. Received: 'mlp'."
    Path("net.py").write_text("def build(input_shape, n_outputs):\n    return None\n")
    with pytest.raises(InvalidConfig) as caught:
        network_of("net.py").check(RunConfig(model="net.py", keep_weights=True), SHAPE, 3)
    assert str(caught.value) == "keep_weights is for models that have weights: a .keras file. Received: 'net.py'."
    saved(layers.Dense(5), layers.LayerNormalization(), layers.ReLU(), layers.Dense(3), name="layer.keras")
    assert refusal("layer.keras", norm="frozen", keep_weights=True) == (
        "model 'layer.keras': The model has no BatchNormalization that could be frozen. Try as-is."
    )
