"""Tab completion, driven through the protocol of each shell: the words that may follow, and never a traceback."""

import os
import subprocess
import sys

import pytest
import typer

from bncli.cli.app import app
from bncli.config import FIELDS
from bncli.data import sets
from bncli.networks import models, norms
from bncli.study.files import presets
from bncli.tasks.metrics import METRICS

COMMANDS = typer.main.get_command(app).commands
OPTIONS = sorted(
    (name, option)
    for name, command in COMMANDS.items()
    for parameter in command.params
    for option in parameter.opts
    if option.startswith("-") and not getattr(parameter, "is_flag", False)
)


def complete(line, shell="bash", word=None):
    """What is offered to the shell for the last word of a command line."""
    words = line.split() + ([""] if line.endswith(" ") else [])
    env = {"COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}
    if shell != "bash":
        env = {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    done = subprocess.run(
        [sys.executable, "-m", "bncli"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | env | {"_BNCLI_COMPLETE": f"complete_{shell}"},
    )
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("bncli sw", {"sweep"}),
        ("bncli compare --dataset ", set(sets.REGISTRY)),
        ("bncli compare -d mn", {"mnist"}),
        ("bncli train --model mnist", {name for name in models.REGISTRY if name.startswith("mnist")}),
        ("bncli train --activation sig", {"sigmoid"}),
        ("bncli train --optimizer ad", {"adam", "adamw"}),
        ("bncli sweep --preset ", set(presets())),
        ("bncli sweep --set norm_m", {"norm_momentum="}),
        ("bncli sweep --metric val", {name for name in METRICS if name.startswith("val")}),
        ("bncli sweep --format j", {"json", "jsonl"}),
        ("bncli sweep --engine ", {"auto", "stacked", "keras"}),
        ("bncli dataset cir", {"circles"}),
        ("bncli compare --arms ", set(norms.names())),
        ("bncli compare --arms none,la", {"none,layer"}),
        ("bncli train --arm ba", {name for name in norms.names() if name.startswith("ba")}),
        ("bncli sweep norm_m", {"norm_momentum="}),
        ("bncli train -d wine.csv --label ", {"acid", "kind"}),
        ("bncli compare -d wine.csv --label k", {"kind"}),
        ("bncli train -d nothing.csv --label ", set()),
        ("bncli verify circles-p", {"circles-placement"}),
        ("bncli list ", {"presets", "models", "arms", "metrics", "studies"}),
    ],
)
def test_the_words_that_may_follow(folder, line, words):
    (folder / "wine.csv").write_text("acid;kind\n1;2\n3;4\n")
    assert set(complete(line).split()) == words


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_get_the_same_words(shell):
    offered = complete("bncli sweep --set ", shell)
    assert all(f"{name}=" in offered for name in FIELDS)


def test_every_option_of_every_command_can_be_completed(monkeypatch, capsys):
    """In this process, for speed: the same code as above for more than a hundred options."""
    monkeypatch.setattr(sys, "argv", ["bncli"])
    monkeypatch.setenv("_BNCLI_COMPLETE", "complete_bash")
    for command, option in OPTIONS:
        words = ["bncli", command, option, ""]
        monkeypatch.setenv("COMP_WORDS", " ".join(words))
        monkeypatch.setenv("COMP_CWORD", "3")
        with pytest.raises(SystemExit) as ended:
            app(prog_name="bncli")
        assert (ended.value.code, capsys.readouterr().err) == (0, "")
    assert len(OPTIONS) > 80
