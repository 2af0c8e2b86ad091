"""The line `Next: bncli ...` below a result: every command that it names works."""

import json
import shlex

import pytest
from commands import TINY
from fakes import diverged, failed

from bncli.cli.hints import say_next

NEXT = "Next: bncli "


@pytest.fixture(autouse=True)
def fast(engine, no_figures):
    """An engine that answers at once, and no figures."""


def following(result):
    """The words of the next command; no words without such a line, which is the last one."""
    status, _, err = result
    assert status == 0, err
    lines = [line for line in err.splitlines() if line.startswith("Next:")]
    assert lines in ([], err.splitlines()[-1:])
    return shlex.split(lines[0].removeprefix(NEXT)) if lines else []


def is_accepted(bncli, words):
    checked = {"train": ("--dry-run",), "compare": ("--dry-run",), "sweep": ("--dry-run",), "verify": ("--list",)}
    status, _, err = bncli(*words, *checked.get(words[0], ()))
    assert status == 0, err
    return True


def wine(folder):
    (folder / "my wine.csv").write_text("a,b,kind\n" + "".join(f"{n % 9},{n % 7},{n % 2}\n" for n in range(40)))
    return ("my wine.csv", "--label", "kind")


CASES = {
    "dataset": "dataset digits",
    "dataset moons": "compare --dataset moons",
    "dataset circles --set n_samples=64": "compare --dataset circles --set n_samples=64",
    "train": "compare",
    "train -d circles -m dense4 -e 1 --seeds 5 --lr 0.1": "compare -d circles -m dense4 --lr 0.1 -e 1 -s 5",
    "train -d circles --arm layer:after --set seed=4": "compare --arms none,layer:after -d circles",
    "train -d circles --set norm=layer --set norm_epsilon=0.1": (
        "compare --arms none,layer:before -d circles --set norm_epsilon=0.1"
    ),
    "train -p circles-placement -e 1 --arm batch --seeds 1": "compare --arms none,batch -p circles-placement -e 1",
    "train -p lr-activation --seeds 1": "sweep -p lr-activation",
    "train -d moons --out s --metric val_loss --threshold 0.3 -n": (
        "train -d moons -o s --metric val_loss --threshold 0.3"
    ),
    "compare -d digits --out s": "sweep lr=0.0001,0.001,0.01 -d digits",
    "compare -d digits --set LR=1e6 --arms none --arms batch": "sweep lr=100000,1e+06 --arms none,batch -d digits",
    "compare -d moons": "compare -d moons --set norm_momentum=0.9",
    "compare -d moons --arms none,batch --set bn_momentum=0.98 -e 3": (
        "compare --arms none,batch -d moons -e 3 --set norm_momentum=0.9"
    ),
    "compare -d moons --arms none,batch+norm_momentum=0.99": (
        "sweep lr=0.0001,0.001,0.01 --arms none,batch+norm_momentum=0.99 -d moons"
    ),
    "compare -d digits --shard 1/2 -o s": "",
    "compare -p circles-placement --seeds 2": "sweep lr=0.001,0.01,0.1 -p circles-placement -s 2",
    "compare -d circles -j 2 --retry-failed --dry-run -o s": "compare -d circles -o s --retry-failed -j 2",
    "compare -d circles --lr 1 --margin 0 -n -o v1.0": "compare -d circles --lr 1 -o v1.0 --margin 0",
    "sweep lr=0.1,0.2 -d circles --out s": "report s --metric val_loss",
    "sweep lr=0.1,0.2 -d circles --out s --metric val_loss": "report s --metric val_accuracy",
    "sweep lr=0.1,0.2 -d circles --arms none,batch -n": "sweep lr=0.1,0.2 --arms none,batch -d circles",
    "sweep -n": "sweep",
    "list presets": "sweep --preset circles-placement",
    "list models": "compare --model cnn",
    "list arms": "compare --arms none,batch,layer",
    "list metrics": "compare --metric val_loss",
    "verify --list": "verify circles-placement",
}


@pytest.mark.parametrize("command", CASES)
def test_every_next_command_fits_and_is_accepted(bncli, command):
    words = following(bncli(*command.split()))
    assert shlex.join(words) == CASES[command]
    assert not words or is_accepted(bncli, words)


DIVERGED = {
    "train -d circles --arm batch --set lr=5 --set seed=3 -e 2 --out s": (
        "train --arm batch --lr 0.5 -d circles -e 2 --set seed=3"
    ),
    "train -d circles --lr 5 --seeds 2": "train --lr 0.5 -d circles -s 2",
    "compare -d moons --arms none,batch --lr 5": "sweep lr=0.05,0.5,5 --arms none,batch -d moons",
    "sweep lr=1,5 -d circles --out s": "status s",
}


@pytest.mark.parametrize("command", DIVERGED)
def test_after_diverged_runs_come_smaller_learning_rates_or_where_they_are(bncli, command):
    bncli.trainer = lambda configs, *_: ([diverged(config)] for config in configs)
    words = following(bncli(*command.split()))
    assert shlex.join(words) == DIVERGED[command]
    assert is_accepted(bncli, words)


