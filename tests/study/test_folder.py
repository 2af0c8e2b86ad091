"""A study's folder: the journal, what it forgives, and what it refuses."""

import dataclasses
import errno
import json
import os
import re
import time
from pathlib import Path

import pytest
from fakes import TWO_AXES, complete, diverged, evidence, failed, make_study

from bncli.atomic import ORPHAN_SECONDS
from bncli.config import ABSENT, RunConfig
from bncli.errors import StoreError
from bncli.report.files import write_files
from bncli.study.folder import STUDY_FILE, Store
from bncli.study.formats import FORMAT
from bncli.study.journal import RUNS_FILE, journals, states

STUDY = {"name": "empty", "seeds": [], "arms": [], "axes": {}, "run": {}}
CONTENT = {"study": STUDY, "conditions": [], "datasets": {}}


def results(n):
    return [complete(RunConfig(seed=seed)) for seed in range(n)]


@pytest.fixture
def store(tmp_path):
    """A new store, created."""
    new = Store(tmp_path / "out")
    new.create()
    return new


def filled(store, n=3):
    """Put `n` runs into the store and return them and the bytes of its journal."""
    for result in results(n):
        store.append(result)
    return results(n), (store.folder / RUNS_FILE).read_bytes()


def message(call, *arguments):
    with pytest.raises(StoreError) as caught:
        call(*arguments)
    return str(caught.value)


def test_runs_come_back_in_order_and_equal(store):
    given = [complete(RunConfig()), diverged(RunConfig(seed=1)), failed(RunConfig(seed=2))]
    for result in given:
        store.append(result)
    assert store.read_runs() == {result.config.run_id: result for result in given}
    assert list(store.read_runs()) == [result.config.run_id for result in given]


def test_a_new_folder_is_empty(store):
    assert store.read_runs() == {}
    assert store.read_study() is None
    assert list(store.folder.iterdir()) == []


def test_the_study_comes_back_with_its_format(store):
    store.write_study(CONTENT | {"command": "bncli"})
    assert store.read_study() == CONTENT | {"format": FORMAT, "command": "bncli", "study": STUDY | {"run": ABSENT}}


def test_the_later_of_two_lines_on_one_run_counts(store):
    config = RunConfig()
    store.append(failed(config))
    store.append(complete(config))
    assert store.read_runs() == {config.run_id: complete(config)}


def test_every_line_of_the_journal_is_one_json_object(store):
    given, journal = filled(store)
    assert [json.loads(line)["run_id"] for line in journal.splitlines()] == [each.config.run_id for each in given]


