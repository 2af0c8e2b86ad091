"""The model factory: published parameter counts, layers in their places, equal starts, impossible specs refused."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bncli.config import RunConfig
from bncli.errors import BncliError, InvalidConfig
from bncli.networks import models, norms
from bncli.networks.building import build_model
from bncli.networks.layout import ACTIVATIONS, INITIALIZERS, PLACEMENTS, lay_out
from bncli.networks.spec import parse_spec

POINTS, DIGITS, MNIST = (2,), (8, 8, 1), (28, 28, 1)
BATCH = {"norm": "batch"}


def build(shape=MNIST, n_classes=10, seed=0, **fields):
    return build_model(RunConfig(**fields), shape, n_classes, seed)


def counts(model):
    trainable = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    return model.count_params(), trainable


def steps(shape=DIGITS, n_classes=10, **fields):
    return [step.kind for step in lay_out(RunConfig(**fields), shape, n_classes)]


def refusal(shape, n_classes=10, **fields):
    with pytest.raises(InvalidConfig) as caught:
        lay_out(RunConfig(**fields), shape, n_classes)
    return str(caught.value)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"model": "lr-cnn"}, (93_322, 93_322)),
        ({"model": "lr-cnn", "norm_output": True, **BATCH}, (94_024, 94_024 - 468)),
        ({"model": "mnist-cnn"}, (1_199_882, 1_199_882)),
        ({"model": "mnist-cnn", **BATCH}, (1_200_650, 1_200_266)),
        ({"model": "paper-mlp", "activation": "sigmoid"}, (99_710, 99_710)),
    ],
)
def test_published_networks_have_the_published_parameter_counts(fields, expected):
    assert counts(build(**fields)) == expected


def test_circles_mlp_counts():
    assert counts(build(POINTS, 2, model="circles-mlp")) == (201, 201)
    assert counts(build(POINTS, 2, model="circles-mlp", use_bias="true", **BATCH)) == (401, 301)


def test_the_stack_overflow_recipe_layer_by_layer():
    fields = {"model": "tanh-dropout", "activation": "tanh", "use_bias": "true", "norm_output": True, **BATCH}
    model = build((14,), 2, **fields)
    kinds = [type(layer).__name__ for layer in model.layers]
    block = ["Dense", "BatchNormalization", "Activation", "Dropout"]
    assert kinds == [*block, *block, "Dense", "BatchNormalization", "Activation"]
    assert counts(model)[0] == (14 * 64 + 64) + 256 + (64 * 64 + 64) + 256 + (64 * 2 + 2) + 8
    assert model.output_shape == (None, 2)


def test_placement_before_and_after_the_activation():
    one = {"model": "dense8", **BATCH}
    tail = ["dense", "activation"]
    assert steps(POINTS, placement="before", **one) == ["dense", "norm", "activation", *tail]
    assert steps(POINTS, placement="after", **one) == ["dense", "activation", "norm", *tail]
    assert steps(POINTS, placement="input", **one) == ["norm", "dense", "activation", *tail]
    assert steps(POINTS, model="dense8") == ["dense", "activation", *tail]


def test_both_ends_can_be_normalized():
    ends = steps(POINTS, model="dense8", norm_input=True, norm_output=True, **BATCH)
    assert ends == ["norm", "dense", "norm", "activation", "dense", "norm", "activation"]


def test_a_spec_that_places_its_norms_gets_them_there_only():
    fields = {"model": "conv8 norm pool flatten dense8", **BATCH}
    expected = ["conv", "activation", "norm", "pool", "flatten", "dense", "activation", "dense", "activation"]
    assert all(steps(placement=placement, **fields) == expected for placement in PLACEMENTS)


def test_an_image_is_flattened_for_dense_and_read_by_rows_for_lstm():
    assert steps(model="dense8")[0] == "flatten"
    reshape, lstm, *_ = lay_out(RunConfig(model="lstm8"), MNIST, 10)
    assert (reshape.shape, lstm.shape) == ((28, 28), (8,))


def test_all_lstms_but_the_last_return_sequences():
    shapes = [step.shape for step in lay_out(RunConfig(model="lstm8*2"), DIGITS, 10) if step.kind == "lstm"]
    assert shapes == [(8, 8), (8,)]


def test_the_norm_of_an_lstm_comes_after_it():
    assert steps(model="lstm8", placement="before", **BATCH)[:3] == ["reshape", "lstm", "norm"]
    assert steps(model="lstm8", placement="input", **BATCH)[:3] == ["reshape", "norm", "lstm"]


@pytest.mark.parametrize(
    ("fields", "has_bias"),
    [
        ({}, True),
        ({"norm": "batch", "placement": "before"}, False),
        ({"norm": "batch", "placement": "after"}, True),
        ({"norm": "batch", "placement": "before", "center": False}, True),
        ({"norm": "layer", "placement": "before"}, False),
        ({"norm": "rms", "placement": "before"}, True),
        ({"norm": "batch", "placement": "before", "use_bias": "true"}, True),
        ({"use_bias": "false"}, False),
    ],
)
def test_auto_bias_is_left_out_only_where_a_shift_follows_at_once(fields, has_bias):
    assert lay_out(RunConfig(model="dense8", **fields), POINTS, 2)[0].use_bias is has_bias


def test_two_classes_are_one_sigmoid_unit_unless_the_spec_says_softmax():
    assert lay_out(RunConfig(model="dense8"), POINTS, 2)[-1].value == "sigmoid"
    assert lay_out(RunConfig(model="dense8 softmax"), POINTS, 2)[-1].shape == (2,)


@pytest.mark.parametrize("initializer", INITIALIZERS)
def test_every_initializer_is_seeded(initializer):
    first, again, other = (
        build(POINTS, 2, seed=seed, model="dense8", kernel_initializer=initializer).get_weights()[0]
        for seed in (0, 0, 1)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_builds(activation):
    assert np.isfinite(build(POINTS, 2, model="dense8", activation=activation)(np.ones((2, 2)))).all()


def test_the_output_layer_keeps_its_initializer():
    plain, he = (build(POINTS, 2, model="dense8", kernel_initializer=i) for i in ("glorot_uniform", "he_uniform"))
    assert np.array_equal(plain.get_layer("dense_1").kernel, he.get_layer("dense_1").kernel)
    assert not np.array_equal(plain.get_layer("dense_0").kernel, he.get_layer("dense_0").kernel)


@pytest.mark.parametrize("model", ["conv4 flatten dense4", "lstm4"])
def test_init_scale_multiplies_the_kernels_of_hidden_layers_alone(model):
    plain, scaled = (build(DIGITS, model=model, init_scale=scale) for scale in (1.0, 0.25))
    ratios = {
        old.path.partition("/")[2]: np.unique(np.asarray(new) / np.asarray(old)).tolist()
        for old, new in zip(plain.weights, scaled.weights, strict=True)
        if "kernel" in old.path
    }
    hidden = {path: [0.25] for path in ratios if path.endswith("/kernel") and path != output_kernel(plain)}
    assert hidden
    assert ratios == {path: [1.0] for path in ratios} | hidden


def output_kernel(model):
    """The path of the last kernel."""
    return [w.path.partition("/")[2] for w in model.weights if w.path.endswith("/kernel")][-1]


ARMS = [
    {"norm": norm, "placement": placement}
    for norm, placement in itertools.product(norms.names(), PLACEMENTS)
    if placement == "before" or norm == "batch" or (norm != "none" and placement == "after")
]
"""Normalized input is tried with batch norm only: it alone takes a single channel."""


def small(model):
    return RunConfig(model=model).tiny().model


def shape_for(model):
    return MNIST if model == "lr-cnn" or model == "mnist-cnn" else DIGITS


@pytest.mark.parametrize("model", models.REGISTRY)
def test_every_model_with_every_norm_builds_with_the_same_initial_weights(model):
    import tensorflow as tf

    shape, kernels = shape_for(model), []
    x, y = tf.random.stateless_uniform((8, *shape), (0, 1)), tf.range(8) % 10
    for arm in ARMS:
        network = build(shape, model=small(model), **arm)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.keras.losses.sparse_categorical_crossentropy(y, network(x, training=True)))
        gradients = tape.gradient(loss, network.trainable_weights)
        assert all(np.isfinite(gradient).all() for gradient in gradients)
        kernels.append({w.path.partition("/")[2]: np.asarray(w) for w in network.weights if "kernel" in w.path})
        has_norm = any("Normalization" in type(layer).__name__ for layer in network.layers)
        assert has_norm == (arm["norm"] != "none")
    for other in kernels[1:]:
        assert other.keys() == kernels[0].keys()
        assert all(np.array_equal(other[path], kernels[0][path]) for path in other)


def test_initial_weights_depend_on_seed_and_layer():
    kernels = [
        np.asarray(layer.kernel).tobytes()
        for seed in (0, 1)
        for layer in build((8,), 10, seed=seed, model="dense8*3").layers
        if layer.name.startswith("dense") and layer.kernel.shape == (8, 8)
    ]
    assert len(set(kernels)) == len(kernels) == 6


@pytest.mark.parametrize(
    ("shape", "fields", "reason"),
    [
        (POINTS, {"model": "conv8"}, "conv8 needs an image (height, width, channels) but receives shape (2,)"),
        (POINTS, {"model": "pool dense8"}, "pool needs an image (height, width, channels) but receives shape (2,)"),
        (DIGITS, {"model": "conv8 pool pool pool dense8"}, "pool leaves nothing of 1x1 pixels"),
        (DIGITS, {"model": "conv8*4"}, "conv8 has a 3x3 kernel but receives only 2x2 pixels"),
        (
            DIGITS,
            {"model": "conv8 dense8"},
            "dense8 needs a flat input but receives shape (6, 6, 8): put flatten before it",
        ),
        (
            DIGITS,
            {"model": "conv8 pool"},
            "the output layer needs a flat input but receives shape (3, 3, 8): end in flatten or dense",
        ),
        (POINTS, {"model": "lstm8"}, "lstm8 needs a sequence or an image but receives shape (2,)"),
        (POINTS, {"model": "softmax dense8"}, "softmax ends a spec: it is the output over all classes"),
        (
            POINTS,
            {"model": "dense8", "norm": "group", "groups": 3},
            "groups=3 does not divide the 8 channels that norm 'group' receives",
        ),
        (
            DIGITS,
            {"model": "conv8 flatten", "norm": "layer", "norm_input": True},
            "norm 'layer' over a single value wipes it out (shape (8, 8, 1)); batch can do this",
        ),
    ],
)
def test_impossible_networks_are_refused(shape, fields, reason):
    assert refusal(shape, **fields) == f"model {fields['model']!r} can't be built: {reason}."


def test_a_norm_over_one_sigmoid_unit_is_refused():
    assert "over a single value" in refusal(POINTS, 2, model="dense8", norm="layer", norm_output=True)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("dense", "'dense' in model 'dense': dense needs a whole number from 1 to 16384 behind it."),
        ("dense0", "'dense0' in model 'dense0': dense needs a whole number from 1 to 16384 behind it."),
        ("dense6.5", "'dense6.5' in model 'dense6.5': dense needs a whole number from 1 to 16384 behind it."),
        ("dense8 dropout1", "'dropout1' in model 'dense8 dropout1': dropout needs a number from 0 to 0.99 behind it."),
        ("dense8 pool2", "'pool2' in model 'dense8 pool2': pool takes no number. Write pool."),
        ("dense8*0", "'dense8*0' in model 'dense8*0': a repeat is 1 to 1000. Received: 0."),
        ("flatten", "model 'flatten' has no layer with weights. Allowed: at least one of dense64, conv32, lstm32."),
        ("dense8*600 dense8*600", "model 'dense8*600 dense8*600' has 1200 layers. Allowed: at most 1000."),
    ],
)
def test_impossible_words_are_refused(spec, message):
    with pytest.raises(InvalidConfig) as caught:
        parse_spec(spec)
    assert str(caught.value) == message


def test_an_unknown_word_names_the_nearest():
    with pytest.raises(InvalidConfig) as caught:
        parse_spec("dens64")
    assert str(caught.value) == (
        "Unknown layer 'dens64' in model 'dens64'. Allowed: a registered model "
        f"({', '.join(models.REGISTRY)}) or a line of dense64, conv32, lstm32, dropout0.2, pool, flatten, norm, "
        "softmax, with repeats such as dense64*3. Did you mean 'dense'?"
    )


WORDS = st.sampled_from(
    [
        "dense8",
        "conv4",
        "lstm4",
        "pool",
        "flatten",
        "dropout0.3",
        "norm",
        "softmax",
        "dense4*2",
        "conv4*2",
        "x",
        "dense",
    ]
)


@given(
    st.lists(WORDS, max_size=7),
    st.sampled_from(ARMS),
    st.booleans(),
    st.booleans(),
    st.sampled_from([POINTS, (30,), DIGITS, MNIST, (1, 1, 3)]),
    st.integers(2, 10),
)
def test_any_line_of_words_is_planned_or_refused_in_words(words, arm, norm_input, norm_output, shape, n_classes):
    try:
        config = RunConfig(model=" ".join(words), norm_input=norm_input, norm_output=norm_output, **arm)
        planned = lay_out(config, shape, n_classes)
    except BncliError as error:
        assert str(error)
        return
    assert planned[-1].kind == "activation"
    assert planned[-1].shape == (1 if n_classes == 2 and words[-1] != "softmax" else n_classes,)
    assert all(min(step.shape) >= 1 for step in planned)


@given(st.text(max_size=30))
def test_any_text_is_a_spec_or_a_clear_error(text):
    try:
        assert parse_spec(text)
    except InvalidConfig as error:
        assert repr(text) in str(error) or "model" in str(error)


@pytest.mark.slow
@given(st.lists(WORDS, min_size=1, max_size=4), st.sampled_from(ARMS), st.sampled_from([POINTS, DIGITS]))
def test_what_plan_accepts_keras_builds(words, arm, shape):
    config = None
    try:
        config = RunConfig(model=" ".join(words), **arm)
        planned = lay_out(config, shape, 3)
    except BncliError:
        return
    model = build_model(config, shape, 3, 0)
    assert [layer.output.shape[1:] for layer in model.layers] == [step.shape for step in planned]
