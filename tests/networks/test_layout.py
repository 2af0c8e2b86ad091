"""From a spec to layers: their order, shapes and biases, and networks that can't be built."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bncli.config import RunConfig
from bncli.errors import BncliError, InvalidConfig
from bncli.networks import norms
from bncli.networks.building import build_model
from bncli.networks.cost import cost_of_layers
from bncli.networks.layer import Window
from bncli.networks.layout import PLACEMENTS, lay_out
from bncli.networks.words import WORDS, kind_of

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


@pytest.mark.parametrize("model", ["lstm8*2", "lstm8 gru8", "gru8 dropout0.1 gru8"])
def test_all_recurrent_layers_but_the_last_return_sequences(model):
    shapes = [layer.shape for layer in lay_out(RunConfig(model=model), DIGITS, 10) if layer.kind in ("lstm", "gru")]
    assert shapes == [(8, 8), (8,)]


@pytest.mark.parametrize("word", ["lstm", "gru"])
def test_the_norm_of_a_recurrent_layer_is_after_it(word):
    for placement in ("before", "after"):
        assert kinds(model=f"{word}8", placement=placement, **BATCH)[:3] == ["reshape", word, "norm"]
    assert kinds(model=f"{word}8", placement="input", **BATCH)[:3] == ["reshape", "norm", word]


def placed(shape=DIGITS, n_classes=10, **fields):
    """Kinds and inputs of the layers before the output layer."""
    return [(layer.kind, layer.inputs) for layer in lay_out(RunConfig(**fields), shape, n_classes)[:-2]]


def test_a_block_ends_in_the_activation_of_its_sum():
    assert placed(model="{ dense8 dense2 }", shape=POINTS) == [
        ("dense", (-1,)),
        ("activation", (0,)),
        ("dense", (1,)),
        ("add", (2, -1)),
        ("activation", (3,)),
    ]


def test_norms_before_activations_are_in_the_branch_and_behind_the_projection():
    fields = {"model": "{ conv4:same conv6:s2:same } gap", "placement": "before", **BATCH}
    assert placed(**fields) == [
        ("conv", (-1,)),
        ("norm", (0,)),
        ("activation", (1,)),
        ("conv", (2,)),
        ("norm", (3,)),
        ("conv", (-1,)),
        ("norm", (5,)),
        ("add", (4, 6)),
        ("activation", (7,)),
        ("gap", (8,)),
    ]
    assert [layer.use_bias for layer in lay_out(RunConfig(**fields), DIGITS, 10) if layer.has_weights] == [
        *[False] * 3,
        True,
    ]


def test_norms_after_activations_follow_that_of_the_sum():
    fields = {"model": "{ conv4:same conv6:s2:same } gap", "placement": "after", **BATCH}
    assert placed(**fields) == [
        ("conv", (-1,)),
        ("activation", (0,)),
        ("norm", (1,)),
        ("conv", (2,)),
        ("conv", (-1,)),
        ("add", (3, 4)),
        ("activation", (5,)),
        ("norm", (6,)),
        ("gap", (7,)),
    ]
    assert all(layer.use_bias for layer in lay_out(RunConfig(**fields), DIGITS, 10))


def test_the_word_norm_in_a_block_is_the_only_norm():
    assert placed(model="{ dense8 dropout0.1 dense8 norm }", shape=POINTS, **BATCH) == [
        ("dense", (-1,)),
        ("activation", (0,)),
        ("dropout", (1,)),
        ("dense", (2,)),
        ("norm", (3,)),
        ("dense", (-1,)),
        ("add", (4, 5)),
        ("activation", (6,)),
    ]


@pytest.mark.parametrize(
    ("model", "biases"),
    [
        ("{ dense8 norm dense8 norm }", [True, False, True]),
        ("{ dense8 dense8 dropout0.1 norm }", [True, True, True]),
        ("{ dense8 norm dense8 } norm", [True, True, True]),
    ],
)
def test_a_bias_directly_before_the_word_norm_is_left_out(model, biases):
    layers = [layer for layer in lay_out(RunConfig(model=model, **BATCH), (8,), 10) if layer.has_weights]
    assert [layer.use_bias for layer in layers] == biases


def test_an_image_is_flattened_before_a_block_that_begins_with_a_dense_layer():
    assert placed(model="{ dense64 }") == [("flatten", (-1,)), ("dense", (0,)), ("add", (1, 0)), ("activation", (2,))]


@pytest.mark.parametrize(
    ("branch", "window"),
    [
        ("conv4:s2:same conv4:s2:same", Window(1, 4)),
        ("conv4:same pool", Window(1, 2)),
        ("avgpool conv4:same", Window(1, 2)),
        ("conv4:same", Window(1, 1)),
    ],
)
def test_a_projection_has_the_stride_of_its_branch(branch, window):
    layers = lay_out(RunConfig(model=f"{{ {branch} }} gap"), DIGITS, 10)
    (total,) = (layer for layer in layers if layer.kind == "add")
    projection = layers[total.inputs[1]]
    assert (projection.kind, projection.window, projection.inputs) == ("conv", window, (-1,))
    assert projection.shape == layers[total.inputs[0]].shape == total.shape


def test_layers_with_weights_are_numbered_alike_in_all_arms():
    names = [
        [layer.name for layer in lay_out(RunConfig(model="resnet-small", **arm), DIGITS, 10) if layer.has_weights]
        for arm in ARMS
        if arm["norm"] in ("none", "batch") and arm.get("placement") != "in-place"
    ]
    assert names == [[f"conv_{number}" for number in range(6)] + ["dense_6"]] * len(names)


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
        (DIGITS, {"model": "conv8 gru8"}, "gru8 needs a sequence or an image but receives shape (6, 6, 8)"),
        (DIGITS, {"model": "conv8:k9 gap"}, "conv8:k9 needs at least 9x9 pixels but receives 8x8"),
        (POINTS, {"model": "gap dense8"}, "gap needs an image (height, width, channels) but receives shape (2,)"),
        (
            POINTS,
            {"model": "dense4 avgpool"},
            "avgpool needs an image (height, width, channels) but receives shape (4,)",
        ),
        (
            POINTS,
            {"model": "{ conv8:same }"},
            "conv8:same needs an image (height, width, channels) but receives shape (2,)",
        ),
        (
            DIGITS,
            {"model": "{ conv8 conv8 } gap"},
            "the block { conv8 conv8 } outputs shape (4, 4, 8), to which its input can't be added, not even projected "
            "with stride 1 to (8, 8, 8): put :same behind its convolutions, and pool even sides only",
        ),
        (
            DIGITS,
            {"model": "conv8:k2 { conv8:same pool } gap"},
            "the block { conv8:same pool } outputs shape (3, 3, 8), to which its input can't be added, not even "
            "projected with stride 2 to (4, 4, 8): put :same behind its convolutions, and pool even sides only",
        ),
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


PLAIN = ["dense8", "conv4", "lstm4", "gru3", "pool", "avgpool", "gap", "flatten", "dropout0.3", "norm", "softmax"]
WINDOWS = ["conv3:same", "conv2:k1", "conv4:k5:s2:same", "conv3:s3", "conv2:k4:same", "conv4:k2:s2"]
BLOCKS = [
    "{ conv4:same conv4:same }",
    "{ conv4:same }*2",
    "{ conv5:s2:same dropout0.1 conv3:same }",
    "{ dense8 dense6 }",
]
BLOCKS += ["{ conv2:same pool norm }", "{ conv4 }", "{ avgpool conv4:k1 }", "{ dense8 }*2"]
ANY_WORDS = st.sampled_from([*PLAIN, *WINDOWS, *BLOCKS, "dense4*2", "conv4*2", "x", "{ lstm4 }", "conv4:k0"])

ARMS = [
    {"norm": norm, "placement": placement}
    for norm, placement in itertools.product(norms.names(), PLACEMENTS)
    if norm != "none" or placement == "before"
]


@given(
    st.lists(ANY_WORDS, max_size=7),
    st.sampled_from(ARMS),
    st.booleans(),
    st.booleans(),
    st.sampled_from([POINTS, (30,), DIGITS, MNIST, (1, 1, 3)]),
    st.integers(2, 10),
)
def test_any_line_of_words_is_laid_out_or_rejected(line, arm, norm_input, norm_output, shape, n_classes):
    try:
        config = RunConfig(model=" ".join(line), norm_input=norm_input, norm_output=norm_output, **arm)
        layers = lay_out(config, shape, n_classes)
    except BncliError as error:
        assert names_a_word(str(error), " ".join(line))
        return
    assert layers[-1].kind == "activation"
    assert layers[-1].shape == (1 if n_classes == 2 and line[-1] != "softmax" else n_classes,)
    assert all(min(layer.shape) >= 1 for layer in layers)
    assert all(max(layer.inputs) < position for position, layer in enumerate(layers))


def names_a_word(message, model):
    """Whether a message names a word besides the model that it is about."""
    rest = message.replace(f"model {model!r}", "")
    return any(word in rest for word in [*WORDS, *model.split()])


CHAINS = st.lists(st.sampled_from([*PLAIN, *WINDOWS, "dense4*2"]), min_size=1, max_size=4)
RESIDUAL = st.lists(st.sampled_from([*WINDOWS, *BLOCKS, "pool", "dropout0.3"]), min_size=1, max_size=4).map(
    lambda words: [*words, "gap"]
)


def check_built(words, arm, shape):
    """Keras builds what is accepted, with the shapes and the numbers of parameters that were laid out."""
    try:
        config = RunConfig(model=" ".join(words), **arm)
        layers = lay_out(config, shape, 3)
    except BncliError as error:
        assert names_a_word(str(error), " ".join(words))
        return
    model = build_model(config, shape, 3, 0)
    built = [layer for layer in model.layers if type(layer).__name__ != "InputLayer"]
    assert sorted(layer.output.shape[1:] for layer in built) == sorted(layer.shape for layer in layers)
    for layer in layers:
        if layer.has_weights:
            assert model.get_layer(layer.name).output.shape[1:] == layer.shape
    assert model.count_params() == sum(n_parameters(layer, config.norm) for layer in layers)
    kernels = [weight for weight in model.trainable_weights if "kernel" in weight.path]
    assert cost_of_layers(layers, shape).n_weights == sum(weight.shape.num_elements() for weight in kernels)


def n_parameters(layer, norm):
    """All parameters of a layer: kernels, biases, and those of a normalization."""
    per_channel = {"batch": 4, "group": 2, "instance": 2, "layer": 2, "renorm": 7, "rms": 1}
    biases = {"lstm": 4, "gru": 6}
    if layer.kind == "norm":
        return per_channel[norm] * layer.shape[-1]
    n_biases = biases.get(layer.kind, int(layer.use_bias)) * layer.shape[-1] if layer.has_weights else 0
    return kind_of(layer.kind).n_multipliers(layer) + n_biases


@settings(max_examples=25)
@given(RESIDUAL, st.sampled_from(ARMS), st.sampled_from([DIGITS, (9, 7, 2)]))
def test_keras_builds_the_residual_networks_that_lay_out_accepts(words, arm, shape):
    check_built(words, arm, shape)


@pytest.mark.slow
@given(CHAINS | RESIDUAL, st.sampled_from(ARMS), st.sampled_from([POINTS, DIGITS, (9, 7, 2)]))
def test_keras_builds_what_lay_out_accepts(words, arm, shape):
    check_built(words, arm, shape)
