"""The grammar of a network's spec: a line of words such as `conv32 pool flatten dense64`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bncli.errors import InvalidConfig
from bncli.networks.models import REGISTRY
from bncli.registry import nearest

WEIGHTED = ("dense", "conv", "lstm")

MAX_UNITS = 16_384

MAX_LAYERS = 1_000

_SIZED = "dense64, conv32, lstm32, dropout0.2"

_WORD = re.compile(r"(?P<kind>[a-z]+?)(?P<size>\d+(?:\.\d+)?)?(?:\*(?P<repeat>\d+))?")


@dataclass(frozen=True)
class Word:
    """One word of a spec: `dense64` is kind `dense`, size 64."""

    kind: str
    size: float | None = None

    def __str__(self) -> str:
        return self.kind if self.size is None else f"{self.kind}{self.size:g}"


def spec_of(model: str) -> str:
    """Return the spec behind a registered name, or `model` itself."""
    return REGISTRY[model]() if model in REGISTRY else model


def parse_spec(model: str) -> tuple[Word, ...]:
    """Turn a registered name or a spec into words, repeats written out.

    Raises:
        InvalidConfig: A word that is none, a size that is missing or out of range, or no layer at all.
    """
    words = tuple(word for text in spec_of(model).split() for word in _parse_word(model, text))
    if not any(word.kind in WEIGHTED for word in words):
        raise InvalidConfig(f"model {model!r} has no layer with weights. Allowed: at least one of {_SIZED[:23]}.")
    if len(words) > MAX_LAYERS:
        raise InvalidConfig(f"model {model!r} has {len(words)} layers. Allowed: at most {MAX_LAYERS}.")
    return words


def _parse_word(model: str, text: str) -> tuple[Word, ...]:
    match = _WORD.fullmatch(text)
    kind = match["kind"] if match else text
    if match is None or kind not in _RANGES:
        known = [*REGISTRY, *_RANGES]
        raise InvalidConfig(
            f"Unknown layer {text!r} in model {model!r}. Allowed: a registered model ({', '.join(REGISTRY)}) or a "
            f"line of {_SIZED}, pool, flatten, norm, softmax, with repeats such as dense64*3.{nearest(text, known)}"
        )
    repeat = int(match["repeat"] or 1)
    if not 1 <= repeat <= MAX_LAYERS:
        raise InvalidConfig(f"{text!r} in model {model!r}: a repeat is 1 to {MAX_LAYERS}. Received: {repeat}.")
    return (Word(kind, _parse_size(model, text, kind, match["size"])),) * repeat


_RANGES: dict[str, tuple[float, float] | None] = {
    "dense": (1, MAX_UNITS),
    "conv": (1, MAX_UNITS),
    "lstm": (1, MAX_UNITS),
    "dropout": (0.0, 0.99),
    "pool": None,
    "flatten": None,
    "norm": None,
    "softmax": None,
}


def _parse_size(model: str, text: str, kind: str, size: str | None) -> float | None:
    allowed = _RANGES[kind]
    if allowed is None:
        if size is not None:
            raise InvalidConfig(f"{text!r} in model {model!r}: {kind} takes no number. Write {kind}.")
        return None
    low, high = allowed
    number = float(size) if size else -1.0
    whole = kind != "dropout"
    if not low <= number <= high or (whole and "." in str(size)):
        what = "a whole number" if whole else "a number"
        raise InvalidConfig(f"{text!r} in model {model!r}: {kind} needs {what} from {low:g} to {high:g} behind it.")
    return int(number) if whole else number


def places_norms(model: str) -> bool:
    """Whether the spec says itself where its normalizations go, so that `placement` has no effect."""
    return any(word.kind == "norm" for word in parse_spec(model))


def n_output_units(model: str, n_classes: int) -> int:
    """Return 1 for two classes (one sigmoid unit) unless the spec ends in `softmax`; else one unit a class."""
    return 1 if n_classes == 2 and parse_spec(model)[-1].kind != "softmax" else n_classes
