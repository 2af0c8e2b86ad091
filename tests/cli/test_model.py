"""`bncli model`: in this process, and as a process of its own with the user's files."""

import json
import re
import subprocess
import sys

import pytest
from commands import error, open_terminal

NETS = """
import keras
from keras import layers

def build(input_shape, n_outputs):
    inputs = keras.Input(input_shape)
    x = layers.Dense(4, use_bias=False, name="hidden")(layers.Flatten()(inputs))
    x = layers.ReLU()(layers.BatchNormalization(name="bn")(x))
    x = layers.BatchNormalization(name="end")(layers.Add()([x, layers.Dense(4, activation="relu", name="own")(x)]))
    return keras.Model(inputs, layers.Dense(n_outputs, activation="softmax")(x))

class Own(keras.Model):
    def __init__(self, n_outputs):
        super().__init__()
        self.last = layers.Dense(n_outputs)

    def call(self, x):
        return self.last(x)
"""


@pytest.fixture
def nets(folder):
    (folder / "nets.py").write_text(NETS)


def test_a_spec_is_shown_in_every_arm(bncli):
    status, out, err = bncli("model", "dense8", "--dataset", "circles")
    assert (status, err) == (0, "Next: bncli compare --model dense8 --dataset circles\n")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert lines[0] == "dense8, arm none, for rows of circles of 2 and 2 classes"
    assert "dense_0 Dense 8 24 input_layer" in lines
    assert "none 33 33 - stacked" in lines
    assert "batch:before 57 41 1 BatchNormalization stacked" in lines
    assert lines[-1] == "batch:before: no bias, which would be redundant, in dense_0."


def test_a_model_that_is_there_has_sites_and_says_what_changes(bncli, nets):
    status, out, _ = bncli("model", "nets.py", "--arms", "as-is,none,batch:before,layer:after", "-d", "circles")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert status == 0
    assert "hidden bn before the activation yes" in lines
    assert "own - - yes" in lines
    assert "add end elsewhere no: it does not stand next to a linear layer's activation" in lines
    assert "as-is 70 54 2 BatchNormalization - stacked" in lines
    assert "none 42 42 - 2 of 3 stacked" in lines
    assert "batch:before 82 58 3 BatchNormalization 2 of 3 stacked" in lines
    assert lines[-3:] == [
        "none: adds a bias to hidden.",
        "batch:before: removes the redundant bias of own.",
        "layer:after: adds a bias to hidden.",
    ]


def test_json_and_csv_have_every_arm(bncli, nets):
    found = json.loads(bncli("model", "nets.py", "-d", "circles", "-f", "json")[1])
    assert (found["dataset"], found["input_shape"], found["n_classes"]) == ("circles", [2], 2)
    assert [(site["layer"], site["state"], site["is_movable"]) for site in found["sites"]] == [
        ("hidden", "before", True),
        ("own", "none", True),
        ("add", "elsewhere", False),
    ]
    assert [(arm["arm"], arm["sites_changed"], arm["biases_added"]) for arm in found["arms"]] == [
        ("none", 2, ["hidden"]),
        ("as-is", None, None),
    ]
    rows = bncli("model", "nets.py", "-d", "circles", "-f", "csv")[1].splitlines()
    assert rows[0] == "arm,layer,class,output,parameters,from"
    assert "none,hidden,Dense,4,12,flatten" in rows
    assert "as-is,hidden,Dense,4,8,flatten" in rows


def test_a_file_needs_no_data_and_the_picture_is_drawn(bncli, nets, folder):
    import keras

    scope = {}
    exec(NETS, scope)  # the user's program
    keras.saving.save_model(scope["build"]((3,), 4), folder / "saved.keras")
    status, out, err = bncli("model", "saved.keras", "--plot", "net.png")
    assert (status, out.splitlines()[0]) == (0, "saved.keras, arm none, for rows of 3 and 4 classes")
    assert err.splitlines() == ["Wrote net.png", "Next: bncli compare --model saved.keras"]
    assert (folder / "net.png").read_bytes().startswith(b"\x89PNG")


def test_shapes_stand_in_place_of_data(bncli):
    found = json.loads(bncli("model", "mnist-cnn", "--input-shape", "28,28,1", "--arms", "none", "-f", "json")[1])
    assert (found["dataset"], found["arms"][0]["parameters"]) == (None, 1_199_882)
    assert found["arms"][0]["trains"] == "side by side"
    assert found["arms"][0]["why"].endswith("multiply-adds of convolutions a row keep the cores busy")


