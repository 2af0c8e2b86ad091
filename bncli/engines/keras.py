"""The oracle: one plain `model.fit` a run, as every tutorial does it."""

from __future__ import annotations

import gc
import math
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import ParamSpec

from bncli.engines.quiet import import_tensorflow

import_tensorflow()

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from bncli import models  # noqa: E402
from bncli.config import RunConfig  # noqa: E402
from bncli.datasets import Dataset  # noqa: E402
from bncli.results import HISTORY_METRICS, RunResult, finite  # noqa: E402
from bncli.seeds import batch_order  # noqa: E402

NAME = "keras"
EVALUATION_BATCH = 512
"""Rows a step in inference: no result depends on it, only memory and time do."""

OnEpoch = Callable[[Sequence[RunConfig], int], None]
OnModel = Callable[[RunConfig, keras.Model], None]
_Arguments = ParamSpec("_Arguments")


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
                result = failed(config, error, NAME)
            if on_model and model:
                on_model(config, model)
            yield [result]
            model = None
            keras.backend.clear_session()
            gc.collect()


def fit(config: RunConfig, dataset: Dataset, on_epoch: OnEpoch | None = None) -> tuple[keras.Model, RunResult]:
    """Build, compile, fit and evaluate one run."""
    started = time.perf_counter()
    model = models.build(config, dataset.input_shape, dataset.n_classes, config.seed)
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


def compile_model(model: keras.Model, config: RunConfig) -> None:
    """Compile with the loss that fits the output: binary cross-entropy for one sigmoid unit.

    A single step of these networks gains nothing from XLA while its compilation costs seconds a run
    (measured: digits CNN, 3.9 s to the end of the first epoch with it, 1.1 s without), so it is off.
    """
    binary = model.output_shape[-1] == 1
    loss = "binary_crossentropy" if binary else "sparse_categorical_crossentropy"
    model.compile(make_optimizer(config), loss, metrics=["accuracy"], jit_compile=False)


def make_optimizer(config: RunConfig) -> keras.Optimizer:
    """Return a fresh Keras optimizer; Keras' own defaults for what is no field (rho 0.9, betas 0.9 and 0.999)."""
    common = {"learning_rate": config.lr, "weight_decay": config.weight_decay or None}
    if config.optimizer == "sgd":
        return keras.optimizers.SGD(momentum=config.momentum, nesterov=config.nesterov, **common)
    if config.optimizer == "adamw":
        return keras.optimizers.AdamW(learning_rate=config.lr, weight_decay=config.weight_decay)
    makers = {"adam": keras.optimizers.Adam, "rmsprop": keras.optimizers.RMSprop}
    return makers[config.optimizer](**common)


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


def count_params(model: keras.Model) -> dict[str, int]:
    """Count parameters: all, and those that training moves."""
    trainable = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    return {"total": int(model.count_params()), "trainable": trainable}


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


class _Carried(BaseException):
    """Takes what a callback raised past all that catches an `Exception` of a run: the run is not to blame."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


def carried(callback: Callable[_Arguments, None] | None) -> Callable[_Arguments, None] | None:
    """Return the callback such that what it raises leaves training at once and is raised by `callback_errors`."""
    if callback is None:
        return None

    def call(*arguments: _Arguments.args, **named: _Arguments.kwargs) -> None:
        try:
            callback(*arguments, **named)
        except Exception as error:
            raise _Carried(error) from error

    return call


@contextmanager
def callback_errors() -> Iterator[None]:
    """Raise, at the end of the block, what a `carried` callback raised in it."""
    try:
        yield
    except _Carried as carrier:
        raise carrier.error from None


def failed(config: RunConfig, error: Exception, engine: str) -> RunResult:
    """The record of a run that raised: type, message and the end of the traceback."""
    tail = "".join(traceback.format_exception(error)[-3:])
    return RunResult(config, "failed", engine=engine, error=f"{type(error).__name__}: {error}\n{tail}")
