"""Networks that bncli gets as Keras models: built for every seed anew, and rewritten for arms where need be."""

from __future__ import annotations

import contextlib
import importlib
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from bncli.errors import BncliError, InvalidConfig, first_line
from bncli.networks import norms
from bncli.networks.calls import is_graph
from bncli.networks.copying import copy_weights
from bncli.networks.cost import Cost, cost_of_model
from bncli.networks.drawing import in_turn, seeded
from bncli.networks.layout import IN_PLACE, NORM_FIELDS, NetworkFields
from bncli.networks.rewriting import Change, Rewritten, rewrite
from bncli.networks.seeds import derive

if TYPE_CHECKING:
    import keras

SHAPING = ("activation", "kernel_initializer", "init_scale", "use_bias", "keep_weights", *NORM_FIELDS)
"""The fields that shape the networks of specs."""

NORMS = ("BatchNormalization", "LayerNormalization", "GroupNormalization", "RMSNormalization")
"""Keras' normalization layers, as a file or a function's text names them."""

PROBABILITIES = "probabilities"
"""The name of the layer that makes probabilities of a model's logits."""

_NAME_COUNTS = "object_name_uids"
"""Keras' global attribute that counts layers by the beginning of their name."""


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
        self._costs: dict[tuple[Any, ...], Cost] = {}
        self._changes: dict[tuple[Any, ...], Change] = {}
        self._fixed: dict[tuple[Any, ...], tuple[str, ...]] = {}
        self._momenta: dict[tuple[Any, ...], float | None] = {}
        self._shapes: dict[tuple[Any, ...], list[norms.Shape]] = {}
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
        key = (*_shape_of(fields), input_shape, n_classes)
        if key not in self._costs:
            model = self.build(fields, input_shape, n_classes, 0)
            self._costs[key], self._momenta[key] = cost_of_model(model, input_shape), _largest_momentum(model)
        return self._costs[key]

    def momentum(self, fields: NetworkFields, input_shape: tuple[int, ...], n_classes: int) -> float | None:
        """Return the largest momentum of the moving averages that training updates; None if there are none."""
        self.cost(fields, input_shape, n_classes)
        return self._momenta[*_shape_of(fields), input_shape, n_classes]

    def fixed_layers(self, fields: NetworkFields, input_shape: tuple[int, ...], n_classes: int) -> tuple[str, ...]:
        """Return the layers whose random initial weights are the same for every seed: their initializers have a seed.

        Weights that are loaded, or kept, count as well.
        """
        key = (*_shape_of(fields), input_shape, n_classes)
        if key not in self._fixed:
            first, second = (self.build(fields, input_shape, n_classes, seed) for seed in (0, 1))
            pairs = zip(first.trainable_variables, second.trainable_variables, strict=True)
            names = [one.path.split("/")[-2] for one, other in pairs if _is_drawn(one) and _is_equal(one, other)]
            self._fixed[key] = tuple(dict.fromkeys(names))
        return self._fixed[key]

    def change(self, fields: NetworkFields, input_shape: tuple[int, ...], n_classes: int) -> Change | None:
        """Return what rewriting changes in the model; None if it stays as it is."""
        self.cost(fields, input_shape, n_classes)
        return self._changes.get(_shape_of(fields))

    def norm_shapes(self, fields: NetworkFields, input_shape: tuple[int, ...], n_classes: int) -> list[norms.Shape]:
        """Return the shapes of the samples that the normalizations of the arm are put on."""
        self.cost(fields, input_shape, n_classes)
        return self._shapes[(*_shape_of(fields), input_shape, n_classes)]

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
        importlib.import_module("bncli.backend")
        if getattr(fields, "model_digest", None) not in (None, self.digest):
            raise InvalidConfig(f"The file of {self.label} has changed since the study began. Restore it.")
        with in_turn():
            self._made = []
            with fresh_names(), seeded(derive(seed, "network")), self._user_code():
                model = self.make(fields, input_shape, n_classes)
                check_model(model, self.label, input_shape, n_classes, self.shape_hint)
            with seeded(derive(seed, "network")):
                model = self._rewritten(model, fields) if self.rewrites else model
                self._shapes[(*_shape_of(fields), input_shape, n_classes)] = self._checked_shapes(fields)
                return with_probabilities(model, input_shape)

    def _rewritten(self, model: keras.Model, fields: NetworkFields) -> keras.Model:
        """The model of an arm, with the initial weights of the model as it is."""
        try:
            source = self.drawn(model, fields)
            if fields.norm in (norms.FROZEN, norms.RECALIBRATED):
                freeze(source)
            if fields.norm in norms.OWN:
                return source
            found = rewritten(source, fields, self.new_norm)
        except InvalidConfig as error:
            raise InvalidConfig(f"{self.label}: {error}") from error
        except Exception as error:
            raise InvalidConfig(
                f"{self.label} can't be rewritten for {fields.norm} ({type(error).__name__}: {first_line(error)})."
            ) from error
        copy_weights(source, found.model)
        self._changes[_shape_of(fields)] = Change(
            found.changed, found.n_sites, found.biases_added, found.biases_removed
        )
        return found.model

    def new_norm(self, fields: NetworkFields) -> keras.Layer:
        """Return a new normalization for the model that is built."""
        self._made.append(norms.make(fields))
        return self._made[-1]

    def _checked_shapes(self, fields: NetworkFields) -> list[norms.Shape]:
        """What the new normalizations are put on; they are refused where specs refuse theirs."""
        shapes = []
        for layer in self._made:
            shape = (layer.get_build_config() or {}).get("input_shape")
            if shape:  # a function may make a layer that it does not call
                shapes.append(tuple(side or 1 for side in shape[1:]))
                reason = norms.why_not(fields, shapes[-1])
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


