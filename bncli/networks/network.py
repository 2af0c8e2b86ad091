"""What `--model` names, as one kind of object: a `Network`."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

from bncli.errors import InvalidConfig, shown
from bncli.networks import norms
from bncli.networks.building import build_model
from bncli.networks.cost import Cost, cost_of_layers
from bncli.networks.file import FileNetwork, file_digest
from bncli.networks.function import FunctionNetwork
from bncli.networks.initial import seeded_values
from bncli.networks.layout import IN_PLACE, NORM_FIELDS, NetworkFields, check_has_weights, lay_out
from bncli.networks.reference import Reference, Source, read_source, reference_of
from bncli.networks.rewriting import Change
from bncli.networks.spec import has_placement, n_output_units, parse_spec

if TYPE_CHECKING:
    import keras


class Network(Protocol):
    """A network whose input and output shapes come from the data.

    Attributes:
        digest: A hash of what builds the network, if it can change; None for a spec.
        text: What the hash is of, if that is a text.
        rewrites: Whether arms are made by rewriting a model that is there.
        has_norms: Whether that model has normalizations.
    """

    digest: str | None
    text: str | None
    rewrites: bool
    has_norms: bool

    def unused_fields(self, fields: NetworkFields) -> set[str]:
        """Return the fields that have no effect on the network, whatever their value."""

    def check(self, fields: NetworkFields, input_shape: tuple[int, ...], n_classes: int) -> None:
        """Check that the network can be built for data; raise `InvalidConfig` if it can't."""

    def cost(self, fields: NetworkFields, input_shape: tuple[int, ...], n_classes: int) -> Cost:
        """Return what the network costs."""

    def norm_shapes(self, fields: NetworkFields, input_shape: tuple[int, ...], n_classes: int) -> list[norms.Shape]:
        """Return the shapes of the samples that the normalizations of the run are put on."""

    def change(self, fields: NetworkFields, input_shape: tuple[int, ...], n_classes: int) -> Change | None:
        """Return what the run's arm changes in a model that is there; None for one that is made for the arm."""

    def momentum(self, fields: NetworkFields, input_shape: tuple[int, ...], n_classes: int) -> float | None:
        """Return the largest momentum of the moving averages that training updates; None if there are none."""

    def has_mask(self, fields: NetworkFields, input_shape: tuple[int, ...], n_classes: int) -> bool:
        """Return whether a layer says which steps of a sequence are padding."""

    def fixed_layers(self, fields: NetworkFields, input_shape: tuple[int, ...], n_classes: int) -> tuple[str, ...]:
        """Return the layers whose random initial weights are the same for every seed, which the user set himself."""

    def output_units(self, fields: NetworkFields, input_shape: tuple[int, ...], n_classes: int) -> int:
        """Return the number of outputs: one per class, or one alone for two classes."""

    def build(self, fields: NetworkFields, input_shape: tuple[int, ...], n_classes: int, seed: int) -> keras.Model:
        """Build the network with the initial weights of a seed; it outputs probabilities."""

    def seeded_values(
        self, model: keras.Model, fields: NetworkFields, input_shape: tuple[int, ...], n_classes: int, seed: int
    ) -> dict[int, Any]:
        """Return the initial values that `model` would have with another seed, by the `id` of the variable."""


class SpecNetwork:
    """A network of words, such as `conv32 pool flatten dense64`, or of a registered name."""

    digest: str | None = None
    text: str | None = None
    rewrites = False
    has_norms = False

    def __init__(self, model: str) -> None:
        parse_spec(model)

    def unused_fields(self, fields: NetworkFields) -> set[str]:
        """Return the fields of the normalization that have no effect."""
        used = {"norm", *norms.fields(fields.norm)}
        if fields.norm != norms.NONE:
            is_placed = has_placement(fields.model, fields.placement)
            used |= {"norm_output"} | ({"placement"} if is_placed else set())
            used |= set() if is_placed and fields.placement == "input" else {"norm_input"}
        return set(NORM_FIELDS) - used

    def check(self, fields: NetworkFields, input_shape: tuple[int, ...], n_classes: int) -> None:
        """Lay the network out."""
        check_has_weights(fields)
        if fields.norm in norms.OWN or fields.placement == IN_PLACE:
            what = f"norm {fields.norm}" if fields.norm in norms.OWN else f"placement {IN_PLACE}"
            raise InvalidConfig(
                f"{what} is for models that have normalizations of their own, a .keras file or a function without the "
                f"parameter norm. Received the model {shown(fields.model)}."
            )
        lay_out(fields, input_shape, n_classes)

    def cost(self, fields: NetworkFields, input_shape: tuple[int, ...], n_classes: int) -> Cost:
        """Return the cost of the layers."""
        return cost_of_layers(lay_out(fields, input_shape, n_classes), input_shape)

    def norm_shapes(self, fields: NetworkFields, input_shape: tuple[int, ...], n_classes: int) -> list[norms.Shape]:
        """Return the shapes that the normalizations of the spec are put on."""
        return [layer.shape for layer in lay_out(fields, input_shape, n_classes) if layer.kind == "norm"]

    def change(self, fields: NetworkFields, input_shape: tuple[int, ...], n_classes: int) -> Change | None:
        """Return None: a spec is built for the arm."""
        return None

    def momentum(self, fields: NetworkFields, input_shape: tuple[int, ...], n_classes: int) -> float | None:
        """Return the run's own momentum, if its normalization has one."""
        return fields.norm_momentum if "norm_momentum" in norms.fields(fields.norm) else None

    def has_mask(self, fields: NetworkFields, input_shape: tuple[int, ...], n_classes: int) -> bool:
        """Return whether the layers begin with one that masks padded steps."""
        return lay_out(fields, input_shape, n_classes)[0].kind == "masking"

    def fixed_layers(self, fields: NetworkFields, input_shape: tuple[int, ...], n_classes: int) -> tuple[str, ...]:
        """Return none: all weights are drawn by the seed."""
        return ()

    def output_units(self, fields: NetworkFields, input_shape: tuple[int, ...], n_classes: int) -> int:
        """Return the number of outputs that the spec asks for."""
        return n_output_units(fields.model, n_classes)

    build = staticmethod(build_model)

    seeded_values = staticmethod(seeded_values)


def network_of(model: str) -> Network:
    """Return the network that a model's name, spec or place names.

    Raises:
        InvalidConfig: The spec can't be read, or there is no such function.
    """
    reference = reference_of(model)
    if reference is None:
        return _of_spec(model)
    if reference.is_file:
        return _of_file(reference.place, file_digest(reference.place))
    return _of_function(reference, read_source(reference))


def check_model_name(model: str) -> None:
    """Check a model's name, spec or place without looking whether a file is there.

    Raises:
        InvalidConfig: It is no place, and no spec either.
    """
    if not reference_of(model):
        parse_spec(model)


@lru_cache(maxsize=256)
def _of_spec(model: str) -> Network:
    return SpecNetwork(model)


@lru_cache(maxsize=32)
def _of_file(path: str, digest: str) -> Network:
    """The network of a file; other contents are another network."""
    return FileNetwork(path, digest)


@lru_cache(maxsize=32)
def _of_function(reference: Reference, source: Source) -> Network:
    """The network of a function; another text, and so another source, is another network."""
    return FunctionNetwork(reference, source)
