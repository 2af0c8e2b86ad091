"""Figures: what is drawn, read from the artists and never from pixels."""

import functools

import numpy as np
import pytest
from fakes import TWO_AXES, VOID_AXIS, complete, diverged, failed, learned, make_study
from matplotlib import pyplot
from matplotlib.colors import to_hex

from bncli.data.datasets import Dataset
from bncli.report import figure as drawing
from bncli.report.data_figure import draw_dataset

NINE = (
    "none,batch:before,batch:after,layer:before,layer:after,group:before,rms:before,rms:after,"
    "batch:before+center=false+scale=false"
)
SIXTY = tuple(round(0.001 * number, 3) for number in range(1, 61))
LONG_MODELS = ("dense4", "dense8 dense8 dropout0.2 dense8 dense8 dense8 dense8", "dense4*3")


def without_some(config):
    """The baseline fails wherever the learning rate is low, and a seed is missing."""
    if config.seed == 1 and config.norm == "batch":
        return None
    return failed(config) if config.norm == "none" and config.lr < 0.05 else learned(config)


PICTURES = {
    "two-axes": evidence(make_study(axes=TWO_AXES)),
    "no-axes": evidence(make_study()),
    "one-epoch": evidence(make_study(axes=TWO_AXES, epochs=1)),
    "one-seed": evidence(make_study(axes=TWO_AXES, seeds=(0,))),
    "one-run": evidence(make_study("none", seeds=(0,), epochs=1)),
    "all-diverged": evidence(make_study(axes=TWO_AXES), diverged),
    "diverged-at-once": evidence(make_study(), lambda config: diverged(config, (0.1,))),
    "some-missing": evidence(make_study(axes=TWO_AXES), without_some),
    "void": evidence(make_study(axes=VOID_AXIS)),
    "void-for-all": evidence(make_study("none", axes=VOID_AXIS[:1])),
    "void-at-a-value": evidence(make_study(axes=(("optimizer", ("sgd", "adam")), ("momentum", (0.5, 0.9))))),
    "flags": evidence(make_study("none,group:before", (("center", (True, False)),))),
    "no-chance": evidence(make_study(), chance=None),
    "nine-arms": evidence(make_study(NINE, TWO_AXES)),
    "sixty-points": evidence(make_study(axes=(("lr", SIXTY),), seeds=(0,))),
    "sixty-columns": evidence(make_study(axes=(("activation", ("relu", "tanh")), ("lr", SIXTY)), seeds=(0,))),
    "five-points": evidence(make_study(axes=(("lr", SIXTY[:5]),))),
    "long-labels": evidence(make_study(NINE, (("model", LONG_MODELS), ("lr", (0.01, 0.1))), name="a-study " * 20)),
}

every_picture = pytest.mark.parametrize("name", PICTURES)


@functools.cache
def drawn(name):
    """All figures of a picture, laid out; once, because no test changes them."""
    figures = drawing.draw_all(PICTURES[name])
    for figure in figures.values():
        figure.draw_without_rendering()
    return figures


def panels(figure):
    """The axes of a figure that hold data: no colour bar."""
    return [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]


def titles(figure):
    return [axes.get_title() for axes in panels(figure)]


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def line(axes, arm):
    return next(each for each in axes.get_lines() if each.get_label() == arm)


def drawn_arms(given):
    """The arms of a picture that have a history, in the study's order."""
    return [arm for arm in given.arms if (given.history["arm"] == arm).any()]


# Conformance: every figure on every study


@every_picture
def test_every_figure_can_be_drawn_and_its_panels_have_room(name):
    for figure in drawn(name).values():
        assert max(figure.get_size_inches()) < 22
        for axes in panels(figure):
            box = axes.get_window_extent()
            assert min(box.width, box.height) > 0.8 * figure.dpi


@every_picture
def test_the_outer_axes_are_labelled(name):
    for kind, figure in drawn(name).items():
        for axes in panels(figure):
            place = axes.get_subplotspec()
            named = axes.get_ylabel() or (kind == "differences" and axes.get_yticklabels())
            assert named or not place.is_first_col()
            assert axes.get_xlabel() or not place.is_last_row()


