"""Graphs are copied, their sites found, and rewritten for arms: parameters, outputs, names and refusals."""

import keras
import numpy as np
import pytest
from keras import layers

from bncli.errors import InvalidConfig
from bncli.networks.graphs import unfolded
from bncli.networks.rewriting import Norm, copy_weights, rewrite
from bncli.networks.sites import Site, Sites

NONE = Norm(None)
IN_PLACE = Norm(layers.BatchNormalization, cancels_bias=True)
LAYER = Norm(layers.LayerNormalization)
BEFORE = Norm(layers.BatchNormalization, "before", cancels_bias=True)
AFTER = Norm(layers.BatchNormalization, "after", cancels_bias=True)
SHAPE = (8, 8, 1)


def residual(*, normed):
    """Two chains, one convolution before a sum, and a dense layer with its activation inside."""
    inputs = keras.Input(SHAPE)

    def conv(x, name):
        x = layers.Conv2D(4, 3, padding="same", use_bias=not normed, name=name)(x)
        return layers.BatchNormalization(name=f"{name}_bn")(x) if normed else x

    x = layers.ReLU()(conv(inputs, "a"))
    y = conv(layers.ReLU()(conv(x, "b")), "c")
    x = layers.Flatten()(layers.ReLU()(layers.Add()([x, y])))
    x = layers.Dense(5, activation="tanh", name="d")(x)
    return unfolded(keras.Model(inputs, layers.Dense(3, activation="softmax", name="out")(x)))


def rows(shape=SHAPE):
    return np.random.default_rng(0).normal(size=(6, *shape)).astype("float32")


def of_arm(model, norm):
    found = rewrite(model, norm).model
    copy_weights(model, found)
    return found


def kinds(model):
    return [type(layer).__name__ for layer in model.layers[1:]]


PLAIN = 40 + 148 + 148 + (256 * 5 + 5) + 18


@pytest.mark.parametrize(
    ("normed", "norm", "n_params", "n_norms", "n_sites", "biases"),
    [
        (True, NONE, PLAIN, 0, 4, {"a": True, "b": True, "c": True}),
        (True, IN_PLACE, PLAIN - 12 + 48, 3, 4, {}),
        (True, LAYER, PLAIN + 24, 3, 4, {"a": True, "b": True, "c": True}),
        (True, BEFORE, PLAIN - 12 - 5 + 48 + 20, 4, 4, {"d": False}),
        (True, AFTER, PLAIN - 4 + 48 + 20, 4, 4, {"a": True, "b": True}),
        (False, NONE, PLAIN, 0, 3, {}),
        (False, BEFORE, PLAIN - 8 - 5 + 32 + 20, 3, 3, {"a": False, "b": False, "d": False}),
        (False, AFTER, PLAIN + 32 + 20, 3, 3, {}),
    ],
)
def test_parameters_places_and_biases_of_every_arm(normed, norm, n_params, n_norms, n_sites, biases):
    found = rewrite(residual(normed=normed), norm)
    assert found.model.count_params() == n_params
    assert (found.n_norms, found.n_sites, found.biases) == (n_norms, n_sites, biases)


@pytest.mark.parametrize(("use_bias", "has_bias"), [("true", True), ("false", False)])
@pytest.mark.parametrize("norm", [None, layers.LayerNormalization, layers.BatchNormalization])
def test_biases_by_wish(use_bias, has_bias, norm):
    found = rewrite(residual(normed=True), Norm(norm, use_bias=use_bias, cancels_bias=True)).model
    assert {found.get_layer(name).use_bias for name in "abc"} == {has_bias}
    assert found.get_layer("out").use_bias


def test_the_sites_of_a_model():
    assert Sites(residual(normed=True)).list() == [
        Site("a", "before", "BatchNormalization"),
        Site("b", "before", "BatchNormalization"),
        Site("c_bn", "elsewhere", "BatchNormalization"),
        Site("d", "none"),
    ]
    assert [site.layer for site in Sites(residual(normed=False)).list()] == ["a", "b", "d"]
    assert [site.state for site in Sites(of_arm(residual(normed=False), AFTER)).list()] == ["after"] * 3


def test_swapping_a_norm_for_its_like_changes_nothing():
    model = residual(normed=True)
    found = of_arm(model, IN_PLACE)
    np.testing.assert_array_equal(found(rows()), model(rows()))
    np.testing.assert_array_equal(found(rows(), training=True), model(rows(), training=True))
    assert [layer.name for layer in found.layers] == [layer.name for layer in model.layers]


def by_hand(placement):
    """A network as one would write it with normalizations at a place."""
    inputs, norm = keras.Input((3,)), layers.BatchNormalization
    x = layers.Dense(4, use_bias=placement != "before", name="one")(inputs)
    x = layers.Activation("relu")(norm()(x)) if placement == "before" else norm()(layers.Activation("relu")(x))
    x = layers.Dense(5, use_bias=placement != "before", name="two")(x)
    x = layers.Activation("tanh")(norm()(x)) if placement == "before" else norm()(layers.Activation("tanh")(x))
    return keras.Model(inputs, layers.Dense(2, name="three")(x))


