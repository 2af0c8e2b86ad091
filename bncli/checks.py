"""Checks behind claims that a study's records can't answer: what a layer computes, counts of parameters, probes.

A check is a function without arguments that measures and returns what it found as `Measured`: an exact one whether
a statement holds, a statistical one a value a seed. Layers are Keras' own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from bncli import datasets, models
from bncli.config import RunConfig, resolve
from bncli.engines.quiet import import_tensorflow
from bncli.registry import Registry, check_name

if TYPE_CHECKING:
    import keras
    import numpy as np

SEEDS = 30
"""Networks of each kind behind a statistical check."""

MOMENTS = (0, 1, 2, 5, 10, 20, 30)
"""Epochs after which these networks are measured."""

ZERO = 1e-6
"""Largest gradient, relative to those of the kernels, that float32 rounding explains."""


@dataclass(frozen=True)
class Measured:
    """What a check found.

    Attributes:
        text: One line with the numbers.
        holds: Of an exact check, whether the statement holds as it was made.
        values: Of a statistical check, one value a seed.
    """

    text: str
    holds: bool | None = None
    values: tuple[float, ...] = ()


Check = Callable[[], Measured]
REGISTRY: Registry[Check] = Registry("check")
_WITH_MNIST: set[str] = set()


def register(name: str, *, mnist: bool = False) -> Callable[[Check], Check]:
    """Return a decorator that adds a check; `mnist` says that it reads MNIST, which may not be at hand."""
    if mnist:
        _WITH_MNIST.add(name)
    return REGISTRY.register(name)


def run(name: str) -> Measured:
    """Run the check `name`, TensorFlow loaded without the lines that it writes as it starts."""
    import_tensorflow()
    return REGISTRY[name]()


def needs_mnist(name: str) -> bool:
    """Whether the check `name` reads MNIST.

    Raises:
        UnknownName: No such check.
    """
    check_name("check", name, REGISTRY)
    return name in _WITH_MNIST


def _batch_norm(**settings: Any) -> keras.layers.BatchNormalization:
    """Keras' layer as it is, with its defaults unless told otherwise."""
    import keras

    return keras.layers.BatchNormalization(**settings)


def _batch(seed: int = 0, n_rows: int = 32) -> np.ndarray:
    """Rows of 4 features whose standard deviations are 0.01, 0.1, 1 and 10, off centre."""
    import numpy as np

    drawn = np.random.default_rng(seed).normal(0.5, 1.0, (n_rows, 4))
    return (drawn * [0.01, 0.1, 1.0, 10.0]).astype("float32")


def _span(values: Any) -> str:
    """Smallest and largest of `values`, once where they read the same."""
    low, high = f"{min(values):.4g}", f"{max(values):.4g}"
    return low if low == high else f"{low} to {high}"


@register("normalized-output")
def normalized_output() -> Measured:
    """In training mode each feature leaves the layer with mean 0 and sd sqrt(v / (v + epsilon)), v its variance."""
    import numpy as np

    layer, x = _batch_norm(), _batch()
    y = np.asarray(layer(x, training=True), "float64")
    v = x.astype("float64").var(axis=0)
    is_exact = np.abs(y.mean(axis=0)).max() < 1e-5 and np.allclose(y.std(axis=0), np.sqrt(v / (v + 0.001)), rtol=1e-4)
    centre = np.abs(y.mean(axis=0)).max()
    return Measured(f"mean {centre:.1g} at most, sd {_span(y.std(axis=0))} for variances {_span(v)}", bool(is_exact))


@register("default-momentum")
def default_momentum() -> Measured:
    """The momentum of Keras' layer is 0.99 by default."""
    momentum = _batch_norm().momentum
    return Measured(f"momentum {momentum:g}", momentum == 0.99)


