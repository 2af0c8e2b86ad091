"""`bncli report`."""

import csv
import io
import json
import re
from pathlib import Path

import pytest
from commands import TINY, open_terminal

from bncli.tasks.metrics import METRICS

pytestmark = pytest.mark.usefixtures("no_figures")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            ("--metric", "accuracies"),
            f"Unknown metric 'accuracies'. Allowed: {', '.join(METRICS)}. Did you mean 'accuracy'?",
        ),
        (
            ("--threshold", "90"),
            "--threshold must be a number from 0 to 1 for the metric val_accuracy. Received: 90.",
        ),
    ],
)
@pytest.mark.parametrize("command", [("compare", *TINY), ("report", "nowhere")])
def test_metric_and_threshold_are_checked_first(bncli, command, options, expected):
    status, out, err = bncli(*command, *options)
    assert (status, out, err) == (2, "", f"Error: {expected}\n")


def test_report_compares_by_another_metric(bncli, engine):
    bncli("compare", *TINY, "--seeds", "2", "--out", "s", "-q")
    status, out, err = bncli("report", "s", "--metric", "val_loss", "--threshold", "1.5")
    assert status == 0
    assert out.splitlines()[2].split()[:2] == ["arm", "val_loss"]
    assert "hit epoch: median epoch at which the smoothed val_loss reaches 1.5" in out
    assert "Report: s/report.html\n" in err


def test_a_folder_remembers_a_margin_and_says_what_is_equivalent(bncli, engine):
    bncli("compare", *TINY, "--seeds", "5", "--out", "s", "-q")
    status, out, _ = bncli("report", "s", "--margin", "1")
    assert status == 0
    assert "; equivalent: the 90% interval lies between -1 and +1; better or worse takes 7 pairs" in out
    rows = list(csv.DictReader(io.StringIO(bncli("report", "s", "-q", "--format", "csv")[1])))
    assert [row["verdict"] for row in rows] == ["", "equivalent", "equivalent"]
    status, _, err = bncli("report", "s", "--margin", "-1")
    allowed = "a number from 0 to 1 for the metric val_accuracy; 0 calls nothing equivalent"
    assert (status, err) == (2, f"Error: --margin must be {allowed}. Received: -1.\n")
    status, out, err = bncli("report", "s", "--margin", "0")
    assert (status, "equivalent" in out, "Note" in err) == (0, False, False)
    assert "equivalent" not in bncli("report", "s")[1]


def test_a_margin_that_another_metric_makes_the_folder_forget_is_told(bncli, engine):
    bncli("compare", *TINY, "--seeds", "2", "--out", "s", "-q", "--margin", "0.02")
    told = (
        "Note: --margin 0.02 was given for val_accuracy and is not used for val_loss; "
        "give --margin again if it matters.\n"
    )
    assert bncli("report", "s", "-q", "--metric", "val_loss")[2] == told
    assert bncli("compare", *TINY, "--seeds", "2", "--out", "s", "-q", "--metric", "val_loss")[2] == ""


def test_report_prints_the_same_as_the_sweep(bncli, engine):
    sweep = bncli("sweep", "lr=0.1,0.2", *TINY, "-o", "s", "-q")[1]
    assert bncli("report", "s", "-q") == (0, sweep, "")


def test_report_on_a_folder_of_train_has_a_row_per_run_too(bncli, engine):
    train = bncli("train", *TINY, "--seeds", "2", "-o", "s", "-q", "--format", "csv")[1]
    assert bncli("report", "s", "-q", "--format", "csv") == (0, train, "")
    assert bncli("report", "s", "-q")[1] == bncli("train", *TINY, "--seeds", "2", "-o", "s", "-q")[1]


def test_a_study_named_train_is_shown_as_a_study(bncli, engine, folder):
    (folder / "train.toml").write_text('arms = ["none", "batch"]\n[run]\ndataset = "circles"\nmodel = "dense4"\n')
    rows = list(csv.DictReader(io.StringIO(bncli("sweep", "-p", "train.toml", "-q", "-f", "csv", "-o", "s")[1])))
    assert [(row["arm"], row["n"]) for row in rows] == [("none", "3"), ("batch", "3")]
    assert list(csv.DictReader(io.StringIO(bncli("report", "s", "-q", "-f", "csv")[1]))) == rows


