"""Every task and loss: engines agree, and record what plain Keras and scikit-learn say of the model."""

import keras
import numpy as np
import pytest
from engines.tiny_runs import CLOSE, check_engines_agree, seeded, tiny, train
from sklearn import metrics

from bncli.data import datasets
from bncli.engines import keras as oracle
from bncli.engines import stacked
from bncli.engines.criterion import Criterion
from bncli.tasks.task import TASKS

LONG = pytest.mark.slow
"""For cases whose like is tested anyway: each takes seconds to trace."""

CASES = [("regression", "diabetes", "mse"), ("classification", "digits", "focal_crossentropy")]
CASES += [pytest.param("regression", "diabetes", loss, marks=LONG) for loss in TASKS["regression"].losses[1:]]
CASES += [pytest.param("classification", "circles", "focal_crossentropy", marks=LONG)]


def trained(engine, **fields):
    models = []
    (result,) = train(engine, [tiny(**fields)], on_model=lambda config, model: models.append(model))
    return result, models[0], datasets.load(result.config)


@pytest.mark.parametrize(("task", "dataset", "loss"), CASES)
def test_engines_agree_on_every_loss(task, dataset, loss):
    check_engines_agree(seeded(tiny(dataset=dataset, model="dense8", norm="batch", loss=loss, lr=0.01)))


@pytest.mark.parametrize(
    "fields",
    [
        {"loss": "focal_crossentropy"},
        *(pytest.param(each, marks=LONG) for each in ({"dataset": "circles"}, {"loss": "crossentropy"})),
    ],
)
def test_engines_agree_on_smoothed_labels_with_every_loss(fields):
    check_engines_agree(seeded(tiny(model="dense8", label_smoothing=0.2, lr=0.01, **fields)))


@pytest.mark.parametrize("scaling", [pytest.param("standard", marks=LONG), "none"])
@pytest.mark.parametrize("norm", [pytest.param("none", marks=LONG), "layer"])
def test_engines_agree_on_quantities_in_any_scale(scaling, norm):
    run = {"dataset": "friedman1", "model": "dense8", "norm": norm, "norm_input": True}
    check_engines_agree(seeded(tiny(**run, target_scaling=scaling)))


@pytest.mark.parametrize("engine", [stacked, oracle])
def test_errors_of_quantities_are_those_of_scikit_learn_in_their_own_units(engine):
    result, model, data = trained(engine, dataset="diabetes", model="dense8", norm="batch", lr=0.01)
    own = datasets.load(result.config.replace(target_scaling="none"))
    for part in ("val", "train"):
        y = own.parts[part][1]
        predicted = model.predict(data.parts[part][0], verbose=0)[:, 0] * own.y_train.std() + own.y_train.mean()
        assert result.metrics[f"{part}_r2"] == pytest.approx(metrics.r2_score(y, predicted), abs=1e-4)
    assert result.metrics["val_mae"] == pytest.approx(
        metrics.mean_absolute_error(own.y_val, predicted_of(model, own, data)), rel=1e-4
    )
    assert result.metrics["val_rmse"] ** 2 == pytest.approx(result.metrics["val_mse"])
    loss, *_ = model.evaluate(data.x_val, data.y_val, verbose=0)
    assert result.metrics["val_loss"] == pytest.approx(loss, rel=CLOSE)
    assert result.history["val_r2"][-1] == result.metrics["val_r2"]


def predicted_of(model, own, data):
    """The model's answers to the validation rows, in the quantity's own units."""
    return model.predict(data.x_val, verbose=0)[:, 0] * own.y_train.std() + own.y_train.mean()


def test_r2_of_an_epoch_is_that_of_keras():
    config = tiny(dataset="diabetes", model="dense8", lr=0.01)
    data = datasets.load(config)
    (result,) = train(oracle, [config])
    judge = keras.metrics.R2Score()
    model, _ = oracle.fit(config, data)
    judge.update_state(data.y_val[:, None], model.predict(data.x_val, verbose=0))
    assert result.metrics["val_r2"] == pytest.approx(float(judge.result()), abs=1e-5)


@pytest.mark.parametrize("engine", [stacked, oracle])
def test_a_diverged_network_scores_as_always_guessing_the_mean(engine):
    fields = {"dataset": "diabetes", "model": "dense8", "optimizer": "sgd", "lr": 1e6}
    (result,) = train(engine, [tiny(**fields)])
    assert result.state == "diverged"
    assert (result.metrics["val_r2"], result.metrics["r2"], result.metrics["val_mae"]) == (0.0, 0.0, None)


