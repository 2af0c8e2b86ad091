"""The stacked engine: which runs share a stack, lanes, runs that fail or diverge, memory that runs out, callbacks."""

import threading
from dataclasses import replace

import pytest
import tensorflow as tf
from engines.tiny_runs import check_all_same, check_engines_agree, check_same, circles, exploding, seeded, train

from bncli import process
from bncli.data import datasets
from bncli.engines import graph, stacked
from bncli.engines import keras as oracle
from bncli.engines.layers import build_stackable
from bncli.engines.method import Method, group
from bncli.engines.program import Program


def stacks_of(n_runs, lanes=1):
    return Method(n_runs, stacked=True, matrix_conv=True, lanes=lanes)


@pytest.fixture
def two_cores(monkeypatch):
    """Two stacks may train at a time, on whatever machine."""
    monkeypatch.setattr(process, "usable_cores", lambda: 2)


def test_a_result_does_not_depend_on_the_other_runs_of_its_stack():
    """Up to rounding: a matrix product over another number of runs may add up in another order."""
    mine = circles(norm="batch", model="dense8 dropout0.2", optimizer="sgd", momentum=0.9, lr=0.1, epochs=4)
    others = [mine.replace(seed=1, lr=1.0), mine.replace(seed=2, momentum=0.1), mine.replace(lr=0.001)]
    (alone,) = train(stacked, [mine])
    check_same(train(stacked, [mine, *others])[0], alone)
    check_same(train(stacked, [others[2], mine, others[0]])[1], alone)


def test_with_a_gpu_everything_is_stacked_and_compiled_one_stack_at_a_time(monkeypatch):
    """No machine here has one: TensorFlow is made to list it, and the CPU trains as a GPU would."""
    runs = seeded(circles(norm="batch"), (0, 1, 2))
    plain = train(stacked, runs)
    listed = tf.config.list_physical_devices
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: ["a GPU"] if kind == "GPU" else listed())
    program = stacked.prepare(runs, datasets.load(runs[0]))
    assert program.method == Method(
        3, stacked=True, matrix_conv=True, xla=True, xla_evaluation=True, xla_population=True
    )
    check_all_same(train(stacked, runs), plain)


def test_each_run_of_a_stack_has_its_own_learning_rate_and_decay():
    base = circles(norm="batch", optimizer="rmsprop")
    runs = [base.replace(lr=0.001, weight_decay=0.01), base.replace(lr=0.1, weight_decay=0.5)]
    assert len(group(runs)) == 1
    check_engines_agree(runs)


def test_dropout_at_rate_0_changes_nothing():
    without, nothing = (train(stacked, seeded(circles(model=model))) for model in ("dense8", "dense8 dropout0"))
    assert [result.history for result in nothing] == [result.history for result in without]


def test_a_short_stack_is_filled_up_and_yields_only_its_own_runs():
    runs, calls = seeded(circles(), range(5)), []
    whole = train(stacked, runs)
    data = datasets.load(runs[0])
    split = list(stacked.train(runs, data, on_epoch=lambda *call: calls.append(call), method=stacks_of(3)))
    assert [[result.config.seed for result in stack] for stack in split] == [[0, 1, 2], [3, 4]]
    assert calls == [(runs[:3], 1), (runs[:3], 2), (runs[3:], 1), (runs[3:], 2)]
    check_all_same([result for stack in split for result in stack], whole)


def test_stacks_that_train_at_the_same_time_train_as_one_after_the_other(two_cores):
    runs, calls, threads = seeded(circles(norm="batch"), range(5)), [], set()

    def on_epoch(stack, epoch):
        calls.append((stack, epoch))
        threads.add(threading.current_thread())

    in_turn = train(stacked, runs, method=stacks_of(2))
    together = list(stacked.train(runs, datasets.load(runs[0]), on_epoch, method=stacks_of(2, lanes=2)))
    assert [[result.config.seed for result in stack] for stack in together] == [[0, 1], [2, 3], [4]]
    for result, expected in zip([result for stack in together for result in stack], in_turn, strict=True):
        assert replace(result, seconds=0) == replace(expected, seconds=0)
    assert sorted(calls, key=lambda call: (call[0][0].seed, call[1])) == [
        (stack, epoch) for stack in (runs[:2], runs[2:4], runs[4:]) for epoch in (1, 2)
    ]
    assert len(threads) == 3


