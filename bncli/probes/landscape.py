"""The loss around a network's weights, and how its layers' gradients depend on each other (Santurkar et al. 2018).

"How Does Batch Normalization Help Optimization?", arXiv 1805.11604. All is measured on the same rows of the training
data in training mode, along the gradient of their loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bncli.networks.sites import is_linear
from bncli.probes.gradients import Loss, Tensors, covariate_shift
from bncli.results import Series

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

STEPS = (0.5, 1.0, 2.0, 4.0)
"""How far along the gradient the loss is measured, in learning rates: the range of the paper's figure 4."""

N_ROWS = 64
"""How many rows it is measured on, if there are so many: about a batch, as in the paper."""

N_MOMENTS = 10
"""How often it is measured in a training, as it takes as long as a few training steps per layer."""

WHOLE = "network"
"""The layer of series that belong to the network as a whole; its number is 0."""


@dataclass
class Landscape:
    """These probes of one network, as a function of one run's values that TensorFlow can trace and vectorize.

    Args:
        model: The network; its own values take no part.
        x: The training rows, of which the first `N_ROWS` are looked at.
        y: Their class numbers.
        loss: The loss of rows.
    """

    model: keras.Model
    x: Any
    y: Any
    loss: Loss

    def __post_init__(self) -> None:
        self.x, self.y = self.x[:N_ROWS], self.y[:N_ROWS]

    @property
    def series(self) -> tuple[Series, ...]:
        """What the function returns, in order."""
        whole = [Series(name, WHOLE, 0) for name in ("loss_range", "gradient_change", "smoothness")]
        names = [kernel.path.split("/")[-2] for kernel in self._kernels()][1:]
        return (*whole, *(Series("covariate_shift", name, number) for number, name in enumerate(names, 2)))

    def __call__(self, weights: Tensors, others: Tensors, rate: tf.Tensor) -> tf.Tensor:
        """Return the probes of one run, shape (series,).

        Args:
            weights: The values of its trainable variables.
            others: The values of its other variables.
            rate: Its learning rate.
        """
        import tensorflow as tf

        at, slope = self._at(weights, others)
        size = _norm(slope)
        losses, changes, bends = [at], [], []
        for step in STEPS:
            moved = [weight - step * rate * part for weight, part in zip(weights, slope, strict=True)]
            loss, other = self._at(moved, others)
            change = _norm([one - two for one, two in zip(slope, other, strict=True)])
            losses.append(loss)
            changes.append(change)
            bends.append(change / (step * rate * size))
        whole = [tf.reduce_max(losses) - tf.reduce_min(losses), tf.reduce_max(changes), tf.reduce_max(bends)]
        updated = [weight - rate * part for weight, part in zip(weights, slope, strict=True)]
        if len(self._kernels()) < 2:
            return tf.stack(whole)
        shifts = covariate_shift(self.model, weights, updated, others, self.x, self.y, self.loss, slope)
        return tf.concat([tf.stack(whole), shifts[:, 0]], axis=0)

    def _at(self, weights: Tensors, others: Tensors) -> tuple[tf.Tensor, Tensors]:
        """The loss and its gradient."""
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(weights)
            predicted, _ = self.model.stateless_call(weights, others, self.x, training=True)
            loss = tf.reduce_mean(self.loss(self.y, predicted))
        slope = tape.gradient(loss, weights, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return loss, [tf.convert_to_tensor(part) for part in slope]

    def _kernels(self) -> list[Any]:
        """The variables whose shift is measured, see `gradients.covariate_shift`."""
        return [variable for variable in self.model.trainable_variables if len(variable.shape) > 1]


def kernel_norms(model: keras.Model, probe: str, values: Tensors) -> dict[Series, Any]:
    """Return the norm of something that every linear layer's kernel has, such as its values or its gradient.

    Args:
        model: The network.
        probe: What the norms are called.
        values: It, for each trainable variable.
    """
    import tensorflow as tf

    by_variable = {id(v): value for v, value in zip(model.trainable_variables, values, strict=True)}
    layers = [layer for layer in model._flatten_layers(include_self=False) if is_linear(layer)]
    kernels = [(layer, getattr(layer, "kernel", None)) for layer in layers]
    return {
        Series(probe, layer.name, number): tf.norm(by_variable[id(kernel)])
        for number, (layer, kernel) in enumerate(kernels, 1)
        if id(kernel) in by_variable
    }


def participation(tensor: Any) -> Any:
    """Return the participation ratio of what a layer returns for some rows: how many directions its rows point in.

    It is tr(M)^2 / |M|^2 for the Gram matrix M of the rows (Daneshmand et al. 2020, arXiv 2003.01652): 1 if all rows
    are parallel, their number if they are orthogonal and of equal length.

    Args:
        tensor: Shape (rows, ...).
    """
    import tensorflow as tf

    rows = tf.reshape(tf.cast(tensor, tf.float32), [tensor.shape[0], -1])
    gram = tf.matmul(rows, rows, transpose_b=True)
    return tf.square(tf.linalg.trace(gram)) / tf.reduce_sum(tf.square(gram))


def _norm(tensors: Tensors) -> Any:
    import tensorflow as tf

    return tf.sqrt(tf.add_n([tf.reduce_sum(tf.square(part)) for part in tensors]))
