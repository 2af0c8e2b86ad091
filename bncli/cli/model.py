"""`bncli model`: a network's layers and sites, and what every arm makes of it. Trains nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bncli.cli import console, hints
from bncli.cli.options import (
    DESCRIPTION_FORMATS,
    ArmsOption,
    DescriptionFormatOption,
    LabelOption,
    SettingsOption,
    completion,
    option,
    parse_settings,
)
from bncli.cli.plots import check_plot, save_plot
from bncli.cli.shapes import ClassesOption, InputShapeOption, typed_shapes
from bncli.config import RunConfig
from bncli.data import sets
from bncli.errors import InvalidConfig
from bncli.networks import models
from bncli.report.exports import to_csv, to_json
from bncli.study.arms import default_arms, parse_arms
from bncli.study.networks import Built, Shapes, build_arms, shapes_of, sites_of
from bncli.tasks.task import ONE_QUANTITY
from bncli.values import Value, counted, plain_text

if TYPE_CHECKING:
    from bncli.networks.facts import LayerFacts
    from bncli.networks.sites import Site

MAX_NAMES = 6
"""The most layers that a sentence names."""

MAX_CELL = 30
"""The longest name of a layer in a table; a longer one is cut in the middle."""


def model(
    network: Annotated[
        str,
        typer.Argument(
            metavar="NETWORK",
            show_default=False,
            help="A name, a spec, a function as FILE.py:FUNCTION, or a .keras file.",
            autocompletion=completion(lambda: models.REGISTRY),
        ),
    ],
    arms: ArmsOption = None,
    dataset: Annotated[
        str | None,
        option(
            "--dataset",
            "-d",
            metavar="NAME|FILE",
            help="The data that it is built for; by default digits, or what a .keras file takes.",
            complete=lambda: sets.REGISTRY,
        ),
    ] = None,
    label: LabelOption = None,
    input_shape: InputShapeOption = None,
    classes: ClassesOption = None,
    settings: SettingsOption = None,
    plot: Annotated[
        Path | None, option("--plot", metavar="FILE", help="Draw its layers and sites: .png, .svg or .pdf.")
    ] = None,
    format: DescriptionFormatOption = "table",
) -> None:
    """Show a network: its layers, its sites, and what every arm makes of it. Trains nothing."""
    console.check_format(format, DESCRIPTION_FORMATS)
    check_plot(plot)
    given: dict[str, Value] = {
        name: value for name, value in (("dataset", dataset), ("label", label)) if value is not None
    }
    base = RunConfig.from_dict({"model": network} | given | parse_settings(settings, given))
    shapes = typed_shapes(input_shape, classes, dataset) or shapes_of(base, is_data_given=bool(dataset))
    labels = arms or default_arms(network, keep_weights=base.keep_weights)
    built = build_arms(base, parse_arms(",".join(labels)), shapes)
    for notice in shapes.notices:
        console.warn(notice)
    sites = sites_of(base, shapes)
    title = _title(network, shapes, built[0])
    if plot:
        _save_plot(built[0], sites, plot, title)
    if format in ("table", "md"):
        _print_tables(built, sites, title, format)
    else:
        console.write(_as_text(network, shapes, built, sites, format))
    if not input_shape:
        named = [*(["--dataset", dataset] if dataset else []), *(["--label", label] if label else [])]
        hints.say_next(["compare", "--model", network, *named, *(["--arms", ",".join(arms)] if arms else [])], format)


def _title(network: str, shapes: Shapes, one: Built) -> str:
    source = f" of {shapes.source}" if shapes.is_data else ""
    shape = "x".join(map(str, shapes.input_shape))
    tells = "a quantity" if shapes.n_classes == ONE_QUANTITY else f"{shapes.n_classes} classes"
    return f"{network}, arm {one.arm.label}, for rows{source} of {shape} and {tells}"


def _as_text(network: str, shapes: Shapes, built: list[Built], sites: list[Site], format: str) -> str:
    if format == "json":
        return to_json(_as_json(network, shapes, built, sites))
    return to_csv([{"arm": one.arm.label} | _layer_record(layer) for one in built for layer in one.facts.layers])


def _print_tables(built: list[Built], sites: list[Site], title: str, format: str) -> None:
    layers = [_layer_row(layer) for layer in built[0].facts.layers]
    console.print_rows(layers, title=title, format=format, spare=("from",))
    if sites:
        console.print_rows(
            [_site_row(site) for site in sites], title="sites", format=format, spare=("stands",), complete="json"
        )
    arms = [_arm_row(one) for one in built]
    if not any(one.change for one in built):
        arms = [{name: text for name, text in row.items() if name != "sites"} for row in arms]
    spare = ("trained", "trains")
    console.print_rows(arms, title="arms", caption=_caption(built), format=format, spare=spare, complete="json")


def _layer_record(layer: LayerFacts) -> dict[str, Any]:
    shape = "" if layer.shape is None else ",".join("" if size is None else str(size) for size in layer.shape)
    return {
        "layer": layer.name,
        "class": layer.kind,
        "output": shape,
        "parameters": layer.n_parameters,
        "from": " ".join(layer.inputs),
    }


def _layer_row(layer: LayerFacts) -> dict[str, str]:
    row = {name: plain_text(str(value), MAX_CELL) for name, value in _layer_record(layer).items()}
    return row | {"output": row["output"] or "-", "parameters": f"{layer.n_parameters:,}"}


def _site_row(site: Site) -> dict[str, str]:
    """A site: what stands there, and whether a normalization can be put before and after its activation."""
    return {
        "behind": plain_text(site.layer, MAX_CELL),
        "normalization": plain_text(site.norm or "-", MAX_CELL),
        "stands": {"none": "-", "elsewhere": "elsewhere"}.get(site.state, f"{site.state} the activation"),
        "can be moved": "yes" if site.is_movable else f"no: {plain_text(site.obstacle or '')}",
    }


def _arm_row(one: Built) -> dict[str, str]:
    counts = " ".join(f"{count} {kind}" for kind, count in one.facts.norms.items())
    row = {
        "arm": one.arm.label,
        "parameters": f"{one.facts.n_parameters:,}",
        "trained": f"{one.facts.n_trainable:,}",
        "normalizations": counts or "-",
    }
    sites = f"{one.change.changed} of {one.change.n_sites}" if one.change else "-"
    return row | {"sites": sites, "trains": one.trains}


def _caption(built: list[Built]) -> str:
    """What the arms change in biases, and why runs would not be stacked."""
    changes = [sentence for one in built for sentence in _bias_sentences(one, built[0])]
    reasons = {one.why: f"{one.arm.label} trains {one.trains}: {one.why}." for one in reversed(built) if one.why}
    return "\n".join([*changes, *reversed(reasons.values())])


def _bias_sentences(one: Built, first: Built) -> list[str]:
    """How the biases differ from those of the model that is there, or else of the first arm."""
    if one.change:
        pairs = {
            "adds a bias to {}": one.change.biases_added,
            "removes the redundant bias of {}": one.change.biases_removed,
        }
    else:
        pairs = {"no bias, which would be redundant, in {}": () if first.facts.without_bias else one.facts.without_bias}
    return [f"{one.arm.label}: {text.format(_named(names))}." for text, names in pairs.items() if names]


def _named(names: tuple[str, ...]) -> str:
    more = f" and {counted(len(names) - MAX_NAMES, 'more layer')}" if len(names) > MAX_NAMES else ""
    return ", ".join(plain_text(name, MAX_CELL) for name in names[:MAX_NAMES]) + more


def _as_json(network: str, shapes: Shapes, built: list[Built], sites: list[Site]) -> dict[str, Any]:
    return {
        "network": network,
        "dataset": shapes.source if shapes.is_data else None,
        "input_shape": list(shapes.input_shape),
        "n_classes": shapes.n_classes,
        "sites": [vars(site) | {"is_movable": site.is_movable} for site in sites],
        "arms": [_arm_json(one) for one in built],
    }


def _arm_json(one: Built) -> dict[str, Any]:
    change = one.change
    return {
        "arm": one.arm.label,
        "parameters": one.facts.n_parameters,
        "trainable": one.facts.n_trainable,
        "normalizations": one.facts.norms,
        "sites_changed": change.changed if change else None,
        "n_sites": change.n_sites if change else None,
        "biases_added": list(change.biases_added) if change else None,
        "biases_removed": list(change.biases_removed) if change else None,
        "without_bias": list(one.facts.without_bias),
        "trains": one.trains,
        "why": one.why or None,
        "layers": [vars(layer) for layer in one.facts.layers],
    }


def _save_plot(one: Built, sites: list[Site], path: Path, title: str) -> None:
    from bncli.report.network_figure import MAX_LAYERS, draw_network

    if len(one.facts.layers) > MAX_LAYERS:
        raise InvalidConfig(
            f"--plot draws networks of up to {MAX_LAYERS} layers. This one has {len(one.facts.layers):,}. Try --format "
            "csv."
        )
    save_plot(path, lambda: draw_network(one.facts.layers, sites, title))
