"""Cross-entropy for stacks of runs: Keras' values, in the very operations of the softmax before it.

Keras computes the loss and its gradient from the logits with TensorFlow's own operation, so that XLA takes every
exponential twice, and compiles it twice. Written as below, XLA finds that the softmax has them already.
"""

from __future__ import annotations

from typing import Any

from bncli.backend import tf
from bncli.engines.criterion import Criterion


class StackedCriterion(Criterion):
    """A criterion whose cross-entropy after a softmax shares the exponentials with it."""

    def losses(self, y: tf.Tensor, predicted: tf.Tensor, smoothing: tf.Tensor | None = None) -> tf.Tensor:
        """Return Keras' loss of every row; see `Criterion.losses`."""
        logits, n_outputs = getattr(predicted, "_keras_logits", None), predicted.shape[-1]
        is_softmax = predicted.shape.rank == 2 and n_outputs > 1 and logits is not None
        if not is_softmax or not self.keras_name(n_outputs, is_soft=False).endswith("categorical_crossentropy"):
            return super().losses(y, predicted, smoothing)
        shares = tf.one_hot(y, n_outputs)
        return _cross_entropy(logits, shares if smoothing is None else self.labels(y, n_outputs, smoothing))


@tf.custom_gradient  # type: ignore[untyped-decorator,unused-ignore]
def _cross_entropy(logits: tf.Tensor, shares: tf.Tensor) -> Any:
    """The cross-entropy of the softmax of logits and shares that add up to 1, both of shape (rows, classes)."""
    shifted = logits - tf.reduce_max(logits, axis=-1, keepdims=True)
    exponentials = tf.exp(shifted)
    total = tf.reduce_sum(exponentials, axis=-1, keepdims=True)

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, None]:
        return upstream[:, None] * (exponentials / total - shares), None

    counted = tf.where(shares > 0, shares * shifted, 0.0)  # the logit of a class that can't be is -inf
    return tf.math.log(total[:, 0]) - tf.reduce_sum(counted, axis=-1), gradient
