"""`bncli train`."""

import csv
import io
import re
import subprocess
import sys

import pytest
from commands import TINY, open_terminal
from fakes import learned


def test_train_prints_a_row_per_run(bncli, engine):
    status, out, _ = bncli("train", *TINY, "--arm", "batch:after", "--seeds", "2", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert status == 0
    assert [(row["arm"], row["seed"], row["state"]) for row in rows] == [
        ("batch:after", "0", "complete"),
        ("batch:after", "1", "complete"),
    ]


@pytest.mark.slow
def test_a_residual_network_trains_in_a_process_of_its_own(folder):
    spec = "conv8:same { conv8:same conv8:same } gap"
    command = [sys.executable, "-m", "bncli", "train", "--model", spec, "--dataset", "digits", "--epochs", "1"]
    done = subprocess.run([*command, "--format", "csv"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (row,) = csv.DictReader(io.StringIO(done.stdout))
    assert (row["arm"], row["state"]) == ("none", "complete")
    assert 0 < float(row["val_accuracy"]) < 1


@pytest.mark.parametrize(
    ("metric", "heading"),
    [
        ("val_accuracy", "arm   seed  state             val_accuracy  train_accuracy  accuracy  seconds"),
        ("val_loss", "arm   seed  state     val_accuracy  train_accuracy           val_loss  seconds"),
        ("loss", "arm   seed  state     val_accuracy  train_accuracy               loss  seconds"),
        ("accuracy", "arm   seed  val_accuracy  train_accuracy              accuracy  seconds"),
    ],
)
def test_a_narrow_terminal_shows_the_metric_that_was_asked_for(bncli, engine, monkeypatch, metric, heading):
    terminal = open_terminal(monkeypatch)
    bncli("train", *TINY, "--seeds", "2", "--metric", metric, "-q")
    lines = re.sub(r"\x1b\[[0-9;]*m", "", terminal.getvalue()).splitlines()
    assert [line.strip() for line in lines if line.split()[:1] == ["arm"]] == [heading]


def test_train_takes_a_single_seed_and_the_norm_of_its_fields(bncli, engine):
    settings = ("--set", "seed=7", "--set", "norm=layer", "--set", "placement=after")
    assert bncli("train", *TINY, *settings)[0] == 0
    assert [(config.seed, config.norm, config.placement) for config in engine] == [(7, "layer", "after")]


def test_train_starts_from_the_base_of_a_preset(bncli, engine):
    assert bncli("train", "--preset", "circles-placement", "--epochs", "1")[0] == 0
    assert (engine[0].optimizer, engine[0].lr, engine[0].epochs, engine[0].norm) == ("sgd", 0.01, 1, "none")


@pytest.mark.parametrize(
    ("more", "left_out"),
    [
        ((), "arms none, batch:before; axis activation; axis lr"),
        (("--lr", "0.1"), "arms none, batch:before; axis activation"),
        (("--arm", "batch"), "axis activation; axis lr"),
        (("--arm", "batch", "--lr", "0.1", "--activation", "relu"), None),
    ],
)
def test_train_says_which_arms_and_axes_of_a_preset_it_leaves_out(bncli, engine, more, left_out):
    status, _, err = bncli("train", "--preset", "lr-activation", "--quiet", *more)
    notice = (
        f"train takes only the fields under [run] of lr-activation, not its {left_out}. "
        "Try bncli sweep --preset lr-activation to train all of it."
    )
    assert status == 0
    assert err.count("train takes only") == (left_out is not None)
    assert (notice in err) == (left_out is not None)


def test_train_without_out_writes_nothing(bncli, engine, folder):
    bncli("train", *TINY)
    assert list(folder.iterdir()) == []


def test_the_model_of_a_finished_run_cannot_be_saved(bncli, engine, folder):
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


def test_a_model_that_cannot_be_written_is_an_error_after_the_results(bncli, monkeypatch, folder):
    class Model:
        def _flatten_layers(self):
            return []

        def save(self, path):
            raise OSError(28, "No space left on device")

    def train(configs, engine, on_epoch, on_model, probe):
        on_model(configs[0], Model())
        yield [learned(configs[0])]

    bncli.trainer = train
    status, out, err = bncli("train", *TINY, "--save-model", "m.keras", "-q", "--format", "csv")
    assert (status, err) == (2, "Error: Can't write 'm.keras': No space left on device.\n")
    assert out.count("complete") == 1
    assert not any("m.keras" in path.name for path in folder.iterdir())


def test_summary_prints_keras_layer_table(bncli):
    status, out, _ = bncli("train", "--summary", *TINY, "--arm", "batch:before")
    assert status == 0
    assert "BatchNormalization" in out
    assert "Total params: 29" in out
