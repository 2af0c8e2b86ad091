"""`bncli recalibrate`: what it prints, what it writes, and what it refuses."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
from commands import error

MOONS = ("--dataset", "moons", "--set", "scaling=none")
WROTE = "Wrote fixed.keras: equal to stale.keras but for its moving means and variances\n"
SCORES = """\
stale.keras: 1 batch normalization, statistics of 480 training rows

 rows   accuracy before  accuracy after  loss before  loss after
 ───────────────────────────────────────────────────────────────
 train            0.496           0.884        3.165       0.277
 val              0.504           0.862        3.074       0.286

with the statistics of the first rows only

 rows  val_accuracy  val_loss
 ────────────────────────────
   32         0.866     0.289
   96         0.866     0.288
  320         0.864     0.290
  480         0.862     0.286

32 rows were enough: from there on, validation accuracy is within one standard error (0.015) of that with all 480.
"""


def save(path, norm=None, bias=0.0, mean=(5.0, 5.0), variance=(1.0, 1.0)):
    """A classifier of the moons whose weights are right for rows that are normalized."""
    norm = norm or keras.layers.BatchNormalization(center=False, scale=False)
    model = keras.Sequential([keras.Input((2,)), norm, keras.layers.Dense(1, activation="sigmoid")])
    model.layers[-1].set_weights([np.array([[0.5], [-2.0]], "float32"), np.array([bias], "float32")])
    if isinstance(norm, keras.layers.BatchNormalization):
        norm.moving_mean.assign(mean)
        norm.moving_variance.assign(variance)
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    model.optimizer.build(model.trainable_variables)  # else Keras complains when it loads the file
    model.save(path)


@pytest.fixture
def stale(folder):
    save("stale.keras")


def lines(text):
    return [line.rstrip() for line in text.splitlines()]


def test_scores_before_and_after_and_how_many_rows_were_enough(bncli, stale):
    status, out, err = bncli("recalibrate", "stale.keras", *MOONS, "-o", "fixed.keras")
    assert status == 0
    assert lines(out) == lines(SCORES)
    assert err == f"{WROTE}Next: bncli diagnose fixed.keras --dataset moons --set scaling=none\n"


def test_keras_measures_what_was_promised(bncli, stale):
    bncli("recalibrate", "stale.keras", *MOONS, "-o", "fixed.keras")
    bncli("dataset", "moons", "--set", "scaling=none", "--export", "moons.npz")
    with np.load("moons.npz") as data:
        loss, accuracy = keras.models.load_model("fixed.keras").evaluate(data["x_test"], data["y_test"], verbose=0)
    assert (round(accuracy, 3), round(loss, 3)) == (0.862, 0.286)


def test_for_markdown(bncli, stale):
    out = bncli("recalibrate", "stale.keras", *MOONS, "-o", "fixed.keras", "--format", "md")[1]
    assert out == (
        "**stale.keras: 1 batch normalization, statistics of 480 training rows**\n"
        "\n"
        "| rows   | accuracy before   | accuracy after   | loss before   | loss after   |\n"
        "|--------|-------------------|------------------|---------------|--------------|\n"
        "| train  | 0.496             | 0.884            | 3.165         | 0.277        |\n"
        "| val    | 0.504             | 0.862            | 3.074         | 0.286        |\n"
        "\n"
        "**with the statistics of the first rows only**\n"
        "\n"
        "| rows   | val_accuracy   | val_loss   |\n"
        "|--------|----------------|------------|\n"
        "| 32     | 0.866          | 0.289      |\n"
        "| 96     | 0.866          | 0.288      |\n"
        "| 320    | 0.864          | 0.290      |\n"
        "| 480    | 0.862          | 0.286      |\n"
        "\n"
        "32 rows were enough: from there on, validation accuracy is within one standard error (0.015) of that with all "
        "480.\n"
    )


def rounded(value):
    """A structure with three digits of its numbers."""
    if isinstance(value, dict):
        return {name: rounded(part) for name, part in value.items()}
    if isinstance(value, list):
        return [rounded(part) for part in value]
    return round(value, 3) if isinstance(value, float) else value


def test_for_programs(bncli, stale):
    status, out, err = bncli("recalibrate", "stale.keras", *MOONS, "-b", "240", "-o", "fixed.keras", "-f", "json")
    assert (status, err) == (0, WROTE)
    facts = json.loads(out)
    after = facts["after"]["val"]
    assert rounded(facts) == {
        "model": "stale.keras",
        "out": "fixed.keras",
        "batch_normalizations": 1,
        "rows": 480,
        "rows_enough": 240,
        "standard_error": 0.015,
        "before": {"train": {"accuracy": 0.496, "loss": 3.165}, "val": {"accuracy": 0.504, "loss": 3.074}},
        "after": {"train": {"accuracy": 0.884, "loss": 0.279}, "val": {"accuracy": 0.862, "loss": 0.287}},
        "curve": rounded([facts["curve"][0], {"rows": 480} | after]),
    }
    table = bncli("recalibrate", "stale.keras", *MOONS, "-b", "240", "-o", "fixed.keras", "-f", "csv")[1]
    assert lines(table)[0] == "statistics,statistics_rows,part,accuracy,loss"
    assert [line.split(",")[:3] for line in lines(table)[1:]] == [
        ["moving", "", "train"],
        ["moving", "", "val"],
        ["population", "240", "val"],
        ["population", "480", "train"],
        ["population", "480", "val"],
    ]
    assert lines(table)[-1] == f"population,480,val,{after['accuracy']},{after['loss']}"


def test_a_test_part_is_scored_and_the_scaling_is_found(bncli, stale):
    status, out, err = bncli("recalibrate", "stale.keras", "-d", "moons", "--set", "test_size=0.2", "-o", "fixed.keras")
    assert status == 0
    assert [line.split()[0] for line in lines(out)[4:7]] == ["train", "val", "test"]
    assert err == (
        "Rows are scaled as fits the weights best: --set scaling=standard\n"
        "Note: The weights answer as well with scaling=none, and the moving averages don't tell with which they were "
        "trained. What is measured holds for the right scaling alone: give it with --set scaling.\n"
        f"{WROTE}Next: bncli diagnose fixed.keras --dataset moons --set test_size=0.2\n"
    )


def test_a_fall_is_said_and_the_file_is_written_all_the_same(bncli, folder):
    save("stale.keras", bias=-2.0, mean=(0.5, 0.75), variance=(0.75, 0.25))
    status, _, err = bncli("recalibrate", "stale.keras", *MOONS, "-o", "fixed.keras")
    assert status == 0
    assert lines(err)[:-1] == [
        "Note: Validation accuracy falls from 0.864 to 0.738, by more than one standard error (0.020). Are these the "
        "rows, and the scaling, of its training?",
        WROTE.strip(),
    ]
    assert Path("fixed.keras").exists()


def test_statistics_that_a_file_has_already_are_written_all_the_same(bncli, stale):
    bncli("recalibrate", "stale.keras", *MOONS, "-o", "fixed.keras")
    status, _, err = bncli("recalibrate", "fixed.keras", *MOONS, "-o", "again.keras")
    assert status == 0
    assert lines(err)[:2] == [
        "Note: fixed.keras has these statistics already.",
        "Wrote again.keras: equal to fixed.keras",
    ]
    assert Path("fixed.keras").read_bytes() == Path("again.keras").read_bytes()


def test_the_saved_model_itself_is_replaced_only_with_force(bncli, stale):
    before = Path("stale.keras").read_bytes()
    Path("link.keras").symlink_to("stale.keras")
    for out in ("stale.keras", "./stale.keras", "link.keras"):
        assert error(bncli("recalibrate", "stale.keras", *MOONS, "-o", out)) == (
            f"--out would replace the saved model {str(Path(out))!r}. Try another name, or --force."
        )
    assert Path("stale.keras").read_bytes() == before
    assert bncli("recalibrate", "stale.keras", *MOONS, "-o", "stale.keras", "--force")[0] == 0
    assert Path("stale.keras").read_bytes() != before


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["stale.keras", *MOONS], "recalibrate writes a new file. Name it: -o FIXED.keras."),
        (
            ["stale.keras", "-o", "x.keras"],
            "The statistics are those of rows, and no data is named. Add --dataset NAME|FILE.",
        ),
        (
            ["stale.keras", *MOONS, "-o", "x.h5"],
            "--out needs a name that ends in .keras. Received: 'x.h5'.",
        ),
        (["stale.keras", *MOONS, "-o", "folder.keras"], "Can't write 'folder.keras': Is a directory."),
        (
            ["nothing.keras", *MOONS, "-o", "x.keras"],
            "model 'nothing.keras' can't be read (No such file or directory). Give the path of a .keras file.",
        ),
        (
            ["nets.py:build", *MOONS, "-o", "x.keras"],
            "recalibrate takes a saved model, a .keras file. Received: 'nets.py:build'. Try bncli train --save-model "
            "FILE.keras.",
        ),
        (
            ["old.h5", *MOONS, "-o", "x.keras"],
            "model 'old.h5': HDF5 files can run code when they are loaded, and are not read. Convert it where you "
            "trust it: keras.models.load_model(FILE).save('model.keras').",
        ),
        (
            ["stale.keras", "-d", "digits", "-o", "x.keras"],
            "model 'stale.keras' takes rows of shape (2,), but the data has shape (8, 8, 1).",
        ),
        (
            ["stale.keras", *MOONS, "-o", "x.keras", "-b", "0"],
            "batch_size must be a whole number from 1 to 1000000. Received: 0.",
        ),
        (
            ["stale.keras", *MOONS, "-o", "x.keras", "--set", "lr=3"],
            "Unknown field of a data set 'lr'. Allowed: dataset, label, task, drop, encode, impute, padding, "
            "n_samples, noise, class_balance, data_seed, train_rows, val_rows, scaling, target_scaling, test_size, "
            "vary_data.",
        ),
        (
            ["stale.keras", *MOONS, "-o", "x.keras", "--set", "dataset=circles"],
            "dataset is given twice. Give it once.",
        ),
        (
            ["plain.keras", *MOONS, "-o", "x.keras"],
            "model 'plain.keras' has no batch normalization, and so no statistics that could be estimated.",
        ),
    ],
)
def test_refused(bncli, stale, arguments, expected):
    Path("folder.keras").mkdir()
    save("plain.keras", keras.layers.LayerNormalization())
    assert error(bncli("recalibrate", *arguments)) == expected
    assert not Path("x.keras").exists()


def test_as_a_process_of_its_own_it_mends_what_train_saved(folder):
    bncli = [sys.executable, "-m", "bncli"]
    train = [*bncli, "train", "-d", "digits", "-m", "dense32 dense32", "--arm", "batch", "-e", "1", "--set", "lr=0.01"]
    subprocess.run([*train, "--save-model", "net.keras"], capture_output=True, check=True)
    command = [*bncli, "recalibrate", "net.keras", "-d", "digits", "-o", "new/fixed.keras", "-f", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr.splitlines() == [
        "Rows are scaled as fits the weights best: --set scaling=none",
        "Wrote new/fixed.keras: equal to net.keras but for its moving means and variances",
    ]
    facts = json.loads(done.stdout)
    assert facts["after"]["val"]["accuracy"] > facts["before"]["val"]["accuracy"]
    with zipfile.ZipFile("net.keras") as old, zipfile.ZipFile("new/fixed.keras") as new:
        assert old.namelist() == new.namelist()
        assert [name for name in old.namelist() if old.read(name) != new.read(name)] == ["model.weights.h5"]


def test_what_was_recalibrated_has_no_finding_although_its_training_was_short(bncli, folder):
    network = ("-d", "digits", "-m", "dense16", "-e", "2")
    assert bncli("train", *network, "--arm", "batch", "--save-model", "short.keras")[0] == 0
    assert "problem: slow-averages" in bncli("diagnose", "short.keras", "-d", "digits")[1]
    assert bncli("recalibrate", "short.keras", "-d", "digits", "-o", "fixed.keras")[0] == 0
    assert bncli("diagnose", "fixed.keras", "-d", "digits")[1].endswith("\nNothing found.\n")
