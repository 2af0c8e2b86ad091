"""Rewritten models: what each arm's model is, to the parameter and to the bit."""

import keras
import numpy as np
import pytest
from keras import layers

from bncli.networks.copying import copy_weights
from bncli.networks.rewriting import rewrite
from bncli.networks.sites import find_sites

RELU = "relu"


def batch(**settings):
    return layers.BatchNormalization(**settings)


def group():
    return layers.GroupNormalization(groups=2)


def residual(use_bias=False):
    """Two convolutions with a normalization before their activation, and one before the sum."""

    def conv(x, n):
        return layers.Conv2D(4, 3, padding="same", use_bias=use_bias, name=f"conv{n}")(x)

    inputs = keras.Input((8, 8, 1))
    x = layers.ReLU()(batch(name="bn1")(conv(inputs, 1)))
    y = layers.ReLU()(batch(name="bn2")(conv(x, 2)))
    x = layers.ReLU()(layers.Add()([x, batch(name="bn3")(conv(y, 3))]))
    return keras.Model(inputs, layers.Dense(3, activation="softmax", name="out")(layers.GlobalAveragePooling2D()(x)))


def mlp(*between, activation=RELU, **settings):
    hidden = layers.Dense(5, activation=activation, name="hidden", **settings)
    return keras.Sequential([keras.Input((4,)), hidden, *between, layers.Dense(2, activation="softmax", name="out")])


def names(model):
    return [layer.name for layer in model.layers[1:]]


def rows_for(model, n=6):
    return np.random.default_rng(0).normal(size=(n, *model.inputs[0].shape[1:])).astype("float32")


def assert_same(model, other, order=(False, True, None)):
    """The same outputs, to the bit, from the same weights; in training too, and with the averages after it."""
    assert copy_weights(model, other) == []
    for training in order:
        assert np.array_equal(model(rows_for(model), training=training), other(rows_for(model), training=training))


def draw_all(model):
    """Give every weight a value of its own, so that none is at its initial 0 or 1."""
    rng = np.random.default_rng(1)
    for weight in model.weights:
        weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    return model


@pytest.mark.parametrize(
    ("has_bias", "arm", "n_params", "changed"),
    [
        # kernels 36 + 144 + 144, the output 4 * 3 + 3; a batch normalization has 16 numbers, another 8, a bias 4
        (False, (None, "in-place"), 339 + 12, 3),
        (False, (batch, "in-place"), 339 + 3 * 16, 3),
        (False, (group, "in-place"), 339 + 3 * 8 + 12, 3),
        (False, (batch, "before"), 339 + 3 * 16, 2),
        (False, (batch, "after"), 339 + 3 * 16 + 8, 2),
        (False, (group, "after"), 339 + 3 * 8 + 12, 2),
        (True, (None, "in-place"), 339 + 12, 3),
        (True, (batch, "in-place"), 339 + 3 * 16, 3),
        (True, (group, "in-place"), 339 + 3 * 8 + 12, 3),
        (True, (batch, "after"), 339 + 3 * 16 + 8, 2),
    ],
)
def test_the_parameters_of_a_residual_network(has_bias, arm, n_params, changed):
    rewritten = rewrite(residual(has_bias), *arm, redundant=arm[0] is batch)
    assert rewritten.model.count_params() == n_params
    assert (rewritten.changed, rewritten.n_sites) == (changed, 3)


def test_the_biases_that_change_are_named():
    after = rewrite(residual(), batch, "after", redundant=True)
    assert (after.biases_added, after.biases_removed) == (("conv1", "conv2"), ())
    before = rewrite(residual(use_bias=True), batch, "before", redundant=True)
    assert (before.biases_added, before.biases_removed) == ((), ("conv1", "conv2", "conv3"))


@pytest.mark.parametrize(
    ("norm", "new", "is_redundant", "has_bias"),
    [
        (batch(), None, False, True),
        (batch(center=False), None, False, False),
        (batch(), lambda: batch(center=False), False, True),
        (layers.LayerNormalization(), layers.LayerNormalization, False, False),
        (layers.LayerNormalization(), layers.RMSNormalization, False, True),
        (layers.LayerNormalization(), batch, True, False),
        (layers.RMSNormalization(), None, False, False),
    ],
)
def test_a_layer_without_bias_gets_one_where_the_shift_behind_it_is_gone(norm, new, is_redundant, has_bias):
    clone = type(norm).from_config(norm.get_config())
    model = mlp(clone, layers.ReLU(), activation=None, use_bias=False)
    rewritten = rewrite(model, new, "in-place", redundant=is_redundant)
    assert rewritten.model.get_layer("hidden").use_bias is has_bias


