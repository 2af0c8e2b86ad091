"""Worker processes: the same results as in one process, whatever happens to the workers."""

import json
import os
import random
import shlex
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from fakes import learned, make_study

from bncli import cluster, datasets
from bncli.config import RunConfig, resolve
from bncli.engines import planner
from bncli.errors import ClusterError, InvalidConfig
from bncli.store import Store
from bncli.study import execute

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


def study(n_seeds=6, arms="none,batch:before"):
    return make_study(arms, seeds=tuple(range(n_seeds)), n_samples=64, epochs=4)


@contextmanager
def faked(train, jobs=2, **settings):
    """Workers, also those that are started later, that train with `train` instead of TensorFlow."""
    from distributed import WorkerPlugin

    class Fake(WorkerPlugin):
        name = "fake"

        def setup(self, worker):
            from bncli import worker as module

            for name, value in {"_train": train, **settings}.items():
                setattr(module, name, value)

    with cluster.connect(jobs) as workers:
        workers.client.register_plugin(Fake())
        yield workers


def answer(batch, data, on_epoch):
    return [learned(config) for config in batch.runs]


def slowly(batch, data, on_epoch):
    time.sleep(0.4)
    return answer(batch, data, on_epoch)


def sign(batch, data, on_epoch):
    return [replace(learned(config), engine=str(os.getpid())) for config in batch.runs]


def is_poisoned(config):
    return config.seed == 3 and config.norm == "none"


def poisoned(batch, data, on_epoch):
    if any(map(is_poisoned, batch.runs)):
        os.kill(os.getpid(), signal.SIGKILL)
    return answer(batch, data, on_epoch)


def broken(batch, data, on_epoch):
    raise ImportError("no TensorFlow here")


def test_jobs_is_a_number_or_auto():
    assert [cluster.parse_jobs(text) for text in ("1", "12", "auto")] == [1, 12, None]
    for text in ("0", "-1", "two", "", "1.5", "2000"):
        with pytest.raises(InvalidConfig) as caught:
            cluster.parse_jobs(text)
        assert str(caught.value) == f"--jobs takes a number from 1 to 1,024, or auto. Received: {text!r}."


def test_auto_keeps_small_work_in_one_process_and_spreads_large():
    small = [config for config, _ in study().plan().runs]
    large = [config.replace(epochs=5000) for config in small]
    assert cluster.choose_jobs(None, small, "auto") == 1
    assert cluster.choose_jobs(None, [resolve(RunConfig(epochs=2000, seed=s))[0] for s in range(64)], "auto") == (
        os.cpu_count()
    )
    assert cluster.choose_jobs(None, large, "keras") == min(os.cpu_count(), 12)
    assert cluster.choose_jobs(40, small, "auto") == 12


@pytest.mark.parametrize(("n_workers", "sizes"), [(1, [6, 6]), (2, [6, 6]), (4, [3, 3, 3, 3]), (100, [1] * 12)])
def test_batches_are_of_one_graph_and_enough_for_all_workers(n_workers, sizes):
    configs = [config for config, _ in study().plan().runs]
    batches = list(cluster._batches([configs], "auto", n_workers))
    assert [len(batch.runs) for batch in batches] == sizes
    assert [run for batch in batches for run in batch.runs] == configs
    assert all(len(planner.group(batch.runs)) == 1 for batch in batches)
    assert {batch.fingerprint for batch in batches} == {datasets.load(configs[0]).fingerprint()}
    assert [len(batch.runs) for batch in cluster._batches([configs], "keras", 2)] == [1] * 12


def test_no_scheduler_at_an_address(monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 1)
    nobody = cluster.connect(1, "tcp://127.0.0.1:9")
    with pytest.raises(ClusterError, match=r"^No Dask scheduler at 'tcp://127.0.0.1:9' \(") as caught, nobody:
        pass
    assert str(caught.value).endswith("Try the tcp:// address that `dask scheduler` prints.")


