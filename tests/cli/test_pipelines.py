"""bncli in shells and Makefiles: real processes, real pipes, real signals."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

BNCLI = Path(sys.executable).with_name("bncli")
TINY = "-d circles -m dense4 -e 1 --set n_samples=64 --seeds 2"


@pytest.fixture
def shell(folder, monkeypatch):
    monkeypatch.setenv("PATH", f"{BNCLI.parent}:{os.environ['PATH']}")

    def call(command):
        done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)
        assert "Traceback" not in done.stderr
        return done

    return call


def test_the_module_and_the_script_are_the_same_program(shell):
    script, module = shell("bncli --version"), shell(f"{sys.executable} -m bncli --version")
    assert script.stdout == module.stdout
    assert script.stdout.startswith("bncli 0.")


def test_help_is_fast(shell):
    def seconds():
        started = time.perf_counter()
        shell("bncli --help")
        return time.perf_counter() - started

    assert min(seconds() for _ in range(5)) < 1.0  # 0.2 s alone; the margin is for a busy machine


def test_export_to_a_pipe(shell):
    first, *rows = shell("bncli dataset circles --export - | cat").stdout.splitlines()
    assert (first, len(rows)) == ("x1,x2,label,split", 1000)


def test_a_reader_that_goes_away_ends_it_quietly(shell):
    done = shell("bncli dataset digits --export - | head -1; exit 0")
    assert done.stdout.startswith("r0c0,")
    assert done.stderr == ""


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["stacked", "keras"])
def test_a_reader_of_the_progress_that_goes_away_fails_no_run(shell, folder, engine):
    (folder / "chatty.py").write_text(
        "from bncli.cli import app, progress\nprogress.PLAIN_PROGRESS_SECONDS = 0\napp.main()\n"
    )
    compare = f"compare {TINY} --arms none --engine {engine} -o s"
    done = shell(f"{sys.executable} chatty.py {compare} 2>&1 | head -2; exit ${{PIPESTATUS[0]}}")
    assert done.stdout == "2 runs: 1 condition x 2 seeds\nFolder: s\n"
    assert (done.returncode, done.stderr) == (1, "")
    again = shell(f"bncli {compare} --format jsonl --quiet")
    assert again.returncode == 0
    assert [json.loads(line)["state"] for line in again.stdout.splitlines()] == ["complete"] * 2


@pytest.mark.slow
def test_a_sweep_as_csv_json_and_stream(shell):
    sweep = f"bncli sweep lr=0.01,0.1 --arms none,batch {TINY} -o s"
    rows = shell(f"{sweep} --format csv | head -3").stdout.splitlines()
    assert rows[0].startswith("arm,param_lr,n,n_diverged,n_failed,n_chance,params,mean_val_accuracy,std_val_accuracy")
    assert [row.split(",")[:3] for row in rows[1:]] == [["none", "0.01", "2"], ["batch", "0.01", "2"]]
    content = shell(f"{sweep} --format json | python -m json.tool")
    assert content.returncode == 0
    assert len(json.loads(content.stdout)["conditions"]) == 4
    lines = shell(f"{sweep} --format jsonl").stdout.splitlines()
    assert [json.loads(line)["state"] for line in lines] == ["complete"] * 8


@pytest.mark.slow
def test_a_make_rule_builds_a_report_once(shell, folder):
    (folder / "Makefile").write_text(
        f".DELETE_ON_ERROR:\nreport.csv: study/.done\n\tbncli report study --format csv --quiet > $@\n"
        f"study/.done:\n\tbncli compare {TINY} --arms none,batch --quiet --out study\n\ttouch $@\n"
    )
    first, again = shell("make report.csv"), shell("make report.csv")
    rows = list(csv.DictReader((folder / "report.csv").read_text().splitlines()))
    assert first.returncode == 0
    assert [row["arm"] for row in rows] == ["none", "batch"]
    assert "up to date" in again.stdout


@pytest.mark.slow
def test_a_saved_model_opens_and_scores_what_the_record_says(shell, folder):
    done = shell(
        f"bncli train {TINY.replace('--seeds 2', '--seeds 1')} --arm batch:after --save-model m.keras --format json -q"
    )
    assert (done.returncode, done.stderr) == (0, "")
    (run,) = json.loads(done.stdout)["runs"]
    import keras

    from bncli.config import RunConfig
    from bncli.data import datasets

    data = datasets.load(RunConfig(dataset="circles", n_samples=64))
    _, accuracy = keras.models.load_model(folder / "m.keras").evaluate(data.x_val, data.y_val, verbose=0)
    assert accuracy == pytest.approx(run["val_accuracy"], abs=1e-6)


@pytest.mark.slow
def test_stderr_is_quiet_and_plain(shell):
    done = shell(f"bncli train {TINY} --quiet")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout


def test_control_c_keeps_what_is_done_and_the_same_command_continues(shell, folder):
    command = [str(BNCLI), "compare", *TINY.replace("--seeds 2", "--seeds 40").split(), "-o", "s"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    journal = folder / "s" / "runs.jsonl"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not (journal.exists() and journal.read_text().count("\n") >= 2):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    n_done = journal.read_text().count("\n")
    assert process.returncode == 130
    assert f"Interrupted. {n_done} of 120 runs are saved in s; the same command continues." in err
    assert "Traceback" not in err
    n_of_both = sum(json.loads(line)["config"]["seed"] < 2 for line in journal.read_text().splitlines())
    again = shell(f"bncli compare {TINY} -o s")
    assert again.returncode == 0
    assert f"6 runs: 3 conditions x 2 seeds; {n_of_both} are done already" in again.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only")
def test_a_signal_while_tensorflow_is_imported_ends_it_at_once_and_leaves_no_process(folder):
    command = [str(BNCLI), "compare", *TINY.split(), "-o", "s"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    deadline = time.monotonic() + 20
    while not (loaders := children.read_text().split()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(0.3)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 143
    assert err == "Importing TensorFlow ...\nInterrupted before the first run; the same command starts again.\n"
    assert not any(Path(f"/proc/{pid}").exists() for pid in loaders)
    assert not (folder / "s").exists()


def test_a_read_only_folder_is_refused_before_any_training(shell):
    done = shell(f"bncli compare {TINY} -o /proc/bncli")
    assert done.returncode == 2
    assert done.stderr.removeprefix("Importing TensorFlow ...\n") == (
        "Error: Can't write to the output folder '/proc/bncli' (No such file or directory). Try another --out DIR.\n"
    )


@pytest.mark.slow
def test_without_a_network_mnist_says_how_to_get_it(shell, monkeypatch):
    monkeypatch.delenv("BNCLI_DATA_DIR", raising=False)
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    done = shell("bncli dataset mnist")
    assert done.returncode == 2
    assert done.stderr.startswith("Error: mnist is not on this machine and Keras could not download it (")
    assert done.stderr.endswith("or run this command once with a network.\n")
