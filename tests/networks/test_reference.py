"""Places of functions: which texts name one, and what is read from a file without running it."""

import os
from pathlib import Path

import pytest

from bncli.errors import InvalidConfig
from bncli.networks.network import network_of
from bncli.networks.reference import Reference, read_source, reference_of

NETS = """
raise RuntimeError("nobody runs this file")

def build(input_shape, n_outputs, norm=None, *, use_bias, activation="relu", **more):
    pass

class Net:
    depth = 3
    def __init__(self, n_outputs, norm):
        pass

class Bare:
    pass

WIDTH = 8
"""


@pytest.fixture
def nets(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("nets.py").write_text(NETS)


@pytest.mark.parametrize("model", ["mlp", "dense64*2", "conv32 pool flatten dense64", "conv32:k5", "", "py"])
def test_a_spec_or_a_name_is_no_place(model):
    assert reference_of(model) is None


@pytest.mark.parametrize(
    ("model", "place"),
    [
        ("nets.py", ("nets.py", "build", False)),
        ("a b/nets.py:residual", ("a b/nets.py", "residual", False)),
        ("nets.py:", ("nets.py", "build", False)),
        ("lab.nets:residual", ("lab.nets", "residual", True)),
        ("a/net.keras", ("a/net.keras", "", False, True)),
    ],
)
def test_the_place_of_a_function(model, place):
    assert reference_of(model) == Reference(*place)


def test_parameters_and_whether_they_have_defaults(nets):
    source = read_source(reference_of("nets.py"))
    expected = {"input_shape": False, "n_outputs": False, "norm": True, "use_bias": False, "activation": True}
    assert dict(source.parameters) == expected
    assert read_source(reference_of("nets.py:Net")).parameters == (("n_outputs", False), ("norm", False))
    assert read_source(reference_of("nets.py:Bare")).parameters == ()


HELPERS = """
import keras
from keras import layers
from keras.layers import Dense, LayerNormalization as LN

def dense(x):
    return layers.Dense(8)(x)

def conv(x):
    return layers.BatchNormalization()(dense(x))

def plain(n_outputs):
    return dense(Dense(n_outputs))

def nested(n_outputs):
    def block(x):
        return conv(x)
    return block

if keras:
    NORM = getattr(layers, "GroupNormalization")

def constant():
    return NORM

class Base(keras.Model):
    def __init__(self):
        self.norm = LN()

class Net(Base):
    pass
"""


@pytest.mark.parametrize(
    ("function", "norm"),
    [
        ("plain", None),
        ("nested", "BatchNormalization"),
        ("constant", "GroupNormalization"),
        ("Net", "LayerNormalization"),
    ],
)
def test_the_normalizations_that_a_function_names_are_its_own_and_those_of_its_helpers(nets, function, norm):
    Path("nets.py").write_text(HELPERS)
    named = read_source(reference_of(f"nets.py:{function}")).names
    assert {name for name in named if name.endswith("Normalization")} == ({norm} if norm else set())
    assert network_of(f"nets.py:{function}").has_norms == bool(norm)


def test_the_hash_is_that_of_the_text(nets):
    before = read_source(reference_of("nets.py")).digest
    assert read_source(reference_of("nets.py:Net")).digest == before
    Path("nets.py").write_text(NETS + "\n")
    assert read_source(reference_of("nets.py")).digest != before


def test_a_module_is_found_in_this_folder_and_among_packages(nets):
    Path("lab").mkdir()
    Path("lab/nets.py").write_text(NETS)
    assert read_source(reference_of("lab.nets:build")).path.samefile("lab/nets.py")
    assert read_source(reference_of("lab.nets:build")).package == "lab"
    Path("lab/images/small").mkdir(parents=True)  # folders without an __init__.py
    Path("lab/images/small/nets.py").write_text(NETS)
    assert read_source(reference_of("lab.images.small.nets:build")).path.samefile("lab/images/small/nets.py")
    with pytest.raises(
        InvalidConfig, match=r"^model 'json.decoder' has no function 'build'\. By def or class, it defines: JSON"
    ):
        read_source(reference_of("json.decoder:build"))


def test_the_package_of_a_module_is_not_run_when_it_is_read(nets):
    Path("lab").mkdir()
    Path("lab/__init__.py").write_text("raise SystemExit")
    Path("lab/nets.py").write_text(NETS)
    assert read_source(reference_of("lab.nets:build")).text == NETS


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("none.py", "model 'none.py' can't be read (No such file or directory). Give the path of a Python file."),
        (
            "nets.py:biuld",
            "model 'nets.py' has no function 'biuld'. By def or class, it defines: build, Net, Bare. Name one behind a "
            "colon, e.g. nets.py:build. Did you mean 'build'?",
        ),
        (
            "nets.py:WIDTH",
            "model 'nets.py' has no function 'WIDTH'. By def or class, it defines: build, Net, Bare. Name one behind a "
            "colon, e.g. nets.py:build.",
        ),
        ("half.py", "model 'half.py', line 2 is not Python: expected ':'."),
        ("nul.py", "model 'nul.py' is not Python: source code string cannot contain null bytes."),
        ("pipe.py", "model 'pipe.py' can't be read (Not a regular file). Give the path of a Python file."),
        (
            "many.py",
            "model 'many.py' has no function 'build'. By def or class, it defines: a, b, c, d, e, f, g, h, i, j, k, l "
            "and 2 more. Name one behind a colon, e.g. many.py:a.",
        ),
        (
            "empty.py",
            "model 'empty.py' has no function 'build'. It has no def and no class at its top level. Write one there: "
            "def build(...).",
        ),
        ("nolab.none:build", "There is no Python module 'nolab.none' in this folder or among the packages."),
        ("json.none:build", "There is no Python module 'json.none' in this folder or among the packages."),
    ],
)
def test_what_can_not_be_read(nets, model, message):
    Path("half.py").write_text("\ndef build(x)\n")
    Path("empty.py").write_text("")
    Path("nul.py").write_text("def build(x): pass\0")
    Path("many.py").write_text("".join(f"def {name}(): pass\n" for name in "abcdefghijklmn"))
    os.mkfifo("pipe.py")
    with pytest.raises(InvalidConfig) as caught:
        read_source(reference_of(model))
    assert str(caught.value) == message
