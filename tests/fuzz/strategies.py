"""What hostile input is made of: odd words, valid words with a few characters changed, damaged bytes and JSON."""

import json
import os
import random
import string

from hypothesis import strategies as st

from bncli.config import DEFAULTS, FIELDS
from bncli.networks import models, norms

ODD_NUMBERS = ["0", "-0", "-1", "1", "2", "3", "0.5", "1.0", "1e-3", "1e999", "-1e999", "1e-400", "nan", "-nan", "inf"]
ODD_NUMBERS += [
    "-inf",
    "1_000",
    "1__0",
    "_1",
    "\u0663",
    "\u00b2",
    "\uff11",
    "\u216b",
    "0x10",
    "0b1",
    "1e5",
    "1E2",
    "1.",
]
ODD_NUMBERS += [
    ".5",
    "+1",
    "1j",
    "1,2",
    "1;2",
    "1/2",
    "9" * 20,
    "9" * 400,
    "9" * 5000,
    "-" + "9" * 5000,
    "0" * 5000 + "1",
]
ODD_NUMBERS += ["2147483647", "2147483648", "9223372036854775808", "18446744073709551616", "1e308", "1e309", "5e-324"]

ODD_TEXTS = ["", " ", "  x  ", "x" * 300, "x" * 5000, "true", "True", "FALSE", "none", "None", "null", "yes", "auto"]
ODD_TEXTS += [
    "\x1b[2J",
    "\x1b]52;c;aGk=\x07",
    "\x9b2J",
    "\u202eabc",
    "\u2028",
    "\x85",
    "\x7f",
    "\udc9b",
    "caf\udce9",
    "\ufeff",
]
ODD_TEXTS += [
    "a\nb",
    "a\tb",
    "a\rb",
    "a\x0bb",
    "x\nError: y\nTraceback (most recent call last):",
    "\n" * 9,
    "\u00e9",
    "e\u0301",
]
ODD_TEXTS += [
    "$(touch x)",
    "`id`",
    "%s%n%d",
    "{0}",
    "{x!r}",
    "[bold]x[/bold]",
    "[/]",
    "[red",
    "'",
    '"',
    "\\",
    "=",
    ":",
    ",",
]
ODD_TEXTS += [
    "+",
    "*",
    "/",
    "|",
    "-",
    "--",
    "--help",
    "-h",
    "@x",
    "~",
    "~root",
    "a=b=c",
    "\U0001f600",
    "\u0130",
    "\u00df",
]
ODD_TEXTS += [
    "<script>alert(1)</script>",
    "&amp;",
    "$x^2$",
    "$",
    "\\frac",
    "_",
    "%",
    "#",
    "None,None",
    "((((((((",
    "x,,y",
]
ODD_TEXTS += ["log:1:2:3", "log:0:1:3", "lin:1:2:1e9", "lin:nan:1:3", "log:1e-400:1:5", "lin:0:1:99999999999", "::"]

HEAVY = (20_001, 10_000_000)
"""Numbers of rows that are allowed, and take seconds to make."""

printable = st.text(st.characters(codec="utf-8"), max_size=30)
raw = st.binary(max_size=30).map(os.fsdecode)
letters = st.text(string.printable, max_size=20)


def is_word(text):
    """Whether a command line can hold the text: a process gets no NUL, and no half of a surrogate pair."""
    try:
        return "\0" not in text and os.fsencode(text) is not None
    except UnicodeEncodeError:
        return False


odd = st.one_of(st.sampled_from(ODD_NUMBERS), st.sampled_from(ODD_TEXTS), printable, raw, letters).filter(is_word)
"""A word that hardly anyone would type."""


@st.composite
def changed(draw, texts):
    """One of some valid texts with one to three changes: a part is lost, repeated, turned into capitals or replaced."""
    text = draw(texts)
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        stop = min(len(text), start + draw(st.sampled_from([0, 1, 1, 2, 5])))
        part = text[start:stop]
        new = draw(one_in(3, odd, st.sampled_from(["", part * 2, part.swapcase(), part[::-1], " ", "="])))
        text = text[:start] + new + text[stop:]
    return text


def one_in(number, rare, usual):
    """What is usual, and in one case of a number what is rare (`one_of` would draw from all parts of both alike)."""
    return st.sampled_from([usual] * (number - 1) + [rare]).flatmap(lambda chosen: chosen)


