"""The grammar of specs: a network as a line of words, such as `conv32 pool flatten dense64`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from os.path import isfile
from pathlib import Path

from bncli.errors import InvalidConfig, shown
from bncli.networks.layer import MAX_KERNEL, MAX_STRIDE, PADDINGS, Window, Word
from bncli.networks.models import REGISTRY
from bncli.networks.words import BLOCK, END, LINEAR, RECURRENT, WORDS, Kind, kind_of
from bncli.registry import nearest
from bncli.tasks.task import ONE_QUANTITY
from bncli.values import read_number, read_whole

MAX_LAYERS = 1_000

_TOKEN = re.compile(r"\{|\}(?:\*[^\s{}]*)?|[^\s{}]+")

_WORD = re.compile(r"(?P<kind>[a-z]+?)(?P<size>\d+(?:\.\d+)?)?(?P<options>(?::[^:*]*)*)(?:\*(?P<repeat>\d+))?")

_NUMBERED = {"k": ("kernel", MAX_KERNEL), "s": ("stride", MAX_STRIDE)}
"""The letters of the options with a number, what they set, and the largest number."""


def spec_of(model: str) -> str:
    """Return the spec of a registered model, or `model` itself if it is not a name.

    >>> spec_of("mlp"), spec_of("dense8")
    ('dense64*2', 'dense8')
    """
    return REGISTRY[model]() if model in REGISTRY else model


@lru_cache(maxsize=256)
def parse_spec(model: str) -> tuple[Word, ...]:
    """Split a spec into words, with repeats written out. A residual block stands between the words `{` and `}`.

    Args:
        model: A registered model's name or a spec.

    Raises:
        InvalidConfig: A word or one of its options is unknown, a number is missing or out of range, a block is not
            closed or holds what it can't, or no layer has weights.

    >>> [str(word) for word in parse_spec("conv4:k5:same { conv4:same*2 }*2 gap")]
    ['conv4:k5:same', '{', 'conv4:same', 'conv4:same', '}', '{', 'conv4:same', 'conv4:same', '}', 'gap']
    """
    parts = list(_parts(model))
    n_layers = sum(part.n_layers for part in parts)
    if n_layers > MAX_LAYERS:
        raise InvalidConfig(f"model {shown(model)} has {n_layers} layers. Allowed: at most {MAX_LAYERS}.")
    if not any(kind_of(word.kind).has_weights for part in parts for word, _ in part.words):
        raise InvalidConfig(
            f"model {shown(model)} has no layer with weights. Add one, such as dense64, conv32 or lstm32."
        )
    return tuple(word for part in parts for word in part.written_out())


@dataclass
class _Part:
    """A word, or a residual block, with how often it is repeated, and each word in it as well."""

    words: list[tuple[Word, int]] = field(default_factory=list)
    repeat: int = 1
    is_block: bool = False

    @property
    def n_layers(self) -> int:
        return self.repeat * sum(repeat for _, repeat in self.words)

    def written_out(self) -> list[Word]:
        words = [word for word, repeat in self.words for _ in range(repeat)]
        return ([Word(BLOCK), *words, Word(END)] if self.is_block else words) * self.repeat


def _parts(model: str) -> Iterator[_Part]:
    """The words and blocks of a spec, in order."""
    block: _Part | None = None
    for text in _TOKEN.findall(spec_of(model)):
        if text == BLOCK:
            if block:
                raise InvalidConfig(
                    f"model {shown(model)}: a block can't stand in a block. Close the first one with }}."
                )
            block = _Part(is_block=True)
        elif text.startswith(END):
            if not block:
                raise InvalidConfig(f"model {shown(model)}: {shown(text)} closes no block. Open one with {{.")
            _, star, repeat = text.partition("*")
            block.repeat = _parse_repeat(model, text, repeat if star else "1", "block")
            _check_block(model, block)
            yield block
            block = None
        elif block:
            block.words.append(_parse_word(model, text))
        else:
            yield _Part([_parse_word(model, text)])
    if block:
        raise InvalidConfig(f"model {shown(model)}: a block is not closed. Write }} behind its last word.")


def _check_block(model: str, block: _Part) -> None:
    """Check that a block holds a linear layer, and nothing that would end its branch."""
    inside = [str(word) if repeat == 1 else f"{word}*{repeat}" for word, repeat in block.words]
    where = f"block {shown(' '.join((BLOCK, *inside, END)))} in model {shown(model)}"
    allowed = [name for name in WORDS if WORDS[name].in_block]
    for word, _ in block.words:
        if word.kind not in allowed:
            raise InvalidConfig(f"{where}: {word} can't stand in a residual block. Allowed: {', '.join(allowed)}.")
    if not any(word.kind in LINEAR for word, _ in block.words):
        raise InvalidConfig(f"{where}: a residual block needs a layer to learn. Add {' or '.join(LINEAR)}.")


def _parse_word(model: str, text: str) -> tuple[Word, int]:
    """A word, and how often it is repeated."""
    where = f"{shown(text)} in model {shown(model)}"
    match = _WORD.fullmatch(text)
    if match is None or match["kind"] not in WORDS:
        raise InvalidConfig(_unknown(model, text))
    name = match["kind"]
    kind = kind_of(name)
    repeat = _parse_repeat(model, text, match["repeat"] or "1", "word")
    size = _parse_size(where, name, kind, match["size"])
    return Word(name, size, _parse_options(where, name, kind, match["options"])), repeat


def _unknown(model: str, text: str) -> str:
    """What is said of a text that is no word."""
    if re.search(r"/|\\|\.[^\W\d]\w*$", model):
        return (
            f"model {shown(model)}: the name of a Python file ends in .py, that of a saved model in .keras."
            f"{_file_meant(model) or nearest(model, _files_beside(model))}"
        )
    if re.fullmatch(r"[^*:]+\*\d+:.*", text):
        word, _, repeat = text.partition("*")
        times, _, options = repeat.partition(":")
        return f"{shown(text)} in model {shown(model)}: write the repeat last, {shown(f'{word}:{options}*{times}')}."
    *words, last = (WORDS[name].example for name in WORDS)
    return (
        f"Unknown layer {shown(text)} in model {shown(model)}. Allowed: the name of a model ({', '.join(REGISTRY)}), "
        f"or a spec of the words {', '.join(words)} and {last}, where dense64*3 repeats a word, conv32:k5:s2:same has "
        "options and { conv32:same*2 } is a residual block, a Python function as FILE.py:FUNCTION, or a .keras file."
        f"{_file_meant(model) or nearest(re.split(r'[:*]', text)[0], [*REGISTRY, *WORDS])}"
    )


def _files_beside(model: str) -> list[str]:
    """The files of networks in the folder of a text that looks like a path, written as the text is."""
    folder = Path(model).parent
    try:
        return [str(folder / name.name) for name in folder.iterdir() if name.suffix in (".py", ".keras")]
    except OSError:
        return []


def _file_meant(model: str) -> str:
    """A hint for a network that lacks its file's ending; an empty text if there is no such file."""
    stem, colon, function = model.partition(":")
    meant = next((each for each in (f"{stem}.py{colon}{function}", f"{stem}.keras") if isfile(each.split(":")[0])), "")
    return f" Did you mean {shown(meant)}?" if meant else ""


