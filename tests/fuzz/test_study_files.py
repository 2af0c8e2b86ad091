"""Study files: sound ones with odd values, damaged ones, and claims of every kind."""

import tomllib

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bncli.study.files import presets
from fuzz.budget import fuzz
from fuzz.oracle import Call
from fuzz.strategies import damaged
from fuzz.toml import studies, to_toml
from fuzz.world import STUDY

PLANS = ["sweep -n -p", "sweep -n -p", "compare -n -p", "train -n -p", "verify --list"]

formats = st.sampled_from(["table", "json", "jsonl", "csv", "md"])

SOUND = [STUDY.encode(), *(path.read_bytes() for path in presets().values() if b'"mnist"' not in path.read_bytes())]
"""Study files that need no data set that would be downloaded."""


@fuzz("study files", studies(), st.sampled_from(PLANS), formats, part=0.65)
def test_study_files(world, content, plan, format):
    with world.visit() as here:
        (here / "x.toml").write_text(to_toml(content))
        world.run("study files", Call((*plan.split(), "x.toml", "-f", format)))


def stays_in_the_world(content):
    """Whether the folder that a study gets by its name can't be elsewhere than in the world of the test."""
    name = str(content.get("name", ""))
    return not name.startswith("/") and name.count("..") < 2 and "99" not in str(content.get("seeds"))


@fuzz("study files", studies(n_claims=1).filter(stays_in_the_world), formats, part=0.35)
def test_trained_study_files(world, no_figures, content, format):
    n_values = [len(values) for values in content["axes"].values()] if isinstance(content["axes"], dict) else []
    assume(all(n < 10 for n in n_values))
    with world.visit() as here:
        (here / "x.toml").write_text(to_toml(content))
        world.run("study files", Call(("sweep", "-p", "x.toml", "-f", format), writes=("studies",)))


@fuzz("study files, damaged", damaged(SOUND), st.sampled_from(PLANS))
def test_damaged_study_files(world, content, plan):
    with world.visit() as here:
        (here / "x.toml").write_bytes(content)
        world.run("study files, damaged", Call((*plan.split(), "x.toml")))


@fuzz("study files, claims", studies(n_claims=3), formats, part=0.6)
def test_claims(world, content, format):
    with world.visit() as here:
        (here / "x.toml").write_text(to_toml(content))
        world.run("study files, claims", Call(("verify", "x.toml", "--list", "-f", format)))


@fuzz("study files, claims", studies(n_claims=2).filter(stays_in_the_world), formats, part=0.4)
def test_verdicts(world, no_figures, content, format):
    assume(
        not isinstance(content["axes"], dict)
        or all(len(values) < 10 for values in content["axes"].values() if isinstance(values, str | list))
    )
    with world.visit() as here:
        (here / "x.toml").write_text(to_toml(content))
        world.run("study files, claims", Call(("verify", "x.toml", "-f", format), writes=("studies",)))


@settings(max_examples=50, derandomize=True)
@given(studies())
def test_the_grammar_is_sound(content):
    assert tomllib.loads(to_toml(content)).keys() == content.keys()
