"""bncli against other programs that train the same stacks, by turns.

    python benchmarks/bench.py --part peers --python PYTHON_OF_THE_PEERS --peers FOLDER --repeats 5

A peer is a program `WORK.py RUNS`, or `digits.py WORK RUNS EPOCHS` for several works, in a folder; a Python of its own
runs it, say one with JAX. It trains that many seeds of the work on all cores, with validation after every epoch, and
prints as its last line JSON with `run_ms_per_run`, the milliseconds a run of a second, warm training, or a line that
begins with `run2 SECONDS`, those of all its runs. With `--once`, which `digits.py` knows, there is no second training,
so that the time of the process is what a person waits for. The works are those of `bench.CASES`.
"""

import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WORKS = {"circles": (0, (128,)), "mlp": (1, (128,)), "cnn": (2, (32, 128)), "lstm": (3, (32, 128))}
"""The place of each work in `bench.CASES`, and how many runs are compared."""


def peer_command(python, folder, work, count, epochs):
    """How a peer is called."""
    own = folder / f"{work}.py"
    return (
        [python, str(own), str(count)]
        if own.exists()
        else [python, str(folder / "digits.py"), work, str(count), str(epochs)]
    )


def peer_run(command, count):
    """Seconds of a warm training by a peer, per run."""
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip().splitlines()
    if out[-1].startswith("{"):
        return json.loads(out[-1])["run_ms_per_run"] / 1e3
    return float(re.match(r"run2 (\S+)", out[-1])[1]) / count


def peer_process(command):
    """Seconds of a whole process of a peer that trains once."""
    started = time.perf_counter()
    once = ["--once"] if command[1].endswith("digits.py") else []
    out = subprocess.run([*command, *once], check=True, capture_output=True, text=True).stdout.strip().splitlines()
    seconds = time.perf_counter() - started
    second = re.match(r"run2 (\S+)", out[-1])
    return seconds - float(second[1]) if second else seconds


def own_run(bench, case, count):
    """Seconds of a warm training by bncli, per run, in a process of its own."""
    command = [sys.executable, bench.__file__, "--warm", json.dumps([case.name, count])]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def compare(bench, python, folder, repeats, only):
    """Print both tables: a run, and a whole process."""
    cases = {work: (bench.CASES[place], counts) for work, (place, counts) in WORKS.items() if only in work}
    bench.print_head("a run", "runs", "peer", "bncli", "peer / bncli", "lowest to highest")
    for work, (case, counts) in cases.items():
        command = peer_command(python, folder, work, counts[0], case.epochs)
        pairs = [(peer_run(command, counts[0]), own_run(bench, case, counts[0])) for _ in range(repeats)]
        bench.print_row([work, counts[0]], pairs)
    bench.print_head("whole process", "runs", "peer", "bncli", "peer / bncli", "lowest to highest")
    for work, (case, counts) in cases.items():
        for count in counts:
            command, pairs = peer_command(python, folder, work, count, case.epochs), []
            for _ in range(repeats):
                with tempfile.TemporaryDirectory() as out:
                    arguments = [*bench.shell_arguments(case, count), "--quiet", "--out", str(Path(out) / "study")]
                    pairs.append((peer_process(command), bench.process_seconds(["-m", "bncli", *arguments])))
            bench.print_row([work, count], pairs)