def mostly(valid):
    """Valid texts, in one case of five with changes, in another one nothing of the kind."""
    return one_in(5, odd, one_in(4, changed(valid).filter(is_word), valid))


def few(things):
    """One thing, seldom two or three: one hostile thing must not hide another."""
    return one_in(4, st.lists(things, min_size=2, max_size=3), st.lists(things, min_size=1, max_size=1))


def valid_value(name):
    """Texts that a user would type for a field."""
    info = FIELDS[name]
    own = {
        "dataset": ["circles", "moons", "iris", "wine", "table.csv", "breast_cancer"],
        "label": ["label", "a", "none"],
        "train_rows": [":64", "1:", "::2", ":-1", "10:20"],
        "val_rows": [":16", "1:", "::3", "-5:"],
        "model": [
            *models.REGISTRY,
            "dense8 dense4",
            "conv4 pool flatten dense8",
            "lstm4",
            "conv4:k5:s2:same { conv4:same conv4:same } gap",
            "{ dense4 }*2",
            "dense8 norm dropout0.2 softmax",
        ],
    }
    known = [*own.get(name, ()), *info.choices, *(["true", "false"] if info.kind == "flag" else ())]
    if info.kind in ("whole", "number"):
        known += ["1", "8", "64"] if info.kind == "whole" else ["0", "0.1", "0.5", "1e-3"]
        known += [f"{end:.17g}" for end in (info.low, info.high) if name != "n_samples" and abs(end) < 1e18]
    return st.sampled_from([*known, str(DEFAULTS[name])])


def is_quick(name, text):
    """Whether a value of a field is no size that is allowed but takes long, and no data set to download."""
    if name == "n_samples":
        try:
            return not HEAVY[0] <= int(text) <= HEAVY[1]
        except ValueError:
            return True
    return name != "dataset" or "mnist" not in text.lower()


@st.composite
def settings_of(draw, names=tuple(FIELDS)):
    """`FIELD=VALUE` with a known field, or with what might be taken for one."""
    name = draw(st.sampled_from(names))
    value = draw(mostly(valid_value(name)).filter(lambda text: is_quick(name, text)))
    other = st.sampled_from([name.upper(), f" {name} ", name.replace("_", "-"), name[:-1], ""])
    written = draw(one_in(9, other, st.just(name)))
    return draw(one_in(9, st.sampled_from([f"{written} = {value}", written]), st.just(f"{written}={value}")))


ARMS = ["none", "batch", "batch:before", "batch:after", "batch:input", "layer:before", "group:after+groups=2"]
ARMS += [
    "batch:after+center=false",
    "batch+norm_momentum=0.5+use_bias=true",
    "none+use_bias=false",
    "BN",
    *norms.names(),
]
arms = st.lists(mostly(st.sampled_from(ARMS)), min_size=1, max_size=4).map(",".join)

AXES = ["lr=0.01,0.1", "lr=log:1e-4:1:9", "norm_momentum=lin:0:0.99:5", "activation=relu,tanh", "model=dense4,dense4*2"]
AXES += [
    "batch_size=log:8:128:5",
    "shuffle=true,false",
    "optimizer=sgd,adam",
    "seed=1,2",
    "norm=batch",
    "epochs=1,2",
    "lr=",
]
axes = mostly(st.sampled_from(AXES)).filter(lambda text: "n_samples" not in text and "mnist" not in text)

WORDS = ["dense8", "dense16*2", "conv4", "lstm4", "pool", "flatten", "norm", "softmax", "dropout0.2", "dense", "dense0"]
WORDS += [
    "conv4:same",
    "conv4:k5:s2:same",
    "avgpool",
    "gap",
    "gru4",
    "{ conv4:same*2 }",
    "{ dense8 }*2",
    "{",
    "}",
    "}*2",
    "conv4:k99",
    "pool:same",
    "dense16384",
    "dense8*1000",
    "dense8*1001",
    "conv4*20",
    "pool*9",
    "mlp",
    "cnn",
    "dense08",
    "dense8.0",
    "dropout1",
]
specs = st.lists(mostly(st.sampled_from(WORDS)), max_size=6).map(" ".join)

seeds = mostly(st.sampled_from(["1", "3", "0,1,2", "3,1", "5", "7", "0", "2147483647", "1,1", "10", "99", " 3 "]))

