"""Facts about optimizers that need no training."""

import keras
import pytest

from bncli.engines.updates import RULES
from bncli.training.optimizers import OPTIMIZERS, is_decayed

IMAGE = (8, 8, 3)


def test_every_optimizer_is_one_of_keras_and_has_a_rule():
    assert set(RULES) == set(OPTIMIZERS)
    assert all(issubclass(getattr(keras.optimizers, each.keras_class), keras.Optimizer) for each in OPTIMIZERS.values())


def test_the_weight_decay_of_a_run_that_does_not_say_is_that_of_keras():
    for each in OPTIMIZERS.values():
        assert (getattr(keras.optimizers, each.keras_class)().weight_decay or 0) == each.weight_decay


@pytest.mark.parametrize(
    ("layer", "input_shape", "kernels"),
    [
        (keras.layers.Dense(2), (3,), {"kernel"}),
        (keras.layers.Conv2D(2, 3), IMAGE, {"kernel"}),
        (keras.layers.DepthwiseConv2D(3), IMAGE, {"kernel"}),
        (keras.layers.GRU(2), (4, 3), {"kernel", "recurrent_kernel"}),
        (keras.layers.Embedding(5, 2), (3,), {"embeddings"}),
        (keras.layers.BatchNormalization(), IMAGE, set()),
        (keras.layers.LayerNormalization(axis=[1, 2, 3]), IMAGE, set()),
        (keras.layers.RMSNormalization(), (3,), set()),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, keras.Layer) else "",
)
def test_kernels_are_all_weights_but_biases_shifts_and_scale_factors(layer, input_shape, kernels):
    layer.build((None, *input_shape))
    assert {weight.name for weight in layer.trainable_variables if is_decayed(weight, "kernels")} == kernels
    assert all(is_decayed(weight, "all") for weight in layer.trainable_variables)