def _parse_repeat(model: str, text: str, repeat: str, what: str) -> int:
    try:
        return read_whole(repeat if repeat.isdigit() else "", 1, MAX_LAYERS)
    except ValueError:
        where, times = f"{shown(text)} in model {shown(model)}", shown(repeat).strip("'")
        raise InvalidConfig(f"{where}: repeat a {what} 1 to {MAX_LAYERS} times. Received: {times}.") from None


def _parse_size(where: str, name: str, kind: Kind, size: str | None) -> float | None:
    if kind.sizes is None:
        if size is not None:
            raise InvalidConfig(f"{where}: {name} takes no number. Write {name}.")
        return None
    low, high = kind.sizes
    number = read_number(size) if size else -1.0
    if not low <= number <= high or (kind.is_whole and "." in str(size)):
        what = "a whole number" if kind.is_whole else "a number"
        raise InvalidConfig(f"{where}: {name} must be followed by {what} from {low:g} to {high:g}.")
    return int(number) if kind.is_whole else number


def _parse_options(where: str, name: str, kind: Kind, options: str) -> Window:
    """The window that the texts behind the colons describe."""
    found: dict[str, int | str] = {}
    for text in options.split(":")[1:]:
        if not kind.has_window:
            having = " and ".join(other for other in WORDS if WORDS[other].has_window)
            raise InvalidConfig(f"{where}: {name} takes no options. Only {having} does.")
        setting, value = _parse_option(where, text)
        if setting in found:
            raise InvalidConfig(f"{where}: the {setting} is given twice. Write either {found[setting]} or {value}.")
        found[setting] = value
    return Window(**found)  # type: ignore[arg-type]


