"""What a study's arms are compared by, and what its folder remembers of that."""

import dataclasses
import json
import math
from pathlib import Path

import pytest
from fakes import complete, evidence, failed, make_study, record
from hypothesis import given
from hypothesis import strategies as st

from bncli.analysis.choice import (
    KEY,
    Choice,
    check_choice,
    check_measured_by,
    choice_of,
    choose,
    default_metric,
    measured,
    metrics_of,
    remembered,
)
from bncli.analysis.evidence import read_evidence
from bncli.errors import InvalidConfig, StoreError, UnknownName
from bncli.study.folder import STUDY_FILE, Store
from bncli.study.opening import open_folder
from bncli.tasks.metrics import DEFAULT, METRICS


@pytest.fixture
def store(tmp_path):
    return record(tmp_path / "out", evidence(make_study()))


@pytest.mark.parametrize(
    ("metric", "others"),
    [("val_mae", "val_r2 or val_loss"), ("val_f1", "val_accuracy or val_loss"), ("probe_dead", "val_loss")],
)
def test_a_threshold_of_a_metric_without_a_curve_is_refused(metric, others):
    with pytest.raises(InvalidConfig) as caught:
        check_choice(metric, 0.5)
    assert str(caught.value) == (
        f"--threshold is a value that runs reach in some epoch, but {metric} is not known after every epoch. Leave "
        f"--threshold out, or try --metric {others}."
    )


def test_a_metric_of_more_classes_than_the_data_has_is_refused_before_training():
    with pytest.raises(InvalidConfig) as caught:
        check_measured_by(make_study().plan(), "val_top5")
    assert str(caught.value) == (
        "--metric val_top5 needs 6 classes or more, but circles has 2. Try --metric val_accuracy."
    )


@pytest.mark.parametrize(
    ("metric", "threshold", "expected"),
    [
        ("val_accuracy", 1.5, "a number from 0 to 1 for the metric val_accuracy. Received: 1.5."),
        ("val_accuracy", -0.1, "a number from 0 to 1 for the metric val_accuracy. Received: -0.1."),
        ("val_loss", -1.0, "a number from 0 for the metric val_loss. Received: -1."),
        ("loss", math.inf, "a number from 0 for the metric loss. Received: inf."),
        ("loss", math.nan, "a number from 0 for the metric loss. Received: nan."),
    ],
)
def test_a_threshold_outside_the_range_of_the_metric_is_refused(metric, threshold, expected):
    with pytest.raises(InvalidConfig) as caught:
        check_choice(metric, threshold)
    assert str(caught.value) == f"--threshold must be {expected}"


@pytest.mark.parametrize(
    ("metric", "margin", "expected"),
    [
        ("val_accuracy", -0.1, "a number from 0 to 1 for the metric val_accuracy; {}. Received: -0.1."),
        ("val_accuracy", 1.5, "a number from 0 to 1 for the metric val_accuracy; {}. Received: 1.5."),
        ("val_loss", -1.0, "a number from 0 for the metric val_loss; {}. Received: -1."),
        ("loss", math.nan, "a number from 0 for the metric loss; {}. Received: nan."),
    ],
)
def test_a_margin_outside_the_range_of_differences_is_refused(metric, margin, expected):
    with pytest.raises(InvalidConfig) as caught:
        check_choice(metric, None, margin)
    assert str(caught.value) == f"--margin must be {expected.format('0 calls nothing equivalent')}"


def test_an_unknown_metric_is_refused_with_the_nearest_one():
    with pytest.raises(UnknownName) as caught:
        check_choice("val_acuracy", None)
    assert str(caught.value) == (
        f"Unknown metric 'val_acuracy'. Allowed: {', '.join(METRICS)}. Did you mean 'val_accuracy'?"
    )


def test_a_choice_is_remembered_until_another_one_is_made(store):
    assert choose(store) == Choice("val_accuracy", None)
    assert KEY not in store.read_study()
    assert choose(store, threshold=0.9) == choose(store) == Choice("val_accuracy", 0.9)
    assert choose(store, "val_loss", 1.5) == choose(store) == Choice("val_loss", 1.5)
    assert choose(store, "val_loss") == choose(store) == Choice("val_loss", None)
    assert choose(store, threshold=0.5) == choose(store) == Choice("val_accuracy", 0.5)


def test_a_margin_is_remembered_until_there_is_another_one_or_another_metric(store):
    assert choose(store, margin=0.01) == choose(store) == Choice("val_accuracy", None, 0.01)
    assert choose(store, threshold=0.9) == choose(store) == Choice("val_accuracy", 0.9, 0.01)
    assert choose(store, margin=0.02) == choose(store) == Choice("val_accuracy", 0.9, 0.02)
    assert choose(store, "val_loss") == choose(store) == Choice("val_loss", None, None)
    assert choose(store, "val_loss", 0.3, 2.0) == choose(store) == Choice("val_loss", 0.3, 2.0)
    assert read_evidence(store.folder).margin == 2.0


def test_a_margin_of_zero_takes_the_margin_away_without_a_note(store):
    told = []
    choose(store, "val_loss", 0.3, 2.0)
    assert choose(store, margin=0, tell=told.append) == choose(store) == Choice("val_loss", 0.3, None)
    choose(store, margin=1.0)
    assert choose(store, "val_loss", 0.5, 0, tell=told.append) == choose(store) == Choice("val_loss", 0.5, None)
    assert not told


