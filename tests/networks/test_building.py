"""Keras models: published parameter counts, and initial weights that depend on seed and layer alone."""

import numpy as np
import pytest

from bncli.config import RunConfig
from bncli.networks import models, norms
from bncli.networks.building import build_model
from bncli.networks.layout import ACTIVATIONS, INITIALIZERS

POINTS, DIGITS, MNIST = (2,), (8, 8, 1), (28, 28, 1)
BATCH = {"norm": "batch"}


def build(shape=MNIST, n_classes=10, seed=0, **fields):
    return build_model(RunConfig(**fields), shape, n_classes, seed)


def counts(model):
    trainable = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    return model.count_params(), trainable


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


@pytest.mark.parametrize(
    ("model", "kernel"),
    [
        ("conv4:k5:s2:same flatten", {"kernel_size": (5, 5), "strides": (2, 2), "padding": "same"}),
        ("conv4:k1 flatten", {"kernel_size": (1, 1), "strides": (1, 1), "padding": "valid"}),
        ("conv4 flatten", {"kernel_size": (3, 3), "strides": (1, 1), "padding": "valid"}),
    ],
)
def test_options_are_those_of_the_keras_layer(model, kernel):
    config = build(DIGITS, model=model).get_layer("conv_0").get_config()
    assert {name: config[name] for name in kernel} == kernel


def test_a_gru_is_the_one_of_keras():
    import keras

    gru = build(DIGITS, model="gru4").get_layer("gru_0")
    usual = keras.layers.GRU(4).get_config()
    seeded = {"name", "kernel_initializer", "recurrent_initializer", "dtype"}
    assert {key: value for key, value in gru.get_config().items() if key not in seeded} == {
        key: value for key, value in usual.items() if key not in seeded
    }


def test_a_network_without_blocks_is_sequential_and_one_with_blocks_is_a_graph():
    import keras

    assert isinstance(build(DIGITS, model="vgg-small"), keras.Sequential)
    assert isinstance(build(DIGITS, model="resnet-small"), keras.Model)
    assert not isinstance(build(DIGITS, model="resnet-small"), keras.Sequential)


@pytest.mark.parametrize("arm", [{"norm": "none"}, BATCH, {"placement": "after", **BATCH}])
def test_a_block_computes_the_activation_of_branch_and_projection(arm):
    """Layer by layer, as the paper's equation 2 says; Keras calls the layers in an order of its own."""
    model = build((3,), 2, model="{ dense8 dense6 } softmax", **arm)
    x = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    inner, outer, projection = (np.asarray(model.get_layer(f"dense_{n}").kernel) for n in range(3))

    def normed(values, place):
        is_here = arm.get("placement", "before") == place and arm["norm"] == "batch"
        return (values - values.mean(0)) / np.sqrt(values.var(0) + 0.001) if is_here else values

    branch = normed(np.maximum(normed(x @ inner, "before"), 0), "after") @ outer
    total = normed(np.maximum(normed(branch, "before") + normed(x @ projection, "before"), 0), "after")
    logits = total @ np.asarray(model.get_layer("dense_3").kernel)
    shares = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    np.testing.assert_allclose(model(x, training=True), shares, rtol=1e-3, atol=1e-5)


def test_circles_mlp_has_the_published_parameter_counts():
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


def resnet20_by_hand():
    """ResNet-20 for CIFAR-10 as a Keras user writes it, with projections (option B) and no biases before the norms."""
    from keras import Input, Model, layers

    def normed(x, filters, kernel, stride):
        x = layers.Conv2D(filters, kernel, stride, padding="same", use_bias=False)(x)
        return layers.BatchNormalization()(x)

    def block(x, filters, stride):
        y = layers.ReLU()(normed(x, filters, 3, stride))
        y = normed(y, filters, 3, 1)
        shortcut = normed(x, filters, 1, stride) if stride > 1 else x
        return layers.ReLU()(layers.Add()([y, shortcut]))

    inputs = Input((32, 32, 3))
    x = layers.ReLU()(normed(inputs, 16, 3, 1))
    for filters, strides in ((16, (1, 1, 1)), (32, (2, 1, 1)), (64, (2, 1, 1))):
        for stride in strides:
            x = block(x, filters, stride)
    return Model(inputs, layers.Dense(10, activation="softmax")(layers.GlobalAveragePooling2D()(x)))


def test_resnet20_is_the_network_of_the_paper_with_projections():
    """The paper's 0.27 million; with its own shortcuts, padded with zeros, there were 2,944 parameters fewer."""
    import keras

    ours, theirs = build((32, 32, 3), model="resnet20", **BATCH), resnet20_by_hand()
    assert counts(ours) == counts(theirs) == (274_042, 272_474)
    projections = 16 * 32 + 32 * 64 + 4 * (32 + 64)
    assert projections == 2_944
    ours.set_weights(theirs.get_weights())
    x = keras.random.uniform((2, 32, 32, 3), seed=0)
    np.testing.assert_allclose(ours(x, training=True), theirs(x, training=True), rtol=1e-4, atol=1e-6)


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


ANYWHERE = [name for name in norms.REGISTRY if not norms.why_not(RunConfig(norm=name), (8,))]
"""The normalizations that may stand behind a dense layer, too."""

ARMS = [
    {"norm": "none"},
    {"norm": "batch", "placement": "input"},
    *({"norm": norm, "placement": place} for norm in ANYWHERE for place in ("before", "after")),
]
"""Only batch normalization can normalize an image with one channel, so it alone is placed at the input."""


@pytest.mark.parametrize("model", models.REGISTRY)
def test_every_model_with_every_norm_builds_with_the_same_initial_weights(model):
    import tensorflow as tf

    shape = MNIST if model in ("lr-cnn", "mnist-cnn") else DIGITS
    small, kernels = RunConfig(model=model).tiny().model, []
    x, y = tf.random.stateless_uniform((8, *shape), (0, 1)), tf.range(8) % 10
    for arm in ARMS:
        network = build(shape, model=small, **arm)
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
