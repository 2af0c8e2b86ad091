"""The data sets that bncli has by name.

To add one, register a loader: a function whose keyword parameters are the data fields that it uses (`n_samples`,
`noise`, `data_seed`), with the data set's defaults, and that returns a `RawDataset`.
"""

from __future__ import annotations

from collections.abc import Callable

from bncli.data.mnist import load_mnist
from bncli.data.splits import LabelledRows, RawDataset, split_in_half, split_stratified
from bncli.registry import Registry
from bncli.tasks.task import REGRESSION

REGISTRY: Registry[Callable[..., RawDataset]] = Registry("dataset")

register = REGISTRY.register


@register("digits")
def digits(*, data_seed: int = 0) -> RawDataset:
    """Handwritten digits, 8x8 grey pixels, 10 classes, 1797 images; ships with scikit-learn."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    rows = LabelledRows(bunch.images[..., None], bunch.target)
    return split_stratified(rows, data_seed, scaling="unit", pixel_max=16.0)


@register("circles")
def circles(*, n_samples: int = 1000, noise: float = 0.1, data_seed: int = 1) -> RawDataset:
    """Two noisy concentric circles in the plane: class 0 outside, class 1 inside (make_circles)."""
    from sklearn.datasets import make_circles

    return split_in_half(*make_circles(n_samples=n_samples, noise=noise, random_state=data_seed))


@register("moons")
def moons(*, n_samples: int = 1000, noise: float = 0.1, data_seed: int = 1) -> RawDataset:
    """Two noisy interleaved half-moons in the plane (make_moons)."""
    from sklearn.datasets import make_moons

    return split_in_half(*make_moons(n_samples=n_samples, noise=noise, random_state=data_seed))


@register("breast_cancer")
def breast_cancer(*, data_seed: int = 0) -> RawDataset:
    """Tumour measurements, 30 features, 2 classes, 569 rows; ships with scikit-learn."""
    from sklearn.datasets import load_breast_cancer

    bunch = load_breast_cancer()
    rows = LabelledRows(bunch.data, bunch.target_names[bunch.target], tuple(str(n) for n in bunch.feature_names))
    return split_stratified(rows, data_seed, scaling="standard")


@register("diabetes")
def diabetes(*, data_seed: int = 0) -> RawDataset:
    """Progression of diabetes after a year, a quantity; 10 features, 442 rows; ships with scikit-learn."""
    from sklearn.datasets import load_diabetes

    bunch = load_diabetes(scaled=False)
    rows = LabelledRows(bunch.data, bunch.target, tuple(bunch.feature_names))
    return split_stratified(rows, data_seed, scaling="standard", task=REGRESSION)


@register("friedman1")
def friedman1(*, n_samples: int = 1000, noise: float = 1.0, data_seed: int = 1) -> RawDataset:
    """A smooth function of 5 of 10 features, with noise: a quantity (make_friedman1)."""
    from sklearn.datasets import make_friedman1

    x, y = make_friedman1(n_samples=n_samples, noise=noise, random_state=data_seed)
    rows = LabelledRows(x, y, tuple(f"x{number}" for number in range(1, 11)))
    return split_stratified(rows, data_seed, scaling="standard", task=REGRESSION)


@register("mnist")
def mnist() -> RawDataset:
    """Handwritten digits, 28x28 grey pixels, 10 classes, 60000 + 10000 images; found or downloaded."""
    return load_mnist("mnist", tuple("0123456789"))


@register("fashion_mnist")
def fashion_mnist() -> RawDataset:
    """Clothes, 28x28 grey pixels, 10 classes, 60000 + 10000 images; found or downloaded."""
    names = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat")
    return load_mnist("fashion_mnist", (*names, "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"))
