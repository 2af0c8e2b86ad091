"""The oracle: one plain `model.fit` a run, as every tutorial does it."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Iterable, Iterator

import numpy as np

from bncli.config import RunConfig
from bncli.data.datasets import Dataset
from bncli.engines.backend import keras, tf
from bncli.engines.base import OnEpoch, OnModel, callback_errors, carried, compile_model, count_params, failed_result
from bncli.networks.building import build_model
from bncli.networks.seeds import batch_order
from bncli.results import RunResult
from bncli.tasks.metrics import HISTORY_METRICS
from bncli.values import finite

NAME = "keras"

EVALUATION_BATCH = 512
"""Rows a step in inference: no result depends on it, only memory and time do."""


def train(
    configs: Iterable[RunConfig],
    dataset: Dataset,
    on_epoch: OnEpoch | None = None,
    on_model: OnModel | None = None,
) -> Iterator[list[RunResult]]:
    """Train runs one after the other and yield each result, a list of one, as it ends.

    Args:
        configs: Resolved runs that all use `dataset`.
        dataset: Their data.
        on_epoch: Called with a list of the run and the epoch (from 1) after each epoch.
        on_model: Called with the run and its trained model, before the model is dropped.

    Yields:
        One result a run, in order. A run that raises is a `failed` result; what a callback raises ends the training.
    """
    with callback_errors():
        for config in configs:
            model = None
            try:
                model, result = fit(config, dataset, carried(on_epoch))
            except Exception as error:  # noqa: BLE001 - one broken run must not end a study; its record says why
                result = failed_result(config, error, NAME)
            if on_model and model:
                on_model(config, model)
            yield [result]
            model = None
            keras.backend.clear_session()
            gc.collect()


def fit(config: RunConfig, dataset: Dataset, on_epoch: OnEpoch | None = None) -> tuple[keras.Model, RunResult]:
    """Build, compile, fit and evaluate one run."""
    started = time.perf_counter()
    model = build_model(config, dataset.input_shape, dataset.n_classes, config.seed)
    compile_model(model, config)
    n_steps = math.ceil(len(dataset.y_train) / config.batch_size)
    fitted = model.fit(
        batches(config, dataset),
        steps_per_epoch=n_steps,
        epochs=config.epochs,
        shuffle=False,
        validation_data=(dataset.x_val, dataset.y_val),
        validation_batch_size=EVALUATION_BATCH,
        callbacks=_callbacks(config, on_epoch),
        verbose=0,
    )
    history = {name: [finite(value) for value in fitted.history[name]] for name in HISTORY_METRICS}
    _, train_accuracy = model.evaluate(dataset.x_train, dataset.y_train, batch_size=EVALUATION_BATCH, verbose=0)
    diverged = history["loss"][-1] is None
    result = RunResult(
        config,
        "diverged" if diverged else "complete",
        params=count_params(model),
        metrics={name: values[-1] for name, values in history.items()} | {"train_accuracy": float(train_accuracy)},
        history=history,
        seconds=time.perf_counter() - started,
        engine=NAME,
        error=f"The loss was not finite in epoch {len(history['loss'])}." if diverged else None,
    )
    return model, result


def batches(config: RunConfig, dataset: Dataset) -> tf.data.Dataset:
    """All batches of all epochs, in the order that the seed alone decides; the last of an epoch may be smaller."""
    n_rows = len(dataset.y_train)

    def orders() -> Iterator[np.ndarray]:
        for epoch in range(config.epochs):
            yield batch_order(config.seed, epoch, n_rows, shuffle=config.shuffle)

    def split(order: tf.Tensor) -> tf.data.Dataset:
        return tf.data.Dataset.from_tensor_slices(order).batch(config.batch_size)

    x, y = tf.constant(dataset.x_train), tf.constant(dataset.y_train)
    signature = tf.TensorSpec((n_rows,), tf.int32)
    epochs = tf.data.Dataset.from_generator(orders, output_signature=signature)
    return epochs.flat_map(split).map(lambda rows: (tf.gather(x, rows), tf.gather(y, rows))).prefetch(2)


def _callbacks(config: RunConfig, on_epoch: OnEpoch | None) -> list[keras.callbacks.Callback]:
    callbacks: list[keras.callbacks.Callback] = [_StopOnNonFinite()]
    if on_epoch:
        tell = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: on_epoch([config], epoch + 1))
        callbacks.append(tell)
    return callbacks


class _StopOnNonFinite(keras.callbacks.Callback):  # type: ignore[misc]
    """Stops at the end of the first epoch whose mean loss is not finite, which one bad batch makes it."""

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if not math.isfinite((logs or {}).get("loss", 0.0)):
            self.model.stop_training = True
