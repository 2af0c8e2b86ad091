"""`bncli diagnose`: whole outputs, formats, exit codes, messages; and as a process of its own."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commands import error, open_terminal
from fakes import evidence, make_study, record

NETS = """
import keras
from keras import layers

def build(input_shape, n_outputs):
    inner = [layers.Dense(8, name="hidden"), layers.BatchNormalization(momentum=0.1, name="norm"), layers.ReLU()]
    return keras.Sequential([keras.Input(input_shape), *inner, layers.Dense(n_outputs)])

def deep(input_shape, n_outputs):
    inner = [layer for _ in range(9) for layer in (layers.Dense(4), layers.BatchNormalization(), layers.ReLU())]
    return keras.Sequential([keras.Input(input_shape), *inner, layers.Dense(n_outputs)])
"""

FOUND = """\
nets.py: 1 batch normalization, 83 parameters, not trained

problem: pytorch-momentum (likely)
  The only batch normalization has momentum 0.1. That is PyTorch's way, where it
  is the share of the new batch; in Keras it is that of the old average: 90% of
  the moving averages is the last batch.
  Layers: norm
  Try: momentum=0.9, which is PyTorch's 0.1.

note: redundant-bias (exact)
  1 layer directly before batch normalization has a bias, 8 parameters that do
  nothing: the mean is subtracted with it.
  Layers: hidden
  Try: Make this layer with use_bias=False. Nothing else changes.
