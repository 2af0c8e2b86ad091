"""Study files as a grammar: text of TOML, mostly sound, from mostly sound values."""

import math
import re

from hypothesis import strategies as st

from bncli.claims import check, measures
from bncli.claims.claim import Claim
from bncli.config import FIELDS
from fuzz import strategies
from fuzz.strategies import ODD_TEXTS, mostly, one_in


def text_of(value):
    """A value as TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, list):
        return f"[{', '.join(map(text_of, value))}]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key_of(key)} = {text_of(item)}" for key, item in value.items()) + " }"
    return string_of(str(value))


def string_of(text):
    """A text in quotes; TOML has no half of a surrogate pair, which becomes a question mark."""
    text = text.encode(errors="replace").decode()
    escaped = "".join(c if " " <= c <= "~" and c not in '"\\' else f"\\U{ord(c):08x}" for c in text)
    return f'"{escaped}"'


def key_of(key):
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else string_of(key)


def to_toml(content):
    """A document: values first, then tables, then lists of tables."""
    is_rows = {
        key: isinstance(value, list) and any(value) and all(isinstance(item, dict) for item in value)
        for key, value in content.items()
    }
    plain = {key: value for key, value in content.items() if not isinstance(value, dict) and not is_rows[key]}
    lines = [f"{key_of(key)} = {text_of(value)}" for key, value in plain.items()]
    for key, value in content.items():
        if isinstance(value, dict):
            lines += [f"[{key_of(key)}]", *(f"{key_of(name)} = {text_of(item)}" for name, item in value.items())]
        elif is_rows[key]:
            for row in value:
                lines += [f"[[{key_of(key)}]]", *(f"{key_of(name)} = {text_of(item)}" for name, item in row.items())]
    return "\n".join(lines) + "\n"


odd_texts = st.sampled_from([*ODD_TEXTS, "\0", "a\0b"]) | st.text(max_size=20)

numbers = st.integers(-3, 300) | st.floats() | st.sampled_from([10**400, -(10**30), 2**31, 2**63, 1e308, 0.0, 1e-320])

scalars = st.one_of(odd_texts, numbers, st.booleans())

anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(odd_texts, inner, max_size=2)
)


def or_odd(valid):
    """Valid values, in one case of eight something else."""
    return one_in(8, anything, valid)


def value_of_field(name):
    """A value of a field with the type that it has in TOML."""
    kind = FIELDS[name].kind

    def typed(text):
        try:
            return {"whole": int, "number": float}.get(kind, str)(text) if kind != "flag" else text == "true"
        except ValueError:
            return text

    return or_odd(strategies.valid_value(name).map(typed)).filter(lambda value: strategies.is_quick(name, str(value)))


@st.composite
def runs(draw):
    """The table [run]: a small run with some fields of any value."""
    names = draw(st.lists(st.sampled_from(list(FIELDS)), max_size=3, unique=True))
    small = {"dataset": "circles", "n_samples": 64, "model": "dense4", "epochs": 2}
    return small | {name: draw(value_of_field(name)) for name in names}


@st.composite
def axes_tables(draw):
    """The table [axes]: lists, ranges, and what is neither."""
    names = draw(
        st.lists(st.sampled_from(["lr", "activation", "epochs", "shuffle", "norm_momentum", *FIELDS]), max_size=2)
    )
    values = {}
    for name in names:
        one = value_of_field(name)
        values[name] = draw(
            or_odd(st.lists(one, min_size=1, max_size=3) | st.sampled_from(["log:1e-3:1:3", "lin:1:4:4"]))
        )
    values.pop("n_samples", None)
    return values


@st.composite
def claims(draw):
    """A table [[claims]] with keys that claims have, and values that some of them take."""
    sound = {"id": "better", "statement": "BN is better", "measure": "final", "arm": "batch:before", "at_least": 0.1}
    sound |= {"where": {"lr": 0.1}}
    valid = {
        "measure": st.sampled_from([*measures.REGISTRY]),
        "check": st.sampled_from([*check.REGISTRY]),
        "metric": st.sampled_from(["val_accuracy", "val_loss", "loss"]),
        "minus": st.sampled_from(["accuracy", "val_loss"]),
        "arm": st.sampled_from(["none", "batch:before", "batch"]),
        "baseline": st.sampled_from(["none", "batch:before", ""]),
        "compare": st.sampled_from(["difference", "ratio"]),
        "across": st.sampled_from(["lr", "activation"]),
        "reduce": st.sampled_from([*measures.REDUCTIONS]),
        "expect": st.sampled_from(["above", "below", "published"]),
        "where": st.sampled_from([{"lr": 0.1}, {"lr": "best"}, {"lr": 0.2}, {}]),
        "baseline_where": st.sampled_from([{"lr": 0.01}, {"lr": "best"}]),
        "last": st.integers(-1, 5),
        "min_seeds": st.integers(0, 5),
        "number": st.integers(0, 99),
    }
    floats = st.sampled_from([0, 0.5, 1, -1.0, 2, 1e300])
    names = draw(
        st.lists(st.sampled_from([item for item in Claim.__dataclass_fields__ if item != "statement"]), max_size=2)
    )
    changed = {
        name: draw(or_odd(valid.get(name, floats if name not in ("id", "link", "note") else odd_texts)))
        for name in names
    }
    lost = draw(
        st.sampled_from([(), (), (), ("measure",), ("at_least",), ("id",), ("arm",), ("measure", "at_least", "arm")])
    )
    return {key: value for key, value in (sound | changed).items() if key not in lost}


@st.composite
def studies(draw, n_claims=0):
    """The content of a study file; sound but for one or two keys."""
    content = {"seeds": 2, "arms": ["none", "batch:before"], "axes": {"lr": [0.01, 0.1]}}
    parts = {
        "name": or_odd(odd_texts),
        "question": or_odd(odd_texts),
        "source": or_odd(odd_texts),
        "seeds": or_odd(st.integers(1, 5) | st.lists(st.integers(0, 9), max_size=3)),
        "arms": or_odd(st.lists(mostly(st.sampled_from(strategies.ARMS)), max_size=3)),
        "axes": or_odd(axes_tables()),
        "run": or_odd(runs()),
        "claims": or_odd(st.lists(claims(), max_size=2)),
    }
    content["run"] = draw(runs())
    for name in draw(st.lists(st.sampled_from(list(parts)), max_size=2)):
        content[name] = draw(parts[name])
    if draw(one_in(20, st.just(True), st.just(False))):
        content[draw(odd_texts)] = draw(anything)
    if n_claims:
        content["claims"] = draw(st.lists(claims(), min_size=1, max_size=n_claims))
    return content
