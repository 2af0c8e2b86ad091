"""Figures from tables of numbers: no training, no files, no global style.

A figure is a function from a `Picture` to a matplotlib `Figure`, or to None where the study has nothing for it.
An arm keeps one colour and one line style in every figure.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bncli.registry import Registry
from bncli.study import show
from bncli.summary import points

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from bncli.datasets import Dataset

COLOURS = ("#595959", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6D31")
"""Okabe and Ito's palette, which colour-blind readers can tell apart; the baseline, the first arm, is grey."""

LINES = ("-", "--", "-.", ":")
"""Four arms share a line style; with the eight colours that tells 16 arms apart."""

MARKERS = ("o", "^", "s", "x", "D", "v", "*")
LABELS = {"val_accuracy": "validation accuracy", "accuracy": "training accuracy (as fit reports it)"}
MAX_PANELS = 48
MAX_LEGEND_CLASSES = 18
CHAR = 0.08
"""Width of a character in inches at 10 points, on the generous side."""


@dataclass(frozen=True)
class Picture:
    """What figures are drawn from.

    Attributes:
        title: The study's name.
        arms: Labels in the study's order, the baseline first.
        axes: The names of the axes.
        conditions: `summary.conditions_table`.
        history: `summary.history_table`.
        chance: Accuracy of the best constant answer, or None where unknown.
    """

    title: str
    arms: tuple[str, ...]
    axes: tuple[str, ...]
    conditions: pd.DataFrame
    history: pd.DataFrame
    chance: float | None = None

    def colour(self, arm: str) -> str:
        """The colour of an arm."""
        return COLOURS[self.arms.index(arm) % len(COLOURS)]

    def line(self, arm: str) -> str:
        """The line style of an arm."""
        return LINES[self.arms.index(arm) // 4 % len(LINES)]


REGISTRY: Registry[Callable[[Picture], Any]] = Registry("figure")
register = REGISTRY.register


def draw_all(picture: Picture) -> dict[str, Figure]:
    """Draw every registered figure that the study has the columns for, by name."""
    drawn = {name: REGISTRY[name](picture) for name in REGISTRY}
    return {name: figure for name, figure in drawn.items() if figure is not None}


@register("curves")
def curves(picture: Picture) -> Figure | None:
    """Validation accuracy by epoch, a panel a point of the axes, mean over seeds with a band of one sd."""
    panels = _panels(picture)
    if not 0 < len(panels) <= MAX_PANELS:
        return None
    n_columns = _n_columns(picture, len(panels))
    n_rows = math.ceil(len(panels) / n_columns)
    figure = _figure(max(5.4, 3.4 * n_columns + 0.6), 2.5 * n_rows + 1.0)
    grid = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False)
    for axes, (label, rows) in zip(grid.flat, panels, strict=False):
        _draw_curves(axes, picture, rows, "val_accuracy")
        axes.set_title(_wrapped(label, 3.4, size=9), fontsize=9)
    for axes in grid.flat[len(panels) :]:
        axes.remove()
    for axes in grid.flat[max(0, len(panels) - n_columns) : len(panels)]:
        axes.set_xlabel("epoch")
        axes.tick_params(labelbottom=True)
    for axes in grid[:, 0]:
        axes.set_ylabel(LABELS["val_accuracy"])
    _finish(figure, picture)
    return figure


@register("train_val")
def train_val(picture: Picture) -> Figure | None:
    """Training accuracy beside validation accuracy by epoch, the tutorials' picture, for a study without axes."""
    if picture.history.empty or picture.axes:
        return None
    figure = _figure(8.6, 3.8)
    for axes, metric in zip(figure.subplots(1, 2, sharey=True), ("accuracy", "val_accuracy"), strict=True):
        _draw_curves(axes, picture, picture.history, metric)
        axes.set_title(LABELS[metric], fontsize=9)
        axes.set(xlabel="epoch", ylabel="accuracy")
        axes.label_outer()
    _finish(figure, picture)
    return figure


