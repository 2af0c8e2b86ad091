"""bncli against `model.fit`, side by side in one go: `make bench` prints the ratios that docs/performance.md quotes.

Per run: `model.fit` on NumPy arrays as the tutorials call it, against a stack of runs, both warm (graph traced and
compiled). Whole process: what a person waits for `bncli compare` or `train` from the shell, against a Python
process that trains the same runs with `model.fit` in a loop; the loop is timed for a few runs and the rest added at the
same rate, because 128 of them take a quarter of an hour. Every figure is the median of several repeats.
"""

import argparse
import collections
import itertools
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from bncli.config import RunConfig
from bncli.data import datasets
from bncli.data.mnist import find_mnist_family
from bncli.resolution import resolve

CIRCLES = {
    "dataset": "circles",
    "model": "circles-mlp",
    "kernel_initializer": "he_uniform",
    "optimizer": "sgd",
    "lr": 0.01,
    "momentum": 0.9,
    "norm": "batch",
    "placement": "after",
}
MNIST_CNN = {
    "dataset": "mnist",
    "model": "lr-cnn",
    "norm": "batch",
    "norm_output": True,
    "train_rows": ":6400",
    "val_rows": ":1024",
}
FLAGSHIP = {"model": "cnn", "norm": "batch", "norm_output": True, "norm_momentum": 0.9, "lr": 0.005}


@dataclass(frozen=True)
class Case:
    """One network and data set, and how many seeds to measure it at."""

    name: str
    fields: dict
    epochs: int
    counts: tuple[int, ...] = (1, 8, 32, 128)
    process_counts: tuple[int, ...] = ()
    fit_epochs: int = 4
    arguments: list[str] = field(default_factory=list)


CASES = [
    Case("circles MLP with BN", CIRCLES, 100, process_counts=(1, 128)),
    Case("digits MLP 2x64", {"norm": "batch"}, 20, process_counts=(32,)),
    Case("digits CNN", FLAGSHIP, 20, counts=(1, 8, 16, 32), process_counts=(16,)),
    Case("LSTM on digits rows", {"model": "lstm", "norm": "batch"}, 20, counts=(1, 8, 16, 32), process_counts=(16,)),
    Case("MNIST CNN, 6400 rows", MNIST_CNN, 3, counts=(1, 4), process_counts=(4,), fit_epochs=2),
]


def config(case, seed=0):
    return resolve(RunConfig(**case.fields, epochs=case.epochs, seed=seed))[0]


def fit_seconds(case, n_epochs):
    """Seconds to the end of each epoch of one idiomatic `model.fit` with validation."""
    import keras

    from bncli.engines.base import make_optimizer
    from bncli.networks.building import build_model

    run, data = config(case), datasets.load(config(case))
    model = build_model(run, data.input_shape, data.n_classes, 0)
    loss = "binary_crossentropy" if model.output_shape[-1] == 1 else "sparse_categorical_crossentropy"
    model.compile(make_optimizer(run, run.lr), loss, metrics=["accuracy"])
    ends, started = [], time.perf_counter()
    tell = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: ends.append(time.perf_counter() - started))
    model.fit(
        data.x_train,
        data.y_train,
        batch_size=run.batch_size,
        epochs=n_epochs,
        validation_data=(data.x_val, data.y_val),
        callbacks=[tell],
        verbose=0,
    )
    return ends


def fit_epoch(case):
    """Seconds of a warm epoch of `model.fit`."""
    ends = fit_seconds(case, case.fit_epochs + 1)
    return (ends[-1] - ends[0]) / case.fit_epochs


def stack_seconds(program, runs):
    """Seconds per run of training and evaluating runs of a program that is compiled."""
    from bncli.engines import stacked

    started = time.perf_counter()
    collections.deque(stacked.run_stacks(program, runs, None, None), maxlen=0)
    return (time.perf_counter() - started) / len(runs)


