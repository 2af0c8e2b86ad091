"""Checks of deep networks before training: how gradients grow, what scaling a weight does, where rows point."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from bncli.claims.check import Measured, register, span
from bncli.config import RunConfig
from bncli.networks.network import network_of

if TYPE_CHECKING:
    import keras
    import numpy as np

GROWTH = math.sqrt(math.pi / (math.pi - 1))
"""By what a layer of ReLU and BN multiplies the norm of gradients in networks of any width: 1.211."""

WIDTH, DEPTH, SEEDS = 256, 16, 3


def _network(seed: int, depth: int, activation: str, norm: str) -> keras.Model:
    """A deep network as bncli builds it for rows of `WIDTH` values; epsilon is too small to matter."""
    initializer = "he_normal" if activation == "relu" else "glorot_normal"  # without BN, values keep their size
    fields = {"activation": activation, "norm": norm, "norm_epsilon": 1e-7, "kernel_initializer": initializer}
    config = RunConfig(model=f"dense{WIDTH}*{depth}", **fields)  # type: ignore[arg-type]
    return network_of(config.model).build(config, (WIDTH,), 2, seed)


def _rows(seed: int, n_rows: int = 128) -> np.ndarray:
    import numpy as np

    return np.random.default_rng(seed).normal(size=(n_rows, WIDTH)).astype("float32")


def _gradients(model: keras.Model, x: np.ndarray) -> list[np.ndarray]:
    """The gradient of a random sum of the logits, in training mode, by trainable variable."""
    import numpy as np
    import tensorflow as tf

    logits = model.layers[-1]
    logits.activation = tf.identity
    with tf.GradientTape() as tape:
        outputs = model(x, training=True)
        total = tf.reduce_sum(outputs * _rows(1, len(x))[:, : outputs.shape[-1]])
    return [np.asarray(each, "float64") for each in tape.gradient(total, model.trainable_variables)]


@register("gradient-growth")
def gradient_growth() -> Measured:
    """Before training, gradients grow by a factor of 1.21 from each ReLU+BN layer to the one before it."""
    import numpy as np

    found = []
    for seed in range(SEEDS):
        model = _network(seed, DEPTH, "relu", "batch")
        kernels = [np.linalg.norm(each) for each in _gradients(model, _rows(seed)) if each.shape == (WIDTH, WIDTH)]
        found.append(math.exp(-np.polyfit(range(len(kernels)), np.log(kernels), 1)[0]))
    factor = float(np.mean(found))
    network = f"{DEPTH} layers of {WIDTH}, {SEEDS} seeds"
    text = f"a factor of {factor:.3f} per layer ({span(found)}); {network}; {GROWTH:.3f} in theory"
    return Measured(text, abs(factor - GROWTH) < 0.03)


@register("scale-invariance")
def scale_invariance() -> Measured:
    """A weight before BN that is multiplied by c leaves the outputs as they are and divides its gradient by c."""
    import numpy as np

    x, ratios, moved = _rows(0), [], []
    for factor in (0.5, 2.0, 10.0):
        model = _network(0, 3, "relu", "batch")
        before, outputs = _gradients(model, x)[0], np.asarray(model(x, training=True))
        kernel = model.trainable_variables[0]
        kernel.assign(kernel * factor)
        after = _gradients(model, x)[0]
        moved.append(float(np.abs(np.asarray(model(x, training=True)) - outputs).max()))
        ratios.append(float(np.linalg.norm(before) / np.linalg.norm(after) / factor))
    text = f"outputs move by {max(moved):.1g}; the gradient is divided by c times {span(ratios)} for c of 0.5, 2 and 10"
    return Measured(text, max(moved) < 1e-3 and max(abs(ratio - 1) for ratio in ratios) < 1e-3)


@register("linear-rank")
def linear_rank() -> Measured:
    """Through 50 linear layers the rows keep pointing in many directions with BN, and in few without."""
    import numpy as np

    from bncli.probes.landscape import participation

    ratios = {}
    for norm in ("none", "batch"):
        values = []
        for seed in range(SEEDS):
            model, x = _network(seed, 50, "linear", norm), _rows(seed)
            for layer in model.layers[:-2]:  # the last two make the answer
                x = layer(x, training=True)
            values.append(float(np.asarray(participation(x))))
        ratios[norm] = values
    text = (
        f"participation ratio of 128 rows behind 50 layers: {span(ratios['none'])} without batch normalization, "
        f"{span(ratios['batch'])} with; {SEEDS} seeds"
    )
    return Measured(text, min(ratios["batch"]) > math.sqrt(WIDTH) / 2 > max(ratios["none"]))
