"""Checks of what Keras' BatchNormalization and scikit-learn's normalize compute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bncli.claims.check import Measured, digits_data, register, span

if TYPE_CHECKING:
    import keras
    import numpy as np


def _batch_norm(**settings: Any) -> keras.layers.BatchNormalization:
    """Keras' layer with these settings, and its own defaults for the others."""
    import keras

    return keras.layers.BatchNormalization(**settings)


def _batch(seed: int = 0, n_rows: int = 32) -> np.ndarray:
    """Rows of 4 features with standard deviations 0.01, 0.1, 1 and 10, and means of half of these."""
    import numpy as np

    drawn = np.random.default_rng(seed).normal(0.5, 1.0, (n_rows, 4))
    return (drawn * [0.01, 0.1, 1.0, 10.0]).astype("float32")


@register("normalized-output")
def normalized_output() -> Measured:
    """In training mode each output feature has mean 0 and sd sqrt(v / (v + epsilon)), v being the input's variance."""
    import numpy as np

    layer, x = _batch_norm(), _batch()
    y = np.asarray(layer(x, training=True), "float64")
    v = x.astype("float64").var(axis=0)
    centre = np.abs(y.mean(axis=0)).max()
    is_exact = centre < 1e-5 and np.allclose(y.std(axis=0), np.sqrt(v / (v + 0.001)), rtol=1e-4)
    return Measured(f"mean {centre:.1g} at most, sd {span(y.std(axis=0))} for variances {span(v)}", bool(is_exact))


@register("default-momentum")
def default_momentum() -> Measured:
    """The momentum of Keras' layer is 0.99 by default."""
    momentum = _batch_norm().momentum
    return Measured(f"momentum {momentum:g}", momentum == 0.99)


@register("default-affine")
def default_affine() -> Measured:
    """By default the layer has gamma and beta, and both can be left out."""
    default, plain = _batch_norm(), _batch_norm(center=False, scale=False)
    for layer in (default, plain):
        layer.build((None, 4))
    counts = [len(layer.trainable_weights) for layer in (default, plain)]
    text = (
        f"center={default.center}, scale={default.scale}; {counts[0]} trainable vectors by default, {counts[1]} without"
    )
    return Measured(text, default.center and default.scale and counts == [2, 0])


@register("momentum-0-last-batch")
def momentum_0_last_batch() -> Measured:
    """With momentum 0 inference uses the mean and variance of the last batch alone."""
    layer, last = _batch_norm(momentum=0.0), _batch(1)
    for x in (_batch(0), last):
        layer(x, training=True)
    gaps = _gaps(layer, last.mean(axis=0), last.var(axis=0))
    return Measured(
        f"relative distance to the last batch's mean {gaps[0]:.1g}, variance {gaps[1]:.1g}", max(gaps) < 1e-4
    )


@register("momentum-0-paper")
def momentum_0_paper() -> Measured:
    """With momentum 0 inference uses the BN paper's statistics: averages over batches, variance times m/(m-1)."""
    import numpy as np

    layer, batches = _batch_norm(momentum=0.0), np.stack([_batch(seed) for seed in range(100)])
    for x in batches:
        layer(x, training=True)
    m = batches.shape[1]
    gaps = _gaps(layer, batches.mean(axis=(0, 1)), batches.var(axis=1).mean(axis=0) * m / (m - 1))
    text = f"relative distance to the paper's mean {gaps[0]:.2g}, variance {gaps[1]:.2g} after 100 batches of {m}"
    return Measured(text, max(gaps) < 1e-4)


def _gaps(layer: keras.Layer, mean: np.ndarray, variance: np.ndarray) -> tuple[float, float]:
    """Largest relative difference of the layer's moving mean and variance from these."""
    import numpy as np

    pairs = ((layer.moving_mean, mean), (layer.moving_variance, variance))
    mean_gap, variance_gap = (float(np.max(np.abs(np.asarray(a) / b - 1))) for a, b in pairs)
    return mean_gap, variance_gap


@register("momentum-weights")
def momentum_weights() -> Measured:
    """With momentum 0.9 a step takes 0.9 of the batch's value and 0.1 of the value so far."""
    import numpy as np

    layer = _batch_norm(momentum=0.9)
    layer.build((None, 4))
    old = np.full(4, 5.0, "float32")
    layer.moving_mean.assign(old)
    x = _batch()
    layer(x, training=True)
    weight = float(np.mean((np.asarray(layer.moving_mean) - old) / (x.mean(axis=0) - old)))
    return Measured(
        f"one step takes {weight:.4f} of the batch and {1 - weight:.4f} of the value so far", abs(weight - 0.9) < 1e-4
    )