"""

SHAPES = ("--input-shape", "2", "--classes", "3")


@pytest.fixture
def nets(folder):
    (folder / "nets.py").write_text(NETS)


def saved(folder, **changes):
    """A trained model of circles as bncli saves it."""
    import keras

    from bncli.backend import tf

    keras.utils.set_random_seed(1)
    inner = [keras.layers.Dense(32, use_bias=False, name="hidden"), keras.layers.BatchNormalization(name="norm")]
    inner += [keras.layers.ReLU(name="relu"), keras.layers.Dense(2, activation="softmax")]
    model = keras.Sequential([keras.Input((2,)), *inner])
    model.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy")
    x = tf.random.stateless_normal((960, 2), (0, 1)).numpy()
    model.fit(x, (x**2).sum(axis=1) > 1.4, epochs=20, verbose=0)
    for name, value in changes.items():
        variable = getattr(model.get_layer("norm"), name)
        variable.assign(variable * 0 + value)
    model.save(folder / "m.keras")
    rows = "\n".join(f"{a},{b},{'out' if a * a + b * b > 1.4 else 'in'}" for a, b in x)
    (folder / "d.csv").write_text(f"a,b,label\n{rows}\n")


def test_everything_at_80_columns(bncli, nets, monkeypatch):
    stream = open_terminal(monkeypatch)
    monkeypatch.setenv("NO_COLOR", "1")
    assert bncli("diagnose", "nets.py", *SHAPES)[0] == 0
    assert stream.getvalue() == FOUND


def test_nothing_found_is_said(bncli):
    assert bncli("diagnose", "mlp", *SHAPES) == (
        0,
        "mlp: 2 batch normalizations, 4,931 parameters, not trained\nNothing found.\n",
        "",
    )


def test_the_arm_none_is_kept_and_float16_is_computed_with(bncli):
    assert bncli("diagnose", "dense4", *SHAPES, "--arm", "none")[1].startswith("dense4: 0 batch normalizations, 27 par")
    overflow = ("--set", "n_samples=64", "--set", "dtype=mixed_float16", "--set", "init_scale=100000")
    out = bncli("diagnose", "dense64*2", "-d", "circles", "--arm", "none", *overflow)[1]
    assert "\nproblem: first-non-finite (measured)\n  dense_1 is the first layer that returns infinite" in out
    assert "and it computes in float16" in out


def test_json_csv_and_markdown_have_the_same_findings(bncli, nets):
    found = json.loads(bncli("diagnose", "nets.py", *SHAPES, "-f", "json")[1])
    assert (found["network"], found["is_trained"]) == ("nets.py", False)
    assert [(each["finding"], each["number"], each["layers"]) for each in found["findings"]] == [
        ("pytorch-momentum", 0.1, ["norm"]),
        ("redundant-bias", 8, ["hidden"]),
    ]
    rows = bncli("diagnose", "nets.py", *SHAPES, "-f", "csv")[1].splitlines()
    assert rows[0] == "finding,severity,certainty,what,number,layers,detail,remedy"
    assert rows[2] == (
        'redundant-bias,note,exact,"1 layer directly before batch normalization has a bias, 8 parameters that do '
        'nothing: the mean is subtracted with it.",8.0,hidden,,Make this layer with use_bias=False. Nothing else '
        "changes."
    )
    text = bncli("diagnose", "nets.py", *SHAPES, "-f", "md")[1]
    assert "\n- **problem: pytorch-momentum (likely)**\n  The only batch normalization has momentum 0.1." in text
    assert bncli("diagnose", "mlp", *SHAPES, "-f", "csv")[1] == f"{rows[0]}\n"


def test_long_lists_of_layers_are_cut_but_not_in_json(bncli, nets):
    arguments = ("diagnose", "nets.py:deep", *SHAPES)
    out = bncli(*arguments)[1]
    assert "  Layers: dense, dense_1, dense_2, dense_3, dense_4, dense_5 and 3 more\n" in out
    assert len(json.loads(bncli(*arguments, "-f", "json")[1])["findings"][0]["layers"]) == 9


@pytest.mark.parametrize(
    ("network", "options", "status"),
    [
        ("nets.py", [], 0),
        ("nets.py", ["--strict"], 1),
        ("nets.py:deep", ["--strict"], 0),
        ("nets.py:deep", ["--strict", "--level", "note"], 1),
        ("mlp", ["--strict", "--level", "note"], 0),
    ],
)
def test_strict_fails_on_problems_and_with_level_on_notes(bncli, nets, network, options, status):
    assert bncli("diagnose", network, *SHAPES, *options)[0] == status


def test_a_healthy_file_on_data_shows_its_scores_and_nothing_else(bncli, folder):
    saved(folder)
    status, out, err = bncli("diagnose", "m.keras", "-d", "d.csv", "--label", "label")
    lines = [" ".join(line.split()) for line in out.splitlines() if line.strip()]
    assert (status, err) == (0, "Rows are scaled as fits the weights best: --set scaling=standard\n")
    assert lines[0] == "m.keras: 1 batch normalization, 258 parameters, trained for 600 steps"
    assert lines[1] == "rows accuracy, batch accuracy, moving accuracy, population"
    assert [line.split()[0] for line in lines[3:5]] == ["train", "val"]
    assert lines[5:] == ["Nothing found."]


def test_a_sick_file_on_data_says_what_its_averages_cost(bncli, folder):
    saved(folder, moving_mean=2.0)
    data = ("-d", "d.csv", "--label", "label", "--set", "scaling=none")
    status, out, err = bncli("diagnose", "m.keras", *data, "--strict")
    assert (status, err) == (
        1,
        "Next: bncli recalibrate m.keras --dataset d.csv --label label --out fixed.keras\n",
    )
    assert "\nproblem: stale-averages (measured)\n" in out
    assert "\nproblem: statistics-gap (measured)\n  Validation accuracy is 0." in out
    record = json.loads(bncli("diagnose", "m.keras", *data, "-f", "json")[1])
    assert set(record["scores"]["val"]) == {"batch", "moving", "population"}
    assert record["training"]["n_steps"] == 600


@pytest.mark.slow
def test_weights_that_are_no_numbers_are_valid_json(bncli, folder):
    saved(folder, gamma=float("nan"))
    out = bncli("diagnose", "m.keras", "-d", "d.csv", "--label", "label", "-f", "json")[1]
    found = json.loads(out, parse_constant=lambda name: pytest.fail(name))
    assert {"not-finite", "first-non-finite"} <= {each["finding"] for each in found["findings"]}


def test_a_file_has_no_arms(bncli, folder):
    saved(folder)
    assert error(bncli("diagnose", "m.keras", "--arm", "batch")) == (
        "--arm goes with networks that bncli builds. A .keras file is diagnosed as it is."
    )


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["mlp", "--level", "all"], "Unknown level 'all'. Allowed: problem, note."),
        (["mlp", "-f", "latex"], "Unknown format 'latex'. Allowed: table, json, csv, md. Did you mean 'table'?"),
        (
            ["none.keras"],
            "model 'none.keras' can't be read (No such file or directory). Give the path of a .keras file.",
        ),
        (
            [".", "-d", "circles"],
            "--dataset goes with a network. A study's folder says how its networks were trained.",
        ),
        (["."], "'.' holds no study (no study.json). Give the --out folder of a compare or sweep."),
    ],
)
def test_mistakes_are_told(bncli, arguments, expected):
    assert error(bncli("diagnose", *arguments)) == expected


def test_a_folder_shows_a_line_for_every_condition_and_shared_findings_once(bncli, folder):
    study = make_study(axes=(("lr", (0.1, 1.0)),), norm_momentum=0.1, epochs=30, n_samples=480)
    record(folder / "s", evidence(study))
    status, out, err = bncli("diagnose", "s", "--strict")
    lines = [" ".join(line.split()) for line in out.splitlines() if line.strip()]
    assert (status, err) == (1, "")
    assert lines[0] == "fake: 4 conditions, 2 seeds"
    assert lines[1] == "arm lr runs diverged val_accuracy with population statistics found"
    assert lines[3].split()[:4] == ["none", "0.1", "2", "0"]
    assert lines[4].split()[-1] == "pytorch-momentum"
    assert out.count("problem: pytorch-momentum (likely)\n  In: batch:before\n") == 1
    rows = bncli("diagnose", "s", "-f", "csv")[1].splitlines()
    assert [row.split(",")[:3] for row in rows] == [
        ["arm", "param_lr", "finding"],
        ["batch:before", "0.1", "pytorch-momentum"],
        ["batch:before", "1.0", "pytorch-momentum"],
    ]
    found = json.loads(bncli("diagnose", "s", "-f", "json")[1])
    assert [each["mean_population_val_accuracy"] for each in found["conditions"]] == [None] * 4
    assert [(each["arm"], each["values"]) for each in found["findings"]] == [
        ("batch:before", {"lr": 0.1}),
        ("batch:before", {"lr": 1.0}),
    ]


def test_the_lines_of_conditions_fit_80_columns(bncli, folder, monkeypatch):
    axes = (("lr", (0.1, 1.0)), ("activation", ("relu", "tanh")), ("norm_momentum", (0.1, 0.2)))
    record(folder / "s", evidence(make_study(axes=axes, epochs=30, n_samples=480)))
    stream = open_terminal(monkeypatch)
    monkeypatch.setenv("NO_COLOR", "1")
    assert bncli("diagnose", "s")[0] == 0
    text = stream.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    assert "Left out, for want of width: with population statistics, diverged" in text


def test_as_a_process_without_data_within_five_seconds(nets, folder):
    begun = time.monotonic()
    command = [sys.executable, "-m", "bncli", "diagnose", "nets.py", *SHAPES]
    paths = str(Path(__file__).parents[2])
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | {"COLUMNS": "80", "PYTHONPATH": paths}
    )
    seconds = time.monotonic() - begun
    assert (done.returncode, done.stderr) == (0, "")
    assert " ".join(done.stdout.split()) == " ".join(FOUND.split())
    assert seconds < 5 or len(os.sched_getaffinity(0)) < 4  # two busy cores say nothing