@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize(("placement", "norm"), [("before", BEFORE), ("after", AFTER)])
def test_a_network_gets_what_one_would_write_by_hand(inside, placement, norm):
    parts = [keras.Input((3,))]
    for units, name, activation in ((4, "one", "relu"), (5, "two", "tanh")):
        parts.append(layers.Dense(units, activation=activation if inside else None, name=name))
        parts += [] if inside else [layers.Activation(activation)]
    found = of_arm(unfolded(keras.Sequential([*parts, layers.Dense(2, name="three")])), norm)
    expected = by_hand(placement)
    copy_weights(found, expected)
    assert found.count_params() == expected.count_params()
    np.testing.assert_allclose(found(rows((3,)), training=True), expected(rows((3,)), training=True), rtol=1e-6)
    found = of_arm(unfolded(expected), AFTER if placement == "before" else BEFORE)
    other = by_hand("after" if placement == "before" else "before")
    copy_weights(found, other)
    np.testing.assert_allclose(found(rows((3,)), training=True), other(rows((3,)), training=True), rtol=1e-6)


def test_nested_models_are_unfolded_with_their_weights():
    block = keras.Sequential([keras.Input((4,)), layers.Dense(4, name="same"), layers.ReLU()], name="block")
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.Dense(2)(block(layers.Dense(4, name="same")(inputs))))
    found = unfolded(model, keep_weights=True)
    np.testing.assert_array_equal(found(rows((4,))), model(rows((4,))))
    assert "block_same" in [layer.name for layer in found.layers]
    assert kinds(of_arm(found, BEFORE)) == ["Dense", "Dense", "BatchNormalization", "ReLU", "Dense"]
    assert not np.allclose(unfolded(model)(rows((4,))), model(rows((4,))))


def test_a_layer_that_is_called_twice_gets_a_norm_at_each_call():
    inputs, shared = keras.Input((4,)), layers.Dense(4, activation="relu", name="s")
    model = unfolded(keras.Model(inputs, layers.Dense(2)(shared(shared(inputs)))))
    found = of_arm(model, BEFORE)
    assert kinds(found).count("Dense") == 2
    assert [layer.name for layer in found.layers if "Batch" in type(layer).__name__] == ["s_norm", "s_norm_2"]


def test_branches_stay_branches():
    inputs = keras.Input((4,))
    x = layers.Dense(3, name="shared_out")(inputs)
    alone = keras.ops.relu(layers.Dense(2, name="alone")(x))
    joined = layers.Concatenate()([layers.ReLU()(x), layers.Activation("tanh")(x), alone])
    model = unfolded(keras.Model(inputs, layers.Dense(2)(joined)))
    assert [site.layer for site in Sites(model).list()] == ["alone"]
    np.testing.assert_array_equal(of_arm(model, NONE)(rows((4,))), model(rows((4,))))


def test_initial_weights_are_those_of_the_model_in_every_arm():
    model = residual(normed=True)
    for norm in (NONE, IN_PLACE, LAYER, BEFORE, AFTER):
        found = of_arm(model, norm)
        for name in ("a", "b", "c", "d", "out"):
            np.testing.assert_array_equal(found.get_layer(name).kernel, model.get_layer(name).kernel)


def refusal(call, *arguments):
    with pytest.raises(InvalidConfig) as caught:
        call(*arguments)
    return str(caught.value)


def sequential(*parts):
    return keras.Sequential([keras.Input((4,)), *parts])


def test_what_can_not_be_rewritten():
    plain = unfolded(sequential(layers.Dense(3), layers.Dense(2)))
    assert refusal(rewrite, plain, IN_PLACE) == (
        "The model has no normalization to swap. Try a place, such as batch:before."
    )
    assert refusal(rewrite, plain, BEFORE) == (
        "The model has no site for a normalization before or after an activation: a linear layer whose output goes to "
        "an activation alone."
    )
    lambda_ = sequential(layers.Lambda(lambda x: x, name="mine"), layers.Dense(2))
    assert refusal(unfolded, lambda_) == "Layer 'mine' is a Lambda, which bncli does not copy."
    norm = layers.BatchNormalization(name="bn")
    inputs = keras.Input((4,))
    twice = keras.Model(inputs, layers.Dense(2)(norm(norm(inputs))))
    assert refusal(rewrite, unfolded(twice), NONE) == (
        "Normalization layer 'bn' is called more than once; bncli rewrites only those that are called once."
    )
    first = keras.Sequential([keras.Input((4, 4, 2)), layers.BatchNormalization(axis=1, name="bn"), layers.Flatten()])
    assert refusal(rewrite, unfolded(first), NONE) == (
        "Layer 'bn' normalizes over axis 1; bncli rewrites only the last axis."
    )
