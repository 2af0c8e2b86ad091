"""Which runs share a graph, how large the stacks are, and by which method they train: all without TensorFlow."""

import itertools
import math

import numpy as np
import pytest

from bncli import process
from bncli.config import FIELDS, RunConfig
from bncli.data import datasets
from bncli.engines import method
from bncli.engines.method import (
    CACHE_BYTES,
    LEAST_LARGE,
    LEAST_STACK,
    MAX_STACK,
    OMITTED,
    STACK_BYTES,
    STACKED_MAC_LIMIT,
    VARIED,
    check_memory,
    epochs_per_call,
    group,
    step_bytes,
)
from bncli.errors import InvalidConfig
from bncli.networks.cost import cost_of_layers
from bncli.networks.layout import lay_out
from bncli.resolution import resolve

OTHERS = {
    "dataset": "moons",
    "label": "kind",
    "task": "regression",
    "drop": "x",
    "encode": "ordinal",
    "impute": "mean",
    "padding": -1.0,
    "class_balance": 0.9,
    "target_scaling": "none",
    "loss": "focal_crossentropy",
    "class_weight": "balanced",
    "keep_weights": True,
    "n_samples": 64,
    "model_digest": "0123456789abcdef",
    "noise": 0.2,
    "data_seed": 7,
    "train_rows": ":40",
    "val_rows": ":20",
    "scaling": "standard",
    "test_size": 0.25,
    "vary_data": True,
    "model": "dense9",
    "activation": "tanh",
    "kernel_initializer": "he_normal",
    "use_bias": "false",
    "norm": "layer",
    "placement": "after",
    "norm_input": True,
    "norm_output": True,
    "norm_momentum": 0.5,
    "norm_epsilon": 0.5,
    "center": False,
    "scale": False,
    "groups": 4,
    "ghost": 4,
    "optimizer": "adam",
    "nesterov": True,
    "decay": "kernels",
    "schedule": "cosine",
    "dtype": "mixed_float16",
    "batch_size": 8,
    "epochs": 3,
    "shuffle": False,
}
"""Another value for every field that shapes the graph."""

BASE = RunConfig(
    dataset="circles", model="dense8", norm="batch", optimizer="sgd", lr=0.01, momentum=0.9, weight_decay=0.01
)


def circles(**fields):
    """The circles tutorial's network and data, resolved."""
    start = {"dataset": "circles", "model": "circles-mlp", "norm": "batch", "optimizer": "sgd", "epochs": 100}
    return resolve(RunConfig(**start | fields))[0]


def data(input_shape, n_train=60, n_val=20, n_classes=10):
    """A data set of shapes only: it takes no memory, however large."""
    x = [np.broadcast_to(np.float32(0), (n, *input_shape)) for n in (n_train, n_val)]
    y = [np.broadcast_to(np.int32(0), n) for n in (n_train, n_val)]
    names = tuple(str(number) for number in range(n_classes))
    return datasets.Dataset("shapes", x[0], y[0], x[1], y[1], names, (), "none")


def choose(config, dataset, n_runs, **more):
    return method.choose(config, dataset, n_runs, **{"has_gpu": False} | more)


def macs(model, input_shape, n_classes=10, **fields):
    return cost_of_layers(lay_out(RunConfig(model=model, **fields), input_shape, n_classes), input_shape).macs


def run_bytes(config, dataset):
    return method.run_bytes(method.cost_of(config, dataset), config, dataset)


def test_runs_that_differ_only_in_varied_fields_share_a_graph():
    changes = itertools.product(
        (0, 1), (1.0, 0.1), (0.01, 1.0), (0.5, 0.9), (0.01, 0.5), (0.5, 1.0), (0.1, 0.2), (1.0, 1.5), (2, 3)
    )
    runs = [BASE.replace(**dict(zip(VARIED, values, strict=True))) for values in changes]
    assert len(set(runs)) == 512
    assert group(runs) == [runs]


