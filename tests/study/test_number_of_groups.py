"""A folder that was begun when `group` had 2 groups by default goes on with them; a new one has groups that fit."""

import json
from collections import Counter

import pytest

import bncli
from bncli.config import RunConfig
from bncli.study.arms import parse_arms
from bncli.study.folder import Store
from bncli.study.places import default_folder
from bncli.study.study import Study

pytestmark = pytest.mark.usefixtures("no_figures")

SMALL = {"dataset": "circles", "n_samples": 64, "model": "dense16", "epochs": 1}
NOTICE = "Channel groups of norm group: 4 of 4. Another number is set as groups=2, say."


def compare(folder, seeds, arms=("none", "group:before"), **fields):
    return bncli.compare(arms=list(arms), seeds=seeds, out=folder / "old", **SMALL, **fields)


@pytest.fixture
def folder(tmp_path):
    return tmp_path


def numbers(folder):
    """How many runs of each arm have each number of groups."""
    runs = Store(folder / "old").read_runs().values()
    return Counter((run.config.norm, run.config.groups) for run in runs)


def strip_new_fields(folder):
    """Make a folder one of the time before the fields `groups` of None and `ghost`."""
    for path in (folder / "old").glob("*.json*"):
        text = path.read_text()
        path.write_text(text.replace(', "ghost": null', "").replace('"ghost": null,', ""))


@pytest.mark.slow
def test_a_folder_of_two_groups_is_continued_with_two(folder):
    compare(folder, 1, groups=2)
    strip_new_fields(folder)
    result = compare(folder, 2)
    assert numbers(folder) == {("none", 2): 2, ("group", 2): 2}
    assert result.evidence.conditions_table["n"].tolist() == [2, 2]


def test_a_new_folder_has_groups_that_fit_and_says_which(folder):
    with pytest.warns(UserWarning, match=NOTICE):
        compare(folder, 1)
    assert numbers(folder) == {("none", 2): 1, ("group", None): 1}
    (run,) = [run for run in Store(folder / "old").read_runs().values() if run.config.norm == "group"]
    assert json.loads(json.dumps(run.config.to_dict()))["groups"] is None


def test_a_folder_without_group_norm_gets_the_arm(folder):
    compare(folder, 1, arms=["none", "batch:before"])
    with pytest.warns(UserWarning, match=NOTICE):
        compare(folder, 1, arms=["none", "group:before"])
    assert set(numbers(folder)) == {("none", 2), ("batch", 2), ("group", None)}


def test_the_folder_of_a_study_does_not_depend_on_the_default():
    arms = parse_arms("none,batch")
    studies = [Study("s", RunConfig(dataset="circles", groups=groups), arms) for groups in (None, 2, 4)]
    new, old, other = (default_folder(study, as_written=False) for study in studies)
    assert new == old != other


def test_the_groups_of_every_layer_are_said():
    study = Study("s", RunConfig(dataset="digits", model="conv16 flatten dense8"), parse_arms("group"))
    assert study.plan().notices == (
        "Channel groups of norm group: 4 of 4, 2 of 4. Another number is set as groups=2, say.",
    )


@pytest.mark.parametrize(
    ("model", "arms", "notices"),
    [
        ("dense16", "none,batch", ()),
        ("dense16", "group,group:after", (NOTICE,)),
        ("dense16", "group+groups=2", ()),
        (
            "dense16 dense6",
            "group",
            ("Channel groups of norm group: 4 of 4, 1 of 6. Another number is set as groups=2, say.",),
        ),
    ],
)
def test_the_numbers_are_said_before_training(model, arms, notices):
    study = Study("s", RunConfig(**SMALL | {"model": model}), parse_arms(arms))
    assert study.plan().notices == notices
