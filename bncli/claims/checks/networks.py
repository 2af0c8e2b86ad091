"""Checks of networks and data: numbers of parameters, biases, separability, the score of a constant answer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bncli.claims.check import Measured, digits_data, register
from bncli.config import RunConfig
from bncli.data import datasets
from bncli.networks.building import build_model
from bncli.networks.layer import Layer
from bncli.networks.layout import lay_out
from bncli.resolution import resolve

if TYPE_CHECKING:
    import keras
    import numpy as np


ZERO = 1e-6
"""Largest gradient of a bias, relative to those of the kernels, that is taken for rounding of 0."""


@register("linear-separability")
def linear_separability() -> Measured:
    """The circles are not linearly separable: no line splits the training rows."""
    from sklearn.linear_model import LogisticRegression

    data = datasets.load(RunConfig(dataset="circles"))
    fitted = LogisticRegression().fit(data.x_train, data.y_train)
    score = fitted.score(data.x_val, data.y_val)
    can_split = is_separable(data.x_train, data.y_train)
    text = (
        f"{'a' if can_split else 'no'} line splits the training rows; logistic regression {score:.3f} on the test rows"
    )
    return Measured(text, not can_split)


def is_separable(x: np.ndarray, y: np.ndarray) -> bool:
    """Return whether a hyperplane separates classes 0 and 1.

    It does if the linear program sign * (w x + b) >= 1 has a solution, where sign is -1 for class 0 and 1 for class 1.

    Args:
        x: Shape (rows, features).
        y: Class numbers, shape (rows,).
    """
    import numpy as np
    from scipy.optimize import linprog

    sign = np.where(y == 1, 1.0, -1.0)[:, None]
    rows = sign * np.column_stack([x, np.ones(len(x))])
    found = linprog(np.zeros(rows.shape[1]), A_ub=-rows, b_ub=-np.ones(len(rows)), bounds=(None, None))
    return bool(found.status == 0)


@register("outer-class")
def outer_class() -> Measured:
    """In the circles data, class 0 is the outer circle."""
    import numpy as np

    data = datasets.load(RunConfig(dataset="circles"))
    radius = np.linalg.norm(data.x_train, axis=1)
    outer, inner = (float(radius[data.y_train == label].mean()) for label in (0, 1))
    return Measured(f"mean radius {outer:.3f} of class 0, {inner:.3f} of class 1", outer > inner)


@register("datatechnotes-params")
def datatechnotes_params() -> Measured:
    """DataTechNotes' CNN has 1,199,882 parameters; 1,200,650 with batch normalization, 384 of them not trainable."""
    return compare_params("mnist-cnn", norm_output=False, without=(1_199_882, 0), normed=(1_200_650, 384))


@register("dlology-params")
def dlology_params() -> Measured:
    """The learning-rate study's CNN has 93,322 parameters; 94,024 with batch normalization, 468 not trainable."""
    return compare_params("lr-cnn", norm_output=True, without=(93_322, 0), normed=(94_024, 468))


def compare_params(model: str, *, norm_output: bool, without: tuple[int, int], normed: tuple[int, int]) -> Measured:
    """Compare published numbers of parameters with those of a network built for 28x28 pixels and 10 classes.

    Args:
        model: The network.
        norm_output: Whether its output layer is normalized too.
        without: Published numbers without normalization: all parameters, and those that are not trainable.
        normed: The same with batch normalization.
    """
    from bncli.engines.base import count_params

    plain = RunConfig(dataset="mnist", model=model)
    found = []
    for config in (plain, plain.replace(norm="batch", norm_output=norm_output)):
        counts = count_params(build_model(config, (28, 28, 1), 10, seed=0))
        found.append((counts["total"], counts["total"] - counts["trainable"]))
    (total, _), (normed_total, fixed) = found
    text = f"{total:,} without batch normalization, {normed_total:,} with, {fixed} of them not trainable"
    return Measured(text, found == [without, normed])


