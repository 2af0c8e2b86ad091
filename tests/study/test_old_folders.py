"""Folders of every earlier version are read, reported and continued: nothing on a user's disk expires."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from fakes import learned

from bncli.analysis.evidence import read_evidence
from bncli.cli import app
from bncli.errors import StoreError
from bncli.study import formats
from bncli.study.folder import Store
from bncli.study.status import status_rows, status_totals

FOLDERS = Path(__file__).parent / "folders"
SMALL = "--dataset circles --set n_samples=64 --model dense8 --epochs 2"
SWEEP = (
    f"sweep lr=0.01,0.1 activation=relu,tanh norm_momentum=0.5,0.9 {SMALL} "
    "--arms none,batch:before,batch:after,layer:before+center=false"
)
DIVERGED = (
    "compare --dataset digits --set train_rows=:64 --set val_rows=:64 --model dense8 --epochs 3 --optimizer sgd "
    "--lr 1e6 --set init_scale=1e6"
)
TABLE = "compare --dataset flowers.csv --label species --model dense8 --epochs 2"

TOTALS = {
    "train": "2 runs: 2 complete, 0 pending",
    "sweep": "48 runs: 48 complete, 0 pending",
    "diverged": "6 runs: 2 complete, 4 diverged, 0 pending",
    "failed": "6 runs: 4 complete, 2 failed, 0 pending",
    "shards": "9 runs: 6 complete, 3 pending",
    "table": "6 runs: 6 complete, 0 pending",
    "verified/claims": "30 runs: 10 complete, 20 pending",
    "claims-31319a": "18 runs: 18 complete, 0 pending",
}
CONTINUED = {
    "train": [(f"train {SMALL} --arm batch:before --seeds 2", 0), (f"train {SMALL} --arm batch:before --seeds 3", 1)],
    "sweep": [(f"{SWEEP} --seeds 2", 0), (f"{SWEEP} --seeds 3", 24), (f"{SWEEP},batch:input --seeds 2", 16)],
    "diverged": [(f"{DIVERGED} --seeds 2", 0), (f"{DIVERGED} --seeds 4", 6)],
    "failed": [
        (f"compare {SMALL} --arms none,batch:after --seeds 3", 0),
        (f"compare {SMALL} --arms none,batch:after --seeds 3 --retry-failed", 2),
    ],
    "shards": [(f"compare {SMALL} --seeds 3", 3), (f"compare {SMALL} --seeds 3 --shard 2/3", 3)],
    "table": [(f"{TABLE} --seeds 2", 0), (f"{TABLE} --seeds 3", 3)],
}
"""Commands that continue a folder, and how many runs each has to train."""

CASES = [(name, command, n) for name, commands in CONTINUED.items() for command, n in commands]


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A working folder with copies of all old folders, and of the user's own files."""
    shutil.copytree(FOLDERS, tmp_path / "home")
    monkeypatch.chdir(tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def bncli(monkeypatch, capsys):
    """Run a command with an engine that answers at once; return what it was asked to train, and its messages."""

    def call(arguments):
        trained = []

        def train(configs, engine, on_epoch, on_model, probe):
            for config in configs:
                trained.append(config)
                yield [learned(config)]

        monkeypatch.setattr(sys, "argv", ["bncli", *arguments.split()])
        with pytest.raises(SystemExit) as ended:
            app.main(train)
        return ended.value.code or 0, trained, capsys.readouterr()

    return call


@pytest.mark.parametrize("name", TOTALS)
def test_an_old_folder_has_all_its_runs(home, name):
    assert status_totals(status_rows(Path(name))) == TOTALS[name]
    n_recorded = sum(len(path.read_text().splitlines()) for path in Path(name).glob("runs*.jsonl"))
    found = read_evidence(Path(name))
    assert len(found.results) == n_recorded
    assert {result.run_id for result in found.results} == set(recorded_ids(Path(name)))


def recorded_ids(folder):
    lines = (line for path in folder.glob("runs*.jsonl") for line in path.read_text().splitlines())
    return [json.loads(line)["run_id"] for line in lines]


@pytest.mark.parametrize("name", TOTALS)
def test_an_old_folder_is_reported_and_left_as_it_is(home, bncli, name):
    before = {path.name: path.read_bytes() for path in Path(name).iterdir()}
    status, trained, _ = bncli(f"report {name} --quiet")
    assert (status, trained) == (0, [])
    after = {path.name: path.read_bytes() for path in Path(name).iterdir() if path.is_file()}
    assert {file: after[file] for file in before} == before
    assert (Path(name) / "report.html").is_file()


@pytest.mark.parametrize(("name", "command", "n_missing"), CASES)
def test_an_old_folder_is_continued_with_not_one_run_trained_again(home, bncli, no_figures, name, command, n_missing):
    old = recorded_ids(Path(name))
    fails = int(name == "failed" and "--retry-failed" not in command)
    status, trained, _ = bncli(f"{command} --out {name} --quiet")
    assert (status, len(trained)) == (fails, n_missing)
    assert set(recorded_ids(Path(name))) >= set(old)
    states = [result.state for result in Store(Path(name)).read_runs().values()]
    assert len(states) == len(set(old)) + n_missing - (2 if "--retry-failed" in command else 0)
    assert ("failed" in states) == bool(fails)
    status, trained, _ = bncli(f"{command} --out {name} --quiet")
    assert (status, trained) == (fails, [])


def test_a_continued_folder_lists_old_and_new_runs_under_the_same_conditions(home, bncli, no_figures):
    bncli(f"{SWEEP} --seeds 3 --out sweep --quiet")
    rows = status_rows(Path("sweep"))
    assert {(row["planned"], row["complete"]) for row in rows} == {(3, 3)}
    bncli(f"compare {SMALL} --arms none --seeds 1 --out shards --quiet")  # a part, whose conditions get new ids
    bncli(f"compare {SMALL} --seeds 3 --out shards --quiet")
    assert status_totals(status_rows(Path("shards"))) == "9 runs: 9 complete, 0 pending"


@pytest.mark.parametrize("command", ["sweep --preset claims.toml --seeds 3", "verify claims.toml"])
def test_a_study_file_finds_the_folder_that_an_older_version_named_otherwise(home, bncli, command):
    (home / "studies").mkdir()
    shutil.move("claims-31319a", "studies")
    status, trained, said = bncli(command)
    assert status == 0
    assert "Folder: studies/claims-31319a\n" in said.err
    n_needed = 0 if command.startswith("sweep") else 4  # two seeds of two conditions more than the sweep had
    assert len(trained) == n_needed


def test_verify_reads_an_old_folder(home, bncli, no_figures):
    status, trained, said = bncli("verify claims.toml --out verified --claim after-better -f csv -q")
    assert (status, trained) == (0, [])
    assert "1 more seed is needed: a verdict takes 6." in said.out  # by today's rules
    assert ",10," not in said.out
    assert ",5," in said.out


def strip(folder, *fields):
    """Turn a folder of format 1 into one of an even older version, which did not know some fields yet."""

    def old_id(config):
        return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:12]

    journal, ids = folder / "runs.jsonl", {}
    records = [json.loads(line) for line in journal.read_text().splitlines()]
    for record in records:
        before = old_id(record["config"] | {"seed": 0})
        for field in fields:
            del record["config"][field]
        record["run_id"], ids[before] = old_id(record["config"]), old_id(record["config"] | {"seed": 0})
    journal.write_text("".join(json.dumps(record) + "\n" for record in records))
    content = json.loads((folder / "study.json").read_text())
    for field in fields:
        del content["study"]["run"][field]
    for entry in content["conditions"]:
        entry["id"] = ids[entry["id"]]
    (folder / "study.json").write_text(json.dumps(content))


