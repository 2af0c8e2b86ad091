"""Facts about built networks."""

import keras
import pytest
from keras import layers

from bncli.config import RunConfig
from bncli.networks.facts import arm_facts, layer_facts
from bncli.networks.network import network_of


def residual():
    inputs = keras.Input((4,), name="rows")
    hidden = layers.Dense(4, use_bias=False, name="first")(inputs)
    hidden = layers.BatchNormalization(name="bn")(hidden)
    total = layers.Add(name="sum")([inputs, layers.Dropout(0.5, name="drop")(hidden)])
    return keras.Model(inputs, layers.Dense(3, activation="softmax", name="last")(total))


def test_layers_stand_in_the_order_of_their_calls_with_what_they_get():
    found = [
        (layer.name, layer.kind, layer.shape, layer.n_parameters, layer.inputs) for layer in layer_facts(residual())
    ]
    assert found == [
        ("first", "Dense", (4,), 16, ("rows",)),
        ("bn", "BatchNormalization", (4,), 16, ("first",)),
        ("drop", "Dropout", (4,), 0, ("bn",)),
        ("sum", "Add", (4,), 0, ("rows", "drop")),
        ("last", "Dense", (3,), 15, ("sum",)),
    ]


def test_the_parameters_of_all_layers_are_those_of_the_model():
    facts = arm_facts(residual())
    assert facts.n_parameters == sum(layer.n_parameters for layer in facts.layers) == 47
    assert (facts.n_trainable, facts.norms, facts.without_bias) == (39, {"BatchNormalization": 1}, ("first",))


def test_a_shared_layer_stands_once_and_has_no_shape_if_it_has_two():
    shared, inputs = layers.ReLU(name="relu"), keras.Input((4,))
    model = keras.Model(inputs, shared(layers.Dense(2, name="dense")(shared(inputs))))
    assert [(layer.name, layer.shape) for layer in layer_facts(model)] == [("relu", None), ("dense", (2,))]


def test_nested_models_are_flat_and_subclasses_are_listed_without_inputs():
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(2, name="inner")])
    assert [layer.name for layer in layer_facts(keras.Sequential([keras.Input((4,)), inner]))] == ["inner"]

    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.one, self.two = layers.Dense(3, name="one"), layers.Dense(2, name="two")

        def call(self, x):
            return self.two(self.one(x))

    model = keras.Sequential([keras.Input((4,)), Own()])
    assert [(layer.name, layer.n_parameters, layer.inputs) for layer in layer_facts(model)] == [
        ("one", 15, ()),
        ("two", 8, ()),
    ]


@pytest.mark.parametrize("norm", ["none", "batch", "layer"])
def test_a_specs_network_has_all_its_parameters(norm):
    model = network_of("cnn").build(RunConfig(model="cnn", norm=norm), (8, 8, 1), 10, 0)
    facts = arm_facts(model)
    assert facts.n_parameters == model.count_params() == sum(layer.n_parameters for layer in facts.layers)
    assert sum(facts.norms.values()) == (0 if norm == "none" else 3)
    assert facts.without_bias == (("conv_0", "conv_1", "dense_2") if norm == "batch" else ())
