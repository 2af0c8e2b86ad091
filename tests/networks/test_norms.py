"""Every registered normalization, by its formula."""

import inspect

import keras
import numpy as np
import pytest

from bncli.config import RunConfig
from bncli.errors import InvalidConfig
from bncli.networks import norms
from bncli.networks.grouping import groups_for
from bncli.networks.norms import renorm

SHAPES = [(64, 8), (16, 5, 5, 8)]
WITHIN_A_SAMPLE = [name for name in norms.REGISTRY if norms.facts(name).alone]


def make(name, **fields):
    return norms.make(RunConfig(norm=name, **fields))


def sample(shape):
    return np.random.default_rng(0).normal(3.0, 2.0, shape).astype("float32")


@pytest.mark.parametrize("name", norms.REGISTRY)
def test_a_norm_uses_only_fields_of_a_run(name):
    assert set(norms.fields(name)) <= set(RunConfig().to_dict())
    assert norms.description(name).endswith(".")


@pytest.mark.parametrize("shape", SHAPES, ids=["points", "images"])
@pytest.mark.parametrize("name", norms.REGISTRY)
def test_a_norm_keeps_the_shape_and_passes_a_gradient(name, shape):
    import tensorflow as tf

    layer, x = make(name), tf.constant(sample(shape))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=True)
        loss = tf.reduce_sum(y * tf.range(y.shape[-1], dtype=tf.float32))
    assert y.shape == x.shape
    assert np.isfinite(tape.gradient(loss, x)).all()


@pytest.mark.parametrize("shape", SHAPES, ids=["points", "images"])
@pytest.mark.parametrize("name", norms.REGISTRY)
def test_a_batch_of_one_is_normalized(name, shape):
    layer, x = make(name), sample(shape)[:1]
    found = [np.asarray(layer(x, training=training)) for training in (True, False)]
    assert [y.shape for y in found] == [x.shape] * 2
    assert np.isfinite(found).all()


@pytest.mark.parametrize("shape", SHAPES, ids=["points", "images"])
@pytest.mark.parametrize("name", norms.REGISTRY)
def test_what_is_said_of_a_norm_is_what_its_layer_does(name, shape):
    """Whether it learns a shift, and whether it cancels a bias before it."""
    facts, layer, x = norms.facts(name), make(name, groups=2), sample(shape)
    bias = np.linspace(-0.5, 0.5, 8, dtype="float32")
    before, after = (np.asarray(make(name, groups=2)(values, training=True)) for values in (x, x + bias))
    assert (name == "renorm") or np.allclose(before, after, atol=1e-3) == facts.cancels_bias
    layer(x)
    assert any(weight.name == "beta" for weight in layer.weights) == norms.learns_shift(name, center=True)
    assert all(alias == alias.lower() and alias not in norms.names() for alias, _ in norms.aliases())


def test_renorm_gives_a_bias_before_it_no_gradient_so_that_it_stays_zero():
    import tensorflow as tf

    layer, x, bias = make("renorm"), tf.constant(sample((64, 8))), tf.Variable(tf.zeros(8))
    with tf.GradientTape() as tape:
        y = layer(x + bias, training=True)
        loss = tf.reduce_sum(y**3)
    assert np.allclose(tape.gradient(loss, bias), 0, atol=1e-2)
    assert not np.allclose(loss, 0, atol=1)


@pytest.mark.parametrize("name", WITHIN_A_SAMPLE)
@pytest.mark.parametrize("shape", SHAPES, ids=["points", "images"])
def test_norms_within_a_sample_are_the_same_in_training_and_inference(name, shape):
    layer, x = make(name), sample(shape)
    assert np.array_equal(layer(x, training=True), layer(x, training=False))


@pytest.mark.parametrize("shape", SHAPES, ids=["points", "images"])
def test_batch_outputs_mean_0_and_variance_v_over_v_plus_epsilon(shape):
    x = sample(shape)
    y = np.asarray(make("batch", norm_epsilon=0.5)(x, training=True))
    axes = tuple(range(x.ndim - 1))
    v = x.var(axes)
    assert np.allclose(y.mean(axes), 0.0, atol=1e-5)
    assert np.allclose(y.var(axes), v / (v + 0.5), rtol=1e-4)


def test_batch_updates_its_moving_averages_by_one_minus_momentum():
    layer, x = make("batch", norm_momentum=0.9), sample((64, 8))
    layer(x, training=True)
    assert np.allclose(layer.moving_mean, 0.1 * x.mean(0), rtol=1e-4)
    assert np.allclose(layer.moving_variance, 0.9 + 0.1 * x.var(0), rtol=1e-4)


def test_batch_with_momentum_0_uses_the_last_batch_in_inference():
    layer, x = make("batch", norm_momentum=0.0), sample((64, 8))
    trained = layer(x, training=True)
    assert np.allclose(trained, layer(x, training=False), atol=1e-4)


def test_layer_norm_follows_its_formula():
    x = sample((16, 8))
    expected = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 0.001)
    assert np.allclose(make("layer")(x), expected, atol=1e-4)


def test_group_norm_follows_its_formula():
    x = sample((4, 5, 5, 8))
    grouped = x.reshape(4, 25, 2, 4)
    mean, var = grouped.mean((1, 3), keepdims=True), grouped.var((1, 3), keepdims=True)
    expected = ((grouped - mean) / np.sqrt(var + 0.001)).reshape(x.shape)
    assert np.allclose(make("group", groups=2)(x), expected, atol=1e-4)


