"""Figures from tables of numbers: no training, no files, no global style.

A figure is a function from a `Picture` to a matplotlib `Figure`, or to None where the study has nothing for it.
An arm keeps one colour, one line style and one marker in every figure.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bncli.canvas import (
    CHAR,
    COLOURS,
    LABELS,
    MAX_PANELS,
    Picture,
    blank,
    by_point,
    finish,
    n_text,
    panel_grid,
    point_label,
    set_title,
    short,
    whole_epochs,
    wrapped,
)
from bncli.registry import Registry
from bncli.results import lower_is_better
from bncli.study import show
from bncli.summary import points, seed_curves

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from bncli.datasets import Dataset

CLASS_MARKERS = ("o", "^", "s", "x", "D", "v", "*")
MAX_LEGEND_CLASSES = 18
MAX_DIFFERENCES = 60
MAX_REACHED = 12
"""Panels of the share of seeds: each takes as long to draw as a panel of curves and says less."""

MIN_RATES = 3
"""Learning rates below which a response has no shape to show."""

REGISTRY: Registry[Callable[[Picture], Any]] = Registry("figure")
register = REGISTRY.register


def draw_all(picture: Picture) -> dict[str, Figure]:
    """Draw every registered figure that the study has the columns for, by name."""
    drawn = {name: REGISTRY[name](picture) for name in REGISTRY}
    return {name: figure for name, figure in drawn.items() if figure is not None}


@register("curves")
def curves(picture: Picture) -> Figure | None:
    """The metric by epoch, a panel a point of the axes: mean over seeds, with a band of one standard deviation."""
    parts = _histories(picture)
    if not 0 < len(parts) <= MAX_PANELS:
        return None
    metric = picture.curve_metric
    figure, panels = panel_grid(picture, [label for label, _ in parts], "epoch", LABELS[metric])
    for axes, (_, rows) in zip(panels, parts, strict=True):
        _draw_curves(axes, picture, rows, metric)
    return finish(figure, picture, _curve_caption(picture, metric))


@register("train_val")
def train_val(picture: Picture) -> Figure | None:
    """Training accuracy beside validation accuracy by epoch, the tutorials' picture, for a study without axes."""
    if picture.history.empty or picture.axes:
        return None
    figure = blank(8.6, 3.8)
    for axes, metric in zip(figure.subplots(1, 2, sharey=True), ("accuracy", "val_accuracy"), strict=True):
        _draw_curves(axes, picture, picture.history, metric)
        axes.set_title(LABELS[metric], fontsize=9)
        axes.set(xlabel="epoch", ylabel="accuracy")
        axes.grid(alpha=0.25, lw=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        axes.label_outer()
    return finish(figure, picture, _curve_caption(picture, "val_accuracy"))


@register("differences")
def differences(picture: Picture) -> Figure | None:
    """Each arm's difference to the baseline, paired by seed: mean with its 95% interval; hollow where that holds 0."""
    table = picture.differences
    if not 0 < len(table) <= MAX_DIFFERENCES or table["mean_difference"].isna().all():
        return None
    groups = by_point(table, picture.axes)
    n_lines = sum(len(rows) for _, rows in groups)
    figure = blank(7.2, max(0.8, 0.2 * n_lines + 0.1 * len(groups)) + 1.5)
    axes = figure.subplots()
    middles = _draw_differences(axes, picture, groups)
    axes.axvline(0, color="0.35", lw=1.0, zorder=0)
    axes.set_yticks(middles, [wrapped(label, 2.6, size=9) for label, _ in groups], fontsize=9)
    axes.set_ylim(n_lines + 0.5 * len(groups) - 0.9, -0.6)
    axes.grid(axis="x", alpha=0.25, lw=0.6)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(left=False)
    better = "left" if lower_is_better(picture.metric) else "right"
    baseline = short(str(table["baseline"].iloc[0]))
    axes.set_xlabel(f"difference to {baseline} in {LABELS[picture.metric]}\n({better} of 0: better than {baseline})")
    bars = ["bars: 95% intervals", "hollow: the interval holds 0"] if table["low"].notna().any() else []
    return finish(figure, picture, [n_text(table["n"], "n = {} pairs of seeds"), *bars])


@register("lr")
def lr(picture: Picture) -> Figure | None:
    """The metric after training by learning rate, with 95% intervals; below, the widest range of rates that learn."""
    rates, parts = picture.rates, _by_rate(picture)
    if rates is None or picture.conditions["param_lr"].nunique() < MIN_RATES or not 0 < len(parts) <= MAX_PANELS:
        return None
    if picture.conditions[f"mean_{picture.metric}"].isna().all():
        return None
    tolerated = dict(by_point(rates, [name for name in picture.axes if name != "lr"]))
    figure, panels = panel_grid(picture, list(parts), "learning rate", LABELS[picture.metric])
    for axes, rows in zip(panels, parts.values(), strict=True):
        _draw_response(axes, picture, rows)
        axes.set_xscale("log")
    for axes, label in zip(panels, parts, strict=True):
        _draw_tolerance(axes, picture, tolerated.get(label))
    _make_room(panels[0], len(picture.arms))
    several = picture.conditions["n"].max() > 1
    caption = [n_text(picture.conditions["n"]), *(["bars: 95% intervals"] if several else [])]
    if rates["decades"].notna().any():
        caption.append("thick lines: rates at which at least 90% of seeds learn")
    return finish(figure, picture, [*caption, *_chance_caption(picture, picture.metric)])


@register("reached")
def reached(picture: Picture) -> Figure | None:
    """The share of seeds that have reached the threshold, by epoch; a seed that never does is never dropped."""
    parts = by_point(picture.reached, picture.axes)
    if not 0 < len(parts) <= MAX_REACHED:
        return None
    figure, panels = panel_grid(picture, [label for label, _ in parts], "epoch", "share of seeds")
    for axes, (_, rows) in zip(panels, parts, strict=True):
        for arm in picture.arms:
            curve = rows[rows["arm"] == arm]
            if not curve.empty:
                look = picture.curve(arm, len(curve))
                axes.plot(curve["epoch"], curve["share"], label=arm, drawstyle="steps-post", **look)
        axes.set_ylim(-0.04, 1.04)
        whole_epochs(axes)
    return finish(figure, picture, [picture.threshold, n_text(picture.conditions["n"], "n = {} seeds")])


@register("heatmap")
def heatmap(picture: Picture) -> Figure | None:
    """The metric after training over two axes, a panel an arm, one colour scale; hatched where arms did not learn."""
    table = picture.conditions
    varied = [name for name in picture.axes if table[f"param_{name}"].nunique() > 1]
    arms = [arm for arm in picture.arms if (table["arm"] == arm).any()]
    if len(varied) != 2 or len(arms) > MAX_PANELS or table[f"mean_{picture.metric}"].isna().all():
        return None
    rows, columns = (list(dict.fromkeys(table[f"param_{name}"].dropna())) for name in varied)
    width, height = min(max(2.0, 0.75 * len(columns)), 12.0), min(max(1.2, 0.5 * len(rows)), 6.0)
    n_columns = min(len(arms), max(1, int(14 // (width + 0.6))))
    n_rows = math.ceil(len(arms) / n_columns)
    figure = blank((width + 0.6) * n_columns + 2.0, (height + 0.8) * n_rows + 1.0)
    grid = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False)
    limits = _colour_limits(table[f"mean_{picture.metric}"], picture.metric)
    for axes, arm in zip(grid.flat, arms, strict=False):
        cells = table[table["arm"] == arm]
        values = _cell_grid(cells, varied, rows, columns, cells[f"mean_{picture.metric}"])
        image = _draw_cells(axes, values, limits, width / len(columns), height / len(rows))
        _hatch(axes, _cell_grid(cells, varied, rows, columns, _unlearned(cells)))
        axes.set_title(wrapped(arm, width, size=9), fontsize=9)
    for axes in grid.flat[len(arms) :]:
        axes.remove()
    _label_cells(grid, len(arms), varied, (rows, columns), (height, width))
    figure.colorbar(image, ax=list(grid.flat[: len(arms)]), label=LABELS[picture.metric], shrink=0.85)
    note = ["hatched: at least half of the seeds did not learn"] if _unlearned(table).any() else []
    set_title(figure, picture, [n_text(table["n"]), *note])
    return figure


def _histories(picture: Picture) -> list[tuple[str, pd.DataFrame]]:
    """The history, taken apart by the points of the axes, each with a label."""
    parts = []
    for point, places in points(picture.conditions).items():
        rows = picture.history[picture.history["condition"].isin(places)]
        parts.append((point_label(picture.axes, point), rows))
    return [(label, rows) for label, rows in parts if not rows.empty]


def _draw_curves(axes: Axes, picture: Picture, rows: pd.DataFrame, metric: str) -> None:
    is_loss = lower_is_better(metric)
    for arm in picture.arms:
        runs = rows[rows["arm"] == arm]
        if runs.empty:
            continue
        by_epoch = seed_curves(runs, metric)
        mean, sd = by_epoch.mean(axis=1), by_epoch.std(axis=1, ddof=1).fillna(0.0)
        look = picture.curve(arm, len(mean))
        axes.plot(mean.index, mean, label=arm, **look)
        low, high = (mean - sd).clip(lower=0), (mean + sd).clip(upper=None if is_loss else 1)
        axes.fill_between(mean.index, low, high, color=look["color"], alpha=0.18, lw=0)
    _draw_chance(axes, picture, metric)
    whole_epochs(axes)
    if is_loss:
        axes.set_yscale("log")


def _draw_chance(axes: Axes, picture: Picture, metric: str) -> None:
    chance = picture.chance_of(metric)
    if chance is not None:
        axes.axhline(chance, color="0.6", lw=0.8, ls=":", zorder=0)


def _curve_caption(picture: Picture, metric: str) -> list[str]:
    several = picture.conditions["n"].max() > 1
    caption = [n_text(picture.conditions["n"]), *(["band: 1 sd"] if several else [])]
    if picture.conditions["n_diverged"].any():
        caption.append("diverged runs stay at their last value")
    return [*caption, *_chance_caption(picture, metric)]


def _chance_caption(picture: Picture, metric: str) -> list[str]:
    return [] if picture.chance_of(metric) is None else ["dotted: a constant answer"]


def _draw_differences(axes: Axes, picture: Picture, groups: list[tuple[str, pd.DataFrame]]) -> list[float]:
    """Draw a line a difference, groups apart by half a line; return the middle of every group."""
    top, middles, labelled = 0.0, [], set()
    for _, rows in groups:
        middles.append(top + (len(rows) - 1) / 2)
        for place, (_, row) in enumerate(rows.iterrows()):
            arm, look = str(row["arm"]), picture.look(str(row["arm"]))
            holds_zero = not (row["low"] > 0 or row["high"] < 0)
            face = "white" if holds_zero else look["color"]
            axes.plot([row["low"], row["high"]], [top + place] * 2, color=look["color"], lw=1.8)
            axes.plot(
                row["mean_difference"],
                top + place,
                color=look["color"],
                marker=look["marker"],
                mfc=face,
                ms=7,
                ls="",
                label=None if arm in labelled else arm,
            )
            labelled.add(arm)
        top += len(rows) + 0.5
    return middles


def _by_rate(picture: Picture) -> dict[str, pd.DataFrame]:
    """The conditions by the points of the axes other than the learning rate, each with a label."""
    if "lr" not in picture.axes:
        return {}
    at = picture.axes.index("lr")
    others = [name for name in picture.axes if name != "lr"]
    places: dict[str, list[int]] = {}
    for point, found in points(picture.conditions).items():
        places.setdefault(point_label(others, [*point[:at], *point[at + 1 :]]), []).extend(found)
    return {label: picture.conditions.loc[list(dict.fromkeys(found))] for label, found in places.items()}


def _draw_response(axes: Axes, picture: Picture, rows: pd.DataFrame) -> None:
    metric = picture.metric
    for arm in picture.arms:
        curve = rows[rows["arm"] == arm].sort_values("param_lr")
        mean = curve[f"mean_{metric}"]
        if mean.notna().any():
            below, above = mean - curve[f"low_{metric}"].fillna(mean), curve[f"high_{metric}"].fillna(mean) - mean
            bars = (below.clip(lower=0), above.clip(lower=0))
            axes.errorbar(curve["param_lr"], mean, bars, label=arm, lw=1.8, elinewidth=1.0, ms=4, **picture.look(arm))
    _draw_chance(axes, picture, metric)
    if lower_is_better(metric):
        axes.set_yscale("log")


def _draw_tolerance(axes: Axes, picture: Picture, rates: pd.DataFrame | None) -> None:
    """Draw each arm's range of rates as a thick line along the bottom of a panel."""
    if rates is None:
        return
    for place, (_, row) in enumerate(rates.iterrows()):
        height = 0.02 + 0.035 * (len(rates) - 1 - place)
        if row["decades"] == row["decades"]:
            axes.plot(
                [row["lr_low"], row["lr_high"]],
                [height] * 2,
                color=picture.look(str(row["arm"]))["color"],
                lw=4,
                solid_capstyle="butt",
                marker="|",
                transform=axes.get_xaxis_transform(),
            )


def _make_room(axes: Axes, n_lines: int) -> None:
    """Extend the scale that all panels share downwards, past the thick lines along the bottom."""
    low, high = axes.get_ylim()
    if axes.get_yscale() == "linear":
        axes.set_ylim(low - 0.05 * n_lines * (high - low), high)


def _unlearned(cells: pd.DataFrame) -> pd.Series[bool]:
    """Whether at least half of the seeds of a condition never learned."""
    return (cells["n"] > 0) & (2 * cells["n_chance"] >= cells["n"]).fillna(False)


def _colour_limits(means: pd.Series[float], metric: str) -> tuple[float, float]:
    """The ends of the colour scale: 0 to 1 for accuracies, up to the 90th percentile for losses."""
    return (float(means.min()), float(means.quantile(0.9))) if lower_is_better(metric) else (0.0, 1.0)


def _cell_grid(
    cells: pd.DataFrame, names: list[str], rows: list[Any], columns: list[Any], values: pd.Series[Any]
) -> np.ndarray:
    """Values by row and column; a condition on which an axis is void fills all along that axis."""
    import numpy as np
    import pandas as pd

    grid = np.full((len(rows), len(columns)), np.nan)
    for value, (_, cell) in zip(values, cells.iterrows(), strict=True):
        row, column = (cell[f"param_{name}"] for name in names)
        at_row = slice(None) if pd.isna(row) else rows.index(row)
        at_column = slice(None) if pd.isna(column) else columns.index(column)
        grid[at_row, at_column] = value
    return grid


def _draw_cells(
    axes: Axes, grid: np.ndarray, limits: tuple[float, float], cell_width: float, cell_height: float
) -> Any:
    """Draw one arm's cells, with their values where these fit into a cell of this size in inches."""
    import numpy as np

    low, high = limits
    image = axes.imshow(grid, vmin=low, vmax=high, cmap="cividis", aspect="auto", interpolation="none")
    if cell_width >= 0.5 and cell_height >= 0.2:
        for (row, column), value in np.ndenumerate(grid):
            text = "" if np.isnan(value) else f"{value:.3f}" if abs(value) < 1000 else f"{value:.1g}"
            colour = "white" if value < low + 0.6 * (high - low) else "black"
            axes.text(column, row, text, ha="center", va="center", fontsize=9, color=colour)
    return image


def _hatch(axes: Axes, unlearned: np.ndarray) -> None:
    """Hatch the cells whose seeds did not learn, behind their numbers."""
    import numpy as np
    from matplotlib.patches import Rectangle

    for row, column in np.argwhere(unlearned == 1):
        corner = (column - 0.5, row - 0.5)
        axes.add_patch(Rectangle(corner, 1, 1, fill=False, hatch="////", edgecolor="white", lw=0, alpha=0.55))


def _label_cells(
    grid: np.ndarray, n_panels: int, names: list[str], values: tuple[list[Any], list[Any]], size: tuple[float, float]
) -> None:
    """Name rows and columns of the cells at the outer panels, as many of them as there is room for."""
    n_columns = grid.shape[1]
    (height, width), (rows, columns) = size, values
    labels = [wrapped(show(value), 1.8) for value in columns]
    upright = max(map(len, labels)) * CHAR > width / len(columns)
    steps = [math.ceil(0.22 * len(rows) / height), math.ceil(0.25 * len(columns) / width)]
    for axes in grid.flat[max(0, n_panels - n_columns) : n_panels]:
        axes.set_xticks(range(0, len(columns), steps[1]), labels[:: steps[1]], rotation=60 if upright else 0)
        axes.set_xlabel(names[1])
        axes.tick_params(labelbottom=True)
    for axes in grid[:, 0]:
        axes.set_yticks(range(0, len(rows), steps[0]), [wrapped(show(value), 1.8) for value in rows[:: steps[0]]])
        axes.set_ylabel(names[0])


def draw_dataset(data: Dataset) -> Figure:
    """Draw a data set: points coloured by class, a grid of labelled images, or two principal components."""
    return _draw_images(data) if data.is_image else _draw_points(data, *_in_the_plane(data))


def _in_the_plane(data: Dataset) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Two coordinates for every training and validation row, and what they are."""
    import numpy as np

    train, val = (x.reshape(len(x), -1) for x in (data.x_train, data.x_val))
    if train.shape[1] == 2:
        return train, val, data.feature_names or ("x1", "x2")
    if train.shape[1] == 1:
        names = (*(data.feature_names or ("x1",)), "class number")
        return np.column_stack([train, data.y_train]), np.column_stack([val, data.y_val]), names
    from sklearn.decomposition import PCA

    pca = PCA(n_components=2, random_state=0).fit(train)
    shares = pca.explained_variance_ratio_
    names = tuple(f"principal component {i + 1} ({share:.0%} of variance)" for i, share in enumerate(shares))
    return pca.transform(train), pca.transform(val), names


def _draw_points(data: Dataset, train: np.ndarray, val: np.ndarray, names: tuple[str, ...]) -> Figure:
    figure = blank(9.0, 4.4)
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    parts = (("training", train, data.y_train), ("validation", val, data.y_val))
    for axes, (part, x, y) in zip(panels, parts, strict=True):
        for number, name in enumerate(data.class_names):
            turn, place = divmod(number, len(COLOURS) - 1)
            look = {
                "color": COLOURS[1:][place],
                "marker": CLASS_MARKERS[turn % len(CLASS_MARKERS)],
                "label": short(name),
            }
            chosen = x[y == number]
            axes.scatter(chosen[:, 0], chosen[:, 1], s=10, alpha=0.7, lw=0.5, **look)
        axes.set_title(f"{part}, {len(y)} rows", fontsize=10)
        axes.set(xlabel=wrapped(names[0], 3.4), ylabel=wrapped(names[1], 3.4))
        axes.label_outer()
        if data.input_shape == (1,):
            axes.set_yticks(range(data.n_classes)[:: math.ceil(data.n_classes / 20)])
    handles, labels = (found[:MAX_LEGEND_CLASSES] for found in panels[0].get_legend_handles_labels())
    title = "class" if data.n_classes == len(labels) else f"first {len(labels)} of {data.n_classes} classes"
    figure.legend(handles, labels, loc="outside right upper", title=title, frameon=False)
    figure.suptitle(wrapped(data.name, 9.0), fontsize=10)
    return figure


def _draw_images(data: Dataset, per_class: int = 8) -> Figure:
    """The first training images of each class, a row a class (at most 20 rows)."""
    shown = data.class_names[:20]
    figure = blank(per_class * 0.7 + 1.4, len(shown) * 0.7 + 0.6)
    grid = figure.subplots(len(shown), per_class, squeeze=False)
    low, high = float(data.x_train.min()), float(data.x_train.max())
    for number, row in enumerate(grid):
        images = data.x_train[data.y_train == number][:per_class]
        for place, axes in enumerate(row):
            axes.set(xticks=[], yticks=[])
            axes.set_frame_on(False)
            if place < len(images):
                _show_image(axes, images[place], low, high)
        row[0].set_ylabel(wrapped(shown[number], 1.4), rotation=0, ha="right", va="center")
    figure.suptitle(wrapped(f"{data.name}: first training images by class", figure.get_figwidth()), fontsize=10)
    return figure


def _show_image(axes: Axes, image: Any, low: float, high: float) -> None:
    if image.shape[-1] in (3, 4):
        axes.imshow((image - low) / ((high - low) or 1.0))
    else:
        axes.imshow(image[..., 0], cmap="gray", vmin=low, vmax=high)
