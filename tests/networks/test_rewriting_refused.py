"""Models that can't be rewritten: each is refused by the name of a layer, or told what to try."""

from functools import partial

import keras
import pytest
from keras import layers

from bncli.errors import InvalidConfig
from bncli.networks.rewriting import rewrite


def of_layers(*found, shape=(4,)):
    return keras.Sequential([keras.Input(shape), *found, layers.Dense(2)])


@keras.saving.register_keras_serializable()
class Block(layers.Layer):
    def __init__(self, **settings):
        super().__init__(**settings)
        self.norm = layers.BatchNormalization()

    def call(self, inputs):
        return self.norm(inputs)


class Sized(layers.Layer):
    def __init__(self, size):
        super().__init__(name="sized")

    def call(self, inputs):
        return inputs


class Decoder(layers.Layer):
    def __init__(self, encoder, **settings):
        super().__init__(**settings)
        self.encoder = encoder

    def call(self, inputs):
        return inputs @ keras.ops.transpose(self.encoder.kernel)


def tied():
    encoder = layers.Dense(3, activation="relu", name="encoder")
    return of_layers(encoder, Decoder(encoder, name="decoder"))


def masked():
    inner = keras.Sequential([keras.Input((5, 4)), layers.LSTM(3), layers.BatchNormalization()], name="inner")
    inputs = keras.Input((5,), dtype="int32", name="words")
    inner.supports_masking = True
    return keras.Model(inputs, inner(layers.Embedding(9, 4, mask_zero=True)(inputs), mask=inputs > 3))


@pytest.mark.parametrize(
    ("model", "arm", "message"),
    [
        (
            of_layers(layers.Dense(5, activation="relu", name="hidden")),
            (layers.BatchNormalization, "in-place"),
            "The model has no normalization that could be swapped. Say where to put one, such as batch:before.",
        ),
        (
            of_layers(layers.BatchNormalization(name="bn")),
            (layers.BatchNormalization, "before"),
            "The model has no place where a normalization can be put before an activation. Allowed: behind a hidden "
            "dense or convolutional layer that an activation follows. Found: 'bn': it does not stand next to a linear "
            "layer's activation.",
        ),
        (
            of_layers(),
            (layers.BatchNormalization, "after"),
            "The model has no place where a normalization can be put after an activation. Allowed: behind a hidden "
            "dense or convolutional layer that an activation follows.",
        ),
        (
            of_layers(layers.Lambda(lambda x: x, name="twice"), layers.BatchNormalization()),
            (None, "in-place"),
            "Layer 'twice' (Lambda) can't be made again from its settings. Use a function with the parameter norm.",
        ),
        (
            of_layers(Block(name="block")),
            (None, "in-place"),
            "Layer 'block' (Block) has a normalization within it. Use a function with the parameter norm.",
        ),
        (
            of_layers(layers.BatchNormalization(axis=1, name="bn"), layers.Flatten(), shape=(4, 3)),
            (layers.BatchNormalization, "in-place"),
            "Layer 'bn' (BatchNormalization) normalizes axis 1. Allowed: the last axis, of the channels.",
        ),
        (
            of_layers(layers.Dense(5, activation="relu", name="hidden")),
            (partial(layers.GroupNormalization, groups=2), "before"),
            "GroupNormalization 'hidden_norm' can't be put on values of shape (5,): groups=2 does not divide 5 "
            "channels.",
        ),
        (
            tied(),
            (layers.BatchNormalization, "before"),
            "Layers 'encoder' and 'decoder' share a weight, which new ones would not.",
        ),
        (
            masked(),
            (layers.BatchNormalization, "in-place"),
            "Sequential 'inner' is called with a mask of its own, which would be lost. Use a function with the "
            "parameter norm.",
        ),
        (
            of_layers(Sized(3), layers.BatchNormalization()),
            (None, "in-place"),
            "Layer 'sized' (Sized) can't be made again from its settings: Sized.__init__() got an unexpected "
            "keyword argument 'trainable'. Give its class a get_config.",
        ),
    ],
)
def test_what_can_not_be_rewritten(model, arm, message):
    with pytest.raises(InvalidConfig) as caught:
        rewrite(model, *arm)
    assert str(caught.value) == message


def test_a_norm_of_another_axis_can_be_removed():
    model = of_layers(layers.BatchNormalization(axis=1, name="bn"), layers.Flatten(), shape=(4, 3))
    assert rewrite(model, None, "in-place").model.count_params() == 26
