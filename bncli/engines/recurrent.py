"""Recurrent layers for stacks of runs: the weights and outputs of Keras' layers in fewer and larger operations.

They are unrolled, with the gates of a step in one product and gradients written out: that of a kernel is one product
over all steps, where autodiff would make one for each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bncli.backend import keras, tf


@tf.custom_gradient  # type: ignore[untyped-decorator,unused-ignore]
def _lstm_states(x: tf.Tensor, kernel: tf.Tensor, recurrent: tf.Tensor, bias: tf.Tensor) -> Any:
    """All states of an LSTM that starts from zeros, shape (rows, steps, units); gates are in Keras' order i, f, c, o.

    Of a gate z, sigmoid(z) is tanh(z / 2) / 2 + 1 / 2.
    """
    _, n_steps, n_in = x.shape
    units = recurrent.shape[0]
    rows = tf.reshape(tf.transpose(x, [1, 0, 2]), [-1, n_in])  # step by step
    slope = tf.constant(np.repeat(np.array([0.5, 0.5, 1, 0.5], "float32"), units))
    shift = tf.constant(np.repeat(np.array([0.5, 0.5, 0, 0.5], "float32"), units))
    given = tf.unstack(tf.reshape(tf.matmul(rows, kernel) + bias, [n_steps, -1, 4 * units]))
    states: list[tf.Tensor] = []
    carries: list[tf.Tensor] = []
    tanhs: list[tf.Tensor] = []
    gates: list[tf.Tensor] = []
    for z in given:
        z = z + tf.matmul(states[-1], recurrent) if states else z
        gates.append(tf.tanh(z * slope) * slope + shift)
        i, f, c, o = tf.split(gates[-1], 4, axis=-1)
        carries.append(f * carries[-1] + i * c if carries else i * c)
        tanhs.append(tf.tanh(carries[-1]))
        states.append(o * tanhs[-1])

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, ...]:
        of_gates: list[tf.Tensor] = []
        to_state = to_carry = None
        for step, from_above in reversed(list(enumerate(tf.unstack(upstream, axis=1)))):
            i, f, c, o = tf.split(gates[step], 4, axis=-1)
            to_state = from_above if to_state is None else from_above + to_state
            within = to_state * o * (1 - tf.square(tanhs[step]))
            to_carry = within if to_carry is None else within + to_carry
            to_f = to_carry * carries[step - 1] * f * (1 - f) if step else tf.zeros_like(f)
            parts = [to_carry * c * i * (1 - i), to_f, to_carry * i * (1 - tf.square(c))]
            of_gates.insert(0, tf.concat([*parts, to_state * tanhs[step] * o * (1 - o)], axis=-1))
            to_state, to_carry = tf.matmul(of_gates[0], recurrent, transpose_b=True), to_carry * f
        flat = tf.concat(of_gates, axis=0)
        before = tf.concat([tf.zeros_like(states[0]), *states[:-1]], axis=0)
        to_x = tf.reshape(tf.matmul(flat, kernel, transpose_b=True), [n_steps, -1, n_in])
        to_kernel, to_recurrent = (tf.matmul(values, flat, transpose_a=True) for values in (rows, before))
        return tf.transpose(to_x, [1, 0, 2]), to_kernel, to_recurrent, tf.reduce_sum(flat, axis=0)

    return tf.stack(states, axis=1), gradient


@tf.custom_gradient  # type: ignore[untyped-decorator,unused-ignore]
def _gru_states(x: tf.Tensor, kernel: tf.Tensor, recurrent: tf.Tensor, bias: tf.Tensor) -> Any:
    """All states of a GRU that starts from zeros, shape (rows, steps, units); gates are in Keras' order z, r, h."""
    _, n_steps, n_in = x.shape
    units = recurrent.shape[0]
    rows = tf.reshape(tf.transpose(x, [1, 0, 2]), [-1, n_in])  # step by step
    input_bias, state_bias = tf.unstack(bias)
    given = tf.reshape(tf.matmul(rows, kernel) + input_bias, [n_steps, -1, 3 * units])
    gates_given, given = map(tf.unstack, tf.split(given, [2 * units, units], axis=-1))
    states: list[tf.Tensor] = [tf.zeros_like(given[0])]
    within: list[tuple[tf.Tensor, ...]] = []
    for gates, of_input in zip(gates_given, given, strict=True):
        of_gates, of_state = tf.split(tf.matmul(states[-1], recurrent) + state_bias, [2 * units, units], axis=-1)
        z, r = tf.split(tf.sigmoid(gates + of_gates), 2, axis=-1)
        proposed = tf.tanh(of_input + r * of_state)
        within.append((z, r, proposed, of_state))
        states.append(z * states[-1] + (1 - z) * proposed)

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, ...]:
        of_gates: list[tf.Tensor] = []
        of_proposed: list[tf.Tensor] = []
        of_states: list[tf.Tensor] = []
        to_state = None
        to_gates, to_last = tf.split(recurrent, [2 * units, units], axis=-1)
        for step, from_above in reversed(list(enumerate(tf.unstack(upstream, axis=1)))):
            z, r, proposed, of_state = within[step]
            to_state = from_above if to_state is None else from_above + to_state
            of_proposed.insert(0, to_state * (1 - z) * (1 - tf.square(proposed)))
            to_z = to_state * (states[step] - proposed) * z * (1 - z)
            to_r = of_proposed[0] * of_state * r * (1 - r)
            of_gates.insert(0, tf.concat([to_z, to_r], axis=-1))
            of_states.insert(0, of_proposed[0] * r)
            to_state = (
                to_state * z
                + tf.matmul(of_gates[0], to_gates, transpose_b=True)
                + tf.matmul(of_states[0], to_last, transpose_b=True)
            )
        flat = tf.concat(of_gates, axis=0)
        inputs = tf.concat([flat, tf.concat(of_proposed, axis=0)], axis=-1)
        states_ = tf.concat([flat, tf.concat(of_states, axis=0)], axis=-1)
        to_x = tf.reshape(tf.matmul(inputs, kernel, transpose_b=True), [n_steps, -1, n_in])
        to_kernel = tf.matmul(rows, inputs, transpose_a=True)
        to_recurrent = tf.matmul(tf.concat(states[:-1], axis=0), states_, transpose_a=True)
        to_bias = tf.stack([tf.reduce_sum(inputs, axis=0), tf.reduce_sum(states_, axis=0)])
        return tf.transpose(to_x, [1, 0, 2]), to_kernel, to_recurrent, to_bias

    return tf.stack(states[1:], axis=1), gradient