def _is_drawn(variable: Any) -> bool:
    """Whether a weight has different values, and so was not set to a constant."""
    import numpy as np

    values = np.asarray(variable)
    return values.size > 1 and bool(np.ptp(values) > 0)


def _is_equal(one: Any, other: Any) -> bool:
    import numpy as np

    return np.array_equal(one, other)


def _shape_of(fields: NetworkFields) -> tuple[Any, ...]:
    return tuple(getattr(fields, name) for name in SHAPING)


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


@contextmanager
def fresh_names() -> Iterator[None]:
    """Let Keras count the names of layers from the start in a block: a network has the same names each time.

    Keras has no public way to do so without forgetting the user's own models as well.
    """
    from keras.src.backend.common import global_state

    before = global_state.get_global_attribute(_NAME_COUNTS)
    global_state.set_global_attribute(_NAME_COUNTS, None)
    try:
        yield
    finally:
        global_state.set_global_attribute(_NAME_COUNTS, before)


def check_model(model: Any, label: str, input_shape: tuple[int, ...], n_classes: int, hint: str) -> None:
    """Check that a function returned a model of one input and one output of the right shapes; build it if it is not.

    Args:
        model: What it returned.
        label: How messages call it.
        input_shape: The shape of one row.
        n_classes: The number of classes.
        hint: What to try if the output has another shape.
    """
    import keras
    import numpy as np

    if not isinstance(model, keras.Model):
        raise InvalidConfig(f"{label} must return a keras.Model. Received: {type(model).__name__}.")
    check_one_each(model, label)
    try:
        outputs = model(np.zeros((2, *input_shape), "float32"), training=False)
    except ValueError:
        check_fits(model, label, input_shape)
        raise
    shape = tuple(getattr(outputs, "shape", ()))
    allowed = [(2, n_classes), *([(2, 1)] if n_classes == 2 else [])]
    if shape not in allowed:
        one = ", or (1,) for the second of two classes" if n_classes == 2 else ""
        received = f"of shape {shape[1:]}" if shape else f"a {type(outputs).__name__}"
        raise InvalidConfig(
            f"{label}: the model's output for one row is {received}. Allowed: ({n_classes},), one number per "
            f"class{one}.{hint}"
        )


def check_fits(model: keras.Model, label: str, row: tuple[int, ...]) -> None:
    """Check that rows of a shape can be the input of a model, as far as it tells."""
    shape = getattr(model, "input_shape", None)
    if not isinstance(shape, tuple):
        return
    pairs = list(zip(shape[1:], row, strict=False))  # None stands for any size
    if len(shape) - 1 != len(row) or any(side not in (None, size) for side, size in pairs):
        raise InvalidConfig(f"{label} takes rows of shape {shape[1:]}, but the data has shape {row}.")


def check_one_each(model: keras.Model, label: str) -> None:
    """Check that a model has one input and one output, as far as it tells."""
    n_inputs, n_outputs = (len(getattr(model, which, None) or [0]) for which in ("inputs", "outputs"))
    if max(n_inputs, n_outputs) > 1:
        raise InvalidConfig(
            f"{label}: the model must have one input and one output. Received: inputs {n_inputs}, outputs {n_outputs}."
        )


def with_probabilities(model: keras.Model, input_shape: tuple[int, ...]) -> keras.Model:
    """Return a model whose outputs are probabilities: logits get a softmax, or a sigmoid for one output.

    The activation of the last layer tells which they are, or, where there is none, the outputs for random rows. A
    subclassed model becomes a layer of a sequential one, which knows its shapes.
    """
    import keras
    import numpy as np

    end = []
    if not _gives_probabilities(model, input_shape):
        n_outputs = model(np.zeros((1, *input_shape), "float32"), training=False).shape[-1]
        name = "sigmoid" if n_outputs == 1 else "softmax"
        end = [keras.layers.Activation(name, name=PROBABILITIES, dtype="float32")]
    if not is_graph(model):
        return keras.Sequential([keras.Input(input_shape), model, *end])
    return keras.Model(model.inputs[0], end[0](model.outputs[0])) if end else model


def _gives_probabilities(model: keras.Model, input_shape: tuple[int, ...]) -> bool:
    import keras
    import numpy as np

    last = model.layers[-1] if is_graph(model) else None
    if isinstance(last, keras.layers.Softmax):
        return True
    name = getattr(getattr(last, "activation", None), "__name__", None)
    if name is not None:
        return name in ("softmax", "sigmoid")
    rows = np.random.default_rng(0).normal(size=(64, *input_shape)).astype("float32")
    found = keras.ops.convert_to_numpy(model(rows, training=False))
    if found.min() < 0 or found.max() > 1:
        return False
    return found.shape[-1] == 1 or bool(np.allclose(found.sum(axis=-1), 1, atol=1e-3))
