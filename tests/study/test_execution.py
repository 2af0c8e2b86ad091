"""Runs are trained once, recorded as they end, and returned in the order of the plan."""

import pytest
from fakes import failed, learned

from bncli.config import RunConfig
from bncli.engines.method import group
from bncli.errors import UnknownName
from bncli.study.arms import parse_arms
from bncli.study.batches import batches_of
from bncli.study.execution import by_data, execute, train_here, work_of
from bncli.study.folder import Store
from bncli.study.opening import open_folder
from bncli.study.study import Study


def tiny_study(**changes):
    base = RunConfig(dataset="circles", model="dense4", epochs=1, n_samples=64)
    start = Study("tiny", base, parse_arms("none,batch:before"), (("lr", (0.1, 0.2)),), seeds=(0, 1))
    return start.vary(**changes)


class Recorder:
    """Stands where the engines stand, and remembers what it was asked to train."""

    def __init__(self, fail=()):
        self.trained, self.fail = [], fail

    def __call__(self, configs):
        for config in configs:
            self.trained.append(config.run_id)
            yield [failed(config) if config.seed in self.fail else learned(config)]


@pytest.fixture
def engine():
    return Recorder()


def run_in(folder, study, engine, *, retry_failed=False, **more):
    plan = study.plan()
    store = open_folder(folder, study, plan).store
    work = work_of(plan, store, retry_failed=retry_failed)
    return execute(work, engine(work.pending), store, **more)


def test_the_same_study_again_trains_nothing(folder, engine):
    first = run_in(folder / "s", tiny_study(), engine)
    assert len(engine.trained) == 8
    assert run_in(folder / "s", tiny_study(), engine) == first
    assert len(engine.trained) == 8


def test_only_a_call_that_trains_is_recorded_as_a_session(folder, engine, monkeypatch):
    for command in ("first", "first", "looks", "second"):
        monkeypatch.setattr("sys.argv", ["bncli", command])
        run_in(folder / "s", tiny_study(seeds=(0, 1) if command == "second" else (0,)), engine)
    content = Store(folder / "s").read_study()
    assert [session["command"] for session in content["sessions"]] == ["bncli first", "bncli second"]
    assert content["command"] == "bncli second"


def test_a_larger_study_trains_only_what_is_new(folder, engine):
    run_in(folder / "s", tiny_study(), engine)
    results = run_in(folder / "s", tiny_study(axes=[("lr", (0.1, 0.2, 0.3))], seeds=(0, 1, 2)), engine)
    assert (len(results), len(engine.trained), len(set(engine.trained))) == (18, 18, 18)


def test_results_come_in_the_order_of_the_plan_whatever_was_done_before(folder, engine):
    run_in(folder / "s", tiny_study(seeds=(1,)), engine)
    results = run_in(folder / "s", tiny_study(), engine)
    assert [result.config for result in results] == [config for config, _ in tiny_study().plan().runs]


def test_failed_runs_are_trained_again_only_on_request(folder, engine):
    engine.fail = (1,)
    run_in(folder / "s", tiny_study(), engine)
    engine.fail = ()
    assert [r.state for r in run_in(folder / "s", tiny_study(), engine)].count("failed") == 4
    assert {r.state for r in run_in(folder / "s", tiny_study(), engine, retry_failed=True)} == {"complete"}
    assert len(engine.trained) == 12


def test_a_run_is_on_disk_before_on_result_is_called(folder, engine):
    seen = []

    def on_result(result, condition):
        seen.append((len(Store(folder / "s").read_runs()), str(condition)))

    run_in(folder / "s", tiny_study(), engine, on_result=on_result)
    assert [count for count, _ in seen] == list(range(1, 9))
    assert seen[0][1] == "none lr=0.1"


AXES = [("n_samples", (64, 80)), ("lr", (0.1, 0.2))]


@pytest.mark.parametrize("axes", [AXES, AXES[::-1]])
def test_runs_on_the_same_data_train_together_whatever_the_order_of_the_axes(axes):
    configs = [config for config, _ in tiny_study(fields={"n_samples": 72, "lr": 0.1}).vary(axes=axes).plan().runs]
    on_one_set = by_data(configs)
    assert [{config.n_samples for config in runs} for runs in on_one_set] == [{64}, {80}]
    assert [[len(runs) for runs in group(configs)] for configs in on_one_set] == [[4, 4], [4, 4]]
    assert [len(batch.runs) for batch in batches_of(configs, "auto", 1)] == [4, 4, 4, 4]
    assert [config for runs in on_one_set for config in runs if config.n_samples == 80] == [
        config for config in configs if config.n_samples == 80
    ]


def test_all_seeds_of_one_data_set_train_together():
    configs = [config for config, _ in tiny_study(seeds=tuple(range(30))).plan().runs]
    assert by_data(configs) == [configs]
    assert [len(runs) for runs in group(configs)] == [60, 60]


def test_an_unknown_engine_is_refused():
    with pytest.raises(UnknownName) as caught:
        next(train_here([], "kera"))
    assert str(caught.value) == "Unknown engine 'kera'. Allowed: auto, stacked, keras. Did you mean 'keras'?"


def test_the_first_failure_ends_it_where_asked(folder, engine):
    engine.fail = (1,)
    results = run_in(folder / "s", tiny_study(), engine, fail_fast=True)
    assert [result.state for result in results] == ["complete", "failed"]
    assert len(engine.trained) == 2
