"""Where studies lie: the folder of a study without --out, and all studies under a folder."""

import json
import os
import re
from pathlib import Path

import pytest
from fakes import failed, learned, make_study

from bncli.errors import StoreError
from bncli.study.arms import parse_arms
from bncli.study.folder import STUDY_FILE
from bncli.study.opening import open_folder
from bncli.study.places import default_folder, studies


def test_a_study_gets_a_folder_that_larger_versions_share():
    study = make_study(axes=(("lr", (0.1, 0.2)),), name="tiny")
    plain, own = (default_folder(study, as_written=written) for written in (True, False))
    larger = study.vary(axes=[("lr", (1.0,))], seeds=(0,), arms=parse_arms("none"))
    assert str(plain) == "studies/tiny"
    assert default_folder(larger, as_written=False) == own != plain
    assert default_folder(study.vary({"epochs": 2}), as_written=False) != own
    assert default_folder(study, as_written=True, root=Path("elsewhere")) == Path("elsewhere/tiny")


def test_the_hash_depends_on_what_differs_from_the_defaults():
    """Pinned: a new field must not move the folder of a study without --out."""
    assert default_folder(make_study(name="tiny"), as_written=False) == Path("studies/tiny-circles-dense4-eb6312")


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"model": "conv32*2 pool flatten dense64 norm dense10"}, "fake-circles-conv32-2-pool-flatten-dense64-"),
        ({"dataset": "data/my wine (2).csv", "n_samples": None}, "fake-my-wine-2-dense4-"),
        ({"axes": (("model", ("dense4", "dense8")),)}, "fake-circles-"),
        ({"name": "My study: lr/bn"}, "My-study-lr-bn-circles-dense4-"),
        ({"name": "../../X"}, "X-circles-dense4-"),
        ({"name": "/etc/x\0y"}, "etc-x-y-circles-dense4-"),
        ({"name": ".."}, "study-circles-dense4-"),
        ({"name": "日" * 300}, "日" * 40 + "-circles-dense4-"),
    ],
)
def test_the_folder_says_what_the_study_is_and_lies_directly_below_all_studies(fields, name):
    folder = default_folder(make_study(**fields), as_written=False)
    assert folder.parent == Path("studies")
    assert re.fullmatch(re.escape(name) + "[0-9a-f]{6}", folder.name)
    assert len(folder.name.encode()) < 255
    as_written = default_folder(make_study(**fields), as_written=True)
    assert as_written.parent == Path("studies")
    assert re.fullmatch(r"\w[\w.-]*", as_written.name)


EARLIER = [("fake-eb6312", False), ("fake-8f1df1", False), ("fake-8f1df1", True), ("fake", True)]


@pytest.mark.parametrize(("name", "as_written"), EARLIER)
def test_a_folder_with_a_name_of_an_earlier_version_is_continued(folder, name, as_written):
    study = make_study(seeds=(0,))
    new = default_folder(study, as_written=as_written)
    open_folder(Path("studies", name), study, study.plan())
    larger = make_study("none,batch:before,layer:before", seeds=(0, 1, 2))
    assert default_folder(larger, as_written=as_written) == Path("studies", name)
    if new.name != name:
        open_folder(new, study, study.plan())
        assert default_folder(larger, as_written=as_written) == new


def test_a_folder_whose_name_had_spaces_is_continued(folder):
    study = make_study(name="my study")
    assert default_folder(study, as_written=True) == Path("studies/my-study")
    open_folder(Path("studies/my study"), study, study.plan())
    assert default_folder(study, as_written=True) == Path("studies/my study")


def test_no_folder_elsewhere_is_taken_for_an_earlier_one(folder):
    study = make_study(name="../X")
    open_folder(Path("X"), study, study.plan())
    assert default_folder(study, as_written=True, root=Path("studies")) == Path("studies/X")


def test_all_studies_under_a_folder_are_listed(tmp_path):
    made = {"one": make_study(seeds=(0, 1, 2)), "deep/two": make_study(axes=(("lr", (0.1, 0.2)),), name="rates")}
    for name, study in made.items():
        store = open_folder(tmp_path / name, study, study.plan()).store
        configs = [config for config, _ in study.plan().runs]
        store.append(*map(learned, configs[:2]), failed(configs[2]))
        if name == "one":
            store.append(learned(configs[2]))
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / STUDY_FILE).write_text("{}")
    rows = list(studies(tmp_path))
    assert [{name: value for name, value in row.items() if name != "last_run"} for row in rows] == [
        {
            "folder": str(tmp_path / "deep/two"),
            "study": "rates",
            "what": "circles: none, batch:before x lr (2)",
            "done": 3,
            "planned": 8,
            "failed": 1,
        },
        {
            "folder": str(tmp_path / "one"),
            "study": "fake",
            "what": "circles: none, batch:before",
            "done": 3,
            "planned": 6,
            "failed": 0,
        },
    ]
    assert all(row["last_run"].startswith("20") for row in rows)


def test_a_damaged_study_is_listed_with_its_error_and_hides_no_other(tmp_path):
    for name in ("bad", "good"):
        open_folder(tmp_path / name, make_study(), make_study().plan())
    (tmp_path / "bad" / STUDY_FILE).write_text(json.dumps({"format": 99}))
    bad, good = studies(tmp_path)
    assert "was written by a newer bncli in format 99" in bad["what"]
    assert (bad["done"], good["done"], good["planned"]) == (None, 0, 4)


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(StoreError) as caught:
        list(studies(tmp_path / "nothing"))
    assert str(caught.value) == f"There is no folder '{tmp_path}/nothing'. Studies without --out go to 'studies'."


def test_a_study_that_can_not_be_opened_is_listed_with_its_error(tmp_path):
    for name in ("linked", "piped"):
        open_folder(tmp_path / name, make_study(), make_study().plan())
    os.mkfifo(tmp_path / "piped" / "runs-1-of-2.jsonl")
    (tmp_path / "linked" / STUDY_FILE).rename(tmp_path / "elsewhere")
    (tmp_path / "linked" / STUDY_FILE).symlink_to(tmp_path / "elsewhere")
    for row, (name, what) in zip(
        studies(tmp_path), ((STUDY_FILE, "a link"), ("runs-1-of-2.jsonl", "not a regular file")), strict=True
    ):
        assert row["what"].startswith(f"'{row['folder']}/{name}' is {what}, and bncli reads, ")


def test_a_folder_whose_name_is_too_long_for_the_system_is_refused():
    with pytest.raises(StoreError, match=r"^There is no folder 'xxx"):
        list(studies(Path("x" * 300)))
