"""`--probe` as real processes: recorded with the runs, drawn, deleted with them, refused where nothing can keep it."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import error

from bncli.analysis.evidence import read_evidence
from bncli.results import Inside, Series
from bncli.study import probed
from bncli.study.folder import Store

TINY = ["-d", "circles", "--set", "n_samples=64", "-m", "dense4", "-e", "2"]


def process(*arguments):
    done = subprocess.run([sys.executable, "-m", "bncli", *arguments], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    return done


def test_a_study_records_them_and_its_report_shows_them(folder):
    command = ["compare", *TINY, "--arms", "none,batch:before", "-o", "study"]
    done = process(*command, "-s", "2", "--probe", "full")
    assert done.returncode == 0
    assert "figures/inside.png, figures/stale.png, figures/probes.png, figures/landscape.png in study" in done.stderr
    assert ">Inside the networks</h2>" in Path("study/report.html").read_text()
    files = sorted(Path("study").glob("probes-*.parquet"))
    assert files
    done = process("report", "study", "--metric", "probe_weight_norm", "--format", "json")
    assert done.returncode == 0
    assert "higher, lower: the 95% interval" in Path("study/report.html").read_text()


def test_more_runs_leave_them_and_restart_deletes_them(bncli, engine):
    command = ["compare", *TINY, "--arms", "none,batch:before", "-o", "study"]
    bncli(*command, "-s", "2")
    (result, *_) = Store(Path("study")).read_runs().values()
    probed.write(Path("study"), [replace(result, inside=Inside((Series("gamma", "norm", 1),), np.ones((2, 1))))])
    (path,) = Path("study").glob("probes-*.parquet")
    assert bncli(*command, "-s", "3")[0] == 0
    assert path.exists()
    status, _, err = bncli(*command, "-s", "2", "--restart")
    assert status == 0
    assert path.name in err
    assert not path.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compare", "--probe", "lite"], "Unknown probe 'lite'. Allowed: light, full. Did you mean 'light'?"),
        (
            ["train", "--probe", "light"],
            "--probe writes what it sees to the folder of a study. Name one: --out DIR.",
        ),
        (["compare", *TINY, "--metric", "probe_gradient_norm"], "--metric probe_gradient_norm needs --probe full."),
        (
            ["compare", *TINY, "--metric", "probe_smoothness", "--probe", "light"],
            "--metric probe_smoothness needs --probe full.",
        ),
        (["compare", *TINY, "--metric", "probe_dead"], "--metric probe_dead needs --probe light."),
        (
            ["compare", *TINY, "--metric", "probe_dead", "--probe", "light", "-a", "sigmoid"],
            "--metric probe_dead is of the activations relu and relu6, but the networks have sigmoid.",
        ),
        (
            ["compare", *TINY, "--metric", "probe_gamma", "--probe", "light"],
            "--metric probe_gamma compares arms with the baseline, but none has no normalization. Put another arm "
            "first, such as --arms batch,...",
        ),
        (
            ["compare", *TINY, "--metric", "probe_mean_lag", "--probe", "light", "--arms", "layer,batch"],
            "--metric probe_mean_lag compares arms with the baseline, but layer has no moving averages. Put another "
            "arm first, such as --arms batch,...",
        ),
    ],
)
def test_what_is_refused(bncli, arguments, message):
    assert error(bncli(*arguments)) == message


@pytest.mark.slow
def test_train_records_them_into_its_folder(folder):
    done = process("train", *TINY, "--arm", "batch", "--probe", "light", "-o", "run")
    assert done.returncode == 0
    assert list(Path("run").glob("probes-*.parquet"))
    drawn = process("report", "run", "--figure", "stale")
    assert drawn.stderr == "Wrote run/figures/stale.png, run/figures/stale.svg\n"
    assert drawn.stdout == ""


@pytest.mark.slow
@pytest.mark.parametrize("ways", [[["--shard", "1/2"], ["--shard", "2/2"]], [["--jobs", "2"]]], ids=["shards", "jobs"])
def test_shares_and_workers_record_them_too(folder, ways):
    for way in ways:
        done = process("compare", *TINY, "--arms", "none,batch", "-s", "4", "-o", "study", "--probe", "light", *way)
        assert done.returncode == 0
    table = read_evidence(Path("study")).inside_table
    assert set(table["seed"]) == {0, 1, 2, 3}
    assert table.groupby("arm")["run_id"].nunique().to_dict() == {"none": 4, "batch": 4}
    assert set(table["epoch"]) == {0, 1, 2}