@register("moving-average-lag")
def moving_average_lag() -> Measured:
    """At default momentum more than a tenth of the initial averages is left after 187 steps (a published epoch)."""
    import numpy as np

    left = {momentum: _left(momentum, n_steps) for momentum, n_steps in ((0.9, 50), (0.99, 500))}
    steps = {momentum: int(np.argmax(np.array(values) < 0.01)) for momentum, values in left.items()}
    text = (
        f"{left[0.99][187]:.1%} of the initial value is left after 187 steps; "
        f"below 1 % after {steps[0.9]} steps at momentum 0.9, {steps[0.99]} at 0.99"
    )
    return Measured(text, left[0.99][187] > 0.1)


def _left(momentum: float, n_steps: int) -> list[float]:
    """The share of the moving mean's initial value that is left after 0, 1, ... steps on batches of mean 1."""
    import tensorflow as tf

    layer, x = _batch_norm(momentum=momentum), tf.ones((2, 1))
    layer.build(x.shape)
    step = tf.function(lambda: layer(x, training=True))
    left = [1.0]
    for _ in range(n_steps):
        step()
        left.append(1.0 - float(layer.moving_mean[0]))
    return left


@register("mode-switch")
def mode_switch() -> Measured:
    """`fit` normalizes with the statistics of the batch and `predict` with the moving averages, without being told."""
    import keras
    import numpy as np

    layer, x = _batch_norm(), _batch()
    model = keras.Sequential([layer])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    target = np.zeros_like(x)
    loss = model.fit(x, target, batch_size=len(x), verbose=0).history["loss"][0]
    in_batch = float(np.mean(np.square((x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + layer.epsilon))))
    averages = (x - np.asarray(layer.moving_mean)) / np.sqrt(np.asarray(layer.moving_variance) + layer.epsilon)
    gaps = abs(loss / in_batch - 1), float(np.abs(model.predict(x, verbose=0) - averages).max())
    text = f"difference from batch statistics in fit {gaps[0]:.1g}, from moving averages in predict {gaps[1]:.1g}"
    return Measured(text, max(gaps) < 1e-4)


@register("frozen")
def frozen() -> Measured:
    """With trainable=False the layer runs in inference mode, bit for bit, and its moving averages don't change."""
    import numpy as np

    layer, x = _batch_norm(momentum=0.5), _batch()
    layer(x, training=True)
    layer.trainable = False
    before = layer.get_weights()
    outputs = [np.asarray(layer(x, training=training)) for training in (True, False)]
    moved = max(float(np.abs(a - b).max()) for a, b in zip(layer.get_weights(), before, strict=True))
    gap = float(np.abs(outputs[0] - outputs[1]).max())
    is_frozen = np.array_equal(outputs[0], outputs[1]) and moved == 0
    return Measured(f"training and inference differ by {gap:g} at most, moving averages moved by {moved:g}", is_frozen)


@register("normalize-row")
def normalize_row() -> Measured:
    """Each row that scikit-learn's normalize returns has mean 0, sd 1 and values in [-1, 1].

    Measured on the images of digits, since the source prints only the result for its own row. No row can have all
    three properties anyway, unless each value is -1 or 1: with mean 0 and sd 1 other rows have values outside.
    """
    import numpy as np
    from sklearn.preprocessing import normalize

    rows = digits_data().x_train.reshape(-1, 64)
    y = normalize(rows)
    mean, sd, norm = y.mean(axis=1), y.std(axis=1), np.linalg.norm(y, axis=1)
    z = np.abs((rows - rows.mean(axis=1, keepdims=True)) / rows.std(axis=1, keepdims=True)).max(axis=1)
    text = (
        f"{len(rows)} images: mean {span(mean)}, sd {span(sd)}, L2 norm {span(norm)}; "
        f"scaled to mean 0 and sd 1, the largest value of a row is {span(z)}"
    )
    return Measured(
        text, bool(np.allclose(mean, 0, atol=1e-5) and np.allclose(sd, 1, atol=1e-3) and np.abs(y).max() <= 1)
    )


@register("normalize-as-batch")
def normalize_as_batch() -> Measured:
    """Batch normalization computes the same as scikit-learn's normalize."""
    import numpy as np
    from sklearn.preprocessing import normalize

    x = _batch()
    outputs = {"batch normalization": np.asarray(_batch_norm()(x, training=True)), "normalize": normalize(x)}
    found = [
        f"{name}: column means up to {np.abs(y.mean(axis=0)).max():.1g}, row norms {span(np.linalg.norm(y, axis=1))}"
        for name, y in outputs.items()
    ]
    batch, rows = outputs.values()
    return Measured("; ".join(found), bool(np.allclose(batch, rows, atol=1e-2)))
