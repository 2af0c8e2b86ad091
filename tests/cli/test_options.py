"""Options as people type them: twice, as lists, under the names of other tools."""

import json
import time

import pytest
import typer
from commands import TINY, error

from bncli.cli.app import app

DRY = ("--dry-run", "--format", "json")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--arms", "none,batch:after"),
        ("--arms", "none", "--arms", "batch:after"),
        ("--arms", "NONE", "--arms", "bn:After"),
        ("--arms", "none,BatchNormalization:after"),
    ],
)
def test_arms_may_be_repeated_and_have_usual_names(bncli, arguments):
    rows = json.loads(bncli("compare", *TINY, *arguments, "--seeds", "1", *DRY)[1])
    assert [row["arm"] for row in rows] == ["none", "batch:after"]


@pytest.mark.parametrize(("seeds", "expected"), [("2", [0, 1]), ("3,4,5", [3, 4, 5]), ("7,", None), ("0", None)])
def test_seeds_are_a_number_or_a_list(bncli, seeds, expected):
    status, out, err = bncli("train", *TINY, "--seeds", seeds, *DRY)
    if expected:
        assert [row["seed"] for row in json.loads(out)] == expected
    else:
        told = f"--seeds takes a whole number from 1, or a list such as 3,4,5. Received: {seeds!r}."
        assert (status, err) == (2, f"Error: {told}\n")


def test_more_seeds_than_a_study_may_have_are_refused_before_they_are_counted_out(bncli):
    started = time.monotonic()
    assert error(bncli("train", *TINY, "--seeds", "1000000000", "-n")) == (
        "--seeds takes at most 1,000,000 seeds. Received: '1000000000'."
    )
    assert time.monotonic() - started < 2


@pytest.mark.parametrize(
    ("arguments", "field", "value"),
    [
        (("--activation", "swish"), "activation", "silu"),
        (("--optimizer", "SGD"), "optimizer", "sgd"),
        (("--set", "learning_rate=0.5"), "lr", 0.5),
        (("--set", "LR=0.5"), "lr", 0.5),
        (("--set", "batchsize=8"), "batch_size", 8),
    ],
)
def test_usual_names_of_other_tools_are_understood(bncli, engine, arguments, field, value):
    assert bncli("train", *TINY, *arguments)[0] == 0
    assert getattr(engine[0], field) == value


def test_an_axis_by_its_usual_name_is_the_field(bncli):
    rows = json.loads(bncli("sweep", "learning_rate=0.1,0.2", *TINY, "--seeds", "1", "--arms", "none", *DRY)[1])
    assert [row["param_lr"] for row in rows] == [0.1, 0.2]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--lr", "0.1", "--lr", "0.2"), "--lr is given twice. Give it once."),
        (("-d", "moons", "--dataset", "digits"), "--dataset is given twice. Give it once."),
        (("--out", "a", "-o", "b"), "--out is given twice. Give it once."),
        (
            ("--seed", "3"),
            "There is no option --seed. "
            "Try --set seed=3 for one seed of train, --seeds N or --seeds 3,4,5 for several.",
        ),
        (("--output=x",), "There is no option --output. Try --out DIR."),
        (
            ("--lr", "0.001,0.01"),
            "lr must be a number above 0 and up to 1000000. Received: '0.001,0.01'. "
            "To vary it, try: bncli sweep lr=0.001,0.01.",
        ),
    ],
)
@pytest.mark.parametrize("command", ["train", "compare", "sweep"])
def test_what_can_not_be_meant_gets_one_helpful_line(bncli, command, arguments, expected):
    assert error(bncli(command, *arguments)) == expected


def test_options_that_may_be_repeated_and_flags_are_no_mistake(bncli):
    settings = ("--set", "momentum=0.9", "--set", "optimizer=sgd", "-n", "-n", "-q", "-q")
    assert bncli("train", "-d", "circles", *settings)[0] == 0


def every_option():
    """Each option and argument that takes a text, by command: its words with an empty value."""
    group = typer.main.get_command(app)
    for name, command in group.commands.items():
        for parameter in command.params:
            if not getattr(parameter, "is_flag", False):
                names = [word for word in parameter.opts if word.startswith("-")]
                yield from ((name, option, max(names, key=len)) for option in names)
                if not names:
                    yield name, None, parameter.metavar or parameter.name


REQUIRED = {"list": ("arms",)}
"""What a command needs before an option; before a folder, too."""

