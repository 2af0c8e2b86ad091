"""Mistakes on the command line: one message, exit status 2, and nothing is trained."""

import pytest
from commands import TINY, error

from bncli.config import FIELDS

ALLOWED = ", ".join(FIELDS)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["train", "--lr", "fast"], "lr must be a number above 0 and up to 1000000. Received: 'fast'."),
        (["train", "--set", "lr"], "--set takes FIELD=VALUE. Received: 'lr'."),
        (["train", "--set", "lrr=1"], f"Unknown field 'lrr'. Allowed: {ALLOWED}. Did you mean 'lr'?"),
        (["train", "--lr", "1", "--set", "lr=2"], "lr is given twice. Give it once."),
        (["train", "--format", "xml"], "Unknown format 'xml'. Allowed: table, json, jsonl, csv, md, latex."),
        (
            ["train", "--save-model", "m.keras", "--seeds", "2"],
            "--save-model writes one model, but 2 seeds are asked for. Try --seeds 1.",
        ),
        (["train", "--save-model", "m.h5"], "--save-model needs a name that ends in .keras. Received: 'm.h5'."),
        (["train", "--save-model", "no/m.keras"], "--save-model: there is no folder 'no'."),
        (["compare", "--set", "seed=3"], "Studies pair their runs by seed. Try --seeds N for the seeds 0 to N-1."),
        (
            ["compare", "--preset", "lr-activation"],
            "compare varies the arms only, but study 'lr-activation' also varies activation. "
            "Try bncli sweep --preset lr-activation, or fix it: --set activation=VALUE.",
        ),
        (["sweep", "lr=1", "lr=2"], "An axis is given twice. Received: lr=1 lr=2."),
        (["sweep", "lr=1,2", "--lr", "3"], "lr is given both as an axis and as a single value. Give it once."),
        (["dataset", "circle"], None),
        (
            ["dataset", "--plot", "x.png"],
            "--plot, --export, --set and the options of tables and splits need the name of a data set. "
            "Try bncli dataset digits --plot digits.png.",
        ),
        (
            ["dataset", "circles", "--set", "lr=1"],
            "Unknown field of a data set 'lr'. Allowed: dataset, label, task, drop, encode, impute, padding, "
            "n_samples, noise, class_balance, data_seed, train_rows, val_rows, scaling, target_scaling, test_size, "
            "vary_data.",
        ),
        (["dataset", "circles", "--plot", "x.gif"], "Unknown ending of a plot '.gif'. Allowed: .png, .svg, .pdf."),
        (
            ["dataset", "circles", "--export", "x.txt"],
            "--export writes .csv or .npz. Received: 'x.txt'. Try --export-as csv or --export-as npz.",
        ),
        (
            ["report", "nowhere"],
            "'nowhere' holds no study (no study.json). Give the --out folder of a compare or sweep.",
        ),
    ],
)
def test_mistakes_end_in_one_message_before_any_work(bncli, arguments, expected):
    message = error(bncli(*arguments))
    assert message == (expected or message)
    assert message.startswith("Unknown dataset 'circle'.") or expected


@pytest.mark.parametrize("arguments", [["--nonsense"], ["swep"], ["train", "--threshold", "x"], ["report"]])
def test_usage_errors_exit_with_2(bncli, arguments):
    status, out, err = bncli(*arguments)
    assert (status, out) == (2, "")
    assert "Usage: bncli" in err


def commands_of(help_text):
    """The command lines in the help of `bncli`, each up to the two spaces before what it is for."""
    return [line.strip().split("  ")[0] for line in help_text.splitlines() if line.startswith("    bncli ")]


@pytest.mark.parametrize("arguments", [(), ("--help",)])
def test_the_first_help_fits_80_columns_and_is_whole(bncli, monkeypatch, arguments):
    monkeypatch.setenv("COLUMNS", "80")
    _, out, err = bncli(*arguments)
    shown = out + err
    assert max(map(len, shown.splitlines())) <= 80
    assert "..." not in shown.partition("Commands:")[2]
    assert commands_of(shown)[:3] == ["bncli dataset moons", "bncli compare -d moons -b 8", "bncli sweep"]
    assert {f"bncli list {kind}" for kind in ("models", "arms", "metrics", "presets", "studies")} <= {
        *commands_of(shown)
    }


def test_every_command_in_the_first_help_works(bncli, folder):
    (folder / "studies").mkdir()
    for line in commands_of(bncli("--help")[1]):
        words = line.split()[1:]
        trains = words[0] in ("train", "compare", "sweep")
        assert bncli(*words, *(["--dry-run"] if trains else []))[0] == 0, line


@pytest.fixture
def broken(bncli):
    """An engine with a defect."""

    def train(configs, engine, on_epoch, on_model, probe):
        raise LookupError("no\x1b[2J\nsecond line")
        yield

    bncli.trainer = train


def test_an_error_that_nobody_expected_is_one_line(bncli, broken, monkeypatch):
    monkeypatch.delenv("BNCLI_TRACEBACK")
    status, out, err = bncli("train", *TINY, "--quiet")
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert err.startswith(r"Error: bncli did not expect this: LookupError: no\x1b[2J (test_app.py, line ")
    assert err.endswith("Please report it, with the traceback that BNCLI_TRACEBACK=1 shows.\n")


def test_a_variable_shows_its_traceback(bncli, broken):
    with pytest.raises(LookupError):
        bncli("train", *TINY)
