"""What the columns of a table hold: numbers, flags or categories; what can't be a feature is refused by name."""

from __future__ import annotations

import csv
import io
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from bncli.errors import DataError, InvalidConfig
from bncli.registry import nearest
from bncli.values import plain_text

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


Kind = Literal["number", "flag", "category"]

AUTO = "auto"
"""The value of `drop` that leaves out columns without a name that number the rows, and nothing else."""

MISSING, NO_NUMBER = ("", "?"), ("-", "--", ".")
"""Texts that stand for a missing value, beside those that pandas knows (NA, NaN, null, None, ...): in all columns, and
in those whose other values are numbers.
"""

NUMBERS_ROWS, EMPTY, ASKED = "numbers the rows", "has no values", "drop"
"""Why a column is left out."""

FEW_TEXTS = 10
"""So many different texts are categories in a table of any size; more are, if they fill less than half of the rows."""

MAX_LISTED = 5
"""Most columns that a sentence lists."""

_DAY, _TIME = (
    r"(\d{4}-\d{1,2}(-\d{1,2})?|\d{1,4}[./]\d{1,2}[./]\d{1,4}|\d{1,2}-\d{1,2}-\d{2,4})",
    r"\d{1,2}:\d{2}\S*( [AP]M)?",
)
_DATE = re.compile(f"{_DAY}([ T]{_TIME})?|{_TIME}")

_ID = re.compile(r"(?i:(.*[\W_])?(id|index|idx|uuid|row|no|nr|key)|(row|record|sample)\W?(number|no|nr))|.*[a-z]ID")


@dataclass(frozen=True)
class Column:
    """A column of a table, whose values are a column of `LabelledRows.x`.

    Attributes:
        name: Its name.
        kind: `number`; `flag`, true or false as 1 and 0; or `category`, the number of one of `categories`.
        n_missing: How many values are missing; they are NaN.
        categories: The names of the categories, in the order of their numbers from 0.
    """

    name: str
    kind: Kind = "number"
    n_missing: int = 0
    categories: tuple[str, ...] = ()


@dataclass(frozen=True)
class Columns:
    """The columns of a table.

    Attributes:
        features: Those that are features, in the order of the file.
        left_out: The names of the others, except label and split, and why each is left out.
        drop: What `drop` stands for: a comma list of the columns that it leaves out; None if there are none.
    """

    features: tuple[Column, ...]
    left_out: tuple[tuple[str, str], ...] = ()
    drop: str | None = None

    @property
    def are_plain(self) -> bool:
        """Whether all are numbers or flags without missing values, which need no preparation."""
        return not any(column.n_missing or column.categories for column in self.features)


class NoFeature(Exception):
    """Why the values of a column can't be features."""


def split_names(text: str) -> list[str]:
    """Return the names of a comma list; one that contains a comma is in double quotes.

    >>> split_names('id, "price, net"')
    ['id', 'price, net']
    """
    try:
        return [name for line in csv.reader([text], skipinitialspace=True) for name in line if name]
    except csv.Error:  # such as a line break, which the name of a column may have
        return [text]


