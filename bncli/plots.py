"""Figures from tables of numbers: no training, no files, no global style.

A figure is a function from a `Picture` to a matplotlib `Figure`, or to None where the study has nothing for it.
An arm keeps one colour and one marker in every figure.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bncli.registry import Registry

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from bncli.datasets import Dataset

COLOURS = ("#595959", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6D31")
"""Okabe and Ito's palette, which colour-blind readers can tell apart; the baseline, the first arm, is grey."""

LINES = ("-", "-", "-", "-", "--", "--", "--", "--")
LABELS = {"val_accuracy": "validation accuracy", "accuracy": "training accuracy (as fit reports it)"}
MAX_PANELS = 48


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
        return LINES[self.arms.index(arm) % len(LINES)]


REGISTRY: Registry[Callable[[Picture], Any]] = Registry("figure")
register = REGISTRY.register


def draw_all(picture: Picture) -> dict[str, Figure]:
    """Draw every registered figure that the study has the columns for, by name."""
    drawn = {name: REGISTRY[name](picture) for name in REGISTRY}
    return {name: figure for name, figure in drawn.items() if figure is not None}


@register("curves")
def curves(picture: Picture) -> Figure | None:
    """Validation accuracy by epoch, a panel a point of the axes, mean over seeds with a band of one sd."""
    points = _points(picture)
    if picture.history.empty or len(points) > MAX_PANELS:
        return None
    n_columns = _n_columns(picture, len(points))
    n_rows = math.ceil(len(points) / n_columns)
    figure = _figure(3.4 * n_columns + 0.6, 2.5 * n_rows + 1.0)
    grid = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False)
    for place, axes in enumerate(grid.flat):
        if place >= len(points):
            axes.set_visible(False)
            continue
        label, rows = points[place]
        _draw_curves(axes, picture, rows, "val_accuracy")
        axes.set_title(label, fontsize=9)
    for axes in grid[-1]:
        axes.set_xlabel("epoch")
    for axes in grid[:, 0]:
        axes.set_ylabel(LABELS["val_accuracy"])
    _finish(figure, picture, "mean over seeds, band: 1 sd")
    return figure


@register("train_val")
def train_val(picture: Picture) -> Figure | None:
    """Training accuracy beside validation accuracy by epoch, the tutorials' picture, for a study without axes."""
    if picture.history.empty or picture.axes:
        return None
    figure = _figure(8.6, 3.8)
    for axes, metric in zip(figure.subplots(1, 2, sharey=True), ("accuracy", "val_accuracy"), strict=True):
        _draw_curves(axes, picture, picture.history, metric)
        axes.set(title=LABELS[metric], xlabel="epoch", ylabel="accuracy")
        axes.label_outer()
    _finish(figure, picture, "mean over seeds, band: 1 sd")
    return figure


@register("heatmap")
def heatmap(picture: Picture) -> Figure | None:
    """Final validation accuracy over two axes, a panel an arm, one colour scale."""
    varied = [name for name in picture.axes if picture.conditions[f"param_{name}"].nunique() > 1]
    if len(varied) != 2:
        return None
    table = picture.conditions
    rows, columns = (list(dict.fromkeys(table[f"param_{name}"].dropna())) for name in varied)
    width = max(2.4, 0.75 * len(columns) + 1.2)
    figure = _figure(width * len(picture.arms) + 1.4, max(2.6, 0.5 * len(rows) + 2.0))
    panels = figure.subplots(1, len(picture.arms), squeeze=False)[0]
    for axes, arm in zip(panels, picture.arms, strict=True):
        cells = table[table["arm"] == arm]
        image = _draw_cells(axes, cells, varied, rows, columns)
        axes.set(title=arm, xlabel=varied[1])
    panels[0].set_ylabel(varied[0])
    figure.colorbar(image, ax=list(panels), label=LABELS["val_accuracy"], shrink=0.85)
    _title(figure, picture, f"mean over seeds, {_n_text(picture)}")
    return figure


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained", dpi=130)


def _points(picture: Picture) -> list[tuple[str, pd.DataFrame]]:
    """The history, taken apart by the point of the axes; arms on which an axis is void join every point."""
    import pandas as pd

    names = [f"param_{name}" for name in picture.axes]
    history = picture.history
    if not names or history.empty:
        return [("", history)]
    points = history[names].dropna().drop_duplicates()
    found = []
    for values in points.itertuples(index=False):
        mask = pd.Series(True, index=history.index)
        for name, value in zip(names, values, strict=True):
            mask = mask & ((history[name] == value) | history[name].isna())
        label = ", ".join(f"{name} {_short(value)}" for name, value in zip(picture.axes, values, strict=True))
        found.append((label, history[mask]))
    return found


def _n_columns(picture: Picture, n_points: int) -> int:
    """One row a value of the first of several axes; a single axis wraps."""
    if len(picture.axes) > 1:
        first = picture.history[f"param_{picture.axes[0]}"].nunique()
        if n_points % first == 0 and n_points // first <= 6:
            return n_points // first
    return min(n_points, 4)


