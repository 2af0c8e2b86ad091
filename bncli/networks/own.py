"""Networks that bncli gets as Keras models: built for every seed anew, and rewritten for arms where need be."""

from __future__ import annotations

import contextlib
import importlib
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bncli.data.sequences import is_sequence
from bncli.errors import BncliError, InvalidConfig, first_line
from bncli.networks import norms
from bncli.networks.copying import copy_weights
from bncli.networks.cost import Cost, cost_of_model
from bncli.networks.drawing import in_turn, seeded
from bncli.networks.layout import IN_PLACE, NORM_FIELDS, NetworkFields
from bncli.networks.naming import fresh_names
from bncli.networks.outputs import check_model, with_probabilities
from bncli.networks.rewriting import Change, Rewritten, rewrite
from bncli.networks.seeds import derive
from bncli.networks.sites import makes_mask
from bncli.tasks.task import ONE_QUANTITY

if TYPE_CHECKING:
    import keras

SHAPING = ("activation", "kernel_initializer", "init_scale", "use_bias", *NORM_FIELDS)
"""The fields that shape the networks of specs."""

NORMS = ("BatchNormalization", "LayerNormalization", "GroupNormalization", "RMSNormalization")
"""Keras' normalization layers, as a file or a function's text names them."""


@dataclass
class _Known:
    """What the network of an arm is, known since it was built.

    Attributes:
        cost: What it costs.
        momentum: The largest momentum of the moving averages that training updates; None if there are none.
        change: What rewriting changes in the model; None if it stays as it is.
        shapes: The shapes of the samples that new normalizations are put on.
        has_mask: Whether a layer says which steps of a sequence are padding.
        fixed: The layers that no seed changes; None before they were looked for.
    """

    cost: Cost
    momentum: float | None
    change: Change | None
    shapes: list[norms.Shape]
    has_mask: bool
    fixed: tuple[str, ...] | None = None


