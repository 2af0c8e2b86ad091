"""Optimizer updates as pure functions: weights, gradients and slots in, new weights and slots out.

Keras' optimizers keep their slots in variables and can't train a stack of runs (on TensorFlow they refuse
`stateless_apply`). These functions compute what keras.optimizers 3.x compute; tests compare both over 100 steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bncli.backend import tf

Tensors = list[tf.Tensor]

RHO, EPSILON, BETA_1, BETA_2 = 0.9, 1e-7, 0.9, 0.999
"""Keras' defaults, which are not fields of a run."""

LION_BETA_2 = 0.99
"""The same for Lion, whose momentum is shorter than the second moment of Adam."""

NADAM_DECAY = 0.96
"""How fast Nadam's momentum rises from half of `BETA_1` to `BETA_1`, by update."""


@dataclass(frozen=True)
class Rule:
    """How one optimizer updates a weight.

    Attributes:
        n_slots: How many tensors of the weight's shape (velocity, moments) it keeps for each weight, zeros at first.
        step: The update: `(weight, gradient, slots, numbers, iteration)` to `(weight, slots)`. `numbers` has the
            run's `lr` and `momentum`; `iteration` counts updates from 1, as a float.
    """

    n_slots: int
    step: Callable[[tf.Tensor, tf.Tensor, Tensors, dict[str, tf.Tensor], tf.Tensor], tuple[tf.Tensor, Tensors]]


def rule_for(optimizer: str, *, momentum: bool, nesterov: bool) -> Rule:
    """Return the rule of an optimizer.

    Args:
        optimizer: One of `training.optimizers.OPTIMIZERS`.
        momentum: Whether sgd has a momentum above 0; without it, it needs no slot.
        nesterov: Whether sgd's momentum is Nesterov's.
    """
    if optimizer == "sgd" and momentum:
        return Rule(1, _nesterov if nesterov else _momentum)
    return RULES[optimizer]


def apply(
    rule: Rule,
    weights: Tensors,
    gradients: Tensors,
    slots: Tensors,
    numbers: dict[str, tf.Tensor],
    iteration: tf.Tensor,
    decayed: Sequence[bool],
) -> tuple[Tensors, Tensors]:
    """Update all weights of one run, or of a stack of runs.

    Args:
        rule: The optimizer's rule.
        weights: Trainable values; for a stack each has a leading axis of runs.
        gradients: One for each weight.
        slots: `n_slots` tensors for the first weight, then for the second, and so on.
        numbers: `lr`, `momentum` and `weight_decay`: scalars, or of shape (runs,) for a stack.
        iteration: The number of this update, from 1, as a float.
        decayed: For each weight, whether it first shrinks by `lr * weight_decay` of itself: the decoupled decay of
            Loshchilov and Hutter (2019), arXiv 1711.05101, which Keras applies with every optimizer.

    Returns:
        The new weights and the new slots.
    """
    new_weights: Tensors = []
    new_slots: Tensors = []
    for index, (weight, gradient) in enumerate(zip(weights, gradients, strict=True)):
        own_numbers = {name: _along(value, weight) for name, value in numbers.items()}
        own = slots[index * rule.n_slots : (index + 1) * rule.n_slots]
        start = weight - weight * own_numbers["weight_decay"] * own_numbers["lr"] if decayed[index] else weight
        updated, kept = rule.step(start, gradient, own, own_numbers, iteration)
        new_weights.append(updated)
        new_slots += kept
    return new_weights, new_slots


def clipped(gradients: Tensors, clipnorm: tf.Tensor) -> Tensors:
    """Return the gradients of one run, or of a stack, each shortened to a norm of at most `clipnorm`, as Keras does.

    Args:
        gradients: One for each weight; for a stack each has a leading axis of runs.
        clipnorm: The largest norm: a scalar, or of shape (runs,) for a stack.
    """

    def shortened(gradient: tf.Tensor) -> tf.Tensor:
        axes = list(range(clipnorm.shape.rank, gradient.shape.rank))
        norm = tf.sqrt(tf.reduce_sum(tf.square(gradient), axes, keepdims=True))
        limit = _along(clipnorm, gradient)
        return gradient * limit / tf.maximum(norm, limit)

    return [shortened(gradient) for gradient in gradients]