@every_picture
def test_every_figure_is_titled_after_the_study(name):
    for figure in drawn(name).values():
        assert figure.get_suptitle().startswith(PICTURES[name].title.split()[0])


@every_picture
def test_the_legend_lists_the_arms_in_order(name):
    for kind, figure in drawn(name).items():
        if kind == "heatmap":
            assert [title.replace("\n", "") for title in titles(figure)] == list(PICTURES[name].arms)
        elif kind == "differences":
            assert legend(figure) == drawn_arms(PICTURES[name])[1:]
        else:
            assert legend(figure) == drawn_arms(PICTURES[name])


@every_picture
def test_an_arm_has_one_look_in_every_figure_and_no_other_arm_has_it(name):
    looks = {arm: set() for arm in drawn_arms(PICTURES[name])}
    for figure in drawn(name).values():
        for axes in panels(figure):
            for label, each in labelled(axes).items():
                if label in looks:
                    looks[label].add((to_hex(each.get_color()), each.get_marker()))
    n_looks = 1 if {"curves", "train_val", "lr", "reached"} & set(drawn(name)) else 0
    assert {arm: len(each) for arm, each in looks.items()} == dict.fromkeys(looks, n_looks)
    assert len(set().union(*looks.values())) == n_looks * len(looks)


def labelled(axes):
    """Label to line; the line of points with error bars is the first of their parts."""
    handles, labels = axes.get_legend_handles_labels()
    return {label: getattr(each, "lines", [each])[0] for label, each in zip(labels, handles, strict=True)}


def test_nothing_is_drawn_through_pyplot():
    figures = [figure for name in PICTURES for figure in drawn(name).values()]
    assert len(figures) > len(PICTURES)
    assert pyplot.get_fignums() == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("two-axes", ["curves", "differences", "reached", "heatmap"]),
        ("no-axes", ["curves", "train_val", "differences", "reached"]),
        ("five-points", ["curves", "differences", "lr", "reached"]),
        ("sixty-points", ["differences", "lr"]),
        ("sixty-columns", ["lr", "heatmap"]),
        ("void-for-all", ["curves", "reached"]),
    ],
)
def test_a_study_gets_the_figures_that_it_has_the_columns_for(name, expected):
    assert list(drawn(name)) == expected


def test_without_a_history_there_are_no_curves():
    assert list(drawing.draw_all(evidence(make_study(), failed))) == []


# Curves


def test_curves_are_means_over_seeds_with_a_band_of_one_sd():
    scores = {0: (0.2, 0.4), 1: (0.4, 0.8)}
    axes = figure.curves(evidence(make_study("none"), lambda config: complete(config, scores[config.seed]))).axes[0]
    assert line(axes, "none").get_xdata().tolist() == [1, 2]
    assert line(axes, "none").get_ydata() == pytest.approx([0.3, 0.6])
    sd = np.std([(0.2, 0.4), (0.4, 0.8)], axis=0, ddof=1)
    corners = axes.collections[0].get_paths()[0].vertices
    for epoch, mean, spread in zip((1, 2), (0.3, 0.6), sd, strict=True):
        heights = corners[corners[:, 0] == epoch][:, 1]
        assert [heights.min(), heights.max()] == pytest.approx([mean - spread, mean + spread])


def test_a_diverged_run_stays_in_the_mean_to_the_end():
    def make(config):
        return diverged(config, (0.4, 0.1)) if config.seed == 0 else complete(config, (0.4, 0.6, 0.8))

    given = evidence(make_study("none"), make)
    figure = figure.curves(given)
    assert line(figure.axes[0], "none").get_ydata() == pytest.approx([0.4, 0.35, 0.45])
    assert given.conditions["mean_val_accuracy"].tolist() == pytest.approx([0.45])
    assert "diverged runs stay at their last value" in figure.get_suptitle().replace("\n", " ")


