"""How the time of a study grows with runs, width, depth, samples and epochs: table and picture of docs/performance.md.

    python benchmarks/growth.py --repeats 3 --plot docs/images/growth.png

From one base, each quantity is varied by itself. Every study is measured in a process of its own: seconds until its
programs are compiled, and seconds of training with scores.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time

from bncli.config import RunConfig
from bncli.data import datasets
from bncli.resolution import resolve

BASE = {"runs": 32, "width": 64, "depth": 2, "samples": 1000, "epochs": 20}

VALUES = {
    "runs": (1, 4, 16, 32, 64, 256, 1024),
    "width": (8, 16, 32, 64, 128, 256, 512, 1024),
    "depth": (1, 2, 4, 8, 16, 32),
    "samples": (125, 250, 500, 1000, 2000, 4000, 16000, 64000),
    "epochs": (1, 5, 10, 20, 40, 80, 320),
}


def measure(runs, width, depth, samples, epochs):
    """Seconds of compilation and of training."""
    from bncli.engines import stacked

    fields = {"dataset": "circles", "n_samples": samples, "noise": 0.1, "norm": "batch", "epochs": epochs}
    config = resolve(RunConfig(model=f"dense{width}*{depth}", **fields))[0]
    data, configs = datasets.load(config), [config.replace(seed=seed) for seed in range(runs)]
    started = time.perf_counter()
    program = stacked.prepare(configs, data)
    compiled = time.perf_counter()
    results = [result for stack in stacked.run_stacks(program, configs, None, None) for result in stack]
    ended = time.perf_counter()
    assert not any(result.error for result in results), results[0].error
    method = program.method
    return compiled - started, ended - compiled, f"{method.n_runs}{' XLA' if method.xla else ''}"


def table(repeats):
    """Measure everything by turns; return rows of quantity, value, compilation, training, stack."""
    cases = [(name, value) for name, values in VALUES.items() for value in values]
    found = {case: [] for case in cases}
    for _ in range(repeats):
        for name, value in cases:
            command = [sys.executable, __file__, "--one", json.dumps(BASE | {name: value})]
            out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            found[name, value].append(json.loads(out.splitlines()[-1]))
    medians = {
        case: [statistics.median(column) for column in list(zip(*rows, strict=True))[:2]]
        for case, rows in found.items()
    }
    return [(name, value, *medians[name, value], found[name, value][0][2]) for name, value in cases]


def draw(rows, path):
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, len(VALUES), figsize=(14, 3.2), sharey=True, layout="constrained")
    for panel, name in zip(panels, VALUES, strict=True):
        own = [row for row in rows if row[0] == name]
        x = [row[1] for row in own]
        panel.loglog(x, [row[3] for row in own], "o-", label="training")
        panel.loglog(x, [row[2] for row in own], "s--", color="0.5", label="compilation")
        base = next(row for row in own if row[1] == BASE[name])
        panel.loglog(x, [base[3] * value / base[1] for value in x], ":", color="0.8", label="in proportion")
        panel.axvline(BASE[name], color="0.9", zorder=0)
        panel.set(xlabel=name)
    panels[0].set(ylabel="seconds", ylim=(0.05, 200))
    panels[0].legend(frameon=False, fontsize="small")
    figure.savefig(path, dpi=100)


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument("--plot", help="a picture of the table")
    options.add_argument("--one", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.one:
        print(json.dumps(measure(**json.loads(chosen.one))))
        return
    rows = table(chosen.repeats)
    print("| varied | value | compilation | training | a run | runs in a stack |\n|---|---|---|---|---|---|")
    for name, value, compiling, training, stack in rows:
        each = 1e3 * training / (value if name == "runs" else BASE["runs"])
        print(f"| {name} | {value:,} | {compiling:.1f} s | {training:.2f} s | {each:.3g} ms | {stack} |")
    if chosen.plot:
        draw(rows, chosen.plot)


if __name__ == "__main__":
    main()