@register("heatmap")
def heatmap(picture: Picture) -> Figure | None:
    """Final validation accuracy over two axes, a panel an arm, one colour scale."""
    table = picture.conditions
    varied = [name for name in picture.axes if table[f"param_{name}"].nunique() > 1]
    arms = [arm for arm in picture.arms if (table["arm"] == arm).any()]
    if len(varied) != 2 or len(arms) > MAX_PANELS:
        return None
    rows, columns = (list(dict.fromkeys(table[f"param_{name}"].dropna())) for name in varied)
    width, height = min(max(2.0, 0.75 * len(columns)), 12.0), min(max(1.2, 0.5 * len(rows)), 6.0)
    n_columns = min(len(arms), max(1, int(14 // (width + 0.6))))
    n_rows = math.ceil(len(arms) / n_columns)
    figure = _figure((width + 0.6) * n_columns + 2.0, (height + 0.8) * n_rows + 1.0)
    grid = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False)
    for axes, arm in zip(grid.flat, arms, strict=False):
        cells = table[table["arm"] == arm]
        image = _draw_cells(axes, _cell_grid(cells, varied, rows, columns), width / len(columns), height / len(rows))
        axes.set_title(_wrapped(arm, width, size=9), fontsize=9)
    for axes in grid.flat[len(arms) :]:
        axes.remove()
    _label_cells(grid, len(arms), varied, (rows, columns), (height, width))
    figure.colorbar(image, ax=list(grid.flat[: len(arms)]), label=LABELS["val_accuracy"], shrink=0.85)
    _title(figure, picture, [_n_text(picture)])
    return figure


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained", dpi=130)


def _wrapped(text: str, width: float, size: float = 10) -> str:
    """Break a text into lines of at most `width` inches; a dollar sign starts no formula."""
    lines = textwrap.wrap(text.replace("+", " +"), max(8, int(width / (CHAR * size / 10))))
    return "\n".join(lines).replace(" +", "+").replace("$", r"\$")


def _short(name: str, length: int = 24) -> str:
    return (name if len(name) <= length else name[: length - 1] + "…").replace("$", r"\$")


def _panels(picture: Picture) -> list[tuple[str, pd.DataFrame]]:
    """The history, taken apart by the points of the axes, each with a label."""
    parts = []
    for point, places in points(picture.conditions).items():
        rows = picture.history[picture.history["condition"].isin(places)]
        values = zip(picture.axes, point, strict=True)
        label = ", ".join(f"{name} {show(value)}" for name, value in values if value is not None)
        parts.append((label, rows))
    return [(label, rows) for label, rows in parts if not rows.empty]


def _n_columns(picture: Picture, n_panels: int) -> int:
    """One row a value of the first of several axes; a single axis wraps."""
    if len(picture.axes) > 1:
        first = picture.conditions[f"param_{picture.axes[0]}"].nunique()
        if first and n_panels % first == 0 and n_panels // first <= 6:
            return n_panels // first
    n_rows = math.ceil(n_panels / 4)
    return math.ceil(n_panels / n_rows)


def _draw_curves(axes: Axes, picture: Picture, rows: pd.DataFrame, metric: str) -> None:
    from matplotlib.ticker import MaxNLocator

    for arm in picture.arms:
        runs = rows[rows["arm"] == arm]
        if runs.empty:
            continue
        by_epoch = runs.pivot(index="epoch", columns="run_id", values=metric).ffill()
        mean, sd = by_epoch.mean(axis=1), by_epoch.std(axis=1, ddof=1).fillna(0.0)
        marker = "o" if len(mean) == 1 else None
        axes.plot(mean.index, mean, picture.line(arm), color=picture.colour(arm), label=arm, lw=1.8, marker=marker)
        low, high = (mean - sd).clip(lower=0), (mean + sd).clip(upper=1)
        axes.fill_between(mean.index, low, high, color=picture.colour(arm), alpha=0.18, lw=0)
    if picture.chance is not None:
        axes.axhline(picture.chance, color="0.6", lw=0.8, ls=":", zorder=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(alpha=0.25, lw=0.6)
    axes.spines[["top", "right"]].set_visible(False)


def _cell_grid(cells: pd.DataFrame, names: list[str], rows: list[Any], columns: list[Any]) -> np.ndarray:
    """Mean accuracy by row and column; a condition on which an axis is void fills all along that axis."""
    import numpy as np
    import pandas as pd

    grid = np.full((len(rows), len(columns)), np.nan)
    for _, cell in cells.iterrows():
        row, column = (cell[f"param_{name}"] for name in names)
        at_row = slice(None) if pd.isna(row) else rows.index(row)
        at_column = slice(None) if pd.isna(column) else columns.index(column)
        grid[at_row, at_column] = cell["mean_val_accuracy"]
    return grid


def _draw_cells(axes: Axes, grid: np.ndarray, cell_width: float, cell_height: float) -> Any:
    """Draw one arm's cells, with their values where these fit into a cell of this size in inches."""
    import numpy as np

    image = axes.imshow(grid, vmin=0, vmax=1, cmap="cividis", aspect="auto")
    if cell_width >= 0.5 and cell_height >= 0.2:
        for (row, column), value in np.ndenumerate(grid):
            text = "" if np.isnan(value) else f"{value:.3f}"
            colour = "white" if value < 0.6 else "black"
            axes.text(column, row, text, ha="center", va="center", fontsize=9, color=colour)
    return image


def _label_cells(
    grid: np.ndarray, n_panels: int, names: list[str], values: tuple[list[Any], list[Any]], size: tuple[float, float]
) -> None:
    """Name rows and columns of the cells at the outer panels, as many of them as there is room for."""
    n_columns = grid.shape[1]
    (height, width), (rows, columns) = size, values
    labels = [_wrapped(show(value), 1.8) for value in columns]
    upright = max(map(len, labels)) * CHAR > width / len(columns)
    steps = [math.ceil(0.22 * len(rows) / height), math.ceil(0.25 * len(columns) / width)]
    for axes in grid.flat[max(0, n_panels - n_columns) : n_panels]:
        axes.set_xticks(range(0, len(columns), steps[1]), labels[:: steps[1]], rotation=60 if upright else 0)
        axes.set_xlabel(names[1])
        axes.tick_params(labelbottom=True)
    for axes in grid[:, 0]:
        axes.set_yticks(range(0, len(rows), steps[0]), [_wrapped(show(value), 1.8) for value in rows[:: steps[0]]])
        axes.set_ylabel(names[0])


def _finish(figure: Figure, picture: Picture) -> None:
    """Put title, caption and one legend for all panels around them."""
    several = picture.conditions["n"].max() > 1
    caption = [_n_text(picture), *(["band: 1 sd"] if several else [])]
    if picture.conditions["n_diverged"].any():
        caption.append("diverged runs stay at their last value")
    if picture.chance is not None:
        caption.append("dotted: a constant answer")
    _title(figure, picture, caption)
    drawn: dict[str, Artist] = {}
    for axes in figure.axes:
        handles, labels = axes.get_legend_handles_labels()
        drawn |= {str(label): handle for label, handle in zip(labels, handles, strict=True)}
    arms = [arm for arm in picture.arms if arm in drawn]
    n_columns = max(1, int(figure.get_figwidth() / (CHAR * max(map(len, arms)) + 0.6)))
    figure.set_figheight(figure.get_figheight() + 0.22 * (math.ceil(len(arms) / n_columns) - 1))
    figure.legend([drawn[arm] for arm in arms], arms, loc="outside lower center", ncols=n_columns, frameon=False)


def _title(figure: Figure, picture: Picture, caption: Iterable[str]) -> None:
    text = _wrapped(f"{picture.title}  ({', '.join(caption)})", figure.get_figwidth())
    figure.set_figheight(figure.get_figheight() + 0.18 * text.count("\n"))
    figure.suptitle(text, fontsize=10)


def _n_text(picture: Picture) -> str:
    low, high = picture.conditions["n"].min(), picture.conditions["n"].max()
    if high <= 1:
        return "one seed"
    return f"mean over seeds, n = {low}" if low == high else f"mean over seeds, n = {low} to {high}"


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
    figure = _figure(9.0, 4.4)
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    parts = (("training", train, data.y_train), ("validation", val, data.y_val))
    for axes, (part, x, y) in zip(panels, parts, strict=True):
        for number, name in enumerate(data.class_names):
            turn, place = divmod(number, len(COLOURS) - 1)
            look = {"color": COLOURS[1:][place], "marker": MARKERS[turn % len(MARKERS)], "label": _short(name)}
            chosen = x[y == number]
            axes.scatter(chosen[:, 0], chosen[:, 1], s=10, alpha=0.7, lw=0.5, **look)
        axes.set_title(f"{part}, {len(y)} rows", fontsize=10)
        axes.set(xlabel=_wrapped(names[0], 3.4), ylabel=_wrapped(names[1], 3.4))
        axes.label_outer()
        if data.input_shape == (1,):
            axes.set_yticks(range(data.n_classes)[:: math.ceil(data.n_classes / 20)])
    handles, labels = (found[:MAX_LEGEND_CLASSES] for found in panels[0].get_legend_handles_labels())
    title = "class" if data.n_classes == len(labels) else f"first {len(labels)} of {data.n_classes} classes"
    figure.legend(handles, labels, loc="outside right upper", title=title, frameon=False)
    figure.suptitle(_wrapped(data.name, 9.0), fontsize=10)
    return figure


def _draw_images(data: Dataset, per_class: int = 8) -> Figure:
    """The first training images of each class, a row a class (at most 20 rows)."""
    shown = data.class_names[:20]
    figure = _figure(per_class * 0.7 + 1.4, len(shown) * 0.7 + 0.6)
    grid = figure.subplots(len(shown), per_class, squeeze=False)
    low, high = float(data.x_train.min()), float(data.x_train.max())
    for number, row in enumerate(grid):
        images = data.x_train[data.y_train == number][:per_class]
        for place, axes in enumerate(row):
            axes.set(xticks=[], yticks=[])
            axes.set_frame_on(False)
            if place < len(images):
                _show_image(axes, images[place], low, high)
        row[0].set_ylabel(_wrapped(shown[number], 1.4), rotation=0, ha="right", va="center")
    figure.suptitle(_wrapped(f"{data.name}: first training images by class", figure.get_figwidth()), fontsize=10)
    return figure


def _show_image(axes: Axes, image: Any, low: float, high: float) -> None:
    if image.shape[-1] in (3, 4):
        axes.imshow((image - low) / ((high - low) or 1.0))
    else:
        axes.imshow(image[..., 0], cmap="gray", vmin=low, vmax=high)
