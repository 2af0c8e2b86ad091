"""Networks that a user's Python function builds. The function gets what it asks for, by the names of its parameters."""

from __future__ import annotations

import dataclasses
import sys
import traceback
import types
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bncli.errors import InvalidConfig, first_line, shown
from bncli.networks import norms
from bncli.networks.layout import NetworkFields, check_has_weights
from bncli.networks.own import NORMS, SHAPING, OwnNetwork, cancels_bias
from bncli.networks.reference import Reference, Source, importable
from bncli.registry import nearest

if TYPE_CHECKING:
    import keras

GIVEN = ("input_shape", "n_outputs", "norm", "use_bias")
"""The parameters that are no plain fields of a run; see `FunctionNetwork.arguments`."""

ELSEWHERE = {"num_classes": "n_outputs", "n_classes": "n_outputs", "norm_layer": "norm", "shape": "input_shape"}
"""What parameters are called in other people's code."""

NOT_ASKED = (
    *("lr", "momentum", "weight_decay", "init_scale"),
    *("decay", "clipnorm", "schedule", "warmup", "label_smoothing", "patience", "dtype"),
)
"""Fields that no network can depend on, as they may differ between runs of one graph, and other fields of training that
came later: a function that has a parameter of that name for itself keeps its default value."""


class FunctionNetwork(OwnNetwork):
    """A network that a function builds; see `network.Network` for what every network can do.

    Args:
        reference: Where the function is.
        source: The text that it stands in.
    """

    shape_hint = " The parameter n_outputs is the number of classes, or 1 for a quantity."

    def __init__(self, reference: Reference, source: Source) -> None:
        super().__init__()
        self.reference, self.source = reference, source
        self.label = f"{reference.function}() in {reference.place}"
        self.digest, self.text = source.digest, source.text
        self.asked = tuple(name for name, _ in source.parameters)
        self.rewrites = "norm" not in self.asked
        self.has_norms = not source.names.isdisjoint(NORMS)
        self._function: Callable[..., Any] | None = None
        self._returned: weakref.WeakSet[keras.Model] = weakref.WeakSet()

    def unused_fields(self, fields: NetworkFields) -> set[str]:
        """Return the fields of network and normalization that the function does not ask for."""
        if self.rewrites:
            return super().unused_fields(fields) - set(self.asked)
        return set(SHAPING) - {*self.asked, "norm", *norms.fields(fields.norm)}

    def check(self, fields: NetworkFields, input_shape: tuple[int, ...], n_classes: int) -> None:
        """Build the network once; the weights that the function gives it are not the file's to keep."""
        check_has_weights(fields)
        super().check(fields, input_shape, n_classes)

    def make(self, fields: NetworkFields, input_shape: tuple[int, ...], n_classes: int) -> keras.Model:
        """Call the function, as Python would run its file."""
        if fields.norm in norms.OWN and not self.rewrites:
            raise InvalidConfig(
                f"{self.label} has the parameter norm, and so no normalizations of its own for the arm {fields.norm}. "
                "Try none or batch."
            )
        with importable("" if self.source.package else str(self.source.path.parent)):
            self._function = self._function or _load(self.source)
            model: keras.Model = self._function(**self.arguments(fields, input_shape, n_classes))
        self._check_new(model)
        return model

    def _check_new(self, model: Any) -> None:
        """Refuse a model that the function has returned before: it may have been trained since."""
        import keras

        if not isinstance(model, keras.Model):
            return
        if model in self._returned:
            raise InvalidConfig(
                f"{self.label} returns a model that it returned before, with the weights that it has by now. It must "
                "build a new one each time."
            )
        self._returned.add(model)

    def told(self, error: BaseException) -> str:
        """Say in which line of the file an error was raised."""
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename == str(self.source.path)]
        where = f", line {lines[-1]}" if lines else ""
        return f"{self.label} fails{where}: {type(error).__name__}: {first_line(error)}."

    def arguments(self, fields: NetworkFields, input_shape: tuple[int, ...], n_classes: int) -> dict[str, Any]:
        """Return what the function gets, by the names of its parameters.

        `input_shape` is the shape of one row, `n_outputs` the number of classes (1 for a quantity), `norm` a function
        that returns a new normalization layer (an `Identity` for `none`), and `use_bias` whether a linear layer
        directly before a normalization has a bias. Any other name is a field of the run.
        """
        known = _values_of(fields) | {
            "input_shape": input_shape,
            "n_outputs": n_classes,
            "norm": self._norm_of(fields),
            "use_bias": _has_bias(fields),
        }
        allowed = [*GIVEN, *(name for name in known if name not in (*GIVEN, *NOT_ASKED))]
        for name, has_default in self.source.parameters:
            if name not in allowed and not has_default:
                raise InvalidConfig(
                    f"{self.label} asks for {shown(name)}, which bncli can't give. Allowed: {', '.join(allowed)}. "
                    f"Rename the parameter, or give it a default value.{nearest(name, allowed, ELSEWHERE)}"
                )
        return {name: known[name] for name in self.asked if name in allowed}

    def _norm_of(self, fields: NetworkFields) -> Callable[..., keras.Layer]:
        """The function that the user's function gets as `norm`."""

        def norm(*args: Any, **settings: Any) -> keras.Layer:
            import keras

            if args or settings:
                raise InvalidConfig(
                    f"{self.label} gives arguments to norm(), which takes none: it returns a layer, as the arm sets "
                    "it. Call norm()(x)."
                )
            return keras.layers.Identity() if fields.norm == norms.NONE else self.new_norm(fields)

        return norm


def _values_of(fields: NetworkFields) -> dict[str, Any]:
    return {field.name: getattr(fields, field.name) for field in dataclasses.fields(fields)}  # type: ignore[arg-type]


def _has_bias(fields: NetworkFields) -> bool:
    """Whether a linear layer directly before a normalization has a bias."""
    return fields.use_bias == "true" if fields.use_bias in ("true", "false") else not cancels_bias(fields)


def _load(source: Source) -> Callable[..., Any]:
    """Run a file as a module of its own and return its function."""
    name = f"bncli_network_{source.digest}"
    module = types.ModuleType(name)
    module.__file__ = str(source.path)
    module.__package__ = source.package or None
    sys.modules[name] = module
    exec(compile(source.text, str(source.path), "exec"), module.__dict__)  # the text that the digest is of
    found: Callable[..., Any] = getattr(module, source.function)
    return found
