"""What both engines share: optimizers and losses, callbacks, and the records of finished and failed runs."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import ParamSpec

import numpy as np

from bncli.backend import keras, tf
from bncli.config import RunConfig
from bncli.data.dataset import Dataset
from bncli.engines.criterion import Criterion
from bncli.engines.rates import Schedule, is_constant
from bncli.engines.scoring import Ending
from bncli.results import Epochs, RunResult
from bncli.tasks.metrics import METRICS
from bncli.tasks.scores import trivial_scores
from bncli.training.optimizers import OPTIMIZERS, is_decayed

OnEpoch = Callable[[Sequence[RunConfig], int], None]
"""Called after each epoch with the runs that train together and the epoch's number, from 1."""

OnModel = Callable[[RunConfig, keras.Model], None]
"""Called with each trained run and its model."""

_Arguments = ParamSpec("_Arguments")


@contextmanager
def dtype_policy(policy: str) -> Iterator[None]:
    """Give the layers that the block makes a dtype policy; Keras scales the loss of a model that has it."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def compile_model(model: keras.Model, config: RunConfig, criterion: Criterion, n_rows: int | None = None) -> None:
    """Compile a model with the run's optimizer and loss, and the score of its task.

    XLA is off: for one run it takes longer to compile than it saves (measured: the digits CNN ends its first epoch
    after 3.9 s with XLA, after 1.1 s without).

    Args:
        model: The model, in place.
        config: Its run.
        criterion: The run's loss and score.
        n_rows: The number of training rows, for the run's schedule of the learning rate. Without it the rate is
            constant and labels are not smoothed.
    """
    n_outputs, is_soft = model.output_shape[-1], n_rows is not None and config.label_smoothing > 0
    optimizer = make_optimizer(config, Schedule(config, n_rows) if n_rows and not is_constant(config) else config.lr)
    optimizer.exclude_from_weight_decay([v for v in model.trainable_variables if not is_decayed(v, config.decay)])
    metric = criterion.metric(n_outputs, is_soft=is_soft)
    model.compile(optimizer, criterion.keras_name(n_outputs, is_soft=is_soft), metrics=[metric], jit_compile=False)


def is_compiled_plainly(config: RunConfig) -> bool:
    """Whether plain Keras can load a run's model as it was compiled for training."""
    return is_constant(config) and config.label_smoothing == 0


def compile_afterwards(model: keras.Model, config: RunConfig, criterion: Criterion) -> None:
    """Compile a trained model so that it can be saved, and trained further at the run's rate, by plain Keras."""
    compile_model(model, config, criterion)
    model.optimizer.build(model.trainable_variables)


def make_optimizer(config: RunConfig, rate: float | Schedule) -> keras.Optimizer:
    """Return a new Keras optimizer for a run; what is not a field of a run (rho, the betas) keeps Keras' default."""
    optimizer = OPTIMIZERS[config.optimizer]
    none = 0.0 if optimizer.weight_decay else None  # AdamW refuses None
    own = {name: getattr(config, name) for name in optimizer.fields}
    make = getattr(keras.optimizers, optimizer.keras_class)
    shared = {"weight_decay": config.weight_decay or none, "clipnorm": config.clipnorm or None}
    return make(learning_rate=rate, **shared, **own)


def with_added(losses: tf.Tensor, added: Sequence[tf.Tensor]) -> tf.Tensor:
    """Return the losses of rows, each with what the layers add to the loss: regularizers and `add_loss`.

    Args:
        losses: Shape (rows,).
        added: Scalars, as `stateless_call(..., return_losses=True)` gives them.
    """
    return losses + tf.add_n([tf.cast(loss, losses.dtype) for loss in added]) if added else losses


def count_params(model: keras.Model) -> dict[str, int]:
    """Return how many parameters a model has: `total`, and `trainable` ones."""
    trainable = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    return {"total": int(model.count_params()), "trainable": trainable}


def finished_result(
    config: RunConfig,
    dataset: Dataset,
    model: keras.Model,
    history: Epochs,
    ending: Ending,
    seconds: float,
    engine: str,
) -> RunResult:
    """Return the result of a run that ended without an error: complete, or diverged.

    A diverged run predicts no class, and which one its NaN stand for would depend on the order of the labels. So its
    accuracies, and all scores of which more is better, are trivial scores; `accuracy`, too, which `fit` averages over
    an epoch that has such predictions.

    Args:
        config: The run.
        dataset: Its data.
        model: Its network, for the number of parameters.
        history: Metrics by epoch; a run whose last loss is None has diverged.
        ending: What was measured after the last epoch.
        seconds: How long the run took.
        engine: The engine's name.
    """
    diverged = history["loss"][-1] is None
    scores, confusion = ending
    if diverged:
        scores, confusion = {name: _without_answers(name, dataset) for name in scores}, None
        for name, values in history.items():
            values[-1] = _without_answers(name, dataset)
    return RunResult(
        config,
        "diverged" if diverged else "complete",
        params=count_params(model),
        metrics=dict(scores) | {name: values[-1] for name, values in history.items()},
        history=history,
        seconds=seconds,
        engine=engine,
        error=f"The loss was not finite in epoch {len(history['loss'])}." if diverged else None,
        confusion=confusion,
    )


def _without_answers(name: str, dataset: Dataset) -> float | None:
    """What a network scores that answers nothing: the trivial score, and no loss or error."""
    metric = METRICS[name]
    if metric.lower_is_better:
        return None
    part = "train" if metric.part == "fit" else metric.part
    return trivial_scores(dataset.task, dataset.labels(part))[metric.score]


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
