"""The data sets that bncli knows by name.

A loader is a function whose keyword parameters are the data fields that it obeys (`n_samples`, `noise`,
`data_seed`), with the set's own defaults, and whose result is a `Pool`.
"""

from __future__ import annotations

from collections.abc import Callable

from bncli.data.mnist import load_mnist
from bncli.data.splits import Labelled, Pool, halves, stratified
from bncli.registry import Registry

REGISTRY: Registry[Callable[..., Pool]] = Registry("dataset")

register = REGISTRY.register


@register("digits")
def digits(*, data_seed: int = 0) -> Pool:
    """Handwritten digits, 8x8 grey pixels, 10 classes, 1797 images; ships with scikit-learn."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    rows = Labelled(bunch.images[..., None], bunch.target)
    return stratified(rows, data_seed, scaling="unit", pixel_max=16.0)


@register("circles")
def circles(*, n_samples: int = 1000, noise: float = 0.1, data_seed: int = 1) -> Pool:
    """Two noisy concentric circles in the plane: class 0 outside, class 1 inside (make_circles)."""
    from sklearn.datasets import make_circles

    return halves(make_circles(n_samples=n_samples, noise=noise, random_state=data_seed))


@register("moons")
def moons(*, n_samples: int = 1000, noise: float = 0.1, data_seed: int = 1) -> Pool:
    """Two noisy interleaved half-moons in the plane (make_moons)."""
    from sklearn.datasets import make_moons

    return halves(make_moons(n_samples=n_samples, noise=noise, random_state=data_seed))


@register("breast_cancer")
def breast_cancer(*, data_seed: int = 0) -> Pool:
    """Tumour measurements, 30 features, 2 classes, 569 rows; ships with scikit-learn."""
    from sklearn.datasets import load_breast_cancer

    bunch = load_breast_cancer()
    rows = Labelled(bunch.data, bunch.target_names[bunch.target], tuple(str(n) for n in bunch.feature_names))
    return stratified(rows, data_seed, scaling="standard")


@register("mnist")
def mnist() -> Pool:
    """Handwritten digits, 28x28 grey pixels, 10 classes, 60000 + 10000 images; found or downloaded."""
    return load_mnist("mnist", tuple("0123456789"))


@register("fashion_mnist")
def fashion_mnist() -> Pool:
    """Clothes, 28x28 grey pixels, 10 classes, 60000 + 10000 images; found or downloaded."""
    names = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat")
    return load_mnist("fashion_mnist", (*names, "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"))