class _Gated:
    """What both layers share.

    Attributes:
        compute: A function of sequences, kernel, recurrent kernel and bias that returns all states, shape (rows, steps,
            units).
        biases: The shape of a bias before its last axis.
    """

    compute: Callable[..., tf.Tensor]
    biases: tuple[int, ...] = ()

    def call(
        self, sequences: tf.Tensor, initial_state: Any = None, mask: tf.Tensor | None = None, training: bool = False
    ) -> tf.Tensor:
        """Return the last state, or all states, of `sequences`, shape (rows, steps, features)."""
        layer: Any = self
        is_plain = mask is None and initial_state is None and not (layer.return_state or layer.go_backwards)
        if not (is_plain and self.is_usual(layer.cell)):
            found: tf.Tensor = super().call(  # type: ignore[misc]
                sequences, initial_state=initial_state, mask=mask, training=training
            )
            return found
        cell = layer.cell
        bias = cell.bias if cell.use_bias else tf.zeros([*self.biases, cell.kernel.shape[-1]])
        states = self.compute(*map(tf.convert_to_tensor, (sequences, cell.kernel, cell.recurrent_kernel, bias)))
        return states if layer.return_sequences else states[:, -1]

    def is_usual(self, cell: Any) -> bool:
        """Whether the cell computes what `compute` does."""
        return (cell.activation, cell.recurrent_activation) == (keras.activations.tanh, keras.activations.sigmoid)


class GatedLSTM(_Gated, keras.layers.LSTM):  # type: ignore[misc]
    """Keras' LSTM."""

    compute = staticmethod(_lstm_states)


class GatedGRU(_Gated, keras.layers.GRU):  # type: ignore[misc]
    """Keras' GRU."""

    compute, biases = staticmethod(_gru_states), (2,)  # for inputs, and for the state

    def is_usual(self, cell: Any) -> bool:
        """Whether the cell computes what `compute` does: its reset comes behind the product, as by default."""
        return super().is_usual(cell) and cell.reset_after