BYTES = [
    b"",
    b"\0",
    b"\xff" * 4,
    b"\x7f\xff\xff\xff\xff\xff\xff\xff",
    b"nan",
    b"1e999",
    b"9" * 400,
    b"-1",
    b'"',
    b",",
    b";",
]
BYTES += [
    b"\n",
    b"\r",
    b"\t",
    b"|",
    b"\x1b]52;c;aGk=\x07",
    b"\xc2\x9b2J",
    b"\xe2\x80\xae",
    b"'",
    b"(",
    b"x" * 5000,
    b"True",
]
BYTES += [b"[", b"{", b"]", b"}", b":", b"null", b"1e400", b"NaN", b"9" * 5000, b"\\u0000", b"\\ud800", b"[" * 100_000]
"""What is put into a file, or in place of a part of it."""


@st.composite
def damaged(draw, contents):
    """One of some files, changed in a few places: bytes are turned, lost, repeated, replaced or put in."""
    content, chance = bytearray(draw(st.sampled_from(contents))), random.Random(draw(st.integers(0, 2**32)))
    for _ in range(draw(st.integers(1, 4))):
        start = chance.randrange(len(content) + 1)
        stop = start + chance.choice([0, 1, 1, 2, 8, 200])
        part = bytes(content[start:stop])
        turned = bytes(byte ^ 1 << chance.randrange(8) for byte in part)
        content[start:stop] = chance.choice([turned, turned, b"", part * 3, chance.choice(BYTES), chance.choice(BYTES)])
    return bytes(content[: chance.choice([len(content)] * 9 + [chance.randrange(len(content) + 1)])])


ODD_JSON = [None, True, False, 0, -1, 1, 2, 1.5, 2**31, 2**63, 10**400, -(10**4000), 1e308, float("nan"), float("inf")]
ODD_JSON += [*ODD_TEXTS[:40], "\0", "\ud800", [], {}, [[]], {"": None}, [None], [0, 1], ["none"], {"a": {"b": {}}}]
ODD_JSON += ["../../elsewhere/evil", "/etc/passwd", "none", "batch:before", "lr", "val_loss", "complete", "failed"]


def deep(depth, opening, closing):
    return opening * depth + "0" + closing * depth


@st.composite
def changed_json(draw, documents):
    """One of some JSON documents as text, with one to three values changed, lost, moved or put in."""
    content = json.loads(draw(st.sampled_from(documents)))
    for _ in range(draw(st.integers(1, 3))):
        content = draw(_changed_once(content))
    text = json.dumps(content, indent=draw(st.sampled_from([None, 1])))
    how = draw(st.sampled_from(["as is"] * 12 + ["deep list", "deep table", "byte order mark", "twice", "comment"]))
    return {
        "as is": text,
        "deep list": text[:-1] + ', "x": ' + deep(100_000, "[", "]") + "}",
        "deep table": text[:-1] + ', "x": ' + deep(100_000, '{"a":', "}") + "}",
        "byte order mark": "\ufeff" + text,
        "twice": text + text,
        "comment": text + " // mine",
    }[how]


@st.composite
def _changed_once(draw, content):
    """A JSON value in which one value somewhere inside is another."""
    inside = content if isinstance(content, (dict, list)) else ()
    if not inside or draw(one_in(10, st.just(True), st.just(False))):
        return draw(_other(content))
    keys = list(content) if isinstance(content, dict) else range(len(content))
    key = draw(st.sampled_from(list(keys)))
    copy = dict(content) if isinstance(content, dict) else list(content)
    how = draw(st.sampled_from(["inside"] * 6 + ["lost", "more"]))
    if how == "inside":
        copy[key] = draw(_changed_once(copy[key]))
    elif how == "lost":
        del copy[key]
    elif isinstance(copy, dict):
        copy[draw(st.sampled_from(["x", "", "\x1b[2J", "format", "id", "lr", "__class__"]) | printable)] = copy[key]
    else:
        copy *= 2
    return copy


def _other(value):
    """Another value: something odd, or something near."""
    near = [[value], {"x": value}, str(value)]
    if isinstance(value, (int, float)):
        near += [-value, value + 1, value * 1e300 if isinstance(value, float) else value * 10**30]
        near += [float(value)] if abs(value) < 2**63 else []
    if isinstance(value, str):
        near += [value + "\x1b[2J", value * 50, value.upper(), value[:-1], ""]
    return st.sampled_from(ODD_JSON) | st.sampled_from(near)
