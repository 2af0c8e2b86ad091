"""A `.keras` file gets other statistics; all else in it stays, bit for bit."""

import io
import zipfile

import h5py
import keras
import numpy as np
import pytest

from bncli.errors import InvalidConfig
from bncli.networks.archive import changed_weights, changes, copy_with_weights
from bncli.networks.norms import renorm
from bncli.networks.own import batch_norms

X = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
Y = np.arange(64) % 2


def network():
    """Parallel branches of one width, a nested frozen model, and names that tell nothing of the order."""
    inner_inputs = keras.Input((4,))
    norm = keras.layers.BatchNormalization(name="a", trainable=False)
    inner = keras.Model(inner_inputs, norm(keras.layers.Dense(4)(inner_inputs)), name="inner")
    inputs = keras.Input((4,))
    branches = [keras.layers.BatchNormalization(name=name)(keras.layers.Dense(4)(inputs)) for name in ("z", "b", "m")]
    outputs = keras.layers.Dense(1, activation="sigmoid")(
        keras.layers.Add()([*branches, inner(inputs, training=False)])
    )
    return keras.Model(inputs, outputs)


@pytest.fixture
def file(folder):
    keras.utils.set_random_seed(0)
    model = network()
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    model.fit(X, Y, epochs=2, verbose=0)
    model.save("net.keras")
    with zipfile.ZipFile("net.keras", "a") as archive:
        archive.comment = b"a comment"
        archive.writestr("names.json", '{"class_names": ["a", "b"]}', zipfile.ZIP_DEFLATED)
    return folder / "net.keras"


def statistics(model):
    """A value for each that is found nowhere else."""
    layers = enumerate(batch_norms(model))
    return {id(layer): (np.full(4, 100 + number), np.full(4, 200 + number)) for number, layer in layers}


def members(path):
    with zipfile.ZipFile(path) as archive:
        return [
            (member.filename, member.date_time, member.compress_type, archive.read(member))
            for member in archive.infolist()
        ]


def values(weights):
    """The bytes of all data sets by path, and what else is said of each."""
    found = {}
    with h5py.File(io.BytesIO(weights)) as file:
        file.visititems(lambda path, item: found.update({path: item[()].tobytes()}) if hasattr(item, "dtype") else None)
    return found


def test_the_copy_differs_in_the_statistics_alone(file):
    model = keras.models.load_model(file)
    found = changes(model, statistics(model))
    copy_with_weights(file, changed_weights(file, found), file.with_name("new.keras"))
    old, new = members(file), members("new.keras")
    assert [member[:3] for member in old] == [member[:3] for member in new]
    assert [one[0] for one, other in zip(old, new, strict=True) if one != other] == ["model.weights.h5"]
    before, after = ({name: content for name, *_, content in part}["model.weights.h5"] for part in (old, new))
    different = {path for path, content in values(before).items() if values(after)[path] != content}
    assert different == {change.path for change in found}
    assert len(different) == 8
    places = np.flatnonzero(np.frombuffer(before, "uint8") != np.frombuffer(after, "uint8"))
    assert len(places) <= 8 * 4 * 4
    with zipfile.ZipFile("new.keras") as archive:
        assert (archive.testzip(), archive.comment) == (None, b"a comment")


def test_keras_loads_the_copy_with_each_layers_own_statistics_and_trains_it_further(file):
    model = keras.models.load_model(file)
    copy_with_weights(file, changed_weights(file, changes(model, statistics(model))), file.with_name("new.keras"))
    loaded = keras.models.load_model("new.keras")
    for layer, expected in zip(batch_norms(loaded), statistics(model).values(), strict=True):
        assert np.array_equal([layer.moving_mean, layer.moving_variance], expected)
    averages = {id(v) for layer in batch_norms(loaded) for v in (layer.moving_mean, layer.moving_variance)}
    for old, new in zip(model.variables, loaded.variables, strict=True):
        assert np.array_equal(old, new) != (id(new) in averages)
    for old, new in zip(model.optimizer.variables, loaded.optimizer.variables, strict=True):
        assert np.array_equal(old, new)
    assert int(loaded.optimizer.iterations.numpy()) == 4
    loaded.fit(X, Y, verbose=0)
    assert int(loaded.optimizer.iterations.numpy()) == 6


def test_its_own_statistics_change_nothing(file):
    model = keras.models.load_model(file)
    before = model.get_weights()
    changes(model, statistics(model))
    assert all(np.array_equal(one, other) for one, other in zip(before, model.get_weights(), strict=True))
    assert changes(model, {id(norm): (norm.moving_mean, norm.moving_variance) for norm in batch_norms(model)}) == []
    copy_with_weights(file, changed_weights(file, []), file.with_name("new.keras"))
    assert members(file) == members("new.keras")


@pytest.mark.skipif(bool(renorm.missing()), reason=renorm.missing())
def test_renorm_gets_the_deviation_too_of_which_a_further_training_makes_its_variance(folder):
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.BatchNormalization(renorm=True), keras.layers.Dense(1, activation="sigmoid")]
    )
    model.compile("adam", "binary_crossentropy")
    model.fit(X, Y, verbose=0)
    model.save("net.keras")
    model = keras.models.load_model("net.keras")
    own = {id(model.layers[0]): (model.layers[0].moving_mean.numpy(), model.layers[0].moving_variance.numpy())}
    assert changes(model, own) == []
    copy_with_weights(
        folder / "net.keras", changed_weights(folder / "net.keras", changes(model, statistics(model))), "new.keras"
    )
    loaded = keras.models.load_model("new.keras")
    norm, before = loaded.layers[0], model.layers[0]
    np.testing.assert_allclose(norm.moving_stddev, np.full(4, np.sqrt(200 + norm.epsilon)), rtol=1e-6)
    assert np.array_equal(norm.renorm_stddev, before.renorm_stddev)
    loaded.fit(X, Y, verbose=0)
    assert np.asarray(norm.moving_variance).min() > 180  # two steps with momentum 0.99, and not begun anew


def rewrite_weights(file, edit):
    """Change the weights in a file as another program might."""
    with zipfile.ZipFile(file) as archive:
        weights = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(weights, "r+") as opened:
        edit(opened)
    copy_with_weights(file, weights.getvalue(), file.with_name("edited.keras"))
    return file.with_name("edited.keras")


def compress(opened):
    path = "layers/batch_normalization/vars/2"
    content = opened[path][()]
    del opened[path]
    opened.create_dataset(path, data=content, compression="gzip")


def other_values(opened):
    opened["layers/batch_normalization/vars/2"][...] += 1


def without(opened):
    del opened["layers/batch_normalization/vars/2"]


@pytest.mark.parametrize("edit", [compress, other_values, without])
def test_weights_that_keras_would_not_write_so_are_refused(file, edit):
    model = keras.models.load_model(file)
    found = changes(model, statistics(model))
    edited = rewrite_weights(file, edit)
    with pytest.raises(InvalidConfig) as raised:
        changed_weights(edited, found)
    assert str(raised.value) == (
        f"model.weights.h5 in {str(edited)!r} has no layers/batch_normalization/vars/2 as this version of Keras writes "
        "it. Try to load and save the model once: keras.models.load_model(FILE).save(FILE)."
    )
