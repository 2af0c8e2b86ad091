"""A user's own network, as real processes and through the command line: trained, continued, reported, refused."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

NETS = """
import keras
from keras import layers

def build(input_shape, n_outputs, norm, width=4):
    inputs = keras.Input(input_shape)
    x = layers.Add()([layers.Dense(width)(inputs), layers.Dense(width)(inputs)])
    return keras.Model(inputs, layers.Dense(n_outputs)(layers.ReLU()(norm()(x))))

def wide(input_shape, n_outputs, norm):
    return build(input_shape, n_outputs, norm, width=8)

def broken(input_shape, n_outputs):
    return layers.Dense(n_outputs)(input_shape / 2)
"""
TINY = ["-d", "circles", "--set", "n_samples=64", "-e", "2", "-s", "2"]


@pytest.fixture(autouse=True)
def nets(folder):
    (folder / "nets.py").write_text(NETS)


def process(*arguments):
    done = subprocess.run([sys.executable, "-m", "bncli", *arguments], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture
def here(bncli, no_figures):
    """A command in this process, with what a process of its own would give."""

    def call(*arguments):
        status, out, err = bncli(*arguments)
        assert "Traceback" not in err
        return subprocess.CompletedProcess(arguments, status, out, err)

    return call


def error(done):
    """The message of a call that trains nothing."""
    assert (done.returncode, done.stdout) == (2, "")
    return next(line for line in done.stderr.splitlines() if line.startswith("Error: ")).removeprefix("Error: ")


def rows(done):
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
def test_a_function_is_compared_continued_and_reported_without_its_file():
    first = rows(process("compare", "-m", "nets.py", *TINY, "-o", "s", "-f", "json"))
    assert [(row["arm"], row["n"]) for row in first["conditions"]] == [("none", 2), ("batch", 2)]
    records = [json.loads(line) for line in Path("s/runs.jsonl").read_text().splitlines()]
    assert {record["params"]["total"] for record in records} == {34, 34 + 16}
    assert len({record["config"]["model_digest"] for record in records}) == 1
    again = rows(process("compare", "-m", "nets.py", *TINY[:-1], "3", "-o", "s", "-f", "json"))
    assert [row["n"] for row in again["conditions"]] == [3, 3]
    Path("nets.py").unlink()
    assert rows(process("report", "s", "-f", "json")) == again


@pytest.mark.slow
def test_a_saved_network_of_a_function_takes_raw_rows(folder):
    done = process(
        "train", "-m", "nets.py", "--arm", "batch", "-d", "breast_cancer", "-e", "1", "--save-model", "w.keras"
    )
    assert done.returncode == 0, done.stderr
    script = (
        "import keras, sys; model = keras.models.load_model('w.keras'); "
        "print(model.predict(keras.ops.ones((2, 30)), verbose=0).sum(axis=1).round(4).tolist())"
    )
    plain = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert plain.stdout == "[1.0, 1.0]\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["train", "-m", "nets.py:broken", "-d", "circles"],
            "broken() in nets.py fails, line 14: TypeError: unsupported operand type(s) for /: 'tuple' and 'int'.",
        ),
        (
            ["compare", "-m", "nets.py", "-d", "circles", "--arms", "none,batch:after"],
            "Arm 'batch:after': the function of model 'nets.py' places its normalizations itself. Try batch, without a "
            "place.",
        ),
        (
            ["sweep", "model=nets.py,net.py", "-d", "circles", "--arms", "none,batch"],
            "model 'net.py' can't be read (No such file or directory). Give the path of a Python file.",
        ),
    ],
)
def test_what_is_refused_before_anything_is_trained(here, arguments, message):
    assert error(here(*arguments)) == message
    assert not Path("studies").exists()


@pytest.mark.slow
def test_functions_can_be_an_axis(here):
    done = here("sweep", "model=nets.py,nets.py:wide", *TINY, "--arms", "none,batch", "-q", "-f", "csv")
    lines = done.stdout.splitlines()
    assert (done.returncode, len(lines)) == (0, 5), done.stderr
    assert {line.split(",")[1] for line in lines[1:]} == {"nets.py", "nets.py:wide"}


PARTLY = """
import keras
from keras import layers

