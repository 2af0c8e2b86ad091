"""The examples do what they say: run as a user runs them, where that needs no cluster."""

import json
import os
import shlex
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

HERE = Path(__file__).parent
EXAMPLES = HERE.parent / "examples"


@pytest.fixture
def shell(folder, monkeypatch):
    """Run a command in an empty folder where `bncli` is the driver, which trains at once."""
    script = folder / "bin" / "bncli"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {HERE / "driver.py"} "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), str(HERE.parent)]))
    for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):  # of a `make test` that runs this one
        monkeypatch.delenv(name, raising=False)

    def call(command):
        return subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)

    return call


def n_runs(folder):
    return sum(len(path.read_text().splitlines()) for path in folder.glob("runs*.jsonl"))


def best_rates(study):
    header, *rows = (study / "best.csv").read_text().splitlines()
    assert header.split(",")[1] == "param_lr"
    return [row.split(",")[1] for row in rows]


@pytest.mark.slow
def test_the_makefile_builds_only_what_changed(shell, folder):
    make, study = f"make -f {EXAMPLES}/Makefile", folder / "studies" / "circles"
    first = shell(make)
    assert first.returncode == 0, first.stderr
    assert n_runs(study) == 20
    assert (study / "report.md").read_text().startswith("**sweep**\n\n| lr")
    assert best_rates(study) == []  # five pairs can't show that an arm is better
    again = shell(make)
    assert (again.returncode, again.stdout) == (0, "")
    more = shell(f"{make} SEEDS=7")
    assert more.returncode == 0
    assert n_runs(study) == 28
    assert best_rates(study) == ["0.01", "0.1"]


@pytest.mark.slow
def test_a_make_that_fails_keeps_the_runs_and_the_next_one_continues(shell, folder, monkeypatch):
    make, study = f"make -f {EXAMPLES}/Makefile", folder / "studies" / "circles"
    monkeypatch.setenv("FAILS", "4")
    failed = shell(make)
    assert failed.returncode == 2
    assert n_runs(study) == 20
    assert not (study / "report.md").exists()
    monkeypatch.setenv("FAILS", "-1")
    done = shell(make)
    assert done.returncode == 0, done.stderr
    assert n_runs(study) == 24
    assert (study / "report.md").exists()


def test_a_make_that_is_interrupted_keeps_the_runs_and_the_next_one_continues(shell, folder, monkeypatch):
    make, study = f"make -f {EXAMPLES}/Makefile", folder / "studies" / "circles"
    monkeypatch.setenv("PAUSE", "300")
    process = subprocess.Popen(shlex.split(make), stderr=subprocess.PIPE, start_new_session=True, text=True)
    deadline = time.monotonic() + 120
    while n_runs(study) < 4:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "Interrupted. 4 of 20 runs are saved in studies/circles; the same command continues.\n" in err
    assert n_runs(study) == 4
    monkeypatch.setenv("PAUSE", "0")
    done = shell(make)
    assert done.returncode == 0, done.stderr
    assert n_runs(study) == 20


@pytest.mark.slow
def test_the_makefile_trains_shares_beside_each_other(shell, folder):
    done = shell(f"make -f {EXAMPLES}/Makefile -j 4 shards")
    assert done.returncode == 0, done.stderr
    study = folder / "studies" / "circles"
    assert len(list(study.glob("runs-*-of-4.jsonl"))) == 4
    assert n_runs(study) == 20
    assert (study / "report.md").exists()


def test_the_slurm_script_trains_the_share_of_its_task(shell, folder):
    shell(f"sed 's/mnist/digits/; s/--seeds 30/--seeds 1/; s/^SHARES=16/SHARES=3/' {EXAMPLES}/array.slurm > array")
    done = shell("SLURM_CPUS_PER_TASK=1 SLURM_ARRAY_TASK_COUNT=1 SLURM_ARRAY_TASK_ID=2 bash array")
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (folder / "studies" / "momentum").glob("runs*")] == ["runs-2-of-3.jsonl"]
    assert n_runs(folder / "studies" / "momentum") == 24


@pytest.mark.parametrize(
    ("status", "out", "err"),
    [
        (0, "All claims hold.\n", ""),
        (1, "", "A claim does not hold, or runs failed; see above and gate/verdicts.json\n"),
        (2, "", "bncli verify ended with status 2\n"),
    ],
)
def test_the_gate_passes_on_the_status_of_verify(shell, folder, status, out, err):
    (folder / "bin" / "bncli").write_text(f'#!/bin/sh\necho "[\\"$*\\"]"\nexit {status}\n')
    done = shell(f"{EXAMPLES}/gate.sh gate lr-activation")
    assert (done.returncode, done.stdout, done.stderr) == (status, out, err)
    (call,) = json.loads((folder / "gate" / "verdicts.json").read_text())
    assert call == "verify lr-activation --strict --quiet --out gate --format json"
    assert shell(f"{EXAMPLES}/gate.sh gate").returncode == 2


@pytest.fixture
def small_study(folder):
    """A study of four runs, with its page."""
    from fakes import evidence, learned, make_study, record

    from bncli.report.files import write_files

    shown = evidence(make_study(axes=(("lr", (0.01, 0.1)),), seeds=(0,)), learned, 0.1)
    write_files(shown, record(folder / "s", shown))
    return folder / "s"


def run_example(name, study):
    command = [sys.executable, str(EXAMPLES / name), str(study)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=study.parent,
        env=os.environ | {"WANDB_SILENT": "true"},
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_study_goes_to_mlflow(small_study, monkeypatch):
    pytest.importorskip("mlflow")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE.parent), os.environ.get("PYTHONPATH", "")]))
    run_example("to_mlflow.py", small_study)
    with closing(sqlite3.connect(small_study.parent / "mlflow.db")) as stored:
        arms = stored.execute("select value from params where key = 'arm' order by value").fetchall()
        scores = stored.execute("select value, step from metrics where key = 'val_accuracy'").fetchall()
        final = stored.execute("select value from metrics where key = 'final_val_accuracy'").fetchall()
    assert arms == [("batch:before",)] * 2 + [("none",)] * 2
    assert sorted(step for _, step in scores) == [1] * 4 + [2] * 4 + [3] * 4
    assert {(value,) for value, step in scores if step == 3} == set(final)


@pytest.mark.slow
def test_a_study_goes_to_wandb_without_a_network(small_study, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE.parent), os.environ.get("PYTHONPATH", "")]))
    run_example("to_wandb.py", small_study)
    assert len(list(small_study.parent.glob("wandb/offline-run-*/run-*.wandb"))) == 4