@pytest.mark.parametrize("task", TASKS)
def test_the_first_loss_of_a_task_is_that_of_a_run_that_does_not_say(task):
    assert Criterion(task).loss == TASKS[task].losses[0]


@pytest.mark.parametrize(
    ("loss", "n_outputs", "soft", "name"),
    [
        ("crossentropy", 1, False, "binary_crossentropy"),
        ("crossentropy", 3, False, "sparse_categorical_crossentropy"),
        ("crossentropy", 3, True, "categorical_crossentropy"),
        ("focal_crossentropy", 1, False, "binary_focal_crossentropy"),
        ("focal_crossentropy", 3, False, "categorical_focal_crossentropy"),
    ],
)
def test_losses_of_classes_are_named_as_keras_names_them(loss, n_outputs, soft, name):
    assert Criterion("classification", loss).keras_name(n_outputs, is_soft=soft) == name
    assert callable(keras.losses.get(name))


def test_population_statistics_give_an_r2_of_their_own():
    result, _, _ = trained(stacked, dataset="diabetes", model="dense8", norm="batch", lr=0.02)
    assert np.isfinite(result.metrics["population_val_r2"])
    assert result.metrics["population_val_r2"] != result.metrics["val_r2"]


IMBALANCED = {"dataset": "rare.csv", "label": "y", "model": "dense8", "norm": "batch", "lr": 0.01}


@pytest.fixture
def rare(tmp_path, monkeypatch):
    """A table of which one row in ten has the second class."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    y = np.arange(200) % 10 == 0
    x = rng.normal(size=(200, 3)) + y[:, None]
    lines = [f"{a:.5f},{b:.5f},{c:.5f},{int(label)}" for (a, b, c), label in zip(x, y, strict=True)]
    (tmp_path / "rare.csv").write_text("a,b,c,y\n" + "\n".join(lines) + "\n")
    datasets.forget()


@pytest.mark.parametrize("model", ["dense8", pytest.param("dense8 softmax", marks=LONG)])
@pytest.mark.usefixtures("rare")
def test_engines_agree_on_class_weights_and_on_the_balanced_accuracy_of_every_epoch(model):
    runs = seeded(tiny(**IMBALANCED | {"model": model}, class_weight="balanced"))
    check_engines_agree(runs)
    theirs, ours = train(oracle, runs), train(stacked, runs)
    for found, expected in zip(ours, theirs, strict=True):
        assert list(found.history) == [*list(expected.history)[:4], "val_balanced_accuracy"]
        for name in ("val_balanced_accuracy", "val_f1"):
            assert found.metrics[name] == pytest.approx(expected.metrics[name], abs=0.05)
        assert found.history["val_balanced_accuracy"][-1] == found.metrics["val_balanced_accuracy"]
        assert expected.history["val_balanced_accuracy"][-1] == expected.metrics["val_balanced_accuracy"]


@pytest.mark.usefixtures("rare")
def test_balanced_weights_train_as_class_weights_of_keras_do():
    config = tiny(**IMBALANCED, class_weight="balanced", shuffle=False)
    data = datasets.load(config)
    counts = np.bincount(data.y_train)
    weights = dict(enumerate(len(data.y_train) / (2 * counts)))
    (result,) = train(stacked, [config])
    from bncli.engines.base import compile_model
    from bncli.engines.starting import built

    model = built(config, data)
    compile_model(model, config, Criterion(data.task), len(data.y_train))
    history = model.fit(
        data.x_train, data.y_train, batch_size=24, epochs=2, shuffle=False, class_weight=weights, verbose=0
    ).history
    assert result.history["loss"] == pytest.approx(history["loss"], rel=CLOSE)
    plain, _ = train(stacked, [config, config.replace(class_weight="none")])
    assert plain.history["loss"] != train(stacked, [config.replace(class_weight="none")])[0].history["loss"]


@pytest.mark.parametrize("engine", [stacked, oracle])
def test_a_record_counts_how_classes_were_answered(engine):
    result, model, data = trained(engine, dataset="digits", model="dense8", lr=0.02)
    counts, answers = np.array(result.confusion), model.predict(data.x_val, verbose=0).argmax(axis=1)
    np.testing.assert_array_equal(counts, metrics.confusion_matrix(data.y_val, answers, labels=range(10)))
    assert result.to_record()["confusion"] == result.confusion
    quantity, _, _ = trained(engine, dataset="diabetes", model="dense8")
    assert quantity.confusion is None
    assert "confusion" not in quantity.to_record()