@pytest.mark.parametrize("field", [name for name in FIELDS if name not in VARIED])
def test_every_other_field_needs_another_graph(field):
    other = BASE.replace(**{field: OTHERS[field]})
    assert other != BASE
    assert group([BASE, other]) == [[BASE], [other]]


@pytest.mark.parametrize("field", OMITTED)
def test_a_number_of_zero_needs_another_graph(field):
    base = BASE.replace(**{field: 0.5})
    without = base.replace(**{field: 0.0})
    assert group([base, without]) == [[base], [without]]


def test_groups_keep_the_order_of_graphs_and_runs():
    arms = [BASE.replace(norm=norm) for norm in ("rms", "batch", "none")]
    runs = [arm.replace(seed=seed) for seed in (5, 3, 4) for arm in arms]
    expected = [[arm.replace(seed=seed) for seed in (5, 3, 4)] for arm in arms]
    assert group(runs) == expected


@pytest.mark.parametrize("n_runs", [1, 30, MAX_STACK + 1, 2 * MAX_STACK + 1, 10_000])
def test_runs_are_split_into_equal_stacks_that_fit_the_memory(n_runs):
    config = circles()
    dataset = datasets.load(config)
    found = choose(config, dataset, n_runs)
    most = min(MAX_STACK, STACK_BYTES // run_bytes(config, dataset))
    n_stacks = math.ceil(n_runs / found.n_runs)
    assert found.n_runs <= most
    assert n_stacks * found.n_runs - n_runs < n_stacks
    if found.lanes > 1:
        most = CACHE_BYTES // step_bytes(method.cost_of(config, dataset), config.batch_size)
    assert abs(n_stacks - n_runs / most) < found.lanes


def test_stacks_are_somewhat_larger_than_the_caches_rather_than_leave_a_lane_idle():
    config, _ = resolve(RunConfig(model="cnn", norm="batch", epochs=10))
    dataset = datasets.load(config)
    assert [choose(config, dataset, n_runs).n_runs for n_runs in (16, 20, 24, 28)] == [4, 5, 4, 4]


def test_under_xla_a_cpu_trains_stacks_in_pairs():
    config = circles(epochs=100)
    dataset = datasets.load(config)
    alone, pair, many = (choose(config, dataset, n_runs) for n_runs in (1, 128, 2 * MAX_STACK + 2))
    assert (alone.xla, alone.lanes, alone.n_runs) == (False, 1, 1)
    assert (pair.xla, pair.lanes, pair.n_runs) == (True, 2, 64)
    assert many.n_runs == math.ceil((2 * MAX_STACK + 2) / 4)
    assert choose(config, dataset, 128, has_gpu=True).n_runs == 128


def test_stacks_are_smaller_where_a_run_takes_more_memory():
    config, one_run = circles(batch_size=10_000), 256 << 20
    small, large = (data((1000,), n_train=n) for n in (100, 10_000))
    assert choose(config, small, 64, has_gpu=True).n_runs == 64
    assert 1 < choose(config, large, 64, has_gpu=True).n_runs < 64
    assert run_bytes(config, large) < one_run


def test_a_network_that_fills_the_memory_is_a_stack_of_one():
    config, dataset = circles(model="dense16384*2"), data((1000,))
    assert run_bytes(config, dataset) > STACK_BYTES
    assert choose(config, dataset, 64, has_gpu=True).n_runs == 1


def test_a_batch_that_fills_the_memory_is_in_a_stack_of_one():
    config, dataset = circles(batch_size=1_000_000), data((200,), n_train=1_000_000)
    assert run_bytes(config, dataset) > STACK_BYTES
    found = choose(config, dataset, 64)
    assert (found.stacked, found.n_runs) == (True, 1)


@pytest.mark.parametrize(
    ("model", "input_shape", "n_classes", "expected"),
    [
        ("dense64*2", (30,), 2, 30 * 64 + 64 * 64 + 64 * 1),
        ("dense64", (8, 8, 1), 10, 64 * 64 + 64 * 10),
        ("dense64 softmax", (30,), 2, 30 * 64 + 64 * 2),
        ("conv32 pool conv64 flatten dense64", (8, 8, 1), 10, 6 * 6 * 32 * 9 + 64 * 9 * 32 + 64 * 64 + 64 * 10),
        ("conv4 flatten", (5, 7, 3), 10, 3 * 5 * 4 * 9 * 3 + 3 * 5 * 4 * 10),
        ("conv4:k5:s2:same avgpool gap", (8, 6, 3), 10, 4 * 3 * 4 * 25 * 3 + 4 * 10),
        ("{ conv4:s2:same conv4:same } gap", (8, 8, 2), 10, 16 * 4 * 9 * (2 + 4) + 16 * 4 * 2 + 4 * 10),
        ("{ dense5 dense3 } dense3", (3,), 4, 3 * 5 + 5 * 3 + 3 * 3 + 3 * 4),
        ("{ dense5 dense4 }", (3,), 4, 3 * 5 + 5 * 4 + 3 * 4 + 4 * 4),
        ("gru32", (8, 8, 1), 10, 8 * 3 * 32 * (8 + 32) + 32 * 10),
        ("lstm32", (8, 8, 1), 10, 8 * 4 * 32 * (8 + 32) + 32 * 10),
        ("lstm6*2", (28, 28, 1), 10, 28 * 4 * 6 * (28 + 6) + 28 * 4 * 6 * (6 + 6) + 6 * 10),
    ],
)
def test_multiply_adds_of_a_row(model, input_shape, n_classes, expected):
    assert macs(model, input_shape, n_classes) == expected


def test_norms_activations_and_dropout_add_no_multiply_adds():
    plain = macs("dense8 dense8", (30,))
    assert macs("dense8 dropout0.5 dense8", (30,), norm="batch", activation="gelu", norm_input=True) == plain


def test_the_published_mnist_cnn_is_not_stacked_on_a_cpu():
    config, dataset = RunConfig(model="mnist-cnn", norm="batch"), data((28, 28, 1), 8000, 2000)
    assert macs("mnist-cnn", (28, 28, 1)) == 26 * 26 * 32 * 9 + 24 * 24 * 64 * 9 * 32 + 12 * 12 * 64 * 128 + 1280
    found = choose(config, dataset, 30)
    assert (found.stacked, found.matrix_conv, found.xla) == (False,) * 3
    assert choose(config, dataset, 30, has_gpu=True).stacked
    assert choose(config, dataset, 30, always_stack=True).stacked


def test_the_20_layers_of_resnet20_train_side_by_side_on_a_cpu():
    config, dataset = RunConfig(model="resnet20", norm="batch"), data((32, 32, 3))
    stage = 6 * 9 * 16 * 16 * 32 * 32
    firsts = [(n // 2 - n) * n * 9 * (512 // n) ** 2 + n // 2 * n * (512 // n) ** 2 for n in (32, 64)]
    assert macs("resnet20", (32, 32, 3)) == 3 * 16 * 9 * 32 * 32 + 3 * stage + sum(firsts) + 640 == 40_813_184
    assert choose(config, dataset, 30).n_runs == 3


@pytest.mark.parametrize(("n_runs", "size"), [(1, 1), (2, 2), (3, 3), (4, 4), (5, 3), (6, 3), (8, 4), (10, 2), (30, 3)])
def test_a_few_large_networks_train_side_by_side_with_the_fewest_copies(n_runs, size):
    assert choose(RunConfig(model="mnist-cnn"), data((28, 28, 1)), n_runs).n_runs == size


def test_small_networks_are_stacked():
    for model, shape in (("circles-mlp", (2,)), *((model, (8, 8, 1)) for model in ("mlp", "cnn", "lstm", "vgg-small"))):
        found = choose(RunConfig(model=model, norm="batch"), data(shape), 30)
        assert (found.stacked, found.matrix_conv, found.n_runs) == (True, True, 30)


def test_xla_is_chosen_for_many_runs_and_not_for_a_tiny_job():
    config = circles(epochs=100)
    dataset = datasets.load(config)
    assert choose(config, dataset, 10_000).xla
    assert not choose(config.tiny(), datasets.load(config.tiny()), 2).xla


def test_what_a_step_of_a_stack_touches_stays_in_the_caches_but_stacks_are_not_tiny():
    config, dataset = RunConfig(model="mlp", norm="batch", epochs=20), data((8, 8, 1), 1347, 450)
    found = choose(config, dataset, 128)
    size = step_bytes(method.cost_of(config, dataset), config.batch_size)
    assert (found.lanes, found.n_runs) == (2, 22)
    assert found.n_runs * size <= CACHE_BYTES < 2 * found.n_runs * size
    assert choose(config.replace(model="cnn"), dataset, 128).n_runs == LEAST_STACK
    assert choose(config.replace(model="vgg-small"), dataset, 128).n_runs == LEAST_LARGE


@pytest.mark.parametrize("model", ["dense1024*2", "lstm256"])
def test_large_networks_without_convolutions_train_under_xla_one_by_lane(model):
    config, dataset = RunConfig(model=model, norm="batch", epochs=20), data((8, 8, 1), 1347, 450)
    assert macs(model, (8, 8, 1)) > STACKED_MAC_LIMIT
    found = choose(config, dataset, 128)
    assert (found.stacked, found.xla, found.lanes, found.n_runs) == (True, True, 2, 1)


def test_a_call_trains_several_short_epochs_or_one_long_one():
    config = circles(epochs=100)
    dataset = datasets.load(config)
    few = choose(config, dataset, 128)
    assert 1 < epochs_per_call(config, dataset, few) < 100
    assert epochs_per_call(config.replace(epochs=2), dataset, few) == 2
    assert epochs_per_call(config, dataset, choose(config, dataset, 1)) == 1  # without XLA
    long = RunConfig(model="cnn", norm="batch", epochs=20), data((8, 8, 1), 100_000, 100)
    assert epochs_per_call(*long, choose(*long, 16)) == 1


def test_a_gpu_always_uses_xla():
    config = circles(epochs=1)
    assert choose(config, datasets.load(config), 1, has_gpu=True).xla


def test_a_batch_larger_than_the_data_counts_as_one_of_all_rows():
    config = circles()
    dataset = datasets.load(config)
    whole, larger = (config.replace(batch_size=size) for size in (len(dataset.y_train), 10**6))
    assert choose(whole, dataset, 10_000).xla
    assert choose(larger, dataset, 10_000) == choose(whole, dataset, 10_000)


@pytest.mark.parametrize(
    ("fields", "numbers"),
    [
        ({"model": "dense16384*1000"}, "its 268,167,069,696 weights and a batch of 32 rows take at least 2,000.0 GiB"),
        ({"model": "conv16384 flatten dense4", "dataset": "digits", "batch_size": 1_000_000}, "a batch of 1,347 rows"),
        ({"model": "lstm16384*9", "dataset": "digits"}, "take at least"),
    ],
)
def test_a_network_that_can_not_fit_into_memory_is_refused_by_arithmetic(fields, numbers, monkeypatch):
    monkeypatch.setattr(process, "usable_memory", lambda: 2 * 2**30)
    config, _ = resolve(RunConfig(**({"dataset": "circles"} | fields)))
    with pytest.raises(InvalidConfig) as caught:
        check_memory([config])
    assert str(caught.value).startswith(f"model {fields['model']!r} is too large: its ")
    assert numbers in str(caught.value)
    assert str(caught.value).endswith(
        " GiB. Allowed: 2.0 GiB, the memory of this machine. Try fewer or smaller layers, or a smaller batch_size."
    )
    check_memory([config.replace(model="conv8 flatten dense4" if config.dataset == "digits" else "dense4")])
