"""The probes: what is measured inside a network in every epoch, by layer.

They look at the same rows of the training data in every run and epoch, in training mode: what layers get while they
train, with the statistics of these rows in batch normalizations. The result of a run does not depend on them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bncli.probes.gradients import Loss, Tensors
from bncli.probes.landscape import Landscape, kernel_norms, participation
from bncli.probes.taps import Tap, tapped
from bncli.results import Series
from bncli.tasks.probes import PERCENTILES, PROBES, SATURATED

if TYPE_CHECKING:
    import keras
    import numpy as np
    import tensorflow as tf

LEVELS = ("light", "full")

N_ROWS = 128
"""How many training rows are looked at, if there are so many: the first ones."""

MAX_VALUES = 8_192
"""Of how many values percentiles are taken at most; of more, so many are drawn, the same in every run and epoch."""


class Look:
    """The probes of one network, as a function of one run's values that TensorFlow can trace and vectorize.

    Args:
        model: The network; its own values take no part.
        x: The training rows, of which the first are looked at.
        y: Their class numbers.
        level: One of `LEVELS`.
        loss: The loss of rows, for the level `full`.

    Attributes:
        series: What the function returns, in order; known once it was traced.
        sampled: For each list of values whose percentiles are still to be taken, the kinds, layers and numbers of the
            taps that have these values: what a normalization returns may be what an activation gets.
    """

    def __init__(self, model: keras.Model, x: np.ndarray, y: np.ndarray, level: str, loss: Loss) -> None:
        import tensorflow as tf

        self.series: list[Series] = []
        self.sampled: list[list[tuple[str, str, int]]] = []
        self._model, self._is_full, self._loss = model, level == "full", loss
        self._x, self._y = tf.constant(x[:N_ROWS]), tf.constant(y[:N_ROWS])
        self.landscape = Landscape(model, self._x, self._y, loss) if self._is_full else None

    def __call__(self, weights: Tensors, others: Tensors) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Return the probes of one run.

        Args:
            weights: The values of its trainable variables.
            others: The values of its other variables.

        Returns:
            The numbers of `series`; for each of `sampled` a list of values.
        """
        import tensorflow as tf

        with tapped(self._model) as taps, tf.GradientTape() as tape:
            tape.watch(weights if self._is_full else [])
            predicted, _ = self._model.stateless_call(weights, others, self._x, training=True)
            mean = tf.reduce_mean(self._loss(self._y, tf.cast(predicted, tf.float32))) if self._is_full else None
        whole, taps = taps, self._without_padding(taps)
        numbers = _numbered(taps)
        found: dict[Series, Any] = {}
        for tap in taps:
            found |= _units(tap, numbers[tap.kind, tap.place])
        found |= self._of_norms(taps, weights, others) | kernel_norms(self._model, "weight_norm", weights)
        if self._is_full:
            slope = tape.gradient(mean, weights, unconnected_gradients=tf.UnconnectedGradients.ZERO)
            found |= kernel_norms(self._model, "gradient_norm", [tf.convert_to_tensor(part) for part in slope])
            inputs = [tap for tap in whole if tap.kind == "preactivation"]
            found |= {
                Series("participation", tap.place, number): participation(_zero_where_padded(tap))
                for number, tap in enumerate(inputs, 1)
            }
        self.series = list(found)
        shared: dict[int, list[Tap]] = {}
        for tap in taps:
            shared.setdefault(id(tap.tensor), []).append(tap)
        self.sampled = [
            [(tap.kind, tap.place, numbers[tap.kind, tap.place]) for tap in equal] for equal in shared.values()
        ]
        values = [tf.cast(value, tf.float32) for value in found.values()]
        return tf.stack(values) if values else tf.zeros([0]), [_sample(equal[0].tensor) for equal in shared.values()]

    def _without_padding(self, taps: list[Tap]) -> list[Tap]:
        """The taps with the steps alone that are data, shape (1, steps of all rows, ..., channels)."""
        import numpy as np
        import tensorflow as tf

        if all(tap.mask is None for tap in taps):
            return taps
        with tf.init_scope(), tapped(self._model) as seen:  # how many steps there are depends on the rows alone
            self._model(self._x, training=False)
        kept: dict[int, Any] = {}
        for tap, like in zip(taps, seen, strict=True):
            if tap.mask is not None and id(tap.tensor) not in kept:
                flat = tf.reshape(tap.tensor, [-1, *tap.tensor.shape[tap.mask.shape.rank :]])
                kept[id(tap.tensor)] = tf.gather(flat, np.flatnonzero(like.mask.numpy()))[None]
        return [tap if tap.mask is None else tap._replace(tensor=kept[id(tap.tensor)]) for tap in taps]

    def _of_norms(self, taps: list[Tap], weights: Tensors, others: Tensors) -> dict[Series, Any]:
        """The probes of normalizations' variables; a layer that is called twice counts at its first call."""
        import tensorflow as tf

        values = _by_id(self._model, weights, others)
        found: dict[Series, Any] = {}
        norms = {id(tap.layer): tap for tap in reversed(taps) if tap.kind == "input"}
        for number, tap in enumerate(reversed(norms.values()), 1):
            if hasattr(tap.layer, "moving_mean"):
                lags = _lags(tap, values)
                found |= {Series(name, tap.place, number): lag for name, lag in lags.items()}
            for name in ("gamma", "beta"):
                variable = getattr(tap.layer, name, None)
                if variable is not None:
                    found[Series(name, tap.place, number)] = tf.reduce_mean(values[id(variable)])
        return found


