"""Files that are replaced in one step."""

import os
import time
from pathlib import Path

import pytest

from bncli.atomic import ORPHAN_SECONDS, replace_file
from bncli.errors import StoreError


def error_text(target, write):
    with pytest.raises(StoreError) as caught:
        replace_file(target, write)
    return str(caught.value)


@pytest.mark.parametrize("durable", [False, True])
def test_a_file_is_replaced_and_no_other_file_is_left(tmp_path, durable):
    target = tmp_path / "new" / "a.txt"
    for text in ("old", "new"):
        replace_file(target, lambda path, text=text: path.write_text(text), durable=durable)
    assert target.read_text() == "new"
    assert os.listdir(target.parent) == ["a.txt"]


def test_the_old_file_is_there_until_the_new_one_is_complete(tmp_path):
    target = tmp_path / "a.csv"
    target.write_text("old")

    def write(path):
        path.write_text("new")
        assert (path.parent, path.suffix) == (tmp_path, ".csv")
        assert target.read_text() == "old"

    replace_file(target, write)
    assert target.read_text() == "new"


def test_an_error_while_writing_keeps_the_old_file(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")

    def write(path):
        path.write_text("half of the ne")
        raise OSError("no space")

    assert error_text(target, write) == f"Can't write '{target}': no space."
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_place_that_can_not_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "folder" / "full").mkdir(parents=True)
    below, folder = tmp_path / "file" / "x.csv", tmp_path / "folder"
    assert error_text(below, Path.touch) == f"Can't write '{below}': File exists."
    assert error_text(folder, Path.touch) == f"Can't write '{folder}': Is a directory."


def test_temporary_files_that_killed_processes_left_are_removed_after_a_day(tmp_path):
    young, old, other = (tmp_path / name for name in (".0123abcd.a.txt", ".89abcdef.a.txt", ".89abcdef.b.txt"))
    for path in (young, old, other):
        path.touch()
    for path in (old, other):
        os.utime(path, (time.time() - ORPHAN_SECONDS - 60,) * 2)
    replace_file(tmp_path / "a.txt", Path.touch)
    assert sorted(os.listdir(tmp_path)) == sorted([young.name, other.name, "a.txt"])
