"""Sweeps that are killed, filled up, cut, split and started twice: real processes, real signals, real files."""

import json
import os
import random
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import pytest

from bncli.study.folder import Store
from bncli.study.journal import RUNS_FILE, journals

HERE = Path(__file__).parents[1]
DRIVER = [sys.executable, str(HERE / "driver.py")]
BNCLI = [sys.executable, "-m", "bncli"]
SMALL = shlex.split(
    "sweep lr=0.01,0.1 --arms none,batch -d circles -m dense4 -e 3 --set n_samples=64 --seeds 20 --quiet"
)
N_RUNS = 80
PATIENCE = 240


@pytest.fixture(autouse=True)
def environment(folder, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), str(HERE.parent)]))


def start(program, *arguments, **more):
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([*program, *arguments], **streams | more)


def ended(process):
    """Exit status, stdout, stderr; a traceback is never right, and no process outlasts its test."""
    try:
        out, err = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    assert "Traceback" not in err
    return process.returncode, out, err


def with_seeds(number):
    """The small sweep with other seeds: an option can't be given twice."""
    return [str(number) if word == "20" else word for word in SMALL]


def run(program, *arguments, **more):
    return ended(start(program, *arguments, **more))


def wait_for(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def size(journal):
    return journal.stat().st_size if journal.exists() else 0


def lines(folder):
    return [json.loads(line) for path in journals(folder) for line in path.read_text().splitlines()]


def values(folder):
    """What the runs of a folder found, without what differs from call to call."""
    records = [record | {"seconds": None} for record in lines(folder)]
    found = {record["run_id"]: record for record in records}
    assert len(found) == len(records) == N_RUNS
    return found


def check_undisturbed(folder):
    assert run(DRIVER, *SMALL, "-o", "undisturbed")[0] == 0
    assert values(folder) == values(Path("undisturbed"))


@pytest.mark.slow
@pytest.mark.parametrize("n_kills", [2, 10])
def test_a_driver_killed_between_two_batches_continues_and_repeats_nothing(n_kills, monkeypatch):
    dice, journal = random.Random(0), Path("s") / RUNS_FILE
    monkeypatch.setenv("PAUSE", "0.2")
    for _ in range(n_kills):
        before = size(journal)
        process = start(DRIVER, *SMALL, "-o", "s")
        wait_for(lambda before=before, process=process: size(journal) > before or process.poll() is not None)
        kill_after(process, dice.uniform(0, 0.2))
    monkeypatch.setenv("PAUSE", "0")
    assert size(journal)
    assert run(DRIVER, *SMALL, "-o", "s")[0] == 0
    check_undisturbed(Path("s"))


@pytest.mark.slow
@pytest.mark.parametrize("n_kills", [10])
def test_a_driver_killed_at_any_time_from_its_start_continues_and_repeats_nothing(n_kills, monkeypatch):
    dice, started, folders = random.Random(0), time.monotonic(), [Path("0")]
    monkeypatch.setenv("PAUSE", "0.02")
    assert run(DRIVER, *SMALL, "-o", "undisturbed")[0] == 0
    seconds = time.monotonic() - started
    for _ in range(n_kills):
        if size(folders[-1] / RUNS_FILE) and len(Store(folders[-1]).read_runs()) == N_RUNS:
            folders.append(Path(str(len(folders))))
        kill_after(start(DRIVER, *SMALL, "-o", str(folders[-1])), dice.uniform(0, seconds))
    for folder in folders:
        assert run(DRIVER, *SMALL, "-o", str(folder))[0] == 0
        assert values(folder) == values(Path("undisturbed"))


def kill_after(process, seconds):
    time.sleep(seconds)
    process.kill()
    process.communicate()


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)]
)
def test_a_signal_ends_it_in_good_order_and_says_how_to_continue(number, status, monkeypatch):
    monkeypatch.setenv("PAUSE", "300")
    process = start(DRIVER, *SMALL, "-o", "s")
    wait_for(lambda: size(Path("s") / RUNS_FILE))
    process.send_signal(number)
    code, out, err = ended(process)
    assert (code, out) == (status, "")
    assert err == f"Interrupted. 4 of {N_RUNS} runs are saved in s; the same command continues.\n"
    assert not list(Path("s").glob(".*"))
    monkeypatch.setenv("PAUSE", "0")
    assert run(DRIVER, *SMALL, "-o", "s")[0] == 0
    assert len(values(Path("s"))) == N_RUNS


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["stacked", "keras"])
def test_a_signal_at_any_moment_of_real_training_ends_it_and_fails_no_run(engine):
    dice = random.Random(engine)
    command = shlex.split(f"compare -d circles -m dense4 -e 60 --set n_samples=256 --engine {engine} --seeds 20 -o s")
    for turn in range(20):
        number = dice.choice([signal.SIGINT, signal.SIGTERM])
        process = start(BNCLI, *command, "--quiet")
        time.sleep(dice.uniform(1, 12))
        if process.poll() == 0:
            shutil.rmtree("s")
        process.send_signal(number)
        sent = time.monotonic()
        code, _, err = ended(process)
        assert (code, turn) in ((0, turn), (128 + number, turn), (-number, turn)), err  # the last before any import
        assert time.monotonic() - sent < 10
        assert code <= 0 or err.startswith("Interrupted")
        if Path("s").exists():
            assert {line["state"] for line in lines(Path("s"))} <= {"complete"}