@pytest.mark.parametrize("n_whole", [0, 2])
def test_a_journal_cut_at_any_byte_of_its_last_line_goes_on(store, n_whole, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # a thousand waits for the disk prove nothing here
    given, journal = filled(store, n_whole + 1)
    whole = b"".join(journal.splitlines(keepends=True)[:n_whole])
    for cut in range(len(whole), len(journal)):
        (store.folder / RUNS_FILE).write_bytes(journal[:cut])
        assert list(store.read_runs().values()) == given[:n_whole]
        store.append(given[-1])
        assert (store.folder / RUNS_FILE).read_bytes() == journal


def test_a_line_is_on_the_disk_before_append_returns(store, monkeypatch):
    synced = record_syncs(monkeypatch)
    _, journal = filled(store)
    first, *more = [("runs.jsonl", len(journal) * n // 3) for n in (1, 2, 3)]
    assert synced == [first, "out", *more]


def record_syncs(monkeypatch):
    """What is synced from now on, in order: names of folders; of files the names, and sizes at the time."""
    synced = []

    def fsync(descriptor):
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        synced.append(path.name if path.is_dir() else (path.name, path.stat().st_size))

    monkeypatch.setattr(os, "fsync", fsync)
    return synced


def test_the_study_is_on_the_disk_under_its_name_before_any_run(store, monkeypatch):
    synced = record_syncs(monkeypatch)
    store.write_study(CONTENT)
    store.write_text("summary.csv", "made again at will")
    (name, size), folder = synced
    assert re.fullmatch(r"\.[0-9a-f]{8}\.study\.json", name)
    assert (size, folder) == ((store.folder / STUDY_FILE).stat().st_size, "out")


def test_a_file_system_that_cannot_sync_folders_is_not_an_error(store, monkeypatch):
    def fsync(descriptor):
        if os.path.isdir(f"/proc/self/fd/{descriptor}"):
            raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "fsync", fsync)
    store.write_study(CONTENT)
    store.append(*results(2))
    assert len(store.read_runs()) == 2


def test_runs_appended_together_are_the_same_lines_and_one_wait(store, monkeypatch):
    given, journal = filled(store)
    (store.folder / RUNS_FILE).write_bytes(journal[:10])
    synced = record_syncs(monkeypatch)
    store.append(*given)
    assert (store.folder / RUNS_FILE).read_bytes() == journal
    assert synced == [("runs.jsonl", len(journal))]


def test_a_torn_line_longer_than_a_block_is_cut_off(store):
    given, journal = filled(store)
    (store.folder / RUNS_FILE).write_bytes(journal + b'{"run_id": "' + b"x" * 200_000)
    store.append(given[0])
    assert (store.folder / RUNS_FILE).read_bytes() == journal + journal.splitlines(keepends=True)[0]


def test_a_run_that_json_does_not_know_leaves_the_journal_whole(store):
    _, journal = filled(store)
    broken = dataclasses.replace(results(1)[0], metrics={"loss": float("inf")})
    with pytest.raises(ValueError, match=r"^Out of range float values are not JSON compliant"):
        store.append(broken)
    assert (store.folder / RUNS_FILE).read_bytes() == journal


STATE = "Unknown state 'completed'. Allowed: complete, diverged, failed. Did you mean 'complete'?"
OWN_ID = RunConfig().run_id


def without(name):
    record = results(1)[0].to_record()
    return json.dumps({key: value for key, value in record.items() if key != name}).encode()


def with_config(**fields):
    record = results(1)[0].to_record()
    return json.dumps(record | {"config": record["config"] | fields}).encode()


def with_parts(**parts):
    return json.dumps(results(1)[0].to_record() | parts).encode()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"", "Expecting value: line 1 column 1 (char 0)"),
        (b'{"run_id": ', "Expecting value: line 1 column 12 (char 11)"),
        (b'"\xff"', "'utf-8' codec can't decode byte 0xff in position 1: invalid start byte"),
        (b"[]", "it must be an object. Received: []"),
        (without("state"), "it lacks state"),
        (with_config(lr=-1), "lr must be a number above 0 and up to 1000000. Received: -1"),
        (with_parts(state="completed"), STATE),
        (with_parts(state=None), "state must be text. Received: None"),
        (with_parts(run_id="0123"), f"run_id must be {RunConfig().run_id} for this config. Received: '0123'"),
        (with_config(lr=0.5), f"run_id must be {RunConfig(lr=0.5).run_id} for this config. Received: {OWN_ID!r}"),
    ],
    ids=["empty", "torn", "bytes", "list", "field", "value", "state", "none", "id", "config"],
)
def test_a_damaged_line_in_the_middle_is_named(store, line, reason):
    _, journal = filled(store)
    lines = journal.splitlines()
    (store.folder / RUNS_FILE).write_bytes(b"\n".join([lines[0], line, *lines[1:], b""]))
    assert message(store.read_runs) == (
        f"'{store.folder}/runs.jsonl', line 2, is damaged ({reason}). "
        "Remove that line; the same command then trains its run again."
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes anyway")
def test_a_folder_that_is_read_only_is_refused_before_any_work(tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    assert message(Store(folder).create) == (
        f"Can't write to the output folder '{folder}' (Permission denied). Try another --out DIR."
    )


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "out").write_text("mine")
    for folder in (tmp_path / "out", tmp_path / "out" / "below"):
        expected = f"Can't write to the output folder '{folder}' (Not a directory). Try another --out DIR."
        assert message(Store(folder).create) == expected
    assert (tmp_path / "out").read_text() == "mine"


def refusal(path, folder, what):
    return (
        f"'{path}' is {what}, and bncli reads, writes and deletes only files of its own in '{folder}'. "
        "Remove it, or try another folder."
    )


def test_a_folder_in_place_of_the_journal_is_refused(store):
    path = store.folder / RUNS_FILE
    path.mkdir()
    for call, given in ((store.check, ()), (store.create, ()), (store.read_runs, ()), (store.append, results(1))):
        assert message(call, *given) == refusal(path, store.folder, "not a regular file")


@pytest.mark.parametrize(
    ("names", "shown"), [(["notes.txt"], "notes.txt"), (["b.txt", "a.txt", "runs.jsonl"], "a.txt, ...")]
)
def test_a_folder_that_holds_other_files_is_refused(tmp_path, names, shown):
    for name in names:
        (tmp_path / name).touch()
    assert message(Store(tmp_path).create) == (
        f"The output folder '{tmp_path}' holds other files ({shown}) and no study. "
        "Try --out with a new or empty folder."
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)


def test_files_whose_names_begin_with_a_dot_do_not_belong_to_a_study(tmp_path):
    names = (".done", ".0123abcd.study.json", ".runs-1-of-4.jsonl.lock", ".study.json.lock")
    for name in names:
        (tmp_path / name).touch()
    Store(tmp_path).create()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)


def test_temporary_files_that_killed_processes_left_are_removed_in_time(store):
    names = [".0123abcd.study.json", ".0123abce.study.json", ".0123abcd.other.json", ".notes.study.json"]
    for name in names:
        (store.folder / name).touch()
    for name in (names[0], *names[2:]):
        os.utime(store.folder / name, (0, time.time() - ORPHAN_SECONDS - 60))
    store.write_study(CONTENT)
    assert sorted(path.name for path in store.folder.iterdir()) == sorted([*names[1:], STUDY_FILE])


