"""`bncli compare` and `bncli sweep`: the studies that they make of their options, and what they print."""

import csv
import io
import json

import pytest
from commands import TINY


def test_sweep_without_arguments_is_the_preset_lr_activation(bncli):
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


def test_compare_prints_a_row_per_arm_and_messages_on_stderr(bncli, engine):
    status, out, err = bncli("compare", *TINY, "--seeds", "2", "--out", "s")
    assert status == 0
    assert out.splitlines()[0].strip() == "compare"
    assert out.splitlines()[2].split() == [
        *("arm", "val_accuracy", "learned", "difference", "verdict", "hit", "epoch", "curve", "n")
    ]
    assert [line.split()[0] for line in out.splitlines() if "[0." in line] == [
        "none",
        "batch:before",
        "batch:after",
    ]
    assert "0.506 [" in out
    assert "6 runs: 3 conditions x 2 seeds" in err
    figures = ", ".join(f"figures/{name}.png" for name in ("curves", "train_val", "differences", "reached"))
    assert f"Wrote summary.csv, history.csv, differences.csv, {figures} in s\nReport: s/report.html\n" in err


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


def test_a_changed_preset_gets_a_folder_of_its_own(bncli, engine, folder):
    small = ("--preset", "circles-placement", "--seeds", "1", "-q")
    bncli("compare", *small)
    bncli("compare", *small, "--epochs", "2")
    names = sorted(path.name for path in (folder / "studies").iterdir())
    assert names[0] == "circles-placement"
    assert len(names) == 2
    assert names[1].startswith("circles-placement-")
