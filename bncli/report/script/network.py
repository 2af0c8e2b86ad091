"""The lines of a script that build a run's network."""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bncli.config import RunConfig
from bncli.errors import InvalidConfig
from bncli.networks import norms
from bncli.networks.calls import Call, Graph, Value, is_graph, read_graph
from bncli.networks.file import FileNetwork
from bncli.networks.function import FunctionNetwork
from bncli.networks.layout import lay_out
from bncli.networks.network import network_of
from bncli.networks.outputs import PROBABILITIES
from bncli.report.script.code import Writer

if TYPE_CHECKING:
    import keras

    from bncli.data.dataset import Dataset


WIDTH = 120
"""The most characters of a line that makes a layer."""


@dataclass
class NetworkCode:
    """Lines that define `model`, and what they import.

    Attributes:
        lines: The lines.
        imports: Import lines.
        runs_file: Whether they run a file of the user's.
    """

    lines: list[str]
    imports: list[str] = field(default_factory=list)
    runs_file: bool = False


def network_code(config: RunConfig, dataset: Dataset, writer: Writer) -> tuple[keras.Model, NetworkCode]:
    """Return the network of a resolved run with the initial weights of its seed, and the code that makes it.

    Args:
        config: The run.
        dataset: Its data.
        writer: Writes the layers.

    Raises:
        InvalidConfig: The network has a layer that plain Keras does not have.
    """
    from bncli.engines.base import dtype_policy

    check_arm(config.norm)
    network = network_of(config.model)
    with dtype_policy(config.dtype):
        model = network.build(config, dataset.input_shape, dataset.n_classes, config.seed)
    if not isinstance(network, FunctionNetwork | FileNetwork):
        return model, NetworkCode(_model_lines(model, writer) + _scaled_kernels(config, dataset))
    code = _source(network, config, dataset, writer)
    if network.rewrites and config.norm not in norms.OWN:
        source = network.build(config.replace(norm=norms.AS_IS), dataset.input_shape, dataset.n_classes, config.seed)
        code.lines += _model_lines(model, writer, named=True) + _copying(source)
    else:
        code.lines += _probabilities(model, dataset)
    if config.norm == norms.FROZEN:
        code.lines += [
            f"for layer in {layers_of(model, 'model')}:",
            "    if isinstance(layer, keras.layers.BatchNormalization):",
            "        layer.trainable = False  # it keeps its statistics, gamma and beta",
        ]
    return model, code


def check_arm(norm: str) -> None:
    """Check that there can be a script of a run with this normalization.

    Raises:
        InvalidConfig: It starts from statistics that plain Keras does not re-estimate.
    """
    if norm == norms.RECALIBRATED:
        raise InvalidConfig("No script can be written of the arm recalibrated. Try the arm frozen or as-is.")


def _source(network: FunctionNetwork | FileNetwork, config: RunConfig, dataset: Dataset, writer: Writer) -> NetworkCode:
    """Lines that define `source`, the user's model with the initial weights of the seed."""
    seeding = 'keras.utils.set_random_seed(derive("network"))'
    naming = "keras.utils.clear_session()  # so that the layers have the names below"
    if isinstance(network, FileNetwork):
        loaded = f"source = keras.models.load_model({_quoted(network.path)}, compile=False)"
        if config.keep_weights:
            copied = ["source = keras.models.clone_model(loaded)", "source.set_weights(loaded.get_weights())"]
            return NetworkCode([loaded.replace("source =", "loaded ="), seeding, *copied])
        return NetworkCode([loaded, seeding, "source = keras.models.clone_model(source)  # with new weights"])
    place = network.reference
    arguments = network.arguments(config, dataset.input_shape, dataset.n_classes)
    if "norm" in arguments:
        made = "layers.Identity()" if config.norm == norms.NONE else writer.write(norms.make(config))
        writer.modules.add("layers")
    words = [f"{name}={f'lambda: {made}' if name == 'norm' else repr(value)}" for name, value in arguments.items()]
    called = f"source = {place.function}({', '.join(words)})"
    built = f"source(np.zeros({(1, *dataset.input_shape)}))  # so that it has its weights"
    if place.is_module:
        return NetworkCode([naming, seeding, called, built], [f"from {place.place} import {place.function}"])
    path = network.source.path
    found = f'{place.function} = runpy.run_path({_quoted(path)})["{place.function}"]'
    beside = [] if path.parent == Path() else [f"sys.path.insert(0, {_quoted(path.parent)})  # for what it imports"]
    imports = ["import sys"] if beside else []
    return NetworkCode([naming, *beside, found, seeding, called, built], imports, runs_file=True)


def _quoted(path: Path) -> str:
    """A path as Python code, whatever characters it has."""
    return json.dumps(str(path))


def _copying(source: keras.Model) -> list[str]:
    """Lines that copy the initial weights of `source` to the layers of the same names in `model`."""
    renamed = next((call for call in read_graph(source).calls if call.layer.name != call.name), None)
    if renamed:
        raise InvalidConfig(f"A script can't be written for two layers of one name, {renamed.layer.name!r}.")
    listed = layers_of(source, "source")
    return [
        f"start = {{layer.name: layer for layer in {listed}}}  # all arms start from these weights",
        "for layer in model.layers:",
        "    like = start.get(layer.name)",
        "    old = {value.name: value for value in like.variables} if type(like) is type(layer) else {}",
        "    for value in layer.variables:",
        "        if value.name in old and old[value.name].shape == value.shape:",
        "            value.assign(old[value.name])",
    ]


