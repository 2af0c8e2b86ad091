"""Networks that a user's Python function builds. The function gets what it asks for, by the names of its parameters."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import random
import sys
import threading
import traceback
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from bncli.errors import BncliError, InvalidConfig, first_line, shown
from bncli.networks import norms
from bncli.networks.cost import Cost, cost_of_model
from bncli.networks.layout import NORM_FIELDS, REDUNDANT_BEFORE, NetworkFields
from bncli.networks.reference import Reference, Source, importable
from bncli.networks.seeds import derive

if TYPE_CHECKING:
    import keras

GIVEN = ("input_shape", "n_outputs", "norm", "use_bias")
"""The parameters that are no plain fields of a run; see `FunctionNetwork.arguments`."""

NOT_ASKED = ("lr", "momentum", "weight_decay", "init_scale")
"""Fields that may differ between runs of one graph, so that no network can depend on them."""

_turn = threading.Lock()
"""One network is built at a time: its random numbers come from Python's and NumPy's global generators."""


class FunctionNetwork:
    """A network that a function builds; see `network.Network` for what every network can do.

    Args:
        reference: Where the function is.
        source: The text that it stands in.
    """

    def __init__(self, reference: Reference, source: Source) -> None:
        self.reference, self.source = reference, source
        self.digest: str | None = source.digest
        self.text: str | None = source.text
        self.asked = tuple(name for name, _ in source.parameters)
        self._function: Callable[..., Any] | None = None
        self._costs: dict[tuple[Any, ...], Cost] = {}

    @property
    def label(self) -> str:
        """How messages call the function."""
        return f"{self.reference.function}() in {self.reference.place}"

    def unused_fields(self, fields: NetworkFields) -> set[str]:
        """Return the fields of network and normalization that the function does not ask for."""
        taken = {*self.asked, *(("norm", *norms.fields(fields.norm)) if "norm" in self.asked else ())}
        return {name for name in _SHAPING if name not in taken}

    def check(self, fields: NetworkFields, input_shape: tuple[int, ...], n_classes: int) -> None:
        """Build the network once.

        Raises:
            InvalidConfig: The function asks for what there is not, fails, or returns no fitting model.
        """
        self.cost(fields, input_shape, n_classes)

    def cost(self, fields: NetworkFields, input_shape: tuple[int, ...], n_classes: int) -> Cost:
        """Return what the network costs, from the layers that it has when it is built."""
        key = (*(getattr(fields, name) for name in _KEY), input_shape, n_classes)
        if key not in self._costs:
            self._costs[key] = cost_of_model(self.build(fields, input_shape, n_classes, 0), input_shape)
        return self._costs[key]

    def output_units(self, fields: NetworkFields, input_shape: tuple[int, ...], n_classes: int) -> int:
        """Return the number of outputs of the function's model."""
        units: int = self.build(fields, input_shape, n_classes, 0).output_shape[-1]
        return units

    def build(self, fields: NetworkFields, input_shape: tuple[int, ...], n_classes: int, seed: int) -> keras.Model:
        """Build the network. Its random numbers depend on the seed alone, and so do its initial weights.

        Returns:
            The function's model; one that outputs logits gets a softmax or sigmoid at its end.

        Raises:
            InvalidConfig: See `check`.
        """
        importlib.import_module("bncli.backend")
        with _turn, seeded(derive(seed, "network")), self._user_code():
            self._function = self._function or _load(self.source)
            model = self._function(**self.arguments(fields, input_shape, n_classes))
            _check_model(model, self.label, input_shape, n_classes)
        return with_probabilities(model, input_shape)

    def seeded_values(
        self, model: keras.Model, fields: NetworkFields, input_shape: tuple[int, ...], n_classes: int, seed: int
    ) -> dict[str, Any]:
        """Return the values that all variables of `model` would have with another seed, by their paths."""
        other = self.build(fields, input_shape, n_classes, seed)
        pairs = zip(model.variables, other.variables, strict=True)
        return {variable.path: drawn.value for variable, drawn in pairs}

    def arguments(self, fields: NetworkFields, input_shape: tuple[int, ...], n_classes: int) -> dict[str, Any]:
        """Return what the function gets, by the names of its parameters.

        `input_shape` is the shape of one row, `n_outputs` the number of classes, `norm` a function that returns a new
        normalization layer (an `Identity` for `none`), and `use_bias` whether a linear layer directly before a
        normalization has a bias. Any other name is a field of the run.
        """
        known = _values_of(fields) | {
            "input_shape": input_shape,
            "n_outputs": n_classes,
            "norm": lambda: _norm_layer(fields),
            "use_bias": _has_bias(fields),
        }
        for name, has_default in self.source.parameters:
            if (name not in known or name in NOT_ASKED) and not has_default:
                allowed = ", ".join([*GIVEN[:3], *(name for name in _values_of(fields) if name not in NOT_ASKED)])
                raise InvalidConfig(
                    f"{self.label} asks for {shown(name)}, which bncli can't give. Allowed: {allowed}. "
                    "Give the parameter a default value."
                )
        return {name: known[name] for name in self.asked if name in known and name not in NOT_ASKED}

    @contextmanager
    def _user_code(self) -> Iterator[None]:
        """Run the user's code as Python would run its file: what it prints goes to stderr, an error has its line."""
        try:
            with importable(str(self.source.path.parent)), contextlib.redirect_stdout(sys.stderr):
                yield
        except BncliError:
            raise
        except (Exception, SystemExit) as error:
            frames = traceback.extract_tb(error.__traceback__)
            lines = [frame.lineno for frame in frames if frame.filename == str(self.source.path)]
            where = f", line {lines[-1]}" if lines else ""
            what = f"{type(error).__name__}: {first_line(error)}"
            raise InvalidConfig(f"{self.label} fails{where}: {what}.") from error


