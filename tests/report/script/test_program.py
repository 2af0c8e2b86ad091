"""Runs as programs of plain Keras: every one is executed, and prints the numbers that bncli recorded."""

import contextlib
import io
import re
import runpy
import shlex
import subprocess
import sys

import keras
import numpy as np
import pytest

from bncli.analysis.tables import task_of
from bncli.cli.app import main
from bncli.config import RunConfig
from bncli.data import datasets
from bncli.engines import keras as oracle
from bncli.engines import stacked
from bncli.errors import InvalidConfig
from bncli.report.script.program import script_of
from bncli.resolution import resolve
from bncli.study.files import load_study, presets
from bncli.study.study import placed

LINE = re.compile(r"(?P<name>\w+) +(?P<here>\S+), in bncli (?P<there>\S+)")

NETS = """
import keras
from keras import layers

def asking(input_shape, n_outputs, norm, use_bias):
    inputs = keras.Input(input_shape)
    x = layers.ReLU()(norm()(layers.Dense(8, use_bias=use_bias)(inputs)))
    x = layers.Add()([x, layers.Dropout(0.3)(layers.Dense(8)(x))])
    return keras.Model(inputs, layers.Dense(n_outputs)(x))

def plain(input_shape, n_outputs):
    inputs = keras.Input(input_shape)
    x = layers.BatchNormalization()(layers.Dense(8, use_bias=False)(inputs))
    x = layers.Dropout(0.3)(layers.ReLU()(x))
    inner = keras.Sequential([keras.Input((8,)), layers.Dense(8, activation="relu"), layers.BatchNormalization()])
    x = layers.Concatenate()([x, inner(x)])
    return keras.Model(inputs, layers.Dense(n_outputs, activation="softmax")(x))

def sequential(n_outputs):
    return keras.Sequential([layers.Dense(8), layers.BatchNormalization(), layers.ReLU(), layers.Dense(n_outputs)])

class Own(keras.Model):
    def __init__(self, n_outputs):
        super().__init__()
        self.first, self.last = layers.Dense(8, activation="relu"), layers.Dense(n_outputs)

    def call(self, x):
        return self.last(self.first(x))
"""
TINY = {"dataset": "circles", "n_samples": 64, "epochs": 2, "batch_size": 10}


@pytest.fixture(autouse=True)
def files(folder):
    (folder / "nets.py").write_text(NETS)
    rng = np.random.default_rng(0)
    for size, name in ((28, "images.npz"), (8, "small.npz")):
        x, y = rng.integers(0, 255, (60, size, size, 1), "uint8"), np.arange(60) % 3
        np.savez(folder / name, x_train=x[:40], y_train=y[:40], x_test=x[40:], y_test=y[40:])


def trained(engine=oracle, **fields):
    config, _ = resolve(RunConfig(**{**TINY, **fields}))
    ((result,),) = engine.train([config], datasets.load(config))
    assert result.state != "failed", result.error
    return result


def executed(text, folder):
    """Run a program in this process: pairs of numbers, here and in bncli, by metric."""
    (folder / "program.py").write_text(text)
    try:
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            runpy.run_path(str(folder / "program.py"))
    finally:
        keras.config.set_dtype_policy("float32")
    return pairs(printed.getvalue())


def pairs(printed):
    found = [LINE.fullmatch(line) for line in printed.splitlines()]
    return {match["name"]: (match["here"], match["there"]) for match in found if match}


def check(result, folder):
    """Whether the program of a run prints its numbers; returns the program."""
    text = script_of(result)
    found = executed(text, folder)
    score = "r2" if task_of([result.config]) == "regression" else "accuracy"
    assert {"loss", score, "val_loss", f"val_{score}"} <= set(found)
    for name, (here, there) in found.items():
        assert float(there) == round(result.metrics[name], 6)
        assert float(here) == pytest.approx(result.metrics[name], rel=2e-4, abs=2e-5), name
    assert "bncli" not in re.sub(r"in bncli|of bncli|bncli dataset", "", text)
    return text


