"""The data of a worker process. What it does with batches is tested in test_cluster."""

import pytest

from bncli.config import RunConfig
from bncli.data import datasets
from bncli.errors import DataError
from bncli.resolution import resolve
from bncli.study.batches import Batch
from bncli.study.worker import _load


def test_a_worker_reads_a_file_again_that_has_changed(tmp_path):
    path = tmp_path / "points.csv"

    def write(shift):
        rows = [f"{number + shift},{number % 2}" for number in range(40)]
        path.write_text("\n".join(["x,y", *rows]))

    write(0)
    config = resolve(RunConfig(dataset=str(path), label="y", model="dense4"))[0]
    old = datasets.load(config)
    write(5)
    assert datasets.load(config) is old
    datasets.forget()
    fingerprint = datasets.load(config).fingerprint()
    write(0)
    datasets.forget()
    datasets.load(config)
    write(5)
    assert _load(Batch((config,), fingerprint, "auto", 1)).fingerprint() == fingerprint
    write(9)
    with pytest.raises(DataError) as caught:
        _load(Batch((config,), "another", "auto", 1))
    assert str(caught.value) == (
        f"A worker's data {str(path)!r} is not that of this process. Give all workers the same files."
    )
