"""The registered data sets, one by one."""

import numpy as np
import pytest
from datafiles import error_text, load, needs_files

from bncli.data import sets
from bncli.errors import InvalidConfig


@pytest.mark.parametrize("dataset", sets.REGISTRY)
def test_every_description_is_a_sentence(dataset):
    description = sets.REGISTRY.description(dataset)
    assert description.endswith(".")
    assert len(description) > 20


def test_circles_are_the_two_halves_of_make_circles():
    from sklearn.datasets import make_circles

    x, y = make_circles(1000, noise=0.1, random_state=1)
    data = load("circles")
    np.testing.assert_array_equal(data.x_train, x[:500].astype("float32"))
    np.testing.assert_array_equal(data.y_train, y[:500])
    np.testing.assert_array_equal(data.x_val, x[500:].astype("float32"))
    np.testing.assert_array_equal(data.y_val, y[500:])


def test_class_0_of_the_circles_is_the_outer_one():
    data = load("circles", noise=0)
    radius = np.linalg.norm(data.x_train, axis=1)
    np.testing.assert_allclose(radius[data.y_train == 0], 1, atol=1e-6)
    np.testing.assert_allclose(radius[data.y_train == 1], 0.8, atol=1e-6)


def test_moons_are_the_two_halves_of_make_moons():
    from sklearn.datasets import make_moons

    x, y = make_moons(60, noise=0.2, random_state=3)
    data = load("moons", n_samples=60, noise=0.2, data_seed=3)
    np.testing.assert_array_equal(data.x_train, x[:30].astype("float32"))
    np.testing.assert_array_equal(data.y_val, y[30:])


def test_digits_are_split_by_class_and_divided_by_16():
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    pixels, numbers = load_digits(return_X_y=True)
    parts = train_test_split(pixels / 16, numbers, test_size=0.25, stratify=numbers, random_state=0)
    data = load("digits")
    np.testing.assert_array_equal(data.x_train, parts[0].reshape(-1, 8, 8, 1).astype("float32"))
    np.testing.assert_array_equal(data.x_val, parts[1].reshape(-1, 8, 8, 1).astype("float32"))
    np.testing.assert_array_equal(data.y_train, parts[2])
    np.testing.assert_array_equal(data.y_val, parts[3])
    assert (len(data.y_train), len(data.y_val)) == (1347, 450)


def test_a_quarter_of_every_class_of_the_digits_is_for_validation():
    data = load("digits")
    train, val = np.bincount(data.y_train), np.bincount(data.y_val)
    np.testing.assert_allclose(val / (train + val), 0.25, atol=0.005)


@pytest.mark.parametrize(("name", "n_spirals"), [("spirals", 2), ("spirals3", 3)])
def test_spirals_without_noise_go_round_one_and_a_half_times(name, n_spirals):
    data = load(name, noise=0, n_samples=90, data_seed=4)
    assert np.bincount(np.concatenate([data.y_train, data.y_val])).tolist() == [90 // n_spirals] * n_spirals
    radius, angle = np.hypot(*data.x_train.T), np.arctan2(data.x_train[:, 1], data.x_train[:, 0])
    turns = 1.5 * radius + data.y_train / n_spirals - angle / (2 * np.pi)
    np.testing.assert_allclose(turns, np.round(turns), atol=1e-5)
    assert (radius >= 0.1).all()
    assert (radius <= 1).all()


@pytest.mark.parametrize(("balance", "n_common"), [(0.9, 450), (0.5, 250), (0.98, 490)])
def test_the_balance_of_the_classes_is_as_asked(balance, n_common):
    data = load("imbalanced", n_samples=500, class_balance=balance)
    assert (np.concatenate([data.y_train, data.y_val]) == 0).sum() == n_common
    assert (data.y_val == 0).sum() == pytest.approx(n_common / 4, abs=1)


def test_too_few_rows_of_the_rare_class():
    assert error_text(InvalidConfig, load, "imbalanced", n_samples=20, class_balance=0.95) == (
        "class_balance=0.95 of n_samples=20 leaves the rare class 1 of the 2 rows that it needs. Try more samples."
    )


@pytest.mark.parametrize(
    ("name", "classes", "n_rows", "n_features"),
    [("iris", ("setosa", "versicolor", "virginica"), 150, 4), ("wine", ("class_0", "class_1", "class_2"), 178, 13)],
)
def test_small_tables_of_scikit_learn(name, classes, n_rows, n_features):
    data = load(name)
    assert (data.class_names, data.input_shape) == (classes, (n_features,))
    assert len(data.y_train) + len(data.y_val) == n_rows


def test_breast_cancer_keeps_its_class_names():
    data = load("breast_cancer")
    assert data.class_names == ("benign", "malignant")
    assert (len(data.y_train), len(data.y_val)) == (426, 143)
    assert (np.concatenate([data.y_train, data.y_val]) == 0).sum() == 357
    assert data.feature_names[:2] == ("mean radius", "mean texture")


def test_mnist_has_the_published_first_labels():
    needs_files("mnist")
    data = load("mnist", train_rows=":400", val_rows=":200")
    assert data.input_shape == (28, 28, 1)
    assert data.y_train[:5].tolist() == [5, 0, 4, 1, 9]
    assert data.y_val[:5].tolist() == [7, 2, 1, 0, 4]


def test_fashion_mnist_starts_with_an_ankle_boot():
    needs_files("fashion_mnist")
    data = load("fashion_mnist", train_rows=":400", val_rows=":200")
    assert data.class_names[data.y_train[0]] == data.class_names[data.y_val[0]] == "Ankle boot"
