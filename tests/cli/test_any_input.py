"""Whatever is typed or written into a study file, a dry run plans it or says in one message what is wrong."""

import os
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bncli.config import FIELDS
from bncli.networks import norms
from bncli.study.files import presets

ATTACK = settings(
    max_examples=40,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
"""Seeded, so that it fails for everyone or for no one."""

SECONDS = 5
DIGITS = "9" * 5000

ODD = st.sampled_from(
    ["", "-0", "-1", "0", "nan", "inf", "-inf", "1e400", "1e-400", "1.7e308", "0x10", "1_0", "٣", "½", "none", "true",
     "None", "a\0b", "\udcff", "\x1b[2J", "../..", "/", ".", "~", "é" * 120, "x" * 5000, DIGITS, f"-{DIGITS}",
     f"0.{DIGITS}", "=", ",", ":", "+", "*", "::", "1/0", "a,b", "1,,2", "[", "'", "\n", "\u202e", "💥",
     "1e5", "100000"]
)  # fmt: skip
NUMBERS = st.integers(-1, 40).map(str) | st.floats(width=32).map(str) | st.sampled_from(["0.1", "1e-3", "64", "0.5"])
WORDS = ["dense4", "dense8*2", "conv4", "pool", "flatten", "norm", "softmax", "dropout0.2", "lstm4", "mlp", "cnn"]
WORDS += ["conv4:k1:s2:same", "avgpool", "gap", "gru4", "{ conv4:same }", "{ dense4 }*2", "{", "}", "resnet-small"]
ODD_WORDS = ["dense16384*900", f"dense4*{DIGITS}", f"dense{DIGITS}", "dense", "dense4*0", "conv4.5", "dropout9", "*3"]
ODD_WORDS += [
    "conv4:",
    f"conv4:k{DIGITS}",
    "conv4:k3:k3",
    "}*0",
    f"}}*{DIGITS}",
    "{ { dense4 } }",
    "{ gap }",
    "gap:same",
]
MODELS = st.lists(st.sampled_from(WORDS), min_size=1, max_size=4) | st.lists(st.sampled_from(WORDS + ODD_WORDS))
TREATMENTS = st.sampled_from([*norms.names(), "bn", "batch:after", "batch:input", "layer:before", ":before", "batch:"])
EXTRAS = st.sampled_from(["", "+center=false", "+groups=3", "+norm_momentum=0", "+norm=layer", "+scale"])
ARMS = st.builds(
    "{}{}".format, TREATMENTS, EXTRAS | st.builds("+{}={}".format, st.sampled_from([*FIELDS]), NUMBERS | ODD)
)
ARM_LISTS = st.lists(ARMS, min_size=1, max_size=3).map(",".join)
RANGES = st.builds("{}:{}:{}:{}".format, st.sampled_from(["log", "lin"]), NUMBERS, NUMBERS, NUMBERS | ODD)
SLICES = st.sampled_from([":", ":40", "8:", "::2", "4:3", "::-1", "::0", "a:b", f":{DIGITS}", "1:2:3:4", "-9:"])
ROWS = st.sampled_from(["8", "64", "7", "10", "4.5", "none", "99999999999"])


def plausible(name):
    """Values of a field that might be right."""
    special = {
        "dataset": st.sampled_from(["circles", "moons", "digits", "diabetes", "no.csv"]),
        "model": MODELS.map(" ".join),
        "train_rows": SLICES,
        "val_rows": SLICES,
        "n_samples": ROWS,
        "label": st.text(max_size=5),
        "drop": st.sampled_from(["auto", "none", "a,b", "x"]),
        "model_digest": st.text(max_size=5),
    }
    kinds = {"whole": NUMBERS, "number": NUMBERS, "flag": st.sampled_from(["true", "False"])}
    field = FIELDS[name]
    if name in special:
        return special[name]
    return st.sampled_from(field.choices) if field.choices else kinds[field.kind]


def often(plain, odd=ODD):
    """Mostly what might be right, so that the odd is met in every corner and not at the door."""
    return st.integers(0, 3).flatmap(lambda number: plain if number else odd)


FIELD_VALUES = st.sampled_from([*FIELDS]).flatmap(lambda name: st.tuples(st.just(name), often(plausible(name))))
AXIS_VALUES = st.sampled_from([*FIELDS]).flatmap(
    lambda name: st.tuples(
        st.just(name), often(st.lists(plausible(name), min_size=1, max_size=3).map(",".join), RANGES | ODD)
    )
)
SETTINGS = FIELD_VALUES.map("=".join)
AXES = often(AXIS_VALUES.map("=".join))
OPTIONS = {
    "--preset": st.sampled_from([*presets()]),
    "--dataset": plausible("dataset"),
    "--model": plausible("model"),
    "--label": plausible("label"),
    "--activation": plausible("activation"),
    "--optimizer": plausible("optimizer"),
    "--lr": plausible("lr"),
    "--epochs": plausible("epochs"),
    "--batch-size": plausible("batch_size"),
    "--seeds": st.sampled_from(["1", "3", "3,4", "30", "3,3", "100001"]),
    "--jobs": st.sampled_from(["1", "2", "auto", "1025"]),
    "--shard": st.sampled_from(["1/2", "2/2", "3/2"]),
    "--out": st.sampled_from(["s", "no/such/folder"]),
    "--scheduler": st.just("tcp://127.0.0.1:9"),
    "--engine": st.sampled_from(["auto", "keras", "kera"]),
    "--metric": st.sampled_from(["val_loss", "accuracy", "acc", "val_mae", "val_f1,val_nll", "probe_dead"]),
    "--threshold": NUMBERS,
}
TYPED = st.lists(st.sampled_from([*OPTIONS]), unique=True, max_size=2).flatmap(
    lambda names: st.tuples(*(st.tuples(st.just(name), often(OPTIONS[name])) for name in names))
)
COMMANDS = st.sampled_from(["train", "compare", "sweep"])


@pytest.fixture
def dry(bncli, folder):
    """Plan and train nothing; check that what is wrong is one message, made at once."""

    def plan(*words):
        started = time.process_time()
        status, out, err = bncli(*words, "--dry-run", "--format", "csv")
        assert status in (0, 2)
        assert len(err) < 5000
        if status:
            assert (out, err.count("Error: ")) == ("", 1)
        assert time.process_time() - started < SECONDS
        return status

    return plan


@ATTACK
@given(
    command=COMMANDS,
    options=TYPED,
    fields=st.lists(often(SETTINGS), max_size=2),
    arms=st.none() | often(ARM_LISTS),
    axes=st.lists(AXES, max_size=2),
)
def test_any_words_are_planned_or_refused(dry, command, options, fields, arms, axes):
    words = [*(word for option in options for word in option), *(w for text in fields for w in ("--set", text))]
    words += [] if arms is None else ["--arm" if command == "train" else "--arms", arms]
    dry(command, *words, *(axes if command == "sweep" else ()))


NUMBERS_OF_TOML = (
    st.integers(-1, 40) | st.floats() | st.sampled_from([0, 3, 10**9, -(2**63), 2**63, 2**64, 16**3000]) | st.booleans()
)
VALUES_OF_TOML = st.recursive(
    NUMBERS_OF_TOML | ODD | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["lr", "a", ""]), inner, max_size=2),
    max_leaves=4,
)