def test_curves_have_a_panel_a_point_and_a_row_a_value_of_the_first_axis():
    figure = drawn("two-axes")["curves"]
    names = [f"activation {activation}, lr {lr}" for activation in ("sigmoid", "relu") for lr in (0.01, 0.1)]
    assert titles(figure) == names
    assert figure.axes[0].get_subplotspec().get_gridspec().get_geometry() == (2, 2)


def test_the_lowest_panel_of_each_column_has_numbered_epochs():
    figure = drawn("five-points")["curves"]
    assert figure.axes[0].get_subplotspec().get_gridspec().get_geometry() == (2, 3)
    numbered = [any(text.get_text() for text in axes.get_xticklabels() if text.get_visible()) for axes in figure.axes]
    labelled = [axes.get_xlabel() for axes in figure.axes]
    assert numbered == [False, False, True, True, True]
    assert labelled == ["", "", "epoch", "epoch", "epoch"]


def test_an_arm_on_which_an_axis_is_void_is_in_every_panel():
    figure = drawn("void")["curves"]
    assert len(panels(figure)) == 4
    assert titles(figure)[0] == "norm_momentum 0.9, lr 0.01"
    low, high = (line(figure.axes[place], "none").get_ydata().tolist() for place in (0, 2))
    assert low == high


def test_a_void_axis_is_left_out_of_the_panel_that_it_does_not_touch():
    titles_ = titles(drawn("void-at-a-value")["curves"])
    assert titles_ == ["optimizer sgd, momentum 0.5", "optimizer sgd, momentum 0.9", "optimizer adam"]
    assert titles(drawn("void-for-all")["curves"]) == [""]


def test_flags_are_spelled_as_a_user_types_them():
    assert titles(drawn("flags")["curves"])[0] == "center true"


def test_a_single_epoch_is_a_point_at_a_whole_number():
    axes = drawn("one-epoch")["curves"].axes[-1]
    assert line(axes, "none").get_marker() == "o"
    low, high = axes.get_xlim()
    assert [tick for tick in axes.get_xticks() if low <= tick <= high] == [1]


@pytest.mark.parametrize(("name", "n_lines"), [("no-axes", 1), ("no-chance", 0)])
def test_the_constant_answer_is_a_dotted_line(name, n_lines):
    figure = drawn(name)["curves"]
    dotted = [each for each in figure.axes[0].get_lines() if each.get_linestyle() == ":"]
    assert [list(each.get_ydata()) for each in dotted] == [[0.5, 0.5]] * n_lines
    assert ("dotted: a constant answer" in figure.get_suptitle().replace("\n", " ")) == bool(n_lines)


@pytest.mark.parametrize(
    ("name", "caption"),
    [
        ("no-axes", "fake  (mean over seeds, n = 2, band: 1 sd, dotted: a constant answer)"),
        ("one-seed", "fake  (one seed, dotted: a constant answer)"),
        ("some-missing", "fake  (mean over seeds, n = 0 to 2, band: 1 sd, dotted: a constant answer)"),
    ],
)
def test_the_caption_says_how_many_seeds_there_are(name, caption):
    assert drawn(name)["curves"].get_suptitle().replace("\n", " ") == caption


def test_training_and_validation_share_one_scale():
    left, right = drawn("no-axes")["train_val"].axes
    assert [left.get_title(), right.get_title()] == ["training accuracy (as fit reports it)", "validation accuracy"]
    assert left.get_ylim() == right.get_ylim()
    for arm in ("none", "batch:before"):
        assert line(left, arm).get_ydata() == pytest.approx(0.9 * line(right, arm).get_ydata())


# The heat map


def cell_texts(axes):
    return {
        (int(text.get_position()[1]), int(text.get_position()[0])): text.get_text()
        for text in axes.texts
        if text.get_text()
    }


@pytest.mark.parametrize("name", ["two-axes", "all-diverged", "void", "nine-arms", "long-labels", "one-seed"])
def test_the_cells_hold_the_means(name):
    given = PICTURES[name]
    rows, columns = (list(dict.fromkeys(given.conditions[f"param_{axis}"].dropna())) for axis in given.axes)
    for axes, arm in zip(panels(drawn(name)["heatmap"]), given.arms, strict=True):
        shown = cell_texts(axes)
        assert len(shown) == len(rows) * len(columns)
        for _, condition in given.conditions[given.conditions["arm"] == arm].iterrows():
            row, column = (condition[f"param_{axis}"] for axis in given.axes)
            at_rows = [rows.index(row)] if row == row else range(len(rows))
            for place in at_rows:
                assert shown[place, columns.index(column)] == f"{condition['mean_val_accuracy']:.3f}"


