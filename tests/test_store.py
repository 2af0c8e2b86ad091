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

from bncli.atomic import ORPHAN_SECONDS, replace_file
from bncli.config import RunConfig
from bncli.data import datasets
from bncli.errors import StoreError
from bncli.report.files import write_files
from bncli.study.execution import done_runs
from bncli.study.folder import RUNS_FILE, STUDY_FILE, Store, note_session, open_store
from bncli.study.shard import Shard

CONTENT = {"study": {}, "conditions": [], "datasets": {}}


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


def test_a_new_folder_holds_nothing(store):
    assert store.read_runs() == {}
    assert store.read_study() is None
    assert list(store.folder.iterdir()) == []


def test_the_study_comes_back_with_its_format(store):
    store.write_study(CONTENT | {"conditions": [1]})
    assert store.read_study() == {"format": 1} | CONTENT | {"conditions": [1]}


def test_of_two_lines_on_one_run_the_later_holds(store):
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


def test_a_file_system_that_syncs_no_folders_is_no_error(store, monkeypatch):
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
    (store.folder / RUNS_FILE).write_bytes(journal + b"x" * 200_000)
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
        (b"[]", "list indices must be integers or slices, not str"),
        (without("state"), "no 'state'"),
        (with_config(lr=-1), "lr must be a number above 0 to 1e+06. Received: -1"),
        (with_parts(state="completed"), STATE),
        (with_parts(state=None), "Unknown state None. Allowed: complete, diverged, failed"),
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
    for folder, reason in ((tmp_path / "out", "File exists"), (tmp_path / "out" / "below", "Not a directory")):
        expected = f"Can't write to the output folder '{folder}' ({reason}). Try another --out DIR."
        assert message(Store(folder).create) == expected
    assert (tmp_path / "out").read_text() == "mine"


def test_a_journal_that_is_no_file_can_be_neither_read_nor_written(store):
    path = store.folder / RUNS_FILE
    path.mkdir()
    assert message(store.read_runs) == f"'{path}' can't be read: Is a directory."
    assert message(store.append, results(1)[0]) == (
        f"Can't write to '{path}' (Is a directory). Finished runs are safe; mend this and give the same command again."
    )


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


