"""The page on two studies."""

import re

import pytest
from fakes import complete, evidence, make_study, record
from pages import NASTY, Page

from bncli.errors import InvalidConfig
from bncli.report.two import lead, two_caption, two_of, two_rows, write_two


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
        "mean validation accuracy over seeds; difference: b minus a, paired by seed [95% interval]; better, worse: the "
        "interval excludes 0 and p < 0.05 after Holm's correction"
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