def layers_of(model: keras.Model, name: str) -> str:
    """Return the code for the layers of a model of that name; the program has a function `flat` for nested models."""
    return f"flat({name})" if any(hasattr(layer, "layers") for layer in model.layers) else f"{name}.layers"


def _probabilities(model: keras.Model, dataset: Dataset) -> list[str]:
    """The line that defines `model` as `source`, whose logits get a softmax or sigmoid."""
    last = model.layers[-1]
    end = f'layers.Activation("{last.activation.__name__}")' if last.name == PROBABILITIES else ""
    if any(hasattr(layer, "layers") and not is_graph(layer) for layer in model.layers):
        parts = [f"keras.Input({dataset.input_shape})", "source", *([f"keras.{end}"] if end else [])]
        return [f"model = keras.Sequential([{', '.join(parts)}])"]
    return [f"model = keras.Model(source.inputs[0], keras.{end}(source.outputs[0]))" if end else "model = source"]


def _scaled_kernels(config: RunConfig, dataset: Dataset) -> list[str]:
    if config.init_scale == 1:
        return []
    layers = lay_out(config, dataset.input_shape, dataset.n_classes)
    n_hidden = sum(layer.is_hidden for layer in layers)
    return [
        'weighted = [getattr(layer, "cell", layer) for layer in model.layers if hasattr(layer, "kernel_initializer")]',
        f"for layer in weighted[:{n_hidden}]:",
        f"    layer.kernel.assign(layer.kernel * {config.init_scale!r})",
    ]


def _model_lines(model: keras.Model, writer: Writer, *, named: bool = False) -> list[str]:
    """Lines that define `model`: a list of layers where every layer follows the one before, else a graph of calls."""
    if not is_graph(model):
        raise InvalidConfig(f"{type(model).__name__} {model.name!r} is a subclass of keras.Model.")
    graph = read_graph(model)
    if _is_chain(graph):
        listed = [line for call in graph.calls for line in _lines("    ", _layer(call, writer, named=named), ",")]
        return ["model = keras.Sequential([", f"    keras.Input({_shape(model)}),", *listed, "])"]
    return _calls(graph, model, writer, named=named)


def _shape(model: keras.Model) -> str:
    return repr(tuple(model.input_shape[1:]))


def _is_chain(graph: Graph) -> bool:
    """Whether every layer is called once, on what the one before returns, and with nothing else."""
    values = [graph.inputs[0][1], *(call.outputs[0] for call in graph.calls)]
    return all(
        call.inputs == [value] and graph.n_calls[call.name] == 1 and not _settings(call)
        for call, value in zip(graph.calls, values, strict=False)
    )


def _settings(call: Call) -> dict[str, Any]:
    """The arguments of a call that are no values of other layers, and are set; `training` has no effect in `fit`."""
    return {
        name: value
        for name, value in call.others.items()
        if name != "training" and value is not None and not isinstance(value, Value)
    }


def _layer(call: Call, writer: Writer, *, named: bool) -> str:
    return writer.write(call.layer, **({"name": call.name} if named else {}))


def _calls(graph: Graph, model: keras.Model, writer: Writer, *, named: bool) -> list[str]:
    """A line a call. What only the next call needs is `x`; what later ones need keeps the name of its layer."""
    names = {graph.inputs[0][1]: "inputs"}
    lines = [f"inputs = keras.Input({_shape(model)})"]
    made: set[str] = set()
    for number, call in enumerate(graph.calls):
        value = call.outputs[0]
        following = graph.calls[number + 1] if number + 1 < len(graph.calls) else None
        is_passed_on = value.users in ([following], []) and (value.users or value.is_output)
        own = re.sub(r"\W", "_", call.name)
        names[value] = "x" if is_passed_on else own
        maker = _layer(call, writer, named=named)
        if graph.n_calls[call.name] > 1:
            if call.name not in made:
                lines += _lines(f"{own}_layer = ", maker, "")
                made.add(call.name)
            maker = f"{own}_layer"
        lines += _lines(f"{names[value]} = ", maker, f"({_arguments(call, names, writer)})")
    return [*lines, f"model = keras.Model(inputs, {names[graph.outputs[0]]})"]


def _lines(before: str, maker: str, after: str) -> list[str]:
    """A line with the call that makes a layer; its arguments in lines of their own where it would be too wide."""
    if len(before + maker + after) <= WIDTH:
        return [before + maker + after]
    call: Any = ast.parse(maker, mode="eval").body
    indent = before[: len(before) - len(before.lstrip())]
    lines = [f"{before}{ast.unparse(call.func)}("]
    for part in (*call.args, *call.keywords):
        text = f" {ast.get_source_segment(maker, part)},"
        if len(lines) == 1 or len(lines[-1] + text) > WIDTH:
            lines.append(f"{indent}   ")
        lines[-1] += text
    return [*lines, f"{indent}){after}"]


def _arguments(call: Call, names: dict[Value, str], writer: Writer) -> str:
    first = call.first
    text = f"[{', '.join(names[value] for value in first)}]" if isinstance(first, list | tuple) else names[first]
    more = [f"{name}={writer.value(value)}" for name, value in _settings(call).items()]
    return ", ".join([text, *more])