def one_odd(parts):
    """Tables of what might be right, in most of which one value is anything."""
    name = st.none() | st.sampled_from([*parts])
    plain = st.fixed_dictionaries({}, optional=parts)
    return st.builds(
        lambda table, name, odd: table | ({} if name is None else {name: odd}), plain, name, VALUES_OF_TOML
    )


LISTED = st.sampled_from([*FIELDS]).flatmap(
    lambda name: st.tuples(st.just(name), st.lists(NUMBERS_OF_TOML | plausible(name), min_size=1, max_size=3))
)
CLAIMS = one_odd(
    {
        "id": st.sampled_from(["one", "two"]),
        "statement": st.just("It is so."),
        "measure": st.sampled_from(["final", "learned", "gap"]),
        "arm": st.just("none"),
        "where": st.just({"lr": 0.1}) | AXIS_VALUES.map(lambda pair: dict([pair])),
        "baseline": st.just("batch:before"),
        "expect": st.just("above"),
        "threshold": st.just(0.5),
        "across": st.sampled_from(["lr", "model"]),
    }
).map(lambda claim: {"id": "one", "statement": "So.", "measure": "final", "arm": "none", "expect": "above"} | claim)
STUDIES = one_odd(
    {
        "name": st.just("mine"),
        "seeds": st.integers(1, 5) | st.lists(st.integers(0, 9), min_size=1, max_size=4),
        "arms": st.lists(ARMS, min_size=1, max_size=3) | st.just(["none", "batch:before"]),
        "run": one_odd({"dataset": st.sampled_from(["circles", "digits"]), "model": st.sampled_from(["mlp", "dense4"])})
        | st.lists(FIELD_VALUES, max_size=3).map(dict),
        "axes": st.just({"lr": [0.1, 0.2]}) | st.lists(AXIS_VALUES | LISTED, max_size=2).map(dict),
        "claims": st.lists(CLAIMS, min_size=1, max_size=2),
    }
)


def toml(value):
    """A value in TOML's notation; tables are written inline."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml(name)} = {toml(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return hex(value) if value > 10**40 else str(value)
    if isinstance(value, float):
        return repr(value)
    return '"' + "".join(f"\\U{ord(letter):08x}" if ord(letter) < 0xD800 else "?" for letter in value) + '"'


@ATTACK
@given(content=STUDIES, command=COMMANDS)
def test_any_study_file_is_planned_or_refused(dry, content, command):
    with open("study.toml", "w", encoding="utf-8") as file:
        file.writelines(f"{name} = {toml(value)}\n" for name, value in content.items())
    dry(command, "--preset", "study.toml")


@ATTACK
@given(name=st.sampled_from([*presets()]), at=st.floats(0, 1), length=st.integers(0, 3), new=ODD | st.text(max_size=3))
def test_any_change_of_a_study_file_is_planned_or_refused(dry, name, at, length, new):
    text = presets()[name].read_text(encoding="utf-8")
    start = int(at * len(text))
    changed = text[:start] + new + text[start + length :]
    with open("study.toml", "wb") as file:
        file.write(changed.encode("utf-8", "surrogateescape"))
    dry("sweep", "--preset", "study.toml", "--dataset", "circles", "--model", "dense4")


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_bytes_that_are_no_text_are_planned_or_refused(dry, monkeypatch, locale):
    monkeypatch.setenv("LC_ALL", locale)
    for option in OPTIONS:
        dry("train", option, os.fsdecode(b"caf\xe9"))
