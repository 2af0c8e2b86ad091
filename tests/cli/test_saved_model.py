"""`--save-model`: what is said about the file."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from commands import TINY
from datafiles import write_images, write_table

from bncli.cli.saved_model import description, precision_note
from bncli.config import RunConfig

FILE = Path("m.keras")


def test_train_says_what_the_saved_model_takes_and_gives(bncli, folder):
    command = ("train", *TINY, "--save-model", "m.keras")
    said = "Wrote m.keras: takes raw rows of 2 features; outputs the probability of class 1 (the other class is 0)\n"
    status, _, err = bncli(*command)
    assert status == 0
    assert said in err
    names = json.loads(zipfile.ZipFile(folder / "m.keras").read("names.json"))
    assert names["training"] == {"n_steps": 1, "batch_size": 32, "decay": "all"}
    assert said not in bncli(*command, "--quiet")[2]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"dataset": "breast_cancer", "model": "dense4 softmax"},
            "takes raw rows of 30 features; outputs the probabilities of the classes benign, malignant",
        ),
        (
            {"dataset": "digits"},
            "takes raw images of shape 8x8x1; outputs the probabilities of the classes 0, 1, 2, 3, 4, 5, 6, 7, 8, 9",
        ),
    ],
)
def test_the_sentence_names_the_classes_in_the_order_of_the_outputs(fields, expected):
    assert description(FILE, RunConfig(**fields)) == f"Wrote m.keras: {expected}"


def test_names_are_shown_safely_and_only_the_first_ones(tmp_path):
    labels = [f"\x1b[2J{number:02}" for number in np.arange(100) % 25]
    path = write_table(tmp_path, labels)
    shown = ", ".join(rf"\x1b[2J{number:02}" for number in range(20))
    assert description(FILE, RunConfig(dataset=path, label="label")) == (
        f"Wrote m.keras: takes raw rows of 1 feature; outputs the probabilities of the classes {shown}, ... (5 more)"
    )


def test_a_feature_that_float32_cannot_tell_apart_gets_a_note(tmp_path):
    times = 1.7e9 + np.arange(40)
    path = write_table(tmp_path, [0, 1] * 20, time=times, size=np.arange(40))
    assert precision_note(FILE, RunConfig(dataset=path, label="label")) == (
        "m.keras gives rounded outputs: Keras passes raw rows on as float32, which can't tell apart the values of "
        "time. Subtract a constant from such a column in the file, and train again."
    )


@pytest.mark.parametrize("scaling", ["standard", "none"])
def test_other_data_gets_no_note(tmp_path, scaling):
    assert precision_note(FILE, RunConfig(dataset=write_images(tmp_path, (2, 2, 1)), scaling=scaling)) == ""
    assert precision_note(FILE, RunConfig(dataset="breast_cancer", scaling=scaling)) == ""
