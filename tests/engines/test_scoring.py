"""Final metrics with moving and with population statistics, against plain Keras."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from engines.tiny_runs import CLOSE, tiny, train

from bncli.data import datasets
from bncli.data.scaling import Scaler
from bncli.engines import keras as oracle
from bncli.engines import scoring, stacked
from bncli.engines.scoring import Scored, final_metrics, population_parts
from bncli.tasks.metrics import METRICS
from bncli.tasks.scores import SCORES

RUN = {"model": "conv8 pool flatten dense8", "norm": "batch", "lr": 0.02}


def trained(engine, **fields):
    models = []
    (result,) = train(engine, [tiny(**fields)], on_model=lambda config, model: models.append(model))
    return result, models[0], datasets.load(result.config)


def use_population_statistics(model, x, batches):
    """Set the averages of a Keras model by momentum 0: they are then those of the last batch, here their mean."""
    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    seen = []
    for rows in batches:
        for layer in layers:
            layer.momentum = 0.0
        model(x[rows], training=True)
        seen.append([[v.numpy() for v in (layer.moving_mean, layer.moving_variance)] for layer in layers])
    for place, layer in enumerate(layers):
        layer.moving_mean.assign(np.mean([batch[place][0] for batch in seen], axis=0))
        layer.moving_variance.assign(np.mean([batch[place][1] for batch in seen], axis=0))


@pytest.mark.parametrize("engine", [stacked, oracle])
def test_population_metrics_are_those_of_a_keras_model_with_re_estimated_averages(engine):
    from bncli.engines.rows import population_batches

    result, model, data = trained(engine, **RUN)
    moving = model.evaluate(data.x_val, data.y_val, verbose=0)
    batches = population_batches([result.config], len(data.y_train))[:, 0].numpy()
    use_population_statistics(model, data.x_train, batches)
    loss, accuracy = model.evaluate(data.x_val, data.y_val, verbose=0)
    assert result.metrics["population_val_loss"] == pytest.approx(loss, rel=CLOSE)
    assert result.metrics["population_val_accuracy"] == pytest.approx(accuracy)
    assert result.metrics["val_loss"] == pytest.approx(moving[0], rel=CLOSE)
    assert abs(moving[0] - loss) > 0.01


@pytest.mark.parametrize("engine", [stacked, oracle])
def test_without_batch_normalization_both_statistics_are_one(engine):
    result, _, _ = trained(engine, model="dense8", norm="layer")
    population = {name: value for name, value in result.metrics.items() if name.startswith("population_")}
    parts = {f"population_{part}_{score}" for part in ("train", "val") for score in ("loss", "accuracy")}
    assert parts <= set(population)
    for name, value in population.items():
        assert value == pytest.approx(result.metrics[name.removeprefix("population_")], rel=1e-6)


@pytest.mark.parametrize("dataset", ["circles", "digits"])
def test_every_metric_but_those_of_a_test_part_is_recorded(dataset):
    result, _, _ = trained(stacked, dataset=dataset, model="dense8", norm="batch")
    few = {"top5"} if dataset == "circles" else set()
    scores = {"loss", *(name for name, score in SCORES.items() if score.task == "classification")} - few
    known = {name for name, metric in METRICS.items() if metric.part != "test" and metric.score in scores}
    assert set(result.metrics) == known
    assert all(isinstance(value, float) for value in result.metrics.values())


def test_of_many_training_rows_an_evenly_spaced_part_is_scored_with_population_statistics(monkeypatch):
    data = datasets.load(tiny(dataset="circles", model="dense8"))
    assert len(population_parts(data)["train"][1]) == len(data.y_train)
    monkeypatch.setattr(scoring, "MAX_TRAINING_ROWS", 10)
    x, y = population_parts(data)["train"]
    assert np.array_equal(x, data.x_train[::4]), np.array_equal(y, data.y_train[::4])


def test_errors_of_quantities_far_from_0_are_not_rounded_away():
    data = replace(datasets.load(tiny(dataset="diabetes", model="dense8")), target_scaler=Scaler(1e9, 2.0))
    answers = np.zeros((1, len(data.y_val), 1), "float32")
    moving = {"val": Scored(np.zeros(1), np.zeros(1), [(data.y_val, answers)])}
    (error,) = final_metrics(data, moving, moving)["val_mae"]
    assert error == pytest.approx(2 * abs(data.y_val).mean())