_SHAPING = ("activation", "kernel_initializer", "init_scale", "use_bias", *NORM_FIELDS)
"""The fields that shape the networks of specs."""

_KEY = tuple(name for name in _SHAPING if name not in NOT_ASKED)


def _values_of(fields: NetworkFields) -> dict[str, Any]:
    return {field.name: getattr(fields, field.name) for field in dataclasses.fields(fields)}  # type: ignore[arg-type]


def _norm_layer(fields: NetworkFields) -> keras.Layer:
    import keras

    return keras.layers.Identity() if fields.norm == norms.NONE else norms.make(fields)


def _has_bias(fields: NetworkFields) -> bool:
    """Whether a linear layer directly before a normalization has a bias."""
    if fields.use_bias in ("true", "false"):
        return fields.use_bias == "true"
    return not (fields.norm in REDUNDANT_BEFORE and norms.learns_shift(fields.norm, center=fields.center))


def _load(source: Source) -> Callable[..., Any]:
    """Run a file as a module of its own and return its function."""
    name = f"bncli_network_{source.digest}"
    module = types.ModuleType(name)
    module.__file__ = str(source.path)
    sys.modules[name] = module
    exec(compile(source.text, str(source.path), "exec"), module.__dict__)  # the text that the digest is of
    found: Callable[..., Any] = getattr(module, source.function)
    return found


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed Python's, NumPy's and TensorFlow's random numbers, as `keras.utils.set_random_seed` does, for a block.

    Python's and NumPy's states are put back afterwards; TensorFlow has no way to.
    """
    import keras
    import numpy as np

    states = random.getstate(), np.random.get_state()
    keras.utils.set_random_seed(seed)
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])


def _check_model(model: Any, label: str, input_shape: tuple[int, ...], n_classes: int) -> None:
    """Check that a function returned a model of one input and one output of the right shape; build it if it is not."""
    import keras
    import numpy as np

    if not isinstance(model, keras.Model):
        raise InvalidConfig(f"{label} must return a keras.Model. Received: {type(model).__name__}.")
    outputs = model(np.zeros((2, *input_shape), "float32"), training=False)
    shape = tuple(getattr(outputs, "shape", ()))
    allowed = [(2, n_classes), *([(2, 1)] if n_classes == 2 else [])]
    if shape not in allowed:
        one = ", or (1,) for the second of two classes" if n_classes == 2 else ""
        received = f"the shape {shape[1:]}" if shape else type(outputs).__name__
        raise InvalidConfig(
            f"{label} returns a model whose output for one row has {received}. Allowed: ({n_classes},), one number per "
            f"class{one}. Its parameter n_outputs is the number of classes."
        )


def with_probabilities(model: keras.Model, input_shape: tuple[int, ...]) -> keras.Model:
    """Return a model whose outputs are probabilities: logits get a softmax, or a sigmoid for one output.

    The activation of the last layer tells which they are, or, where there is none, the outputs for random rows. A
    subclassed model becomes a layer of a sequential one, which knows its shapes.
    """
    import keras
    import numpy as np

    is_graph, end = hasattr(model, "operations"), []
    if not _gives_probabilities(model, input_shape):
        n_outputs = model(np.zeros((1, *input_shape), "float32"), training=False).shape[-1]
        end = [keras.layers.Activation("sigmoid" if n_outputs == 1 else "softmax", name="probabilities")]
    if not is_graph:
        return keras.Sequential([keras.Input(input_shape), model, *end])
    return keras.Model(model.inputs, end[0](model.outputs[0])) if end else model


def _gives_probabilities(model: keras.Model, input_shape: tuple[int, ...]) -> bool:
    import keras
    import numpy as np

    last = model.layers[-1] if hasattr(model, "operations") else None
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