class OwnNetwork(ABC):
    """A network that is a Keras model of the user's; see `network.Network` for what every network can do.

    Attributes:
        label: How messages call it.
        digest: A hash of what it is made from.
        text: The text that the hash is of; None if it is of bytes.
        rewrites: Whether arms are made by rewriting the model; otherwise it asks for its normalizations.
        has_norms: Whether there is a normalization in it, as far as its text tells.
        shape_hint: A sentence for a model whose output has the wrong shape.
    """

    label: str
    digest: str | None
    text: str | None = None
    rewrites = True
    has_norms = False
    shape_hint = ""

    def __init__(self) -> None:
        self._known: dict[tuple[Any, ...], _Known] = {}
        self._made: list[keras.Layer] = []

    @abstractmethod
    def make(self, fields: NetworkFields, input_shape: tuple[int, ...], n_classes: int) -> keras.Model:
        """Return the user's model."""

    @abstractmethod
    def told(self, error: BaseException) -> str:
        """Say what failed in the user's model."""

    def unused_fields(self, fields: NetworkFields) -> set[str]:
        """Return the fields of network and normalization that rewriting does not use."""
        used = {"norm", *norms.fields(fields.norm)}
        used |= {"use_bias"} if fields.norm not in norms.OWN else set()
        used |= {"placement"} if fields.norm not in (*norms.OWN, norms.NONE) else set()
        return set(SHAPING) - used

    def check(self, fields: NetworkFields, input_shape: tuple[int, ...], n_classes: int) -> None:
        """Build the network once.

        Raises:
            InvalidConfig: The model can't be made, does not fit the data, or has no place for the normalization.
        """
        self.cost(fields, input_shape, n_classes)

    def cost(self, fields: NetworkFields, input_shape: tuple[int, ...], n_classes: int) -> Cost:
        """Return what the network costs, from the layers that it has when it is built."""
        return self._found(fields, input_shape, n_classes).cost

    def momentum(self, fields: NetworkFields, input_shape: tuple[int, ...], n_classes: int) -> float | None:
        """Return the largest momentum of the moving averages that training updates; None if there are none."""
        return self._found(fields, input_shape, n_classes).momentum

    def change(self, fields: NetworkFields, input_shape: tuple[int, ...], n_classes: int) -> Change | None:
        """Return what rewriting changes in the model; None if it stays as it is."""
        return self._found(fields, input_shape, n_classes).change

    def norm_shapes(self, fields: NetworkFields, input_shape: tuple[int, ...], n_classes: int) -> list[norms.Shape]:
        """Return the shapes of the samples that the normalizations of the arm are put on."""
        return self._found(fields, input_shape, n_classes).shapes

    def has_mask(self, fields: NetworkFields, input_shape: tuple[int, ...], n_classes: int) -> bool:
        """Return whether a layer says which steps of a sequence are padding."""
        return self._found(fields, input_shape, n_classes).has_mask

    def fixed_layers(self, fields: NetworkFields, input_shape: tuple[int, ...], n_classes: int) -> tuple[str, ...]:
        """Return the layers whose random initial weights are the same for every seed: their initializers have a seed.

        Weights that are loaded, or kept, count as well.
        """
        found = self._found(fields, input_shape, n_classes)
        if found.fixed is None:
            first, second = (self.build(fields, input_shape, n_classes, seed) for seed in (0, 1))
            found.fixed = _equal_layers(first, second)
        return found.fixed

    def _found(self, fields: NetworkFields, input_shape: tuple[int, ...], n_classes: int) -> _Known:
        """What the network of an arm is, built once."""
        key = (*(getattr(fields, name) for name in SHAPING), input_shape, n_classes)
        if key not in self._known:
            model, change, shapes = self._built(fields, input_shape, n_classes, 0)
            cost, momentum = cost_of_model(model, input_shape), _largest_momentum(model)
            self._known[key] = _Known(cost, momentum, change, shapes, makes_mask(model))
        return self._known[key]

    def output_units(self, fields: NetworkFields, input_shape: tuple[int, ...], n_classes: int) -> int:
        """Return the number of outputs of the model."""
        units: int = self.build(fields, input_shape, n_classes, 0).output_shape[-1]
        return units

    def build(self, fields: NetworkFields, input_shape: tuple[int, ...], n_classes: int, seed: int) -> keras.Model:
        """Build the network. Its random numbers depend on the seed alone, and so do its initial weights.

        Returns:
            The user's model, rewritten for the arm if it does not ask for its normalizations. One that outputs logits
            gets a softmax or sigmoid at its end.

        Raises:
            InvalidConfig: See `check`.
        """
        return self._built(fields, input_shape, n_classes, seed)[0]

    def _built(
        self, fields: NetworkFields, input_shape: tuple[int, ...], n_classes: int, seed: int
    ) -> tuple[keras.Model, Change | None, list[norms.Shape]]:
        """The network, what was changed in the user's model, and what its new normalizations are put on."""
        importlib.import_module("bncli.backend")
        if getattr(fields, "model_digest", None) not in (None, self.digest):
            raise InvalidConfig(f"The file of {self.label} has changed since the study began. Restore it.")
        with in_turn():
            self._made = []
            with fresh_names(), seeded(derive(seed, "network")), self._user_code():
                model = self.make(fields, input_shape, n_classes)
                check_model(model, self.label, input_shape, n_classes, self.shape_hint)
            with seeded(derive(seed, "network")):
                model, change = self._rewritten(model, fields) if self.rewrites else (model, None)
                shapes = self._checked_shapes(fields, has_mask=makes_mask(model))
                model = model if n_classes == ONE_QUANTITY else with_probabilities(model, input_shape)
                return model, change, shapes

    def _rewritten(self, model: keras.Model, fields: NetworkFields) -> tuple[keras.Model, Change | None]:
        """The model of an arm, with the initial weights of the model as it is, and what was changed in it."""
        try:
            source = self.drawn(model, fields)
            if fields.norm in (norms.FROZEN, norms.RECALIBRATED):
                freeze(source)
            if fields.norm in norms.OWN:
                return source, None
            found = rewritten(source, fields, self.new_norm)
        except InvalidConfig as error:
            raise InvalidConfig(f"{self.label}: {error}") from error
        except Exception as error:
            raise InvalidConfig(
                f"{self.label} can't be rewritten for {fields.norm} ({type(error).__name__}: {first_line(error)})."
            ) from error
        copy_weights(source, found.model)
        return found.model, Change(found.changed, found.n_sites, found.biases_added, found.biases_removed)

    def new_norm(self, fields: NetworkFields) -> keras.Layer:
        """Return a new normalization for the model that is built."""
        self._made.append(norms.make(fields))
        return self._made[-1]

    def _checked_shapes(self, fields: NetworkFields, *, has_mask: bool) -> list[norms.Shape]:
        """What the new normalizations are put on; they are refused where specs refuse theirs."""
        shapes = []
        for layer in self._made:
            shape = (layer.get_build_config() or {}).get("input_shape")
            if shape:  # a function may make a layer that it does not call
                shapes.append(tuple(side or 1 for side in shape[1:]))
                reason = norms.why_not(fields, shapes[-1], is_masked=has_mask and is_sequence(shapes[-1]))
                if reason:
                    raise InvalidConfig(f"{self.label} can't be built: layer {layer.name!r}: {reason}.")
        if not (shapes or self.rewrites or fields.norm == norms.NONE):
            raise InvalidConfig(
                f"{self.label} asks for norm, but calls no layer that norm() returns, so that all arms would be the "
                "same network. Call norm()(x) where a normalization belongs, or leave the parameter out."
            )
        return shapes

    def drawn(self, model: keras.Model, fields: NetworkFields) -> keras.Model:
        """Return the user's model with initial weights that depend on the seed; those of a function do already."""
        return model

    def seeded_values(
        self, model: keras.Model, fields: NetworkFields, input_shape: tuple[int, ...], n_classes: int, seed: int
    ) -> dict[int, Any]:
        """Return the values that all variables of `model` would have with another seed, by their `id`, not their path.

        Layers within a layer may share a path.
        """
        other = self.build(fields, input_shape, n_classes, seed)
        if [variable.shape for variable in model.variables] != [variable.shape for variable in other.variables]:
            raise InvalidConfig(
                f"{self.label} makes weights of other shapes when it is called again. It must build the same network "
                "each time, whatever was drawn or called before."
            )
        pairs = zip(model.variables, other.variables, strict=True)
        return {id(variable): drawn.value for variable, drawn in pairs}

    @contextmanager
    def _user_code(self) -> Iterator[None]:
        """Run the user's code: what it prints goes to stderr, and an error is told without bncli's and Keras' lines."""
        try:
            with contextlib.redirect_stdout(sys.stderr):
                yield
        except BncliError:
            raise
        except (Exception, SystemExit) as error:
            raise InvalidConfig(self.told(error)) from error


