"""Damaged and hostile data files: each is read, or refused in one line. Names of files, labels and rows, too."""

import csv
import io
import os

import numpy as np
import pandas as pd
import pytest
from datafiles import IDX_ARRAYS, idx_bytes, write_idx
from hypothesis import strategies as st

from bncli.data import datasets
from fuzz.budget import fuzz
from fuzz.oracle import Call
from fuzz.strategies import damaged, mostly, odd
from fuzz.world import CSV


def npz_bytes(save, **arrays):
    file = io.BytesIO()
    save(file, **arrays)
    return file.getvalue()


def parquet_bytes():
    file = io.BytesIO()
    pd.DataFrame({"a": range(16), "b": [0.5, 1.5] * 8, "label": ["x", "y"] * 8}).to_parquet(file)
    return file.getvalue()


IMAGES, NUMBERS = np.arange(64, dtype="uint8").reshape(16, 2, 2), np.array([0, 1] * 8)
WHOLE = {
    ".csv": [CSV, CSV.replace(b",", b";"), b'\xef\xbb\xbf,"a\n1",label\n' + CSV[10:], CSV.replace(b"\n", b"\r\n")],
    ".tsv": [CSV.replace(b",", b"\t"), CSV.replace(b",", b"|")],
    ".npz": [
        npz_bytes(np.savez, x=IMAGES, y=NUMBERS),
        npz_bytes(np.savez_compressed, x_train=IMAGES, y_train=NUMBERS, x_test=IMAGES, y_test=NUMBERS.astype(str)),
    ],
    ".parquet": [parquet_bytes()],
}

scalings = st.sampled_from(["auto", "standard", "unit", "none"])

formats = st.sampled_from(["table", "json", "csv", "md"])


@pytest.fixture(autouse=True)
def forgotten():
    """Files of other tests have the same names."""
    datasets.forget()
    yield
    datasets.forget()


def words_of(path, label, scaling, format):
    labelled = ("--label", label) if label is not None else ()
    return ("dataset", path, *labelled, "--set", f"scaling={scaling}", "-f", format)


@pytest.mark.parametrize("suffix", WHOLE)
def test_the_files_are_read_as_long_as_they_are_whole(world, suffix):
    for content in WHOLE[suffix]:
        with world.visit() as here:
            datasets.forget()
            (here / f"x{suffix}").write_bytes(content)
            world.run("data files", Call(words_of(f"x{suffix}", "label" if suffix != ".npz" else None, "auto", "csv")))


broken = st.sampled_from(list(WHOLE)).flatmap(lambda suffix: st.tuples(st.just(suffix), damaged(WHOLE[suffix])))


@fuzz("data files", broken, scalings, formats, st.booleans())
def test_damaged_files(world, file, scaling, format, is_plan):
    suffix, content = file
    label = "label" if suffix != ".npz" else None
    with world.visit() as here:
        datasets.forget()
        (here / f"x{suffix}").write_bytes(content)
        words = words_of(f"x{suffix}", label, scaling, format)
        plan = ("train", "-n", "-d", f"x{suffix}", *(("--label", label) if label else ()))
        world.run("data files", Call(plan if is_plan else words))


@fuzz("data files, IDX", st.sampled_from(list(IDX_ARRAYS)), st.sampled_from(["-ubyte", "-ubyte.gz"]), st.data())
def test_damaged_idx_files(world, part, suffix, data):
    with world.visit() as here:
        datasets.forget()
        folder = here / "data" / "mnist"
        write_idx(folder, suffix=suffix)
        path = folder / f"{part}{suffix}"
        path.write_bytes(data.draw(damaged([path.read_bytes(), idx_bytes(IDX_ARRAYS[part])])))
        os.environ["BNCLI_DATA_DIR"] = str(here / "data")
        world.run("data files, IDX", Call(("dataset", "mnist", "-f", data.draw(formats))))


names = mostly(st.sampled_from(["label", "a", "b"]))


def table_of(*columns):
    """A CSV file with these columns, each of which begins with its name; bytes that are no text stay what they are."""
    content = io.StringIO()
    csv.writer(content).writerows(zip(*columns, strict=True))
    return content.getvalue().encode(errors="surrogateescape")


@fuzz("labels", names, names | st.none(), formats, part=0.5)
def test_labels(world, name, label, format):
    """A column has the name; another one, or none, is asked for."""
    with world.visit() as here:
        datasets.forget()
        labelled = [name, *(f"{name}{i % 2}" for i in range(16))]
        (here / "x.csv").write_bytes(table_of(["a", *range(16)], ["b", *[0.5, 1.5] * 8], labelled))
        world.run("labels", Call(words_of("x.csv", name if label is None else label, "auto", format)))


@fuzz("labels", st.lists(odd, min_size=2, max_size=2, unique=True), formats, st.booleans(), part=0.5)
def test_names_of_classes(world, no_figures, classes, format, is_trained):
    with world.visit() as here:
        datasets.forget()
        (here / "x.csv").write_bytes(table_of(["a", *range(16)], ["kind", *classes * 8]))
        words = words_of("x.csv", "kind", "auto", format)
        train = ("train", "-d", "x.csv", "--label", "kind", "-m", "dense4", "-e", "2", "-o", "out")
        world.run("labels", Call(train if is_trained else words, writes=("out",)))
