"""Sites: where a model has normalizations, where it could have some, and what can't be moved."""

import keras
import pytest
from keras import layers

from bncli.errors import InvalidConfig
from bncli.networks.sites import Site, find_sites

BN = "BatchNormalization"
NOT_NEXT = "it does not stand next to a linear layer's activation"


def sequential(*found, shape=(4,)):
    return keras.Sequential([keras.Input(shape), *found, layers.Dense(2, activation="softmax", name="out")])


def one_site(*found, shape=(4,)):
    sites = find_sites(sequential(*found, shape=shape))
    assert len(sites) == 1
    return sites[0]


def bn(name="bn", **settings):
    return layers.BatchNormalization(name=name, **settings)


@pytest.mark.parametrize(
    ("chain", "state", "norm"),
    [
        ([layers.Dense(3, activation="relu", name="d")], "none", None),
        ([layers.Dense(3, name="d"), layers.ReLU()], "none", None),
        ([layers.Dense(3, name="d"), bn(), layers.Activation("tanh")], "before", "bn"),
        ([layers.Dense(3, name="d"), layers.LeakyReLU(), bn()], "after", "bn"),
        ([layers.Dense(3, name="d", activation="relu"), layers.Dropout(0.5), bn()], "after", "bn"),
        ([layers.Dense(3, name="d"), bn(), layers.ELU(), bn("second")], "both", "bn"),
    ],
)
def test_the_state_of_a_site(chain, state, norm):
    assert one_site(*chain) == Site("d", state, norm, BN if norm else None, None)


@pytest.mark.parametrize(
    "layer",
    [
        layers.Conv2D(3, 3, activation="relu"),
        layers.DepthwiseConv2D(3, activation="relu"),
        layers.SeparableConv2D(3, 3, activation="relu"),
        layers.Conv2DTranspose(3, 3, activation=layers.LeakyReLU()),
    ],
)
def test_convolutions_are_sites_and_a_pooling_may_stand_before_the_norm(layer):
    site = one_site(
        layer, layers.MaxPooling2D(), layers.LayerNormalization(name="ln"), layers.Flatten(), shape=(6, 6, 2)
    )
    assert site == Site(layer.name, "after", "ln", "LayerNormalization", None)


@pytest.mark.parametrize("relu", [keras.ops.relu, keras.activations.relu, keras.activations.get("leaky_relu")])
def test_functions_are_activations(relu):
    inputs = keras.Input((4,))
    x = relu(bn()(layers.Dense(3, name="d")(inputs)))
    assert find_sites(keras.Model(inputs, layers.Dense(2)(x))) == [Site("d", "before", "bn", BN, None)]


def test_the_output_layer_and_layers_without_activation_are_no_sites():
    assert find_sites(sequential(layers.Dense(3), layers.Dropout(0.5))) == []
    inputs = keras.Input((4,))
    outputs = layers.Reshape((2, 1))(layers.Activation("softmax")(layers.Dense(2)(inputs)))
    assert find_sites(keras.Model(inputs, outputs)) == []
    outputs = layers.Reshape((2, 1))(layers.Dropout(0.5)(layers.Dense(2, activation="relu")(inputs)))
    assert find_sites(keras.Model(inputs, outputs)) == []
    images = keras.Input((4, 4, 1))
    outputs = layers.Softmax()(layers.GlobalAveragePooling2D()(layers.Conv2D(3, 1, activation="relu")(images)))
    assert find_sites(keras.Model(images, outputs)) == []


def test_norms_elsewhere():
    inputs = keras.Input((4,), name="x")
    x = bn("at_input")(inputs)
    x = layers.Add(name="sum")([x, bn("no_activation")(layers.Dense(4, name="d")(x))])
    x = layers.Dense(2, name="last")(layers.ReLU()(bn("after_sum")(x)))
    x = layers.Softmax()(bn("at_output")(x))
    assert find_sites(keras.Model(inputs, x)) == [
        Site("at_input", "elsewhere", "at_input", BN, NOT_NEXT),
        Site("d", "elsewhere", "no_activation", BN, NOT_NEXT),
        Site("sum", "elsewhere", "after_sum", BN, NOT_NEXT),
        Site("last", "elsewhere", "at_output", BN, NOT_NEXT),
    ]


def test_a_linear_layer_with_two_users_is_no_site():
    inputs = keras.Input((4,))
    x = layers.Dense(4, name="d")(inputs)
    x = layers.Add()([x, layers.ReLU()(bn()(x))])
    assert find_sites(keras.Model(inputs, layers.Dense(2)(x))) == [Site("d", "elsewhere", "bn", BN, NOT_NEXT)]


def test_what_is_called_twice_can_not_be_moved():
    inputs, shared = keras.Input((4,)), layers.Dense(4, activation="relu", name="d")
    sites = find_sites(keras.Model(inputs, layers.Dense(2)(shared(shared(inputs)))))
    assert sites == [Site("d", "none", None, None, "'d' is called 2 times")] * 2


def test_a_norm_next_to_other_users_of_an_activation_can_not_be_moved():
    inputs = keras.Input((4,))
    x = layers.Dense(4, activation="relu", name="d")(inputs)
    sites = find_sites(keras.Model(inputs, layers.Dense(2)(layers.Add()([x, bn()(x)]))))
    obstacle = "'d' is used by a normalization and by other layers"
    assert sites == [Site("d", "none", None, None, obstacle), Site("d", "elsewhere", "bn", BN, NOT_NEXT)]
    assert [site.is_movable for site in sites] == [False, False]


def test_nested_models_are_read_as_one():
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(4, name="d"), bn(), layers.ReLU()], name="inner")
    other = keras.Sequential([keras.Input((4,)), layers.Dense(4, name="d")], name="other")
    sites = find_sites(sequential(inner, other, layers.ReLU()))
    assert sites == [Site("d", "before", "bn", BN, None), Site("other_d", "none", None, None, None)]


@pytest.mark.slow
def test_a_very_deep_network_is_read():
    assert len(find_sites(sequential(*(layers.Dense(1, activation="relu") for _ in range(600))))) == 600


def test_models_whose_layers_can_not_be_read():
    class Net(keras.Model):
        def call(self, inputs):
            return inputs

    with pytest.raises(InvalidConfig) as caught:
        find_sites(Net(name="net"))
    assert str(caught.value) == (
        "Net 'net' is a subclass of keras.Model, whose layers can't be rearranged. Allowed: Sequential and functional "
        "models. Use a function with the parameter norm, or the arm as-is."
    )
    with pytest.raises(InvalidConfig) as caught:
        find_sites(keras.Sequential([layers.Dense(2)], name="net"))
    assert str(caught.value) == "Sequential 'net' has no input shape. Start it with keras.Input(shape)."
