"""How the runs of a study are cut into batches for workers."""

import pytest
from fakes import make_study

from bncli.data import datasets
from bncli.engines import method
from bncli.engines.method import group
from bncli.study.batches import batches_of


def study(n_seeds):
    return make_study(seeds=tuple(range(n_seeds)), n_samples=64, epochs=4)


@pytest.mark.parametrize("n_workers", [1, 2, 4, 100])
def test_stacks_are_those_of_one_process_however_many_workers_there_are(n_workers, monkeypatch):
    monkeypatch.setattr(method, "MAX_STACK", 4)
    configs = [config for config, _ in study(6).plan().runs]
    batches = list(batches_of(configs, "auto", n_workers))
    assert [(len(batch.runs), batch.n_planned) for batch in batches] == [(3, 6)] * 4
    assert [run for batch in batches for run in batch.runs] == configs
    assert all(len(group(batch.runs)) == 1 for batch in batches)
    assert {batch.fingerprint for batch in batches} == {datasets.load(configs[0]).fingerprint()}
    assert [len(batch.runs) for batch in batches_of(configs, "keras", n_workers)] == [1] * 12


@pytest.mark.parametrize(("n_workers", "sizes"), [(1, [4, 4, 4, 4]), (2, [4, 4, 4, 4]), (8, [2] * 8), (100, [1] * 16)])
def test_large_networks_are_shared_out_to_all_workers(n_workers, sizes, monkeypatch):
    monkeypatch.setattr(method, "STACKED_MAC_LIMIT", -1)
    configs = [config for config, _ in study(8).plan().runs]
    assert [len(batch.runs) for batch in batches_of(configs, "auto", n_workers)] == sizes