def per_run(case, repeats):
    """Rows of the per-run table: seconds of a whole training by each, and their ratio with its spread."""
    from bncli.engines import stacked

    for count in case.counts:
        runs = [config(case, seed) for seed in range(count)]
        program = stacked.prepare(runs, datasets.load(runs[0]))
        stack_seconds(program, [run.replace(epochs=1) for run in runs])
        pairs = [(case.epochs * fit_epoch(case), stack_seconds(program, runs)) for _ in range(repeats)]
        print_row([case.name, count, describe(program.method, count)], pairs)


def warm(name, count):
    """Seconds per run of the second training of a compiled program."""
    from bncli.engines import stacked

    case = next(case for case in CASES if case.name == name)
    runs = [config(case, seed) for seed in range(count)]
    program = stacked.prepare(runs, datasets.load(runs[0]))
    return [stack_seconds(program, runs) for _ in range(2)][-1]


def describe(method, count):
    """A method in words: `2 stacks of 64, XLA`."""
    if not method.stacked:
        return f"{method.n_runs} side by side"
    n_stacks = math.ceil(count / method.n_runs)
    stacks = "1 stack" if n_stacks == 1 else f"{n_stacks} stacks"
    return f"{stacks} of {method.n_runs}{', XLA' if method.xla else ''}"


def print_head(*names):
    """The head of a table."""
    print(f"\n| {' | '.join(names)} |\n|{'---|' * len(names)}", flush=True)


def short(value):
    """A number with three digits."""
    return f"{float(f'{value:.3g}'):,.0f}" if value >= 1000 else f"{value:.3g}"


def print_row(labels, pairs):
    """One row: labels, medians of both, median ratio and its range."""
    ratios = [a / b for a, b in pairs]
    fit, ours = (statistics.median(column) for column in zip(*pairs, strict=True))
    spread = f"{short(min(ratios))} to {short(max(ratios))}"
    cells = [
        *map(str, labels),
        f"{short(fit)} s",
        f"{short(ours)} s",
        f"**{short(statistics.median(ratios))}x**",
        spread,
    ]
    print(f"| {' | '.join(cells)} |", flush=True)


def shell_arguments(case, count):
    """The command line that trains one arm of a case over `count` seeds."""
    fields = dict(case.fields)
    norm, placement = fields.pop("norm"), fields.pop("placement", "before")
    settings = [text for name, value in fields.items() for text in ("--set", f"{name}={value}")]
    return ["train", "--arm", f"{norm}:{placement}", *settings, "--epochs", str(case.epochs), "--seeds", str(count)]


def process_seconds(arguments):
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
    return time.perf_counter() - started


def fit_process(case, count):
    """Seconds of a process that trains `count` runs with `model.fit`: one or two are timed, the others added."""
    timed = min(count, 2)
    whole = [process_seconds([__file__, "--fit", json.dumps([case.name, n])]) for n in range(1, timed + 1)]
    return whole[0] if count == 1 else whole[1] + (count - 2) * (whole[1] - whole[0])


def whole_process(case, repeats):
    for count in case.process_counts:
        with tempfile.TemporaryDirectory() as folder:
            pairs = []
            for turn in range(repeats):
                ours = process_seconds(
                    ["-m", "bncli", *shell_arguments(case, count), "--out", str(Path(folder) / str(turn))]
                )
                pairs.append((fit_process(case, count), ours))
        print_row([case.name, count], pairs)