@register("default-affine")
def default_affine() -> Measured:
    """Gamma and beta are there by default and can both be dropped."""
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
    """With momentum 0 the layer infers with the mean and variance of the last batch alone."""
    layer, last = _batch_norm(momentum=0.0), _batch(1)
    for x in (_batch(0), last):
        layer(x, training=True)
    gaps = _gaps(layer, last.mean(axis=0), last.var(axis=0))
    return Measured(
        f"relative distance to the last batch's mean {gaps[0]:.1g}, variance {gaps[1]:.1g}", max(gaps) < 1e-4
    )


@register("momentum-0-paper")
def momentum_0_paper() -> Measured:
    """With momentum 0 the layer infers as the BN paper does: with averages over batches, variance times m/(m-1)."""
    import numpy as np

    layer, batches = _batch_norm(momentum=0.0), np.stack([_batch(seed) for seed in range(100)])
    for x in batches:
        layer(x, training=True)
    m = batches.shape[1]
    gaps = _gaps(layer, batches.mean(axis=(0, 1)), batches.var(axis=1).mean(axis=0) * m / (m - 1))
    text = f"relative distance to the paper's mean {gaps[0]:.2g}, variance {gaps[1]:.2g} after 100 batches of {m}"
    return Measured(text, max(gaps) < 1e-4)


def _gaps(layer: keras.Layer, mean: np.ndarray, variance: np.ndarray) -> tuple[float, float]:
    """Largest relative distance of the layer's moving mean and variance from those given."""
    import numpy as np

    pairs = ((layer.moving_mean, mean), (layer.moving_variance, variance))
    mean_gap, variance_gap = (float(np.max(np.abs(np.asarray(a) / b - 1))) for a, b in pairs)
    return mean_gap, variance_gap


@register("momentum-weights")
def momentum_weights() -> Measured:
    """Momentum 0.9 takes 0.9 of the batch's value and 0.1 of the value so far."""
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
    """At default momentum the moving averages have caught up within 1 % after 187 steps, a published run's epoch."""
    import numpy as np

    left = {momentum: _left(momentum, n_steps) for momentum, n_steps in ((0.9, 50), (0.99, 500))}
    steps = {momentum: int(np.argmax(np.array(values) < 0.01)) for momentum, values in left.items()}
    text = (
        f"{left[0.99][187]:.1%} of the initial value is left after 187 steps; "
        f"below 1 % after {steps[0.9]} steps at momentum 0.9, {steps[0.99]} at 0.99"
    )
    return Measured(text, left[0.99][187] < 0.01)


def _left(momentum: float, n_steps: int) -> list[float]:
    """What is left of the moving mean's first value after 0, 1, ... steps on batches of mean 1."""
    import tensorflow as tf

    layer, x = _batch_norm(momentum=momentum), tf.ones((2, 1))
    layer.build(x.shape)
    step = tf.function(lambda: layer(x, training=True))
    left = [1.0]
    for _ in range(n_steps):
        step()
        left.append(1.0 - float(layer.moving_mean[0]))
    return left


@register("frozen")
def frozen() -> Measured:
    """With trainable=False the layer runs in inference mode, bit for bit, and its moving averages stand still."""
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
    """What scikit-learn's normalize returns has mean 0, sd 1 and lies in [-1, 1], row by row.

    Measured on the digits' images: of the published row only the result is known. The three can't be had together
    anyway: with mean 0 and sd 1 some value lies outside unless each is -1 or 1.
    """
    import numpy as np
    from sklearn.preprocessing import normalize

    rows = _digits().x_train.reshape(-1, 64)
    y = normalize(rows)
    mean, sd, norm = y.mean(axis=1), y.std(axis=1), np.linalg.norm(y, axis=1)
    z = np.abs((rows - rows.mean(axis=1, keepdims=True)) / rows.std(axis=1, keepdims=True)).max(axis=1)
    text = (
        f"{len(rows)} images: mean {_span(mean)}, sd {_span(sd)}, L2 norm {_span(norm)}; "
        f"scaled to mean 0 and sd 1, the largest value of a row is {_span(z)}"
    )
    return Measured(
        text, bool(np.allclose(mean, 0, atol=1e-5) and np.allclose(sd, 1, atol=1e-3) and np.abs(y).max() <= 1)
    )


