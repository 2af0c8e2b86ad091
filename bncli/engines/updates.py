"""Optimizer arithmetic as pure functions: weights, gradients and slots in, new weights and slots out.

Keras' optimizers keep their state in variables and refuse `stateless_apply` on TensorFlow, so they can't train a
stack of runs. These rules are theirs (keras.optimizers 3.x), held to them by tests over 100 steps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bncli.engines.backend import tf

Tensors = list[tf.Tensor]

RHO, EPSILON, BETA_1, BETA_2 = 0.9, 1e-7, 0.9, 0.999
"""Keras' defaults for what is no field of a run."""


@dataclass(frozen=True)
class Rule:
    """One optimizer.

    Attributes:
        n_slots: Tensors of a weight's own shape that it keeps for every weight, all zeros at first.
        step: `(weight, gradient, slots, numbers, iteration)` to `(weight, slots)`, where `numbers` holds the scalars
            `lr` and `momentum` of the run and `iteration` counts updates from 1, a float.
    """

    n_slots: int
    step: Callable[[tf.Tensor, tf.Tensor, Tensors, dict[str, tf.Tensor], tf.Tensor], tuple[tf.Tensor, Tensors]]


def rule_for(optimizer: str, *, momentum: bool, nesterov: bool) -> Rule:
    """Return the rule of a Keras optimizer by name; `momentum` says whether sgd has any."""
    if optimizer == "sgd":
        return Rule(1, _nesterov if nesterov else _momentum) if momentum else Rule(0, _sgd)
    return {"rmsprop": Rule(1, _rmsprop), "adam": Rule(2, _adam), "adamw": Rule(2, _adam)}[optimizer]


def apply(
    rule: Rule,
    weights: Tensors,
    gradients: Tensors,
    slots: Tensors,
    numbers: dict[str, tf.Tensor],
    iteration: tf.Tensor,
    *,
    decay: bool,
) -> tuple[Tensors, Tensors]:
    """Update all weights; `slots` holds `n_slots` tensors for each weight, weight after weight.

    Weights may carry a leading axis of runs; the numbers then have shape (runs,).

    With `decay`, each weight first shrinks by `lr * weight_decay` of itself, as Keras does for every optimizer.
    """
    new_weights: Tensors = []
    new_slots: Tensors = []
    for index, (weight, gradient) in enumerate(zip(weights, gradients, strict=True)):
        own_numbers = {name: _along(value, weight) for name, value in numbers.items()}
        own = slots[index * rule.n_slots : (index + 1) * rule.n_slots]
        start = weight - weight * own_numbers["weight_decay"] * own_numbers["lr"] if decay else weight
        updated, kept = rule.step(start, gradient, own, own_numbers, iteration)
        new_weights.append(updated)
        new_slots += kept
    return new_weights, new_slots


def _along(number: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    """Shape a number a run so that it multiplies the run's part of a stacked weight."""
    return tf.reshape(number, [-1, *[1] * (weight.shape.rank - 1)]) if number.shape.rank else number


def _sgd(
    w: tf.Tensor, g: tf.Tensor, slots: Tensors, numbers: dict[str, Any], t: tf.Tensor
) -> tuple[tf.Tensor, Tensors]:
    return w - g * numbers["lr"], slots


def _momentum(
    w: tf.Tensor, g: tf.Tensor, slots: Tensors, numbers: dict[str, Any], t: tf.Tensor
) -> tuple[tf.Tensor, Tensors]:
    m = slots[0] * numbers["momentum"] - g * numbers["lr"]
    return w + m, [m]


def _nesterov(
    w: tf.Tensor, g: tf.Tensor, slots: Tensors, numbers: dict[str, Any], t: tf.Tensor
) -> tuple[tf.Tensor, Tensors]:
    m = slots[0] * numbers["momentum"] - g * numbers["lr"]
    return w + (m * numbers["momentum"] - g * numbers["lr"]), [m]


def _rmsprop(
    w: tf.Tensor, g: tf.Tensor, slots: Tensors, numbers: dict[str, Any], t: tf.Tensor
) -> tuple[tf.Tensor, Tensors]:
    v = RHO * slots[0] + (1 - RHO) * tf.square(g)
    return w - numbers["lr"] * g / tf.sqrt(v + EPSILON), [v]


def _adam(
    w: tf.Tensor, g: tf.Tensor, slots: Tensors, numbers: dict[str, Any], t: tf.Tensor
) -> tuple[tf.Tensor, Tensors]:
    """Kingma and Ba 2015 with the bias corrections folded into the rate; also AdamW's, which only adds the decay."""
    m = slots[0] + (g - slots[0]) * (1 - BETA_1)
    v = slots[1] + (tf.square(g) - slots[1]) * (1 - BETA_2)
    alpha = numbers["lr"] * tf.sqrt(1 - tf.pow(BETA_2, t)) / (1 - tf.pow(BETA_1, t))
    return w - m * alpha / (tf.sqrt(v) + EPSILON), [m, v]