BEFORE = {
    ("list", "DIR"): ("arms",),
    ("report", "[DIR2]"): ("s",),
    ("export", "script|tensorboard"): ("s",),
    ("export", "RUN_ID"): ("s", "script"),
}
"""What stands before an argument, by the command and the argument's name."""


@pytest.mark.parametrize(("command", "option", "name"), list(every_option()))
@pytest.mark.parametrize("value", ["", " "])
def test_an_empty_value_is_refused_by_every_option_of_every_command(bncli, folder, command, option, name, value):
    first = REQUIRED.get(command, ()) if option else BEFORE.get((command, name), ())
    words = (*first, option, value) if option else (*first, value)
    assert error(bncli(command, *words)) == (
        f"{name} has an empty value. Leave it out, or give it one. Is a variable of the shell not set?"
    )
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(("command", "option", "name"), [case for case in every_option() if case[1]])
def test_an_option_in_the_place_of_a_value_is_refused(bncli, folder, command, option, name):
    other = "--quiet" if command == "export" else "--format"
    words = (*REQUIRED.get(command, ()), option, other)
    assert error(bncli(command, *words)) == f"{name} has no value: {other} follows, which is an option. Give it one."
    assert list(folder.iterdir()) == []


def test_there_are_options_to_test():
    found = list(every_option())
    assert {
        "--preset",
        "--arms",
        "--shard",
        "--scheduler",
        "--metric",
        "--label",
        "--out",
        "--save-model",
        "--set",
    } <= {name for _, _, name in found}
    assert len(found) > 80


@pytest.mark.parametrize("text", ["noise=", "label= ", "use_bias="])
def test_a_setting_without_a_value_is_refused(bncli, text):
    assert error(bncli("train", *TINY, "--set", text)).endswith("Received: ''.")


LONG = "x" * 100_000


@pytest.mark.parametrize(
    "arguments",
    [
        ("train", "--set", LONG),
        ("train", "--set", f"{LONG}=1"),
        ("train", "--set", f"noise={LONG}"),
        ("train", "--set", f"noise={LONG},1"),
        ("train", "--set", f"scaling={LONG}"),
        ("train", "--set", f"train_rows={LONG}"),
        ("train", "--dataset", LONG),
        ("train", "--dataset", f"{LONG}.csv"),
        ("train", "--model", LONG),
        ("train", "--model", f"dense8 {LONG}"),
        ("train", "--model", f"dense{'9' * 100_000}"),
        ("train", "--model", "flatten " * 12_000),
        ("train", "--arm", LONG),
        ("train", "--arm", f"batch:{LONG}"),
        ("train", "--arm", f"batch+{LONG}"),
        ("train", "--arm", f"batch+{LONG}=1"),
        ("train", "--arm", f"none+center={LONG}"),
        ("train", "--preset", LONG),
        ("train", "--preset", f"{LONG}.toml"),
        ("train", "--seeds", LONG),
        ("train", "--seeds", "3," * 50_000 + "3"),
        ("train", "--jobs", LONG),
        ("train", "--shard", LONG, "--out", "s"),
        ("train", "--engine", LONG),
        ("train", "--metric", LONG),
        ("train", "--threshold", LONG),
        ("train", "--format", LONG),
        ("train", "--save-model", LONG),
        ("train", f"--{LONG}"),
        ("train", LONG),
        ("sweep", LONG),
        ("sweep", f"{LONG}=1"),
        ("sweep", f"lr={LONG}"),
        ("sweep", f"lr=lin:{LONG}"),
        ("sweep", "lr=" + "0.1," * 25_000 + "0.1"),
        ("compare", "--arms", LONG),
        ("compare", "--arms", "none," * 20_000 + "none"),
        ("verify", LONG),
        ("verify", "--claim", LONG),
        ("list", LONG),
        ("list", "arms", LONG),
        ("dataset", LONG),
        ("dataset", "digits", "--plot", LONG),
        (LONG,),
        (f"--{LONG}",),
    ],
    ids=lambda arguments: " ".join(word[:20] for word in arguments),
)
def test_a_long_value_is_cut_in_every_message(bncli, arguments):
    started = time.process_time()
    status, out, err = bncli(*arguments)
    assert (status, out) == (2, "")
    assert len(err) < 2500  # the ids of all claims
    assert "x" * 201 not in err
    assert time.process_time() - started < 10