@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("arm", [(None, "in-place"), (batch, "before"), (batch, "after"), (group, "in-place")])
def test_a_fixed_bias_is_that_of_all_sites_and_never_that_of_the_output(arm, use_bias):
    rewritten = rewrite(residual(), *arm, use_bias=str(use_bias).lower(), redundant=True)
    found = {layer.name: layer.use_bias for layer in rewritten.model.layers if hasattr(layer, "use_bias")}
    assert found == {"conv1": use_bias, "conv2": use_bias, "conv3": use_bias, "out": True}


def test_in_place_with_the_same_norm_is_the_same_network():
    model = draw_all(residual())
    rewritten = rewrite(model, batch, "in-place", redundant=True)
    assert names(rewritten.model) == names(model)
    assert_same(model, rewritten.model)


def test_none_is_the_network_without_norms():
    def plain():
        inputs = keras.Input((8, 8, 1))
        conv = [layers.Conv2D(4, 3, padding="same", name=f"conv{n}") for n in (1, 2, 3)]
        x = layers.ReLU()(conv[0](inputs))
        x = layers.ReLU()(layers.Add()([x, conv[2](layers.ReLU()(conv[1](x)))]))
        return keras.Model(
            inputs, layers.Dense(3, activation="softmax", name="out")(layers.GlobalAveragePooling2D()(x))
        )

    assert_same(draw_all(plain()), rewrite(residual(), None, "in-place").model)


def test_before_splits_an_activation_off():
    rewritten = rewrite(mlp(), batch, "before", redundant=True)
    by_hand = mlp(batch(name="hidden_norm"), layers.ReLU(name="hidden_activation"), activation=None, use_bias=False)
    assert names(rewritten.model) == ["hidden", "hidden_norm", "hidden_activation", "out"]
    assert (rewritten.changed, rewritten.n_sites, rewritten.biases_removed) == (1, 1, ("hidden",))
    assert rewritten.model.count_params() == 20 + 20 + 12
    assert_same(draw_all(by_hand), rewritten.model)


def test_after_leaves_an_activation_where_it_is():
    rewritten = rewrite(mlp(), batch, "after", redundant=True)
    assert names(rewritten.model) == ["hidden", "hidden_norm", "out"]
    assert rewritten.model.count_params() == 25 + 20 + 12
    assert_same(draw_all(mlp(batch(name="hidden_norm"))), rewritten.model)


def test_a_norm_moves_both_ways_and_two_become_one():
    before = [batch(name="bn"), layers.ReLU(name="act")]
    moved = rewrite(mlp(*before, activation=None, use_bias=False), batch, "after", redundant=True)
    assert names(moved.model) == ["hidden", "act", "hidden_norm", "out"]
    back = rewrite(moved.model, batch, "before", redundant=True)
    assert names(back.model) == ["hidden", "hidden_norm", "act", "out"]
    assert (back.biases_removed, moved.biases_added) == (("hidden",), ("hidden",))
    both = mlp(
        batch(name="bn"), layers.ReLU(name="act"), layers.Dropout(0, name="drop"), batch(name="second"), activation=None
    )
    assert names(rewrite(both, batch, "before").model) == ["hidden", "bn", "act", "drop", "out"]
    assert names(rewrite(both, batch, "after").model) == ["hidden", "act", "drop", "second", "out"]


def test_the_activation_split_off_keeps_its_settings_and_its_regularizer():
    model = mlp(activation=layers.LeakyReLU(0.3), activity_regularizer="l2")
    rewritten = rewrite(model, lambda: layers.Identity(), "before")
    assert_same(model, rewritten.model)
    rewritten.model(rows_for(model))
    model(rows_for(model))
    assert float(sum(rewritten.model.losses)) == pytest.approx(float(sum(model.losses)))
    assert float(sum(model.losses)) > 0


def times(factor):
    """A Python function that Keras has not registered; all have the same name."""

    def scaled(values):
        return factor * keras.ops.relu(values)

    return scaled


@pytest.mark.parametrize("placement", ["in-place", "before", "after"])
def test_python_functions_are_kept(placement):
    bn, second = layers.BatchNormalization(name="bn"), layers.Dense(4, activation=lambda x: x - 1, name="second")
    model = mlp(bn, layers.Activation(times(2), name="act"), second, activation=times(3))
    with pytest.warns(UserWarning, match="lambda"):
        rewritten = rewrite(model, batch, placement).model
    found = [getattr(layer, "activation", None) for layer in rewritten.layers]
    assert {model.layers[0].activation, model.layers[2].activation, second.activation} <= set(found)


