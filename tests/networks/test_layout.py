"""From a spec to layers: their order, shapes and biases, and networks that can't be built."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bncli.config import RunConfig
from bncli.errors import BncliError, InvalidConfig
from bncli.networks import norms
from bncli.networks.building import build_model
from bncli.networks.layout import PLACEMENTS, lay_out

POINTS, DIGITS, MNIST = (2,), (8, 8, 1), (28, 28, 1)
BATCH = {"norm": "batch"}


def kinds(shape=DIGITS, n_classes=10, **fields):
    return [layer.kind for layer in lay_out(RunConfig(**fields), shape, n_classes)]


def error_text(shape, n_classes=10, **fields):
    with pytest.raises(InvalidConfig) as caught:
        lay_out(RunConfig(**fields), shape, n_classes)
    return str(caught.value)


def test_placement_before_and_after_the_activation():
    one = {"model": "dense8", **BATCH}
    tail = ["dense", "activation"]
    assert kinds(POINTS, placement="before", **one) == ["dense", "norm", "activation", *tail]
    assert kinds(POINTS, placement="after", **one) == ["dense", "activation", "norm", *tail]
    assert kinds(POINTS, placement="input", **one) == ["norm", "dense", "activation", *tail]
    assert kinds(POINTS, model="dense8") == ["dense", "activation", *tail]


def test_input_and_output_can_be_normalized():
    ends = kinds(POINTS, model="dense8", norm_input=True, norm_output=True, **BATCH)
    assert ends == ["norm", "dense", "norm", "activation", "dense", "norm", "activation"]


def test_a_spec_with_the_word_norm_is_normalized_there_only():
    fields = {"model": "conv8 norm pool flatten dense8", **BATCH}
    expected = ["conv", "activation", "norm", "pool", "flatten", "dense", "activation", "dense", "activation"]
    assert all(kinds(placement=placement, **fields) == expected for placement in PLACEMENTS)


def test_an_image_is_flattened_for_dense_and_read_row_by_row_for_lstm():
    assert kinds(model="dense8")[0] == "flatten"
    reshape, lstm, *_ = lay_out(RunConfig(model="lstm8"), MNIST, 10)
    assert (reshape.shape, lstm.shape) == ((28, 28), (8,))


def test_all_lstms_but_the_last_return_sequences():
    shapes = [layer.shape for layer in lay_out(RunConfig(model="lstm8*2"), DIGITS, 10) if layer.kind == "lstm"]
    assert shapes == [(8, 8), (8,)]


def test_the_norm_of_an_lstm_is_after_it():
    assert kinds(model="lstm8", placement="before", **BATCH)[:3] == ["reshape", "lstm", "norm"]
    assert kinds(model="lstm8", placement="input", **BATCH)[:3] == ["reshape", "norm", "lstm"]


@pytest.mark.parametrize(
    ("fields", "has_bias"),
    [
        ({}, True),
        ({"norm": "batch", "placement": "before"}, False),
        ({"norm": "batch", "placement": "after"}, True),
        ({"norm": "batch", "placement": "before", "center": False}, True),
        ({"norm": "layer", "placement": "before"}, True),
        ({"norm": "group", "placement": "before"}, True),
        ({"norm": "layer", "placement": "before", "use_bias": "unshifted"}, False),
        ({"norm": "layer", "placement": "before", "use_bias": "unshifted", "center": False}, True),
        ({"norm": "layer", "placement": "after", "use_bias": "unshifted"}, True),
        ({"norm": "batch", "placement": "before", "use_bias": "unshifted"}, False),
        ({"norm": "rms", "placement": "before"}, True),
        ({"norm": "batch", "placement": "before", "use_bias": "true"}, True),
        ({"use_bias": "false"}, False),
    ],
)
def test_a_bias_is_left_out_only_if_a_shift_follows_directly(fields, has_bias):
    assert lay_out(RunConfig(model="dense8", **fields), POINTS, 2)[0].use_bias is has_bias


def test_two_classes_are_one_sigmoid_unit_unless_the_spec_says_softmax():
    assert lay_out(RunConfig(model="dense8"), POINTS, 2)[-1].value == "sigmoid"
    assert lay_out(RunConfig(model="dense8 softmax"), POINTS, 2)[-1].shape == (2,)


@pytest.mark.parametrize(
    ("shape", "fields", "reason"),
    [
        (POINTS, {"model": "conv8"}, "conv8 needs an image (height, width, channels) but receives shape (2,)"),
        (POINTS, {"model": "pool dense8"}, "pool needs an image (height, width, channels) but receives shape (2,)"),
        (DIGITS, {"model": "conv8 pool pool pool dense8"}, "pool needs at least 2x2 pixels but receives 1x1"),
        (DIGITS, {"model": "conv8*4"}, "conv8 needs at least 3x3 pixels but receives 2x2"),
        (
            DIGITS,
            {"model": "conv8 dense8"},
            "dense8 needs a flat input but receives shape (6, 6, 8): put flatten before it",
        ),
        (
            DIGITS,
            {"model": "conv8 pool"},
            "the output layer needs a flat input but receives shape (3, 3, 8): put flatten at the end",
        ),
        (POINTS, {"model": "lstm8"}, "lstm8 needs a sequence or an image but receives shape (2,)"),
        (POINTS, {"model": "softmax dense8"}, "softmax must be the last word, because it sets the output layer"),
        (
            POINTS,
            {"model": "dense8", "norm": "group", "groups": 3},
            "norm 'group' receives 8 channels, which groups=3 does not divide",
        ),
        (
            DIGITS,
            {"model": "conv8 flatten", "norm": "layer", "norm_input": True},
            "norm 'layer' over one value always outputs 0 (input shape (8, 8, 1)): use batch",
        ),
    ],
)
def test_lay_out_rejects_networks_that_can_not_be_built(shape, fields, reason):
    assert error_text(shape, **fields) == f"model {fields['model']!r} can't be built: {reason}."


def test_lay_out_rejects_a_norm_over_one_output_unit():
    assert error_text(POINTS, 2, model="dense8", norm="rms", norm_output=True) == (
        "model 'dense8' can't be built: norm 'rms' over one value outputs only its sign (input shape (1,)): use batch."
    )


WORDS = st.sampled_from(
    ["dense8", "conv4", "lstm4", "pool", "flatten", "dropout0.3", "norm", "softmax", "dense4*2", "conv4*2", "x"]
)

ARMS = [
    {"norm": norm, "placement": placement}
    for norm, placement in itertools.product(norms.names(), PLACEMENTS)
    if norm != "none" or placement == "before"
]


@given(
    st.lists(WORDS, max_size=7),
    st.sampled_from(ARMS),
    st.booleans(),
    st.booleans(),
    st.sampled_from([POINTS, (30,), DIGITS, MNIST, (1, 1, 3)]),
    st.integers(2, 10),
)
def test_any_line_of_words_is_laid_out_or_rejected(words, arm, norm_input, norm_output, shape, n_classes):
    try:
        config = RunConfig(model=" ".join(words), norm_input=norm_input, norm_output=norm_output, **arm)
        layers = lay_out(config, shape, n_classes)
    except BncliError as error:
        assert str(error)
        return
    assert layers[-1].kind == "activation"
    assert layers[-1].shape == (1 if n_classes == 2 and words[-1] != "softmax" else n_classes,)
    assert all(min(layer.shape) >= 1 for layer in layers)


@pytest.mark.slow
@given(st.lists(WORDS, min_size=1, max_size=4), st.sampled_from(ARMS), st.sampled_from([POINTS, DIGITS]))
def test_keras_builds_what_lay_out_accepts(words, arm, shape):
    try:
        config = RunConfig(model=" ".join(words), **arm)
        layers = lay_out(config, shape, 3)
    except BncliError:
        return
    model = build_model(config, shape, 3, 0)
    assert [built.output.shape[1:] for built in model.layers] == [layer.shape for layer in layers]