def _parse_option(where: str, text: str) -> tuple[str, int | str]:
    """The attribute of a window that an option sets, and its value."""
    if text in PADDINGS:
        return "padding", text
    setting, high = _NUMBERED.get(text[:1], ("", 0))
    try:
        return setting, read_whole(text[1:] if text[1:].isdigit() else "", 1, high)
    except ValueError:
        raise InvalidConfig(
            f"{where}: unknown option {shown(text)}. Allowed: k1 to k{MAX_KERNEL} (the kernel's size), s1 to "
            f"s{MAX_STRIDE} (the stride), same or valid (the padding).{nearest(text, PADDINGS)}"
        ) from None


def places_norms(model: str) -> bool:
    """Return whether a spec places its normalizations itself, by the word `norm`; `placement` then has no effect."""
    return any(word.kind == "norm" for word in parse_spec(model))


def has_direct_norm(model: str) -> bool:
    """Return whether the word `norm` stands directly behind a linear layer: the last of a block has no activation.

    >>> has_direct_norm("dense8 norm"), has_direct_norm("{ dense8 norm }"), has_direct_norm("{ dense8 norm dense8 }")
    (False, True, False)
    """
    words = parse_spec(model)
    return any(ends_branch(words, place) and words[place + 1].kind == "norm" for place in range(len(words)))


def ends_branch(words: Sequence[Word], place: int) -> bool:
    """Return whether the word at a place is the last linear layer of a residual block."""
    later = (word.kind for word in words[place + 1 :] if word.kind in LINEAR or word.kind in (BLOCK, END))
    return words[place].kind in LINEAR and next(later, None) == END


def tiny_spec(model: str) -> str:
    """Return the spec of a model with layers of 8 units, for tests.

    >>> tiny_spec("mnist-cnn")
    'conv8 conv8 norm pool dropout0.2 flatten dense8 dropout0.2 norm'
    """
    return " ".join(
        str(replace(word, size=8) if word.kind in LINEAR + RECURRENT else word) for word in parse_spec(model)
    )


def has_placement(model: str, placement: str) -> bool:
    """Return whether `placement` has an effect: not if the spec places its norms, nor if no layer is linear."""
    has_linear = any(word.kind in LINEAR for word in parse_spec(model))
    return (has_linear or placement == "input") and not places_norms(model)


def n_output_units(model: str, n_classes: int) -> int:
    """Return the number of output units: one per class, but one alone for two classes without the word `softmax`.

    Args:
        model: The spec.
        n_classes: The number of classes; `ONE_QUANTITY` for a quantity, which has one unit.

    Raises:
        InvalidConfig: The word `softmax` stands in a spec for a quantity.

    >>> n_output_units("dense8", 2), n_output_units("dense8 softmax", 2), n_output_units("dense8", 10)
    (1, 2, 10)
    """
    has_softmax = parse_spec(model)[-1].kind == "softmax"
    if n_classes == ONE_QUANTITY and has_softmax:
        raise InvalidConfig(f"model {shown(model)}: softmax is for classes, but the label is a quantity. Leave it out.")
    return 1 if n_classes == 2 and not has_softmax else n_classes


def output_activation(n_classes: int, n_units: int) -> str:
    """Return the activation of the output layer: probabilities for classes, none for a quantity.

    >>> output_activation(2, 1), output_activation(10, 10), output_activation(1, 1)
    ('sigmoid', 'softmax', 'linear')
    """
    if n_classes == ONE_QUANTITY:
        return "linear"
    return "sigmoid" if n_units == 1 else "softmax"
