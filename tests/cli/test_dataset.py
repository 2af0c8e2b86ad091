"""`bncli dataset`."""

import json
import os
import stat
import subprocess
import sys

import pytest
from commands import error

WINE = "alcohol;malic;class\n" + "".join(f"{12 + i % 7};{i % 5};{'ab'[i % 2]}\n" for i in range(40))
SEPARATED = "'wine.csv' is read as a table with columns separated by ';'."


def test_dataset_lists_and_describes(bncli):
    names = [row["name"] for row in json.loads(bncli("dataset", "--format", "json")[1])]
    facts = json.loads(bncli("dataset", "circles", "--format", "json")[1])
    assert "digits" in names
    assert (facts["training_rows"], facts["n_classes"], facts["input_shape"]) == (500, 2, "2")
    assert "0.504" in bncli("dataset", "circles")[1]


def test_dataset_notes_settings_without_effect(bncli):
    status, _, err = bncli("dataset", "digits", "--set", "noise=0.5")
    assert status == 0
    assert err.splitlines()[0] == "Note: noise=0.5 has no effect on digits and is ignored."


@pytest.mark.parametrize("command", ["dataset", "train", "compare", "sweep"])
def test_notices_on_the_data_are_shown_once(bncli, engine, folder, command):
    (folder / "wine.csv").write_text(WINE)
    options = [] if command == "dataset" else ["--model", "dense4", "--epochs", "1", "--quiet"]
    axes = ["lr=0.1,0.2"] if command == "sweep" else []
    data = ["wine.csv"] if command == "dataset" else ["--dataset", "wine.csv"]
    status, _, err = bncli(command, *axes, *data, "--label", "class", *options)
    assert (status, err.count(SEPARATED), err.count("Note: ")) == (0, 1, 1)


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="needs /proc")
def test_an_export_through_a_link_to_standard_output_goes_there(folder):
    (folder / "stdout").symlink_to("/proc/self/fd/1")
    command = [sys.executable, "-m", "bncli", "dataset", "circles", "--format", "csv"]
    done = subprocess.run([*command, "--export", "stdout", "--export-as", "csv"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "Wrote stdout\n")
    assert done.stdout.startswith("x1,x2,label,split\n")
    assert "\nfeature,mean," in done.stdout
    assert (folder / "stdout").is_symlink()


@pytest.mark.parametrize("option", ["--export", "--plot"])
def test_a_file_that_is_written_again_keeps_its_permissions(bncli, folder, option):
    path = folder / ("out.csv" if option == "--export" else "out.png")
    path.touch(mode=0o600)
    assert bncli("dataset", "circles", option, path.name)[0] == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.stat().st_size > 1000


def test_a_very_long_class_name_is_cut(bncli, folder):
    (folder / "long.csv").write_text("x,c\n" + "".join(f"{i},{'ab'[i % 2] * 100_000}\n" for i in range(20)))
    status, out, _ = bncli("dataset", "long.csv", "--label", "c")
    assert status == 0
    assert "aaa...aaa" in out
    assert len(out) < 5_000


@pytest.mark.parametrize("name", ["runs.jsonl", "runs-1-of-2.jsonl", "study.json"])
def test_an_export_replaces_no_file_of_a_study(bncli, folder, name):
    (folder / name).write_text("runs")
    expected = f"--export would replace '{name}', which belongs to a study. Try another name."
    assert error(bncli("dataset", "circles", "--export", name, "--export-as", "csv")) == expected
    assert (folder / name).read_text() == "runs"


MIXED = "".join(
    f"{n},{'' if n % 7 == 0 else n},{['Oslo', 'Rome'][n % 2]},2024-01-01,{'ab'[n % 2]}\n" for n in range(40)
)


@pytest.fixture
def mixed(folder):
    (folder / "mixed.csv").write_text(f",age,town,day,class\n{MIXED}")
    return "mixed.csv", "--label", "class"


NOTICES = """\
Note: 'mixed.csv': column 'Unnamed: 0' has no name and numbers the rows; it is left out. To keep it: --set drop=none.
Note: 'mixed.csv': missing values are filled in: age (6, 20). See --impute.
Note: 'mixed.csv': categories become features (onehot): town (2). See --encode.
"""


def test_a_table_as_it_comes_takes_one_option(bncli, mixed):
    assert error(bncli("dataset", *mixed)) == (
        "'mixed.csv' has columns that can't be features: day (dates or times). Make numbers or a few categories of "
        "them, or leave them out: --drop day."
    )
    status, out, err = bncli("dataset", *mixed, "--drop", "day")
    assert (status, err) == (0, f"{NOTICES}Next: bncli compare --dataset mixed.csv --label class --drop day\n")
    assert " town        category        0               2 features: Oslo, Rome " in out


def test_what_was_done_to_columns_fits_80_signs(mixed):
    command = [sys.executable, "-m", "bncli", "dataset", *mixed, "--drop", "day"]
    environment = os.environ | {"COLUMNS": "80"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    table = done.stdout.partition("columns of the file")[2].partition("moments")[0]
    assert "left out: numbers the rows " in table
    assert max(map(len, table.splitlines())) <= 80


def test_columns_as_json(bncli, mixed):
    facts = json.loads(bncli("dataset", *mixed, "--drop", "day", "--impute", "mean", "--format", "json")[1])
    assert [row["column"] for row in facts["columns"]] == ["age", "town", "Unnamed: 0", "day"]
    assert facts["columns"][0]["filled_with"] == "20.24"


def test_options_of_tables_reach_runs_and_the_folder(bncli, engine, mixed, folder):
    options = ("--drop", "day", "--drop", "age", "--encode", "ordinal", "--model", "dense4", "--out", "out")
    assert bncli("train", "--dataset", *mixed, *options)[0] == 0
    (run,) = engine
    assert (run.drop, run.encode, run.impute) == ("Unnamed: 0,age,day", "ordinal", None)
    (facts,) = json.loads((folder / "out" / "study.json").read_text())["datasets"].values()
    assert facts["columns"][0]["becomes"] == "0 to 1: Oslo, Rome"
    status, _, err = bncli("train", "--dataset", *mixed, *options)
    assert (status, len(engine)) == (0, 1)
    assert "--drop day --drop age --encode ordinal" in err.splitlines()[-1]


def test_tables_of_a_study_file(bncli, engine, mixed, folder):
    run = 'dataset = "mixed.csv"\nlabel = "class"\ndrop = "day, age"\nmodel = "dense4"'
    (folder / "mine.toml").write_text(
        f'arms = ["none"]\nseeds = 1\n[run]\n{run}\n[axes]\nencode = ["onehot", "ordinal"]'
    )
    assert bncli("sweep", "--preset", "mine.toml")[0] == 0
    assert [(run.drop, run.encode) for run in engine] == [
        ("Unnamed: 0,age,day", "onehot"),
        ("Unnamed: 0,age,day", "ordinal"),
    ]


def test_options_of_tables_without_effect(bncli, engine):
    status, _, err = bncli("train", "--dataset", "circles", "--model", "dense4", "--drop", "x1", "--impute", "mean")
    assert status == 0
    assert err.splitlines()[:2] == [
        "Note: drop=x1 has no effect with dataset circles and is ignored.",
        "Note: impute=mean has no effect with dataset circles and is ignored.",
    ]
    assert bncli("dataset", "circles", "--encode", "onehot")[2].splitlines()[0] == (
        "Note: encode=onehot has no effect on circles and is ignored."
    )


def test_other_ways_to_encode(bncli, mixed):
    expected = "Unknown encode 'hash'. Allowed: onehot, ordinal."
    assert error(bncli("dataset", *mixed, "--encode", "hash")) == expected
