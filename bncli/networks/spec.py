"""The grammar of specs: a network as a line of words, such as `conv32 pool flatten dense64`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from bncli.errors import InvalidConfig, shown
from bncli.networks.models import REGISTRY
from bncli.registry import nearest
from bncli.values import read_number, read_whole

WEIGHTED = ("dense", "conv", "lstm")
"""The words that make layers with weights."""

MAX_UNITS = 16_384

MAX_LAYERS = 1_000

_WORD = re.compile(r"(?P<kind>[a-z]+?)(?P<size>\d+(?:\.\d+)?)?(?:\*(?P<repeat>\d+))?")

_SIZES: dict[str, tuple[float, float] | None] = {
    "dense": (1, MAX_UNITS),
    "conv": (1, MAX_UNITS),
    "lstm": (1, MAX_UNITS),
    "dropout": (0.0, 0.99),
    "pool": None,
    "flatten": None,
    "norm": None,
    "softmax": None,
}
"""Every word, and the range of the number that follows it; None for a word without a number."""


@dataclass(frozen=True)
class Word:
    """One word of a spec: `dense64` is of kind `dense` and size 64."""

    kind: str
    size: float | None = None

    @property
    def units(self) -> int:
        """The size as a whole number of units or filters; 0 for a word without a size."""
        return int(self.size or 0)

    def __str__(self) -> str:
        return self.kind if self.size is None else f"{self.kind}{self.size:g}"


def spec_of(model: str) -> str:
    """Return the spec of a registered model, or `model` itself if it is not a name.

    >>> spec_of("mlp"), spec_of("dense8")
    ('dense64*2', 'dense8')
    """
    return REGISTRY[model]() if model in REGISTRY else model


@lru_cache(maxsize=256)
def parse_spec(model: str) -> tuple[Word, ...]:
    """Split a spec into words, with repeats written out.

    Args:
        model: A registered model's name or a spec.

    Raises:
        InvalidConfig: A word is unknown, a number is missing or out of range, or no layer has weights.

    >>> [str(word) for word in parse_spec("conv4 flatten dense8*2")]
    ['conv4', 'flatten', 'dense8', 'dense8']
    """
    repeated = [_parse_word(model, text) for text in spec_of(model).split()]
    n_layers = sum(repeat for _, repeat in repeated)
    if n_layers > MAX_LAYERS:
        raise InvalidConfig(f"model {shown(model)} has {n_layers} layers. Allowed: at most {MAX_LAYERS}.")
    if not any(word.kind in WEIGHTED for word, _ in repeated):
        raise InvalidConfig(
            f"model {shown(model)} has no layer with weights. Add one, such as dense64, conv32 or lstm32."
        )
    return tuple(word for word, repeat in repeated for _ in range(repeat))


def _parse_word(model: str, text: str) -> tuple[Word, int]:
    """A word, and how often it is repeated."""
    match = _WORD.fullmatch(text)
    kind = match["kind"] if match else text
    if match is None or kind not in _SIZES:
        raise InvalidConfig(
            f"Unknown layer {shown(text)} in model {shown(model)}. Allowed: the name of a model "
            f"({', '.join(REGISTRY)}), or a spec of the words dense64, conv32, lstm32, dropout0.2, pool, flatten, norm "
            "and softmax, where dense64*3 repeats a word, or a Python function as FILE.py:FUNCTION."
            f"{nearest(text, [*REGISTRY, *_SIZES])}"
        )
    try:
        repeat = read_whole(match["repeat"] or "1", 1, MAX_LAYERS)
    except ValueError:
        where, times = f"{shown(text)} in model {shown(model)}", shown(match["repeat"]).strip("'")
        raise InvalidConfig(f"{where}: repeat a word 1 to {MAX_LAYERS} times. Received: {times}.") from None
    return Word(kind, _parse_size(model, text, kind, match["size"])), repeat


def _parse_size(model: str, text: str, kind: str, size: str | None) -> float | None:
    allowed = _SIZES[kind]
    if allowed is None:
        if size is not None:
            raise InvalidConfig(f"{shown(text)} in model {shown(model)}: {kind} takes no number. Write {kind}.")
        return None
    low, high = allowed
    number = read_number(size) if size else -1.0
    is_whole = kind != "dropout"
    if not low <= number <= high or (is_whole and "." in str(size)):
        what = "a whole number" if is_whole else "a number"
        where = f"{shown(text)} in model {shown(model)}"
        raise InvalidConfig(f"{where}: {kind} must be followed by {what} from {low:g} to {high:g}.")
    return int(number) if is_whole else number


def places_norms(model: str) -> bool:
    """Return whether a spec places its normalizations itself, by the word `norm`; `placement` then has no effect."""
    return any(word.kind == "norm" for word in parse_spec(model))


def tiny_spec(model: str) -> str:
    """Return the spec of a model with layers of 8 units, for tests.

    >>> tiny_spec("mnist-cnn")
    'conv8 conv8 norm pool dropout0.2 flatten dense8 dropout0.2 norm'
    """
    return " ".join(f"{word.kind}8" if word.kind in WEIGHTED else str(word) for word in parse_spec(model))


def has_placement(model: str, placement: str) -> bool:
    """Return whether `placement` has an effect: not if the spec places its norms, nor if all layers are LSTMs."""
    has_linear = any(word.kind in ("dense", "conv") for word in parse_spec(model))
    return (has_linear or placement == "input") and not places_norms(model)


def n_output_units(model: str, n_classes: int) -> int:
    """Return the number of output units: one per class, but one alone for two classes without the word `softmax`.

    >>> n_output_units("dense8", 2), n_output_units("dense8 softmax", 2), n_output_units("dense8", 10)
    (1, 2, 10)
    """
    return 1 if n_classes == 2 and parse_spec(model)[-1].kind != "softmax" else n_classes