def test_a_record_that_lacks_fields_had_the_defaults_of_its_time(home, bncli, no_figures):
    strip(Path("sweep"), "init_scale", "norm_output")
    assert status_totals(status_rows(Path("sweep"))) == TOTALS["sweep"]
    assert {result.config.init_scale for result in read_evidence(Path("sweep")).results} == {1.0}
    for command, n_missing in ((f"{SWEEP} --seeds 2", 0), (f"{SWEEP} --seeds 3", 24)):
        assert len(bncli(f"{command} --out sweep --quiet")[1]) == n_missing
    assert {(row["planned"], row["complete"]) for row in status_rows(Path("sweep"))} == {(3, 3)}


def test_a_newer_format_is_refused_with_the_version_that_wrote_it(home):
    path = Path("train/study.json")
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"format": 7, "versions": {"bncli": "3.1.4"}}))
    with pytest.raises(StoreError) as caught:
        read_evidence(Path("train"))
    assert str(caught.value) == (
        "'train/study.json' was written by bncli 3.1.4 in format 7. "
        f"This is bncli {own_version()}, which reads formats up to {formats.FORMAT}. "
        "Try: pip install --upgrade bncli."
    )


def test_a_field_of_a_newer_version_is_refused_with_the_version_that_wrote_it(home):
    path = Path("train/study.json")
    content = json.loads(path.read_text())
    content["study"]["run"]["cycles"] = 3
    path.write_text(json.dumps(content | {"versions": {"bncli": "3.1.4"}}))
    with pytest.raises(StoreError) as caught:
        read_evidence(Path("train"))
    assert str(caught.value) == (
        "'train/study.json' was written by bncli 3.1.4. "
        f"This is bncli {own_version()}, which does not know the field 'cycles'. Try: pip install --upgrade bncli."
    )


def test_a_record_of_a_newer_version_is_not_called_damaged(home):
    path = Path("train/runs.jsonl")
    record = json.loads(path.read_text().splitlines()[0])
    record["config"]["cycles"] = 3
    with path.open("a") as journal:
        journal.write(json.dumps(record) + "\n")
    with pytest.raises(StoreError) as caught:
        read_evidence(Path("train"))
    assert str(caught.value) == (
        "'train/runs.jsonl', line 3, was written by a newer bncli. "
        f"This is bncli {own_version()}, which does not know the field 'cycles'. Try: pip install --upgrade bncli."
    )


def own_version():
    from importlib.metadata import version

    return version("bncli")


def test_the_committed_folders_are_of_format_1():
    found = {path.parent.name: json.loads(path.read_text())["format"] for path in FOLDERS.rglob("study.json")}
    assert set(found.values()) == {1}
    assert len(found) == len(TOTALS)


def test_a_real_process_continues_an_old_folder_with_the_numbers_of_its_time(home, monkeypatch):
    """The first seed, trained again elsewhere, scores what the old version recorded; here it is not trained again."""
    command = f"train {SMALL} --arm batch:before --quiet".split()
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    process = [sys.executable, "-m", "bncli", *command, "--seeds", "3", "--out", "train"]
    done = subprocess.run(process, capture_output=True, text=True, check=False, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    monkeypatch.setattr(sys, "argv", ["bncli", *command, "--seeds", "2", "--out", "fresh"])
    with pytest.raises(SystemExit) as ended:
        app.main()
    assert not ended.value.code
    old, fresh = (list(Store(Path(name)).read_runs().values()) for name in ("train", "fresh"))
    assert len(old) == 3
    for before, now in zip(old, fresh, strict=False):
        assert before.config == now.config
        assert now.metrics["val_loss"] == pytest.approx(before.metrics["val_loss"], rel=1e-4)
