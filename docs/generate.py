"""The parts of the documentation that the program itself knows; `make docs` writes them, `make check` compares."""

import ast
import inspect
import itertools
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterable
from pathlib import Path

import typer
from tabulate import tabulate

from bncli.claims import measures
from bncli.cli.app import app
from bncli.config import DEFAULTS, FIELDS
from bncli.data.facts import catalogue
from bncli.diagnosis.finding import REGISTRY as FINDINGS
from bncli.networks import models, norms
from bncli.networks.spec import spec_of
from bncli.networks.words import WORDS
from bncli.study.files import load_study, presets
from bncli.tasks.probes import PROBES
from bncli.tasks.scores import SCORES
from bncli.tasks.task import LOSS_ALIASES, TASKS
from bncli.training import schedules
from bncli.training.optimizers import OPTIMIZERS
from bncli.values import Field, show

MAKEFILE = Path(__file__).parent.parent / "Makefile"
TOPICS = {"data": "Data", "network": "Network", "normalization": "Normalization", "training": "Training"}
"""The headings over the fields of a run, by what they are about."""


def table(rows: Iterable[dict[str, str]]) -> None:
    """Print rows as a Markdown table."""
    escaped = [{key: value.replace("|", "\\|") for key, value in row.items()} for row in rows]
    print(tabulate(escaped, headers="keys", tablefmt="github", disable_numparse=True))


def shell(command: str) -> None:
    """Print a command and what it writes to stdout."""
    settings = {"COLUMNS": "100", "NO_COLOR": "1", "PYTHONPATH": "."}
    script = f'bncli() {{ {sys.executable} -m bncli "$@"; }}; {command}'
    done = subprocess.run(["bash", "-c", script], env=os.environ | settings, capture_output=True, text=True, check=True)
    shown = [line.rstrip() for line in done.stdout.splitlines()]
    print("\n".join(["```console", f"$ {command}", *shown, "```"]))


def help_screens() -> None:
    """Print every help screen under a heading of its own."""
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    for command in ("bncli", *(f"bncli {name}" for name in commands)):
        print(f"\n## {command}\n")
        shell(f"{command} --help")
    print()


def dataset_table() -> None:
    """Print the registered data sets and sources."""
    table(
        {
            "data set": f"`{row['name']}`",
            "what it is": row["description"],
            "fields it obeys": ", ".join(f"`{field}`" for field in row["fields"].split()),
        }
        for row in catalogue()
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


def word_table() -> None:
    """Print the words of specs."""
    table({"word": f"`{WORDS[name].example}`", "layer": WORDS.description(name)} for name in WORDS)


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


def optimizer_table() -> None:
    """Print the optimizers."""
    table(
        {
            "optimizer": f"`{name}`",
            "what it is": each.about,
            "fields it alone obeys": ", ".join(f"`{field}`" for field in each.fields),
            "default `weight_decay`": f"`{show(each.weight_decay)}`",
        }
        for name, each in OPTIMIZERS.items()
    )


def score_table() -> None:
    """Print the scores."""
    table(
        {
            "score": f"`{name}`",
            "what it is": score.label,
            "task": score.task,
            "better": "lower" if score.lower_is_better else "higher",
            "guessing": GUESSING.get(name, "-"),
        }
        for name, score in SCORES.items()
    )


GUESSING = {
    "accuracy": "the share of the commonest class",
    "balanced_accuracy": "1 / classes",
    "f1": "that of the commonest class / classes",
    "auc": "0.5",
    "top5": "the share of the five commonest classes",
    "nll": "the entropy of the classes' shares",
    "brier": "that of the classes' shares",
    "r2": "0",
    "mae": "that of the median",
    "mse": "the variance",
    "rmse": "the standard deviation",
}
"""What the best constant answer scores, in words."""


def names_in_keras(loss: str) -> list[str]:
    """Return Keras' names of a loss."""
    return [name for name, short in LOSS_ALIASES.items() if short == loss and "_" in name] or [loss]


def loss_table() -> None:
    """Print the losses."""
    table(
        {
            "loss": f"`{loss}`",
            "task": task,
            "in Keras": ", ".join(f"`{name}`" for name in names_in_keras(loss)),
        }
        for task, known in TASKS.items()
        for loss in known.losses
    )


def schedule_table() -> None:
    """Print the schedules of the learning rate."""
    table({"schedule": f"`{name}`", "the rate": schedules.REGISTRY.description(name)} for name in schedules.REGISTRY)


def probe_table() -> None:
    """Print the probes."""
    table(
        {"probe": f"`{name}`", "level": "full" if probe.is_full else "light", "what it is": probe.what}
        for name, probe in PROBES.items()
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


def field_tables() -> None:
    """Print every field of a run, in a table for each topic."""
    for topic in dict.fromkeys(info.about for info in FIELDS.values()):
        print(f"\n### {TOPICS[topic]}\n")
        table(
            {
                "field": f"`{name}`",
                "default": _default(name, info),
                "allowed": info.allowed(),
                "meaning": info.help,
            }
            for name, info in FIELDS.items()
            if info.about == topic
        )
    print()


def _default(name: str, info: Field) -> str:
    if DEFAULTS[name] is not None:
        return f"`{show(DEFAULTS[name])}`"
    owners = {"data": "the data set's", "training": "the optimizer's"}
    return owners.get(info.about, "`none`")


def finding_table() -> None:
    """Print what a diagnosis can find."""
    table({"finding": f"`{name}`", "what it means": FINDINGS.description(name)} for name in FINDINGS)


def threshold_list() -> None:
    """Print the thresholds of the findings: the constants of their modules, with what is said of them."""
    for module in dict.fromkeys(inspect.getmodule(FINDINGS[name]) for name in FINDINGS):
        name = module.__name__.rpartition(".")[2]  # type: ignore[union-attr]
        for node, text in itertools.pairwise(ast.parse(inspect.getsource(module)).body):  # type: ignore[arg-type]
            if isinstance(node, ast.Assign) and isinstance(text, ast.Expr):
                constant, about = ast.unparse(node.targets[0]), ast.literal_eval(text.value)
                if not constant.startswith(("_", "MAX_")):
                    lines = f"- `{name}.{constant} = {ast.unparse(node.value)}`: {' '.join(about.split())}"
                    print(textwrap.fill(lines, 120, subsequent_indent="  ", break_long_words=False))


def measure_table() -> None:
    """Print what a claim can measure."""
    table(
        {
            "measure": f"`{name}`",
            "one number per run": measures.REGISTRY.description(name),
            "keys it obeys": ", ".join(f"`{key}`" for key in measures.parameters(name)),
        }
        for name in measures.REGISTRY
    )


def reduction_table() -> None:
    """Print how a claim can reduce an axis to one number."""
    table({"reduce": f"`{name}`", "result": measures.REDUCTIONS.description(name)} for name in measures.REDUCTIONS)


def target_table() -> None:
    """Print the targets of the Makefile that have a description."""
    found = re.findall(r"^([a-z-]+):[^#\n]*## (.+)$", MAKEFILE.read_text(encoding="utf-8"), re.MULTILINE)
    table({"command": f"`make {name}`", "what it does": text} for name, text in found)