def tiny_run(preset):
    """A run of a preset's first arm with BN: its network, activation and optimizer, on few rows of the same shape."""
    study = load_study(preset)
    base = study.base
    axes = {name: values[-1] for name, values in study.axes if name in ("model", "activation", "optimizer")}
    few = {"train_rows": ":", "val_rows": ":", "epochs": 1, "batch_size": 20, "scaling": "auto"}
    few |= {"dataset": "images.npz"} if base.dataset == "mnist" else {}
    arm = next((arm for arm in study.arms if "batch" in arm.label), study.arms[-1])
    return placed(arm, base.replace(**few, **axes).replace(**dict(arm.changes)))


RUNS = {preset: tiny_run(preset) for preset in presets()}
NETWORKS = {(run.model, run.dataset, run.activation, run.placement): preset for preset, run in RUNS.items()}


@pytest.mark.slow
@pytest.mark.parametrize("preset", NETWORKS.values())
def test_the_network_of_every_preset_gives_the_recorded_numbers_in_under_80_lines(preset, folder, monkeypatch):
    text = export_and_check(RUNS[preset].to_dict(), folder, monkeypatch)
    assert len(text.splitlines()) < (90 if "dense32*6" in text else 80)  # each of its layers has three lines
    assert max(len(line) for line in text.splitlines() if "# The rows come from: " not in line) <= 120


def export_and_check(fields, folder, monkeypatch):
    """Train a run, export the rows that its program asks for, execute it."""
    result = trained(**fields)
    asked = re.search(r"# The rows come from: bncli (.*)", script_of(result))
    if asked:
        monkeypatch.setattr(sys, "argv", ["bncli", *shlex.split(asked[1])])
        with pytest.raises(SystemExit):
            main()
    return check(result, folder)


FIELDS = [
    {"model": "dense8", "norm": "batch", "optimizer": "sgd", "momentum": 0.9, "nesterov": True, "lr": 0.1},
    {"dataset": "digits", "n_samples": None, "model": "conv4 flatten", "train_rows": ":100", "scaling": "standard"},
    {"model": "nets.py:asking", "norm": "batch"},
    {"dataset": "imbalanced", "model": "dense8", "class_weight": "balanced", "loss": "focal_crossentropy", "lr": 0.1},
]
"""A run of each kind: a spec, images, a function that asks for norms, rare classes."""

MORE_FIELDS = [
    {"dataset": "wine", "n_samples": None, "model": "dense8", "class_weight": "balanced", "label_smoothing": 0.1},
    {"dataset": "iris", "n_samples": None, "model": "dense8", "class_weight": "balanced", "norm": "batch"},
    {"dataset": "diabetes", "n_samples": None, "model": "dense8", "norm": "batch", "loss": "huber"},
    {"dataset": "friedman1", "model": "dense8", "norm": "layer", "target_scaling": "none", "class_weight": "balanced"},
    {"model": "dense8", "optimizer": "nadam", "schedule": "cosine", "warmup": 0.5, "clipnorm": 0.1, "lr": 0.1},
    {"model": "dense8", "norm": "layer", "dtype": "mixed_float16"},
    {"model": "nets.py:plain", "norm": "as-is"},
    {"model": "dense8*2", "norm": "renorm"},
    {"model": "nets.py:asking", "norm": "renorm"},
    {"model": "dense8", "norm": "layer", "init_scale": 0.5, "shuffle": False, "seed": 3},
    {"model": "dense8 dropout0.5", "norm": "batch", "placement": "after", "optimizer": "adamw"},
    {"model": "dense8", "norm": "group", "kernel_initializer": "he_normal", "optimizer": "rmsprop"},
    {"dataset": "moons", "model": "dense8 softmax", "norm": "rms", "vary_data": True, "seed": 2},
    {"dataset": "breast_cancer", "n_samples": None, "model": "dense8", "norm": "batch", "norm_input": True},
    {"dataset": "small.npz", "n_samples": None, "model": "lstm8", "norm": "batch", "test_size": 0.2},
    {"model": "dense8", "norm": "batch", "weight_decay": 0.1, "decay": "kernels", "schedule": "step", "lr": 0.1},
    {"model": "dense8", "optimizer": "lion", "schedule": "exponential", "warmup": 1, "label_smoothing": 0.2},
    {"model": "dense8 softmax", "norm": "batch", "label_smoothing": 0.2, "schedule": "cosine"},
    {"model": "dense8", "epochs": 8, "patience": 1, "lr": 0.5, "warmup": 1},
    {"dataset": "small.npz", "n_samples": None, "model": "gru8", "norm": "layer"},
    {
        "dataset": "small.npz",
        "n_samples": None,
        "model": "conv4:k2:s2:same { conv4:same dropout0.2 conv6:s2:same } { conv6:same } avgpool gap",
        "norm": "batch",
        "init_scale": 0.5,
    },
    {"model": "nets.py:asking", "norm": "none"},
    {"model": "nets.py:plain", "norm": "none", "seed": 1},
    {"model": "nets.py:plain", "norm": "layer", "placement": "before"},
    {"model": "nets.py:Own", "norm": "as-is"},
    {"model": "nets.py:sequential", "norm": "as-is"},
    {"model": "nets.py:sequential", "norm": "none"},
]


