"""`bncli export DIR script` and `train --script`."""

import json
import re
from pathlib import Path

import pytest
from commands import TINY, error

pytestmark = pytest.mark.usefixtures("no_figures")

RUN = ["--dataset", "circles", "--model", "dense4", "--epochs", "1", "--set", "n_samples=64"]


@pytest.fixture
def study(bncli, engine):
    bncli("compare", *RUN, "--arms", "none,batch", "--seeds", "2", "--out", "s", "--quiet")
    return [json.loads(line)["run_id"] for line in Path("s/runs.jsonl").read_text().splitlines()]


def test_the_first_run_is_written_to_stdout_and_others_by_their_id(bncli, study):
    status, out, err = bncli("export", "s", "script")
    assert (status, err) == (0, "")
    assert out.startswith(f'"""Run {study[0]} of bncli (circles, dense4, none, seed 0) in plain Keras ')
    compile(out, "program.py", "exec")
    other = bncli("export", "s", "script", study[-1][:8])[1]
    assert other.startswith(f'"""Run {study[-1]} of bncli (circles, dense4, batch:before, seed 1) in plain Keras ')


def test_train_writes_the_program_of_its_run(bncli):
    status, _, err = bncli("train", *TINY, "--arm", "batch", "--script", "run.py")
    assert status == 0
    assert "Wrote run.py" in err.splitlines()
    text = Path("run.py").read_text()
    assert re.search(r'recorded = \{"loss": \d\.\d+, "accuracy": \d\.\d+, "val_loss": \d\.\d+', text)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["s", "skript"], "Unknown kind of export 'skript'. Allowed: script, tensorboard. Did you mean 'script'?"),
        (
            ["nothing", "script"],
            "'nothing' holds no study (no study.json). Give the --out folder of a compare or sweep.",
        ),
        (
            ["s", "script", "zz"],
            "RUN_ID must be the beginning of one run's id. None of the 4 runs in 's' begins with 'zz'. Runs there: "
            "{0}, {1}, {2}, ... (runs.jsonl has all).",
        ),
    ],
)
def test_errors(bncli, study, arguments, expected):
    assert error(bncli("export", *arguments)) == expected.format(*study)


def test_a_program_of_many_seeds_or_of_another_ending_is_refused_before_training(bncli, engine):
    assert error(bncli("train", *TINY, "--script", "run.py", "--seeds", "2")) == (
        "--script writes one program, but 2 seeds are asked for. Try --seeds 1."
    )
    assert error(bncli("train", *TINY, "--script", "run.txt")) == (
        "--script needs a name that ends in .py. Received: 'run.txt'."
    )
    assert error(bncli("train", *TINY, "--arm", "recalibrated", "--script", "run.py")) == (
        "No script can be written of the arm recalibrated. Try the arm frozen or as-is."
    )
    assert engine == []


def test_a_study_is_written_for_tensorboard_into_its_folder(bncli, study):
    pytest.importorskip("tensorboard")
    status, out, err = bncli("export", "s", "tensorboard")
    assert (status, out) == (0, "")
    assert err == "Wrote 3 runs of TensorBoard to s/tensorboard\nNext: tensorboard --logdir s/tensorboard\n"
    assert bncli("export", "s", "tensorboard", "-q", "--by-run") == (0, "", "")
    assert sorted(path.name for path in Path("s/tensorboard/none").iterdir())[-2:] == ["seed-0", "seed-1"]
    assert bncli("export", "s", "tensorboard", "-q", "--out", "t") == (0, "", "")
    status, _, err = bncli("export", "s", "tensorboard", "--out", "t")
    assert (status, err) == (
        2,
        "Error: 't' has a run 'study' already, and TensorBoard would mix both. Try another --out.\n",
    )


def test_the_schema_of_study_files_needs_no_study(bncli):
    status, out, err = bncli("export", "schema")
    assert (status, err) == (0, "")
    assert json.loads(out)["title"] == "bncli study"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("s",), "export needs a kind. Allowed: script, tensorboard. Try bncli export 's' script."),
        (("s", "tensorboard", "abc"), "tensorboard takes no RUN_ID: it writes the whole study. Try --by-run."),
        (("s", "script", "--out", "x"), "--out is for tensorboard; a script is written to stdout."),
        (("s", "script", "--by-run"), "--by-run is for tensorboard; a script is written to stdout."),
        (("schema", "tensorboard"), "schema is written to stdout and takes no KIND (tensorboard).\n"),
        (("schema", "--out", "x"), "schema is written to stdout and takes no --out.\n"),
        (("nowhere", "tensorboard"), "'nowhere' holds no study (no study.json)."),
    ],
)
def test_what_an_export_does_not_take_is_refused(bncli, arguments, expected):
    status, out, err = bncli("export", *arguments)
    assert (status, out) == (2, "")
    assert err.startswith(f"Error: {expected}")


def test_without_tensorboard_the_message_names_the_extra(bncli, study, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    status, _, err = bncli("export", "s", "tensorboard")
    assert status == 2
    assert err == (
        "Error: tensorboard is not installed. It comes with the extra of that name: pip install 'bncli[tensorboard]'.\n"
    )