def _along(number: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    """Reshape numbers of shape (runs,) so that they broadcast over a weight of shape (runs, ...)."""
    return tf.reshape(number, [-1, *[1] * (weight.shape.rank - 1)]) if number.shape.rank else number


def _sgd(
    w: tf.Tensor, g: tf.Tensor, slots: Tensors, numbers: dict[str, Any], t: tf.Tensor
) -> tuple[tf.Tensor, Tensors]:
    """Gradient descent: w - lr g."""
    return w - g * numbers["lr"], slots


def _momentum(
    w: tf.Tensor, g: tf.Tensor, slots: Tensors, numbers: dict[str, Any], t: tf.Tensor
) -> tuple[tf.Tensor, Tensors]:
    """Polyak (1964): m = momentum m - lr g; w + m."""
    m = slots[0] * numbers["momentum"] - g * numbers["lr"]
    return w + m, [m]


def _nesterov(
    w: tf.Tensor, g: tf.Tensor, slots: Tensors, numbers: dict[str, Any], t: tf.Tensor
) -> tuple[tf.Tensor, Tensors]:
    """Nesterov's momentum as in Sutskever et al. (2013): m = momentum m - lr g; w + momentum m - lr g."""
    m = slots[0] * numbers["momentum"] - g * numbers["lr"]
    return w + (m * numbers["momentum"] - g * numbers["lr"]), [m]


def _rmsprop(
    w: tf.Tensor, g: tf.Tensor, slots: Tensors, numbers: dict[str, Any], t: tf.Tensor
) -> tuple[tf.Tensor, Tensors]:
    """Tieleman and Hinton (2012): v = rho v + (1 - rho) g^2; w - lr g / sqrt(v + epsilon)."""
    v = RHO * slots[0] + (1 - RHO) * tf.square(g)
    return w - numbers["lr"] * g / tf.sqrt(v + EPSILON), [v]


def _adam(
    w: tf.Tensor, g: tf.Tensor, slots: Tensors, numbers: dict[str, Any], t: tf.Tensor
) -> tuple[tf.Tensor, Tensors]:
    """Kingma and Ba (2015), arXiv 1412.6980, with both bias corrections in the rate; AdamW differs by `decay` alone."""
    m = slots[0] + (g - slots[0]) * (1 - BETA_1)
    v = slots[1] + (tf.square(g) - slots[1]) * (1 - BETA_2)
    alpha = numbers["lr"] * tf.sqrt(1 - tf.pow(BETA_2, t)) / (1 - tf.pow(BETA_1, t))
    return w - m * alpha / (tf.sqrt(v) + EPSILON), [m, v]


def _nadam(
    w: tf.Tensor, g: tf.Tensor, slots: Tensors, numbers: dict[str, Any], t: tf.Tensor
) -> tuple[tf.Tensor, Tensors]:
    """Dozat (2016): Adam's step along a mix of the gradient and its next mean, by a momentum that rises with t."""
    beta_1, beta_2 = np.float32(BETA_1), np.float32(BETA_2)  # Keras computes 1 - beta in float32
    m = slots[0] + (g - slots[0]) * (1 - beta_1)
    v = slots[1] + (tf.square(g) - slots[1]) * (1 - beta_2)
    now, after = _nadam_momentum(t), _nadam_momentum(t + 1)
    product = tf.gather(NADAM_PRODUCTS, tf.minimum(tf.cast(t, tf.int32), len(NADAM_PRODUCTS)) - 1)
    direction = after * m / (1 - product * after) + (1 - now) * g / (1 - product)
    return w - direction * numbers["lr"] / (tf.sqrt(v / (1 - tf.pow(beta_2, t))) + EPSILON), [m, v]


def _nadam_momentum(t: Any) -> Any:
    return BETA_1 * (1 - 0.5 * NADAM_DECAY**t)


NADAM_PRODUCTS = np.cumprod(_nadam_momentum(np.arange(1.0, 201.0))).astype("float32")
"""The product of Nadam's momenta up to each update, which Keras keeps in a variable; all runs of a stack have done as
many updates. The last one, 6e-16, stands for all later ones: 1 minus it is 1 in float32."""


def _lion(
    w: tf.Tensor, g: tf.Tensor, slots: Tensors, numbers: dict[str, Any], t: tf.Tensor
) -> tuple[tf.Tensor, Tensors]:
    """Chen et al. (2023), arXiv 2302.06675: w - lr sign(beta_1 m + (1 - beta_1) g); m = beta_2 m + (1 - beta_2) g."""
    beta_1, beta_2 = np.float32(BETA_1), np.float32(LION_BETA_2)
    m = slots[0]
    direction = tf.sign(m * beta_1 + g * (1 - beta_1))
    return w - numbers["lr"] * direction, [m * beta_2 + g * (1 - beta_2)]


RULES = {
    "sgd": Rule(0, _sgd),
    "rmsprop": Rule(1, _rmsprop),
    "adam": Rule(2, _adam),
    "adamw": Rule(2, _adam),
    "nadam": Rule(2, _nadam),
    "lion": Rule(1, _lion),
}
"""The rule of every optimizer, of `sgd` without momentum."""
