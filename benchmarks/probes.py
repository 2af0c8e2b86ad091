"""What `--probe` costs: stacks of runs with and without, in turns in one process. docs/inside.md quotes the ratios.

    python benchmarks/probes.py [--repeats 9]

Processor time is measured, which other jobs on the machine change least. The programs are compiled before, and what
that takes is measured once. The ratio is that of the shortest times, the range that of all pairs in turn.
"""

import argparse
import time

from bncli.config import RunConfig
from bncli.data import datasets
from bncli.engines import stacked
from bncli.probes.inside import LEVELS
from bncli.resolution import resolve

CASES = {
    "digits MLP, 30 runs, 10 epochs": (30, {"dataset": "digits", "epochs": 10}),
    "digits CNN, 10 runs, 4 epochs": (10, {"dataset": "digits", "model": "cnn", "epochs": 4}),
    "digits MLP, 30 runs, 40 epochs": (30, {"dataset": "digits", "epochs": 40}),
    "30 dense layers, 4 runs, 10 epochs": (4, {"dataset": "digits", "model": "dense32*30", "epochs": 10}),
}


def seconds(program, runs):
    started = time.process_time()
    program.run(runs)
    return time.process_time() - started


def measure(name, n_runs, fields, repeats):
    runs = [resolve(RunConfig(norm="batch", seed=seed, **fields))[0] for seed in range(n_runs)]
    data = datasets.load(runs[0])
    programs, compiled = {}, {}
    for level in (None, *LEVELS):
        started = time.process_time()
        programs[level] = stacked.prepare(runs, data, probe=level)
        compiled[level] = time.process_time() - started
    taken = {level: [] for level in programs}
    for _ in range(repeats):
        for level, program in programs.items():
            taken[level].append(seconds(program, runs[: program.method.n_runs]))
    for level in LEVELS:
        ratios = sorted(with_it / without for without, with_it in zip(taken[None], taken[level], strict=True))
        ratio = min(taken[level]) / min(taken[None])
        span = f"{ratios[0]:.2f} to {ratios[-1]:.2f} in {repeats} turns"
        more = compiled[level] - compiled[None]
        print(f"{name}: {level} {ratio:.2f} times as long ({span}), {more:.1f} s more to compile", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=9)
    arguments = parser.parse_args()
    for name, (n_runs, fields) in CASES.items():
        measure(name, n_runs, fields, arguments.repeats)
