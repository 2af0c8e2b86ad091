"""Networks on padded sequences: engines agree, and results are those of plain Keras and independent of padding."""

import keras
import numpy as np
import pytest
from datafiles import error_text, load, sequences, write_npz
from engines.tiny_runs import XLA, check_all_same, check_engines_agree, seeded, tiny, train
from keras import layers

from bncli.config import RunConfig
from bncli.engines import keras as oracle
from bncli.engines import saving, stacked
from bncli.errors import InvalidConfig
from bncli.networks import norms
from bncli.networks.layout import lay_out
from bncli.probes.inside import Look

LONG = pytest.mark.slow
"""For cases whose like is tested anyway: each takes seconds to trace."""

ARMS = [{"norm": "batch"}]
ARMS += [
    pytest.param(each, marks=LONG)
    for each in (
        {"norm": "layer"},
        {"norm": "none"},
        {"norm": "renorm"},
        {"norm": "batch", "ghost": 8},
        {"norm": "batch", "placement": "input"},
        {"norm": "layer", "norm_input": True},
    )
]


def padded(folder, value=0.0, **more):
    rows = sequences(**more)
    rows["x"] = np.where(rows["mask"][..., None], rows["x"], value)
    return write_npz(folder, **rows)


@pytest.mark.parametrize("model", ["lstm8 gru8", pytest.param("gru8", marks=LONG), pytest.param("dense8", marks=LONG)])
@pytest.mark.parametrize("arm", ARMS, ids=lambda arm: "-".join(map(str, arm.values())))
def test_engines_agree(tmp_path, model, arm):
    check_engines_agree(seeded(tiny(dataset=padded(tmp_path), model=model, lr=0.01, **arm)))


@LONG
@pytest.mark.parametrize("norm", ["batch", "renorm"])
def test_engines_agree_under_xla_with_filled_batches(tmp_path, norm):
    runs = seeded(tiny(dataset=padded(tmp_path), model="gru8 gru8", lr=0.01, norm=norm))
    check_all_same(train(stacked, runs, method=XLA), train(oracle, runs))


@pytest.mark.parametrize(
    ("norm", "reason"),
    [
        ("group", "takes its statistics over padded steps, too"),
        ("instance", "takes its statistics over padded steps, too"),
        ("rms", "loses the mask of padded steps in Keras"),
    ],
)
def test_a_normalization_that_would_not_leave_padded_steps_out_is_refused_between_recurrent_layers(norm, reason):
    config = RunConfig(model="lstm8 gru8", norm=norm, placement="after")
    assert error_text(InvalidConfig, lay_out, config, (6, 2), 2) == (
        f"model 'lstm8 gru8' can't be built: norm {norm!r} {reason}: use batch or layer."
    )
    if norm != "instance":  # which needs more than one step
        assert lay_out(config.replace(model="lstm8"), (6, 2), 2)[2].kind == "norm"


@pytest.mark.parametrize("norm", [name for name in norms.REGISTRY if not norms.facts(name).masked])
def test_all_other_normalizations_pass_the_mask_on(norm):
    layer = norms.make(RunConfig(norm=norm))
    model = keras.Sequential([keras.Input((None, 2)), layers.Masking(0.0), layer, layers.GRU(2)])
    x = np.array([[[1.0, 2.0], [3.0, 1.0], [0.0, 0.0]]], "float32")
    np.testing.assert_allclose(model(x), model(np.pad(x, [(0, 0), (0, 4), (0, 0)])), rtol=1e-6)


@pytest.mark.parametrize("engine", [stacked, pytest.param(oracle, marks=LONG)])
def test_a_run_does_not_depend_on_what_is_in_padded_steps(tmp_path, engine):
    run = {"model": "lstm8 gru8", "norm": "batch", "lr": 0.01}
    (one,) = train(engine, [tiny(dataset=padded(tmp_path), **run)])
    (tmp_path / "other").mkdir()
    (other,) = train(engine, [tiny(dataset=padded(tmp_path / "other", -1e6), **run)])
    assert one.metrics.keys() == other.metrics.keys()
    assert one.history == other.history


@LONG
def test_steps_of_padding_for_all_rows_change_nothing(tmp_path):
    """The statistics of batch normalization are those of the steps that are data."""
    rows, n_more = sequences(), 3
    widened = {"x": np.pad(rows["x"], [(0, 0), (0, n_more), (0, 0)]), "y": rows["y"]}
    widened["mask"] = np.pad(rows["mask"], [(0, 0), (0, n_more)])
    run = {"model": "lstm8 gru8", "norm": "batch", "lr": 0.01}
    (one,) = train(stacked, [tiny(dataset=write_npz(tmp_path, **rows), **run)])
    (tmp_path / "wide").mkdir()
    (wide,) = train(stacked, [tiny(dataset=write_npz(tmp_path / "wide", **widened), **run)])
    for name in ("loss", "val_loss", "population_val_loss"):
        np.testing.assert_allclose(one.metrics[name], wide.metrics[name], rtol=1e-4)


