"""The optimizers: what each is, and which fields of a run it obeys.

To add one, add it here and its update to `engines.updates.RULES`; tests hold the update to Keras' own optimizer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

DECAYS = ("all", "kernels")
"""Which weights shrink by weight decay."""

SHIFTS_AND_SCALES = ("bias", "beta", "gamma", "scale")
"""The names of weights that are no kernels, though some layers have them with several axes."""


@dataclass(frozen=True)
class Optimizer:
    """One of Keras' optimizers.

    Attributes:
        about: One line that says what it is, with its source.
        keras_class: The name of its class in `keras.optimizers`.
        fields: The fields of a run that it alone obeys; they have the names of Keras' arguments.
        weight_decay: The weight decay of a run that does not say: Keras' default.
    """

    about: str
    keras_class: str
    fields: tuple[str, ...] = ()
    weight_decay: float = 0.0


OPTIMIZERS = {
    "sgd": Optimizer("Stochastic gradient descent, with momentum if the run has one.", "SGD", ("momentum", "nesterov")),
    "rmsprop": Optimizer("Gradients divided by their root mean square (Tieleman and Hinton 2012).", "RMSprop"),
    "adam": Optimizer("Adaptive moments (Kingma and Ba 2015, arXiv 1412.6980).", "Adam"),
    "adamw": Optimizer(
        "Adam with decoupled weight decay (Loshchilov and Hutter 2019, arXiv 1711.05101).", "AdamW", weight_decay=0.004
    ),
    "nadam": Optimizer("Adam with Nesterov's momentum (Dozat 2016).", "Nadam"),
    "lion": Optimizer(
        "The sign of a momentum (Chen et al. 2023, arXiv 2302.06675); its rates are 3 to 10 times below Adam's.", "Lion"
    ),
}
"""The optimizers by name. What is no field of a run (rho, the betas, epsilon) has Keras' default."""


def is_decayed(variable: Any, decay: str) -> bool:
    """Return whether a weight shrinks by weight decay.

    Args:
        variable: A trainable variable of a Keras model.
        decay: One of `DECAYS`. With `kernels`, only weights of two axes or more that are no biases, shifts or scale
            factors: kernels and embeddings.
    """
    return decay == "all" or (len(variable.shape) > 1 and variable.name not in SHIFTS_AND_SCALES)
