"""Arms: ways to normalize a network, written as `batch:after+center=false`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from bncli.config import FIELDS, NORM_FIELDS, RunConfig
from bncli.errors import InvalidConfig, shown
from bncli.fields import field_name, parse_value
from bncli.networks import norms
from bncli.networks.network import network_of
from bncli.networks.reference import reference_of
from bncli.registry import canonical, check_name
from bncli.values import Value

DEFAULT_ARMS = ("none", "batch:before", "batch:after")

ARM_FIELDS = (*(name for name in NORM_FIELDS if name not in ("norm", "placement")), "use_bias")
"""The fields that an arm can set behind a `+`."""


def default_arms(model: str, *, keep_weights: bool = False) -> tuple[str, ...]:
    """Return the labels of the arms that are compared if none are named.

    A function that asks for its normalizations places them itself. A model that has some is compared as it is. Weights
    that are kept are trained on with batch normalization as it is, and in inference mode.

    >>> default_arms("mlp")
    ('none', 'batch:before', 'batch:after')
    """
    if not reference_of(model):
        return DEFAULT_ARMS
    network = network_of(model)
    if not network.rewrites:
        return ("none", "batch")
    if network.has_norms:
        return tuple(norms.OWN) if keep_weights else ("none", norms.AS_IS)
    return DEFAULT_ARMS


@dataclass(frozen=True)
class Arm:
    """One way to normalize the network.

    Attributes:
        label: The arm as the user typed it, names in their usual form.
        changes: The fields of a run that the arm sets, with their values.
    """

    label: str
    changes: tuple[tuple[str, Value], ...]


def parse_arm(text: str) -> Arm:
    """Parse an arm: `NAME[:PLACEMENT][+FIELD=VALUE...]`.

    Raises:
        UnknownName: There is no such normalization, placement or field of an arm.
        InvalidConfig: A value can't be converted or is out of range.

    >>> dict(parse_arm("batch:after+center=false").changes)
    {'norm': 'batch', 'placement': 'after', 'center': False}
    """
    treatment, *extras = text.strip().split("+")
    name, colon, placement = treatment.partition(":")
    allowed = [*norms.names(), *norms.OWN]
    name = canonical(name, allowed, dict(norms.aliases()))
    check_name("arm", name, allowed)
    changes: dict[str, Value] = {"norm": name}
    if colon:
        placement = canonical(placement, FIELDS["placement"].choices)
        check_name("placement", placement, FIELDS["placement"].choices)
        changes["placement"] = placement
    label = f"{name}{colon}{placement}"
    for extra in extras:
        field, equals, value = extra.partition("=")
        field = field_name(field)
        if not equals:
            raise InvalidConfig(f"{shown(extra)} in arm {shown(text)} must be FIELD=VALUE, e.g. norm_momentum=0.")
        check_name("field of an arm", field, ARM_FIELDS)
        changes[field] = parse_value(field, value)
        label += f"+{field}={value.strip()}"
    if name in (norms.NONE, *norms.OWN) and set(changes) - {"norm", "use_bias"}:
        raise InvalidConfig(f"Arm {shown(text)}: there is no new normalization to place or set. Try {name}.")
    RunConfig.from_dict(changes)
    return Arm(label, tuple(changes.items()))


def arm_of(config: RunConfig) -> Arm:
    """Return the arm that a run is: its own normalization and placement.

    >>> arm_of(RunConfig(norm="batch", placement="after")).label
    'batch:after'
    """
    has_place = config.norm not in (norms.NONE, *norms.OWN)
    return parse_arm(f"{config.norm}:{config.placement}" if has_place else config.norm)


def arms_of(arms: str | Iterable[str | Arm]) -> tuple[Arm, ...]:
    """Return arms that may be given by their labels.

    Raises:
        UnknownName: A label names something that does not exist.
        InvalidConfig: Something else is given, or a label has a value that is out of range.

    >>> arms_of(["none", "batch"]) == arms_of("none,batch") == parse_arms("none,batch")
    True
    """
    if isinstance(arms, str):
        return parse_arms(arms)
    found = tuple(arms) if isinstance(arms, Iterable) else (arms,)
    if not all(isinstance(arm, str | Arm) for arm in found):
        raise InvalidConfig(f"arms must be a list of labels, e.g. ['none', 'batch']. Received: {shown(arms)}.")
    return tuple(parse_arm(arm) if isinstance(arm, str) else arm for arm in found)


def parse_arms(text: str) -> tuple[Arm, ...]:
    """Parse a comma-separated list of arms.

    >>> [arm.label for arm in parse_arms("none, batch:before")]
    ['none', 'batch:before']

    Raises:
        InvalidConfig: An arm can't be parsed, see `parse_arm`, or is given twice.
    """
    arms = tuple(parse_arm(part) for part in text.split(","))
    repeated = [label for label, count in Counter(arm.label for arm in arms).items() if count > 1]
    if repeated:
        raise InvalidConfig(f"The arm {shown(repeated[0])} is given twice. Name each arm once.")
    return arms