def concatenation():
    inputs = keras.Input((6, 6, 1))
    one = layers.Conv2D(2, 3, padding="same", activation=RELU, name="one")(inputs)
    two = keras.ops.relu(layers.Conv2D(3, 1, name="two")(inputs))
    x = layers.Concatenate()([one, two * 2])
    x = layers.Flatten()(batch(name="joined")(x))
    return keras.Model(inputs, layers.Dense(2, name="out")(x))


def test_concatenated_branches():
    model = concatenation()
    assert [site.state for site in find_sites(model)] == ["none", "none", "elsewhere"]
    # 20 and 6 of the convolutions, 180 * 2 + 2 of the output; 20 of the joined norm, 8 and 12 of the new ones
    kept = 20 + 6 + 362
    assert rewrite(model, None, "in-place").model.count_params() == kept
    assert rewrite(model, batch, "in-place").model.count_params() == kept + 20
    assert rewrite(model, batch, "before", redundant=True).model.count_params() == kept + 20 + 8 + 12 - 5
    assert rewrite(model, batch, "after", redundant=True).model.count_params() == kept + 20 + 8 + 12
    assert_same(draw_all(model), rewrite(model, batch, "in-place").model)


def nested(training=None):
    def block(name):
        return keras.Sequential([layers.Dense(4, name="d"), batch(name="bn"), layers.ReLU(name="act")], name=name)

    inputs = keras.Input((4,))
    return keras.Model(inputs, layers.Dense(2, name="out")(block("b")(block("a")(inputs), training=training)))


@pytest.mark.parametrize("training", [None, False])
def test_nested_models_become_one_graph(training):
    model = nested(training)
    rewritten = rewrite(model, batch, "in-place")
    assert names(rewritten.model) == ["d", "bn", "act", "b_d", "b_bn", "b_act", "out"]
    assert_same(draw_all(model), rewritten.model)
    moved = rewrite(model, batch, "after", redundant=True)
    assert names(moved.model) == ["d", "act", "d_norm", "b_d", "b_act", "b_d_norm", "out"]
    assert copy_weights(model, moved.model) == ["d_norm", "b_d_norm"]


def test_a_name_that_is_taken_is_changed_in_the_nested_model():
    inner = keras.Sequential([layers.Dense(4, name="d"), batch(name="bn"), layers.ReLU(name="act")], name="inner")
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.Dense(2, name="out")(layers.Dense(4, name="d")(inner(inputs))))
    rewritten = rewrite(model, batch, "in-place").model
    assert names(rewritten) == ["inner_d", "bn", "act", "d", "out"]
    assert_same(draw_all(model), rewritten)


def siamese():
    encoder = keras.Sequential([layers.Dense(4, name="d"), batch(name="bn"), layers.ReLU()], name="encoder")
    inputs = keras.Input((4,))
    x = layers.Add()([encoder(inputs), encoder(inputs * 2)])
    return keras.Model(inputs, layers.Dense(2, name="out")(layers.Dense(3, activation=RELU, name="last")(x)))


def test_shared_layers_stay_shared_and_do_not_move():
    model = draw_all(siamese())
    # in which order the averages take the two calls of one training step is up to Keras
    assert_same(model, rewrite(model, batch, "in-place").model, order=(False, None, True))
    before = rewrite(model, batch, "before", redundant=True)
    assert (before.changed, before.n_sites, before.biases_removed) == (1, 3, ("d", "last"))
    assert before.model.count_params() == 16 + 16 + 12 + 12 + 8
    assert rewrite(model, None, "in-place").model.count_params() == 20 + 15 + 8


def test_one_activation_layer_may_serve_many_sites():
    relu = layers.ReLU(name="relu")
    model = mlp(relu, layers.Dense(3, name="second"), relu, activation=None)
    rewritten = rewrite(model, batch, "after")
    assert (rewritten.changed, rewritten.n_sites) == (2, 2)
    assert rewritten.model.count_params() == 25 + 20 + 18 + 12 + 8
    assert sorted(names(rewritten.model)) == ["hidden", "hidden_norm", "out", "relu", "second", "second_norm"]


def frozen():
    inputs = keras.Input((4,))
    x = batch(name="bn")(layers.Dense(4, name="d")(inputs), training=False)
    return keras.Model(inputs, layers.Dense(2, name="out")(layers.ReLU(name="act")(x)))


