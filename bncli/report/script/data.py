"""The lines of a script that load a run's data."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass, field

from bncli.analysis.tables import task_of
from bncli.config import ABSENT, RunConfig
from bncli.data import datasets
from bncli.data.columns import AUTO
from bncli.resolution import has_value
from bncli.tasks.task import REGRESSION
from bncli.values import show

ROWS_FILE = "rows.npz"
"""Where a script looks for rows that bncli exports."""


ROWS_AND_SCALING = ("train_rows", "val_rows", "scaling")


@dataclass
class DataCode:
    """Lines that define `x_train`, `y_train`, `x_val` and `y_val`, and what they import.

    Attributes:
        lines: The lines.
        imports: Import lines.
        pixel_max: By what `scaling=unit` divides; None where there are no pixels.
    """

    lines: list[str]
    imports: list[str] = field(default_factory=list)
    pixel_max: int | None = None


def data_code(config: RunConfig) -> DataCode:
    """Return the code for the data of a resolved run.

    Data sets of scikit-learn and Keras are loaded as tutorials load them. All other rows are read from a file, which
    the line above it tells how to export.
    """
    make = None if config.test_size else MAKERS.get(config.dataset)
    if make is None:
        code = _exported(config)
    else:
        code = make(config)
        code.lines += _selected("train", config.train_rows) + _selected("val", config.val_rows)
        code = _scaled(code, config.scaling)
    code.lines += _target(config) if task_of([config]) == REGRESSION else []
    return code


def _target(config: RunConfig) -> list[str]:
    """Lines that scale quantities and give them the shape of outputs."""
    scaled = "(y - mean) / sd" if config.target_scaling == "standard" else "y"
    return [
        *(["mean, sd = y_train.mean(), y_train.std()"] if config.target_scaling == "standard" else []),
        f'y_train, y_val = (({scaled}).astype("float32")[:, None] for y in (y_train, y_val))'.replace("(y)", "y"),
    ]


def _selected(part: str, rows: str) -> list[str]:
    return [] if rows == ":" else [f"x_{part}, y_{part} = x_{part}[{rows}], y_{part}[{rows}]"]


def _scaled(code: DataCode, scaling: str) -> DataCode:
    if scaling == "unit":
        code.lines.append(f'x_train, x_val = (x.astype("float32") / {code.pixel_max} for x in (x_train, x_val))')
        return code
    if scaling == "standard":
        code.imports.append("from sklearn.preprocessing import StandardScaler")
        code.lines += [
            "scaler = StandardScaler().fit(x_train.reshape(len(x_train), -1))",
            "x_train, x_val = (scaler.transform(x.reshape(len(x), -1)).reshape(x.shape) for x in (x_train, x_val))",
        ]
    code.lines.append('x_train, x_val = x_train.astype("float32"), x_val.astype("float32")')
    return code


def _digits(config: RunConfig) -> DataCode:
    code = _stratified(config, "load_digits", "bunch.images[..., None], bunch.target")
    code.pixel_max = 16
    return code


def _breast_cancer(config: RunConfig) -> DataCode:
    return _stratified(config, "load_breast_cancer", "bunch.data, 1 - bunch.target  # benign is class 0")


def _stratified(config: RunConfig, loader: str, rows: str) -> DataCode:
    """A data set of scikit-learn of which a quarter of every class is for validation."""
    return _split(config, loader, [f"bunch = {loader}()", f"x, y = {rows}"], "stratify=y, ")


def _split(config: RunConfig, loader: str, lines: list[str], how: str = "") -> DataCode:
    """Rows of scikit-learn of which a quarter is for validation."""
    split = f"x, y, test_size=0.25, {how}random_state={datasets.drawn_with(config)}"
    imports = [f"from sklearn.datasets import {loader}", "from sklearn.model_selection import train_test_split"]
    return DataCode([*lines, f"x_train, x_val, y_train, y_val = train_test_split({split})"], imports)


def _diabetes(config: RunConfig) -> DataCode:
    return _split(config, "load_diabetes", ["x, y = load_diabetes(return_X_y=True, scaled=False)"])


def _friedman1(config: RunConfig) -> DataCode:
    made = f"n_samples={config.n_samples}, noise={config.noise}, random_state={datasets.drawn_with(config)}"
    return _split(config, "make_friedman1", [f"x, y = make_friedman1({made})"])


def _generated(maker: str) -> Callable[[RunConfig], DataCode]:
    def make(config: RunConfig) -> DataCode:
        seed = datasets.drawn_with(config)
        lines = [
            f"x, y = {maker}(n_samples={config.n_samples}, noise={config.noise}, random_state={seed})",
            "x_train, x_val, y_train, y_val = (*np.split(x, [len(x) // 2]), *np.split(y, [len(y) // 2]))",
        ]
        return DataCode(lines, [f"from sklearn.datasets import {maker}"])

    return make


def _of_keras(config: RunConfig) -> DataCode:
    lines = [
        f"(x_train, y_train), (x_val, y_val) = keras.datasets.{config.dataset}.load_data()",
        "x_train, x_val = x_train[..., None], x_val[..., None]",
    ]
    return DataCode(lines, pixel_max=255)


MAKERS: dict[str, Callable[[RunConfig], DataCode]] = {
    "digits": _digits,
    "breast_cancer": _breast_cancer,
    "circles": _generated("make_circles"),
    "moons": _generated("make_moons"),
    "diabetes": _diabetes,
    "friedman1": _friedman1,
    "mnist": _of_keras,
    "fashion_mnist": _of_keras,
}
"""The data sets that a program can load without bncli, by name."""


def export_command(config: RunConfig) -> str:
    """Return the command that writes the rows that a program reads, selected and scaled; empty if it loads its data."""
    if not config.test_size and config.dataset in MAKERS:
        return ""
    fields = {
        "data_seed": datasets.drawn_with(config) if config.vary_data else config.data_seed,
        **{
            name: getattr(config, name)
            for name in ("encode", "impute", "padding", "n_samples", "noise", "class_balance", *ROWS_AND_SCALING)
        },
    }
    words = ["bncli", "dataset", config.dataset, *(["--label", config.label] if config.label else [])]
    words += ["--set", f"task={config.task}"] if not has_value(config, "task", "auto") else []
    words += ["--test-size", f"{config.test_size:g}"] if config.test_size else []
    for name, value in fields.items():
        words += [] if value in (None, ABSENT[name]) else ["--set", f"{name}={show(value)}"]
    if datasets.load(config).preparation and not has_value(config, "drop", AUTO):
        words += ["--set", f"drop={config.drop or 'none'}"]
    return shlex.join([*words, "--export", ROWS_FILE])


def _exported(config: RunConfig) -> DataCode:
    """Rows that bncli writes to a file."""
    held_out = "test" if datasets.load(config).x_test is None else "val"
    lines = [
        f"# The rows come from: {export_command(config)}",
        f'rows = np.load("{ROWS_FILE}")',
        'x_train, y_train = rows["x_train"], rows["y_train"]',
        f'x_val, y_val = rows["x_{held_out}"], rows["y_{held_out}"]',
    ]
    return DataCode(lines)