def test_one_core_trains_one_stack_at_a_time(monkeypatch):
    monkeypatch.setattr(process, "usable_cores", lambda: 1)
    runs, threads = seeded(circles(), range(4)), set()
    on_epoch = lambda *_: threads.add(threading.current_thread())  # noqa: E731
    train(stacked, runs, on_epoch=on_epoch, method=stacks_of(2, lanes=2))
    assert threads == {threading.main_thread()}


# --- runs that diverge or fail --------------------------------------------------------------------------------------


def lengths(results):
    return [len(result.history["loss"]) for result in results]


def test_runs_diverge_in_the_same_epoch_as_in_the_oracle_and_do_not_affect_others():
    good, other = seeded(exploding())
    bad = [good.replace(lr=1.7, seed=2), good.replace(lr=1.7), good.replace(lr=1e6)]
    found = train(stacked, [good, *bad, other])
    assert [result.state for result in found] == ["complete", "diverged", "diverged", "diverged", "complete"]
    assert lengths(found) == [5, 3, 2, 1, 5]
    check_all_same(found[1:4], train(oracle, bad))
    check_all_same([found[0], found[4]], train(stacked, [good, other]))


def test_training_stops_when_all_runs_of_a_stack_have_diverged():
    epochs = []
    results = train(stacked, seeded(exploding(lr=1.7)), on_epoch=lambda _, epoch: epochs.append(epoch))
    assert lengths(results) == [2, 2]
    assert epochs == [1, 2]
    assert results[0].error == "The loss was not finite in epoch 2."
    assert (results[0].metrics["loss"], results[0].metrics["val_loss"]) == (None, None)


def test_if_a_graph_can_not_be_built_its_runs_fail_and_the_next_graph_trains(monkeypatch):
    def poisoned(config, *arguments):
        if config.norm == "layer":
            raise MemoryError("no room")
        return build_stackable(config, *arguments)

    monkeypatch.setattr(graph, "build_stackable", poisoned)
    bad, good = (seeded(circles(norm=norm)) for norm in ("layer", "none"))
    results = train(stacked, [*bad, *good])
    assert [result.config for result in results] == [*bad, *good]
    assert [result.state for result in results] == ["failed", "failed", "complete", "complete"]
    assert results[1].error.startswith("MemoryError: no room\n")
    assert "poisoned" in results[1].error


def inject(monkeypatch, fault):
    """Make a stack raise what `fault` returns for it; returns the seeds of the stacks that were tried."""
    tried, original = [], Program.run

    def run(program, stack, *callbacks):
        tried.append([config.seed for config in stack])
        if error := fault(stack):
            raise error
        return original(program, stack, *callbacks)

    monkeypatch.setattr(Program, "run", run)
    return tried


def test_only_the_run_that_raises_an_error_fails(monkeypatch):
    configs = seeded(circles(norm="batch", lr=0.05), range(32))
    configs[20] = configs[20].replace(lr=1e6)
    undisturbed = train(stacked, configs)
    inject(monkeypatch, lambda stack: RuntimeError("power cut") if configs[5] in stack else None)
    results = train(stacked, configs)
    assert [result.config for result in results] == configs
    assert [seed for seed in range(32) if results[seed].state == "failed"] == [5]
    assert results[5].engine == "stacked"
    assert results[5].error.startswith("RuntimeError: power cut\n")
    assert "in run" in results[5].error
    for seed in set(range(32)) - {5}:
        check_same(results[seed], undisturbed[seed])


