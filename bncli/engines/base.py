"""What all engines share: callbacks, compilation, and the records of failed runs."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import ParamSpec

import numpy as np

from bncli.config import RunConfig
from bncli.engines.backend import keras
from bncli.results import RunResult

OnEpoch = Callable[[Sequence[RunConfig], int], None]

OnModel = Callable[[RunConfig, keras.Model], None]

_Arguments = ParamSpec("_Arguments")


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


def count_params(model: keras.Model) -> dict[str, int]:
    """Count parameters: all, and those that training moves."""
    trainable = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    return {"total": int(model.count_params()), "trainable": trainable}


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


def failed_result(config: RunConfig, error: Exception, engine: str) -> RunResult:
    """The record of a run that raised: type, message and the end of the traceback."""
    tail = "".join(traceback.format_exception(error)[-3:])
    return RunResult(config, "failed", engine=engine, error=f"{type(error).__name__}: {error}\n{tail}")
