"""The schedules: how the learning rate falls during a training.

To add one, register a function of the updates that are done and their total number, both as float32 tensors, whose
result is the factor on the learning rate. Updates of a warm-up don't count.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from bncli.registry import Registry

REGISTRY: Registry[Callable[[Any, Any], Any]] = Registry("schedule")

register = REGISTRY.register


@register("constant")
def constant(done: Any, total: Any) -> Any:
    """The same rate throughout."""
    return 0 * done + 1


@register("cosine")
def cosine(done: Any, total: Any) -> Any:
    """Down to 0 along half a cosine (Loshchilov and Hutter 2017, arXiv 1608.03983): Keras' `CosineDecay`."""
    from bncli.backend import tf

    return 0.5 * (1 + tf.cos(math.pi * (done / total)))


@register("step")
def step(done: Any, total: Any) -> Any:
    """A tenth of the rate from half of the training on, a hundredth from three quarters on (He et al. 2016)."""
    from bncli.backend import tf

    return tf.where(done < 0.5 * total, 1.0, tf.where(done < 0.75 * total, 0.1, 0.01))


@register("exponential")
def exponential(done: Any, total: Any) -> Any:
    """Down to a hundredth of the rate by the same factor with every update: Keras' `ExponentialDecay`."""
    from bncli.backend import tf

    return tf.pow(0.01, done / total)