def _equal_layers(one: keras.Model, other: keras.Model) -> tuple[str, ...]:
    """The layers with random initial weights that are equal in two models."""
    pairs = zip(one.trainable_variables, other.trainable_variables, strict=True)
    names = [first.path.split("/")[-2] for first, second in pairs if _is_drawn(first) and _is_equal(first, second)]
    return tuple(dict.fromkeys(names))


def _is_drawn(variable: Any) -> bool:
    """Whether a weight has different values, and so was not set to a constant: an LSTM's bias is made of 0 and 1."""
    import numpy as np

    values = np.asarray(variable)
    return values.size > 1 and bool(np.ptp(values) > 0) and not np.isin(values, (0, 1)).all()


def _is_equal(one: Any, other: Any) -> bool:
    import numpy as np

    return np.array_equal(one, other)


def batch_norms(model: keras.Model) -> list[Any]:
    """Return the batch normalizations of a model, those within its layers too."""
    import keras

    layers = model._flatten_layers(include_self=False)
    return [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]


def statistics_of(model: keras.Model) -> set[int]:
    """Return the moving means and variances of the batch normalizations of a model, by their `id`."""
    return {id(value) for layer in batch_norms(model) for value in (layer.moving_mean, layer.moving_variance)}


def freeze(model: keras.Model) -> None:
    """Put the batch normalizations of a model in inference mode, whatever the rest does; they don't train.

    Raises:
        InvalidConfig: There are none.
    """
    found = batch_norms(model)
    if not found:
        raise InvalidConfig("The model has no BatchNormalization that could be frozen. Try as-is.")
    for layer in found:
        layer.trainable = False


def _largest_momentum(model: keras.Model) -> float | None:
    return max((float(layer.momentum) for layer in batch_norms(model) if layer.trainable), default=None)


def rewritten(
    model: keras.Model, fields: NetworkFields, new_norm: Callable[[NetworkFields], keras.Layer] = norms.make
) -> Rewritten:
    """Return a user's model with the normalizations of a run, which `new_norm` makes."""
    return rewrite(
        model,
        None if fields.norm == norms.NONE else lambda: new_norm(fields),
        IN_PLACE if fields.norm == norms.NONE else fields.placement,  # type: ignore[arg-type]
        use_bias="auto" if fields.use_bias == "unshifted" else fields.use_bias,
        redundant=cancels_bias(fields),
    )


def cancels_bias(fields: NetworkFields) -> bool:
    """Return whether the normalization of a run makes a bias directly before it redundant."""
    return norms.facts(fields.norm).cancels_bias and norms.learns_shift(fields.norm, center=fields.center)
