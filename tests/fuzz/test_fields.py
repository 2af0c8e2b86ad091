"""Every field of a run with odd values, by `--set` and by the options that stand for fields."""

from hypothesis import strategies as st

from bncli.config import DATA_FIELDS
from fuzz.budget import fuzz
from fuzz.oracle import Call
from fuzz.strategies import few, is_quick, mostly, settings_of, valid_value

PLANS = ["train -n", "train -n --arm batch", "compare -n", "compare -n --arms none,batch", "sweep lr=0.1,0.2 -n"]
"""Commands that take every field, on the digits unless a word says otherwise."""

OPTIONS = {"-d": "dataset", "--label": "label", "-m": "model", "-a": "activation", "--optimizer": "optimizer"}
OPTIONS |= {"--lr": "lr", "-e": "epochs", "-b": "batch_size"}

formats = st.sampled_from(["table", "json", "jsonl", "csv", "md"])


@st.composite
def options(draw):
    """An option that stands for a field, and its value."""
    option = draw(st.sampled_from(list(OPTIONS)))
    name = OPTIONS[option]
    return option, draw(mostly(valid_value(name)).filter(lambda text: is_quick(name, text)))


@st.composite
def changes(draw):
    """The words that set one to three fields."""
    some = draw(few(settings_of() | options()))
    return [word for each in some for word in (each if isinstance(each, tuple) else ("--set", each))]


@fuzz("fields", st.sampled_from(PLANS), changes(), formats, part=0.75)
def test_fields(world, plan, words, format):
    with world.visit():
        world.run("fields", Call((*plan.split(), *words, "-f", format)))


@fuzz("fields", st.sampled_from(["circles", "moons", "table.csv"]), settings_of(DATA_FIELDS), formats, part=0.25)
def test_fields_of_data(world, name, setting, format):
    with world.visit():
        world.run("fields", Call(("dataset", name, "--set", setting, "-f", format)))


@fuzz("fields, trained", few(settings_of()), st.booleans(), formats)
def test_fields_of_trained_runs(world, no_figures, settings, stored, format):
    words = [word for setting in settings for word in ("--set", setting)]
    data = () if any(setting.partition("=")[0].strip() == "dataset" for setting in settings) else ("-d", "circles")
    with world.visit():
        out = ("-o", "out") if stored else ()
        world.run(
            "fields, trained", Call(("train", *data, *words, *out, "-f", format), writes=("out",) if stored else ())
        )
