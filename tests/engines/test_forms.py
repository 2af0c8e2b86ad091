"""Every layer and function that `networks.forms` says stacks: vectorized over runs, it computes what Keras computes."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from bncli.engines.layers import restacked
from bncli.networks import forms
from bncli.networks.layers import GhostBatchNormalization

strict = functools.partial(tf.vectorized_map, fallback_to_while_loop=False)

IMAGES = {
    "Conv2D": layers.Conv2D(3, 3),
    "DepthwiseConv2D": layers.DepthwiseConv2D(3),
    "SeparableConv2D": layers.SeparableConv2D(5, (3, 2), strides=2, padding="same", depth_multiplier=2),
    "MaxPooling2D": layers.MaxPooling2D(2),
    "AveragePooling2D": layers.AveragePooling2D(2),
    "UpSampling2D": layers.UpSampling2D(2),
    "ZeroPadding2D": layers.ZeroPadding2D(1),
    "Cropping2D": layers.Cropping2D(1),
    "GlobalAveragePooling2D": layers.GlobalAveragePooling2D(),
    "GlobalMaxPooling2D": layers.GlobalMaxPooling2D(),
    "BatchNormalization": layers.BatchNormalization(),
    "GhostBatchNormalization": GhostBatchNormalization(2),
    "LayerNormalization": layers.LayerNormalization(),
    "GroupNormalization": layers.GroupNormalization(2),
    "RMSNormalization": layers.RMSNormalization(),
    "PReLU": layers.PReLU(),
    "Permute": layers.Permute((2, 1, 3)),
}
SEQUENCES = {
    "Conv1D": layers.Conv1D(3, 3, strides=2, padding="same"),
    "MaxPooling1D": layers.MaxPooling1D(2),
    "AveragePooling1D": layers.AveragePooling1D(2),
    "GlobalAveragePooling1D": layers.GlobalAveragePooling1D(),
    "GlobalMaxPooling1D": layers.GlobalMaxPooling1D(),
    "UpSampling1D": layers.UpSampling1D(2),
    "ZeroPadding1D": layers.ZeroPadding1D(2),
    "Cropping1D": layers.Cropping1D(1),
    "SimpleRNN": layers.SimpleRNN(3),
    "LSTM": layers.LSTM(3, return_sequences=True),
    "GRU": layers.GRU(3),
    "MultiHeadAttention": lambda x, layer=layers.MultiHeadAttention(2, 3): layer(x, x),
    "Masking": lambda x: ops.relu(layers.Masking(0.0)(x)),
    "EinsumDense": layers.EinsumDense("abc,cd->abd", output_shape=(6, 3), bias_axes="d"),
}
ROWS = {
    "Dense": layers.Dense(3),
    "Activation": layers.Activation("gelu"),
    "ReLU": layers.ReLU(),
    "LeakyReLU": layers.LeakyReLU(),
    "ELU": layers.ELU(),
    "Softmax": layers.Softmax(),
    "Identity": layers.Identity(),
    "Dropout": layers.Dropout(0.3),
    "UnitNormalization": layers.UnitNormalization(),
    "ActivityRegularization": layers.ActivityRegularization(0.1),
    "Embedding": lambda x, layer=layers.Embedding(5, 3): layer(ops.abs(ops.sign(x))),
    "Flatten": layers.Flatten(),
    "Reshape": layers.Reshape((4, 2)),
    "RepeatVector": layers.RepeatVector(2),
    "Rescaling": layers.Rescaling(0.5, 0.1),
    "Normalization": layers.Normalization(mean=0.3, variance=2.0),
}
PAIRS = {
    "Add": layers.Add(),
    "Subtract": layers.Subtract(),
    "Multiply": layers.Multiply(),
    "Average": layers.Average(),
    "Maximum": layers.Maximum(),
    "Minimum": layers.Minimum(),
    "Concatenate": layers.Concatenate(),
    "Dot": layers.Dot(1),
}
FUNCTIONS = {
    "Relu": ops.relu,
    "Relu6": ops.relu6,
    "Sigmoid": ops.sigmoid,
    "Tanh": ops.tanh,
    "Softmax": ops.softmax,
    "LogSoftmax": ops.log_softmax,
    "Gelu": ops.gelu,
    "Silu": ops.silu,
    "Elu": ops.elu,
    "Selu": ops.selu,
    "LeakyRelu": ops.leaky_relu,
    "Softplus": ops.softplus,
    "Add": lambda x: x + 1,
    "Subtract": lambda x: 1 - x,
    "Multiply": lambda x: 2 * x,
    "TrueDivide": lambda x: x / 3,
    "Negative": lambda x: -x,
    "Maximum": lambda x: ops.maximum(x, 0.1),
    "Minimum": lambda x: ops.minimum(x, 0.1),
    "Square": ops.square,
    "Sqrt": lambda x: ops.sqrt(ops.square(x) + 1),
    "Exp": ops.exp,
    "Absolute": ops.abs,
    "Equal": lambda x: ops.where(ops.equal(ops.relu(x), 0), x, -x),
    "NotEqual": lambda x: ops.where(ops.not_equal(ops.relu(x), 0), x, -x),
    "All": lambda x: ops.where(ops.all(ops.equal(ops.relu(x), 0), axis=-1, keepdims=True), x, -x),
    "Any": lambda x: ops.where(ops.any(ops.equal(ops.relu(x), 0), axis=-1, keepdims=True), x, -x),
    "ConvertToTensor": ops.convert_to_tensor,
    "Where": lambda x: ops.where(ops.equal(ops.relu(x), 0), x, -x),
    "Mean": lambda x: ops.mean(x, axis=-1, keepdims=True),
    "Sum": lambda x: ops.sum(x, axis=-1, keepdims=True),
    "Max": lambda x: ops.max(x, axis=-1, keepdims=True),
    "Reshape": lambda x: ops.reshape(x, (-1, 4, 2)),
    "Concatenate": lambda x: ops.concatenate([x, x], axis=-1),
    "GetItem": lambda x: x[:, 1:3],
    "ExpandDims": lambda x: ops.expand_dims(x, -1),
    "Squeeze": lambda x: ops.squeeze(ops.reshape(x, (-1, 8, 1)), -1),
    "Transpose": lambda x: ops.transpose(ops.reshape(x, (-1, 4, 2)), (0, 2, 1)),
}


def model_of(kind, name):
    inputs = keras.Input((16,))
    hidden = layers.Dense(8)(inputs)
    if kind == "images":
        found = IMAGES[name](layers.Reshape((4, 4, 4))(layers.Dense(64)(inputs)))
    elif kind == "sequences":
        found = SEQUENCES[name](layers.Reshape((6, 4))(layers.Dense(24)(inputs)))
    elif kind == "pairs":
        found = PAIRS[name]([hidden, layers.Dense(8)(inputs)])
    else:
        found = (ROWS if kind == "rows" else FUNCTIONS)[name](hidden)
    return keras.Model(inputs, layers.Dense(2)(layers.Flatten()(found)))


CASES = [
    (kind, name)
    for kind, group in [
        ("images", IMAGES), ("sequences", SEQUENCES), ("rows", ROWS), ("pairs", PAIRS), ("functions", FUNCTIONS)
    ]
    for name in group
]  # fmt: skip


def test_everything_that_is_said_to_stack_is_tested():
    names = {name for kind, name in CASES if kind != "functions"}
    assert names | {"InputLayer"} == forms.PLAIN | forms.REPLACED
    assert set(FUNCTIONS) == forms.OPERATIONS


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_two_runs_in_a_stack_have_the_outputs_and_gradients_of_keras(kind, name):
    model = model_of(kind, name)
    stacked = restacked(model)
    stacked.set_weights(model.get_weights())
    if name != "Embedding":  # whose input must be whole, by a function that nobody has between layers
        assert forms.why_not_stacked(model) == ""
    x = tf.random.stateless_normal([2, 5, 16], [3, 4])
    weights = [tf.stack([variable.value, 1.1 * variable.value]) for variable in stacked.trainable_variables]
    others = [tf.stack([variable.value] * 2) for variable in stacked.non_trainable_variables]
    pairs = tf.function(functools.partial(strict, functools.partial(outputs, stacked)), autograph=False)
    found = pairs((weights, others, x))
    for run in (0, 1):
        own = [value[run] for value in weights], [value[run] for value in others], x[run]
        for ours, theirs in zip(tf.nest.flatten(found), tf.nest.flatten(outputs(model, own)), strict=True):
            np.testing.assert_allclose(ours[run], theirs, rtol=1e-4, atol=1e-5)


def outputs(model, arguments):
    weights, others, x = arguments
    with tf.GradientTape() as tape:
        tape.watch(weights)
        predicted, after = model.stateless_call(weights, others, x, training=True)
        loss = tf.reduce_sum(tf.square(predicted))
    gradients = [
        tf.convert_to_tensor(gradient)
        for gradient in tape.gradient(loss, weights, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    ]
    return predicted, gradients, [tf.cast(value, tf.float32) for value in after]