@pytest.mark.parametrize("trainable", [True, False])
@pytest.mark.parametrize("training", [None, False])
@pytest.mark.parametrize("placement", ["in-place", "before"])
def test_a_bias_stays_before_a_frozen_norm_which_does_not_cancel_it(placement, training, trainable):
    inputs = keras.Input((4,))
    x = layers.Dense(4, name="d", bias_initializer="ones")(inputs)
    x = batch(name="bn", trainable=trainable)(x, training=training)
    model = keras.Model(inputs, layers.Dense(2, name="out")(layers.ReLU(name="act")(x)))
    found = rewrite(model, batch, placement, redundant=True)
    is_frozen = not trainable or training is False
    assert found.biases_removed == (() if is_frozen else ("d",))
    if is_frozen:
        assert_same(draw_all(model), found.model)


@pytest.mark.parametrize("placement", ["in-place", "before", "after"])
def test_a_frozen_norm_stays_frozen(placement):
    model = frozen()
    model.get_layer("bn").trainable = False
    rewritten = rewrite(model, batch, placement).model
    assert rewritten.count_params() == model.count_params()
    assert [len(made.trainable_weights) for made in (model, rewritten)] == [4, 4]
    norm = rewritten.get_layer("d_norm" if placement == "after" else "bn")
    assert norm._inbound_nodes[0].arguments.kwargs["training"] is False
    assert rewrite(model, group, placement).model.count_params() == 20 + 8 + 10


def masked():
    inputs = keras.Input((5,), dtype="int32")
    x = layers.Embedding(9, 4, mask_zero=True, name="words")(inputs)
    x = layers.ReLU(name="act")(batch(name="bn")(layers.Dense(4, name="d")(x)))
    return keras.Model(inputs, layers.Dense(2, name="out")(layers.LSTM(3, name="lstm")(x)))


def test_masks_reach_the_norms_that_take_one():
    model, rows = draw_all(masked()), np.array([[1, 2, 0, 0, 0], [3, 0, 0, 0, 0]])
    same, moved = rewrite(model, batch, "in-place").model, rewrite(model, batch, "after").model
    assert copy_weights(model, same) == []
    assert np.array_equal(model(rows, training=True), same(rows, training=True))
    for values in moved.get_layer("act").output, moved.get_layer("d_norm").output:
        assert values._keras_mask is not None
    rms = rewrite(model, layers.RMSNormalization, "in-place").model
    assert rms.get_layer("bn").output._keras_mask is not None


def test_a_mask_goes_through_a_nested_model_with_its_input():
    inner = keras.Sequential([layers.LSTM(3, name="lstm"), layers.Dense(3, name="d"), batch(name="bn")], name="inner")
    inner.supports_masking = True
    inputs = keras.Input((5,), dtype="int32")
    model = draw_all(keras.Model(inputs, inner(layers.Embedding(9, 4, mask_zero=True, name="words")(inputs))))
    rewritten = rewrite(model, batch, "in-place").model
    assert copy_weights(model, rewritten) == []
    rows = np.array([[1, 2, 0, 0, 0], [3, 0, 0, 0, 0]])
    assert np.array_equal(model(rows), rewritten(rows))
    assert not np.array_equal(model(rows), model(rows + (rows == 0)))


def test_an_adapted_layer_keeps_what_it_adapted_to():
    scaling = layers.Normalization(name="scaling")
    scaling.adapt(np.arange(12, dtype="float32").reshape(3, 4))
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.Dense(2, name="out")(batch(name="bn")(scaling(inputs))))
    rewritten = rewrite(model, None, "in-place").model
    assert np.array_equal(scaling(rows_for(model)), rewritten.get_layer("scaling")(rows_for(model)))


def test_a_mixed_precision_network_stays_one():
    model = mlp(batch(name="bn", dtype="mixed_float16"), dtype="mixed_float16")
    rewritten = rewrite(model, batch, "before").model
    assert {layer.name: layer.compute_dtype for layer in rewritten.layers[1:]} == {
        "hidden": "float16", "hidden_norm": "float16", "hidden_activation": "float16", "out": "float32"
    }  # fmt: skip


def test_a_rewritten_model_can_be_saved_and_trained(tmp_path):
    model = rewrite(concatenation(), batch, "before", redundant=True).model
    model.compile("sgd", "mse")
    history = model.fit(rows_for(model), np.zeros((6, 2)), epochs=2, verbose=0)
    assert history.history["loss"][1] < history.history["loss"][0]
    model.save(tmp_path / "model.keras")
    assert_same(model, keras.models.load_model(tmp_path / "model.keras"))
