"""The parts of the README that the program itself knows; `make docs` writes them, `make check` compares."""

import os
import subprocess
import sys
from collections.abc import Iterable

from tabulate import tabulate

from bncli.config import DEFAULTS, FIELDS
from bncli.data import datasets, sets
from bncli.networks import models, norms
from bncli.networks.spec import spec_of
from bncli.study.files import load_study, presets
from bncli.values import show


def table(rows: Iterable[dict[str, str]]) -> None:
    """Print rows as a Markdown table."""
    escaped = [{key: value.replace("|", "\\|") for key, value in row.items()} for row in rows]
    print(tabulate(escaped, headers="keys", tablefmt="github", disable_numparse=True))


def shell(command: str, lines: int | None = None) -> None:
    """Print a command and what it writes to stdout, or the first lines of that."""
    settings = {"COLUMNS": "100", "NO_COLOR": "1", "PYTHONPATH": "."}
    script = f'bncli() {{ {sys.executable} -m bncli "$@"; }}; {command}'
    done = subprocess.run(["bash", "-c", script], env=os.environ | settings, capture_output=True, text=True, check=True)
    shown = [line.rstrip() for line in done.stdout.splitlines()]
    more = ["..."] if lines and len(shown) > lines else []
    print("\n".join(["```console", f"$ {command}", *(line for line in shown[:lines]), *more, "```"]))


def help_screens() -> None:
    """Print every help screen."""
    for command in ("", "dataset ", "train ", "compare ", "sweep ", "report ", "status ", "verify "):
        shell(f"bncli {command}--help")
        print()


def dataset_table() -> None:
    """Print the registered data sets."""
    table(
        {
            "data set": f"`{name}`",
            "what it is": sets.REGISTRY.description(name),
            "fields it obeys": ", ".join(f"`{k}={v}`" for k, v in datasets.loader_defaults(name).items()),
        }
        for name in sets.REGISTRY
    )


def model_table() -> None:
    """Print the registered models and their specs."""
    table(
        {
            "model": f"`{name}`",
            "spec": f"`{spec_of(name)}`",
            "what it is": models.REGISTRY.description(name),
        }
        for name in models.REGISTRY
    )


def norm_table() -> None:
    """Print the registered normalizations."""
    table(
        {
            "arm": f"`{name}`",
            "what it computes": norms.description(name),
            "fields it obeys": ", ".join(f"`{field}`" for field in norms.fields(name)),
        }
        for name in norms.names()
    )


def preset_table() -> None:
    """Print the studies that ship."""
    loaded = [load_study(name) for name in presets()]
    table(
        {
            "preset": f"`{each.name}`",
            "question": each.question,
            "arms": ", ".join(f"`{arm.label}`" for arm in each.arms),
            "axes": "; ".join(f"`{name}`: {', '.join(map(show, values))}" for name, values in each.axes),
            "runs": str(each.n_runs),
        }
        for each in loaded
    )


def field_table() -> None:
    """Print every field of a run."""
    table(
        {
            "field": f"`{name}`",
            "about": info.about,
            "default": f"`{show(DEFAULTS[name])}`"
            if DEFAULTS[name] is not None
            else ("the data set's" if info.about == "data" else "the optimizer's"),
            "allowed": info.allowed(),
            "meaning": info.help,
        }
        for name, info in FIELDS.items()
    )