def test_a_layer_with_a_state_of_its_own_trains_one_by_one(bncli, folder):
    own = "import keras, tensorflow as tf\n\nclass Noise(keras.layers.Layer):\n    def call(self, x):\n"
    own += "        return x + tf.random.normal(tf.shape(x))\n\ndef build(input_shape, n_outputs):\n"
    own += "    return keras.Sequential([keras.Input(input_shape), Noise(), keras.layers.Dense(n_outputs)])\n"
    (folder / "noise.py").write_text(own)
    out = bncli("model", "noise.py", "-d", "circles", "--arms", "as-is")[1]
    assert out.splitlines()[-1] == (
        "as-is trains one by one: it draws random numbers that do not come from a keras.random.SeedGenerator."
    )
    rows = ["--set", "n_samples=64", "--epochs", "1", "--out", "s", "--quiet"]
    assert bncli("train", "-m", "noise.py", "-d", "circles", "--arm", "as-is", *rows)[0] == 0
    assert json.loads((folder / "s" / "runs.jsonl").read_text())["engine"] == "keras"


def test_a_subclass_trains_side_by_side_and_says_why(bncli, nets):
    out = bncli("model", "nets.py:Own", "-d", "circles", "--arms", "as-is")[1]
    assert out.splitlines()[-1] == "as-is trains side by side: Own is a subclass of keras.Model."


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["mlp", "--classes", "3"], "--classes goes with --input-shape; a data set has its own classes."),
        (
            ["mlp", "-d", "digits", "--input-shape", "3"],
            "--input-shape stands in place of --dataset. Give one of them.",
        ),
        (
            ["mlp", "--input-shape", "3,x"],
            "--input-shape must be the whole numbers of one row's shape, such as 28,28,1 for an image or 30 for a "
            "table. Received: '3,x'.",
        ),
        (
            ["mlp", "--input-shape", "3", "--classes", "1"],
            "--classes must be a whole number from 2 to 100000. Received: '1'.",
        ),
        (
            ["conv8", "--input-shape", "3"],
            "model 'conv8' can't be built: conv8 needs an image (height, width, channels) but receives shape (3,).",
        ),
        (
            ["mlp", "--plot", "net.gif", "--input-shape", "3"],
            "Unknown ending of a plot '.gif'. Allowed: .png, .svg, .pdf.",
        ),
        (
            ["nets.py:Own", "-d", "circles", "--arms", "none"],
            "Own() in nets.py: Own 'own' is a subclass of keras.Model, whose layers can't be rearranged. Allowed: "
            "Sequential and functional models. Use a function with the parameter norm, or the arm as-is.",
        ),
    ],
)
def test_errors(bncli, nets, arguments, expected):
    assert error(bncli("model", *arguments)) == expected


def test_a_network_that_no_memory_holds_is_refused_before_it_is_built(bncli):
    message = error(bncli("model", "dense16384*400", "--input-shape", "8"))
    assert message.startswith("model 'dense16384*400' is too large: its 107,")


def test_it_is_a_command_of_its_own_that_pipes(nets):
    done = subprocess.run(
        [sys.executable, "-m", "bncli", "model", "nets.py", "-d", "circles", "-f", "md"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "| none  | 42           | 42        | -                    | 2 of 3  | stacked  |" in done.stdout


STRANGE = """
import keras
from keras import layers

def build(n_outputs):
    hidden = [layers.Dense(4, name="a" + "b" * 60), layers.BatchNormalization(), layers.ReLU()]
    return keras.Sequential([layers.Flatten(), *hidden, layers.Dense(n_outputs)])
"""


def test_on_a_terminal_tables_fit_whatever_the_layers_and_arms_are_called(bncli, folder, monkeypatch):
    (folder / "strange.py").write_text(STRANGE)
    stream = open_terminal(monkeypatch)
    arms = "as-is,layer:after+center=false,batch:before+norm_momentum=0.9"
    assert bncli("model", "strange.py", "--input-shape", "8", "--arms", arms)[0] == 0
    lines = re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue()).splitlines()
    assert max(map(len, lines)) <= 80
    assert "abbbbbbbbbbbbb...bbbbbbbbbbbbb  Dense                    4          36" in [line.strip() for line in lines]
    assert "Left out, for want of width: trained, trains (--format json has all)" in lines