@register("normalize-as-batch")
def normalize_as_batch() -> Measured:
    """Batch normalization does to a batch what scikit-learn's normalize does."""
    import numpy as np
    from sklearn.preprocessing import normalize

    x = _batch()
    outputs = {"batch normalization": np.asarray(_batch_norm()(x, training=True)), "normalize": normalize(x)}
    found = [
        f"{name}: column means up to {np.abs(y.mean(axis=0)).max():.1g}, row norms {_span(np.linalg.norm(y, axis=1))}"
        for name, y in outputs.items()
    ]
    batch, rows = outputs.values()
    return Measured("; ".join(found), bool(np.allclose(batch, rows, atol=1e-2)))


def _digits() -> datasets.Dataset:
    return datasets.load(RunConfig(dataset="digits"))


@register("linear-separability")
def linear_separability() -> Measured:
    """The circles are not linearly separable: no line splits the training rows."""
    from sklearn.linear_model import LogisticRegression

    data = datasets.load(RunConfig(dataset="circles"))
    fitted = LogisticRegression().fit(data.x_train, data.y_train)
    score = fitted.score(data.x_val, data.y_val)
    can_split = _separable(data.x_train, data.y_train)
    text = (
        f"{'a' if can_split else 'no'} line splits the training rows; logistic regression {score:.3f} on the test rows"
    )
    return Measured(text, not can_split)


def _separable(x: np.ndarray, y: np.ndarray) -> bool:
    """Whether a hyperplane splits classes 0 and 1: the linear program sign * (w x + b) >= 1 has a solution."""
    import numpy as np
    from scipy.optimize import linprog

    sign = np.where(y == 1, 1.0, -1.0)[:, None]
    rows = sign * np.column_stack([x, np.ones(len(x))])
    found = linprog(np.zeros(rows.shape[1]), A_ub=-rows, b_ub=-np.ones(len(rows)), bounds=(None, None))
    return bool(found.status == 0)


@register("outer-class")
def outer_class() -> Measured:
    """Of the circles class 0 is the outer one."""
    import numpy as np

    data = datasets.load(RunConfig(dataset="circles"))
    radius = np.linalg.norm(data.x_train, axis=1)
    outer, inner = (float(radius[data.y_train == label].mean()) for label in (0, 1))
    return Measured(f"mean radius {outer:.3f} of class 0, {inner:.3f} of class 1", outer > inner)


@register("datatechnotes-params")
def datatechnotes_params() -> Measured:
    """DataTechNotes' CNN has 1,199,882 parameters; 1,200,650 with batch normalization, 384 of them not trainable."""
    return _params("mnist-cnn", norm_output=False, without=(1_199_882, 0), normed=(1_200_650, 384))


@register("dlology-params")
def dlology_params() -> Measured:
    """The learning-rate study's CNN has 93,322 parameters; 94,024 with batch normalization, 468 not trainable."""
    return _params("lr-cnn", norm_output=True, without=(93_322, 0), normed=(94_024, 468))


def _params(model: str, *, norm_output: bool, without: tuple[int, int], normed: tuple[int, int]) -> Measured:
    """Compare published counts (all, not trainable) with those of the network as built for 28x28 pixels, 10 classes."""
    from bncli.engines.keras import count_params

    plain = RunConfig(dataset="mnist", model=model)
    found = []
    for config in (plain, plain.replace(norm="batch", norm_output=norm_output)):
        counts = count_params(models.build(config, (28, 28, 1), 10, seed=0))
        found.append((counts["total"], counts["total"] - counts["trainable"]))
    (total, _), (normed_total, fixed) = found
    text = f"{total:,} without batch normalization, {normed_total:,} with, {fixed} of them not trainable"
    return Measured(text, found == [without, normed])


