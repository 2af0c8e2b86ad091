"""`bncli verify`: which claims it takes, what it skips, what it prints and exits with."""

import csv
import io
import json
import sys
from pathlib import Path
from string import Formatter

import pytest
from fakes import learned

from bncli.claims import check, verify
from bncli.claims.check import Measured
from bncli.claims.claim import parse_claims
from bncli.claims.judgement import VERDICTS
from bncli.claims.verdicts import verdicts_on
from bncli.cli.app import main
from bncli.results import RunResult
from bncli.study.files import load_study

OWN = """
arms = ["none", "batch:before"]
seeds = 6
source = "https://example.org/paper"

[run]
dataset = "circles"
n_samples = 64
model = "dense4"
epochs = 2

[[claims]]
id = "better"
statement = "BN is better"
source = "a paper"
published = "+0.1"
measure = "final"
arm = "batch:before"
baseline = "none"
expect = "above"

[[claims]]
number = 3
id = "worse"
statement = "BN is worse"
source = "a paper"
measure = "final"
arm = "batch:before"
baseline = "none"
expect = "below"

[[claims]]
id = "unknowable"
statement = "BN is elegant"
source = "a paper"
not_testable = "a matter of taste"
"""


CONTROL = (
    "False-discovery control over this page: of the verdicts that rest on a test of seeds, at most 5 % are "
    "expected to be due to chance (Benjamini-Hochberg, {} tests)."
)


@pytest.fixture
def bncli(monkeypatch, capsys, folder):
    """Call `bncli verify` in an empty folder without MNIST: returns exit status, stdout, stderr."""
    monkeypatch.delenv("BNCLI_DATA_DIR", raising=False)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["bncli", "verify", *arguments])
        with pytest.raises(SystemExit) as ended:
            main(call.trainer)
        out = capsys.readouterr()
        return ended.value.code or 0, out.out, out.err

    call.trainer = None  # the engines
    return call


@pytest.fixture
def own(folder):
    (folder / "own.toml").write_text(OWN)
    return "own.toml"


@pytest.fixture
def engine(bncli):
    """An engine that answers at once: a normalization adds about 0.1 to the accuracy, and seed 99 fails."""
    trained = []

    def answer(configs, engine, on_epoch, on_model, probe):
        for config in configs:
            trained.append(config)
            value = 0.7 + 0.1 * (config.norm != "none") + 0.001 * config.seed * (config.norm == "none")
            history = {name: [value] for name in ("accuracy", "val_accuracy")} | {"loss": [1.0], "val_loss": [1.0]}
            metrics = {name: values[-1] for name, values in history.items()} | {"train_accuracy": value}
            yield [RunResult(config, "complete", {"total": 1, "trainable": 1}, metrics, history, 0.5)]

    bncli.trainer = answer
    return trained


