"""An LSTM for stacks of runs: the weights and outputs of Keras' layer in fewer and larger operations."""

from __future__ import annotations

from typing import Any

import numpy as np

from bncli.backend import keras, tf


class GatedLSTM(keras.layers.LSTM):  # type: ignore[misc]
    """Keras' LSTM, unrolled, with its four gates in one product and one tanh, and gradients written out.

    The gradient of a kernel is one product over all steps; autodiff would make one for each.
    """

    def call(
        self, sequences: tf.Tensor, initial_state: Any = None, mask: tf.Tensor | None = None, training: bool = False
    ) -> tf.Tensor:
        """Return the last state, or all states, of `sequences`, shape (rows, steps, features)."""
        cell = self.cell
        is_usual = (cell.activation, cell.recurrent_activation) == (keras.activations.tanh, keras.activations.sigmoid)
        if not is_usual or mask is not None or initial_state is not None or self.return_state or self.go_backwards:
            return super().call(sequences, initial_state=initial_state, mask=mask, training=training)
        bias = cell.bias if cell.use_bias else tf.zeros([4 * cell.units])
        values = map(tf.convert_to_tensor, (sequences, cell.kernel, cell.recurrent_kernel, bias))
        states = _lstm_states(*values)
        return states if self.return_sequences else states[:, -1]


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
