"""`bncli list`: what there is to choose from, and the studies below a folder."""

import csv
import io
import json
import os
import time

import pytest
from commands import TINY, error

from bncli.analysis.tables import basic_metrics
from bncli.networks import models, norms
from bncli.study.files import presets
from bncli.tasks.metrics import METRICS

pytestmark = pytest.mark.usefixtures("no_figures")

NOON = time.mktime((2026, 5, 4, 12, 0, 0, 0, 0, -1))


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture
def studies(bncli, engine, folder):
    """Two studies, one of them with runs to come, last changed at noon; returns their command line."""
    bncli("compare", *TINY, "--arms", "none,batch", "--seeds", "2", "-o", "studies/first", "-q")
    bncli("sweep", "lr=0.1,0.2", *TINY, "--seeds", "1", "--shard", "1/2", "-o", "studies/deep/second", "-q")
    for path in folder.rglob("runs*.jsonl"):
        os.utime(path, (NOON, NOON))
    return bncli


def test_metrics_are_listed_with_their_direction(bncli):
    status, out, err = bncli("list", "metrics")
    assert (status, err) == (0, "Next: bncli compare --metric val_loss\n")
    rows = [line.split() for line in out.splitlines() if line.strip()][2:]
    assert [row[0] for row in rows] == list(METRICS)
    assert [row for row in rows if row[0] in basic_metrics("classification")] == [
        ["val_accuracy", "validation", "accuracy", "higher", "every", "epoch"],
        ["train_accuracy", "training", "accuracy", "(inference", "mode)", "higher", "at", "the", "end"],
        ["accuracy", "training", "accuracy", "(as", "fit", "reports", "it)", "higher", "every", "epoch"],
        ["val_loss", "validation", "loss", "lower", "every", "epoch"],
        ["loss", "training", "loss", "(as", "fit", "reports", "it)", "lower", "every", "epoch"],
    ]


@pytest.mark.parametrize(
    ("kind", "column", "names"),
    [
        ("presets", "preset", list(presets())),
        ("models", "model", list(models.REGISTRY)),
        ("arms", "arm", [*norms.names(), *norms.OWN]),
        ("metrics", "metric", list(METRICS)),
    ],
)
def test_every_name_is_listed_in_every_format(bncli, kind, column, names):
    found = rows(bncli("list", kind, "--format", "csv")[1])
    assert [row[column] for row in found] == names
    assert json.loads(bncli("list", kind, "--format", "json")[1])[0][column] == names[0]
    assert [json.loads(line)[column] for line in bncli("list", kind, "--format", "jsonl")[1].splitlines()] == names
    assert [line.split("|")[1].strip() for line in bncli("list", kind, "--format", "md")[1].splitlines()[2:]] == names


def test_presets_are_listed_with_their_size_and_question(bncli):
    (row,) = (row for row in rows(bncli("list", "presets", "-f", "csv")[1]) if row["preset"] == "lr-activation")
    assert (row["data"], row["runs"]) == ("digits", "80")
    assert row["question"].endswith("?")


def test_studies_are_listed_by_path_with_their_state(studies):
    status, out, err = studies("list", "studies", "--format", "csv")
    assert (status, err) == (0, "")
    assert out == (
        "folder,study,what,done,planned,failed,last_run\n"
        'studies/deep/second,sweep,"circles: none, batch:before, batch:after x lr (2)",3,6,0,2026-05-04 12:00\n'
        'studies/first,compare,"circles: none, batch",4,4,0,2026-05-04 12:00\n'
    )


def test_another_folder_and_hidden_folders(studies, folder):
    (folder / "studies" / "first").rename(folder / "mine")
    (folder / "studies" / "deep").rename(folder / ".hidden")
    assert [row["folder"] for row in rows(studies("list", "studies", ".", "-f", "csv")[1])] == ["mine"]
    for format, nothing in (("table", ""), ("md", ""), ("json", "[]\n"), ("jsonl", ""), ("csv", "")):
        status, out, err = studies("list", "studies", "--format", format)
        assert (status, out, err.splitlines()[0]) == (0, nothing, "There are no studies below studies.")


def test_a_study_that_cannot_be_read_is_listed_with_the_reason(studies, folder):
    (folder / "studies" / "first" / "study.json").write_text('{"format": 1}')
    found = json.loads(studies("list", "studies", "--format", "json")[1])
    assert found[1] == {
        "folder": "studies/first",
        "study": "",
        "what": "'studies/first/study.json' lacks study, conditions, datasets. Restore it or start in a new folder.",
        "done": None,
        "planned": None,
        "failed": None,
        "last_run": None,
    }
    assert studies("list", "studies")[1].splitlines()[-2].split()[-4:] == ["-"] * 4


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["studys"], "Unknown kind of list 'studys'. Allowed: presets, models, arms, metrics, studies. Did you mean"),
        (["arms", "here"], "list arms takes no folder. Received: 'here'. Try bncli list studies DIR."),
        (["studies"], "There is no folder 'studies'. Studies without --out go to 'studies'."),
        (["studies", "nowhere"], "There is no folder 'nowhere'. Studies without --out go to 'studies'."),
        (["arms", "--format", "xml"], "Unknown format 'xml'. Allowed: table, json, jsonl, csv, md, latex."),
    ],
)
def test_mistakes_are_one_message(bncli, arguments, expected):
    assert error(bncli("list", *arguments)).startswith(expected)