def many(n_seeds, n_rates):
    """Ten thousand runs: seconds and peak memory of the whole process, and of a tenth of it."""
    for seeds, rates in ((n_seeds, n_rates // 10), (n_seeds, n_rates)):
        with tempfile.TemporaryDirectory() as folder:
            arguments = shell_arguments(CASES[0], seeds)
            arguments[:3] = ["sweep", f"lr=log:1e-4:1:{rates}", "--arms", "batch:after"]
            command = [
                sys.executable,
                "-m",
                "bncli",
                *[a for a in arguments if a != "lr=0.01"],
                "--quiet",
                "--out",
                folder,
            ]
            command = [
                part for part, after in itertools.pairwise([*command, ""]) if (part, after) != ("--set", "--set")
            ]
            started = time.perf_counter()
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - started
            assert status == 0, status
            peak = usage.ru_maxrss / 2**20
            n_runs = seeds * rates
            each = 1e3 * seconds / n_runs
            cells = [
                f"{seeds} seeds x {rates} rates",
                f"{n_runs:,}",
                f"{seconds:.0f} s",
                f"{each:.1f} ms",
                f"{peak:.2f} GiB",
            ]
            print(f"| {' | '.join(cells)} |", flush=True)


JOBS_CASES = [
    ("circles MLP", CASES[0], "lr=log:0.001:0.1:10", 10, 100),
    ("MNIST CNN, 6400 rows", CASES[-1], "lr=0.001,0.01", 2, 6),
]


def jobs(only, repeats):
    """Seconds of a whole command with one process and with two workers, and of twice as many runs more."""
    for name, case, axis, n_rates, seeds in JOBS_CASES:
        if only in name and ("MNIST" not in name or find_mnist_family("mnist")):
            turns = [[jobs_seconds(case, axis, n) for n in (seeds, 3 * seeds)] for _ in range(repeats)]
            small, large = zip(*turns, strict=True)
            print_row([f"{name}, {n_rates * seeds:,} runs"], small)
            more = [(b[0] - a[0], b[1] - a[1]) for a, b in zip(small, large, strict=True)]
            print_row([f"{name}, each {2 * n_rates * seeds:,} runs more"], more)


def jobs_seconds(case, axis, seeds):
    """Seconds of one command with `--jobs 1` and `--jobs 2`."""
    _, _, arm, *settings = shell_arguments(case, seeds)
    if (rate := f"lr={case.fields.get('lr')}") in settings:  # the axis takes its place
        place = settings.index(rate)
        del settings[place - 1 : place + 1]
    command = ["-m", "bncli", "sweep", axis, "--arms", arm, *settings, "--quiet"]
    with tempfile.TemporaryDirectory() as folder:
        pair = [process_seconds([*command, "--jobs", n, "--out", str(Path(folder) / n)]) for n in ("1", "2")]
    return tuple(pair)


def fit_loop(name, count):
    """The tutorial's way: one `model.fit` after the other."""
    case = next(case for case in CASES if case.name == name)
    for _ in range(count):
        fit_seconds(case, case.epochs)


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument("--only", default="", help="cases whose name holds this text")
    options.add_argument("--part", choices=["run", "process", "many", "jobs", "peers", "all"], default="all")
    options.add_argument("--python", default=sys.executable, help="peers: the Python that runs them, say one with JAX")
    options.add_argument("--peers", type=Path, help="peers: their folder, see benchmarks/peers.py")
    options.add_argument("--fit", help=argparse.SUPPRESS)
    options.add_argument("--warm", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.warm:
        print(warm(*json.loads(chosen.warm)))
        return
    if chosen.part == "peers":
        import peers

        peers.compare(sys.modules[__name__], chosen.python, chosen.peers, chosen.repeats, chosen.only)
        return
    if chosen.fit:
        fit_loop(*json.loads(chosen.fit))
        return
    cases = [case for case in CASES if chosen.only in case.name]
    if find_mnist_family("mnist") is None:
        cases = [case for case in cases if "MNIST" not in case.name]
        print("MNIST is not in $BNCLI_DATA_DIR: its rows are left out.\n")
    packages = ", ".join(f"{name} {version(name)}" for name in ("bncli", "tensorflow", "keras", "numpy"))
    print(f"{packages}; Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores\n")
    if chosen.part in ("run", "all"):
        print_head("per run", "seeds", "method", "model.fit", "bncli", "ratio", "lowest to highest")
        for case in cases:
            per_run(case, chosen.repeats)
    if chosen.part in ("process", "all"):
        print_head("whole process", "seeds", "model.fit", "bncli", "ratio", "lowest to highest")
        for case in cases:
            whole_process(case, chosen.repeats)
    if chosen.part in ("jobs", "all"):
        print_head("whole process", "--jobs 1", "--jobs 2", "ratio", "lowest to highest")
        jobs(chosen.only, chosen.repeats)
    if chosen.part in ("many", "all"):
        print_head("circles MLP", "runs", "whole process", "a run", "peak memory")
        many(100, 100)


if __name__ == "__main__":
    main()
