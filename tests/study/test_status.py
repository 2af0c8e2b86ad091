"""The counts of runs by state, read from a folder."""

import pytest
from fakes import complete, diverged, failed, make_study

from bncli.errors import StoreError
from bncli.study import lock
from bncli.study.folder import Store
from bncli.study.opening import open_folder
from bncli.study.status import STATES, status_rows, status_totals, writers


def test_every_condition_counts_its_runs_by_state(tmp_path):
    study = make_study("none,batch:before", axes=(("lr", (0.01, 0.1)),), seeds=(0, 1, 2))
    runs = [config for config, _ in study.plan().runs]
    store = open_folder(tmp_path, study, study.plan()).store
    other = runs[0].replace(seed=9)
    store.append(complete(runs[0]), diverged(runs[1]), complete(other))
    Store(tmp_path, "runs-1-of-2.jsonl").append(failed(runs[3]))
    rows = status_rows(tmp_path)
    names = ("arm", "param_lr", "planned", *STATES)
    assert [tuple(row) for row in rows] == [names] * 4
    assert [tuple(row.values()) for row in rows] == [
        ("none", 0.01, 3, 1, 1, 0, 1),
        ("batch:before", 0.01, 3, 0, 0, 1, 2),
        ("none", 0.1, 3, 0, 0, 0, 3),
        ("batch:before", 0.1, 3, 0, 0, 0, 3),
    ]
    assert status_totals(rows) == "12 runs: 1 complete, 1 diverged, 1 failed, 9 pending"


def test_writers_describes_the_process_that_writes(tmp_path):
    assert writers(tmp_path) == []
    with lock.hold(tmp_path / "runs-2-of-4.jsonl"):
        (text,) = writers(tmp_path)
    assert text.startswith("runs-2-of-4.jsonl is being written by process ")


def test_status_rows_rejects_a_folder_without_a_study(tmp_path):
    with pytest.raises(StoreError) as caught:
        status_rows(tmp_path)
    assert str(caught.value) == (
        f"{str(tmp_path)!r} holds no study (no study.json). Give the --out folder of a compare or sweep."
    )
