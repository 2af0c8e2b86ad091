"""The page on two studies."""

import re
from pathlib import Path

import pytest
from fakes import complete, evidence, make_study, record
from pages import NASTY, Page

from bncli.errors import InvalidConfig
from bncli.report.two import lead, two_caption, two_of, two_rows, write_two
from bncli.study.folder import Store


def ending_at(end, norms=("none", "batch")):
    return lambda config: complete(config, (0.4, (end if config.norm in norms else 0.5) + 0.001 * config.seed))


@pytest.fixture
def two(tmp_path):
    shown = [
        evidence(make_study(seeds=range(8), name=NASTY), ending_at(0.5), 0.1),
        evidence(make_study(seeds=range(8)), ending_at(0.7, ("batch",)), 0.1),
    ]
    return two_of(tuple(shown), tuple(record(tmp_path / name, each) for name, each in zip("ab", shown, strict=True)))


def test_each_arm_of_both_has_a_row(two):
    assert two_rows(two) == [
        {"arm": "none", "a": "0.503", "b": "0.503", "difference": "0.000", "verdict": "undecided", "pairs": "8"},
        {"arm": "batch:before", "a": "0.503", "b": "0.703", "difference": "+0.200", "verdict": "better", "pairs": "8"},
    ]
    assert two_caption(two) == (
        "mean validation accuracy over the seeds that both have; difference: b minus a, paired by seed [95% interval]; "
        "better, worse: the 95% interval excludes 0 and p < 0.05 after Holm's correction"
    )
    assert lead(two) == (
        "1 of 2 comparisons of the same arm differ clearly: most batch:before, from 0.503 in a to 0.703 in b."
    )


def test_the_page_has_both_studies_and_no_id_twice(two):
    assert write_two(two, "Old <or> new?") == "with-b.html"
    text = (two.folder.folder / "with-b.html").read_text()
    found = Page(text)
    assert len(found.ids) == len(set(found.ids))
    assert "<h1>Old &lt;or&gt; new?</h1>" in text
    assert {"figure-curves-0", "figure-curves-1"} <= set(found.ids)
    assert ["none", "0.503", "0.503", "0.000", "undecided", "8"] in found.rows
    targets = set(re.findall(r"url\(#([^)]+)\)", text)) | {each[1:] for each in found.addresses if each[0] == "#"}
    assert targets <= set(found.ids)
    assert "Nothing: both have the same settings." in found.text


def test_folders_of_one_name_are_called_by_their_paths(tmp_path):
    shown = evidence(make_study(), ending_at(0.5), 0.1)
    stores = tuple(record(tmp_path / place / "s", shown) for place in "xy")
    two = two_of((shown, shown), stores)
    assert two.names == tuple(str(store.folder) for store in stores)
    assert re.fullmatch(r"with-[A-Za-z0-9._-]+\.html", two.file)


def test_nothing_in_common_is_an_error(tmp_path):
    shown = [evidence(make_study(arms), ending_at(0.5), 0.1) for arms in ("none", "layer:before")]
    stores = tuple(record(tmp_path / name, each) for name, each in zip("ab", shown, strict=True))
    with pytest.raises(InvalidConfig) as caught:
        two_of(tuple(shown), stores)
    assert str(caught.value) == (
        f"'{tmp_path}/a' and '{tmp_path}/b' have no arm at the same values of their axes. Arms there: none; "
        "layer:before."
    )


def test_the_same_folder_twice_is_an_error(tmp_path):
    shown = evidence(make_study(), ending_at(0.5), 0.1)
    store = record(tmp_path / "a", shown)
    with pytest.raises(InvalidConfig, match=r"^DIR and DIR2 are the same folder, '.*a'\. Give another one as DIR2\.$"):
        two_of((shown, shown), (store, store))


def test_a_folder_named_like_a_column_is_called_by_its_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shown = evidence(make_study(), ending_at(0.5), 0.1)
    for name in ("arm", "s"):
        record(Path(name), shown)
    two = two_of((shown, shown), (Store(Path("s")), Store(Path("arm"))))
    assert [*two_rows(two)[0]] == ["arm", "./s", "./arm", "difference", "verdict", "pairs"]


def test_seeds_that_are_not_shared_are_said(tmp_path):
    shown = [evidence(make_study(seeds=seeds), ending_at(0.5), 0.1) for seeds in (range(3), range(3, 6))]
    stores = tuple(record(tmp_path / name, each) for name, each in zip("ab", shown, strict=True))
    two = two_of(tuple(shown), stores)
    assert lead(two) == "a and b have no seed in common, so that nothing is compared."
    assert {row["verdict"] for row in two_rows(two)} == {"-"}


def test_equivalent_and_undecided_are_counted(tmp_path):
    shown = [evidence(make_study(seeds=range(5)), ending_at(end), 0.1, margin=0.05) for end in (0.5, 0.501)]
    stores = tuple(record(tmp_path / name, each) for name, each in zip("ab", shown, strict=True))
    assert lead(two_of(tuple(shown), stores)) == ("Of 2 comparisons of the same arm between a and b, 2 equivalent.")
