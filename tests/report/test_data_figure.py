"""The figure of a data set."""

from dataclasses import replace

import numpy as np
import pytest
from drawings import legend
from matplotlib import pyplot
from matplotlib.colors import to_hex

from bncli.data.dataset import Dataset
from bncli.report.data_figure import draw_dataset


def make_dataset(shape, n_classes=2, class_names=(), feature_names=()):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(8 * n_classes, *shape)).astype("float32")
    y = np.arange(len(x), dtype="int32") % n_classes
    names = class_names or tuple(f"class {number}" for number in range(n_classes))
    return Dataset("fake", x, y, x[: 2 * n_classes], y[: 2 * n_classes], names, feature_names, "none")


@pytest.mark.parametrize(
    ("shape", "features", "labels"),
    [
        ((2,), (), ("x1", "x2")),
        ((2,), ("width", "cost in $"), ("width", r"cost in \$")),
        ((1,), ("width",), ("width", "class number")),
        ((9,), (), ("principal component 1 (", "principal component 2 (")),
        ((3, 4), (), ("principal component 1 (", "principal component 2 (")),
    ],
)
def test_points_are_drawn_in_two_dimensions_by_class(shape, features, labels):
    data = make_dataset(shape, 3, feature_names=features)
    figure = draw_dataset(data)
    figure.draw_without_rendering()
    left, right = figure.axes
    assert (left.get_title(), right.get_title()) == ("training, 24 rows", "validation, 6 rows")
    assert left.get_xlabel().startswith(labels[0])
    assert left.get_ylabel().startswith(labels[1])
    assert legend(figure) == ["class 0", "class 1", "class 2"]
    assert [len(each.get_offsets()) for each in left.collections] == [8, 8, 8]
    assert [len(each.get_offsets()) for each in right.collections] == [2, 2, 2]


@pytest.mark.parametrize("shape", [(2,), (1,), (9,)])
def test_the_test_rows_have_a_panel_of_their_own(shape):
    data = make_dataset(shape, 3)
    figure = draw_dataset(replace(data, x_test=data.x_train[:12], y_test=data.y_train[:12]))
    titles = ["training, 24 rows", "validation, 6 rows", "test, 12 rows"]
    assert [axes.get_title() for axes in figure.axes] == titles
    training, _, test = figure.axes
    assert [len(each.get_offsets()) for each in test.collections] == [4, 4, 4]
    assert np.allclose(test.collections[1].get_offsets(), training.collections[1].get_offsets()[:4])


def test_two_features_are_drawn_as_they_are():
    data = make_dataset((2,))
    points = draw_dataset(data).axes[0].collections[1].get_offsets()
    assert np.allclose(points, data.x_train[data.y_train == 1])


def test_ten_classes_look_different():
    collections = draw_dataset(make_dataset((2,), 10)).axes[0].collections
    looks = {(to_hex(each.get_facecolor()[0]), each.get_paths()[0].vertices.tobytes()) for each in collections}
    assert len(looks) == 10


def test_the_legend_of_many_classes_is_cut_and_says_so():
    names = tuple(f"class number {number:03d} of a lot" for number in range(40))
    figure = draw_dataset(make_dataset((2,), 40, names))
    assert figure.legends[0].get_title().get_text() == "first 18 of 40 classes"
    assert legend(figure)[0] == "class number 000 of a l…"
    assert len(legend(figure)) == 18


@pytest.mark.parametrize(("n_channels", "n_classes"), [(1, 3), (3, 2), (4, 2), (1, 21)])
def test_images_are_drawn_in_one_row_per_class(n_channels, n_classes):
    data = make_dataset((5, 4, n_channels), n_classes)
    figure = draw_dataset(data)
    rows = min(n_classes, 20)
    assert figure.axes[0].get_subplotspec().get_gridspec().get_geometry() == (rows, 8)
    assert [axes.get_ylabel() for axes in figure.axes[::8]] == list(data.class_names[:rows])
    shown = [image.get_array() for axes in figure.axes for image in axes.images]
    assert len(shown) == 8 * rows
    assert all(image.shape[:2] == (5, 4) for image in shown)
    assert all(image.min() >= 0 and image.max() <= 1 for image in shown if n_channels > 1)


def test_a_class_with_few_images_leaves_its_row_incomplete():
    data = make_dataset((5, 4, 1))
    y = np.array([0] * 15 + [1], dtype="int32")
    figure = draw_dataset(Dataset("fake", data.x_train, y, data.x_val, data.y_val, data.class_names, (), "none"))
    assert sum(len(axes.images) for axes in figure.axes) == 9


def test_a_data_set_is_not_drawn_through_pyplot():
    draw_dataset(make_dataset((2,)))
    draw_dataset(make_dataset((5, 4, 1)))
    assert pyplot.get_fignums() == []
