"""The oracle: each run is one plain `model.fit`, as tutorials write it. The stacked engine is tested against it."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from bncli import process, timeline
from bncli.backend import keras, tf
from bncli.config import RunConfig
from bncli.data.dataset import Dataset
from bncli.engines.base import (
    OnEpoch,
    OnModel,
    callback_errors,
    compile_afterwards,
    compile_model,
    dtype_policy,
    failed_result,
    finished_result,
    is_compiled_plainly,
    marked,
)
from bncli.engines.criterion import Criterion
from bncli.engines.inference import Inference
from bncli.engines.method import EVALUATION_ROWS
from bncli.engines.rates import steps_per_epoch
from bncli.engines.recording import Recording
from bncli.engines.scoring import Ending, Scored, ending_of, of_run, population_parts
from bncli.engines.starting import built
from bncli.engines.updates import Tensors
from bncli.networks.seeds import batch_order
from bncli.probes.inside import Look
from bncli.results import Epochs, RunResult
from bncli.tasks.metrics import history_metrics
from bncli.tasks.scores import one_score
from bncli.tasks.task import BALANCED
from bncli.values import finite

NAME = "keras"


def train(
    configs: Iterable[RunConfig],
    dataset: Dataset,
    on_epoch: OnEpoch | None = None,
    on_model: OnModel | None = None,
    probe: str | None = None,
) -> Iterator[list[RunResult]]:
    """Train runs one after the other.

    Args:
        configs: Resolved runs that all use `dataset`.
        dataset: Their data.
        on_epoch: Called after each epoch with a list of the run, and the epoch's number from 1.
        on_model: Called with each run and its trained model, which is deleted afterwards.
        probe: Which probes to record, one of `probes.inside.LEVELS`; None for none.

    Yields:
        A list of one result for each run, in order. A run that raises an error has the state `failed`; an error in a
        callback ends the training.
    """
    with callback_errors():
        for config in configs:
            model = None
            try:
                model, result = fit(config, dataset, marked(on_epoch), probe)
            except Exception as error:  # noqa: BLE001 - one broken run must not end a study; its record says why
                result = failed_result(config, error, NAME)
            if on_model and model:
                on_model(config, model)
            yield [result]
            model = None
            if process.is_ours:  # in a notebook, the session may hold the user's own models
                keras.backend.clear_session()
            gc.collect()


def fit(
    config: RunConfig, dataset: Dataset, on_epoch: OnEpoch | None = None, probe: str | None = None
) -> tuple[keras.Model, RunResult]:
    """Build, compile, fit and evaluate the model of one run; return it with the run's result."""
    started = time.perf_counter()
    with timeline.span("build the network", model=config.model, norm=config.norm), dtype_policy(config.dtype):
        model = built(config, dataset)
    criterion = Criterion(dataset.task, config.loss)
    compile_model(model, config, criterion, len(dataset.y_train))
    training, validation = labelled(model, config, dataset)
    recording = _recording(model, config, dataset, probe) if probe else None
    fitted = model.fit(
        training,
        steps_per_epoch=steps_per_epoch(config, len(dataset.y_train)),
        epochs=config.epochs,
        shuffle=False,
        validation_data=validation,
        validation_batch_size=EVALUATION_ROWS,
        callbacks=_callbacks(config, dataset, on_epoch, recording),
        verbose=0,
    )
    history = _history(fitted.history, criterion, dataset)
    with timeline.span("scores after training"):
        end = of_run(ending(model, config, dataset), 0)
    seconds = time.perf_counter() - started
    if not is_compiled_plainly(config):
        compile_afterwards(model, config, criterion)
    result = finished_result(config, dataset, model, history, end, seconds, NAME)
    return model, recording.joined([result])[0] if recording else result


def _history(fitted: Mapping[str, list[float]], criterion: Criterion, dataset: Dataset) -> Epochs:
    """The history of `fit`, with the score of the task in place of the mean marks."""
    _, score, *_ = names = history_metrics(dataset.score)
    own = {name: np.array(fitted[name]) for name in names}
    own[score] = criterion.score(own[score], dataset.y_train)
    own[f"val_{score}"] = criterion.score(own[f"val_{score}"], dataset.y_val)
    return {name: [finite(value) for value in values.tolist()] for name, values in own.items()}


def _recording(model: keras.Model, config: RunConfig, dataset: Dataset, probe: str) -> Recording:
    """Probes of one model, whose values have a leading axis of runs as in a stack."""
    look = Look(model, *dataset.parts["train"], probe, Criterion(dataset.task, config.loss).losses)

    @tf.function(autograph=False)  # type: ignore[untyped-decorator,unused-ignore]
    def looking(weights: Tensors, others: Tensors) -> Any:
        numbers, samples = look(weights, others)
        return numbers[None], [values[None] for values in samples]

    @tf.function(autograph=False)  # type: ignore[untyped-decorator,unused-ignore]
    def surveying(weights: Tensors, others: Tensors, rates: tf.Tensor) -> Any:
        return look.landscape(weights, others, rates[0])[None] if look.landscape else None

    return Recording(look, looking, surveying, [config], len(dataset.y_train))