def build(input_shape, n_outputs):
    inputs = keras.Input(input_shape)
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.95)(layers.Dense(4)(inputs)))
    x = layers.BatchNormalization(momentum=0.8)(layers.Add()([x, layers.Dense(4, activation="relu")(x)]))
    return keras.Model(inputs, layers.Dense(n_outputs)(x))
"""


@pytest.mark.slow
def test_what_is_moved_only_partly_and_the_models_own_momentum_are_said_and_kept_with_the_study(here):
    Path("partly.py").write_text(PARTLY)
    done = here("compare", "-m", "partly.py", *TINY, "--arms", "as-is,batch:after,layer", "-o", "s")
    assert "Note: After 2 training steps the moving averages of as-is and batch:after will still hold" in done.stderr
    assert "batch:after: normalized there at 2 of 3 sites, elsewhere in place" in done.stdout.splitlines()
    assert "in-place" not in done.stdout
    assert json.loads(Path("s/study.json").read_text())["networks"]["partly.py"]["sites"] == {"batch:after": [2, 3]}
    Path("partly.py").unlink()
    note = "batch:after: normalized there at 2 of 3 sites, elsewhere in place"
    assert note in here("report", "s").stdout.splitlines()
    assert note in Path("s/report.html").read_text()


def test_the_notice_on_averages_knows_the_momentum_of_a_model_as_it_is(here):
    Path("partly.py").write_text(PARTLY)
    done = here("compare", "-m", "partly.py", *TINY, "--arms", "none,as-is")
    assert "the moving averages of as-is will still hold 90% of their initial values (0.95^2)" in done.stderr


def test_a_study_file_names_a_network_beside_it_and_bncli_says_whose_code_it_runs(here):
    Path("sub").mkdir()
    Path("nets.py").rename("sub/nets.py")
    run = 'model = "nets.py:wide"\ndataset = "circles"\nn_samples = 64\nepochs = 1'
    Path("sub/mine.toml").write_text(f'seeds = 2\narms = ["none", "batch"]\n[run]\n{run}\n')
    done = here("sweep", "-p", "sub/mine.toml", "-f", "json", "-o", "s")
    note = "Note: The study file sub/mine.toml has bncli run the code of sub/nets.py."
    assert [row["n"] for row in rows(done)["conditions"]] == [2, 2]
    assert note in done.stderr.splitlines()
    assert note not in here("sweep", "-p", "sub/mine.toml", "-o", "s").stderr  # nothing is left to train
    assert json.loads(Path("s/study.json").read_text())["study"]["run"]["model"] == "sub/nets.py:wide"


SEEDED = """
import keras
from keras import initializers, layers

def build(input_shape, n_outputs, norm):
    start = initializers.GlorotUniform(seed=42)
    hidden = layers.Dense(4, kernel_initializer=start, name="hidden")
    return keras.Sequential([keras.Input(input_shape), hidden, norm(), layers.ReLU(), layers.Dense(n_outputs)])
"""


def test_weights_that_no_seed_changes_are_noticed(here):
    Path("seeded.py").write_text(SEEDED)
    note = (
        "Note: Model seeded.py starts hidden from the same weights for every seed, because it sets them itself. Seeds "
        "then differ in less, and intervals are about less."
    )
    assert here("compare", "-m", "seeded.py", *TINY, "-n").stderr.splitlines().count(note) == 1
    assert "same weights" not in here("compare", "-m", "nets.py", *TINY, "-n").stderr


RECURRENT = """
import keras
from keras import layers

def build(input_shape, n_outputs, norm):
    steps = [layers.Reshape((-1, 1)), layers.LSTM(3), norm()]
    return keras.Sequential([keras.Input(input_shape), *steps, layers.Dense(n_outputs)])
"""


def test_the_bias_of_an_lstm_is_no_weight_that_was_set(here):
    Path("recurrent.py").write_text(RECURRENT)
    assert "same weights" not in here("compare", "-m", "recurrent.py", *TINY, "-n").stderr