@pytest.mark.parametrize(
    ("first", "then", "expected"),
    [
        (
            (None, None, 0.02),
            ("val_loss",),
            "--margin 0.02 was given for val_accuracy and is not used for val_loss; give --margin again if it matters.",
        ),
        (
            ("val_loss", 0.5, 0.1),
            ("val_accuracy",),
            "--threshold 0.5 and --margin 0.1 were given for val_loss and are not used for val_accuracy; "
            "give --threshold and --margin again if they matter.",
        ),
        (
            ("val_loss", None, 0.1),
            (None, 0.9),
            "--margin 0.1 was given for val_loss and is not used for val_accuracy; give --margin again if it matters.",
        ),
        (
            ("val_loss", 0.5, 0.1),
            ("val_loss",),
            "--threshold 0.5 was given in an earlier call and is dropped by --metric val_loss alone; "
            "give --threshold again if it matters.",
        ),
    ],
)
def test_a_number_that_the_folder_forgets_is_told_once(store, first, then, expected):
    notes = []
    choose(store, *first, tell=notes.append)
    choose(store, tell=notes.append)
    assert notes == []
    choose(store, *then, tell=notes.append)
    choose(store, *then, tell=notes.append)
    assert notes == [expected]


def test_numbers_that_are_kept_or_replaced_are_not_told(store):
    notes = []
    choose(store, None, 0.8, 0.02, notes.append)
    for choice in ((None, 0.9), (None, None, 0.03), ("val_loss", 0.5, 0.1)):
        choose(store, *choice, tell=notes.append)
    assert notes == []


def test_a_choice_that_stays_reads_no_runs(store, monkeypatch):
    choose(store, "val_loss")
    monkeypatch.setattr(Store, "listed_runs", None)
    assert choose(store) == choose(store, "val_loss") == Choice("val_loss")


def test_what_a_folder_remembers_without_a_margin_is_read(store):
    store.write_study(store.need_study() | {KEY: {"metric": "val_loss", "threshold": 0.5}})
    assert choose(store) == Choice("val_loss", 0.5, None)


def test_evidence_is_read_by_the_remembered_choice_or_by_a_given_one(store):
    choose(store, "val_loss", 1.5)
    remembering, given = read_evidence(store.folder), read_evidence(store.folder, "loss")
    assert (remembering.metric, remembering.threshold) == ("val_loss", 1.5)
    assert (given.metric, given.threshold) == ("loss", None)


def test_the_choice_outlives_a_call_that_adds_seeds(store):
    choose(store, threshold=0.9)
    study = make_study(seeds=range(3))
    open_folder(store.folder, study, study.plan())
    assert choose(store) == Choice("val_accuracy", 0.9)


def test_the_same_choice_again_writes_nothing(store):
    choose(store, threshold=0.9)
    path = store.folder / STUDY_FILE
    before = path.stat().st_mtime_ns
    choose(store, threshold=0.9)
    choose(store)
    assert path.stat().st_mtime_ns == before


def test_a_choice_that_is_refused_is_not_remembered(store):
    with pytest.raises(InvalidConfig):
        choose(store, threshold=1.5)
    assert choose(store) == Choice(DEFAULT)


def test_without_a_study_there_is_nothing_to_choose_for(tmp_path):
    with pytest.raises(StoreError, match="holds no study"):
        choose(Store(tmp_path))


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["val_loss", "x", "metric", "threshold", "margin"]),
    lambda parts: (
        st.lists(parts, max_size=3) | st.dictionaries(st.sampled_from(["metric", "threshold", "margin", "x"]), parts)
    ),
    max_leaves=4,
)


@given(values)
def test_what_a_damaged_file_remembers_is_sound_or_refused_in_one_line(value):
    value = json.loads(json.dumps(value))
    try:
        check_choice(*remembered({KEY: value}, Store(Path("out")))[:3])
    except StoreError as error:
        assert str(error).startswith("'out/study.json': 'report' must hold a metric, and may hold a threshold ")
        assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("n_rows", "expected"),
    [([], DEFAULT), ([None], DEFAULT), ([20], "test_accuracy"), ([20, 30], "test_accuracy"), ([20, None], DEFAULT)],
)
def test_arms_are_compared_on_test_rows_where_all_data_has_them(n_rows, expected):
    assert default_metric({"test_rows": n} if n else {} for n in n_rows) == expected


def with_test_part(config):
    """A run with a test accuracy."""
    done = complete(config)
    return dataclasses.replace(done, metrics=done.metrics | {"test_accuracy": 0.7})


def test_a_folder_whose_data_has_a_test_part_is_compared_on_it_unless_told_otherwise(tmp_path):
    store = record(tmp_path / "out", evidence(make_study(test_size=0.2), with_test_part))
    assert choose(store) == Choice("test_accuracy")
    assert read_evidence(store.folder).metric == "test_accuracy"
    assert choose(store, threshold=0.8) == Choice("test_accuracy", 0.8)
    assert choose(store, DEFAULT) == Choice(DEFAULT)
    assert read_evidence(store.folder).metric == DEFAULT


def test_runs_that_all_failed_are_shown_by_the_default_metric(tmp_path):
    shown = evidence(make_study(test_size=0.2), failed)
    assert measured("test_accuracy", shown.results) == DEFAULT
    assert read_evidence(record(tmp_path / "out", shown).folder).metric == DEFAULT


def test_several_metrics_are_one_with_commas_or_a_list():
    assert (
        metrics_of("val_accuracy, val_loss") == metrics_of(["val_accuracy", "val_loss"]) == ["val_accuracy", "val_loss"]
    )
    assert choice_of(["val_loss", "val_auc,val_f1"], 1.5) == Choice("val_loss", 1.5, None, ("val_auc", "val_f1"))
    with pytest.raises(InvalidConfig) as caught:
        choice_of("val_loss,val_auc,val_loss", None)
    assert str(caught.value) == "The metric val_loss is named twice. Name each metric once."
    with pytest.raises(UnknownName, match=r"^Unknown metric 'val_acc'\."):
        choice_of("val_loss,val_acc", None)