def _lags(tap: Tap, values: dict[int, Any]) -> dict[str, Any]:
    """How far the moving statistics of a batch normalization are from those of what it gets."""
    import tensorflow as tf

    given, epsilon = tf.cast(tap.tensor, tf.float32), float(tap.layer.epsilon)
    axis = tap.layer.axis % given.shape.rank
    mean, variance = tf.nn.moments(given, [each for each in range(given.shape.rank) if each != axis])
    moved, spread = values[id(tap.layer.moving_mean)], values[id(tap.layer.moving_variance)]
    distance = tf.abs(moved - mean) / tf.sqrt(variance + epsilon)
    ratio = tf.abs(tf.math.log((spread + epsilon) / (variance + epsilon)))
    return {"mean_lag": tf.reduce_mean(distance), "variance_lag": tf.reduce_mean(ratio)}


def _by_id(model: keras.Model, weights: Tensors, others: Tensors) -> dict[int, Any]:
    variables = [*model.trainable_variables, *model.non_trainable_variables]
    return {id(variable): value for variable, value in zip(variables, [*weights, *others], strict=True)}


def _numbered(taps: list[Tap]) -> dict[tuple[str, str], int]:
    """The place of each tap among those of its kind, from 1."""
    found: dict[tuple[str, str], int] = {}
    for tap in taps:
        found[tap.kind, tap.place] = 1 + sum(kind == tap.kind for kind, _ in found)
    return found


def _units(tap: Tap, number: int) -> dict[Series, Any]:
    """How many units of an activation are dead or saturated."""
    import tensorflow as tf

    if tap.activation in PROBES["dead"].activations:
        highest = tf.reduce_max(tap.tensor, axis=list(range(tap.tensor.shape.rank - 1)))
        return {Series("dead", tap.place, number): tf.reduce_mean(tf.cast(highest <= 0, tf.float32))}
    if tap.activation in PROBES["saturated"].activations:
        beyond = tf.cast(tf.abs(tap.tensor) > SATURATED, tf.float32)
        return {Series("saturated", tap.place, number): tf.reduce_mean(beyond)}
    return {}


def _zero_where_padded(tap: Tap) -> Any:
    """A tap's tensor, with 0 in padded steps: they add nothing to products of rows."""
    import tensorflow as tf

    if tap.mask is None:
        return tap.tensor
    n_more = tap.tensor.shape.rank - tap.mask.shape.rank
    return tf.where(tf.reshape(tap.mask, [*tap.mask.shape, *[1] * n_more]), tap.tensor, 0)


def _sample(tensor: Any) -> Any:
    """All values of a tensor, or `MAX_VALUES` of them at places that are drawn once."""
    import numpy as np
    import tensorflow as tf

    values = tf.reshape(tf.cast(tensor, tf.float32), [-1])
    n_values = values.shape[0]
    if n_values <= MAX_VALUES:
        return values
    return tf.gather(values, np.random.default_rng(0).choice(n_values, MAX_VALUES, replace=False))


def percentiles_of(samples: np.ndarray) -> np.ndarray:
    """Return the `PERCENTILES` of values along the last axis, interpolated as `np.percentile` does, but faster.

    >>> import numpy as np
    >>> percentiles_of(np.array([3.0, 1.0, 2.0, 5.0, 4.0]))
    array([1.6, 3. , 4.4])

    Args:
        samples: Shape (..., values).

    Returns:
        Shape (..., percentiles). NaN counts as larger than all numbers.
    """
    import numpy as np

    ordered = np.sort(samples, axis=-1)
    places = np.array(PERCENTILES) / 100 * (samples.shape[-1] - 1)
    below = places.astype(int)
    above = np.minimum(below + 1, samples.shape[-1] - 1)
    low, high = ordered[..., below], ordered[..., above]
    found: np.ndarray = low + (high - low) * (places - below)
    return found