def test_two_jobs_find_what_one_finds():
    plan = study().plan()
    epochs = []
    with cluster.connect(2) as workers:
        found = execute(plan, cluster=workers, on_epoch=lambda runs, epoch: epochs.append((len(runs), epoch)))
    expected = execute(plan)
    assert [result.config for result in found] == [result.config for result in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.metrics == pytest.approx(other.metrics, abs=1e-4)
        assert one.history["loss"] == pytest.approx(other.history["loss"], abs=1e-4)
    assert sorted(epochs) == [(6, epoch) for epoch in (1, 1, 2, 2, 3, 3, 4, 4)]


def test_a_run_that_kills_its_worker_is_found_and_fails_alone(monkeypatch):
    monkeypatch.setattr(cluster, "ALLOWED_DEATHS", 0)
    plan = study().plan()
    with faked(poisoned) as workers:
        results = execute(plan, cluster=workers)
    assert [result.config for result in results] == [config for config, _ in plan.runs]
    (guilty,) = [result for result in results if result.state == "failed"]
    assert is_poisoned(guilty.config)
    assert guilty.error.startswith("KilledWorker: the worker process died each time it trained this run\n")
    assert all(result == learned(result.config) for result in results if result is not guilty)


@pytest.mark.parametrize("n_kills", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_workers_killed_at_random_moments_cost_nothing_but_time(tmp_path, n_kills):
    plan, store = study(10 * n_kills, "none").plan(), Store(tmp_path)
    dice, killed = random.Random(0), []

    def kill_one(result, condition):
        if len(killed) < n_kills and dice.random() < 0.5:
            killed.append(dice.choice(workers_of(os.getpid())).pid)
            os.kill(killed[-1], signal.SIGKILL)

    with faked(slowly) as workers:
        results = execute(plan, store, engine="keras", on_result=kill_one, cluster=workers)
    assert len(set(killed)) == n_kills
    assert results == [learned(config) for config, _ in plan.runs]
    assert len(store.journal.read_text().splitlines()) == len(plan.runs)


def test_workers_are_replaced_by_fresh_processes_in_time():
    plan = study(2).plan()
    with faked(sign, jobs=1, MAX_BATCHES=2) as workers:
        results = execute(plan, engine="keras", cluster=workers)
    assert [result.config for result in results] == [config for config, _ in plan.runs]
    counts = Counter(result.engine for result in results).values()
    assert len(counts) >= 2
    assert max(counts) <= 2


def test_a_worker_that_can_not_train_is_an_error_not_a_result():
    with faked(broken, jobs=1) as workers, pytest.raises(ClusterError) as caught:
        execute(study(1).plan(), cluster=workers)
    assert str(caught.value) == (
        "A worker could not train (ImportError: no TensorFlow here). "
        "Workers need the same bncli, packages and data as this process."
    )


# --- the command line, with real workers ------------------------------------------------------------------------------


LONG = shlex.split("sweep lr=0.01,0.1 -d circles -m dense4 -e 100000 --set n_samples=64 --seeds 2 --jobs 2 -o s")


def workers_of(pid):
    children = psutil.Process(pid).children(recursive=True)
    return [child for child in children if "resource_tracker" not in " ".join(child.cmdline())]


@pytest.fixture
def sweep(folder):
    """A sweep on two worker processes in a session of its own, as a terminal starts it."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen([sys.executable, "-m", "bncli", *LONG], start_new_session=True, **streams)
    while (line := process.stderr.readline()) != "Training on 2 worker processes\n":
        assert line
    return process


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_control_c_ends_driver_and_workers_quietly(sweep, number, status):
    family = psutil.Process(sweep.pid).children(recursive=True)
    assert len(workers_of(sweep.pid)) == 2
    (os.killpg if number == signal.SIGINT else os.kill)(sweep.pid, number)
    out, err = sweep.communicate(timeout=60)
    assert (sweep.returncode, out) == (status, "")
    assert err == "Interrupted. 0 of 12 runs are saved in s; the same command continues.\n"
    assert psutil.wait_procs(family, timeout=10)[1] == []


def test_workers_end_when_the_driver_is_killed(sweep):
    family = psutil.Process(sweep.pid).children(recursive=True)
    sweep.kill()
    sweep.communicate(timeout=60)
    assert psutil.wait_procs(family, timeout=30)[1] == []


@pytest.fixture
def scheduler(folder):
    """A Dask scheduler and a worker, started by hand as the README shows it; the scheduler's address."""
    dask = [str(Path(sys.executable).with_name("dask"))]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    place = ["--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", "scheduler.json"]
    processes = [subprocess.Popen([*dask, "scheduler", *place, "--port", "0"], **quiet)]
    deadline = time.monotonic() + 60
    while not (folder / "scheduler.json").exists():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    address = json.loads((folder / "scheduler.json").read_text())["address"]
    yield (
        address,
        lambda: processes.append(
            subprocess.Popen(
                [*dask, "worker", address, "--nworkers", "1", "--nthreads", "2", "--no-dashboard"], **quiet
            )
        ),
    )
    for process in reversed(processes):
        process.terminate()
        process.wait(timeout=60)


@pytest.mark.slow
def test_a_scheduler_started_by_hand_trains_the_same(scheduler, folder):
    address, start_worker = scheduler
    small = shlex.split("compare -d circles -m dense4 -e 3 --set n_samples=64 --seeds 3 --quiet --format csv")
    command = [sys.executable, "-m", "bncli", *small]
    refused = subprocess.run([*command, "--scheduler", address], capture_output=True, text=True, check=False)
    assert (refused.returncode, refused.stderr) == (
        2,
        f"Error: The scheduler {address} has no workers. Try to start some.\n",
    )
    start_worker()
    time.sleep(10)
    found, expected = (
        subprocess.run([*command, *more], capture_output=True, text=True, check=True).stdout
        for more in (["--scheduler", address], [])
    )
    cells = [[row.rpartition(",")[0].rpartition(",")[0] for row in text.splitlines()] for text in (found, expected)]
    assert cells[0] == cells[1]
