"""How the columns of a table become features: missing values are filled in and categories encoded.

All numbers for it come from the training rows only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, zip_longest
from typing import TYPE_CHECKING, Any, NamedTuple

from bncli.data.columns import Column, Columns, listed
from bncli.data.reading import check_size, quoted
from bncli.data.splits import RawDataset
from bncli.errors import InvalidConfig
from bncli.values import counted, plain_text, show

if TYPE_CHECKING:
    import numpy as np


IMPUTE = ("median", "mean", "most_frequent")
"""How missing numbers are filled in; missing categories and flags get the most frequent value."""

ENCODE = ("onehot", "ordinal")

PREPARATION_FIELDS = ("encode", "impute")
"""The data fields that say how the columns of a table become features."""

MAX_CATEGORIES = 1000
"""Most features that one column becomes."""


@dataclass(frozen=True)
class Preparation:
    """What was done to the columns of a table.

    Attributes:
        drop: A comma list of the columns that `drop` stands for; None for none.
        encode: How categories were encoded; None if there are none.
        impute: How missing numbers were filled in; None if none is missing.
        columns: A row per column of the file, except label and split: `column`, `kind`, `missing` (how many values;
            None for one that is left out), `filled_with` and `becomes`; texts are empty where nothing is done.
    """

    drop: str | None
    encode: str | None
    impute: str | None
    columns: tuple[dict[str, Any], ...]


class Prepared(NamedTuple):
    """Features that are ready for scaling.

    Attributes:
        parts: The features of every part, shape (rows, features).
        names: One name per feature.
        is_indicator: Mask of the features that are 1 for rows of a category and 0 for others; None if none is.
        notices: Sentences on what was done.
        preparation: What was done; None for data that is no table.
    """

    parts: list[np.ndarray]
    names: tuple[str, ...]
    is_indicator: np.ndarray | None = None
    notices: tuple[str, ...] = ()
    preparation: Preparation | None = None


class _Done(NamedTuple):
    """What is done to one column.

    Attributes:
        fill: The value in place of missing ones.
        codes: The numbers of the categories that training rows have; empty for numbers and flags.
    """

    fill: float
    codes: tuple[int, ...] = ()


def prepare(name: str, raw: RawDataset, encode: str, impute: str, parts: Sequence[np.ndarray]) -> Prepared:
    """Fill in missing values and encode categories, as the training rows say.

    Args:
        name: The data set, for messages.
        raw: The data set that the rows come from.
        encode: `onehot` or `ordinal`.
        impute: `median`, `mean` or `most_frequent`.
        parts: The features of the selected training rows, and of the other parts.

    Raises:
        InvalidConfig: A column has no value in the training rows, or would become too many features.
        DataError: The features would be too large.
    """
    columns = raw.columns
    if columns is None:
        return Prepared([*parts], raw.feature_names)
    if columns.are_plain:
        return Prepared([*parts], raw.feature_names, preparation=_preparation(columns, [], encode, impute))
    _check_values(name, columns.features, parts[0])
    transformer = _transformer(columns.features, encode, impute).fit(parts[0])
    done = _done(columns.features, transformer)
    names = [_feature_names(column, one, encode) for column, one in zip(columns.features, done, strict=True)]
    _check_features(name, columns.features, names, sum(len(x) for x in parts))
    return Prepared(
        [transformer.transform(x) for x in parts],
        tuple(feature for of_column in names for feature in of_column),
        _is_indicator(columns.features, names, encode),
        tuple(_notices(name, columns.features, done, parts[1:], encode)),
        _preparation(columns, done, encode, impute),
    )


def _check_values(name: str, columns: Sequence[Column], x_train: np.ndarray) -> None:
    """Refuse columns whose values are all in rows that are not trained on."""
    import numpy as np

    empty = [column.name for column, is_empty in zip(columns, np.isnan(x_train).all(axis=0), strict=True) if is_empty]
    if empty:
        raise InvalidConfig(
            f"{quoted(name)} has no values in the training rows in: {listed(empty)}. Select more rows, or leave such "
            f"columns out with --drop."
        )


def _transformer(columns: Sequence[Column], encode: str, impute: str) -> Any:
    """A transformer of scikit-learn for neighbouring columns of one kind each, so that columns keep their order."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

    def made(kind: str) -> Any:
        imputer = SimpleImputer(strategy=impute if kind == "number" else "most_frequent")
        if kind != "category":
            return make_pipeline(imputer)
        if encode == "onehot":
            return make_pipeline(imputer, OneHotEncoder(handle_unknown="ignore", sparse_output=False))
        return make_pipeline(imputer, OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1))

    groups = [(kind, [at for at, _ in group]) for kind, group in groupby(enumerate(columns), lambda pair: pair[1].kind)]
    return ColumnTransformer([(str(number), made(kind), places) for number, (kind, places) in enumerate(groups)])


