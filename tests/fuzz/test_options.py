"""Command lines made of the options that the commands really have, in any order, with any words."""

import typer
from hypothesis import assume
from hypothesis import strategies as st

from bncli.cli.app import app
from fuzz import strategies
from fuzz.budget import fuzz
from fuzz.oracle import Call
from fuzz.strategies import few, is_quick, mostly, odd, one_in, valid_value
from fuzz.world import FOLDER

COMMANDS = typer.main.get_command(app).commands

STARTS = {
    "dataset": ["circles", "table.csv --label label", "", "iris"],
    "train": [
        "-n -d circles",
        "-n -p mine.toml",
        "-d circles -e 2 --set n_samples=64",
        "-n -d table.csv --label label",
    ],
    "compare": ["-n -d circles", "-n -p mine.toml --set lr=0.1", "-d circles -e 2 --set n_samples=64 --seeds 2 -o out"],
    "sweep": [
        "-n -p mine.toml",
        "-n lr=0.1,0.2 -d circles",
        "lr=0.1,0.2 -d circles -e 2 --set n_samples=64 -s 2 -o out",
    ],
    "report": [FOLDER, "studies/one"],
    "status": [FOLDER, "studies/one"],
    "verify": ["--list", "mine.toml --list", "mine.toml --claim better", "--list --all"],
    "list": ["presets", "models", "arms", "metrics", "studies", "studies ."],
}
"""Words that are sound, to which others are added."""

NEVER = {"--help", "--summary", "--scheduler", "--jobs"}
"""A help screen shows nothing that was given. The others import TensorFlow, use a network or start processes."""

PLAN_ONLY = ["--jobs", "--scheduler"]
"""Options that a dry run may have."""

VALUES = {
    "--preset": st.sampled_from(["mine.toml", "circles-lr", "lr-activation", "digits-depth"]),
    "--arms": strategies.arms,
    "--arm": strategies.arms,
    "--seeds": strategies.seeds,
    "--set": strategies.settings_of(),
    "--format": st.sampled_from(["table", "json", "jsonl", "csv", "md"]),
    "--metric": st.sampled_from(["val_accuracy", "val_loss", "accuracy", "train_accuracy", "loss"]),
    "--threshold": st.sampled_from(["0.5", "0", "1", "2"]),
    "--engine": st.sampled_from(["auto", "stacked", "keras"]),
    "--shard": st.sampled_from(["1/2", "2/2", "3/2", "0/1", "1/10000", "1/10001"]),
    "--jobs": st.sampled_from(["1", "2", "auto", "1024", "1025"]),
    "--scheduler": st.sampled_from(["tcp://127.0.0.1:1", "nowhere", "tcp://"]),
    "--claim": st.sampled_from(["better", "checked", "digits-relu-superior"]),
    "--level": st.sampled_from(["problem", "note"]),
    "--input-shape": st.sampled_from(["2", "8,8,1", "16,2"]),
    "--classes": st.sampled_from(["2", "10"]),
    "--export-as": st.sampled_from(["csv", "npz"]),
    "--out": st.just("out"),
    "--plot": st.sampled_from(["x.png", "x.svg", "x.bmp"]),
    "--export": st.sampled_from(["x.csv", "x.npz", "-", "x"]),
    "--save-model": st.sampled_from(["x.keras", "x.h5"]),
}

PLACES = ("--out", "--plot", "--export", "--save-model")
"""Options that name what is written: odd paths have tests of their own."""

FIELDS = {"--dataset": "dataset", "--label": "label", "--model": "model", "--activation": "activation"}
FIELDS |= {"--optimizer": "optimizer", "--lr": "lr", "--epochs": "epochs", "--batch-size": "batch_size"}


def value_of(name):
    if name in PLACES:
        return VALUES[name]
    if name in FIELDS:
        return mostly(valid_value(FIELDS[name])).filter(lambda text: is_quick(FIELDS[name], text))
    return mostly(VALUES.get(name, st.just("1")))


