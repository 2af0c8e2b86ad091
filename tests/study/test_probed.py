"""Files of probes: written before the records, read by run, damaged ones named."""

import numpy as np
import pytest
from fakes import evidence, learned, make_study, record

from bncli.analysis.evidence import read_evidence
from bncli.errors import StoreError
from bncli.results import Inside, Series
from bncli.study import probed
from bncli.study.folder import Store

SERIES = (Series("gamma", "norm", 1), Series("dead", "activation", 1))


def seen(config):
    values = np.arange(8, dtype="float32").reshape(4, 2) + config.seed
    object.__setattr__(result := learned(config), "inside", Inside(SERIES, values))
    return result


@pytest.fixture
def folder(tmp_path):
    record(tmp_path / "s", evidence(make_study(), seen))
    return tmp_path / "s"


def test_a_folder_has_what_the_probes_saw(folder):
    table = read_evidence(folder).inside_table
    assert len(table) == 4 * 4 * 2
    rows = table[(table["arm"] == "batch:before") & (table["seed"] == 1) & (table["probe"] == "dead")]
    assert rows["value"].tolist() == [2.0, 4.0, 6.0, 8.0]
    assert rows["epoch"].tolist() == [0, 1, 2, 3]
    assert set(rows["layer"]) == {"activation"}


def test_runs_without_probes_have_no_rows(tmp_path):
    record(tmp_path / "s", evidence(make_study()))
    assert probed.probe_files(tmp_path / "s") == []
    table = read_evidence(tmp_path / "s").inside_table
    assert table.empty
    assert {"arm", "seed", "epoch", "probe", "layer", "number", "value"} <= set(table.columns)


def test_a_run_that_two_files_have_counts_once(folder):
    before = len(probed.probe_files(folder))
    probed.write(folder, [seen(result.config) for result in read_evidence(folder).results][:2])
    assert len(probed.probe_files(folder)) == before + 1
    assert len(read_evidence(folder).inside_table) == 4 * 4 * 2


def test_files_of_others_are_left_alone(folder):
    (folder / "probes-notes.parquet").write_text("mine")
    names = {path.name for path in folder.glob("probes-*.parquet")}
    assert {path.name for path in probed.probe_files(folder)} == names - {"probes-notes.parquet"}
    assert not read_evidence(folder).inside_table.empty


def test_a_damaged_file_is_named(folder):
    path = probed.probe_files(folder)[0]
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(StoreError) as caught:
        read_evidence(folder).inside_table  # noqa: B018
    assert str(caught.value) == (
        f"'{path}' is damaged (ArrowInvalid). Remove it: the report is then made without its probes."
    )


def test_results_are_recorded_even_if_what_the_probes_saw_cannot_be(folder):
    config = make_study().base.replace(seed=77)
    expected = folder.parent / "other"
    probed.write(expected, [seen(config)])
    (name,) = (path.name for path in expected.iterdir())
    (folder / name).mkdir()  # in the way of the file
    with pytest.raises(StoreError) as caught:
        Store(folder).append(seen(config))
    first, *_, second, third = str(caught.value).split(". ")
    assert first.startswith(f"{str(folder / name)!r} is not a regular file")
    assert (second, third) == (
        "The results of these runs are safe, but not what the probes saw",
        "Fix the problem and rerun the same command for the other runs, or with --restart for all.",
    )
    assert config.run_id in Store(folder).read_runs()
