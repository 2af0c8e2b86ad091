"""Text files of columns: which separator, encoding and decimal sign they have, and their cells as a table."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from bncli.data.reading import check_size
from bncli.values import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd


OTHER_SEPARATORS = (",", ";", "\t", "|")
"""What may separate columns where the usual separator leaves a single one."""

COLUMN_BYTES = 4096
"""About what pandas needs for a column beside its cells."""

MAX_HEADER = 1_000_000
"""Bytes of the header that are read for the names of the columns."""

MAX_REMARKS = 100
"""Most lines that are looked at for a header."""

MARKS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
"""Encodings other than UTF-8 by the bytes that files in them begin with."""

WESTERN = "cp1252"
"""The encoding of text that is not UTF-8: that of Windows in western Europe, which has the signs of Latin-1 too."""

MOST_CLASSES = 20
"""Most different labels that may be names of classes where they look like numbers with commas."""

_NOT_TEXT = re.compile(rb"[\x00-\x08\x0e-\x1f\x7f]")
"""Bytes that no text has."""

_DECIMAL_COMMA = re.compile(r"\s*[+-]?\d*(,\d+)?([eE][+-]?\d+)?\s*")


class Found(NamedTuple):
    """A table of a text file, and how it was read.

    Attributes:
        table: The cells.
        unusual: What is not as usual, as a message names it: `columns separated by ';'`.
        repeated: The names that several columns have; pandas adds numbers to all but the first.
    """

    table: pd.DataFrame
    unusual: tuple[str, ...]
    repeated: tuple[str, ...]


def read_delimited(source: str, file: BinaryIO, usual: str, label: str | None) -> Found:
    """Read a text file with the separator, encoding and decimal sign that fit.

    Args:
        source: The file as messages name it.
        file: The open file.
        usual: The separator by the ending of the file's name.
        label: The column of the labels; commas of a few labels do not count, for classes may be called `1,5`.

    Raises:
        DataError: The table would be too large.
        UnicodeDecodeError: The file is not text.
    """
    encoding, file = _as_utf_8(file)
    n_remarks, file = _without_remarks(file)
    separator = find_separator(file, usual)
    table = _read_text(source, file, separator, ".")
    has_classes = label in table.columns and table[label].nunique() <= MOST_CLASSES
    has_commas = separator != "," and _has_decimal_commas(table.drop(columns=label) if has_classes else table)
    if has_commas:
        table = _read_text(source, file, separator, ",")
    return Found(
        table,
        (
            *([f"columns separated by {separator!r}"] if separator != usual else []),
            *(["decimal commas"] if has_commas else []),
            *([f"a header behind {counted(n_remarks, 'line')} of remarks (#)"] if n_remarks else []),
            *([f"text in {encoding}"] if encoding else []),
        ),
        tuple(name for name, count in Counter(_names(file, separator)).items() if name and count > 1),
    )


def header(file: BinaryIO, usual: str) -> list[str]:
    """Return the names of the columns of a text file."""
    _, file = _without_remarks(_as_utf_8(file)[1])
    return _names(file, find_separator(file, usual))


def _names(file: BinaryIO, separator: str) -> list[str]:
    file.seek(0)
    return next(csv.reader([file.readline(MAX_HEADER).decode("utf-8-sig")], delimiter=separator), [])


def _as_utf_8(file: BinaryIO) -> tuple[str, BinaryIO]:
    """The name of the file's encoding if it is not UTF-8, and the file in UTF-8."""
    file.seek(0)
    encoding = MARKS.get(file.read(2), "") or ("" if _is_utf_8(file) else WESTERN)
    file.seek(0)
    if not encoding:
        return "", file
    content = file.read()
    if encoding == WESTERN and _NOT_TEXT.search(content):
        content.decode("utf-8")  # raises the error that says where the file is not text
    return encoding, io.BytesIO(content.decode(encoding).encode())


def _without_remarks(file: BinaryIO) -> tuple[int, BinaryIO]:
    """How many lines before the header are remarks, which begin with #, and the file without them.

    The last of them is the header, as `numpy.savetxt` writes it, if it has as many cells as the next line.
    """
    file.seek(0)
    first = [
        line.decode("utf-8-sig").strip() for line in islice(iter(partial(file.readline, MAX_HEADER), b""), MAX_REMARKS)
    ]
    n_remarks = next((place for place, line in enumerate(first) if not line.startswith("#")), 0)
    if n_remarks and any(
        0 < first[n_remarks - 1].count(separator) == first[n_remarks].count(separator) for separator in OTHER_SEPARATORS
    ):
        n_remarks -= 1
    file.seek(0)
    if not n_remarks:
        return 0, file
    for _ in range(n_remarks):
        file.readline()
    return n_remarks, io.BytesIO(file.read())


def _is_utf_8(file: BinaryIO) -> bool:
    file.seek(0)
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for block in _blocks(file):
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _has_decimal_commas(table: pd.DataFrame) -> bool:
    """Whether a column is text only because its numbers have commas, and no number of the table has a point."""
    import pandas as pd

    columns = [column.dropna() for _, column in table.items()]
    floats = [column for column in columns if pd.api.types.is_float_dtype(column)]
    others = [list(map(str, column)) for column in columns if not pd.api.types.is_numeric_dtype(column)]
    return not any((column % 1 != 0).any() for column in floats) and any(
        any("," in text for text in texts) and all(map(_DECIMAL_COMMA.fullmatch, texts)) for texts in others
    )


def find_separator(file: BinaryIO, usual: str) -> str:
    """Return the usual separator, unless the header has none and another one fits the first lines."""
    if _n_columns(file, usual, 1) > 1:
        return usual
    counts = {separator: _n_columns(file, separator, 5) for separator in OTHER_SEPARATORS if separator != usual}
    best = max(counts, key=lambda separator: counts[separator])
    return best if counts[best] > 1 else usual


def _n_columns(file: BinaryIO, separator: str, n_lines: int) -> int:
    """Into how many columns a separator splits the header; 0 if it does not split the first lines alike.

    A line may have one cell more, an index without a name. (pandas takes seconds for a header of 20,000 columns.)
    """
    file.seek(0)
    text = io.TextIOWrapper(file, "utf-8-sig", newline="")
    try:
        rows = list(islice(filter(None, csv.reader(text, delimiter=separator)), n_lines))
    finally:
        text.detach()
    width = len(rows[0]) if rows else 0
    return width if {len(row) for row in rows} <= {width, width + 1} else 0


def _read_text(source: str, file: BinaryIO, separator: str, decimal: str) -> pd.DataFrame:
    """Read a text file. A line may lack cells, so that a small file can make a table of many."""
    import pandas as pd

    n_columns = _n_columns(file, separator, 1)
    file.seek(0)
    check_cells_fit(source, _n_lines(file), n_columns)
    file.seek(0)
    return pd.read_csv(file, sep=separator, decimal=decimal, low_memory=False)


def _n_lines(file: BinaryIO) -> int:
    """How many lines a file has, empty ones too; they end as on Linux, on Windows or on an old Macintosh."""
    return 1 + sum(block.count(b"\n") + block.count(b"\r") - block.count(b"\r\n") for block in _blocks(file))


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    return iter(partial(file.read, 2**20), b"")


def check_cells_fit(source: str, n_rows: int, n_columns: int) -> None:
    """Check that a table of so many cells fits into memory.

    Raises:
        DataError: It does not.
    """
    what = f"a table of {n_rows:,} lines and {n_columns:,} columns"
    check_size(source, n_columns * max(8 * n_rows, COLUMN_BYTES), what)