@st.composite
def added(draw, command, *, is_plan):
    """An option of a command with its value, spelled in one of the ways that there are; or a word of no meaning."""
    if draw(one_in(10, st.just(True), st.just(False))):
        return [draw(odd.filter(lambda word: not word.startswith("/")))]
    banned = NEVER - set(PLAN_ONLY if is_plan else ())
    known = [p for p in COMMANDS[command].params if p.opts[0].startswith("-") and not set(p.opts) & banned]
    option = draw(st.sampled_from(known))
    spelled, name = draw(st.sampled_from(option.opts)), max(option.opts, key=len)
    if getattr(option, "is_flag", False):
        return [spelled]
    value = draw(value_of(name))
    joined = f"{spelled}={value}" if spelled.startswith("--") else f"{spelled}{value}"
    return draw(one_in(9, st.just([joined]), st.just([spelled, value])))


@st.composite
def lines(draw):
    """A command line."""
    command = draw(st.sampled_from(list(STARTS)))
    start = draw(st.sampled_from(STARTS[command])).split()
    more = [word for words in draw(few(added(command, is_plan="-n" in start))) for word in words]
    words = [*more, *start] if draw(st.booleans()) else [*start, *more]
    words += draw(one_in(20, st.sampled_from([["--out"], ["-s"], ["--set"], ["-"], ["--"]]), st.just([])))
    assume(command != "verify" or "--list" in words or "mine.toml" in words)
    return (command, *words)


@fuzz("command lines", lines(), part=0.85)
def test_command_lines(world, no_figures, words):
    assume(not {"--install-completion", "--show-completion"} & set(words))
    assume(sum(word.startswith("mine") for word in words) <= 1 or words[0] != "verify")
    is_dry = words[0] in ("status", "list") or bool({"-n", "--dry-run", "--list", "-l"} & set(words))
    places = () if is_dry else ("out", "studies", "x.png", "x.svg", "x.csv", "x.npz", "x", "x.keras")
    is_binary = "npz" in words or "--export-as=npz" in words
    with world.visit():
        world.run("command lines", Call(words, writes=places, is_binary=is_binary, drops="--restart" in words))


@fuzz("command lines", st.lists(odd, min_size=1, max_size=3).filter(lambda words: words[0] not in COMMANDS), part=0.15)
def test_words_of_no_meaning(world, words):
    with world.visit():
        world.run("command lines", Call(tuple(words)))


@fuzz(
    "arms, axes, specs", strategies.arms, st.sampled_from(["compare -n -d circles", "sweep -n -p mine.toml"]), part=0.3
)
def test_arms(world, arms, start):
    with world.visit():
        world.run("arms, axes, specs", Call((*start.split(), "--arms", arms)))


@fuzz("arms, axes, specs", few(strategies.axes), st.sampled_from(["table", "json", "csv", "md"]), part=0.3)
def test_axes(world, axes, format):
    with world.visit():
        world.run("arms, axes, specs", Call(("sweep", "-n", "-d", "circles", *axes, "-f", format)))


@fuzz(
    "arms, axes, specs",
    strategies.specs,
    st.sampled_from(["circles", "digits", "table.csv"]),
    strategies.arms,
    part=0.25,
)
def test_specs(world, spec, name, arms):
    with world.visit():
        label = ("--label", "label") if name == "table.csv" else ()
        world.run("arms, axes, specs", Call(("compare", "-n", "-d", name, *label, "-m", spec, "--arms", arms)))


@fuzz("arms, axes, specs", few(strategies.axes), strategies.arms, strategies.seeds, part=0.15)
def test_trained_sweeps(world, no_figures, axes, arms, seeds):
    words = ("sweep", *axes, "-d", "circles", "--set", "n_samples=64", "-m", "dense4", "-e", "2", "--arms", arms)
    assume(not any(len(text) > 60 or "lin:" in text or "99" in text for text in (*axes, seeds)))
    with world.visit():
        world.run("arms, axes, specs", Call((*words, "-s", seeds, "-o", "out"), writes=("out",)))