# --- memory that runs out -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(MemoryError("no room"), marks=pytest.mark.slow),
        tf.errors.ResourceExhaustedError(None, None, "no room"),
    ],
)
def test_if_memory_runs_out_training_goes_on_in_smaller_stacks(monkeypatch, error):
    configs = seeded(circles(), range(7))
    undisturbed = train(stacked, configs)
    tried = inject(monkeypatch, lambda stack: error if len(stack) > 2 else None)
    results = train(stacked, configs)
    assert tried == [[0, 1, 2, 3, 4, 5, 6], [0, 1, 2, 3], [0, 1], [2, 3], [4, 5], [6]]
    check_all_same(results, undisturbed)


def test_if_memory_runs_out_in_one_lane_its_runs_and_later_ones_go_on_in_smaller_stacks(monkeypatch, two_cores):
    configs = seeded(circles(), range(8))
    undisturbed = train(stacked, configs)
    tried = inject(monkeypatch, lambda stack: MemoryError("no room") if stack[0].seed == 4 and len(stack) > 2 else None)
    results = train(stacked, configs, method=stacks_of(4, lanes=2))
    assert sorted(tried) == [[0, 1, 2, 3], [4, 5], [4, 5, 6, 7], [6, 7]]
    check_all_same(results, undisturbed)


def test_a_run_that_alone_takes_too_much_memory_fails_alone(monkeypatch):
    inject(monkeypatch, lambda stack: MemoryError("no room") if any(c.seed == 1 for c in stack) else None)
    results = train(stacked, seeded(circles(), range(3)))
    assert [result.state for result in results] == ["complete", "failed", "complete"]


def test_if_memory_runs_out_while_compiling_the_stack_is_halved(monkeypatch):
    def program(runs, dataset, method, probe):
        if method.n_runs > 2:
            raise MemoryError("no room")
        return Program(runs, dataset, method, probe)

    monkeypatch.setattr(stacked, "Program", program)
    sizes = []
    results = train(stacked, seeded(circles(epochs=1), range(5)), on_epoch=lambda stack, _: sizes.append(len(stack)))
    assert [result.state for result in results] == ["complete"] * 5
    assert sizes == [2, 2, 1]


def test_prepare_raises_if_one_run_takes_too_much_memory(monkeypatch):
    def program(*_):
        raise MemoryError("no room")

    monkeypatch.setattr(stacked, "Program", program)
    runs = seeded(circles())
    with pytest.raises(MemoryError, match=r"^no room$"):
        stacked.prepare(runs, datasets.load(runs[0]))


# --- callbacks and records ------------------------------------------------------------------------------------------


def test_callbacks_get_the_runs_of_each_stack_and_records_share_its_time():
    first, second = (seeded(circles(norm=norm)) for norm in ("batch", "none"))
    calls = []
    results = train(stacked, [first[0], second[0], first[1], second[1]], on_epoch=lambda *call: calls.append(call))
    assert calls == [(first, 1), (first, 2), (second, 1), (second, 2)]
    assert [result.config for result in results] == [*first, *second]
    assert {result.engine for result in results} == {"stacked"}
    assert results[0].seconds == results[1].seconds > 0


@pytest.mark.parametrize("name", ["on_epoch", "on_model"])
@pytest.mark.parametrize(
    "error", [pytest.param(BrokenPipeError(32, "Broken pipe"), marks=pytest.mark.slow), MemoryError("no room")]
)
def test_an_error_in_a_callback_ends_the_training(name, error):
    calls = []

    def raises(*call):
        calls.append(call)
        raise error

    stacks = stacked.train(seeded(circles()), datasets.load(circles()), **{name: raises})
    with pytest.raises(type(error)) as caught:
        next(stacks)
    assert (caught.value, len(calls)) == (error, 1)


def test_an_error_in_one_lane_ends_the_other_after_its_epoch(two_cores):
    epochs = []

    def raises(stack, epoch):
        epochs.append(epoch)
        raise BrokenPipeError(32, "Broken pipe")

    with pytest.raises(BrokenPipeError):
        train(stacked, seeded(circles(epochs=1000), range(4)), on_epoch=raises, method=stacks_of(2, lanes=2))
    assert set(epochs) == {1}
    left = [thread for thread in threading.enumerate() if thread.name.startswith("bncli-lane")]
    for thread in left:
        thread.join(60)
    assert not any(thread.is_alive() for thread in left)