def joined_names(names: Iterable[str]) -> str:
    """Return names as a comma list, which `split_names` reads.

    >>> joined_names(["id", "price, net"])
    'id,"price, net"'
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(names)
    return text.getvalue()


def listed(names: Iterable[str], limit: int = MAX_LISTED) -> str:
    """Return names as a sentence lists them: the first ones, and how many more there are."""
    texts = list(names)
    more = [f"... ({len(texts) - limit:,} more)"] if len(texts) > limit else []
    return plain_text(", ".join([*texts[:limit], *more]), limit=400)


def to_drop(source: str, table: pd.DataFrame, label: str, drop: str | None) -> list[str]:
    """Return the names of the columns that `drop` leaves out, sorted.

    Args:
        source: The file as messages name it.
        table: Its cells.
        label: The label column.
        drop: The value of the field: a comma list, `auto`, or None for nothing.

    Raises:
        InvalidConfig: There is no such column, or it is the label.
    """
    if drop is None:
        return []
    named = [] if drop == AUTO else split_names(drop)
    for name in named:
        if name not in table.columns:
            raise InvalidConfig(
                f"drop: {source} has no column {plain_text(repr(name))}. Columns: {listed(table.columns, 20)}."
                f"{_how_to_name(name, table.columns)}"
            )
    if label in named:
        raise InvalidConfig(f"drop: {plain_text(repr(label))} is the label of {source}, which can't be left out.")
    return sorted({*named, *row_numbers(table, label)})


def _how_to_name(name: str, columns: Iterable[str]) -> str:
    """A hint on a name that no column has: another one, or that a comma list has been given as one name."""
    parts = split_names(name)
    if len(parts) > 1 and {*parts} <= {*columns}:
        return f" Name one at a time: {plain_text(' '.join(f'--drop {shlex.quote(part)}' for part in parts))}."
    return plain_text(nearest(name, columns))


def row_numbers(table: pd.DataFrame, label: str) -> list[str]:
    """Return the names of columns that pandas and R write for an index without a name."""
    unnamed = [name for name in table.columns if re.fullmatch(r"(Unnamed: \d+(\.\d+)*)?", name) and name != label]
    return [name for name in unnamed if _numbers_rows(table[name])]


def _numbers_rows(column: pd.Series) -> bool:
    """Whether a column has the numbers 0 to n-1 or 1 to n, in any order."""
    import numpy as np
    import pandas as pd

    if not pd.api.types.is_integer_dtype(column) or column.isna().any() or column.empty:
        return False
    first, last = column.min(), column.max()
    if first not in (0, 1) or last - first != len(column) - 1:  # the usual case, without sorting
        return False
    return np.array_equal(np.sort(column.to_numpy("float64")), first + np.arange(len(column)))


def like_ids(features: pd.DataFrame) -> list[str]:
    """Return the names of columns that identify rows by their names, or number them, and are different in all."""
    import pandas as pd

    whole = [name for name, dtype in features.dtypes.items() if pd.api.types.is_integer_dtype(dtype)]
    if len(features) < 3:
        return []
    return [
        str(name)
        for name in whole
        if (_ID.fullmatch(str(name)) and features[name].is_unique) or _numbers_rows(features[name])
    ]


def column_notices(source: str, features: pd.DataFrame, x: np.ndarray, left_out: Mapping[str, str]) -> list[str]:
    """Return sentences on columns that are left out unasked, that identify rows, or that are constant.

    Args:
        source: The file as messages name it.
        features: The columns that were to be features.
        x: The values of those that are, shape (rows, columns).
        left_out: Why each other column is left out.
    """
    import numpy as np

    notices = [
        f"{source}: column {name!r} has no name and numbers the rows; it is left out. To keep it: --set drop=none."
        if why == NUMBERS_ROWS
        else f"{source}: column {name!r} {why}; it is left out."
        for name, why in left_out.items()
        if why != ASKED
    ]
    notices += [
        f"{source}: column {name!r} has another whole number in every row, as an index has. It is used as a feature; "
        f"where the rows are sorted by class it gives the class away. Try --drop {shlex.quote(name)}."
        for name in like_ids(features)
    ]
    names = [name for name in features.columns if name not in left_out]
    constant = [name for name, is_same in zip(names, np.fmax.reduce(x) == np.fmin.reduce(x), strict=True) if is_same]
    if constant and len(x) > 1:
        verb = "has" if len(constant) == 1 else "have"
        notices.append(f"{source}: {listed(constant)} {verb} one value in all rows, which tells nothing (see --drop).")
    return [plain_text(notice, limit=600) for notice in notices]


def read_columns(source: str, features: pd.DataFrame) -> tuple[np.ndarray, tuple[Column, ...], list[str]]:
    """Read the columns of a table as numbers.

    Args:
        source: The file as messages name it.
        features: The columns that are to be features.

    Returns:
        The values, float64, shape (rows, columns); what each column holds; and the names of columns without values.

    Raises:
        DataError: A column has dates, free text, or values that are neither numbers nor text.
    """
    import numpy as np
    import pandas as pd

    is_number = [pd.api.types.is_numeric_dtype(dtype) for dtype in features.dtypes]
    if all(is_number) and not features.isna().any(axis=None):
        return features.to_numpy("float64"), tuple(Column(name) for name in features.columns), []
    found: list[tuple[Column, np.ndarray]] = []
    empty, refused = [], {}
    for name, is_numeric in zip(features.columns, is_number, strict=True):
        try:
            column = _number(features[name]) if is_numeric else _read_column(features[name])
        except NoFeature as error:
            refused[name] = str(error)
            continue
        if column[0].n_missing == len(features):
            empty.append(name)
        else:
            found.append(column)
    if refused:
        raise DataError(_refusal(source, refused))
    x = np.column_stack([values for _, values in found]) if found else np.empty((len(features), 0))
    return x, tuple(column for column, _ in found), empty


def _refusal(source: str, refused: dict[str, str]) -> str:
    named = listed(f"{name} ({why})" for name, why in refused.items())
    drop = " ".join(f"--drop {shlex.quote(name)}" for name in list(refused)[:MAX_LISTED])
    return (
        f"{source} has columns that can't be features: {named}. Make numbers or a few categories of them, or leave "
        f"them out: {plain_text(drop)}."
    )


def _number(column: pd.Series, kind: Kind = "number") -> tuple[Column, np.ndarray]:
    import numpy as np

    values = column.to_numpy("float64", na_value=np.nan)
    return Column(str(column.name), kind, int(np.isnan(values).sum())), values


def _read_column(column: pd.Series) -> tuple[Column, np.ndarray]:
    """Read a column that pandas does not take for numbers.

    Raises:
        NoFeature: Its values are dates, free text, or neither numbers nor text.
    """
    import pandas as pd

    if isinstance(column.dtype, pd.CategoricalDtype):
        return _categories(column.cat.remove_unused_categories())
    if pd.api.types.is_datetime64_any_dtype(column):
        raise NoFeature("dates or times")
    present = column.dropna()
    is_text = column.dtype != object and pd.api.types.is_string_dtype(column)
    kinds = {str} if is_text else {type(value) for value in present}
    if kinds == {bool}:
        return _number(column.astype("boolean"), "flag")
    if not kinds <= {str, bool, int, float, Decimal, date, datetime, time}:
        raise NoFeature(f"{listed(sorted(kind.__name__ for kind in kinds))} values")
    texts = present.astype(str).str.strip()
    texts = texts[~texts.isin(MISSING)]
    numbers = pd.to_numeric(texts[~texts.isin(NO_NUMBER)], errors="coerce")
    if numbers.notna().all():
        return _number(numbers.astype("float64").reindex(column.index))
    if all(map(_DATE.fullmatch, texts)):
        raise NoFeature("dates or times")
    n_texts = texts.nunique()
    if n_texts > FEW_TEXTS and 2 * n_texts > len(texts):
        raise NoFeature(f"{n_texts:,} different texts in {len(texts):,} rows: names or free text")
    return _categories(texts.reindex(column.index).astype("category"))


def _categories(column: pd.Series) -> tuple[Column, np.ndarray]:
    """The numbers of categories; NaN for a missing one."""
    import numpy as np

    codes = column.cat.codes.to_numpy("float64")
    names = tuple(str(name) for name in column.cat.categories)
    is_missing = codes < 0
    return Column(str(column.name), "category", int(is_missing.sum()), names), np.where(is_missing, np.nan, codes)
