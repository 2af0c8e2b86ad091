"""Locks on journals, in one process. That a second process is refused is tested in cli/test_torture.py."""

import os
import platform
import threading
import time
from types import SimpleNamespace

import pytest

from bncli.errors import StoreError
from bncli.study import lock


@pytest.fixture(autouse=True, params=["fcntl", "msvcrt"])
def system(request, monkeypatch):
    """The locks of this system, and a stand-in for those of Windows: one byte, locked where the file stands."""
    fcntl = lock.fcntl

    def locking(descriptor, mode, n_bytes):
        assert (os.lseek(descriptor, 0, os.SEEK_CUR), mode, n_bytes) == (lock.FAR, "LK_NBLCK", 1)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise PermissionError(*error.args) from error

    if request.param == "msvcrt":
        monkeypatch.setattr(lock, "fcntl", None)
        monkeypatch.setattr(lock, "msvcrt", SimpleNamespace(locking=locking, LK_NBLCK="LK_NBLCK"))


@pytest.mark.parametrize(
    ("note", "shown"),
    [
        ("", "process ? on ?, since now: ?"),
        ("[]", "process ? on ?, since now: ?"),
        ('{"pid": 7}', "process 7 on ?, since now: ?"),
        ('{"host": "a\\nb\\u001b[2J"}', r"process ? on a\x0ab\x1b[2J, since now: ?"),
    ],
)
def test_a_note_that_says_something_else_is_shown_as_far_as_it_goes(tmp_path, note, shown):
    journal = tmp_path / "runs.jsonl"
    with lock.hold(journal):
        (tmp_path / ".runs.jsonl.lock").write_text(note)
        assert lock.describe(journal) == shown


def test_holder_describes_the_process_until_the_lock_is_released(tmp_path):
    journal = tmp_path / "new" / "runs.jsonl"
    assert lock.holder(journal) is None
    with lock.hold(journal):
        who = lock.holder(journal)
        assert (who["pid"], who["host"]) == (str(os.getpid()), platform.node())
        assert lock.describe(journal).startswith(f"process {os.getpid()} on {platform.node()}, since 20")
        with lock.hold(tmp_path / "new" / "runs-1-of-2.jsonl"):
            pass
        with pytest.raises(StoreError) as caught, lock.hold(journal):
            pass
        assert str(caught.value) == (
            f"{str(journal)!r} is being written by {lock.describe(journal)}. "
            "Wait for it to end, or try another --out DIR; bncli status shows how far it is."
        )
    assert lock.describe(journal) == ""
    assert list(journal.parent.iterdir()) == []


def test_a_lock_that_a_killed_process_left_is_taken_over(tmp_path):
    journal = tmp_path / "runs.jsonl"
    (tmp_path / ".runs.jsonl.lock").write_text('{"pid": "1"}')
    assert lock.holder(journal) is None
    with lock.hold(journal):
        assert lock.holder(journal)["pid"] == str(os.getpid())
    assert list(tmp_path.iterdir()) == []


def test_a_note_that_is_not_yet_written_is_not_an_error(tmp_path):
    journal = tmp_path / "runs.jsonl"
    with lock.hold(journal):
        (tmp_path / ".runs.jsonl.lock").write_text("")
        assert lock.describe(journal) == "process ? on ?, since now: ?"


def test_a_lock_that_another_process_took_at_the_place_of_a_moved_folder_is_left_alone(tmp_path):
    journal = tmp_path / "s" / "runs.jsonl"
    with lock.hold(journal):
        assert not lock.is_lost(journal)
        journal.parent.rename(tmp_path / "moved")
        assert lock.is_lost(journal)
        journal.parent.mkdir()
        other = journal.with_name(".runs.jsonl.lock")
        other.write_text("another's")
        assert lock.is_lost(journal)
    assert other.read_text() == "another's"
    assert not lock.is_lost(journal)


