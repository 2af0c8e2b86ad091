"""The loss around a network's weights, and how its layers' gradients depend on each other (Santurkar et al. 2018).

"How Does Batch Normalization Help Optimization?", arXiv 1805.11604. All is measured on the same rows of the training
data in training mode, along the gradient of their loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bncli.networks.sites import is_linear
from bncli.probes.gradients import Loss, Tensors
from bncli.results import Series

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

STEPS = (0.5, 1.0, 2.0, 4.0)
"""How far along the gradient the loss is measured, in learning rates: the range of the paper's figure 4."""

N_ROWS = 64
"""How many rows it is measured on, if there are so many: about a batch, as in the paper."""

N_MOMENTS = 10
"""How often it is measured in a training, as it takes as long as a training step per layer."""

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
        names = [self.model.trainable_variables[place].path.split("/")[-2] for place in self._places()[1:]]
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

        def look(factors: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            loss, other = self._at(_stepped(weights, slope, factors * rate), others)
            return loss, tf.stack([_norm(one - two) for one, two in zip(slope, other, strict=True)])

        # One pass in a loop: a copy for each of its points would take minutes to compile in a network of 30 layers.
        kinds = (tf.float32, tf.float32)
        losses, changes = tf.map_fn(look, self._points(), parallel_iterations=1, fn_output_signature=kinds)
        n_steps, places = len(STEPS), self._places()[1:]
        change = tf.norm(changes[:n_steps], axis=1)
        bends = change / (tf.constant(STEPS) * rate * tf.norm(tf.stack([_norm(part) for part in slope])))
        losses = tf.concat([losses[:n_steps], [at]], axis=0)
        whole = [tf.reduce_max(losses) - tf.reduce_min(losses), tf.reduce_max(change), tf.reduce_max(bends)]
        return tf.stack([*whole, *(changes[point, place] for point, place in enumerate(places, n_steps))])

    def _points(self) -> Any:
        """Where the loss is looked at: how many learning rates each weight goes along the gradient.

        Returns:
            First the `STEPS`, which all weights take; then for each kernel but the first, one step of all weights
            before it, shape (points, weights).
        """
        import numpy as np

        count = len(self.model.trainable_variables)
        along = np.repeat(np.array(STEPS)[:, None], count, axis=1)
        below = [np.arange(count) < place for place in self._places()[1:]]
        return np.stack([*along, *below]).astype("float32")

    def _at(self, weights: Tensors, others: Tensors) -> tuple[tf.Tensor, Tensors]:
        """The loss and its gradient."""
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(weights)
            predicted, _ = self.model.stateless_call(weights, others, self.x, training=True)
            loss = tf.reduce_mean(self.loss(self.y, tf.cast(predicted, tf.float32)))
        slope = tape.gradient(loss, weights, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return loss, [tf.convert_to_tensor(part) for part in slope]

    def _places(self) -> list[int]:
        """The places of the kernels, whose shift is measured, among the weights; see `gradients.covariate_shift`."""
        return [place for place, each in enumerate(self.model.trainable_variables) if len(each.shape) > 1]


def _stepped(weights: Tensors, slope: Tensors, lengths: Any) -> Tensors:
    """Weights after a step against a gradient; a weight whose length is 0 stays, whatever its gradient is."""
    import tensorflow as tf

    parts = zip(weights, slope, tf.unstack(lengths, len(weights)), strict=True)
    return [weight - tf.math.multiply_no_nan(part, length) for weight, part, length in parts]


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


def _norm(tensor: Any) -> Any:
    import tensorflow as tf

    return tf.sqrt(tf.reduce_sum(tf.square(tensor)))