@pytest.mark.parametrize("fields", [*FIELDS, *(pytest.param(each, marks=pytest.mark.slow) for each in MORE_FIELDS)])
def test_a_program_gives_the_recorded_numbers(fields, folder, monkeypatch):
    export_and_check(fields, folder, monkeypatch)


def test_a_function_is_imported_from_a_folder_with_its_neighbours_whatever_the_folder_is_called(folder):
    place = folder / 'od"d'
    place.mkdir()
    (place / "neighbour.py").write_text("WIDTH = 4")
    (place / "net.py").write_text(f"from neighbour import WIDTH\n{NETS}".replace("Dense(8", "Dense(WIDTH"))
    text = check(trained(model='od"d/net.py:sequential', norm="as-is"), folder)
    assert 'sys.path.insert(0, "od\\"d")' in text


@pytest.mark.parametrize(
    ("norm", "kept"),
    [
        ("as-is", False),
        pytest.param("none", False, marks=pytest.mark.slow),
        pytest.param("none", True, marks=pytest.mark.slow),
        ("frozen", True),
    ],
)
def test_a_file_is_loaded_and_starts_from_new_weights_or_its_own(norm, kept, folder):
    scope = {}
    exec(NETS, scope)  # the user's program
    scope["plain"]((2,), 2).save(folder / "saved.keras")
    text = check(trained(model="saved.keras", norm=norm, keep_weights=kept), folder)
    assert 'keras.models.load_model("saved.keras", compile=False)' in text
    assert keras.models.load_model(folder / "saved.keras", compile=False)


def test_the_stacked_engine_recorded_the_same_numbers(folder):
    check(trained(stacked, model="dense8", norm="batch"), folder)


def test_a_run_that_diverges_ends_in_the_same_epoch(folder):
    result = trained(model="dense8", optimizer="sgd", lr=1e6, activation="exponential", epochs=5)
    assert result.state == "diverged"
    found = executed(script_of(result), folder)
    assert found["loss"] == ("nan", "None")


def test_a_layer_that_keras_does_not_have_is_refused_by_its_class(folder):
    own = "import keras\nclass Mine(keras.layers.Layer):\n    def call(self, x):\n        return x\n"
    build = "def build(input_shape, n_outputs):\n    return keras.Sequential([keras.Input(input_shape), Mine(), "
    build += "keras.layers.Dense(4), keras.layers.BatchNormalization(), keras.layers.ReLU(), keras.layers.Dense(2)])\n"
    (folder / "own.py").write_text(own + build)
    with pytest.raises(InvalidConfig, match=r"^Mine is no class of plain Keras, so that no script can be written\.$"):
        script_of(trained(model="own.py", norm="none"))


@pytest.mark.slow
def test_it_runs_as_a_process_without_bncli(folder):
    text = script_of(trained(model="dense8", norm="batch"))
    hidden = "import sys\nsys.modules['bncli'] = None\n"
    done = subprocess.run([sys.executable, "-c", hidden + text], capture_output=True, text=True, check=True)
    assert len(pairs(done.stdout)) == 6
