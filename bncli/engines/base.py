"""What both engines share: optimizers and losses, callbacks, and the records of finished and failed runs."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import ParamSpec

import numpy as np

from bncli.config import RunConfig
from bncli.engines.backend import keras
from bncli.results import Epochs, RunResult

OnEpoch = Callable[[Sequence[RunConfig], int], None]
"""Called after each epoch with the runs that train together and the epoch's number, from 1."""

OnModel = Callable[[RunConfig, keras.Model], None]
"""Called with each trained run and its model."""

_Arguments = ParamSpec("_Arguments")


def compile_model(model: keras.Model, config: RunConfig) -> None:
    """Compile a model with the run's optimizer and the loss that fits its output layer.

    The loss is binary cross-entropy for one sigmoid unit, else cross-entropy over classes. XLA is off: for one run it
    takes longer to compile than it saves (measured: the digits CNN ends its first epoch after 3.9 s with XLA, after
    1.1 s without).
    """
    is_binary = model.output_shape[-1] == 1
    loss = "binary_crossentropy" if is_binary else "sparse_categorical_crossentropy"
    model.compile(make_optimizer(config), loss, metrics=["accuracy"], jit_compile=False)


def make_optimizer(config: RunConfig) -> keras.Optimizer:
    """Return a new Keras optimizer for a run; what is not a field of a run (rho, the betas) keeps Keras' default."""
    common = {"learning_rate": config.lr, "weight_decay": config.weight_decay or None}
    if config.optimizer == "sgd":
        return keras.optimizers.SGD(momentum=config.momentum, nesterov=config.nesterov, **common)
    if config.optimizer == "adamw":
        return keras.optimizers.AdamW(learning_rate=config.lr, weight_decay=config.weight_decay)
    makers = {"adam": keras.optimizers.Adam, "rmsprop": keras.optimizers.RMSprop}
    return makers[config.optimizer](**common)


def count_params(model: keras.Model) -> dict[str, int]:
    """Return how many parameters a model has: `total`, and `trainable` ones."""
    trainable = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    return {"total": int(model.count_params()), "trainable": trainable}


def finished_result(
    config: RunConfig, model: keras.Model, history: Epochs, train_accuracy: float, seconds: float, engine: str
) -> RunResult:
    """Return the result of a run that ended without an error: complete, or diverged.

    Args:
        config: The run.
        model: Its network, for the number of parameters.
        history: Metrics by epoch; a run whose last loss is None has diverged.
        train_accuracy: Accuracy over the training rows in inference mode, after the last epoch.
        seconds: How long the run took.
        engine: The engine's name.
    """
    diverged = history["loss"][-1] is None
    return RunResult(
        config,
        "diverged" if diverged else "complete",
        params=count_params(model),
        metrics={name: values[-1] for name, values in history.items()} | {"train_accuracy": train_accuracy},
        history=history,
        seconds=seconds,
        engine=engine,
        error=f"The loss was not finite in epoch {len(history['loss'])}." if diverged else None,
    )


def failed_result(config: RunConfig, error: Exception, engine: str) -> RunResult:
    """Return the result of a run that raised `error`: its type, its message and the end of its traceback."""
    tail = "".join(traceback.format_exception(error)[-3:])
    return RunResult(config, "failed", engine=engine, error=f"{type(error).__name__}: {error}\n{tail}")


class _CallbackError(BaseException):
    """Carries a callback's error out of training, past the handlers that record an `Exception` as a failed run."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


def marked(callback: Callable[_Arguments, None] | None) -> Callable[_Arguments, None] | None:
    """Return the callback in a form whose errors end the training instead of failing a run.

    `callback_errors` then raises the error itself. None stays None.
    """
    if callback is None:
        return None

    def call(*arguments: _Arguments.args, **named: _Arguments.kwargs) -> None:
        try:
            callback(*arguments, **named)
        except Exception as error:
            raise _CallbackError(error) from error

    return call


@contextmanager
def callback_errors() -> Iterator[None]:
    """Raise the original error of a `marked` callback that the block calls."""
    try:
        yield
    except _CallbackError as carrier:
        raise carrier.error from None
