"""The data sets that bncli has by name.

To add one, register a loader: a function whose keyword parameters are the data fields that it uses (`n_samples`,
`noise`, `class_balance`, `data_seed`), with the data set's defaults, and that returns a `RawDataset`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bncli.data.cifar import load_cifar
from bncli.data.mnist import load_mnist
from bncli.data.splits import LabelledRows, RawDataset, split_in_half, split_stratified
from bncli.errors import InvalidConfig
from bncli.registry import Registry
from bncli.tasks.task import REGRESSION

if TYPE_CHECKING:
    import numpy as np

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


@register("spirals")
def spirals(*, n_samples: int = 1000, noise: float = 0.03, data_seed: int = 1) -> RawDataset:
    """Two noisy interleaved spirals in the plane, each of one and a half turns."""
    return split_in_half(*_spirals(2, n_samples, noise, data_seed))


@register("spirals3")
def spirals3(*, n_samples: int = 1000, noise: float = 0.03, data_seed: int = 1) -> RawDataset:
    """Three noisy interleaved spirals in the plane, each of one and a half turns."""
    return split_in_half(*_spirals(3, n_samples, noise, data_seed))


def _spirals(n_spirals: int, n_samples: int, noise: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Points on spirals of radius 1, evenly spread over their area, plus noise."""
    import numpy as np

    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n_samples) % n_spirals)
    radius = np.sqrt(rng.uniform(0.01, 1, n_samples))
    angle = 3 * np.pi * radius + 2 * np.pi * y / n_spirals
    points = radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    return points + noise * rng.normal(size=points.shape), y


@register("imbalanced")
def imbalanced(*, n_samples: int = 1000, class_balance: float = 0.9, data_seed: int = 1) -> RawDataset:
    """A common class 0 and a rare class 1, 20 features, 5 of which tell them apart (make_classification)."""
    import numpy as np
    from sklearn.datasets import make_classification

    sizes = (round(class_balance * n_samples), n_samples - round(class_balance * n_samples))
    if sizes[1] < 2:
        raise InvalidConfig(
            f"class_balance={class_balance:g} of n_samples={n_samples} leaves the rare class {sizes[1]} of the 2 rows "
            "that it needs. Try more samples."
        )
    x, y = make_classification(2 * n_samples, n_informative=5, flip_y=0, random_state=data_seed)
    kept = np.sort(np.concatenate([np.flatnonzero(y == number)[:size] for number, size in enumerate(sizes)]))
    names = tuple(f"x{number + 1}" for number in range(x.shape[1]))
    return split_stratified(LabelledRows(x[kept], y[kept], names), data_seed, scaling="standard")


@register("breast_cancer")
def breast_cancer(*, data_seed: int = 0) -> RawDataset:
    """Tumour measurements, 30 features, 2 classes, 569 rows; ships with scikit-learn."""
    from sklearn.datasets import load_breast_cancer

    return _measurements(load_breast_cancer(), data_seed)


@register("iris")
def iris(*, data_seed: int = 0) -> RawDataset:
    """Fisher's measurements of flowers, 4 features, 3 classes, 150 rows; ships with scikit-learn."""
    from sklearn.datasets import load_iris

    return _measurements(load_iris(), data_seed)


@register("wine")
def wine(*, data_seed: int = 0) -> RawDataset:
    """Chemical analyses of wines, 13 features, 3 classes, 178 rows; ships with scikit-learn."""
    from sklearn.datasets import load_wine

    return _measurements(load_wine(), data_seed)


def _measurements(bunch: Any, data_seed: int) -> RawDataset:
    """A table of scikit-learn's."""
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


@register("cifar10")
def cifar10() -> RawDataset:
    """Photographs, 32x32 pixels in colour, 10 classes, 50000 + 10000 images; found or downloaded (162 MB)."""
    return load_cifar("cifar10")


@register("cifar100")
def cifar100() -> RawDataset:
    """Photographs, 32x32 pixels in colour, 100 classes, 50000 + 10000 images; found or downloaded (161 MB)."""
    return load_cifar("cifar100")