@register("bias-cost")
def bias_cost() -> Measured:
    """Leaving out the biases before batch normalization saves parameters and additions (counted, not timed)."""
    from bncli.networks.cost import cost_of_layers

    shape = (28, 28, 1)
    config = RunConfig(dataset="mnist", model="lr-cnn", norm="batch", norm_output=True)
    kept, left_out = (lay_out(config.replace(use_bias=use_bias), shape, 10) for use_bias in ("true", "auto"))
    params, additions = (a - b for a, b in zip(count_biases(kept), count_biases(left_out), strict=True))
    share = additions / cost_of_layers(kept, shape).macs
    text = f"{params} parameters and {additions:,} additions an image: {share:.1%} of its multiply-adds; not timed"
    return Measured(text, params > 0 and additions > 0)


def count_biases(layers: Sequence[Layer]) -> tuple[int, int]:
    """Return how many biases dense and convolutional layers have, and how many additions they cost per row."""
    shapes = [layer.shape for layer in layers if layer.kind in ("dense", "conv") and layer.use_bias]
    return sum(shape[-1] for shape in shapes), sum(math.prod(shape) for shape in shapes)


@register("bias-gradient")
def bias_gradient() -> Measured:
    """A bias before batch normalization has no gradient, so it is unnecessary."""
    text, ratio = _bias_gradient("before")
    return Measured(text, ratio < ZERO)


@register("bias-gradient-after")
def bias_gradient_after() -> Measured:
    """With batch normalization after the activation a bias has a gradient, so it is not redundant."""
    text, ratio = _bias_gradient("after")
    return Measured(text, ratio > ZERO)


def _bias_gradient(placement: str) -> tuple[str, float]:
    """The largest gradient of a hidden bias beside the largest of a kernel, untrained, and the first by the second."""
    import numpy as np

    from bncli.probes.gradients import gradients

    data = digits_data()
    config = RunConfig(dataset="digits", norm="batch", placement=placement, use_bias="true")
    model = build_model(config, data.input_shape, data.n_classes, seed=0)
    found = gradients(
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
    return f"largest gradient {bias:.1e} of a bias, {kernel:.1e} of a kernel: ratio {bias / kernel:.1e}", bias / kernel


@register("bias-training")
def bias_training() -> Measured:
    """A bias before batch normalization stays 0 for 1,600 steps, and the training curve is the same without it."""
    import numpy as np

    kept, curves = train_biases("before", "true")
    after, _ = train_biases("after", "true")
    _, without = train_biases("before", "auto")
    gap = float(np.abs(curves - without).max())
    text = (
        f"largest bias {kept:.1e} before normalization, {after:.2g} where it comes after; "
        f"training losses with and without differ by {gap:.1e} at most"
    )
    return Measured(text, kept < ZERO and gap < 1e-5)


@register("bias-adam")
def bias_adam() -> Measured:
    """Under Adam a bias before batch normalization drifts, and the training loss is the same without it (to 0.01)."""
    import numpy as np

    adam = {"optimizer": "adam", "momentum": 0.0}
    kept, curves = train_biases("before", "true", **adam)
    _, without = train_biases("before", "auto", **adam)
    gap = float(np.abs(curves - without).max())
    text = f"largest bias {kept:.2g} after 1,600 steps; training losses with and without differ by {gap:.1e} at most"
    return Measured(text, gap < 0.01)


def train_biases(placement: str, use_bias: str, **changes: Any) -> tuple[float, np.ndarray]:
    """Train the circles tutorial's network with five seeds.

    Args:
        placement: Where the batch normalization is: `before` or `after` the activation.
        use_bias: `true`, or `auto` for no bias before a normalization.
        changes: Fields of the runs that differ from the tutorial's.

    Returns:
        The largest hidden bias after training, and the training losses, shape (seeds, epochs).
    """
    import numpy as np

    from bncli.engines import stacked

    base = RunConfig(
        dataset="circles", model="circles-mlp", kernel_initializer="he_uniform", norm="batch", placement=placement,
        use_bias=use_bias, optimizer="sgd", lr=0.01, momentum=0.9, epochs=100,
    ).replace(**changes)  # fmt: skip
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
    """A network that answers 1 for every MNIST test image scores 0.1135, as the published one that can't learn."""
    import numpy as np

    share = float(np.mean(datasets.load(RunConfig(dataset="mnist")).y_val == 1))
    return Measured(f"{share:.4f} of the test images are ones", round(share, 4) == 0.1135)