@register("bias-cost")
def bias_cost() -> Measured:
    """Leaving out the biases before batch normalization saves parameters and additions (counted, not timed)."""
    from bncli.engines.planner import macs_per_row

    shape = (28, 28, 1)
    config = RunConfig(dataset="mnist", model="lr-cnn", norm="batch", norm_output=True)
    kept, left_out = (models.plan(config.replace(use_bias=use_bias), shape, 10) for use_bias in ("true", "auto"))
    params, additions = (a - b for a, b in zip(_bias_sizes(kept), _bias_sizes(left_out), strict=True))
    share = additions / macs_per_row(kept, shape)
    text = f"{params} parameters and {additions:,} additions an image: {share:.1%} of its multiply-adds; not timed"
    return Measured(text, params > 0 and additions > 0)


def _bias_sizes(plan: Sequence[models.Step]) -> tuple[int, int]:
    """Number of biases of dense and convolutional layers, and of times a row has one added."""
    shapes = [step.shape for step in plan if step.kind in ("dense", "conv") and step.use_bias]
    return sum(shape[-1] for shape in shapes), sum(math.prod(shape) for shape in shapes)


@register("bias-gradient")
def bias_gradient() -> Measured:
    """Between a layer and its batch normalization a bias gets no gradient: it is unnecessary there."""
    return _bias_gradient("before")


@register("bias-gradient-after")
def bias_gradient_after() -> Measured:
    """With batch normalization after the activation a bias gets no gradient either: it is unnecessary there too."""
    return _bias_gradient("after")


def _bias_gradient(placement: str) -> Measured:
    """The largest gradient of a hidden bias, relative to the largest of a kernel, in an untrained network."""
    import numpy as np

    from bncli import probes

    data = _digits()
    config = RunConfig(dataset="digits", norm="batch", placement=placement, use_bias="true")
    model = models.build(config, data.input_shape, data.n_classes, seed=0)
    found = probes.gradients(
        model,
        [variable.value for variable in model.trainable_variables],
        [variable.value for variable in model.non_trainable_variables],
        data.x_train[:32],
        data.y_train[:32],
    )
    largest = {
        variable.path: float(np.abs(g).max()) for variable, g in zip(model.trainable_variables, found, strict=True)
    }
    hidden = [layer for layer in model.layers if layer.name.startswith("dense")][:-1]
    bias, kernel = (max(largest[getattr(layer, name).path] for layer in hidden) for name in ("bias", "kernel"))
    text = f"largest gradient {bias:.1e} of a bias, {kernel:.1e} of a kernel: ratio {bias / kernel:.1e}"
    return Measured(text, bias / kernel < ZERO)


@register("bias-training")
def bias_training() -> Measured:
    """Before batch normalization a bias stays 0 through 1,600 steps and the training curve is the same without it."""
    import numpy as np

    kept, curves = _trained_biases("before", "true")
    after, _ = _trained_biases("after", "true")
    _, without = _trained_biases("before", "auto")
    gap = float(np.abs(curves - without).max())
    text = (
        f"largest bias {kept:.1e} before normalization, {after:.2g} where it comes after; "
        f"training losses with and without differ by {gap:.1e} at most"
    )
    return Measured(text, kept < ZERO and gap < 1e-5)


def _trained_biases(placement: str, use_bias: str) -> tuple[float, np.ndarray]:
    """Largest trained hidden bias and the losses, shape (seeds, epochs), of the circles tutorial's network."""
    import numpy as np

    from bncli.engines import stacked

    base = RunConfig(
        dataset="circles", model="circles-mlp", kernel_initializer="he_uniform", norm="batch", placement=placement,
        use_bias=use_bias, optimizer="sgd", lr=0.01, momentum=0.9, epochs=100,
    )  # fmt: skip
    configs = [resolve(base.replace(seed=seed))[0] for seed in range(5)]
    biases = [0.0]

    def look(_: RunConfig, model: keras.Model) -> None:
        bias = model.get_layer("dense_0").bias
        biases.append(0.0 if bias is None else float(np.abs(np.asarray(bias)).max()))

    batches = stacked.train(configs, datasets.load(configs[0]), on_model=look)
    losses = [result.history["loss"] for results in batches for result in results]
    return max(biases), np.array(losses, "float64")


