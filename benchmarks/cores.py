"""Worker processes on one core and on two, one to a core, and what that says of more: `python benchmarks/cores.py`.

Every worker of `--jobs N` computes on one core if there are N. So a machine with one core is this one with the process
pinned to a core, and each further core is a further worker. Two sizes of one study tell the time of a further run from
that of the start. For more cores than there are, the time is computed: the start as with two workers; the runs divided
by the workers, with the efficiency of two; and never less than the main process takes to hand out and write down runs.
What two cores can't show stays out: shared caches and memory buses, of which many cores take more.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

STUDIES = {
    "circles MLP, 100 epochs": "-d circles -m circles-mlp --arms batch:after -e 100"
    " --set optimizer=sgd --set momentum=0.9",
    "digits CNN, 20 epochs": "-d digits -m cnn --arms batch:before --set norm_output=true -e 20",
}
RUNS = {"circles MLP, 100 epochs": (1000, 3000), "digits CNN, 20 epochs": (60, 180)}
DRIVER = 0.54e-3
"""Seconds that the main process takes for each run, see docs/scale.md."""

COMPUTED = (4, 8, 16, 32)


def seconds(study, n_runs, n_cores):
    """Seconds of one command on `n_cores` cores with a worker on each."""
    rates = 10 if n_runs % 100 == 0 else 2
    command = [sys.executable, "-m", "bncli", "sweep", f"lr=log:0.001:0.1:{rates}", *STUDIES[study].split(), "--quiet"]
    cores = {*list(os.sched_getaffinity(0))[:n_cores]}
    with tempfile.TemporaryDirectory() as folder:
        command += ["--seeds", str(n_runs // rates), "--jobs", str(n_cores), "--out", str(Path(folder) / "study")]
        started = time.perf_counter()
        pinned = subprocess.Popen(command, stdout=subprocess.DEVNULL, preexec_fn=lambda: os.sched_setaffinity(0, cores))
        assert pinned.wait() == 0
        return time.perf_counter() - started


def split(times, sizes):
    """The seconds of the start, and those of each further run."""
    each = (times[1] - times[0]) / (sizes[1] - sizes[0])
    return times[0] - each * sizes[0], each


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--repeats", type=int, default=3)
    repeats = options.parse_args().repeats
    print("| study | cores | start | each further run | speed-up of the runs | |\n|---|---|---|---|---|---|")
    for study, sizes in RUNS.items():
        found = {1: [], 2: []}
        for _ in range(repeats):
            for n_cores, turns in found.items():
                turns.append(split([seconds(study, size, n_cores) for size in sizes], sizes))
        medians = {n: [statistics.median(each) for each in zip(*turns, strict=True)] for n, turns in found.items()}
        alone, efficiency = medians[1][1], min(1.0, medians[1][1] / medians[2][1] / 2)
        more = {n: (medians[2][0], max(DRIVER, alone / (efficiency * n))) for n in COMPUTED}
        for n_cores, (start, each) in (medians | more).items():
            how = "measured" if n_cores in medians else "computed"
            cells = [study, str(n_cores), f"{start:.1f} s", f"{1e3 * each:.2f} ms", f"{alone / each:.2g}", how]
            print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
