"""Damaged and hostile data files: each is read, or refused with one clean message.

BNCLI_FUZZ is the number of examples in all; the examples are the same in every run.
"""

import io
import os
import random
import tempfile
import unicodedata
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from datafiles import IDX_ARRAYS, idx_bytes, load, write_idx
from hypothesis import event, given, settings
from hypothesis import strategies as st

from bncli.data import datasets
from bncli.data.idx import read_idx_folder
from bncli.errors import DataError, InvalidConfig

N_EXAMPLES = int(os.environ.get("BNCLI_FUZZ", "300"))

SOME = [
    b"",
    b"\0",
    b"\xff" * 4,
    b"\x7f\xff\xff\xff\xff\xff\xff\xff",
    b"nan",
    b"1e999",
    b"9" * 400,
    b"-1",
    b'"',
    b",",
    b";",
]
SOME += [
    b"\n",
    b"\r",
    b"\t",
    b"|",
    b"\x1b]52;c;aGk=\x07",
    b"\xc2\x9b2J",
    b"\xe2\x80\xae",
    b"'",
    b"(",
    b"x" * 5000,
    b"True",
]
"""What is put into a file, or in place of a part of it."""


def fuzz(share, *strategies):
    """A test of this share of all examples."""
    return lambda test: settings(max_examples=max(1, int(share * N_EXAMPLES)), derandomize=True)(
        given(*strategies)(test)
    )


def npz_bytes(save, **arrays):
    file = io.BytesIO()
    save(file, **arrays)
    return file.getvalue()


def parquet_bytes():
    file = io.BytesIO()
    pd.DataFrame({"a": range(16), "b": [0.5, 1.5] * 8, "label": ["x", "y"] * 8}).to_parquet(file)
    return file.getvalue()


IMAGES, NUMBERS = np.arange(64, dtype="uint8").reshape(16, 2, 2), np.array([0, 1] * 8)
CSV = b"a,b,label\n" + b"".join(b"%d,%d.5,%s\n" % (i, i % 3, b"xy"[i % 2 : i % 2 + 1]) for i in range(16))
WHOLE = {
    ".csv": [CSV, CSV.replace(b",", b";"), b'\xef\xbb\xbf,"a\n1",label\n' + CSV[10:]],
    ".tsv": [CSV.replace(b",", b"\t")],
    ".npz": [
        npz_bytes(np.savez, x=IMAGES, y=NUMBERS),
        npz_bytes(np.savez_compressed, x_train=IMAGES, y_train=NUMBERS, x_test=IMAGES, y_test=NUMBERS.astype(str)),
    ],
    ".parquet": [parquet_bytes()],
}


def test_the_files_are_read_as_long_as_they_are_whole(tmp_path):
    for suffix, contents in WHOLE.items():
        for content in contents:
            path = tmp_path / f"whole{suffix}"
            path.write_bytes(content)
            datasets.forget()
            assert load(str(path), label="label").n_classes == 2


@st.composite
def damaged(draw, contents):
    """One of some files, changed in a few places: bytes are turned, lost, repeated, replaced or put in."""
    content, chance = bytearray(draw(st.sampled_from(contents))), random.Random(draw(st.integers(0, 2**32)))
    for _ in range(draw(st.integers(1, 4))):
        start = chance.randrange(len(content) + 1)
        stop = start + chance.choice([0, 1, 1, 2, 8, 200])
        part = bytes(content[start:stop])
        turned = bytes(byte ^ 1 << chance.randrange(8) for byte in part)
        content[start:stop] = chance.choice([turned, turned, b"", part * 3, chance.choice(SOME), chance.choice(SOME)])
    return bytes(content[: chance.choice([len(content)] * 9 + [chance.randrange(len(content) + 1)])])


def assert_clean(read):
    """Whatever a file holds, reading it gives data or one of two errors, in one paragraph that a terminal can show."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            read()
            event("read")
        except (DataError, InvalidConfig) as error:
            message = str(error)
            event("refused")
            assert not [
                character for character in message if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")
            ]
            assert 10 < len(message) < 1500
    assert [str(warning.message) for warning in warned] == []


@pytest.mark.parametrize("suffix", WHOLE)
def test_damaged_files(suffix):
    @fuzz(0.2, damaged(WHOLE[suffix]), st.sampled_from(["auto", "standard", "unit", "none"]))
    def check(content, scaling):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, f"damaged{suffix}")
            path.write_bytes(content)
            assert_clean(lambda: load(str(path), label="label", scaling=scaling))

    check()


@fuzz(0.1, st.sampled_from(list(IDX_ARRAYS)), st.sampled_from(["-ubyte", "-ubyte.gz"]), st.data())
def test_damaged_idx_files(part, suffix, data):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_idx(folder, suffix=suffix)
        path = folder / f"{part}{suffix}"
        path.write_bytes(data.draw(damaged([path.read_bytes(), idx_bytes(IDX_ARRAYS[part])])))
        assert_clean(lambda: read_idx_folder(folder))


names = st.text(st.characters(codec=None), max_size=40) | st.text("\0/.~:*$\x1b\n\udcff xa", max_size=300)


@fuzz(0.1, names, st.sampled_from([*WHOLE, ".NPZ", ""]), names | st.none(), names | st.just("1:99999999999999999999"))
def test_names_of_files_labels_and_rows(name, suffix, label, rows):
    assert_clean(lambda: load(f"{name}{suffix}", label=label))
    assert_clean(lambda: load("circles", train_rows=rows))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "whole.csv")
        path.write_bytes(CSV)
        assert_clean(lambda: load(str(path), label=label))
