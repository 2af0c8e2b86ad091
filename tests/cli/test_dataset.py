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