@register("constant-answer", mnist=True)
def constant_answer() -> Measured:
    """A network that calls every MNIST test image a 1 scores 0.1135, the published score of one that can't learn."""
    import numpy as np

    share = float(np.mean(datasets.load(RunConfig(dataset="mnist")).y_val == 1))
    return Measured(f"{share:.4f} of the test images are ones", round(share, 4) == 0.1135)


@dataclass(frozen=True)
class _Networks:
    """What was measured on the paper's MLP over `SEEDS` seeds.

    Attributes:
        saturated: Share of the last sigmoid's inputs beyond 3 after the last epoch, shape (seeds,).
        path: Distance that the percentiles of those inputs travelled, shape (seeds,).
        shapes: Skew, kurtosis and zeros (last axis) of u and Wu+b (axis before), mean of hidden layers 2 and 3.
        shift: Distance and cosine (last axis) of G and G', shape (moments, seeds, layers, 2).
    """

    saturated: np.ndarray
    path: np.ndarray
    shapes: np.ndarray
    shift: np.ndarray


@cache
def _networks(activation: str, norm: str) -> _Networks:
    """Train and measure the BN paper's 3x100 MLP on digits: batches of 60 as there, Adam at Keras' defaults."""
    import numpy as np

    from bncli import probes

    base = RunConfig(
        dataset="digits", model="paper-mlp", activation=activation, norm=norm, batch_size=60, epochs=MOMENTS[-1]
    )
    configs = [resolve(base.replace(seed=seed))[0] for seed in range(SEEDS)]
    data = datasets.load(configs[0])
    taken = probes.record(configs, data, MOMENTS)
    model = taken.model
    layers = model.layers
    linear = [layer for layer in layers if layer.name.startswith("dense")][1:3]
    behind = [layers[layers.index(layer) + 1] for layer in linear]
    last = next(layer for layer in layers[layers.index(linear[1]) :] if layer.name.startswith("activation"))
    shift = taken.over_runs(lambda w, o, new: probes.covariate_shift(model, w, new, o, taken.x, taken.y))
    *pairs, inputs = taken.over_runs(lambda w, o, _: probes.received(model, [*linear, *behind, last], w, o, data.x_val))
    runs = range(SEEDS)
    shapes = [[[probes.shape_of(v[-1, run]) for v in group] for group in (pairs[:2], pairs[2:])] for run in runs]
    return _Networks(
        saturated=np.array([probes.saturated_share(inputs[-1, run]) for run in runs]),
        path=np.array([probes.percentile_path(inputs[:, run]) for run in runs]),
        shapes=np.array(shapes).mean(axis=2),
        shift=shift,
    )


def _paired(without: np.ndarray, normed: np.ndarray, what: str) -> Measured:
    """One difference a seed, with batch normalization minus without."""
    text = f"{what}: {without.mean():.4g} without batch normalization, {normed.mean():.4g} with; digits, {SEEDS} seeds"
    return Measured(text, values=tuple((normed - without).tolist()))


@register("saturated-share")
def saturated_share() -> Measured:
    """Share of the last hidden sigmoid layer's inputs beyond 3 in size, with batch normalization minus without."""
    without, normed = (_networks("sigmoid", norm).saturated for norm in ("none", "batch"))
    return _paired(without, normed, f"share of inputs beyond 3 after {MOMENTS[-1]} epochs")


@register("percentile-path")
def percentile_path() -> Measured:
    """Distance the 15th, 50th, 85th percentile of the last sigmoid's inputs travel in training, with minus without."""
    without, normed = (_networks("sigmoid", norm).path for norm in ("none", "batch"))
    return _paired(without, normed, f"distance travelled by the percentiles in {MOMENTS[-1]} epochs")