def test_names_that_begin_with_a_dot_are_no_part_of_a_study(tmp_path):
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
    ("text", "received"), [('{"format": 2}', "2"), ('{"study": {}}', "None"), ("[1, 2]", "list"), ("3", "int")]
)
def test_a_newer_format_is_refused(store, text, received):
    store.write_text(STUDY_FILE, text)
    assert message(store.read_study) == (
        f"'{store.folder}/study.json' has a format that this version of bncli can't read. Allowed: 1. "
        f"Received: {received}. Try a newer bncli."
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


def test_a_writer_that_raises_leaves_the_old_file_and_no_temporary_one(store):
    store.write_text("summary.csv", "old")

    def write(path):
        path.write_text("half")
        raise RuntimeError("no ink")

    with pytest.raises(RuntimeError, match=r"^no ink$"):
        store.write_with("summary.csv", write)
    assert [path.name for path in store.folder.iterdir()] == ["summary.csv"]
    assert (store.folder / "summary.csv").read_text() == "old"


def test_the_writer_sees_the_ending_of_its_file_and_not_its_name(store):
    seen = []
    store.write_with("figures/curves.png", lambda path: (seen.append(path), path.touch()))
    assert seen[0].suffix == ".png"
    assert seen[0].parent == store.folder / "figures"
    assert [path.name for path in (store.folder / "figures").iterdir()] == ["curves.png"]


def no_ink(path):
    raise OSError("no ink")


def test_a_place_that_takes_no_file_is_named(tmp_path):
    (tmp_path / "file").touch()
    below, folder = tmp_path / "file" / "x.csv", tmp_path / "folder"
    (folder / "full").mkdir(parents=True)
    assert message(replace_file, below, Path.touch) == f"Can't write '{below}': File exists."
    assert message(replace_file, folder, Path.touch) == f"Can't write '{folder}': Is a directory."
    assert message(replace_file, tmp_path / "a.csv", no_ink) == f"Can't write '{tmp_path}/a.csv': no ink."
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_a_derived_file_is_removed_if_it_is_there(store):
    store.write_text("figures/old.png", "x")
    store.remove("figures/old.png")
    store.remove("figures/old.png")
    assert list((store.folder / "figures").iterdir()) == []
    assert message(store.remove, "figures") == f"Can't remove '{store.folder}/figures': Is a directory."


def bytes_of(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_derived_files_written_twice_are_the_same_byte_for_byte(store):
    shown = evidence(make_study(axes=TWO_AXES))
    write_files(shown, store)
    first = bytes_of(store.folder)
    write_files(shown, store)
    assert bytes_of(store.folder) == first
    assert {path.suffix for path in first} == {".csv", ".png", ".svg", ".html"}


# A study's folder belongs to one study: `study.open_store`.


def opened(folder, study):
    return open_store(folder, study, study.plan())


def refusal(folder, study):
    return message(opened, folder, study)


@pytest.fixture
def out(tmp_path):
    """The folder of the default study, with its first run."""
    study = make_study()
    opened(tmp_path / "out", study).append(complete(study.plan().runs[0][0]))
    return tmp_path / "out"


def test_opening_a_folder_writes_what_the_study_is(out):
    content = Store(out).read_study()
    study = make_study()
    assert content["study"] == study.to_dict()
    assert [condition["arm"] for condition in content["conditions"]] == ["none", "batch:before"]
    assert list(content["datasets"]) == ["circles n_samples=40 noise=0.1 data_seed=1 scaling=none"]
    assert sorted(path.name for path in out.iterdir()) == [RUNS_FILE, STUDY_FILE]


@pytest.mark.parametrize(
    ("fields", "differing"),
    [
        ({"epochs": 5}, "epochs (3 there, 5 here)"),
        ({"lr": 0.1, "model": "dense8"}, "model ('dense4' there, 'dense8' here), lr (0.001 there, 0.1 here)"),
    ],
)
def test_another_study_in_the_folder_is_refused(out, fields, differing):
    before = bytes_of(out)
    assert refusal(out, make_study(**fields)) == (
        f"The output folder '{out}' holds another study: it differs in {differing}. "
        "Try another --out, or make the field an axis."
    )
    assert bytes_of(out) == before


@pytest.mark.parametrize(
    "more",
    [
        make_study("none,batch:before,layer:after"),
        make_study(axes=(("lr", (0.001, 0.1)),)),
        make_study(seeds=(0, 1, 2, 3)),
        make_study("batch:before,none", axes=(("activation", ("relu", "tanh")),), seeds=(4, 0), name="other"),
    ],
    ids=["arms", "axis", "seeds", "all"],
)
def test_more_arms_axis_values_and_seeds_continue_the_study(out, more):
    plan = more.plan()
    store = opened(out, more)
    assert store.read_study()["study"] == more.to_dict()
    assert set(done_runs(plan, store)) == {make_study().plan().runs[0][0].run_id}


def test_changed_data_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = make_study(dataset="points.csv", n_samples=None, label="kind")
    write_points("points.csv", 0)
    opened(Path("out"), study)
    opened(Path("out"), study)
    write_points("points.csv", 1)
    assert refusal(Path("out"), study) == (
        "The data 'points.csv label=kind data_seed=0 scaling=standard' is not what the runs in 'out' were trained on. "
        "Restore the data, or try another --out."
    )


def test_data_of_runs_that_a_narrower_study_left_out_is_still_held_to(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_points("points.csv", 0)
    axis = ("scaling", ("standard", "none"))
    wide, narrow = (make_study(dataset="points.csv", n_samples=None, label="kind", axes=a) for a in ((axis,), ()))
    narrow = narrow.vary({"scaling": "none"})
    opened(Path("out"), wide)
    content = opened(Path("out"), narrow).read_study()
    standard, plain = (f"points.csv label=kind data_seed=0 scaling={value}" for value in axis[1])
    assert list(content["datasets"]) == [plain]
    assert set(content["fingerprints"]) == {standard, plain}
    write_points("points.csv", 1)
    refused = f"The data {standard!r} is not what the runs in 'out' were trained on. "
    study = narrow.vary({"scaling": "standard"}).vary(axes=[("scaling", ("standard",))])
    assert refusal(Path("out"), study) == refused + "Restore the data, or try another --out."
    anew = open_store(Path("out"), study, study.plan(), anew=True).read_study()
    assert list(anew["fingerprints"]) == list(anew["datasets"]) == [standard]


def test_a_folder_of_an_earlier_bncli_without_fingerprints_and_sessions_goes_on(out):
    store = Store(out)
    before = store.read_study()
    facts = before["datasets"]
    for name in ("fingerprints", "sessions"):
        before.pop(name, None)
    store.write_study(before | {"command": "bncli of old"})
    content = opened(out, make_study(seeds=(0, 1, 2))).read_study()
    assert content["fingerprints"] == {name: each["fingerprint"] for name, each in facts.items()}
    assert content["command"] == "bncli of old"
    note_session(store)
    old, new = store.read_study()["sessions"]
    assert (old["command"], new["command"]) == ("bncli of old", store.read_study()["command"])


def test_who_trained_is_kept_and_who_only_looked_is_not(out, monkeypatch):
    store = Store(out)
    facts = {name: store.read_study()[name] for name in FACTS}
    note_session(store)
    note_session(store)
    assert store.read_study()["sessions"] == [facts]
    monkeypatch.setattr("sys.argv", ["bncli", "sweep", "--seeds", "9"])
    opened(out, make_study(seeds=(0, 1, 2)))
    assert {name: store.read_study()[name] for name in FACTS} == facts
    note_session(store)
    content = store.read_study()
    assert content["sessions"] == [facts, facts | {"command": "bncli sweep --seeds 9"}]
    assert {name: content[name] for name in FACTS} == content["sessions"][-1]
    assert content["study"] == make_study(seeds=(0, 1, 2)).to_dict()


FACTS = ("versions", "host", "settings", "git", "command")


def test_a_share_may_add_to_a_study_but_not_take_from_it(out):
    more = make_study("none,batch:before", axes=(("lr", (0.001, 0.1)),), seeds=(0, 1, 2))
    open_store(out, more, more.plan(), Shard(1, 2))
    before = bytes_of(out)
    for less, part in (
        (make_study("none,batch:before", axes=(("lr", (0.001, 0.1)),)), "seeds (0, 1, 2 there, 0, 1 here)"),
        (make_study(seeds=(0, 1, 2), lr=0.1), "lr (0.001, 0.1 there, 0.1 here)"),
    ):
        with pytest.raises(StoreError) as caught:
            open_store(out, less, less.plan(), Shard(2, 2))
        assert str(caught.value) == (
            f"The output folder '{out}' holds a larger study than this share is of: it differs in {part}. "
            "Give every share the same options, or try another --out."
        )
    assert bytes_of(out) == before


def write_points(path, first):
    rows = [f"{first if i == 0 else i},{i % 3},{'ab'[i % 2]}" for i in range(40)]
    Path(path).write_text("\n".join(["x,y,kind", *rows, ""]))
    datasets.forget()
