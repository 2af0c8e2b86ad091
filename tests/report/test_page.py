"""`report.html`: what it contains and what it escapes."""

import html
import json
import re
import time

import pytest
from fakes import TRIVIAL, TWO_AXES, evidence, failed, learned, make_study, record
from pages import NASTY, Page

from bncli.config import FIELDS
from bncli.report import page, parts
from bncli.report.files import write_files


def written(folder, shown):
    write_files(shown, record(folder, shown))
    return (folder / "report.html").read_text()


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    """The page of a study with two axes and text that would do harm if it weren't escaped."""
    study = make_study(axes=TWO_AXES, seeds=range(3), name=f"a {NASTY}")
    object.__setattr__(study, "question", f"What does {NASTY} buy?")
    object.__setattr__(study, "source", f"javascript:{NASTY}")
    return written(tmp_path_factory.mktemp("study") / "out", evidence(study, learned, TRIVIAL))


def test_the_page_needs_nothing_else(text):
    found = Page(text)
    assert all(address.startswith(("#", "data:image/png;base64,")) for address in found.addresses)
    assert not {"link", "iframe", "object", "embed"} & set(found.tags)
    assert "@import" not in text
    assert {target[:5] for target in re.findall(r"url\(([^)]+)", text)} <= {"#curv", "#diff", "#reac", "#heat"}


def test_text_from_users_is_text(text):
    found = Page(text)
    assert found.tags.count("script") == 1
    assert NASTY not in text
    assert "".join(found.text).count(NASTY) >= 3


def test_ids_are_unique_and_every_reference_has_its_target(text):
    found = Page(text)
    assert len(found.ids) == len(set(found.ids))
    targets = {address[1:] for address in found.addresses if address.startswith("#")}
    targets |= set(re.findall(r"url\(#([^)]+)\)", text))
    assert targets <= set(found.ids)


def test_figures_have_no_style_of_their_own(text):
    assert text.count("<style") == 1


def test_every_panel_has_a_label_and_every_figure_a_caption_with_n(text):
    labels = [html.unescape(label) for label in re.findall(r'role="img" aria-label="([^"]*)"', text)]
    captions = [html.unescape(caption) for caption in re.findall(r"<figcaption>(.*?)</figcaption>", text)]
    assert len(captions) == 4
    assert len(labels) == 4 + 1 + 2 + 4  # curves, differences, heatmap, reached
    assert all("n = 3" in caption for caption in captions)
    assert {caption for caption in captions for label in labels if label.endswith(f". {caption}")} == {*captions}


def test_figures_take_their_colours_from_the_page(text):
    drawn = "".join(re.findall(r"<figure.*?</figure>", text, re.DOTALL))
    assert {"var(--arm0)", "var(--arm1)", "var(--ink)", "var(--page)"} <= set(re.findall(r"var\(--[a-z0-9]+\)", drawn))
    assert not {"#000000", "#ffffff", "#0072b2"} & set(re.findall(r"#[0-9a-f]{6}", drawn.lower()))


def test_curves_come_with_the_values_that_the_tables_have(text):
    """The last point of the first curve is the mean that the main table has."""
    points = json.loads(re.search(r'data-points="(\[\[[^"]*)"', text)[1])
    found = Page(text)
    head = next(row for row in found.rows if row[:3] == ["activation", "lr", "arm"])
    first = found.rows[found.rows.index(head) + 1]
    assert [curve[0] for curve in points] == [0, 1]
    assert f"{points[0][-1]:.3f}" == first[head.index("val_accuracy")].split()[0]


def test_the_page_has_every_setting_and_the_command(tmp_path):
    shown = evidence(make_study(axes=(("lr", (0.01, 0.1)),)), learned, TRIVIAL)
    store = record(tmp_path / "out", shown)
    content = store.read_study()
    store.write_study({key: value for key, value in content.items() if key != "format"} | {"command": "bncli 'a&b'"})
    write_files(shown, store)
    found = Page((tmp_path / "out" / "report.html").read_text())
    rows = {row[0]: row[1] for row in found.rows if len(row) == 3}
    assert set(FIELDS) - {"seed"} <= set(rows)
    assert rows["lr"] == "0.01, 0.1 (axis)"
    assert rows["norm"] == "none, batch (by arm)"
    assert rows["n_samples"] == "40"
    assert "bncli 'a&b'" in found.text
    assert content["versions"]["keras"] in [row[1] for row in found.rows if row[0] == "keras"]


@pytest.mark.parametrize(
    ("command", "choice", "expected"),
    [
        ("bncli compare -o 'my dir'", {}, "bncli compare -o 'my dir'"),
        (
            "bncli sweep lr=0.1,1",
            {"metric": "val_loss", "threshold": 0.25, "margin": 0.01},
            "bncli sweep lr=0.1,1 --metric val_loss --threshold 0.25 --margin 0.01",
        ),
        ("bncli compare --metric val_loss -s 3 --margin=0.5", {"margin": 0.1}, "bncli compare -s 3 --margin 0.1"),
        ("bncli train --threshold=0.5 -q", {"threshold": 0.5}, "bncli train -q --threshold 0.5"),
        ("bncli compare --metric", {}, "bncli compare"),
        ("bncli verify circles-lr", {"metric": "val_loss"}, "bncli verify circles-lr"),
        ("bncli compare 'no end", {"metric": "val_loss"}, "bncli compare 'no end"),
        ("", {"metric": "val_loss"}, None),
    ],
)
def test_the_command_that_runs_it_again_compares_by_what_the_page_does(command, choice, expected):
    text = page.render(evidence(make_study(seeds=(0,)), **choice), [], {"command": command})
    shown = re.findall(r"<pre tabindex=\"0\"><code>(.*)</code></pre>", text)
    assert [html.unescape(each) for each in shown] == ([] if expected is None else [expected])