def test_a_network_by_hand_has_the_recorded_loss(tmp_path):
    config = tiny(dataset=padded(tmp_path), model="lstm8 gru8", norm="batch", lr=0.01)
    kept = []
    (result,) = train(stacked, [config], on_model=lambda _, model: kept.append(model))
    by_hand = keras.Sequential([
        keras.Input((4, 2)),
        layers.Masking(0.0),
        layers.LSTM(8, return_sequences=True),
        layers.BatchNormalization(),
        layers.GRU(8),
        layers.BatchNormalization(),
        layers.Dense(1, activation="sigmoid"),
    ])  # fmt: skip
    by_hand.set_weights(kept[0].get_weights())
    by_hand.compile(loss="binary_crossentropy", metrics=["accuracy"])
    data = load(config.dataset, train_rows=config.train_rows, val_rows=config.val_rows)
    loss, accuracy = by_hand.evaluate(data.x_val, data.y_val, verbose=0)
    assert result.metrics["val_loss"] == pytest.approx(loss, rel=1e-5)
    assert result.metrics["val_accuracy"] == pytest.approx(accuracy)


@pytest.mark.parametrize(
    ("value", "scaling"),
    [
        (-5.0, "standard"),
        pytest.param(0.0, "standard", marks=LONG),
        pytest.param(-5.0, "none", marks=LONG),
        pytest.param(0.0, "none", marks=LONG),
    ],
)
def test_a_saved_model_takes_raw_rows_with_the_same_padding(tmp_path, value, scaling):
    path = padded(tmp_path, value)
    fields = {"padding": value, "scaling": scaling}
    config = tiny(dataset=path, model="lstm8 gru8", norm="batch", lr=0.01, **fields)
    models = []
    (result,) = train(oracle, [config], on_model=lambda _, model: models.append(model))
    selected = {"train_rows": config.train_rows, "val_rows": config.val_rows}
    saving.save(models[0], load(path, **fields, **selected), tmp_path / "m.keras")
    raw = load(path, padding=value, scaling="none", **selected)
    loss, _ = keras.models.load_model(tmp_path / "m.keras").evaluate(raw.x_val, raw.y_val, verbose=0)
    assert result.metrics["val_loss"] == pytest.approx(loss, rel=1e-4)


def test_probes_see_the_steps_that_are_data(tmp_path):
    data = load(padded(tmp_path))
    model = keras.Sequential([
        keras.Input(data.input_shape),
        layers.Masking(data.padding),
        layers.BatchNormalization(),
        layers.Dense(3, activation="relu"),
        layers.Activation("tanh"),
        layers.LSTM(2),
        layers.Dense(2, activation="softmax"),
    ])  # fmt: skip
    model.layers[2].set_weights([4 * np.ones((2, 3)), np.array([-100.0, 1.0, 2.0])])
    look = Look(model, data.x_train, data.y_train, "full", keras.losses.sparse_categorical_crossentropy)
    values, samples = look(
        [variable.value for variable in model.trainable_variables],
        [variable.value for variable in model.non_trainable_variables],
    )
    named = {(series.probe, series.number): float(value) for series, value in zip(look.series, values, strict=True)}
    steps = data.x_train[data.x_train.any(axis=2)]
    mean, variance = steps.mean(axis=0), steps.var(axis=0)
    assert named["mean_lag", 1] == pytest.approx(np.abs(mean / np.sqrt(variance + 1e-3)).mean(), abs=1e-5)
    normal = (steps - mean) / np.sqrt(variance + 1e-3)
    given = normal @ (4 * np.ones((2, 3))) + np.array([-100.0, 1.0, 2.0])
    assert named["dead", 1] == pytest.approx(1 / 3)
    assert named["saturated", 2] == pytest.approx((np.abs(np.maximum(given, 0)) > 3).mean(), abs=1e-6)
    sampled = {taps[0][0]: values.numpy() for taps, values in zip(look.sampled, samples, strict=True)}
    np.testing.assert_allclose(np.sort(sampled["input"]), np.sort(steps.ravel()), rtol=1e-6)
    steps_of_rows = np.zeros((*data.x_train.shape[:2], 3))
    steps_of_rows[data.x_train.any(axis=2)] = given
    flat = steps_of_rows.reshape(len(steps_of_rows), -1)
    gram = flat @ flat.T
    assert named["participation", 1] == pytest.approx(np.trace(gram) ** 2 / (gram**2).sum(), rel=1e-4)
