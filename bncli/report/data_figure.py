"""The figure of a data set."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bncli.data.facts import PART_NAMES
from bncli.data.sequences import is_step
from bncli.report.canvas import blank
from bncli.report.style import COLOURS, short, wrapped

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from bncli.data.dataset import Dataset


CLASS_MARKERS = ("o", "^", "s", "x", "D", "v", "*")

MAX_LEGEND_CLASSES = 18


def draw_dataset(data: Dataset) -> Figure:
    """Draw a data set: a grid of images or sequences, else the points of every part, coloured by class.

    More than two features are shown by their first two principal components.
    """
    if data.padding is not None:
        return _draw_images(data, _as_images(data), "sequences (features by steps)")
    if data.is_image:
        return _draw_images(data, data.x_train, "images")
    return _draw_points(data, *_coordinates(data))


def _coordinates(data: Dataset) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Two coordinates of the rows of every part, and their names."""
    import numpy as np

    parts = {part: x.reshape(len(x), -1) for part, (x, _) in data.parts.items()}
    width = parts["train"].shape[1]
    if width == 2:
        return parts, data.feature_names or ("x1", "x2")
    if width == 1:
        names = (*(data.feature_names or ("x1",)), "class number" if data.class_names else "label")
        return {part: np.column_stack([x, data.labels(part)]) for part, x in parts.items()}, names
    from sklearn.decomposition import PCA

    pca = PCA(n_components=2, random_state=0).fit(parts["train"])
    shares = pca.explained_variance_ratio_
    names = tuple(f"principal component {i + 1} ({share:.0%} of variance)" for i, share in enumerate(shares))
    return {part: pca.transform(x) for part, x in parts.items()}, names


def _draw_points(data: Dataset, parts: Mapping[str, np.ndarray], names: tuple[str, ...]) -> Figure:
    width = 4.5 * len(parts)
    figure = blank(width, 4.4)
    panels = figure.subplots(1, len(parts), sharex=True, sharey=True)
    for axes, (part, x) in zip(panels, parts.items(), strict=True):
        y = data.labels(part)
        if data.class_names:
            _scatter_classes(axes, data, x, y)
        else:
            limits = {"vmin": data.labels("train").min(), "vmax": data.labels("train").max()}
            points = axes.scatter(x[:, 0], x[:, 1], c=y, s=10, alpha=0.8, lw=0, cmap="viridis", **limits)
        axes.set_title(f"{PART_NAMES[part]}, {len(y)} rows", fontsize=10)
        axes.set(xlabel=wrapped(names[0], 3.4), ylabel=wrapped(names[1], 3.4))
        axes.label_outer()
        if data.input_shape == (1,) and data.class_names:
            axes.set_yticks(range(data.n_classes)[:: math.ceil(data.n_classes / 20)])
    if data.class_names:
        _name_classes(figure, panels[0], data)
    else:
        figure.colorbar(points, ax=panels, label="label")
    figure.suptitle(wrapped(data.name, width), fontsize=10)
    return figure


def _scatter_classes(axes: Axes, data: Dataset, x: np.ndarray, y: np.ndarray) -> None:
    for number, name in enumerate(data.class_names):
        turn, place = divmod(number, len(COLOURS) - 1)
        look: dict[str, Any] = {
            "color": COLOURS[1:][place],
            "marker": CLASS_MARKERS[turn % len(CLASS_MARKERS)],
            "label": short(name),
        }
        chosen = x[y == number]
        axes.scatter(chosen[:, 0], chosen[:, 1], s=10, alpha=0.7, lw=0.5, **look)


def _name_classes(figure: Figure, axes: Axes, data: Dataset) -> None:
    handles, labels = axes.get_legend_handles_labels()
    handles, labels = handles[:MAX_LEGEND_CLASSES], labels[:MAX_LEGEND_CLASSES]
    title = "class" if data.n_classes == len(labels) else f"first {len(labels)} of {data.n_classes} classes"
    figure.legend(handles, labels, loc="outside right upper", title=title, frameon=False)


def _as_images(data: Dataset) -> np.ndarray:
    """The training rows of sequences as images, a column per step; padded steps are NaN, which stays blank."""
    import numpy as np

    steps = is_step(data.x_train, data.padding or 0.0)
    return np.where(steps[..., None], data.x_train, np.nan).swapaxes(1, 2)[..., None]


def _draw_images(data: Dataset, rows: np.ndarray, kind: str, per_class: int = 8) -> Figure:
    """Draw the first training images of each class, one row per class (at most 20 rows); in regression one row."""
    import numpy as np

    shown = data.class_names[:20] or ("",)
    figure = blank(per_class * 0.7 + 1.4, len(shown) * 0.7 + 0.6)
    grid = figure.subplots(len(shown), per_class, squeeze=False)
    low, high = float(np.nanmin(rows)), float(np.nanmax(rows))
    for number, row in enumerate(grid):
        images = (rows[data.y_train == number] if data.class_names else rows)[:per_class]
        for place, axes in enumerate(row):
            axes.set(xticks=[], yticks=[])
            axes.set_frame_on(False)
            if place < len(images):
                _show_image(axes, images[place], low, high)
        row[0].set_ylabel(wrapped(shown[number], 1.4), rotation=0, ha="right", va="center")
    figure.suptitle(wrapped(f"{data.name}: first training {kind} by class", figure.get_figwidth()), fontsize=10)
    return figure


def _show_image(axes: Axes, image: Any, low: float, high: float) -> None:
    if image.shape[-1] in (3, 4):
        axes.imshow((image - low) / ((high - low) or 1.0))
    else:
        axes.imshow(image[..., 0], cmap="gray", vmin=low, vmax=high, aspect=None if image.shape[0] > 5 else "auto")