def _done(columns: Sequence[Column], transformer: Any) -> list[_Done]:
    """What a fitted transformer does to each column."""
    found = []
    for _, (imputer, *encoders), places in transformer.transformers_:
        codes = [tuple(map(int, values)) for values in encoders[0].categories_] if encoders else [()] * len(places)
        found += [_Done(float(fill), of_column) for fill, of_column in zip(imputer.statistics_, codes, strict=True)]
    return found


def _feature_names(column: Column, done: _Done, encode: str) -> list[str]:
    if column.kind != "category" or encode != "onehot":
        return [column.name]
    return [f"{column.name}={column.categories[code]}" for code in done.codes]


def _check_features(name: str, columns: Sequence[Column], names: Sequence[Sequence[str]], n_rows: int) -> None:
    """Refuse more features of a column, or more values, than can be meant."""
    widest, n_features = max(zip(columns, names, strict=True), key=lambda pair: len(pair[1]))
    if len(n_features) > MAX_CATEGORIES:
        raise InvalidConfig(
            f"encode=onehot would make {len(n_features):,} features of column {quoted(widest.name)} of {quoted(name)}. "
            f"Allowed: {MAX_CATEGORIES:,}. Try --encode ordinal, or --drop."
        )
    total = sum(map(len, names))
    check_size(quoted(name), 8 * total * n_rows, f"its {total:,} features")


def _is_indicator(columns: Sequence[Column], names: Sequence[Sequence[str]], encode: str) -> np.ndarray | None:
    import numpy as np

    by_column = [encode == "onehot" and column.kind == "category" for column in columns]
    return np.repeat(by_column, [len(of_column) for of_column in names])


def _notices(
    name: str, columns: Sequence[Column], done: Sequence[_Done], others: Sequence[np.ndarray], encode: str
) -> Iterator[str]:
    """Sentences on missing values, on categories, and on those that no training row has."""
    pairs = list(zip(columns, done, strict=True))
    filled = [
        f"{column.name} ({column.n_missing:,}, {_filled_with(column, one)})"
        for column, one in pairs
        if column.n_missing
    ]
    if filled:
        yield f"{quoted(name)}: missing values are filled in: {listed(filled)}. See --impute."
    encoded = [f"{column.name} ({len(one.codes):,})" for column, one in pairs if one.codes]
    if encoded:
        yield f"{quoted(name)}: categories become features ({encode}): {listed(encoded)}. See --encode."
    unseen = [f"{column.name} ({n:,})" for at, (column, one) in enumerate(pairs) if (n := _n_unseen(one, at, others))]
    if unseen:
        become = "0 in every feature of the column" if encode == "onehot" else "-1"
        yield (
            f"{quoted(name)}: validation or test rows have categories that no training row has, in: {listed(unseen)}. "
            f"They are {become}."
        )


def _n_unseen(done: _Done, at: int, others: Sequence[np.ndarray]) -> int:
    """How many rows of other parts have a category in a column that no training row has."""
    import numpy as np

    if not done.codes:
        return 0
    values = np.concatenate([x[:, at] for x in others])
    return int((~np.isnan(values) & ~np.isin(values, done.codes)).sum())


def _filled_with(column: Column, done: _Done) -> str:
    if column.kind == "category":
        return column.categories[int(done.fill)]
    return show(bool(done.fill)) if column.kind == "flag" else show(done.fill)


def _preparation(columns: Columns, done: Sequence[_Done], encode: str, impute: str) -> Preparation:
    has_categories = any(column.categories for column in columns.features)
    has_missing = any(column.n_missing and column.kind == "number" for column in columns.features)
    rows = [_row(column, one, encode) for column, one in zip_longest(columns.features, done)]
    rows += [_row_of(name, "", None, becomes=f"left out: {why}") for name, why in columns.left_out]
    return Preparation(columns.drop, encode if has_categories else None, impute if has_missing else None, tuple(rows))


def _row(column: Column, done: _Done | None, encode: str) -> dict[str, Any]:
    filled = _filled_with(column, done) if done and column.n_missing else ""
    if not done or not done.codes:
        return _row_of(column.name, column.kind, column.n_missing, filled)
    names = ", ".join(column.categories[code] for code in done.codes)
    count = counted(len(done.codes), "feature") if encode == "onehot" else f"0 to {len(done.codes) - 1}"
    return _row_of(column.name, column.kind, column.n_missing, filled, f"{count}: {names}")


def _row_of(name: str, kind: str, n_missing: int | None, filled_with: str = "", becomes: str = "") -> dict[str, Any]:
    texts = {"filled_with": plain_text(filled_with), "becomes": plain_text(becomes)}
    return {"column": name, "kind": kind, "missing": n_missing, **texts}
