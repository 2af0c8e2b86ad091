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
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import cloudpickle
import psutil
import pytest
from fakes import learned, make_study

from bncli.errors import ClusterError
from bncli.study import jobs
from bncli.study.execution import execute, train_here, work_of
from bncli.study.folder import Store
from bncli.study.jobs import connect

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers can't import test modules
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


def study(n_seeds=6, arms="none,batch:before"):
    return make_study(arms, seeds=tuple(range(n_seeds)), n_samples=64, epochs=4)


@contextmanager
def faked(results_of, n_jobs=2, **settings):
    """Workers that call `results_of` instead of the engines; `settings` replace constants of `worker` in each."""
    from distributed import WorkerPlugin

    class Settings(WorkerPlugin):
        name = "settings"

        def setup(self, worker):
            from bncli.study import worker as module

            for name, value in settings.items():
                setattr(module, name, value)

    with connect(n_jobs, results_of=results_of) as workers:
        if settings:
            workers.client.register_plugin(Settings())
        yield workers


def run(plan, workers, store=None, engine="auto", on_epoch=None, **more):
    """What `execute` makes of a plan on workers."""
    work = work_of(plan, store)
    return execute(work, workers.train(work.pending, engine, on_epoch), store, **more)


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


def test_two_jobs_find_what_one_finds():
    plan = study().plan()
    epochs = []
    with connect(2) as workers:
        found = run(plan, workers, on_epoch=lambda runs, epoch: epochs.append((len(runs), epoch)))
    work = work_of(plan)
    expected = execute(work, train_here(work.pending))
    assert [result.config for result in found] == [result.config for result in expected]
    for one, other in zip(found, expected, strict=True):
        assert (one.metrics, one.history) == (other.metrics, other.history)
    assert sorted(epochs) == [(6, epoch) for epoch in (1, 1, 2, 2, 3, 3, 4, 4)]


def counting(path):
    """A batch that would train for a minute and counts its epochs in a file."""

    def train(batch, data, on_epoch):
        for epoch in range(1, 601):
            on_epoch(batch.runs, epoch)
            path.write_text(str(epoch))
            time.sleep(0.1)
        return answer(batch, data, on_epoch)

    return train


@pytest.mark.slow
def test_a_batch_that_nobody_waits_for_stops_and_its_worker_stays(tmp_path):
    path = tmp_path / "epochs"
    with faked(counting(path), n_jobs=1) as workers:
        before = workers.client.run(os.getpid)
        batches = workers.train([config for config, _ in study().plan().runs], "auto", stop_at(3))
        with pytest.raises(KeyboardInterrupt):
            next(batches)
        time.sleep(1)
        reached = path.read_text()
        time.sleep(1)
        assert path.read_text() == reached
        assert workers.client.run(os.getpid) == before


def stop_at(epoch):
    def on_epoch(runs, number):
        if number >= epoch:
            raise KeyboardInterrupt

    return on_epoch


@pytest.mark.slow
def test_a_run_that_kills_its_worker_is_found_and_fails_alone(monkeypatch):
    monkeypatch.setattr(jobs, "ALLOWED_DEATHS", 0)
    plan = study().plan()
    with faked(poisoned) as workers:
        results = run(plan, workers)
    assert [result.config for result in results] == [config for config, _ in plan.runs]
    (guilty,) = [result for result in results if result.state == "failed"]
    assert is_poisoned(guilty.config)
    assert guilty.error.startswith("KilledWorker: the worker process died each time it trained this run\n")
    assert all(result == learned(result.config) for result in results if result is not guilty)


@pytest.mark.parametrize("n_kills", [2, pytest.param(20, marks=pytest.mark.slow)])
@pytest.mark.slow
def test_workers_killed_at_random_moments_cost_nothing_but_time(tmp_path, n_kills):
    plan, store = study(10 * n_kills, "none").plan(), Store(tmp_path)
    dice, killed = random.Random(0), []

    def kill_one(result, condition):
        if len(killed) < n_kills and dice.random() < 0.5:
            killed.append(dice.choice(workers_of(os.getpid())).pid)
            os.kill(killed[-1], signal.SIGKILL)

    with faked(slowly) as workers:
        results = run(plan, workers, store, "keras", on_result=kill_one)
    assert len(set(killed)) == n_kills
    assert results == [learned(config) for config, _ in plan.runs]
    assert len(store.journal.read_text().splitlines()) == len(plan.runs)


@pytest.mark.slow
def test_workers_are_replaced_by_fresh_processes_in_time():
    plan = study(2).plan()
    with faked(sign, n_jobs=1, MAX_BATCHES=2) as workers:
        results = run(plan, workers, engine="keras")
    assert [result.config for result in results] == [config for config, _ in plan.runs]
    counts = Counter(result.engine for result in results).values()
    assert len(counts) >= 2
    assert max(counts) <= 2


def test_a_worker_that_cannot_train_raises_an_error():
    with faked(broken, n_jobs=1) as workers, pytest.raises(ClusterError) as caught:
        run(study(1).plan(), workers)
    assert str(caught.value) == (
        "A worker could not train (ImportError: no TensorFlow here). "
        "Workers need the same bncli, packages and data as this process."
    )


# --- the command line, with real workers ------------------------------------------------------------------------------


LONG = shlex.split("sweep lr=0.01,0.1 -d circles -m dense4 -e 100000 --set n_samples=64 --seeds 2 --jobs 2 -o s")


def workers_of(pid):
    """The worker processes of a driver, without what else it starts for a moment."""
    found = []
    for child in psutil.Process(pid).children(recursive=True):
        with suppress(psutil.ZombieProcess, psutil.NoSuchProcess):
            if "resource_tracker" not in " ".join(child.cmdline()):
                found.append(child)
    return found


@pytest.fixture
def sweep(folder, monkeypatch):
    """A sweep on two worker processes in a session of its own, as a terminal starts it."""
    monkeypatch.setenv("TMPDIR", str(folder))  # what is left of it when it is killed
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen([sys.executable, "-m", "bncli", *LONG], start_new_session=True, **streams)
    while (line := process.stderr.readline()) != "Training on 2 worker processes\n":
        assert line
    return process


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)]
)
def test_control_c_ends_driver_and_workers_quietly(sweep, number, status):
    family = psutil.Process(sweep.pid).children(recursive=True)
    assert len(workers_of(sweep.pid)) == 2
    (os.killpg if number == signal.SIGINT else os.kill)(sweep.pid, number)
    out, err = sweep.communicate(timeout=60)
    assert (sweep.returncode, out) == (status, "")
    assert err == "Interrupted. 0 of 12 runs are saved in s; the same command continues.\n"
    assert psutil.wait_procs(family, timeout=10)[1] == []


@pytest.mark.slow
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