def _shape_difference(activation: str, statistic: str) -> Measured:
    """One difference a seed, Wu+b minus u, in networks without normalization: there the question arises."""
    place = ("skew", "kurtosis", "zeros").index(statistic)
    found = {norm: _networks(activation, norm).shapes[:, :, place] for norm in ("none", "batch")}
    u, wu = found["none"].mean(axis=0)
    normed_u, normed_wu = found["batch"].mean(axis=0)
    text = (
        f"u {u:.3g}, Wu+b {wu:.3g} (under batch normalization {normed_u:.3g}, {normed_wu:.3g}); "
        f"hidden layers 2 and 3, digits, {SEEDS} seeds"
    )
    return Measured(text, values=tuple((found["none"][:, 1] - found["none"][:, 0]).tolist()))


@register("skew-relu")
def skew_relu() -> Measured:
    """Absolute skew of Wu+b minus that of u, u from a ReLU layer: below 0 where Wu+b is the more symmetric."""
    return _shape_difference("relu", "skew")


@register("skew-sigmoid")
def skew_sigmoid() -> Measured:
    """Absolute skew of Wu+b minus that of u, u from a sigmoid layer: below 0 where Wu+b is the more symmetric."""
    return _shape_difference("sigmoid", "skew")


@register("kurtosis-relu")
def kurtosis_relu() -> Measured:
    """Absolute excess kurtosis of Wu+b minus that of u, u from a ReLU layer: below 0 where Wu+b is more Gaussian."""
    return _shape_difference("relu", "kurtosis")


@register("kurtosis-sigmoid")
def kurtosis_sigmoid() -> Measured:
    """Absolute excess kurtosis of Wu+b minus that of u, u from a sigmoid layer: below 0 where more Gaussian."""
    return _shape_difference("sigmoid", "kurtosis")


@register("zeros-relu")
def zeros_relu() -> Measured:
    """Share of exact zeros in Wu+b minus that in u, u from a ReLU layer: below 0 where Wu+b is less sparse."""
    return _shape_difference("relu", "zeros")


def _shift_distance(activation: str) -> Measured:
    """One value a seed: log10 of the ratio of distances, with to without, averaged over layers and moments."""
    import numpy as np

    without, normed = (_networks(activation, norm).shift[..., 0] for norm in ("none", "batch"))
    ratio = np.log10(normed / without)
    return Measured(
        f"distance with batch normalization / without: {_factors(ratio)}; digits, {SEEDS} seeds",
        values=tuple(ratio.mean(axis=(0, 2)).tolist()),
    )


def _factors(ratio: np.ndarray) -> str:
    """The geometric mean of ratios given as log10, shape (moments, seeds, layers), moment by moment and over all."""
    moments = ", ".join(f"{10**value:.3g}" for value in ratio.mean(axis=(1, 2)))
    return f"{10 ** ratio.mean():.3g} (after {', '.join(map(str, MOMENTS))} epochs: {moments})"


def _shift_cosine(activation: str) -> Measured:
    """One value a seed: cosine with batch normalization minus without, averaged over layers and moments."""
    without, normed = (_networks(activation, norm).shift[..., 1].mean(axis=(0, 2)) for norm in ("none", "batch"))
    return _paired(without, normed, "cosine")


@register("shift-distance-sigmoid")
def shift_distance_sigmoid() -> Measured:
    """Internal covariate shift, log10 of the ratio of L2 distances with to without, sigmoid: below 0 where reduced."""
    return _shift_distance("sigmoid")


@register("shift-distance-relu")
def shift_distance_relu() -> Measured:
    """Internal covariate shift, log10 of the ratio of L2 distances with to without, ReLU: below 0 where reduced."""
    return _shift_distance("relu")


@register("shift-cosine-sigmoid")
def shift_cosine_sigmoid() -> Measured:
    """Internal covariate shift, cosine between gradients with minus without, sigmoid: above 0 where reduced."""
    return _shift_cosine("sigmoid")


@register("shift-cosine-relu")
def shift_cosine_relu() -> Measured:
    """Internal covariate shift, cosine between gradients with minus without, ReLU: above 0 where reduced."""
    return _shift_cosine("relu")
