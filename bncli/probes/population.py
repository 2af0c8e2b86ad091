"""Population statistics of batch normalization: its mean and variance over many batches under the final weights.

The moving averages of training lag behind the weights, and begin at 0 and 1. Wu and Johnson (2021), "Rethinking 'Batch'
in BatchNorm", arXiv 2105.07576, section 3, re-estimate the statistics after training instead.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bncli.probes.gradients import Tensors
from bncli.probes.hiding import hiding

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

MIN_ROWS = 1_000
"""The fewest rows over which statistics are estimated, if the data has so many: Wu and Johnson find that 1,000 to
10,000 suffice."""

SHARE = 20
"""If that gives more batches, there is one for so many training steps: a forward pass is a third of a step."""


@dataclass(frozen=True)
class Averages:
    """The moving averages of a model that training updates, as places among its non-trainable variables.

    Attributes:
        momenta: The place of each average, with its momentum.
        deviations: For a variance that is made of an average standard deviation (batch renormalization): the places
            of the two, and the epsilon that is in the deviation.
    """

    momenta: dict[int, float]
    deviations: list[tuple[int, int, float]]

    def __bool__(self) -> bool:
        return bool(self.momenta)


def moving_averages(model: keras.Model) -> Averages:
    """Return the moving averages of a model that training updates.

    Args:
        model: A model; a frozen layer (`trainable=False`) normalizes with its averages in training too, and has none.
            Neither has one with momentum 1, whose averages never move, nor one that a layer of the user's calls in
            inference mode.
    """
    import keras

    places = {id(variable): place for place, variable in enumerate(model.non_trainable_variables)}
    found, still = Averages({}, []), _still_averages(model)
    for layer in model._flatten_layers(include_self=False):  # Keras has no public way into nested models
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable and float(layer.momentum) < 1:
            mean, variance = places[id(layer.moving_mean)], places[id(layer.moving_variance)]
            if variance in still:
                continue
            spread = places[id(layer.moving_stddev)] if getattr(layer, "renorm", False) else variance
            found.momenta.update(dict.fromkeys((mean, spread), float(layer.momentum)))
            if spread != variance:
                found.deviations.append((variance, spread, float(layer.epsilon)))
    return found


def _still_averages(model: keras.Model) -> set[int]:
    """The places of the variables that a call in training mode does not move.

    Only layers of the user's can have such averages, if they call their normalizations in inference mode themselves.
    """
    import keras
    import numpy as np

    layers = model._flatten_layers(include_self=False)
    if all(type(layer).__module__.startswith(("keras.", "bncli.")) for layer in layers):
        return set()
    before = [variable.value for variable in model.non_trainable_variables]
    weights = [variable.value for variable in model.trainable_variables]
    rows = np.random.default_rng(0).normal(size=(8, *model.input_shape[1:])).astype("float32")
    try:
        after = model.stateless_call(weights, before, rows, training=True)[1]
    except Exception:  # noqa: BLE001 - the user's layers may take no such rows
        return set()
    pairs = zip(before, after, strict=True)
    return {
        place
        for place, (old, new) in enumerate(pairs)
        if np.array_equal(keras.ops.convert_to_numpy(old), keras.ops.convert_to_numpy(new))
    }


@contextmanager
def by_batch(model: keras.Model) -> Iterator[None]:
    """Let all batch normalizations of a model normalize by their batch in a block, whatever mode they are called in.

    A model that is called once in inference mode then moves all its averages: of layers too that are called with
    `training=False`, as a pretrained part mostly is. Dropout, noise and augmentation are off.

    The averages become what the batch has; of a layer that is called several times the mean of its calls.

    Args:
        model: A model; a frozen layer keeps its averages.
    """
    import keras

    layers = [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]
    momenta = [layer.momentum for layer in layers]
    try:
        with hiding((layer, "call", _by_batch(layer)) for layer in layers):
            yield
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum


def _by_batch(layer: Any) -> Callable[..., Any]:
    call, n_calls = layer.call, 0

    def by_batch(inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        nonlocal n_calls
        n_calls += 1
        layer.momentum = 1 - 1 / n_calls
        return call(inputs, training=True, mask=mask)

    return by_batch


def n_batches(n_rows: int, batch_size: int, epochs: int) -> int:
    """Return over how many batches the statistics of a run are estimated: whole ones, at most one epoch of them.

    The limit keeps the time below 5 % of a training that is long enough to matter.

    >>> n_batches(1347, 32, epochs=10), n_batches(60_000, 32, epochs=2), n_batches(500, 500, epochs=100)
    (32, 187, 1)

    Args:
        n_rows: Number of training rows.
        batch_size: Samples per batch, at most `n_rows`.
        epochs: Epochs of the training.
    """
    whole = n_rows // batch_size
    return min(whole, max(math.ceil(MIN_ROWS / batch_size), whole * epochs // SHARE))


def population_statistics(
    averages: Averages,
    others: Tensors,
    batches: tf.Tensor,
    n_steps: tf.Tensor,
    call: Callable[[Tensors, tf.Tensor], Tensors],
) -> Tensors:
    """Return a network's other variables with population statistics in place of its moving averages.

    A call in training mode sets an average from `a` to `momentum * a + (1 - momentum) * b`, where b is the mean or the
    variance of the batch. From a = 0, b is what it sets, divided by 1 - momentum. The result is the mean of b over the
    batches. This is written for a `tf.function`.

    Args:
        averages: The averages, as `moving_averages` returns them.
        others: The values of the network's non-trainable variables.
        batches: The rows' numbers, shape (batches, ...).
        n_steps: How many of the batches to use; a tensor, so that a call with 0 compiles the loop without running it.
        call: A function of other variables and a batch's row numbers: it applies the network in training mode and
            returns the other variables afterwards.
    """
    import tensorflow as tf

    momenta = averages.momenta
    zeros = {place: tf.zeros_like(others[place]) for place in momenta}

    def body(step: tf.Tensor, now: Tensors, totals: Tensors) -> tuple[Any, ...]:
        now = call([zeros.get(place, value) for place, value in enumerate(now)], tf.gather(batches, step))
        more = [now[place] / (1 - momentum) for place, momentum in momenta.items()]
        return step + 1, now, [total + value for total, value in zip(totals, more, strict=True)]

    start = (tf.constant(0), list(others), list(zeros.values()))
    _, _, totals = tf.while_loop(lambda step, *_: step < n_steps, body, start, parallel_iterations=1)
    means = dict(zip(momenta, [total / tf.cast(n_steps, total.dtype) for total in totals], strict=True))
    means |= {
        variance: tf.nn.relu(tf.square(means[deviation]) - epsilon)
        for variance, deviation, epsilon in averages.deviations
    }
    return [means.get(place, value) for place, value in enumerate(others)]