def _short(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _draw_curves(axes: Axes, picture: Picture, rows: pd.DataFrame, metric: str) -> None:
    from matplotlib.ticker import MaxNLocator

    for arm in picture.arms:
        runs = rows[rows["arm"] == arm]
        if runs.empty:
            continue
        by_epoch = runs.groupby("epoch")[metric]
        mean, sd = by_epoch.mean(), by_epoch.std(ddof=1).fillna(0.0)
        marker = "o" if len(mean) == 1 else None
        axes.plot(mean.index, mean, picture.line(arm), color=picture.colour(arm), label=arm, lw=1.8, marker=marker)
        low, high = (mean - sd).clip(lower=0), (mean + sd).clip(upper=1)
        axes.fill_between(mean.index, low, high, color=picture.colour(arm), alpha=0.18, lw=0)
    if picture.chance is not None:
        axes.axhline(picture.chance, color="0.6", lw=0.8, ls=":", zorder=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.25, lw=0.6)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_cells(axes: Axes, cells: pd.DataFrame, names: list[str], rows: list[Any], columns: list[Any]) -> Any:
    import numpy as np

    grid = np.full((len(rows), len(columns)), np.nan)
    for _, cell in cells.iterrows():
        at = [cell[f"param_{name}"] for name in names]
        which = [
            [place for place, value in enumerate(all_) if at_ in (value, None)]
            for at_, all_ in zip(at, (rows, columns), strict=True)
        ]
        grid[np.ix_(*which)] = cell["mean_val_accuracy"]
    image = axes.imshow(grid, vmin=0, vmax=1, cmap="cividis", aspect="auto")
    axes.set_xticks(range(len(columns)), [_short(value) for value in columns], rotation=0 if len(columns) < 6 else 60)
    axes.set_yticks(range(len(rows)), [_short(value) for value in rows])
    for (row, column), value in np.ndenumerate(grid):
        text = "" if np.isnan(value) else f"{value:.3f}"
        axes.text(column, row, text, ha="center", va="center", fontsize=9, color="white" if value < 0.6 else "black")
    return image


def _finish(figure: Figure, picture: Picture, caption: str) -> None:
    """Put title, caption and one legend for all panels around them."""
    line = "" if picture.chance is None else ", dotted: a constant answer"
    _title(figure, picture, f"{caption}, {_n_text(picture)}{line}")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 6), frameon=False)


def _title(figure: Figure, picture: Picture, caption: str) -> None:
    figure.suptitle(f"{picture.title}  ({caption})", fontsize=10)


def _n_text(picture: Picture) -> str:
    low, high = picture.conditions["n"].min(), picture.conditions["n"].max()
    return f"n = {low}" if low == high else f"n = {low} to {high}"


def draw_dataset(data: Dataset) -> Figure:
    """Draw a data set: points coloured by class, a grid of labelled images, or two principal components."""
    if data.is_image:
        return _draw_images(data)
    if len(data.input_shape) == 1 and data.input_shape[0] == 2:
        names = data.feature_names or ("x1", "x2")
        return _draw_points(data, data.x_train, data.x_val, names)
    from sklearn.decomposition import PCA

    flat_train, flat_val = (x.reshape(len(x), -1) for x in (data.x_train, data.x_val))
    pca = PCA(n_components=2, random_state=0).fit(flat_train)
    shares = pca.explained_variance_ratio_
    names = tuple(f"principal component {i + 1} ({share:.0%} of variance)" for i, share in enumerate(shares))
    return _draw_points(data, pca.transform(flat_train), pca.transform(flat_val), names)


def _draw_points(data: Dataset, train: Any, val: Any, names: tuple[str, ...]) -> Figure:
    figure = _figure(9.0, 4.4)
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    for axes, part, x, y in zip(
        panels, ("training", "validation"), (train, val), (data.y_train, data.y_val), strict=True
    ):
        for number, name in enumerate(data.class_names):
            chosen = x[y == number]
            colour = COLOURS[1:][number % (len(COLOURS) - 1)]
            axes.scatter(chosen[:, 0], chosen[:, 1], s=10, alpha=0.7, color=colour, label=name, lw=0)
        axes.set(title=f"{part}, {len(y)} rows", xlabel=names[0], ylabel=names[1])
        axes.label_outer()
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", title="class", frameon=False)
    figure.suptitle(data.name, fontsize=10)
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
        row[0].set_ylabel(shown[number], rotation=0, ha="right", va="center")
    figure.suptitle(f"{data.name}: first training images by class", fontsize=10)
    return figure


def _show_image(axes: Axes, image: Any, low: float, high: float) -> None:
    if image.shape[-1] in (3, 4):
        axes.imshow((image - low) / ((high - low) or 1.0))
    else:
        axes.imshow(image[..., 0], cmap="gray", vmin=low, vmax=high)
