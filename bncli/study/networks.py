"""What every arm makes of a network: built for data or for shapes alone, and not trained."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bncli.config import RunConfig
from bncli.data import datasets
from bncli.engines.method import check_fits, why_alone, why_one_by_one
from bncli.networks import norms
from bncli.networks.file import FileNetwork
from bncli.networks.network import network_of
from bncli.resolution import resolve
from bncli.study.arms import Arm
from bncli.study.study import placed

if TYPE_CHECKING:
    from bncli.networks.facts import ArmFacts
    from bncli.networks.rewriting import Change
    from bncli.networks.sites import Site


@dataclass(frozen=True)
class Shapes:
    """What a network is built for.

    Attributes:
        input_shape: Shape of one row.
        n_classes: Number of classes.
        source: Where they come from: a data set, or a file; empty for shapes that the user typed.
        is_data: Whether that is a data set.
        notices: Sentences on how the data was read.
    """

    input_shape: tuple[int, ...]
    n_classes: int
    source: str = ""
    is_data: bool = False
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Built:
    """A network in one arm.

    Attributes:
        arm: The arm.
        facts: What the network is.
        change: What was changed in a model that was there; None for one that was made for the arm.
        trains: How its runs would train: `stacked`, `side by side` or `one by one`.
        why: Why they would not be stacked; an empty text if they would.
    """

    arm: Arm
    facts: ArmFacts
    change: Change | None
    trains: str
    why: str


def shapes_of(config: RunConfig, *, is_data_given: bool) -> Shapes:
    """Return the shapes for which a network is built: a `.keras` file's own, unless data is given.

    Raises:
        BncliError: The data can't be loaded, or the file.
    """
    network = network_of(config.model)
    if isinstance(network, FileNetwork) and not is_data_given:
        importlib.import_module("bncli.backend")
        return Shapes(*network.shapes(), config.model)
    data = datasets.load(config)
    return Shapes(data.input_shape, data.n_classes, data.name, is_data=True, notices=data.notices)


def build_arms(base: RunConfig, arms: Iterable[Arm], shapes: Shapes) -> list[Built]:
    """Build a network in every arm.

    Args:
        base: A run of the network.
        arms: The arms.
        shapes: What the network is built for.

    Raises:
        InvalidConfig: The network can't be built, or an arm can't be made of it.
    """
    return [_build(arm, base, shapes) for arm in arms]


def _build(arm: Arm, base: RunConfig, shapes: Shapes) -> Built:
    config = placed(arm, base.replace(**dict(arm.changes)))
    if shapes.is_data:
        config, _ = resolve(config)
    network = network_of(config.model)
    network.check(config, shapes.input_shape, shapes.n_classes)
    cost = network.cost(config, shapes.input_shape, shapes.n_classes)
    check_fits(config.model, cost, config.batch_size)
    backend = importlib.import_module("bncli.backend")
    from bncli.networks.facts import arm_facts

    model = network.build(config, shapes.input_shape, shapes.n_classes, config.seed)
    change = network.change(config, shapes.input_shape, shapes.n_classes)
    has_gpu = bool(backend.tf.config.list_physical_devices("GPU"))
    alone, single = why_alone(cost, has_gpu=has_gpu), why_one_by_one(config, cost)
    trains = "one by one" if single else "side by side" if alone else "stacked"
    return Built(arm, arm_facts(model), change, trains, single or alone)


def sites_of(base: RunConfig, shapes: Shapes) -> list[Site]:
    """Return the sites of a model that is there; none of a network that places its normalizations itself."""
    network = network_of(base.model)
    if not network.rewrites:
        return []
    from bncli.networks.calls import is_graph
    from bncli.networks.sites import find_sites

    model = network.build(base.replace(norm=norms.AS_IS), shapes.input_shape, shapes.n_classes, base.seed)
    return find_sites(model) if is_graph(model) else []
