"""What is read from a study's folder has the types that it must have, or one error names the place."""

import copy
import json
import math

import pytest
from fakes import complete, diverged, evidence, failed, learned, make_study, record
from hypothesis import given, settings
from hypothesis import strategies as st

from bncli.analysis.choice import choose
from bncli.analysis.evidence import read_evidence
from bncli.errors import BncliError, StoreError
from bncli.report.answer import answer_of
from bncli.report.exports import as_json, to_csv, to_json, to_json_line
from bncli.report.page import render
from bncli.report.rows import detail_rows, difference_rows, hit_rows, result_rows, run_rows
from bncli.study.folder import STUDY_FILE, Store
from bncli.study.journal import RUNS_FILE
from bncli.study.opening import note_session, open_folder
from bncli.study.places import studies
from bncli.study.status import status_rows, status_totals

AXES = (("lr", (0.01, 0.1)), ("activation", ("relu", "tanh")))


def mixed(config):
    return (learned, complete, diverged, failed)[config.seed](config)


NETWORKS = {"nets.py:build": {"digest": "1f", "text": "def build(): ...", "sites": {"layer": [1, 2]}}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A study's folder; tests change its files."""
    path = tmp_path_factory.mktemp("mutated") / "s"
    record(path, evidence(make_study(axes=AXES, seeds=(0, 1, 2, 3)), mixed))
    return path


class Content(tuple):
    """What `study.json` and the lines of the journal hold.

    Hypothesis shows the arguments of a test that failed, and warns instead if they are long.
    """

    def __repr__(self):
        return "content"


@pytest.fixture(scope="module")
def content(folder):
    lines = (folder / RUNS_FILE).read_text().splitlines()
    study = json.loads((folder / STUDY_FILE).read_text()) | {"networks": NETWORKS}
    return Content((study, [json.loads(line) for line in lines]))


def write(folder, study, records):
    (folder / STUDY_FILE).write_text(json.dumps(study))
    (folder / RUNS_FILE).write_text("".join(json.dumps(each) + "\n" for each in records))


def use(folder):
    """Do with a folder what `status`, `list studies`, `report` and a command that continues it do, but draw nothing."""
    store = Store(folder)
    list(studies(folder))
    assert status_totals(status_rows(folder))
    choose(store)
    found = read_evidence(folder)
    for rows in (result_rows, run_rows, difference_rows, hit_rows, detail_rows):
        rows(found)
    assert answer_of(found).sentences
    to_json(as_json(found))
    for table in (found.joined_table, found.differences_table, found.history_table, found.hits_table, found.lr_table):
        to_csv(table)
    for result in found.results:
        to_json_line(result.to_record())
    render(found, [], store.need_study())
    open_folder(folder, found.study, found.study.plan())
    note_session(store)


def test_a_folder_as_bncli_wrote_it_is_used_without_an_error(folder, content):
    write(folder, *content)
    use(folder)


def places(value, place=()):
    """The paths of keys to all parts of a JSON value."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place, *(found for key, part in parts for found in places(part, (*place, key)))]


def nested(depth):
    """None within so many lists."""
    return [nested(depth - 1)] if depth else None


ODD = st.sampled_from(
    [None, True, 0, -1, 2**70, 10**400, 1.5, 1e308, math.nan, math.inf, "", "x", "\x1b[2J", "\ud800", [], {}, [[1]]]
) | st.integers(1, 100).map(nested)


@st.composite
def mutations(draw, original):
    """The value with a part replaced, removed or repeated."""
    value = copy.deepcopy(original)
    *way, key = draw(st.sampled_from(places(value)[1:]))
    inner = value
    for step in way:
        inner = inner[step]
    kind = draw(st.sampled_from(["replace", "replace", "remove", "repeat"]))
    if kind == "remove":
        del inner[key]
    elif kind == "repeat" and isinstance(inner, list):
        inner.append(copy.deepcopy(inner[key]))
    else:
        inner[key] = draw(ODD)
    return value


@settings(max_examples=40)
@given(data=st.data())
def test_a_study_that_was_changed_is_used_or_refused_in_one_sentence(folder, content, data):
    write(folder, data.draw(mutations(content[0])), content[1])
    refused_or_used(folder)


@settings(max_examples=40)
@given(data=st.data())
def test_a_record_that_was_changed_is_used_or_refused_in_one_sentence(folder, content, data):
    study, (first, *others) = content
    write(folder, study, [data.draw(mutations(first)), *others])
    refused_or_used(folder)


def refused_or_used(folder):
    try:
        use(folder)
    except BncliError as error:
        assert str(folder) in str(error)
        assert "\n" not in str(error)
        assert len(str(error)) < 2_000


def changed(value, change):
    """A copy of a JSON value with one part changed: `change` is a path of keys and what lies there."""
    *way, key = change[0].split("/")
    new = inner = copy.deepcopy(value)
    for step in way:
        inner = inner[int(step) if isinstance(inner, list) else step]
    inner[int(key) if isinstance(inner, list) else key] = change[1]
    return new


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("study", []), "study must be an object. Received: []"),
        (("study/seeds/1", "1"), "study.seeds[1] must be a whole number. Received: '1'"),
        (("study/axes", []), "study.axes must be an object. Received: []"),
        (("study/claims", {}), "study.claims must be a list. Received: {}"),
        (("conditions/0/id", 7), "conditions[0].id must be text. Received: 7"),
        (("conditions/0/arm", "rms"), "conditions[0].arm must be one of study.arms. Received: 'rms'"),
        (("conditions/0/values", {}), "conditions[0].values must have the axes of the study. Received: {}"),
        (
            ("conditions/0/values/lr", "x"),
            "conditions[0].values.lr must be a number above 0 and up to 1000000. Received: 'x'",
        ),
        (("datasets", {"d": {"chance": 0.5}}), "datasets.d lacks fingerprint"),
        (("git", {"commit": None, "dirty": False}), "git.commit must be text. Received: None"),
        (("versions/bncli", 2), "versions.bncli must be text. Received: 2"),
        (("sessions", [None]), "sessions[0] must be an object. Received: None"),
        (("networks", None), "networks must be an object. Received: None"),
        (
            ("networks/nets.py:build/sites/layer", [1]),
            "networks.nets.py:build.sites.layer must be a list of two whole numbers. Received: [1]",
        ),
    ],
)
def test_a_part_of_a_study_that_has_another_type_is_named(folder, content, change, problem):
    write(folder, changed(content[0], change), content[1])
    with pytest.raises(StoreError) as caught:
        Store(folder).read_study()
    assert str(caught.value) == f"'{folder}/study.json': {problem}. Restore it or start in a new folder."


def test_a_condition_that_is_there_twice_is_refused(folder, content):
    study, records = content
    write(folder, changed(study, ("conditions/1", study["conditions"][0])), records)
    with pytest.raises(StoreError) as caught:
        Store(folder).read_study()
    assert str(caught.value) == (
        f"'{folder}/study.json': conditions[1] is there twice. Restore it or start in a new folder."
    )


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("config", []), "config must be an object. Received: []"),
        (("config/lr", []), "config.lr must be text, a finite number, true, false or null. Received: []"),
        (("params", {"total": "12"}), "params.total must be a whole number. Received: '12'"),
        (("metrics/loss", math.nan), "metrics.loss must be a finite number or null. Received: nan"),
        (("history/loss/1", math.inf), "history.loss[1] must be a finite number or null. Received: inf"),
        (("history/loss", 0.5), "history.loss must be a list. Received: 0.5"),
        (
            ("history", {"loss": [1.0], "accuracy": []}),
            "history must have equally many values of each metric. Received: {'accuracy': 0, 'loss': 1}",
        ),
        (
            ("history", {"accuracy": [1.0]}),
            "history must have equally many values of each metric. Received: {'accuracy': 1}",
        ),
        (("seconds", None), "seconds must be a finite number from 0. Received: None"),
        (("engine", {}), "engine must be text. Received: {}"),
        (("state", "failed"), "error must be text, because the run failed. Received: None"),
    ],
)
def test_a_part_of_a_record_that_has_another_type_is_named(folder, content, change, problem):
    study, (first, *others) = content
    write(folder, study, [first, changed(first, change), *others])
    with pytest.raises(StoreError) as caught:
        Store(folder).read_runs()
    assert str(caught.value) == (
        f"'{folder}/runs.jsonl', line 2, is damaged ({problem}). "
        "Remove that line; the same command then trains its run again."
    )


def test_a_metric_of_a_newer_version_is_not_called_damaged(folder, content):
    study, (first, *others) = content
    write(folder, study, [changed(first, ("history/val_f1", [0.5] * 3)), *others])
    with pytest.raises(
        StoreError, match=r"line 1, was written by a newer bncli\. .* does not know the metric 'val_f1'"
    ):
        Store(folder).read_runs()


def test_deep_nesting_is_refused(folder, content):
    write(folder, *content)
    (folder / STUDY_FILE).write_text("[" * 100_000)
    with pytest.raises(StoreError) as caught:
        Store(folder).read_study()
    assert str(caught.value) == (
        f"'{folder}/study.json' can't be read: too many objects or lists lie inside each other. "
        "Restore it or start in a new folder."
    )


def test_infinite_limits_of_claims_are_no_damage(tmp_path):
    """TOML has `inf`, and what was stored of it is read."""
    study = make_study()
    store = open_folder(tmp_path / "s", study, study.plan()).store
    content = store.need_study()
    content["study"]["claims"] = [{"id": "a", "at_most": math.inf}]
    store.write_study(content)
    assert store.need_study()["study"]["claims"][0]["at_most"] == math.inf