def test_hold_waits_for_a_lock_that_is_soon_released(tmp_path):
    journal, order = tmp_path / "study.json", []

    def late():
        with lock.hold(journal, patience=30):
            order.append("late")

    with lock.hold(journal):
        waits = threading.Thread(target=late)
        waits.start()
        time.sleep(0.5)
        order.append("early")
    waits.join()
    assert order == ["early", "late"]


def test_hold_rejects_a_folder_that_is_not_writable(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError) as caught, lock.hold(tmp_path / "file" / "runs.jsonl"):
        pass
    folder = str(tmp_path / "file")
    assert str(caught.value) == f"Can't write to the output folder {folder!r} (File exists). Try another --out DIR."


def hold_message(journal):
    with pytest.raises(StoreError) as caught, lock.hold(journal):
        pass
    return str(caught.value)


@pytest.mark.parametrize("kind", ["link", "dangling", "pipe", "folder"])
def test_a_lock_file_that_is_no_regular_file_is_refused_and_no_other_file_is_touched(tmp_path, kind):
    journal, path, victim = tmp_path / "s" / "runs.jsonl", tmp_path / "s" / ".runs.jsonl.lock", tmp_path / "victim"
    path.parent.mkdir()
    victim.write_text("mine")
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(victim if kind == "link" else tmp_path / "nothing")
    what = "not a regular file" if kind in ("pipe", "folder") else "a link"
    expected = (
        f"'{path}' is {what}, and bncli reads, writes and deletes only files of its own in '{path.parent}'. "
        "Remove it, or try another folder."
    )
    assert hold_message(journal) == expected
    with pytest.raises(StoreError) as caught:
        lock.describe(journal)
    assert str(caught.value) == expected
    assert victim.read_text() == "mine"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["s", "victim"]


def test_a_file_of_someone_elses_in_the_place_of_the_lock_is_kept(tmp_path):
    victim, path = tmp_path / "victim", tmp_path / ".runs.jsonl.lock"
    victim.write_text("mine")
    os.link(victim, path)
    assert hold_message(tmp_path / "runs.jsonl") == (
        f"'{path}' begins with b'mine', which bncli did not write. Remove it, or try another folder."
    )
    assert victim.read_text() == path.read_text() == "mine"


@pytest.mark.parametrize("note", ["", "{", '{"pid"', '{"pid": 7, "host"'])
def test_a_note_that_a_killed_process_wrote_in_part_is_replaced(tmp_path, note):
    (tmp_path / ".runs.jsonl.lock").write_text(note)
    with lock.hold(tmp_path / "runs.jsonl"):
        assert lock.holder(tmp_path / "runs.jsonl")["pid"] == str(os.getpid())


@pytest.mark.parametrize("note", ["[]", "7", "[" * 100_000])
def test_a_note_that_says_nothing_is_not_an_error(tmp_path, note):
    with lock.hold(tmp_path / "runs.jsonl"):
        (tmp_path / ".runs.jsonl.lock").write_text(note)
        assert lock.describe(tmp_path / "runs.jsonl") == "process ? on ?, since now: ?"


def test_only_locks_of_journals_are_listed(tmp_path):
    for name in ("runs.jsonl", "runs-2-of-4.jsonl", "runs-notes.jsonl", "study.json"):
        (tmp_path / f".{name}.lock").touch()
    assert [path.name for path in lock.journals(tmp_path)] == ["runs-2-of-4.jsonl", "runs.jsonl"]


def test_a_path_that_is_none_is_an_error(tmp_path):
    assert hold_message(tmp_path / "a\0b" / "runs.jsonl") == (
        f"Can't write to the output folder '{tmp_path}/a\\x00b' (embedded null byte). Try another --out DIR."
    )


def test_a_system_without_locks_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "fcntl", None)
    monkeypatch.setattr(lock, "msvcrt", None)
    assert hold_message(tmp_path / "runs.jsonl") == (
        f"Can't write to the output folder '{tmp_path}' (No locks available). Try another --out DIR."
    )