def labelled(model: keras.Model, config: RunConfig, dataset: Dataset) -> tuple[tf.data.Dataset, tuple[Any, Any]]:
    """Return the batches of all epochs and the validation rows, with labels as `compile_model` expects them.

    Validation labels are never smoothed: so the validation loss is the cross-entropy whatever the smoothing, and runs
    can be compared by it.
    """
    criterion, n_outputs = Criterion(dataset.task, config.loss), model.output_shape[-1]
    (x, y), is_soft, weights = (dataset.x_val, dataset.y_val), config.label_smoothing > 0, _weights(config, dataset)
    if not is_soft and not criterion.takes_shares(n_outputs, is_soft=False):
        return batches(config, dataset).map(lambda x, y: (x, y, *weights(y))), (x, y)

    def softened(x: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, ...]:
        return x, criterion.labels(y, n_outputs, config.label_smoothing), *weights(y)

    return batches(config, dataset).map(softened), (x, criterion.labels(y, n_outputs, 0.0))


def _weights(config: RunConfig, dataset: Dataset) -> Callable[[tf.Tensor], tuple[tf.Tensor, ...]]:
    """A function that returns the weights of rows in the training loss, by their classes; nothing without weights."""
    of_classes = dataset.class_weights(config.class_weight)
    return lambda y: () if of_classes is None else (tf.gather(of_classes, y),)


def ending(model: keras.Model, config: RunConfig, dataset: Dataset) -> Ending:
    """Return how a trained model answers in inference mode, with moving and with population statistics.

    Args:
        model: The trained model.
        config: Its run.
        dataset: Its data.

    Returns:
        Metrics of shape (1,), and the confusion of classes.
    """
    inference = Inference(model, dataset, Criterion(dataset.task, config.loss))
    moving = inference.score(inference.others, dataset.parts)
    return ending_of(dataset, moving, population_scores(inference, config, dataset) if inference.averages else moving)


def population_scores(inference: Inference, config: RunConfig, dataset: Dataset) -> dict[str, Scored]:
    """Return how a trained model answers the parts of the data with population statistics."""
    return inference.score(inference.population(config), population_parts(dataset))


def batches(config: RunConfig, dataset: Dataset) -> tf.data.Dataset:
    """Return the batches (x, y) of all epochs in the order that the run's seed decides.

    The last batch of an epoch has fewer rows where the batch size does not divide their number.
    """
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


def _callbacks(
    config: RunConfig, dataset: Dataset, on_epoch: OnEpoch | None, recording: Recording | None
) -> list[keras.callbacks.Callback]:
    callbacks: list[keras.callbacks.Callback] = [_StopOnNonFinite(), _Spans()]
    if dataset.is_imbalanced:
        callbacks.append(_Balance(dataset))
    if recording:
        callbacks.append(_Record(recording))
    if config.patience:
        callbacks.append(keras.callbacks.EarlyStopping("val_loss", patience=config.patience, mode="min"))
    if on_epoch:
        report = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: on_epoch([config], epoch + 1))
        callbacks.append(report)
    return callbacks


class _Record(keras.callbacks.Callback):  # type: ignore[misc]
    """Records probes before training and after every epoch."""

    def __init__(self, recording: Recording) -> None:
        super().__init__()
        self._recording = recording

    def _record(self) -> None:
        parts = (self.model.trainable_variables, self.model.non_trainable_variables)
        self._recording.add(*([variable.value for variable in part] for part in parts))

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        self._record()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._record()


class _Spans(keras.callbacks.Callback):  # type: ignore[misc]
    """Records every epoch in the timeline."""

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        timeline.add(f"epoch {epoch + 1}", self._started)


class _Balance(keras.callbacks.Callback):  # type: ignore[misc]
    """Adds the balanced accuracy of the validation rows to the history; as a metric of the model it would be saved."""

    def __init__(self, dataset: Dataset) -> None:
        super().__init__()
        self._dataset = dataset

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        x = self._dataset.x_val
        parts = [x[start : start + EVALUATION_ROWS] for start in range(0, len(x), EVALUATION_ROWS)]
        answers = np.concatenate([self.model.predict_on_batch(part) for part in parts])
        if logs is not None:
            logs[f"val_{BALANCED}"] = float(one_score(BALANCED, self._dataset.y_val, answers[None])[0])


class _StopOnNonFinite(keras.callbacks.Callback):  # type: ignore[misc]
    """Stops training after the first epoch whose mean loss is not finite, so that this epoch is in the history.

    Keras' `TerminateOnNaN` stops in the middle of the epoch, before its validation.
    """

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if not math.isfinite((logs or {}).get("loss", 0.0)):
            self.model.stop_training = True