def test_a_study_may_have_files_beside_it(store):
    store.write_study(CONTENT)
    store.write_text("notes.txt", "mine")
    store.create()
    assert sorted(path.name for path in store.folder.iterdir()) == ["notes.txt", STUDY_FILE]


@pytest.mark.parametrize(
    ("text", "received"), [('{"study": {}}', "format None"), ('{"format": true}', "format True"), ("[1, 2]", "list")]
)
def test_a_file_that_is_not_a_study_is_refused(store, text, received):
    store.write_text(STUDY_FILE, text)
    assert message(store.read_study) == (
        f"'{store.folder}/study.json' is not a study of bncli. Received: {received}. Try a new folder."
    )


def test_a_folder_without_a_study_is_refused_where_one_is_needed(store):
    assert message(store.need_study) == (
        f"'{store.folder}' holds no study (no study.json). Give the --out folder of a compare or sweep."
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"format": 1', "can't be read: Expecting ',' delimiter: line 1 column 13 (char 12). "),
        ("", "can't be read: Expecting value: line 1 column 1 (char 0). "),
        ('{"format": 1, "study": {}}', "lacks conditions, datasets. "),
    ],
)
def test_a_broken_study_is_named(store, text, reason):
    store.write_text(STUDY_FILE, text)
    assert message(store.read_study) == f"'{store.folder}/study.json' {reason}Restore it or start in a new folder."


def test_a_derived_file_is_removed_if_it_is_there(store):
    store.write_text("figures/old.png", "x")
    store.remove("figures/old.png")
    store.remove("figures/old.png")
    assert list((store.folder / "figures").iterdir()) == []
    assert message(store.remove, "figures") == refusal(store.folder / "figures", store.folder, "not a regular file")


def bytes_of(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_derived_files_written_twice_are_the_same_byte_for_byte(store):
    shown = evidence(make_study(axes=TWO_AXES))
    write_files(shown, store)
    first = bytes_of(store.folder)
    write_files(shown, store)
    assert bytes_of(store.folder) == first
    assert {path.suffix for path in first} == {".csv", ".png", ".svg", ".html"}


def test_states_are_read_without_the_rest_of_the_lines(store):
    store.append(complete(RunConfig()), failed(RunConfig(seed=1)))
    with store.journal.open("ab") as journal:
        journal.write(b'{"run_id": "0123", "state": "torn')
    assert journals(store.folder) == [store.journal]
    assert states(store.journal) == {RunConfig().run_id: "complete", RunConfig(seed=1).run_id: "failed"}


@pytest.mark.parametrize("name", ["summary.csv", "figures/curves.png", STUDY_FILE])
def test_nothing_is_written_or_removed_through_a_link(store, tmp_path, name):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    victim = elsewhere / Path(name).name
    victim.write_text("mine")
    link = store.folder / Path(name).parts[0]
    link.symlink_to(elsewhere if "/" in name else victim)
    for call, arguments in ((store.write_text, [name, "new"]), (store.remove, [name]), (store.read, [name])):
        assert message(call, *arguments) == refusal(link, store.folder, "a link")
    assert message(store.check_removable, [name]) == refusal(link, store.folder, "a link")
    assert victim.read_text() == "mine"


@pytest.mark.parametrize("kind", ["pipe", "dangling"])
def test_a_study_file_that_is_no_regular_file_keeps_nobody_waiting(store, tmp_path, kind):
    path = store.folder / STUDY_FILE
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(tmp_path / "nothing")
    expected = refusal(path, store.folder, "a link" if kind == "dangling" else "not a regular file")
    assert store.has_study()
    for call, given in ((store.read_study, ()), (store.check, ()), (store.write_study, [CONTENT])):
        assert message(call, *given) == expected
    assert not (tmp_path / "nothing").exists()


def test_the_folder_itself_may_be_a_link(store, tmp_path):
    (tmp_path / "link").symlink_to(store.folder)
    linked = Store(tmp_path / "link")
    linked.create()
    linked.write_study(CONTENT)
    linked.append(*results(2))
    linked.write_text("figures/a.svg", "new")
    linked.remove("figures/a.svg")
    assert len(store.read_runs()) == 2
    assert (store.folder / STUDY_FILE).is_file()


@pytest.mark.parametrize("name", [RUNS_FILE, "runs-1-of-2.jsonl"])
def test_a_foreign_journal_is_refused_before_a_study_is_written(tmp_path, name):
    (tmp_path / name).write_text("my notes\n")
    assert message(Store(tmp_path).create) == (
        f"'{tmp_path}/{name}' begins with b'my notes\\n', which bncli did not write. Remove it, or try another folder."
    )
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_check_makes_nothing(tmp_path):
    Store(tmp_path / "not" / "there").check()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root removes anyway")
def test_a_file_that_can_not_be_removed_is_known_before_the_first_is(store):
    store.write_text("figures/a.svg", "old")
    (store.folder / "figures").chmod(0o500)
    expected = f"Can't remove '{store.folder}/figures/a.svg': its folder is not writable."
    assert message(store.check_removable, ["figures/a.svg"]) == expected
    (store.folder / "figures").chmod(0o700)