def test_notes_say_for_how_many_rows_a_p_value_is_corrected():
    """At the second rate one seed is done, so that its row has no p, and that of the first is corrected for one."""

    def make(config):
        return learned(config) if config.lr == 0.01 or config.seed == 0 else None

    found = Page(page.render(evidence(make_study(axes=(("lr", (0.01, 0.1)),), seeds=range(6)), make, 0.1), [], {}))
    head = next(row for row in found.rows if "p (Holm)" in row)
    rows = found.rows[found.rows.index(head) + 1 :][:2]
    assert [(row[head.index("p")], row[head.index("p (Holm)")]) for row in rows] == [("0.031", "0.031"), ("-", "-")]
    assert [part for part in found.text if part.startswith("Arm minus baseline")] == [
        "Arm minus baseline: mean over pairs of runs with the same seed [95% interval]. p: sign-flip test, omitted "
        "below 5 pairs. p (Holm): corrected for the number of rows that have a p. Verdict: better, worse: the 95% "
        "interval excludes 0 and p < 0.05 after Holm's correction. Effect size: Hedges' g, the mean of the differences "
        "divided by their standard deviation, corrected for few pairs [95% interval]. Where only some runs of an arm "
        "learned, p and verdict come from whether runs learn (sign test) and from the difference among pairs in which "
        "both did, and p is twice the smaller one."
    ]


def test_the_answer_and_the_rows_are_those_of_the_tables(text):
    found = Page(text)
    lead = "All 4 comparisons with none in validation accuracy are undecided: 3 seeds can't decide so many, 8 can."
    assert lead in found.text
    heads = [row for row in found.rows if row[:3] == ["activation", "lr", "arm"]]
    assert len(heads) == 4
    first = found.rows[found.rows.index(heads[0]) + 1]
    assert first[:3] == ["sigmoid", "0.01", "none"]
    assert heads[0][3:6] == ["val_accuracy", "difference", "verdict"]


def test_the_list_of_contents_names_figures_as_their_headings_do(text):
    listed = re.findall(r'<a href="#more-(\w+)">(.*?)</a>', text)
    headings = re.findall(r'<details id="more-(\w+)"><summary><h3>(.*?): ', text)
    assert listed == headings
    assert ("differences", "Differences") in listed


def test_the_page_says_what_was_done_to_columns_of_tables():
    rows = [
        {"column": NASTY, "kind": "category", "missing": 3, "filled_with": "Rome", "becomes": "2 features: Oslo, Rome"},
        {"column": "id", "kind": "", "missing": None, "filled_with": "", "becomes": "left out: drop"},
    ]
    shown = evidence(make_study(), learned, TRIVIAL)
    content = {"datasets": {"mine.csv label=y": {"fingerprint": "0" * 64, "columns": rows}}}
    found = Page(page.render(shown, [], content))
    assert ["mine.csv label=y", NASTY, "category", "3", "Rome", "2 features: Oslo, Rome"] in found.rows
    assert ["mine.csv label=y", "id", "", "", "", "left out: drop"] in found.rows
    assert ["0" * 64] in found.rows
    assert "Columns of tables" not in page.render(shown, [], {"datasets": {"digits": {"fingerprint": "0"}}})


def test_a_study_without_claims_has_no_section_for_them(text):
    assert "Published claims" not in text


def test_a_claim_is_shown_with_its_verdict(tmp_path):
    claim = {
        "id": "faster",
        "statement": f"BN scores better {NASTY}",
        "link": "https://example.org/paper",
        "published": "+5 points",
        "measure": "final",
        "arm": "batch:before",
        "baseline": "none",
        "expect": "above",
    }
    study = make_study(seeds=range(6))
    object.__setattr__(study, "claims", (claim,))
    found = Page(written(tmp_path / "out", evidence(study, learned, TRIVIAL)))
    row = next(row for row in found.rows if row and row[0] == "" and NASTY in row[1])
    assert row[2] == "+5 points"
    assert row[4] == "reproduced"
    assert "https://example.org/paper" in found.addresses


def test_if_all_runs_failed_there_is_still_a_page(tmp_path):
    found = Page(written(tmp_path / "out", evidence(make_study(), failed)))
    assert "No run has a value of val_accuracy." in found.text
    assert "svg" not in found.tags


@pytest.mark.slow
def test_a_long_table_is_cut_and_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(parts, "MAX_ROWS", 3)
    found = Page(written(tmp_path / "out", evidence(make_study(axes=TWO_AXES))))
    assert any("The first 3 of 8 rows; the CSV files have all." in part for part in found.text)


@pytest.mark.slow
def test_twenty_thousand_runs_make_a_page_below_10_megabytes(tmp_path):
    rates = tuple(round(0.0001 * number, 4) for number in range(1, 1001))
    shown = evidence(make_study(axes=(("lr", rates),), seeds=range(10)))
    assert len(shown.results) == 20_000
    start = time.process_time()
    assert len(written(tmp_path / "out", shown)) < 10e6
    assert time.process_time() - start < 60