@pytest.mark.parametrize("command", [("compare",), ("train",), ("sweep", "lr=0.1,0.2")])
@pytest.mark.parametrize("metric", ["test_accuracy", "population_test_loss"])
def test_a_test_metric_without_a_test_part_is_refused_before_training(bncli, engine, command, metric):
    status, out, err = bncli(*command, *TINY, "--metric", metric, "--out", "s", "-q")
    assert (status, out) == (2, "")
    assert err == (
        f"Error: --metric {metric} needs a test part, which circles does not have. "
        "Try --test-size 0.2, or --metric val_accuracy.\n"
    )
    assert not engine
    assert not Path("s/study.json").exists()


@pytest.mark.parametrize("metric", ["test_accuracy", "population_val_accuracy"])
def test_a_metric_that_no_run_has_is_not_remembered(bncli, engine, metric):
    bncli("compare", *TINY, "--seeds", "2", "--out", "s", "-q")
    before = Path("s/study.json").read_text()
    expected = f"Error: No run in 's' has a value of {metric}. Try --metric val_accuracy.\n"
    assert bncli("report", "s", "--metric", metric, "-q") == (2, "", expected)
    assert Path("s/study.json").read_text() == before


def test_a_folder_that_remembers_a_metric_that_no_run_has_is_mended_by_another(bncli, engine):
    shown = bncli("compare", *TINY, "--seeds", "2", "--out", "s", "-q")
    path = Path("s/study.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"report": {"metric": "test_accuracy"}}))
    expected = "Error: No run in 's' has a value of test_accuracy. Try --metric val_accuracy.\n"
    assert bncli("report", "s", "-q") == (2, "", expected)
    assert bncli("report", "s", "-q", "--metric", "val_accuracy") == shown
    assert bncli("report", "s", "-q") == shown


def test_several_metrics_are_remembered_and_tested_together(bncli, engine):
    bncli("compare", *TINY, "--seeds", "5", "--out", "s", "-q")
    status, out, _ = bncli("report", "s", "-q", "--metric", "val_accuracy", "--metric", "val_loss")
    assert status == 0
    assert "differences from none; p (Holm): corrected over all 4 comparisons by 2 metrics" in out
    assert bncli("report", "s", "-q")[1] == out
    rows = list(csv.DictReader(io.StringIO(Path("s/differences.csv").read_text())))
    assert {row["metric"] for row in rows} == {"val_accuracy", "val_loss"}
    status, _, err = bncli("report", "s", "--metric", "val_loss,val_loss")
    assert (status, err) == (2, "Error: The metric val_loss is named twice. Name each metric once.\n")
    assert "corrected over all" not in bncli("report", "s", "-q", "--metric", "val_loss")[1]


def test_a_title_is_that_of_the_page_until_none_takes_it_away(bncli, engine):
    bncli("compare", *TINY, "--seeds", "2", "--out", "s", "-q")
    assert bncli("report", "s", "-q", "--title", "Does BN help <us>?")[0] == 0
    assert "<h1>Does BN help &lt;us&gt;?</h1>" in Path("s/report.html").read_text()
    bncli("compare", *TINY, "--seeds", "3", "--out", "s", "-q")
    assert "<h1>Does BN help &lt;us&gt;?</h1>" in Path("s/report.html").read_text()
    bncli("report", "s", "-q", "--title", "none")
    assert "<h1>circles · " in Path("s/report.html").read_text()


def test_a_table_for_a_paper_is_called_as_its_folder(bncli, engine):
    bncli("compare", *TINY, "--seeds", "2", "--out", "few_seeds", "-q")
    out = bncli("report", "few_seeds", "-q", "--format", "latex")[1]
    assert "\\label{tab:few-seeds}\n" in out
    assert "\\caption{few\\_seeds. mean" in out
    out = bncli("report", "few_seeds", "-q", "--format", "latex", "--metric", "val_accuracy,val_loss")[1]
    assert re.findall(r"label{(.*?)}", out) == ["tab:few-seeds", "tab:few-seeds-other-metrics"]
    Path("few_seeds").rename("日本")
    assert "label" not in bncli("report", "日本", "-q", "--format", "latex", "--metric", "val_accuracy")[1]


def test_arms_have_other_names_in_what_one_call_writes(bncli, engine):
    bncli("compare", *TINY, "--seeds", "2", "--out", "s", "-q", "--arms", "none,batch:before")
    status, out, _ = bncli("report", "s", "-q", "--format", "csv", "--labels", "none=Plain,batch:before=BN")
    assert status == 0
    assert [row["arm"] for row in csv.DictReader(io.StringIO(out))] == ["Plain", "BN"]
    out = bncli("report", "s", "-q", "--format", "csv")[1]
    assert [row["arm"] for row in csv.DictReader(io.StringIO(out))] == ["none", "batch:before"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--size", "6x4"), "--size is for one figure. Try --figure curves --size '6x4'."),
        (("--dpi", "300"), "--dpi is for one figure. Try --figure curves --dpi '300'."),
        (("--plot", "a.pdf"), "--plot is for one figure. Try --figure curves --plot 'a.pdf'."),
        (("--plot", "a.gif"), "Unknown ending of a plot '.gif'. Allowed: .png, .svg, .pdf."),
        (
            ("--figure", "lr", "--size", "6"),
            "--size must be WIDTHxHEIGHT in inches, each from 1 to 40, such as 6x4. Received: '6'.",
        ),
        (
            ("--figure", "lr", "--size", "600x400"),
            "--size must be WIDTHxHEIGHT in inches, each from 1 to 40, such as 6x4. Received: '600x400'.",
        ),
        (
            ("--figure", "lr", "--size", "40x40", "--dpi", "1200"),
            "--size 40x40 at 1200 dpi is more than 100,000,000 pixels. Try a smaller --size or --dpi.",
        ),
        (("--figure", "lr", "--dpi", "0"), "--dpi must be a whole number from 10 to 1200. Received: 0."),
        (("--labels", "none"), "--labels must be ARM=NAME,ARM=NAME,... Received: 'none'. Try --labels "),
    ],
)
def test_what_a_figure_can_not_have_is_refused_before_anything_is_read(bncli, options, expected):
    status, out, err = bncli("report", "nowhere", *options)
    assert (status, out) == (2, "")
    assert err.startswith(f"Error: {expected}")