@pytest.mark.parametrize(
    ("number", "status"), [pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow), (signal.SIGTERM, 143)]
)
def test_a_signal_ends_at_once_what_never_returns_to_python(number, status, monkeypatch):
    monkeypatch.setenv("STUCK", "7")
    process = start(DRIVER, *SMALL, "-o", "s")
    assert process.stdout.readline() == "stuck\n"
    process.send_signal(number)
    assert process.wait(timeout=5) == status
    _, err = process.communicate()
    assert err == f"Interrupted. 4 of {N_RUNS} runs are saved in s; the same command continues.\n"
    assert len(lines(Path("s"))) == 4


@pytest.mark.parametrize("encoding", ["ascii", pytest.param("cp1252", marks=pytest.mark.slow)])
def test_a_folder_whose_name_is_not_utf8_and_a_stream_that_is_not_either_get_all_files(encoding, monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    name = os.fsdecode(b"caf\xe9")
    code, out, err = ended(start(DRIVER, *SMALL[:-1], "-o", name, encoding=encoding, errors="strict"))
    assert code == 0
    assert len(values(Path(name))) == N_RUNS
    assert (Path(name) / "report.html").exists()
    assert "batch" in out
    assert err.endswith("Report: caf\\udce9/report.html\n")


@pytest.mark.parametrize(
    "closed",
    [
        pytest.param(">&- 2>&-", marks=pytest.mark.slow),
        "2>/dev/full",
        pytest.param("2>&1 | true", marks=pytest.mark.slow),
    ],
)
def test_a_sweep_that_nobody_watches_trains_and_writes_its_report(closed):
    command = shlex.join([*DRIVER, *SMALL[:-1], "-o", "s"])
    subprocess.run(f"{command} {closed}", shell=True, check=False, stdout=subprocess.PIPE, timeout=PATIENCE)
    assert len(values(Path("s"))) == N_RUNS
    assert (Path("s") / "report.html").exists()


@pytest.mark.slow
def test_a_second_sweep_on_a_folder_is_refused_and_names_the_first(monkeypatch):
    monkeypatch.setenv("PAUSE", "300")
    first = start(DRIVER, *SMALL, "-o", "s")
    wait_for(lambda: size(Path("s") / RUNS_FILE))
    study = (Path("s") / "study.json").read_bytes()
    for more in ((), ("--engine", "keras"), ("--restart",)):
        code, _, err = run(DRIVER, *SMALL, *more, "-o", "s")
        assert code == 2
        assert err.startswith(f"Error: 's/runs.jsonl' is being written by process {first.pid} on ")
        assert err.endswith("Wait for it to end, or try another --out DIR; bncli status shows how far it is.\n")
    assert (Path("s") / "study.json").read_bytes() == study
    code, out, err = run(BNCLI, "status", "s", "--format", "json")
    assert code == 0
    assert f"runs.jsonl is being written by process {first.pid} on " in err
    rows = json.loads(out)
    assert [row["planned"] for row in rows] == [20] * 4
    assert (sum(row["complete"] for row in rows), sum(row["pending"] for row in rows)) == (4, N_RUNS - 4)
    first.terminate()
    assert ended(first)[0] == 143


@pytest.mark.slow
def test_of_two_sweeps_started_at_the_same_time_one_goes_on(monkeypatch):
    monkeypatch.setenv("PAUSE", "300")
    both = [start(DRIVER, *SMALL, "-o", "s") for _ in range(2)]
    wait_for(lambda: any(process.poll() is not None for process in both))
    (refused,) = (process for process in both if process.poll() is not None)
    (goes_on,) = (process for process in both if process is not refused)
    assert ended(refused)[0] == 2
    wait_for(lambda: size(Path("s") / RUNS_FILE))
    goes_on.terminate()
    assert ended(goes_on)[0] == 143
    assert len(lines(Path("s"))) == 4


def test_a_disk_that_fills_up_costs_one_batch():
    limit = 20_000
    code, _, err = run(
        DRIVER, *SMALL, "-o", "s", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    )
    assert code == 2
    assert err == (
        "Error: Can't write to 's/runs.jsonl' (File too large). "
        "Finished runs are safe; fix the problem and rerun the same command.\n"
    )
    assert size(Path("s") / RUNS_FILE) == limit
    assert run(BNCLI, "status", "s")[0] == 0
    assert run(DRIVER, *SMALL, "-o", "s")[0] == 0
    check_undisturbed(Path("s"))


@pytest.mark.slow
def test_a_folder_that_is_moved_while_another_sweep_takes_its_place_keeps_its_runs(monkeypatch):
    monkeypatch.setenv("PAUSE", "2")
    first = start(DRIVER, *SMALL, "-o", "s")
    wait_for(lambda: size(Path("s") / RUNS_FILE))
    Path("s").rename("elsewhere")
    monkeypatch.setenv("PAUSE", "300")
    second = start(DRIVER, *SMALL, "-o", "s")
    wait_for(lambda: size(Path("s") / RUNS_FILE) or first.poll() is not None)
    code, _, err = ended(first)
    assert code == 2
    wait_for(lambda: size(Path("s") / RUNS_FILE))
    assert err == (
        "Error: The folder 's' was moved or removed, and finished runs with it. "
        "If it was moved, move it back and rerun the same command.\n"
    )
    assert run(DRIVER, *SMALL, "-o", "s")[0] == 2  # the second sweep still holds it
    second.terminate()
    assert ended(second)[0] == 143
    assert (len(lines(Path("s"))), len(lines(Path("elsewhere")))) == (4, 4)


@pytest.mark.slow
def test_a_folder_that_is_moved_away_ends_the_sweep(monkeypatch):
    monkeypatch.setenv("PAUSE", "1")
    process = start(DRIVER, *SMALL, "-o", "s")
    wait_for(lambda: size(Path("s") / RUNS_FILE))
    Path("s").rename("elsewhere")
    code, _, err = ended(process)
    assert code == 2
    assert err == (
        "Error: The folder 's' was moved or removed, and finished runs with it. "
        "If it was moved, move it back and rerun the same command.\n"
    )
    assert not Path("s").exists()
    shutil.move("elsewhere", "s")
    monkeypatch.setenv("PAUSE", "0")
    assert run(DRIVER, *SMALL, "-o", "s")[0] == 0
    assert len(values(Path("s"))) == N_RUNS


def test_a_journal_cut_at_every_byte_of_its_last_200_goes_on(monkeypatch):
    assert run(DRIVER, *with_seeds(2), "-o", "s")[0] == 0
    store = Store(Path("s"))
    whole = store.journal.read_bytes()
    results = list(store.read_runs().values())
    n_whole = len(results) - 1
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    for cut in range(len(whole) - 200, len(whole)):
        store.journal.write_bytes(whole[:cut])
        assert list(store.read_runs().values()) == results[:n_whole]
        store.append(results[-1])
        assert store.journal.read_bytes() == whole


def test_a_folder_of_a_newer_format_is_refused_and_left_alone():
    Path("s").mkdir()
    (Path("s") / "study.json").write_text('{"format": 99}')
    (Path("s") / RUNS_FILE).write_text("{}\n")
    for arguments in ([*SMALL, "-o", "s"], ["report", "s"], ["status", "s"]):
        code, _, err = run(DRIVER, *arguments)
        assert (code, err) == (
            2,
            "Error: 's/study.json' was written by a newer bncli in format 99. This is bncli "
            f"{version('bncli')}, which reads formats up to 3. Try: pip install --upgrade bncli.\n",
        )
    assert {path.name: path.read_text() for path in Path("s").iterdir()} == {
        "study.json": '{"format": 99}',
        RUNS_FILE: "{}\n",
    }


@pytest.mark.slow
def test_four_shards_in_four_processes_are_the_whole_study():
    shards = [start(DRIVER, *SMALL, "-o", "s", "--shard", f"{number}/4") for number in range(1, 5)]
    assert [ended(shard)[:2] for shard in shards] == [(0, "")] * 4
    assert sorted(path.name for path in Path("s").iterdir()) == [
        *(f"runs-{number}-of-4.jsonl" for number in range(1, 5)),
        "study.json",
    ]
    check_undisturbed(Path("s"))
    assert run(BNCLI, "report", "s", "-f", "csv")[1] == run(BNCLI, "report", "undisturbed", "-f", "csv")[1]
    code, out, _ = run(DRIVER, *SMALL, "-o", "s", "--format", "jsonl")
    assert (code, len(out.splitlines()), (Path("s") / RUNS_FILE).exists()) == (0, N_RUNS, False)


@pytest.mark.slow
def test_shards_that_overlap_are_harmless():
    shards = [start(DRIVER, *SMALL, "-o", "s", "--shard", shard) for shard in ("1/2", "1/3", "2/3", "3/3")]
    assert [ended(shard)[0] for shard in shards] == [0] * 4
    assert run(DRIVER, *SMALL, "-o", "undisturbed")[0] == 0
    read = [run(BNCLI, "report", name, "-f", "csv")[1] for name in ("s", "undisturbed")]
    assert read[0] == read[1]


@pytest.mark.slow
def test_restart_says_what_it_deletes_and_deletes_nothing_else():
    assert run(DRIVER, *SMALL, "-o", "s", "--shard", "1/4")[0] == 0
    assert run(DRIVER, *SMALL, "-o", "s")[0] == 0
    (Path("s") / "notes.txt").write_text("mine")
    (Path("s") / "figures").mkdir()
    (Path("s") / "figures" / "mine.png").write_text("mine")
    code, _, err = run(DRIVER, *with_seeds(2), "-o", "s", "--restart")
    assert code == 0
    assert err.startswith(
        "Note: --restart deletes in s: runs.jsonl, runs-1-of-4.jsonl, "
        "summary.csv, history.csv, differences.csv, report.html\n"
    )
    assert len(lines(Path("s"))) == 8
    assert (Path("s") / "notes.txt").read_text() == (Path("s") / "figures" / "mine.png").read_text() == "mine"


@pytest.mark.slow
def test_restart_waits_for_no_shard_under_way(monkeypatch):
    monkeypatch.setenv("PAUSE", "300")
    shard = start(DRIVER, *SMALL, "-o", "s", "--shard", "1/4")
    wait_for(lambda: size(Path("s") / "runs-1-of-4.jsonl"))
    code, _, err = run(DRIVER, *SMALL, "-o", "s", "--restart")
    assert code == 2
    assert err.startswith(f"Error: 's/runs-1-of-4.jsonl' is being written by process {shard.pid} on ")
    shard.terminate()
    assert ended(shard)[0] == 143
    assert len(lines(Path("s"))) == 4


def test_a_share_that_stops_at_a_failed_run_does_not_say_that_it_is_done(monkeypatch):
    monkeypatch.setenv("FAILS", "5")
    code, _, err = run(DRIVER, *SMALL, "-o", "s", "--shard", "1/4", "--fail-fast")
    assert code == 1
    assert "Share 1 of 4 stopped after 8 of its 20 runs. bncli report s shows what all shares have so far.\n" in err
    assert "is done" not in err


@pytest.mark.slow
def test_a_share_of_a_smaller_study_trains_its_part_and_hides_nothing():
    assert run(DRIVER, *SMALL, "-o", "s", "--shard", "1/4")[0] == 0
    study = (Path("s") / "study.json").read_bytes()
    code, _, err = run(DRIVER, *with_seeds(4), "-o", "s", "--shard", "2/4")
    assert (code, err.splitlines()[-1]) == (
        0,
        "Share 2 of 4 is done. bncli report s shows what all shares have so far.",
    )
    assert json.loads((Path("s") / "study.json").read_bytes())["study"] == json.loads(study)["study"]
    assert run(DRIVER, *SMALL, "-o", "s")[0] == 0
    check_undisturbed(Path("s"))


@pytest.mark.slow
def test_fail_fast_stops_at_the_first_failed_run_and_a_retry_continues(monkeypatch):
    monkeypatch.setenv("FAILS", "5")
    code, _, err = run(DRIVER, *SMALL, "-o", "s", "--fail-fast")
    assert code == 1
    assert "Note: none lr=0.01 seed=5 failed: MemoryError: no room\n" in err
    assert "Error: 1 of 8 runs failed, the first with MemoryError: no room\n" in err
    assert len(lines(Path("s"))) == 8
    monkeypatch.setenv("FAILS", "-1")
    assert run(DRIVER, *SMALL, "-o", "s", "--fail-fast", "--retry-failed")[0] == 0
    assert len(Store(Path("s")).read_runs()) == N_RUNS


@pytest.mark.slow
def test_a_reader_that_goes_away_ends_a_stream_quietly_with_what_is_done_saved():
    program = " ".join([*DRIVER, *SMALL])
    done = subprocess.run(
        ["bash", "-c", f"{program} -o s --format jsonl | head -1; exit ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert json.loads(done.stdout)["arm"] == "none"
    assert (done.returncode, done.stderr) == (1, "")
    assert 0 < len(lines(Path("s"))) <= N_RUNS
    assert run(DRIVER, *SMALL, "-o", "s")[0] == 0
    assert len(values(Path("s"))) == N_RUNS