def test_a_condition_without_numbers_is_an_empty_cell():
    baseline, _ = panels(drawn("some-missing")["heatmap"])
    assert set(cell_texts(baseline)) == {(0, 1), (1, 1)}


def test_too_many_cells_for_text_have_colours_only_and_fewer_ticks():
    for axes in panels(drawn("sixty-columns")["heatmap"]):
        assert cell_texts(axes) == {}
        assert axes.images[0].get_array().shape == (2, 60)
        assert len(axes.get_xticks()) == 30


def test_all_arms_share_one_colour_scale_from_zero_to_one():
    assert {axes.images[0].get_clim() for axes in panels(drawn("nine-arms")["heatmap"])} == {(0.0, 1.0)}


def test_rows_and_columns_are_named_by_the_values_of_the_axes():
    axes = drawn("two-axes")["heatmap"].axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["sigmoid", "relu"]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["0.01", "0.1"]
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("activation", "lr")


@pytest.mark.parametrize(("at_chance", "n_hatched"), [(1, 0), (2, 1), (3, 1)])
def test_a_cell_is_hatched_where_half_of_the_seeds_did_not_learn(at_chance, n_hatched):
    def make(config):
        is_low = config.norm == "none" and config.lr > 0.05 and config.activation == "relu"
        return complete(config, (0.5, 0.5) if is_low and config.seed < at_chance else (0.5, 0.9))

    figure = figure.heatmap(evidence(make_study(axes=TWO_AXES, seeds=(0, 1, 2, 3)), make))
    baseline, other = panels(figure)
    assert [patch.get_xy() for patch in baseline.patches] == [(0.5, 0.5)] * n_hatched
    assert len(other.patches) == 0
    assert ("hatched: at least half of the seeds did not learn" in figure.get_suptitle()) == bool(n_hatched)


# Differences to the baseline


def by_seed(gains, start=0.5):
    """The arm gains over the baseline, seed by seed."""

    def make(config):
        return complete(config, (0.4, start + (gains[config.seed] if config.norm != "none" else 0)))

    return make


@pytest.mark.parametrize(
    ("gains", "face"), [((0.1, 0.12, 0.11, 0.1, 0.13), "#0072b2"), ((0.1, -0.1, 0.05, 0.0, -0.06), "#ffffff")]
)
def test_a_difference_is_a_point_on_its_interval_hollow_where_that_holds_0(gains, face):
    given = evidence(make_study(seeds=range(5)), by_seed(gains))
    row = given.differences.iloc[0]
    bar, point, zero = figure.differences(given).axes[0].get_lines()
    assert point.get_xdata() == pytest.approx([np.mean(gains)])
    assert bar.get_xdata() == pytest.approx([row["low"], row["high"]])
    assert to_hex(point.get_markerfacecolor()) == face
    assert list(zero.get_xdata()) == [0, 0]


@pytest.mark.parametrize(("metric", "side"), [("val_accuracy", "right"), ("val_loss", "left")])
def test_the_forest_says_on_which_side_an_arm_is_better(metric, side):
    axes = figure.differences(evidence(make_study(), metric=metric)).axes[0]
    assert axes.get_xlabel().endswith(f"({side} of 0: better than none)")


def test_differences_stand_in_the_order_of_the_study_and_are_named_by_point():
    axes = drawn("two-axes")["differences"].axes[0]
    names = [text.get_text().replace("\n", " ") for text in axes.get_yticklabels()]
    assert names == [f"activation {activation}, lr {lr}" for activation in ("sigmoid", "relu") for lr in (0.01, 0.1)]
    assert axes.yaxis_inverted()


def test_one_seed_has_no_interval_and_the_caption_promises_none():
    assert drawn("one-seed")["differences"].get_suptitle() == "fake  (one seed)"


