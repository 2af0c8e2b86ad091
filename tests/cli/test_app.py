"""The command line in process: what each command hands on, prints and exits with."""

import csv
import io
import json
import sys

import pytest

from bncli.cli.app import main
from bncli.config import FIELDS
from bncli.results import RunResult

TINY = ("--dataset", "circles", "--model", "dense4", "--epochs", "1", "--set", "n_samples=64")


@pytest.fixture
def bncli(monkeypatch, capsys, folder):
    """Call the command line in an empty folder: returns exit status, stdout, stderr."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["bncli", *arguments])
        with pytest.raises(SystemExit) as ended:
            main(call.trainer)
        out = capsys.readouterr()
        return ended.value.code or 0, out.out, out.err

    call.trainer = None  # the engines
    return call


@pytest.fixture
def engine(bncli):
    """An engine that answers at once: validation accuracy 0.5 + lr + 0.01 x seed."""
    trained = []

    def answer(configs, engine, on_epoch, on_model):
        for config in configs:
            trained.append(config)
            value = 0.5 + config.lr + 0.01 * config.seed
            history = {"loss": [1.0], "accuracy": [value], "val_loss": [1.0], "val_accuracy": [value]}
            if on_epoch:
                on_epoch([config], 1)
            metrics = {name: values[-1] for name, values in history.items()} | {"train_accuracy": value}
            params = {"total": 10, "trainable": 8}
            yield [RunResult(config, "complete", params=params, metrics=metrics, history=history, seconds=0.5)]

    bncli.trainer = answer
    return trained


def error(result):
    status, out, err = result
    assert status == 2
    assert out == ""
    assert "Traceback" not in err
    return err.removeprefix("Error: ").strip()


def test_bare_sweep_is_the_flagship(bncli):
    status, out, _ = bncli("sweep", "--dry-run", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert status == 0
    assert len(rows) == 80
    assert {(row["param_activation"], row["param_lr"], row["arm"]) for row in rows} == {
        (a, lr, arm) for a in ("sigmoid", "relu") for lr in ("0.005", "0.05") for arm in ("none", "batch:before")
    }


def test_options_become_the_fields_of_every_run(bncli, engine):
    options = ("-a", "tanh", "--optimizer", "sgd", "--lr", "0.25", "-b", "16", "--set", "momentum=0.5", "--seeds", "2")
    assert bncli("compare", *TINY, *options, "--arms", "none,batch:after+norm_momentum=0")[0] == 0
    assert [(c.norm, c.placement, c.norm_momentum, c.seed) for c in engine] == [
        ("none", "before", 0.99, 0),
        ("none", "before", 0.99, 1),
        ("batch", "after", 0.0, 0),
        ("batch", "after", 0.0, 1),
    ]
    first = engine[0]
    assert (first.dataset, first.model, first.epochs, first.n_samples) == ("circles", "dense4", 1, 64)
    assert (first.activation, first.optimizer, first.lr, first.batch_size, first.momentum) == (
        "tanh",
        "sgd",
        0.25,
        16,
        0.5,
    )


def test_compare_prints_one_row_an_arm_and_tells_the_rest_on_stderr(bncli, engine):
    status, out, err = bncli("compare", *TINY, "--seeds", "2", "--out", "s")
    assert status == 0
    assert out.splitlines()[0].strip() == "compare"
    assert out.splitlines()[2].split() == ["arm", "val_accuracy", "difference", "hit", "epoch", "curve", "n"]
    assert [line.split()[0] for line in out.splitlines() if "[0." in line] == [
        "none",
        "batch:before",
        "batch:after",
    ]
    assert "0.506 [" in out
    assert "6 runs: 3 conditions x 2 seeds" in err
    figures = ", ".join(f"figures/{name}.png" for name in ("curves", "train_val", "differences", "reached"))
    assert f"Wrote summary.csv, history.csv, differences.csv, {figures} in s\nReport: s/report.html\n" in err


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            ("--metric", "accuracies"),
            "Unknown metric 'accuracies'. Allowed: val_accuracy, train_accuracy, accuracy, val_loss, loss. "
            "Did you mean 'accuracy'?",
        ),
        (
            ("--threshold", "90"),
            "--threshold must be a number from 0 to 1 for the metric val_accuracy. Received: 90.",
        ),
    ],
)
@pytest.mark.parametrize("command", [("compare", *TINY), ("report", "nowhere")])
def test_what_arms_are_compared_by_is_checked_first(bncli, command, options, expected):
    status, out, err = bncli(*command, *options)
    assert (status, out, err) == (2, "", f"Error: {expected}\n")


def test_report_compares_by_another_metric(bncli, engine):
    bncli("compare", *TINY, "--seeds", "2", "--out", "s", "-q")
    status, out, err = bncli("report", "s", "--metric", "val_loss", "--threshold", "1.5")
    assert status == 0
    assert out.splitlines()[2].split()[:2] == ["arm", "val_loss"]
    assert "hit epoch: first epoch (median) at which val_loss reaches 1.5" in out
    assert err.endswith("Report: s/report.html\n")


def test_sweep_formats_agree(bncli, engine):
    sweep = ("sweep", "lr=0.1,0.2", *TINY, "--arms", "none,batch", "--seeds", "2", "-q", "-o", "s", "--format")
    rows = list(csv.DictReader(io.StringIO(bncli(*sweep, "csv")[1])))
    content = json.loads(bncli(*sweep, "json")[1])
    lines = [json.loads(line) for line in bncli(*sweep, "jsonl")[1].splitlines()]
    markdown = bncli(*sweep, "md")[1]
    assert [float(row["mean_val_accuracy"]) for row in rows] == pytest.approx([0.605, 0.605, 0.705, 0.705])
    assert [entry["mean_val_accuracy"] for entry in content["conditions"]] == [
        float(r["mean_val_accuracy"]) for r in rows
    ]
    assert (content["n_planned"], content["n_recorded"], content["baseline"]) == (8, 8, "none")
    assert [(line["arm"], line["param_lr"], line["config"]["seed"]) for line in lines[:3]] == [
        ("none", 0.1, 0),
        ("none", 0.1, 1),
        ("batch", 0.1, 0),
    ]
    assert markdown.count("\n|") == 6
    assert len(engine) == 8


def test_report_says_the_same_as_the_sweep_did(bncli, engine):
    sweep = bncli("sweep", "lr=0.1,0.2", *TINY, "-o", "s", "-q")[1]
    assert bncli("report", "s", "-q") == (0, sweep, "")


def test_train_is_one_configuration(bncli, engine):
    status, out, _ = bncli("train", *TINY, "--arm", "batch:after", "--seeds", "2", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert status == 0
    assert [(row["arm"], row["seed"], row["state"]) for row in rows] == [
        ("batch:after", "0", "complete"),
        ("batch:after", "1", "complete"),
    ]


def test_train_takes_a_single_seed_and_the_norm_of_its_fields(bncli, engine):
    settings = ("--set", "seed=7", "--set", "norm=layer", "--set", "placement=after")
    assert bncli("train", *TINY, *settings)[0] == 0
    assert [(config.seed, config.norm, config.placement) for config in engine] == [(7, "layer", "after")]


def test_train_starts_from_the_base_of_a_preset(bncli, engine):
    assert bncli("train", "--preset", "circles-placement", "--epochs", "1")[0] == 0
    assert (engine[0].optimizer, engine[0].lr, engine[0].epochs, engine[0].norm) == ("sgd", 0.01, 1, "none")


def test_report_on_the_folder_of_train_has_a_row_a_run_too(bncli, engine):
    train = bncli("train", *TINY, "--seeds", "2", "-o", "s", "-q", "--format", "csv")[1]
    assert bncli("report", "s", "-q", "--format", "csv") == (0, train, "")
    assert bncli("report", "s", "-q")[1] == bncli("train", *TINY, "--seeds", "2", "-o", "s", "-q")[1]


def test_a_study_that_is_called_train_is_a_study(bncli, engine, folder):
    (folder / "train.toml").write_text('arms = ["none", "batch"]\n[run]\ndataset = "circles"\nmodel = "dense4"\n')
    rows = list(csv.DictReader(io.StringIO(bncli("sweep", "-p", "train.toml", "-q", "-f", "csv", "-o", "s")[1])))
    assert [(row["arm"], row["n"]) for row in rows] == [("none", "3"), ("batch", "3")]
    assert list(csv.DictReader(io.StringIO(bncli("report", "s", "-q", "-f", "csv")[1]))) == rows


def test_a_model_of_a_run_that_is_done_can_not_be_saved(bncli, engine, folder):
    command = ("train", *TINY, "--seeds", "1", "-q", "-o", "s")
    assert bncli(*command)[0] == 0
    assert bncli(*command, "--save-model", "m.keras") == (
        2,
        "",
        "Error: --save-model needs a run that is trained now, but this one is done already in 's'. "
        "Try without --out.\n",
    )
    assert not (folder / "m.keras").exists()
    assert len(engine) == 1


def test_a_model_that_can_not_be_written_is_an_error_not_a_failed_run(bncli, monkeypatch, folder):
    class Model:
        def save(self, path):
            raise OSError(28, "No space left on device")

    def train(configs, engine, on_epoch, on_model):
        on_model(configs[0], Model())
        yield []

    bncli.trainer = train
    assert error(bncli("train", *TINY, "--save-model", "m.keras", "-q")) == (
        "Can't write 'm.keras': No space left on device."
    )
    assert list(folder.iterdir()) == []


def test_restart_in_a_folder_without_a_study_deletes_nothing(bncli, engine, folder):
    (folder / "summary.csv").write_text("mine")
    (folder / "code.py").write_text("mine")
    assert error(bncli("sweep", "lr=0.1", *TINY, "--restart", "-o", ".")) == (
        "--restart deletes nothing in '.', which holds summary.csv but no study (no study.json). "
        "Try --out with a new or empty folder."
    )
    (folder / "summary.csv").unlink()
    assert error(bncli("sweep", "lr=0.1", *TINY, "--restart", "-o", ".")) == (
        "The output folder '.' holds other files (code.py) and no study. Try --out with a new or empty folder."
    )
    assert [path.name for path in folder.iterdir()] == ["code.py"]
    assert engine == []


def test_restart_with_a_wrong_scheduler_deletes_nothing(bncli, engine, folder, monkeypatch):
    monkeypatch.setattr("bncli.study.cluster.CONNECT_SECONDS", 1)
    command = ("sweep", "lr=0.1", *TINY, "-q", "-o", "s")
    assert bncli(*command)[0] == 0
    before = {path.name: path.read_bytes() for path in (folder / "s").iterdir() if path.is_file()}
    message = error(bncli(*command, "--restart", "--scheduler", "tcp://127.0.0.1:9"))
    assert message.startswith("No Dask scheduler at 'tcp://127.0.0.1:9' (")
    assert {path.name: path.read_bytes() for path in (folder / "s").iterdir() if path.is_file()} == before


def test_train_without_out_writes_nothing(bncli, engine, folder):
    bncli("train", *TINY)
    assert list(folder.iterdir()) == []


def test_a_preset_as_shipped_goes_to_its_own_folder_and_a_changed_one_elsewhere(bncli, engine, folder):
    small = ("--preset", "circles-placement", "--seeds", "1", "-q")
    bncli("compare", *small)
    bncli("compare", *small, "--epochs", "2")
    names = sorted(path.name for path in (folder / "studies").iterdir())
    assert names[0] == "circles-placement"
    assert len(names) == 2
    assert names[1].startswith("circles-placement-")


def test_the_same_command_continues(bncli, engine):
    bncli("sweep", "lr=0.1", *TINY, "--seeds", "1")
    err = bncli("sweep", "lr=0.1,0.2", *TINY, "--seeds", "2")[2]
    assert "12 runs: 6 conditions x 2 seeds; 3 are done already" in err
    assert len(engine) == 12


def test_failed_runs_are_told_and_exit_with_1(bncli, monkeypatch):
    def fail(configs, engine, on_epoch, on_model):
        return ([RunResult(config, "failed", error="ValueError: no\ntraceback")] for config in configs)

    bncli.trainer = fail
    status, out, err = bncli("compare", *TINY, "--seeds", "1", "-o", "s")
    assert status == 1
    assert "failed" in out
    assert "Note: none seed=0 failed: ValueError: no" in err
    assert "Error: 3 of 3 runs failed, the first with ValueError: no" in err


def test_an_interrupt_says_how_to_continue_and_exits_with_130(bncli, monkeypatch):
    def interrupt(configs, engine, on_epoch, on_model):
        yield [RunResult(configs[0], "complete", metrics={}, history={})]
        raise KeyboardInterrupt

    bncli.trainer = interrupt
    status, _, err = bncli("compare", *TINY, "--seeds", "1", "-o", "s")
    assert status == 130
    assert "Interrupted. 1 of 3 runs are saved in s; the same command continues.\n" in err


ALLOWED = ", ".join(FIELDS)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["train", "--lr", "fast"], "lr must be a number above 0 and up to 1000000. Received: 'fast'."),
        (["train", "--set", "lr"], "--set takes FIELD=VALUE. Received: 'lr'."),
        (["train", "--set", "lrr=1"], f"Unknown field 'lrr'. Allowed: {ALLOWED}. Did you mean 'lr'?"),
        (["train", "--lr", "1", "--set", "lr=2"], "lr is given twice. Give it once."),
        (["train", "--format", "xml"], "Unknown format 'xml'. Allowed: table, json, jsonl, csv, md."),
        (
            ["train", "--save-model", "m.keras", "--seeds", "2"],
            "--save-model writes one model, but 2 seeds are asked for. Try --seeds 1.",
        ),
        (["train", "--save-model", "m.h5"], "--save-model needs a name that ends in .keras. Received: 'm.h5'."),
        (["train", "--save-model", "no/m.keras"], "--save-model: there is no folder 'no'."),
        (["compare", "--set", "seed=3"], "Studies pair their runs by seed. Try --seeds N for the seeds 0 to N-1."),
        (
            ["compare", "--preset", "lr-activation"],
            "compare holds everything but the arms fixed, and study 'lr-activation' varies activation. "
            "Try bncli sweep --preset lr-activation, or fix it: --set activation=VALUE.",
        ),
        (["sweep", "lr=1", "lr=2"], "An axis is given twice. Received: lr=1 lr=2."),
        (["sweep", "lr=1,2", "--lr", "3"], "lr is given both as an axis and as a single value. Give it once."),
        (["dataset", "circle"], None),
        (
            ["dataset", "--plot", "x.png"],
            "--plot, --export, --label and --set need the name of a data set. "
            "Try bncli dataset digits --plot digits.png.",
        ),
        (
            ["dataset", "circles", "--set", "lr=1"],
            "Unknown field of a data set 'lr'. Allowed: dataset, label, n_samples, noise, data_seed, train_rows, "
            "val_rows, scaling.",
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


@pytest.mark.parametrize("arguments", [["--nonsense"], ["swep"], ["train", "--seeds", "0"], ["report"]])
def test_usage_errors_exit_with_2(bncli, arguments):
    status, out, err = bncli(*arguments)
    assert (status, out) == (2, "")
    assert "Usage: bncli" in err


def test_an_output_folder_with_another_study_is_refused(bncli, engine):
    bncli("compare", *TINY, "-o", "s")
    message = error(bncli("compare", *TINY, "-o", "s", "--lr", "0.5"))
    assert message == (
        "The output folder 's' holds another study: it differs in lr (0.001 there, 0.5 here). "
        "Try another --out, or make the field an axis."
    )


def test_summary_prints_keras_layer_table(bncli):
    status, out, _ = bncli("train", "--summary", *TINY, "--arm", "batch:before")
    assert status == 0
    assert "BatchNormalization" in out
    assert "Total params: 29" in out


def test_dataset_lists_and_describes(bncli):
    names = [row["name"] for row in json.loads(bncli("dataset", "--format", "json")[1])]
    facts = json.loads(bncli("dataset", "circles", "--format", "json")[1])
    assert "digits" in names
    assert (facts["training_rows"], facts["n_classes"], facts["input_shape"]) == (500, 2, "2")
    assert "0.504" in bncli("dataset", "circles")[1]


def test_dataset_notes_what_has_no_effect(bncli):
    status, _, err = bncli("dataset", "digits", "--set", "noise=0.5")
    assert (status, err) == (0, "Note: noise=0.5 has no effect on digits and is ignored.\n")
