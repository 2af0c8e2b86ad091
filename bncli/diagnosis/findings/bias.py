"""Linear layers that do not fit the batch normalization behind them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bncli.diagnosis.case import Case
from bncli.diagnosis.finding import LIKELY, NOTE, Finding, register
from bncli.diagnosis.wording import agreed, some_of
from bncli.networks.calls import Call
from bncli.networks.sites import direct_norms, is_activation, is_linear, is_passed
from bncli.values import counted


@register("redundant-bias")
def redundant_bias(case: Case) -> Iterator[Finding]:
    """Linear layers have a bias that the batch normalization behind them subtracts again."""
    pairs = [(layer, norms) for layer, norms in _pairs(case) if layer.use_bias and layer.trainable]
    found = [layer for layer, norms in pairs if all(norm.trainable and fits(layer, norm) for norm in norms)]
    if found:
        n_values = sum(int(layer.bias.shape[-1]) for layer in found)
        yield Finding(
            f"{counted(len(found), 'layer')} directly before batch normalization {agreed(len(found), 'has', 'have')} a "
            f"bias, {counted(n_values, 'parameter')} that {agreed(n_values, 'does', 'do')} nothing: the mean is "
            "subtracted with it.",
            n_values,
            case.names(found),
            f"Make {agreed(len(found), 'this layer', 'these layers')} with use_bias=False. Nothing else changes.",
            NOTE,
        )


@register("wrong-axis")
def wrong_axis(case: Case) -> Iterator[Finding]:
    """A batch normalization has another axis than the channels of the linear or recurrent layer before it."""
    calls = [] if case.graph is None else case.graph.calls
    makers = {id(value): call for call in calls for value in call.outputs}
    behind = [(call.layer, _source(call, makers)) for call in calls if _is_batch_norm(call.layer)]
    found = {id(norm) for norm, layer in behind if layer and not fits(layer, norm)}
    if found:
        norms = [norm for norm in case.batch_norms if id(norm) in found]
        axes = sorted({norm.axis for norm in norms})
        yield Finding(
            f"{some_of(len(norms), len(case.batch_norms))} {agreed(len(norms), 'has', 'have')} "
            f"axis={', '.join(map(str, axes))}, which is not where the layer before has its channels: each "
            "position is normalized, over all channels.",
            len(norms),
            case.names(norms),
            "Leave axis out (-1) where the channels come last, as they do by default; 1 is for channels_first.",
            certainty=LIKELY,
        )


def _source(norm: Call, makers: dict[int, Call]) -> Any:
    """The linear or recurrent layer whose channels a normalization gets: activations, pooling and dropout keep them."""
    import keras

    call = makers.get(id(norm.first))
    while call and (is_activation(call.layer) or is_passed(call.layer)):
        call = makers.get(id(call.first))
    recurrent = (keras.layers.LSTM, keras.layers.GRU, keras.layers.SimpleRNN, keras.layers.Bidirectional)
    return call.layer if call and (is_linear(call.layer) or isinstance(call.layer, recurrent)) else None


def _is_batch_norm(layer: Any) -> bool:
    import keras

    return isinstance(layer, keras.layers.BatchNormalization)


def _pairs(case: Case) -> Iterator[tuple[Any, list[Any]]]:
    """Every linear layer whose calls all have a batch normalization directly behind them, with these."""
    if case.graph is None:
        return
    for layer in case.graph.layers.values():
        if is_linear(layer):
            norms = [norm.layer if norm else None for norm in direct_norms(case.graph, layer)]
            if norms and all(map(_is_batch_norm, norms)):
                yield layer, norms


def fits(layer: Any, norm: Any) -> bool:
    """Return whether a batch normalization has the channels of a linear layer on its axis."""
    n_axes = len((norm.get_build_config() or {}).get("input_shape") or ())
    channels = 1 if getattr(layer, "data_format", None) == "channels_first" else n_axes - 1
    return n_axes == 0 or bool(norm.axis % n_axes == channels)