def run_bncli(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["bncli", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code or 0


def rows(out):
    return {row["id"]: row for row in csv.DictReader(io.StringIO(out))}


def test_a_study_file_is_trained_and_its_claims_are_judged(bncli, own, engine, folder):
    status, out, err = bncli(own, "--format", "csv")
    found = rows(out)
    assert status == 0
    assert {name: row["verdict"] for name, row in found.items()} == {
        "better": "reproduced",
        "worse": "contradicted",
        "unknowable": "not testable",
    }
    assert list(found) == ["worse", "better", "unknowable"]  # those with a number come first
    better = found["better"]
    assert (better["n"], better["published"], better["link"]) == ("6", "+0.1", "https://example.org/paper")
    assert float(better["low"]) < float(better["value"]) < float(better["high"])
    assert better["study"] == "own"
    assert len(engine) == 12
    said = err.splitlines()
    assert said[:2] == ["12 runs: 2 conditions x 6 seeds", "Folder: studies/own"]
    assert said[2].startswith("Note: After ")  # the moving averages will lag
    assert said[3:] == [CONTROL.format(2)]
    assert (folder / "studies/own/runs.jsonl").is_file()


def test_a_page_that_is_there_gets_the_new_verdicts_and_runs(bncli, own, engine, folder, no_figures, monkeypatch):
    def holds():
        """It holds."""
        return Measured("as the check says", True)

    monkeypatch.setitem(check.REGISTRY._entries, "fake-check", holds)
    checked = '[[claims]]\nid = "exactly"\nstatement = "s"\nsource = "a paper"\ncheck = "fake-check"\n'
    Path(own).write_text(OWN + checked)
    bncli(own, "--seeds", "5", "--quiet", "--claim", "better")
    assert run_bncli(monkeypatch, "report", "studies/own", "--quiet") == 0
    page = folder / "studies/own/report.html"
    assert "as the check says" not in page.read_text()
    _, _, err = bncli(own)
    assert err.splitlines()[-4:] == [
        "Wrote summary.csv, history.csv, differences.csv in studies/own",
        "Report: studies/own/report.html",
        CONTROL.format(2),
        "Next: bncli report studies/own",
    ]
    assert "as the check says" in page.read_text()
    written = page.stat().st_mtime_ns
    assert "Report:" not in bncli(own)[2]
    assert page.stat().st_mtime_ns == written


def test_only_the_runs_that_a_claim_takes_are_trained(bncli, folder, engine):
    claim = (
        '[axes]\nbatch_size = [8, 16]\n[[claims]]\nid = "c"\nstatement = "s"\nmeasure = "final"\nat_least = 0.5\n'
        'arm = "none"\nwhere = { batch_size = 16 }\n'
    )
    (folder / "one.toml").write_text(OWN.split("[[claims]]")[0] + claim)
    assert rows(bncli("one.toml", "--quiet", "--format", "csv")[1])["c"]["verdict"] == "reproduced"
    assert {(config.norm, config.batch_size) for config in engine} == {("none", 16)}
    assert len(engine) == 6


@pytest.mark.parametrize("name", ["circles-batch", "circles-init", "circles-momentum", "digits-depth", "lr-activation"])
def test_the_claims_are_judged_by_their_part_of_a_study_as_by_all_of_it(name):
    study = load_study(name).vary(seeds=(0, 1, 2))
    plan = study.plan()
    chosen = [claim for claim in parse_claims(study) if claim.measure]
    part = verify.part_of(plan, chosen)

    def judged(plan):
        return verdicts_on(chosen, study, [learned(config) for config, _ in plan.runs], dict(plan.runs))

    assert judged(part) == judged(plan) != []


def test_a_second_call_trains_nothing_and_more_seeds_only_the_new(bncli, own, engine):
    bncli(own, "--quiet")
    engine.clear()
    assert bncli(own, "--quiet")[2] == ""
    assert engine == []
    bncli(own, "--seeds", "8", "--quiet")
    assert sorted({config.seed for config in engine}) == [6, 7]


def test_fewer_seeds_are_inconclusive(bncli, own, engine):
    _, out, err = bncli(own, "--seeds", "2", "--claim", "better", "--format", "csv", "--quiet")
    assert err == "Note: 2 seeds will leave 1 claim of own inconclusive: better. Try --seeds 6.\n"
    assert rows(out)["better"]["verdict"] == "inconclusive"
    assert rows(out)["better"]["advice"] == "4 more seeds are needed: a verdict takes 6."


def test_a_study_of_too_few_seeds_says_so_before_it_trains(bncli, own, engine):
    Path(own).write_text(OWN.replace("seeds = 6", "seeds = 3"))
    said = bncli(own)[2].splitlines()
    assert said[:2] == [
        "Note: 3 seeds will leave 2 claims of own inconclusive: better, worse. Try --seeds 6.",
        "6 runs: 2 conditions x 3 seeds",
    ]
    assert bncli(own, "--seeds", "6", "--quiet")[2] == ""


def test_as_many_seeds_are_trained_as_a_claim_asks_for(bncli, own, engine, folder):
    Path(own).write_text(
        OWN.replace("seeds = 6", "seeds = [5, 7]").replace('expect = "below"', 'expect = "below"\nmin_seeds = 8')
    )
    assert rows(bncli(own, "--quiet", "--format", "csv")[1])["worse"]["verdict"] == "contradicted"
    assert sorted({config.seed for config in engine}) == [0, 1, 2, 3, 4, 5, 6, 7]


def test_the_verdicts_of_a_call_are_controlled_together(bncli, own, engine, folder):
    """Six equal seeds have p = 0.03, which doesn't stand beside a claim that is not decided."""
    text = OWN.split("[[claims]]")[0] + (
        '[[claims]]\nid = "one"\nstatement = "s"\nmeasure = "final"\narm = "none"\nbaseline = "batch:before"\n'
        'expect = "below"\n'
        '[[claims]]\nid = "two"\nstatement = "s"\nmeasure = "final"\narm = "none"\nat_least = 0.7025\n'
    )
    (folder / "two.toml").write_text(text)
    alone = rows(bncli("two.toml", "--claim", "one", "--quiet", "--format", "csv")[1])["one"]
    assert (alone["verdict"], alone["p_value"]) == ("reproduced", "0.03125")
    both = rows(bncli("two.toml", "--quiet", "--format", "csv")[1])
    assert [row["verdict"] for row in both.values()] == ["inconclusive", "inconclusive"]
    assert both["one"]["advice"] == "p = 0.031 alone, but 0.062 among the 2 tests of this page."


def test_strict_fails_where_a_claim_does_not_hold(bncli, own, engine):
    assert bncli(own, "--strict", "--quiet")[0] == 1
    assert bncli(own, "--strict", "--quiet", "--claim", "better")[0] == 0
    assert bncli(own, "--strict", "--quiet", "--claim", "unknowable")[0] == 0


def test_what_needs_no_runs_trains_nothing(bncli, own, engine, folder):
    assert bncli(own, "--claim", "unknowable")[0] == 0
    assert engine == []
    assert not (folder / "studies").exists()


@pytest.mark.parametrize("format", ["table", "md", "json", "jsonl"])
def test_every_format_has_every_verdict(bncli, own, engine, format):
    status, out, _ = bncli(own, "--format", format)
    assert status == 0
    if format == "json":
        found = [row["verdict"] for row in json.loads(out)]
    elif format == "jsonl":
        found = [json.loads(line)["verdict"] for line in out.splitlines()]
    else:
        found = [word for word in ("contradicted", "reproduced", "not testable") if word in out]
    assert sorted(found) == ["contradicted", "not testable", "reproduced"]


def test_a_hit_that_never_came_is_null_in_json(bncli, folder, engine):
    text = OWN.split("[[claims]]")[0] + (
        '[[claims]]\nid = "hit"\nstatement = "s"\nmeasure = "hit_epoch"\nthreshold = 0.99\narm = "none"\nat_most = 1\n'
    )
    (folder / "hit.toml").write_text(text)
    (row,) = json.loads(bncli("hit.toml", "--format", "json")[1])
    assert (row["verdict"], row["value"], row["measured"][:12]) == ("contradicted", None, "median never")


def test_failed_runs_end_in_status_1(bncli, own, monkeypatch):
    def fail(configs, *_):
        yield [RunResult(config, "failed", error="MemoryError: no room\n...") for config in configs]

    bncli.trainer = fail
    status, out, err = bncli(own, "--format", "csv", "--quiet")
    assert status == 1
    assert rows(out)["better"]["verdict"] == "inconclusive"
    assert rows(out)["better"]["measured"] == "no finished runs"
    assert err.splitlines()[-1] == "Error: 12 of 12 runs failed, the first with MemoryError: no room"


# Presets and MNIST.


def test_list_has_the_test_of_every_claim(bncli, engine):
    status, out, err = bncli("--list", "--format", "csv")
    found = rows(out)
    assert (status, err, engine) == (0, "", [])
    assert {int(row["number"]) for row in found.values() if row["number"]} == set(range(1, 48))
    assert found["recipe"]["test"].startswith("not testable: the source prints no figure")
    assert found["default-momentum"]["test"] == (
        "check default-momentum: The momentum of Keras' layer is 0.99 by default."
    )
    assert found["circles-after-faster"]["test"] == (
        "hit_epoch val_accuracy to 0.8: batch:after minus none, expected below 0"
    )
    assert found["circles-not-better"]["test"] == (
        "final val_accuracy: batch:after lr=best minus none lr=best, expected at least -0.01 and at most 0.01; "
        "claimed for a CNN on MNIST with Adam"
    )


def test_without_names_what_takes_mnist_is_left_out():
    chosen = verify.subjects(())
    everything = verify.subjects((), everything=True)
    taken = {claim.id for subject in chosen for claim in subject.claims}
    assert not any(subject.trains and verify.data_needed(subject.study) for subject in chosen)
    assert {"circles-after-faster", "mnist-cnn-params", "digits-depth-relu", "shift-cosine-relu"} <= taken
    missing = {claim.id for subject in everything for claim in subject.claims} - taken
    assert {"mnist-cnn-none", "mnist-constant-answer", "paper-faster", "mnist-sigmoid-both"} <= missing
    assert sum(verify.left_out(chosen).values()) == len(missing)


def test_mnist_that_is_not_there_is_skipped_and_named(bncli, engine):
    status, out, _ = bncli("mnist-cnn", "--claim", "mnist-cnn-none", "--claim", "mnist-cnn-better", "--format", "csv")
    assert (status, engine) == (0, [])
    for row in rows(out).values():
        assert row["verdict"] == "skipped"
        assert row["measured"] == "mnist is not on this machine"
        assert row["advice"] == (
            "`bncli dataset mnist` downloads it where there is a network; "
            "or put its four IDX files into $BNCLI_DATA_DIR/mnist/, or mnist.npz into $BNCLI_DATA_DIR"
        )


def test_checks_run_without_the_data_of_their_study(bncli, engine, monkeypatch):
    def as_printed():
        """As printed."""
        return Measured("as printed", True)

    monkeypatch.setitem(check.REGISTRY._entries, "datatechnotes-params", as_printed)
    _, out, _ = bncli("mnist-cnn", "--claim", "mnist-cnn-params", "--claim", "mnist-cnn-none", "--format", "csv")
    assert {name: row["verdict"] for name, row in rows(out).items()} == {
        "mnist-cnn-none": "skipped",
        "mnist-cnn-params": "exact",
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing.toml"], "No study file 'nothing.toml'. Allowed: "),
        (["--claim", "circles-after-fastr"], "Unknown claim 'circles-after-fastr'. Allowed: "),
        (["bare.toml"], "Study 'bare' makes no claims. Add them as [[claims]] tables: see docs/claims.md."),
        (["--seeds", "few"], "--seeds takes a whole number from 1, or a list such as 3,4,5. Received: 'few'."),
        (["--format", "xml"], "Unknown format 'xml'. Allowed: table, json, jsonl, csv, md, latex."),
    ],
)
def test_a_mistake_is_one_message(bncli, folder, arguments, message):
    (folder / "bare.toml").write_text('arms = ["none"]\n')
    status, out, err = bncli(*arguments)
    assert (status, out) == (2, "")
    assert err.startswith(f"Error: {message}")


@pytest.mark.parametrize(
    ("own_metric", "message"),
    [
        (
            "",
            "Claim 'better' measures val_accuracy, a score of classification. The task of its runs is regression: "
            "try val_r2.",
        ),
        ('metric = "val_rmse"\n', None),
    ],
)
def test_a_score_of_another_task_is_refused_before_training(bncli, folder, engine, own_metric, message):
    study = OWN.split("[[claims]]\nnumber")[0].replace('"circles"', '"friedman1"')
    (folder / "own.toml").write_text(study + own_metric)
    status, _, err = bncli("own.toml")
    assert (status, f"Error: {message}" in err.splitlines()) == ((2, True) if message else (0, False))
    assert bool(engine) == (message is None)


def test_a_claim_that_makes_no_sense_stops_a_sweep_too(folder, monkeypatch, capsys):
    (folder / "bad.toml").write_text(OWN.replace('"batch:before"\nbaseline', '"batch:aftr"\nbaseline'))
    monkeypatch.setattr(sys, "argv", ["bncli", "sweep", "--preset", "bad.toml"])
    with pytest.raises(SystemExit):
        main()
    assert capsys.readouterr().err.strip() == (
        "Error: Claim 'better' of study 'bad': Unknown arm 'batch:aftr'. "
        "Allowed: none, batch:before. Did you mean 'batch:before'?"
    )


def test_verdicts_are_read_back_from_folders(bncli, own, engine, folder):
    (subject,) = verify.subjects([own])
    assert [verdict.verdict for verdict in verify.read_verdicts(subject, folder / "nowhere")][:2] == [
        "inconclusive"
    ] * 2
    bncli(own, "--quiet")
    assert [verdict.verdict for verdict in verify.read_verdicts(subject, folder / "studies/own")] == [
        "reproduced",
        "contradicted",
        "not testable",
    ]


def test_runs_are_judged_also_where_their_data_has_gone(bncli, folder, engine, monkeypatch):
    (folder / "own.toml").write_text(OWN)
    (subject,) = verify.subjects(["own.toml"])
    bncli("own.toml", "--quiet")
    monkeypatch.setattr(verify, "DOWNLOADED", ("circles",))
    found = verify.read_verdicts(subject, folder / "studies/own")
    assert [verdict.verdict for verdict in found] == ["reproduced", "contradicted", "not testable"]
    assert verify.read_verdicts(subject, folder / "nowhere")[0].verdict == "skipped"


def test_the_introduction_of_the_reproduction_names_claims_that_ship():
    text = (Path(__file__).parents[2] / "docs" / "reproduction.md.in").read_text()
    named = {name for _, name, _, _ in Formatter().parse(text) if name}
    shipped = {claim.id for subject in verify.subjects((), everything=True) for claim in subject.claims}
    assert named - {"count", "versions", "control"} <= shipped


@pytest.mark.slow
def test_the_circles_claims_hold_up_on_real_runs(bncli):
    """The whole way with a real training: speed, accuracy and placement as the tutorial found them."""
    found = rows(bncli("circles-placement", "--seeds", "10", "--format", "csv", "--quiet")[1])
    for name in ("circles-none-test", "circles-after-faster", "circles-after-over-before", "circles-before-curve"):
        assert found[name]["verdict"] == "reproduced", found[name]
    assert {row["verdict"] for row in found.values()} <= set(VERDICTS)


@pytest.mark.slow
def test_the_claims_on_regression_hold_up_on_real_runs(bncli):
    """R² from a real training: at a rate that suits BN alone, it looks like a gain."""
    wanted = ("--claim", "regression-default-rate", "--claim", "regression-gap")
    found = rows(bncli("friedman-target", *wanted, "--seeds", "6", "--format", "csv", "--quiet")[1])
    assert {name: row["verdict"] for name, row in found.items()} == {
        "regression-default-rate": "reproduced",
        "regression-gap": "does not transfer",
    }
    assert float(found["regression-default-rate"]["value"]) > 0.1