# The learning rate


def test_the_response_has_the_means_at_their_rates_and_the_ranges_that_learn():
    def make(config):
        return complete(config, (0.5, 0.9 if config.lr < 0.05 or config.norm != "none" else 0.5))

    given = evidence(make_study(axes=(("lr", (0.001, 0.01, 0.1)),)), make)
    axes = figure.lr(given).axes[0]
    assert axes.get_xscale() == "log"
    assert labelled(axes)["none"].get_xydata().tolist() == [[0.001, 0.9], [0.01, 0.9], [0.1, 0.5]]
    spans = [list(each.get_xdata()) for each in axes.get_lines() if each.get_linewidth() == 4]
    assert spans == [[0.001, 0.01], [0.001, 0.1]]


def test_without_a_range_that_learns_none_is_drawn_or_promised():
    given = evidence(make_study(axes=(("lr", (0.001, 0.01, 0.1)),)), diverged)
    figure = figure.lr(given)
    assert [each for each in figure.axes[0].get_lines() if each.get_linewidth() == 4] == []
    assert "thick lines" not in figure.get_suptitle()


# The share of seeds past the threshold


def test_a_seed_that_never_gets_there_keeps_the_share_below_1():
    def make(config):
        return complete(config, (0.5, 0.7, 0.9) if config.seed else (0.5, 0.6, 0.6))

    given = evidence(make_study("none", seeds=range(4)), make, threshold=0.65)
    figure = figure.reached(given)
    assert line(figure.axes[0], "none").get_xydata().tolist() == [[1, 0], [2, 0.75], [3, 0.75]]
    assert figure.get_suptitle().replace("\n", " ") == "fake  (val_accuracy at or past 0.65, n = 4 seeds)"


# Losses


@pytest.mark.parametrize("axes", [(), TWO_AXES, (("lr", (0.001, 0.01, 0.1)),)])
def test_every_figure_can_be_drawn_of_a_loss(axes):
    figures = drawing.draw_all(evidence(make_study(axes=axes), metric="val_loss"))
    for figure in figures.values():
        figure.draw_without_rendering()
    assert figures["curves"].axes[0].get_ylabel() == "validation loss"
    assert figures["curves"].axes[0].get_yscale() == "log"
    assert "a constant answer" not in figures["curves"].get_suptitle()


# Layout


def overlaps(figure):
    """Pairs of titles, labels and legends that overlap or leave the figure, by their boxes."""
    texts = [figure._suptitle, *figure.legends]
    for axes in figure.axes:
        texts += [axes.title, axes.xaxis.label, axes.yaxis.label, *axes.texts]
    boxes = [text.get_window_extent() for text in texts if not hasattr(text, "get_text") or text.get_text()]
    whole = figure.bbox.padded(1)
    outside = [
        box
        for box in boxes
        if not (whole.x0 <= box.x0 and box.x1 <= whole.x1 and whole.y0 <= box.y0 and box.y1 <= whole.y1)
    ]
    crossing = [
        (one, other)
        for place, one in enumerate(boxes)
        for other in boxes[:place]
        if one.padded(-1).overlaps(other.padded(-1))
    ]
    return outside, crossing


@pytest.mark.parametrize("name", ["two-axes", "no-axes", "void", "five-points", "nine-arms", "long-labels"])
def test_no_text_overlaps_another_or_leaves_the_figure(name):
    for figure in drawn(name).values():
        assert overlaps(figure) == ([], [])


def test_a_long_legend_does_not_eat_the_panel():
    few, many = (figure.curves(evidence(make_study(arms))) for arms in ("none,batch:before", NINE))
    heights = []
    for figure in (few, many):
        figure.draw_without_rendering()
        heights.append(figure.axes[0].get_window_extent().height)
    assert heights[1] > 0.9 * heights[0]


# Data sets


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
def test_points_are_drawn_in_the_plane_by_class(shape, features, labels):
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


def test_two_features_are_drawn_as_they_are():
    data = make_dataset((2,))
    points = draw_dataset(data).axes[0].collections[1].get_offsets()
    assert np.allclose(points, data.x_train[data.y_train == 1])


