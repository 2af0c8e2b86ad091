"""Locks on journals, in one process. That a second process is refused is tested in cli/test_torture.py."""

import os
import platform
import threading
import time

import pytest

from bncli.errors import StoreError
from bncli.study import lock


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