def test_rms_norm_follows_its_formula():
    x = sample((16, 8))
    assert np.allclose(make("rms")(x), x / np.sqrt((x**2).mean(1, keepdims=True) + 0.001), atol=1e-4)


@pytest.mark.parametrize(("center", "scale", "n_weights"), [(True, True, 4), (False, True, 3), (False, False, 2)])
def test_center_and_scale_are_weights_of_batch(center, scale, n_weights):
    layer = make("batch", center=center, scale=scale)
    layer(sample((4, 8)))
    assert len(layer.weights) == n_weights


@pytest.mark.parametrize("name", WITHIN_A_SAMPLE)
def test_norms_within_a_sample_lose_a_value_that_is_alone(name):
    output = np.asarray(make(name)(np.array([[-3.0], [5.0]], "float32")))
    effect = norms.facts(name).alone
    expected = {"always outputs 0": [[0], [0]], "outputs only its sign": [[-1], [1]]}[effect]
    np.testing.assert_allclose(output, expected, atol=1e-3)
    reason = f"norm {name!r} over one value {effect} (input shape (1,)): use batch"
    assert norms.why_not(RunConfig(norm=name), (1,)) == reason


@pytest.mark.parametrize(
    ("fields", "shape", "reason"),
    [
        ({"norm": "none"}, (1,), ""),
        ({"norm": "batch"}, (1,), ""),
        ({"norm": "layer"}, (4,), ""),
        ({"norm": "layer"}, (6, 6, 1), "over one value always outputs 0 (input shape (6, 6, 1)): use batch"),
        ({"norm": "group", "groups": 4}, (4,), "over one value always outputs 0 (input shape (4,)): use batch"),
        ({"norm": "group", "groups": 4}, (3, 3, 4), ""),
        ({"norm": "group", "groups": 3}, (4,), "receives 4 channels, which groups=3 does not divide"),
        ({"norm": "group"}, (2,), ""),
        ({"norm": "instance"}, (8,), "over one value always outputs 0 (input shape (8,)): use batch"),
        ({"norm": "instance"}, (1, 1, 8), "over one value always outputs 0 (input shape (1, 1, 8)): use batch"),
        ({"norm": "instance"}, (5, 8), ""),
    ],
)
def test_where_a_norm_can_not_be_put(fields, shape, reason):
    assert norms.why_not(RunConfig(**fields), shape) == (f"norm {fields['norm']!r} {reason}" if reason else "")


@pytest.mark.parametrize(
    ("shape", "groups"),
    [
        ((128,), 32),
        ((64,), 16),
        ((8,), 2),
        ((6,), 1),
        ((7,), 1),
        ((2,), 1),
        ((1,), 1),
        ((6, 6, 16), 4),
        ((6, 6, 32), 8),
        ((6, 6, 48), 12),
        ((6, 6, 64), 32),
        ((6, 6, 128), 32),
        ((1, 1, 64), 16),
        ((1, 2, 64), 32),
        ((1, 2, 4), 1),
        ((5, 1), 1),
    ],
)
def test_the_number_of_groups_that_is_taken(shape, groups):
    assert groups_for(shape) == groups
    layer = make("group")
    layer(sample((2, *shape)))
    assert (type(layer), layer.groups) == (keras.layers.GroupNormalization, groups)
    assert keras.layers.GroupNormalization.from_config(layer.get_config()).groups == groups


def test_instance_norm_follows_its_formula():
    x = sample((4, 5, 5, 8))
    mean, var = x.mean((1, 2), keepdims=True), x.var((1, 2), keepdims=True)
    assert np.allclose(make("instance")(x), (x - mean) / np.sqrt(var + 0.001), atol=1e-4)


@pytest.mark.parametrize("shape", SHAPES, ids=["points", "images"])
def test_renorm_within_its_limits_trains_with_its_averages_and_else_comes_near(shape):
    x, axes = sample(shape), tuple(range(len(shape) - 1))
    layer = make("renorm", norm_momentum=0.9)
    y = np.asarray(layer(x, training=True))  # the averages are 0 and 1: d is the mean, about 3, and r the sd, about 2
    assert np.allclose(y, x, atol=0.02)
    far = np.asarray(make("renorm")(10 * x, training=True))
    d, r = np.clip(10 * x.mean(axes), -5, 5), np.clip(10 * x.std(axes), 1 / 3, 3)
    assert np.allclose(far, (x - x.mean(axes)) / x.std(axes) * r + d, atol=0.02)
    assert np.allclose(layer.moving_mean, 0.1 * x.mean(axes), rtol=1e-3)


def test_renorm_is_refused_where_keras_does_not_have_it(monkeypatch):
    monkeypatch.setattr(renorm.metadata, "version", lambda _: "3.13.2")
    reason = "needs Keras 3.14 or later, and this is Keras 3.13.2. Try: pip install --upgrade keras"
    assert norms.why_not(RunConfig(norm="renorm"), (8,)) == f"norm 'renorm' {reason}"
    with pytest.raises(InvalidConfig) as caught:
        make("renorm")
    assert str(caught.value) == f"norm 'renorm' {reason}."


def test_keras_has_renorm_from_the_version_on_that_is_named():
    has_it = "renorm" in inspect.signature(keras.layers.BatchNormalization).parameters
    assert has_it == (renorm.missing() == "")


def test_none_is_a_name_without_fields():
    assert norms.names()[0] == norms.NONE
    assert norms.fields(norms.NONE) == ()
    assert norms.description(norms.NONE) == "No normalization."
