"""Padded sequences from a file to a comparison, as a process and with networks of the user's."""

import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from datafiles import sequences, write_npz

from bncli.data.sequences import is_step
from bncli.networks.forms import why_not_stacked

NETS = """
import keras
from keras import layers

def masking(input_shape, n_outputs, padding):
    steps = [layers.Masking(0.0 if padding is None else padding), layers.GRU(4, return_sequences=True)]
    more = [layers.BatchNormalization(), layers.Dense(3, activation="relu"), layers.LSTM(4)]
    return keras.Sequential([keras.Input(input_shape), *steps, *more, layers.Dense(n_outputs)])

def bare(input_shape, n_outputs):
    layers_ = [layers.GRU(4, return_sequences=True), layers.BatchNormalization(), layers.GRU(4)]
    return keras.Sequential([keras.Input(input_shape), *layers_, layers.Dense(n_outputs)])
"""

TINY = ("-d", "mine.npz", "-e", "2", "-b", "20", "-s", "2")


@pytest.fixture(autouse=True)
def files(bncli, no_figures):
    Path("nets.py").write_text(NETS)
    write_npz(Path(), **sequences())


def process(*arguments):
    done = subprocess.run([sys.executable, "-m", "bncli", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.slow
def test_a_file_is_described_exported_with_its_masks_and_compared():
    done = process("dataset", "mine.npz", "--export", "rows.npz")
    assert "'mine.npz': sequences of 2 to 4 steps of 2 features" in done.stderr
    with np.load("rows.npz") as rows:
        np.testing.assert_array_equal(rows["mask_train"], is_step(rows["x_train"], 0.0))
    done = process("compare", *TINY, "-m", "gru4", "--arms", "none,batch", "--format", "json")
    rows = json.loads(done.stdout)["conditions"]
    assert [row["arm"] for row in rows] == ["none", "batch"]
    assert "DT_BOOL" not in done.stderr  # a line of TensorFlow's that means nothing to the user


def test_a_csv_export_is_refused(bncli):
    status, _, err = bncli("dataset", "mine.npz", "--export", "rows.csv")
    assert status == 2
    assert "Error: CSV has no place for sequences. Try --export-as npz.\n" in err


def test_a_network_that_does_not_mask_is_told(bncli):
    note = "takes padded steps for data: nothing in it masks them."
    told = {
        "nets.py:bare": f"Note: Model nets.py:bare {note} Put keras.layers.Masking(0) behind its input.",
        "dense4": f"Note: Model dense4 {note} Begin with lstm or gru.",
    }
    for model, text in told.items():
        assert text in bncli("compare", *TINY, "-m", model, "--arms", "none,batch", "-n")[2].splitlines() or (
            text in bncli("compare", *TINY, "-m", model, "--arms", "as-is,none", "-n")[2].splitlines()
        )
    for model in ("nets.py:masking", "gru4"):
        assert note not in bncli("train", *TINY[:-2], "-m", model, "-n")[2]


def test_group_normalization_would_take_statistics_over_padding_in_a_network_of_ones_own_too(bncli):
    status, _, err = bncli("compare", *TINY, "-m", "nets.py:masking", "--arms", "as-is,group", "-n")
    assert status == 2
    assert err.splitlines()[-1] == (
        "Error: masking() in nets.py can't be built: layer 'batch_normalization': norm 'group' takes its statistics "
        "over padded steps, too: use batch or layer."
    )


@pytest.mark.slow
def test_a_network_of_ones_own_stacks_gets_a_script_and_is_saved_for_raw_rows(bncli):
    files = ("--save-model", "m.keras", "--script", "run.py")
    train = ("train", "-d", "mine.npz", "-m", "nets.py:masking", "-e", "2", "--arm", "as-is", "--format", "jsonl")
    status, out, err = bncli(*train, *files)
    assert status == 0, err
    assert "\nWrote run.py, which reads rows.npz. To write that: bncli dataset mine.npz " in err
    record = json.loads(out)
    assert record["engine"] == "stacked"
    expected = pytest.approx(record["metrics"]["val_loss"], rel=1e-4)
    model = keras.models.load_model("m.keras")
    assert why_not_stacked(model) == ""
    bncli("dataset", "mine.npz", "--export", "raw.npz", "--set", "scaling=none")
    with np.load("raw.npz") as rows:
        loss, _ = model.evaluate(rows["x_test"], rows["y_test"], verbose=0)
    assert loss == expected
    bncli("dataset", "mine.npz", "--export", "rows.npz")
    done = subprocess.run([sys.executable, "run.py"], capture_output=True, text=True, check=True)
    ours = next(line for line in done.stdout.splitlines() if line.startswith("val_loss")).split()[1]
    assert float(ours.rstrip(",")) == expected


@pytest.mark.slow
def test_probes_of_a_padded_study_are_recorded(bncli):
    arguments = ("-m", "lstm4 gru4", "--arms", "none,batch", "--probe", "full", "--format", "json")
    status, out, err = bncli("compare", *TINY, *arguments)
    assert status == 0, err
    assert {row["n_failed"] for row in json.loads(out)["conditions"]} == {0}