def test_ten_classes_look_different():
    collections = draw_dataset(make_dataset((2,), 10)).axes[0].collections
    looks = {(to_hex(each.get_facecolor()[0]), each.get_paths()[0].vertices.tobytes()) for each in collections}
    assert len(looks) == 10


def test_the_legend_of_many_classes_ends_and_says_so():
    names = tuple(f"class number {number:03d} of a lot" for number in range(40))
    figure = draw_dataset(make_dataset((2,), 40, names))
    assert figure.legends[0].get_title().get_text() == "first 18 of 40 classes"
    assert legend(figure)[0] == "class number 000 of a l…"
    assert len(legend(figure)) == 18


@pytest.mark.parametrize(("n_channels", "n_classes"), [(1, 3), (3, 2), (4, 2), (1, 21)])
def test_images_are_drawn_a_row_a_class(n_channels, n_classes):
    data = make_dataset((5, 4, n_channels), n_classes)
    figure = draw_dataset(data)
    rows = min(n_classes, 20)
    assert figure.axes[0].get_subplotspec().get_gridspec().get_geometry() == (rows, 8)
    assert [axes.get_ylabel() for axes in figure.axes[::8]] == list(data.class_names[:rows])
    shown = [image.get_array() for axes in figure.axes for image in axes.images]
    assert len(shown) == 8 * rows
    assert all(image.shape[:2] == (5, 4) for image in shown)
    assert all(image.min() >= 0 and image.max() <= 1 for image in shown if n_channels > 1)


def test_a_class_with_few_images_leaves_its_row_open():
    data = make_dataset((5, 4, 1))
    y = np.array([0] * 15 + [1], dtype="int32")
    figure = draw_dataset(Dataset("fake", data.x_train, y, data.x_val, data.y_val, data.class_names, (), "none"))
    assert sum(len(axes.images) for axes in figure.axes) == 9


def test_a_data_set_is_not_drawn_through_pyplot():
    draw_dataset(make_dataset((2,)))
    draw_dataset(make_dataset((5, 4, 1)))
    assert pyplot.get_fignums() == []


def test_a_response_curve_lies_inside_the_axes_of_every_panel():
    """The panels share their scale, and each arm's thick line takes room at the bottom once, not once a panel."""

    def make(config):
        return complete(config, (0.2 if config.activation == "sigmoid" else 0.9 + 0.01 * config.seed,))

    axes = (("activation", ("sigmoid", "relu")), ("lr", (0.001, 0.01, 0.1)))
    figure = drawing.REGISTRY["lr"](evidence(make_study(axes=axes), make, chance=0.1))
    for panel in figure.axes:
        low, high = panel.get_ylim()
        assert low < 0.2
        assert high > 0.91
        assert high - low < 1.3 * (0.91 - 0.1)


def test_a_metric_without_any_value_has_no_response_curve():
    shown = evidence(make_study(axes=(("lr", (0.001, 0.01, 0.1)),)), diverged, metric="val_loss")
    assert drawing.REGISTRY["lr"](shown) is None


@pytest.mark.parametrize("make", [failed, diverged])
@pytest.mark.parametrize("metric", ["val_accuracy", "val_loss"])
def test_a_sweep_in_which_nothing_worked_is_drawn_all_the_same(make, metric):
    for figure in drawing.draw_all(
        evidence(make_study(axes=(("lr", (0.001, 0.01, 0.1)),)), make, metric=metric)
    ).values():
        figure.draw_without_rendering()


def test_panels_stand_in_rows_and_columns_of_one_size():
    figure = drawing.REGISTRY["curves"](evidence(make_study(axes=(("lr", SIXTY[:10]),))))
    figure.draw_without_rendering()
    boxes = [axes.get_position() for axes in figure.axes]
    assert len({round(box.width, 4) for box in boxes}) == len({round(box.height, 4) for box in boxes}) == 1
    assert len({round(box.x0, 4) for box in boxes}) == 4
    assert len({round(box.y0, 4) for box in boxes}) == 3
