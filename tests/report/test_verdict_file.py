"""The verdicts of checks, kept for the page."""

import json
import math
import os
from dataclasses import replace

import pytest
from fakes import evidence, learned, make_study, record
from hypothesis import given
from hypothesis import strategies as st

from bncli.claims import check
from bncli.claims.check import Measured
from bncli.claims.claim import parse_claims
from bncli.claims.verdicts import verdicts, verdicts_on
from bncli.cli.app import main
from bncli.report.files import write_files
from bncli.report.verdict_file import VERDICTS_FILE, store_verdicts, with_stored

SKIPPED = "skipped"

STUDY = """
arms = ["none", "batch:before"]
seeds = 2

[run]
dataset = "circles"
n_samples = 40
model = "dense4"
epochs = 2

[[claims]]
id = "exactly"
statement = "gamma starts at 1"
source = "the documentation"
check = "fake-check"
"""


@pytest.fixture(autouse=True)
def fake_check(monkeypatch):
    """A check that needs no TensorFlow."""

    def gamma():
        """Gamma is 1."""
        return Measured("gamma is 1", holds=True)

    monkeypatch.setitem(check.REGISTRY._entries, "fake-check", gamma)
    monkeypatch.setattr(check, "run_check", lambda name: gamma())


def study_with_a_check(name="fake-check", statement="gamma starts at 1"):
    study = make_study()
    claim = {"id": "exactly", "statement": statement, "source": "the documentation", "check": name}
    return replace(study, claims=(claim,))


@pytest.fixture
def recorded(tmp_path):
    """A study with a checked claim, and its folder."""
    shown = evidence(study_with_a_check())
    return shown, record(tmp_path / "out", shown)


def checked(shown):
    return verdicts_on(parse_claims(shown.study), shown.study, shown.results, shown.conditions)


def on_page(shown):
    return verdicts(shown.study, shown.results, shown.conditions)


def test_what_verify_found_is_what_the_page_shows(recorded):
    shown, store = recorded
    assert [each.verdict for each in with_stored(store.folder, on_page(shown))] == [SKIPPED]
    store_verdicts(store.folder, checked(shown))
    assert with_stored(store.folder, on_page(shown)) == checked(shown)
    write_files(shown, store)
    page = (store.folder / "report.html").read_text()
    assert "gamma is 1" in page
    assert "bncli verify makes it" not in page


def test_a_claim_that_was_changed_since_is_not_verified(recorded):
    shown, store = recorded
    store_verdicts(store.folder, checked(shown))
    changed = replace(shown, study=study_with_a_check(statement="gamma starts at 0"))
    assert [each.verdict for each in with_stored(store.folder, on_page(changed))] == [SKIPPED]


def test_verdicts_of_several_calls_are_kept_together_and_others_never(recorded):
    shown, store = recorded
    (one,) = checked(shown)
    other = replace(one, claim=replace(one.claim, id="other"), value=math.inf)
    of_runs = replace(one, claim=replace(one.claim, id="of-runs", check=""))
    for each in (one, other, of_runs, replace(other, verdict=SKIPPED)):
        store_verdicts(store.folder, [each])
    found = json.loads((store.folder / VERDICTS_FILE).read_text())
    assert list(found) == ["exactly", "other"]
    assert found["other"]["value"] is None


def test_a_folder_without_a_study_gets_no_file(tmp_path, recorded):
    store_verdicts(tmp_path / "nowhere", checked(recorded[0]))
    assert not (tmp_path / "nowhere").exists()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(st.text(max_size=5), parts, max_size=3),
    max_leaves=5,
)
SOUND = {"check": "fake-check", "statement": "gamma starts at 1", "verdict": "exact", "n": 0, "value": None} | {
    "low": None, "high": None, "text": "", "advice": "",
}  # fmt: skip


@given(st.sampled_from(sorted(SOUND)), json_values)
def test_a_damaged_record_is_sound_or_counts_as_none(tmp_path_factory, name, value):
    folder = tmp_path_factory.mktemp("damaged")
    (folder / VERDICTS_FILE).write_text(json.dumps({"exactly": SOUND | {name: value}}))
    (found,) = with_stored(folder, on_page(evidence(study_with_a_check())))
    assert found.verdict == SKIPPED or found.measured == found.measured.strip()


@pytest.mark.parametrize("content", ["", "[]", "{", "[" * 100_000, '{"exactly": 3}', "\xff"])
def test_a_file_that_holds_something_else_counts_as_none(recorded, content):
    shown, store = recorded
    (store.folder / VERDICTS_FILE).write_bytes(content.encode("latin-1"))
    assert [each.verdict for each in with_stored(store.folder, on_page(shown))] == [SKIPPED]
    store_verdicts(store.folder, checked(shown))
    assert with_stored(store.folder, on_page(shown)) == checked(shown)


def test_a_pipe_in_the_place_of_the_file_keeps_nobody_waiting(recorded):
    shown, store = recorded
    os.mkfifo(store.folder / VERDICTS_FILE)
    assert [each.verdict for each in with_stored(store.folder, on_page(shown))] == [SKIPPED]


def test_a_verdict_that_is_stored_already_is_not_written_again(recorded):
    shown, store = recorded
    store_verdicts(store.folder, checked(shown))
    before = (store.folder / VERDICTS_FILE).stat().st_mtime_ns
    store_verdicts(store.folder, checked(shown))
    assert (store.folder / VERDICTS_FILE).stat().st_mtime_ns == before


def test_verify_stores_what_the_next_report_shows(folder, monkeypatch, capsys):
    (folder / "mine.toml").write_text(STUDY)
    study = study_with_a_check()
    record(folder / "studies" / "mine", evidence(replace(study, name="mine"), learned))
    monkeypatch.setattr("sys.argv", ["bncli", "verify", "mine.toml", "--quiet"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code in (0, None)
    assert "exact" in capsys.readouterr().out
    assert json.loads((folder / "studies" / "mine" / VERDICTS_FILE).read_text())["exactly"]["verdict"] == "exact"
    assert not (folder / "studies" / "mine" / "report.html").exists()  # it renews a page, and makes none