def test_names_with_spaces_are_quoted(bncli, folder):
    _, _, err = bncli("dataset", *wine(folder))
    assert err == "Next: bncli compare --dataset 'my wine.csv' --label kind\n"
    assert is_accepted(bncli, shlex.split(err.removeprefix(NEXT)))


def test_a_word_that_cannot_be_shown_makes_no_line(capsys):
    say_next(["report", "a\x1bb"], "table")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("options", [("-q",), ("-f", "json"), ("-f", "csv"), ("-f", "md"), ("-f", "jsonl")])
def test_output_for_programs_and_quiet_commands_have_no_line(bncli, options):
    for command in ("train", "compare"):
        assert following(bncli(command, *TINY, "-o", command, *options)) == []
    assert following(bncli("report", "compare", *options)) == []


def test_after_a_report_comes_another_metric_then_a_file(bncli):
    bncli("compare", *TINY, "-o", "s")
    words = following(bncli("report", "s"))
    assert words == ["report", "s", "--metric", "val_loss"]
    words = following(bncli(*words))
    assert words == ["report", "s", "--format", "csv"]
    assert is_accepted(bncli, words)


def test_after_the_studies_comes_the_newest_or_one_that_lacks_runs_or_a_first_one(bncli, folder):
    assert following(bncli("list", "studies", ".")) == ["sweep"]
    bncli("compare", *TINY, "-o", "s")
    words = following(bncli("list", "studies", "."))
    assert words == ["report", "s"]
    assert is_accepted(bncli, words)
    lose_runs(folder / "s")
    words = following(bncli("list", "studies", "."))
    assert words == ["status", "s"]
    assert is_accepted(bncli, words)


def test_after_verify_comes_the_report_of_its_study(bncli):
    words = following(bncli("verify", "circles-placement", "--claim", "circles-none-test", "--seeds", "5"))
    assert words == ["report", "studies/circles-placement"]
    assert is_accepted(bncli, words)


# Status


def lose_runs(folder, kept=1):
    journal = folder / "runs.jsonl"
    journal.write_text("".join(journal.read_text().splitlines(keepends=True)[:kept]))


COMMANDS = [
    ("train", "--arm", "batch", "--seeds", "3"),
    ("compare", "--arms", "none,batch", "--seeds", "2"),
    ("sweep", "lr=0.1,0.2", "--seeds", "2", "--set", "shuffle=false"),
]


@pytest.mark.parametrize("command", COMMANDS)
def test_status_names_the_command_that_continues(bncli, folder, command):
    bncli(*command, *TINY, "--out", "s", "--restart", "-q")
    assert following(bncli("status", "s")) == ["report", "s"]
    lose_runs(folder / "s")
    words = following(bncli("status", "s"))
    assert words == [*command, *TINY, "-q", "--out", "s"]
    assert "--restart" not in words
    assert bncli(*words)[0] == 0
    assert "pending" not in bncli("status", "s")[1].splitlines()[-1].replace("0 pending", "")


def test_a_command_for_a_part_does_not_continue_the_whole(bncli, folder):
    bncli("compare", *TINY, "--seeds", "3", "-o", "s")
    lose_runs(folder / "s", kept=0)
    bncli("compare", *TINY, "--seeds", "1", "-o", "s")
    assert following(bncli("status", "s")) == ["compare", *TINY, "--seeds", "3", "--out", "s"]


def test_failed_runs_are_trained_again_with_an_option(bncli):
    good = bncli.trainer
    bncli.trainer = lambda configs, *_: ([failed(config)] for config in configs)
    assert bncli("compare", *TINY, "--out", "s")[0] == 1
    bncli.trainer = good
    words = following(bncli("status", "s"))
    assert words == ["compare", *TINY, "--out", "s", "--retry-failed"]
    assert is_accepted(bncli, words)


@pytest.mark.parametrize(
    "recorded",
    [
        None,
        7,
        "",
        "bncli",
        "bncli compare 'open",
        "rm -rf /",
        "bncli -m pytest",
        "bncli compare --epochs 77",
        "bncli compare --no-such-option",
        "bncli compare --help",
        "bncli sweep --preset gone.toml",
    ],
)
def test_a_recorded_command_that_means_something_else_is_not_named(bncli, folder, recorded):
    bncli("compare", *TINY, "--out", "s")
    lose_runs(folder / "s")
    path = folder / "s" / "study.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"sessions": [{"command": recorded}]}))
    assert following(bncli("status", "s")) == []


def test_a_command_whose_file_has_gone_is_not_named(bncli, folder):
    bncli("compare", "-d", *wine(folder), "--out", "s")
    lose_runs(folder / "s")
    assert following(bncli("status", "s"))[:2] == ["compare", "-d"]
    (folder / "my wine.csv").rename(folder / "x.csv")
    assert following(bncli("status", "s")) == []