def test_a_figure_is_written_as_wished(bncli, engine):
    from PIL import Image

    def size(name):
        with Image.open(name) as image:
            return image.size

    bncli("compare", *TINY, "--seeds", "2", "--out", "s", "-q", "--arms", "none,batch:before")
    command = ("report", "s", "--figure", "curves", "--size", "3.5x2.5", "--dpi", "100", "--labels", "batch:before=BN")
    status, out, err = bncli(*command, "--plot", "a.png", "--title", "Mine")
    assert (status, out, err) == (0, "", "Wrote a.png\n")
    assert size("a.png") == (350, 250)
    assert bncli(*command, "--plot", "a.svg", "--title", "Mine", "-q") == (0, "", "")
    drawn = Path("a.svg").read_text()
    assert 'width="252pt" height="180pt"' in drawn
    assert all(f">{text}</text>" in drawn for text in ("Mine", "none", "BN", "epoch"))
    assert bncli(*command, "--plot", "a.pdf", "-q")[0] == 0
    assert Path("a.pdf").read_bytes().startswith(b"%PDF-")
    assert bncli(*command)[2] == "Wrote s/figures/curves.png, s/figures/curves.svg\n"
    assert size("s/figures/curves.png") == (350, 250)


def test_two_studies_are_compared_on_one_page(bncli, engine):
    for name, seeds in (("a", "3"), ("b", "2")):
        bncli("compare", *TINY, "--seeds", seeds, "--out", name, "-q")
    status, out, err = bncli("report", "a", "b", "--format", "csv", "--labels", "none=Plain")
    assert status == 0
    rows = list(csv.DictReader(io.StringIO(out)))
    assert rows[0]["arm"] == "Plain"
    assert {(row["n_first"], row["n_second"], row["n"]) for row in rows} == {("2", "2", "2")}
    assert err.splitlines()[-1] == "Report: a/with-b.html"
    assert Path("a/with-b.html").exists()
    status, _, err = bncli("report", "a", "b", "--figure", "curves")
    assert (status, err) == (2, "Error: --figure draws one study. Leave out DIR2, or --figure.\n")
    status, _, err = bncli("report", "a", "c")
    assert status == 2
    assert "'c'" in err


def test_a_size_without_room_for_the_panels_is_refused(bncli, engine):
    bncli("compare", *TINY, "--seeds", "2", "--out", "s", "-q", "--arms", "none,batch:before")
    status, out, err = bncli("report", "s", "--figure", "curves", "--size", "1x1", "--plot", "a.png")
    assert (status, out) == (2, "")
    assert err.startswith("Error: --size 1x1 is too small for this figure. By itself it has 5.4x")
    assert not Path("a.png").exists()


def test_the_table_of_two_studies_fits_80_columns(bncli, engine, monkeypatch):
    names = ("a-folder-with-a-name-of-32-letters", "b")
    for name in names:
        bncli("compare", *TINY, "--seeds", "3", "--out", name, "-q")
    stream = open_terminal(monkeypatch)
    monkeypatch.setenv("NO_COLOR", "1")
    assert bncli("report", *names, "-q")[0] == 0
    text = stream.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    assert "Left out, for want of width: pairs" in text
