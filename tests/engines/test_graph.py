"""How much a compiled step does: an upgrade of Keras or TensorFlow that makes it slower is seen here."""

import re
from collections import Counter

import pytest
import tensorflow as tf

from bncli.config import RunConfig
from bncli.data import datasets
from bncli.engines.graph import Graph
from bncli.engines.method import RATES, Method
from bncli.resolution import resolve

CIRCLES = {"dataset": "circles", "model": "circles-mlp", "optimizer": "sgd", "momentum": 0.9, "norm": "batch"}
WORK = (
    "fusion",
    "dot",
    "copy",
    "reduce",
    "concatenate",
    "scatter",
    "gather",
    "transpose",
    "custom-call",
    "convolution",
)
"""Instructions that take time by their number, however little they do."""

OPERATION = re.compile(r"^\s+(?:ROOT )?%?\S+ = (?:\(.*?\)|\S+) ([a-z-]+)\(", re.MULTILINE)
COMPUTATION = re.compile(r"^(?:ENTRY )?%?([\w.-]+) \(.*?\{\n(.*?)^\}", re.MULTILINE | re.DOTALL)


def compiled(fields, n_runs=4):
    """The program of a stack after XLA's optimization, as text."""
    config, _ = resolve(RunConfig(**fields))
    data = datasets.load(config)
    graph = Graph(config, data, Method(n_runs, stacked=True, matrix_conv=True, xla=True))
    numbers = {name: tf.zeros([n_runs]) for name in (*RATES, "warmup")}
    orders = tf.zeros([1, n_runs, len(data.y_train)], tf.int32)
    ends = tf.ones([n_runs], tf.bool), tf.constant(0.0), tf.constant(0)
    return graph.train_epochs.experimental_get_compiler_ir(graph.zeros(), numbers, orders, *ends)("optimized_hlo")


def step_of(text):
    """How often each operation stands in the body of the innermost loop, which is a step."""
    found = {name: Counter(OPERATION.findall(body)) for name, body in COMPUTATION.findall(text)}
    bodies = {
        found[name]["dot"]: found[name] for name in re.findall(r"body=%?([\w.-]+)", text) if "while" not in found[name]
    }
    return bodies[max(bodies)]


@pytest.mark.parametrize(
    ("fields", "most", "dots"),
    [
        (CIRCLES, 42, 4),
        pytest.param({"dataset": "digits", "model": "mlp", "norm": "batch"}, 84, 8, marks=pytest.mark.slow),
        pytest.param({"dataset": "digits", "model": "cnn", "norm": "batch"}, 134, 15, marks=pytest.mark.slow),
        pytest.param({"dataset": "digits", "model": "lstm", "norm": "batch"}, 164, 20, marks=pytest.mark.slow),
    ],
    ids=["circles", "mlp", "cnn", "lstm"],
)
def test_a_step_has_few_instructions(fields, most, dots):
    found = step_of(compiled(fields))
    assert found["dot"] == dots
    assert 0 < sum(found[name] for name in WORK) <= most


def test_a_softmax_and_its_loss_share_their_exponentials():
    text = compiled({"dataset": "digits", "model": "dense8", "norm": "none", "optimizer": "sgd"})
    in_training, in_validation = 1, 1
    assert len(re.findall(r" exponential\(", text)) == in_training + in_validation
