"""What a network costs, from its description and from its Keras model."""

import keras
import pytest

from bncli.config import RunConfig
from bncli.networks.building import build_model
from bncli.networks.cost import cost_of_layers, cost_of_model
from bncli.networks.layout import lay_out

DIGITS = (8, 8, 1)


def costs(model):
    """What a network costs by its description, and what its Keras model does."""
    config = RunConfig(model=model, norm="batch")
    built = build_model(config, DIGITS, 10, 0)
    return cost_of_layers(lay_out(config, DIGITS, 10), DIGITS), cost_of_model(built, DIGITS)


@pytest.mark.parametrize(
    "model",
    [
        "conv4:k5:s2:same avgpool flatten dense8",
        "conv4:same { conv4:same conv6:s2:same } gap",
        "{ dense8 dense6 }*2",
        "resnet20",
        "lstm4*2",
        "gru4*2 dense8",
    ],
)
def test_a_description_costs_what_its_keras_model_costs(model):
    described, built = costs(model)
    assert described.n_weights == built.n_weights
    assert (described.macs, described.conv_macs) == (built.macs, built.conv_macs)
    assert described.n_outputs == built.n_outputs
    assert described.widest == built.widest
    assert described.alone == built.alone == ""


def test_layers_that_do_not_tell_their_steps_count_as_one():
    layers = keras.layers
    inner = layers.Bidirectional(layers.LSTM(3, return_sequences=True))
    model = keras.Sequential([keras.Input((8, 4)), inner, layers.GRU(3), layers.Dense(2)])
    found = cost_of_model(model, (8, 4))
    assert found.alone == "Bidirectional (layer bidirectional) has no form that stacks"
    assert found.macs == 2 * 4 * 3 * (4 + 3) + 8 * 3 * 3 * (6 + 3) + 3 * 2


def test_without_biases_and_norms_the_weights_are_all_parameters():
    config = RunConfig(model="conv4:k2 { conv4:same conv6:s2:same } avgpool { conv6:k1 } gap dense5", use_bias="false")
    model = build_model(config, (9, 9, 2), 3, 0)
    assert cost_of_layers(lay_out(config, (9, 9, 2), 3), (9, 9, 2)).n_weights == model.count_params()


def test_numbers_between_layers_are_patches_and_gates():
    def n_activations(model, shape):
        return cost_of_layers(lay_out(RunConfig(model=model), shape, 3), shape).n_activations

    ends = 2 * 3  # the output layer and its activation
    assert n_activations("conv2:k1 gap", (4, 4, 3)) == 48 + 16 * 3 + 2 * 32 + 2 + ends
    assert n_activations("conv2:k2:s2 gap", (4, 4, 3)) == 48 + 4 * 12 + 2 * 8 + 2 + ends
    assert n_activations("gru5", (4, 4, 1)) == 16 + 16 + 4 * 2 * 3 * 5 + 5 + ends
    assert n_activations("lstm5", (4, 4, 1)) == 16 + 16 + 4 * 2 * 4 * 5 + 5 + ends
