"""Journals: which files are journals, and what is never removed from one. More on them is in test_folder.py."""

import os

import pytest
from fakes import complete

from bncli.config import RunConfig
from bncli.errors import StoreError
from bncli.study import journal

RESULT = complete(RunConfig())


def message(call, *arguments, **more):
    with pytest.raises(StoreError) as caught:
        call(*arguments, **more)
    return str(caught.value)


def test_only_journals_count_as_journals(tmp_path):
    theirs = ("runs-notes-of-mine.jsonl", "runs-1-of-4.jsonl.bak", "runs-1.jsonl", "runs2.jsonl", "runs-a-of-b.jsonl")
    for name in ("runs-2-of-4.jsonl", "runs.jsonl", "runs-10-of-12.jsonl", *theirs):
        (tmp_path / name).touch()
    names = [path.name for path in journal.journals(tmp_path)]
    assert names == ["runs.jsonl", "runs-10-of-12.jsonl", "runs-2-of-4.jsonl"]


FOREIGN = "bncli did not write. Remove it, or try another folder."


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"my only copy", f"ends with b'my only copy', which {FOREIGN}"),
        (b"{}", f"ends with b'{{}}', which {FOREIGN}"),
        (b'{"run_id": "1"}\n{"name": "torn', f'ends with b\'{{"name": "torn\', which {FOREIGN}'),
        (b"0" * 70_000, f"ends with {b'0' * 40!r}, which {FOREIGN}"),
    ],
)
def test_what_bncli_did_not_write_is_never_cut_off(tmp_path, content, complaint):
    path = tmp_path / "runs.jsonl"
    path.write_bytes(content)
    assert message(journal.append, path, [RESULT]) == f"'{path}' {complaint}"
    assert message(journal.check, path, is_written=True).endswith(FOREIGN)
    assert message(journal.states, path) == f"'{path}' {complaint}"
    assert path.read_bytes() == content


def test_a_foreign_file_is_noticed_by_its_beginning(tmp_path):
    path = tmp_path / "runs.jsonl"
    path.write_text("# my notes\n")
    assert message(journal.check, path) == f"'{path}' begins with b'# my notes\\n', which {FOREIGN}"


@pytest.mark.parametrize("n_bytes", [0, 1, 9, 10, 300, None])
def test_a_journal_with_an_incomplete_last_line_is_one(tmp_path, n_bytes):
    path = tmp_path / "runs.jsonl"
    journal.append(path, [RESULT])
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:n_bytes])
    journal.check(path, is_written=True)
    assert list(journal.read(path)) == [RESULT] * (2 if n_bytes is None else 1)


def test_a_journal_that_is_not_there_is_fine_and_not_made(tmp_path):
    journal.check(tmp_path / "runs.jsonl", is_written=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_a_journal_is_a_regular_file(tmp_path, kind):
    path, victim = tmp_path / "s" / "runs.jsonl", tmp_path / "victim"
    path.parent.mkdir()
    victim.write_text("mine")
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(victim)
    expected = (
        f"'{path}' is {'a link' if kind == 'link' else 'not a regular file'}, "
        f"and bncli reads, writes and deletes only files of its own in '{path.parent}'. "
        "Remove it, or try another folder."
    )
    for call, given in ((journal.append, [[RESULT]]), (journal.check, []), (journal.states, [])):
        assert message(call, path, *given) == expected
    assert victim.read_text() == "mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads and writes anyway")
@pytest.mark.parametrize(("mode", "is_written", "verb"), [(0o400, True, "written"), (0o200, False, "read")])
def test_a_journal_without_permission_is_found_before_any_work(tmp_path, mode, is_written, verb):
    path = tmp_path / "runs.jsonl"
    journal.append(path, [RESULT])
    path.chmod(mode)
    expected = f"'{path}' can't be {verb}: Permission denied. Try another --out DIR."
    assert message(journal.check, path, is_written=is_written) == expected
