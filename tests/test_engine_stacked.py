"""The stacked engine against the oracle: the same weights, batches and masks, hence the same numbers up to rounding.

Two float32 programs that add the same numbers in another order differ by about 1e-7 a step; over the few steps of
a tiny run that stays below 1e-6. `CLOSE` leaves a margin for other processors and is still far below what any
error of arithmetic would cause. An accuracy may differ by one row, which rounding can push over a tie.
"""

import functools
import gc
import itertools
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from bncli import datasets, models, norms
from bncli.config import OPTIMIZERS, RunConfig, resolve, without_effect
from bncli.engines import keras as oracle
from bncli.engines import planner, stacked
from bncli.engines.planner import Method
from bncli.errors import InvalidConfig

CLOSE = 1e-5
LOSSES, ACCURACIES = ("loss", "val_loss"), ("accuracy", "val_accuracy", "train_accuracy")
SEEDS = (0, 1)

ARMS = [
    {"norm": "none"},
    *({"norm": n, "placement": p} for n, p in itertools.product(norms.REGISTRY, models.PLACEMENTS)),
]
UPDATES = [
    {"optimizer": "sgd", "lr": 0.1, "momentum": 0.9},
    *({"optimizer": name, "lr": 0.02} for name in OPTIMIZERS),
    {"optimizer": "sgd", "lr": 0.1, "momentum": 0.9, "nesterov": True},
    {"optimizer": "rmsprop", "lr": 0.01, "weight_decay": 0.1},
]


@pytest.fixture(scope="module", autouse=True)
def small_heap():
    """Keep what is loaded so far out of the garbage collector's sight: the oracle collects after every run."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A file of 28x28 images: noise inside a black frame, as wide as MNIST's, in ten classes."""
    rng = np.random.default_rng(0)
    x = np.zeros((160, 28, 28), "uint8")
    x[:, 4:24, 4:24] = rng.integers(0, 256, (160, 20, 20))
    path = tmp_path_factory.mktemp("images") / "images.npz"
    np.savez(path, x=x, y=np.arange(160) % 10)
    return str(path)


def tiny(**fields):
    """A resolved run at `tiny()` size, but for the sizes that are given."""
    sizes = {name: fields.pop(name) for name in ("batch_size", "epochs") if name in fields}
    return resolve(RunConfig(**fields).tiny().replace(**sizes))[0]


def circles(**fields):
    return tiny(**{"dataset": "circles", "model": "dense8"} | fields)


def seeded(config, seeds=SEEDS):
    return [config.replace(seed=seed) for seed in seeds]


def train(engine, configs, **more):
    return [result for stack in engine.train(configs, datasets.load(configs[0]), **more) for result in stack]


def train_by(method, configs):
    """Train by this method, whatever the planner would choose."""
    program = stacked.Program(configs, datasets.load(configs[0]), method)
    stacks = [configs[start : start + method.n_runs] for start in range(0, len(configs), method.n_runs)]
    return [result for stack in stacks for result in program.train(stack, None, None)]


def check_same(found, expected, close=CLOSE):
    """Equal but for rounding, seconds and engine; None, for a loss that is not finite, only equals None."""
    assert (found.config, found.state, found.error) == (expected.config, expected.state, expected.error)
    assert found.params == expected.params
    assert found.metrics.keys() == expected.metrics.keys()
    data = datasets.load(expected.config)
    one_row = 1.01 / min(len(data.y_train), len(data.y_val))
    for name in LOSSES:
        np.testing.assert_allclose(numbers(found, name), numbers(expected, name), rtol=close, err_msg=name)
    for name in ACCURACIES:
        np.testing.assert_allclose(numbers(found, name), numbers(expected, name), rtol=0, atol=one_row, err_msg=name)


def numbers(result, name):
    """The history of a metric, or its one value, as floats; NaN for None."""
    return np.array(result.history.get(name, [result.metrics[name]]), float)


def check_all_same(found, expected, close=CLOSE):
    assert len(found) == len(expected) > 0
    for ours, theirs in zip(found, expected, strict=True):
        check_same(ours, theirs, close)


def check_engines_agree(configs):
    theirs = train(oracle, configs)
    assert [result.state for result in theirs] == ["complete"] * len(configs)
    check_all_same(train(stacked, configs), theirs)


# --- every model, norm, placement and optimizer ---------------------------------------------------------------------


def needs_large_images(model):
    """Whether digits are too small for `model`."""
    try:
        models.plan(RunConfig(model=model), (8, 8, 1), 10)
    except InvalidConfig:
        return True
    return False


def data_for(model):
    """The name of the data that `model` trains on in these tests."""
    if needs_large_images(model):
        return "images"
    return "circles" if model.startswith("circles") else "digits"


def case(model, images, **fields):
    dataset = data_for(model)
    return tiny(model=model, dataset=images if dataset == "images" else dataset, **fields)


def is_distinct(model, arm):
    """Whether this placement of the arm differs from the first one."""
    return arm.get("placement") != "after" or "placement" not in without_effect(RunConfig(model=model, **arm))


def name_of(fields):
    return fields if isinstance(fields, str) else "-".join(str(value) for value in fields.values())


COVER = [
    (model, arm, update)
    for model, arm, update, _ in zip(
        itertools.cycle(models.REGISTRY),
        itertools.cycle(ARMS),
        itertools.cycle(UPDATES),
        range(max(len(models.REGISTRY), len(ARMS), len(UPDATES))),
        strict=False,
    )
]
"""Every model, arm and update at least once; the whole matrix is the slow test below."""


@pytest.mark.parametrize(("model", "arm", "update"), COVER, ids=name_of)
def test_engines_agree_on_every_model_arm_and_optimizer(model, arm, update, images):
    check_engines_agree(seeded(case(model, images, **arm, **update)))


OTHER_CASES = {
    "placement after a dense layer, two classes, batch larger than the data": {
        "dataset": "circles",
        "model": "dense8",
        "norm": "layer",
        "placement": "after",
        "batch_size": 100,
        "epochs": 4,
    },
    "softmax over two classes, dropout, Adam with decay": {
        "dataset": "breast_cancer",
        "model": "dense8 dropout0.3 dense8 dropout0.5 softmax",
        "norm": "batch",
        "activation": "tanh",
        "weight_decay": 0.02,
    },
    "norms at both ends, whole batches only, file order": {
        "model": "dense8",
        "norm": "batch",
        "norm_input": True,
        "norm_output": True,
        "norm_momentum": 0.5,
        "norm_epsilon": 0.1,
        "center": False,
        "batch_size": 32,
        "shuffle": False,
    },
    "norms where the spec says, ties in the pooling windows": {
        "model": "conv8 norm pool dropout0.2 flatten dense8 norm",
        "norm": "batch",
        "activation": "linear",
        "use_bias": "true",
    },
    "two LSTMs": {"model": "lstm8*2", "norm": "rms", "norm_input": True},
}


@pytest.mark.parametrize("name", OTHER_CASES)
def test_engines_agree_on(name):
    check_engines_agree(seeded(tiny(lr=0.02, **OTHER_CASES[name])))


def test_the_default_cases_cover_every_model_arm_and_optimizer():
    trained = [(model, arm, update["optimizer"]) for model, arm, update in COVER if is_distinct(model, arm)]
    trained += [("", {"norm": fields["norm"], "placement": fields.get("placement", "before")}, "adam")
                for fields in OTHER_CASES.values()]  # fmt: skip
    assert set(models.REGISTRY) <= {model for model, _, _ in trained}
    assert [arm for arm in ARMS if arm not in [other for _, other, _ in trained]] == []
    assert set(OPTIMIZERS) == {optimizer for _, _, optimizer in trained}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "arm"),
    [(model, arm) for model, arm in itertools.product(models.REGISTRY, ARMS) if is_distinct(model, arm)],
    ids=name_of,
)
def test_engines_agree_on_the_whole_matrix(model, arm, images):
    optimizers = [{"optimizer": name, "momentum": 0.9, "lr": 0.02} for name in OPTIMIZERS]
    check_engines_agree([run for update in optimizers for run in seeded(case(model, images, **arm, **update))])


# --- methods --------------------------------------------------------------------------------------------------------

PLAIN = Method(2, stacked=True, matrix_conv=True)
XLA = Method(2, stacked=True, matrix_conv=True, xla_steps=True, xla_tail=True, xla_evaluation=True)
APART = Method(1, stacked=False, matrix_conv=False)


def check_methods_agree(method, **fields):
    runs = seeded(tiny(lr=0.02, epochs=3, **fields))
    check_all_same(train_by(method, runs), train_by(PLAIN, runs))


def test_xla_changes_nothing_but_speed():
    check_methods_agree(XLA, model="conv8 pool dropout0.2 flatten dense8", norm="batch")


@pytest.mark.slow
@pytest.mark.parametrize("arm", ARMS, ids=name_of)
def test_xla_changes_nothing_with_any_norm(arm):
    check_methods_agree(XLA, dataset="circles", model="dense8 dropout0.3 dense8", optimizer="adamw", **arm)


@pytest.mark.slow
def test_xla_changes_nothing_for_an_lstm():
    check_methods_agree(XLA, model="lstm8", norm="layer")


@pytest.mark.parametrize("model", ["conv8 pool dropout0.2 flatten dense8", "lstm8 dropout0.2"])
def test_runs_that_are_not_stacked_train_the_same(model):
    check_methods_agree(APART, model=model, norm="batch")


def test_a_large_network_is_not_stacked_and_agrees_with_the_oracle(images):
    config, _ = resolve(
        RunConfig(dataset=images, model="mnist-cnn", norm="batch", train_rows=":48", val_rows=":20", epochs=1)
    )
    assert not planner.choose(config, datasets.load(config), 2, has_gpu=False).stacked
    check_engines_agree(seeded(config))


@pytest.mark.parametrize("model", ["conv8 pool dropout0.2 conv8 flatten dense8", "lstm8*2"])
def test_no_operation_falls_back_to_a_loop_over_runs(model, monkeypatch):
    """TensorFlow would quietly loop over what it can't vectorize, and be many times slower."""
    strict = functools.partial(tf.vectorized_map, fallback_to_while_loop=False)
    monkeypatch.setattr(tf, "vectorized_map", strict)
    (result, _) = train_by(PLAIN, seeded(tiny(model=model, norm="batch", epochs=1)))
    assert result.state == "complete"


# --- stack mates ----------------------------------------------------------------------------------------------------


def test_a_result_does_not_depend_on_stack_mates_their_number_or_order():
    """Within `CLOSE`: a matrix product over another number of runs may add up in another order."""
    mine = circles(norm="batch", model="dense8 dropout0.2 dense8", optimizer="sgd", momentum=0.9, lr=0.1, epochs=4)
    mates = [
        mine.replace(seed=1, lr=1.0),
        mine.replace(seed=2, momentum=0.1),
        mine.replace(lr=0.001),
        mine.replace(seed=3),
    ]
    (alone,) = train(stacked, [mine])
    check_same(train(stacked, [mine, *mates])[0], alone)
    check_same(train(stacked, [*mates, mine])[-1], alone)
    check_same(train(stacked, [mates[0], mine, mates[1]])[1], alone)


def test_learning_rates_and_decays_of_a_stack_are_each_runs_own():
    base = circles(norm="batch", optimizer="rmsprop")
    runs = [
        base.replace(lr=lr, weight_decay=decay) for lr, decay in [(0.001, 0.01), (0.3, 0.01), (0.01, 0.5), (0.01, 1.0)]
    ]
    assert len(planner.group(runs)) == 1
    check_engines_agree(runs)


def stacks_of(monkeypatch, n_runs):
    """Let the planner choose stacks of `n_runs`."""
    monkeypatch.setattr(stacked, "choose", lambda *_, **__: Method(n_runs, stacked=True, matrix_conv=True))


def test_a_short_stack_is_filled_up_and_yields_its_own_runs_only(monkeypatch):
    runs, told = seeded(circles(), range(5)), []
    whole = train(stacked, runs)
    stacks_of(monkeypatch, 3)
    split = list(stacked.train(runs, datasets.load(runs[0]), on_epoch=lambda *news: told.append(news)))
    assert [[result.config.seed for result in stack] for stack in split] == [[0, 1, 2], [3, 4]]
    assert told == [(runs[:3], 1), (runs[:3], 2), (runs[3:], 1), (runs[3:], 2)]
    check_all_same([result for stack in split for result in stack], whole)


# --- runs that go wrong ---------------------------------------------------------------------------------------------

EXPLODING = {"optimizer": "sgd", "weight_decay": 0.9, "epochs": 8}
"""With lr * weight_decay far above 2 the weights grow by a fixed factor a step until they overflow: the epoch in
which that happens does not hang on rounding."""


def exploding(**fields):
    return circles(**EXPLODING | fields)


@pytest.mark.parametrize("dataset", ["circles", "digits"])
def test_a_run_that_diverges_does_so_in_the_oracles_epoch_and_leaves_its_mates_alone(dataset):
    good, other = seeded(exploding(dataset=dataset, lr=0.1))
    late, early = good.replace(lr=2e3), other.replace(lr=1e5)
    theirs = train(oracle, [late, early])
    found = train(stacked, [good, late, early, other])
    check_all_same(found[1:3], theirs)
    assert [result.state for result in found] == ["complete", "diverged", "diverged", "complete"]
    lengths = [len(result.history["loss"]) for result in found]
    assert 1 <= lengths[2] < lengths[1] < lengths[0] == lengths[3] == 8
    check_all_same([found[0], found[3]], train(stacked, [good, other]))


def test_a_diverged_run_has_accuracies_but_no_final_loss():
    diverged, _ = train(stacked, seeded(exploding(lr=2e3)))
    assert (diverged.metrics["loss"], diverged.metrics["val_loss"]) == (None, None)
    assert diverged.error == f"The loss was not finite in epoch {len(diverged.history['loss'])}."
    assert all(0 <= diverged.metrics[name] <= 1 for name in ACCURACIES)


def test_a_run_diverges_in_the_same_epoch_under_xla():
    """Its last accuracies are left out: which sums turn infinite and which NaN depends on their order."""
    runs = [exploding(lr=2e3), exploding(lr=0.1)]
    diverged, complete = train_by(XLA, runs)
    expected, mate = train_by(PLAIN, runs)
    assert (diverged.state, diverged.error) == (expected.state, expected.error) == ("diverged", diverged.error)
    check_same(complete, mate)


def test_training_stops_when_all_runs_of_a_stack_have_diverged():
    told = []
    runs = [exploding(lr=2e3), exploding(lr=1e5)]
    results = train(stacked, runs, on_epoch=lambda _, epoch: told.append(epoch))
    lengths = [len(result.history["loss"]) for result in results]
    assert [result.state for result in results] == ["diverged", "diverged"]
    assert told == list(range(1, max(lengths) + 1))
    assert max(lengths) < 8


def test_a_graph_that_can_not_be_built_fails_its_runs_and_the_next_stack_goes_on(monkeypatch):
    build = stacked.build

    def poisoned(config, *arguments):
        if config.norm == "layer":
            raise MemoryError("no room")
        return build(config, *arguments)

    monkeypatch.setattr(stacked, "build", poisoned)
    bad, good = (seeded(circles(norm=norm)) for norm in ("layer", "none"))
    results = train(stacked, [*bad, *good])
    assert [result.config for result in results] == [*bad, *good]
    assert [result.state for result in results] == ["failed", "failed", "complete", "complete"]
    assert results[1].error.startswith("MemoryError: no room\n")
    assert "poisoned" in results[1].error


def test_a_stack_that_raises_while_it_trains_fails_alone(monkeypatch):
    def raises_for_seed_2(configs, epoch):
        if configs[0].seed == 2:
            raise RuntimeError("power cut")

    stacks_of(monkeypatch, 2)
    results = train(stacked, seeded(circles(), range(5)), on_epoch=raises_for_seed_2)
    assert [result.state for result in results] == ["complete", "complete", "failed", "failed", "complete"]
    assert {result.engine for result in results} == {"stacked"}
    assert results[2].error.startswith("RuntimeError: power cut\n")


# --- callbacks and records ------------------------------------------------------------------------------------------


def test_callbacks_get_the_runs_of_each_stack_epoch_by_epoch():
    first, second = (seeded(circles(norm=norm)) for norm in ("batch", "none"))
    told = []
    train(stacked, [first[0], second[0], first[1], second[1]], on_epoch=lambda *news: told.append(news))
    assert told == [(first, 1), (first, 2), (second, 1), (second, 2)]


def trained_models(configs):
    """Train in a stack; return the results and the models, in order."""
    found = []
    results = train(stacked, configs, on_model=lambda config, model: found.append((config, model)))
    assert [config for config, _ in found] == configs
    return results, [model for _, model in found]


@pytest.mark.parametrize("model", ["conv8 pool dropout0.2 flatten dense8", "lstm8"])
def test_on_model_gets_plain_keras_models_that_score_what_the_record_says(model):
    configs = seeded(tiny(model=model, norm="batch", lr=0.02))
    results, found = trained_models(configs)
    data = datasets.load(configs[0])
    for result, network in zip(results, found, strict=True):
        loss, accuracy = network.evaluate(data.x_val, data.y_val, verbose=0)
        _, train_accuracy = network.evaluate(data.x_train, data.y_train, verbose=0)
        assert {type(layer).__module__.split(".")[0] for layer in network.layers} == {"keras"}
        assert loss == pytest.approx(result.metrics["val_loss"], rel=CLOSE)
        assert accuracy == pytest.approx(result.metrics["val_accuracy"])
        assert train_accuracy == pytest.approx(result.metrics["train_accuracy"])


def test_a_trained_model_saves_and_loads(tmp_path):
    config = circles(model="dense8 dropout0.2 dense8", norm="batch", placement="after")
    _, (network, _) = trained_models(seeded(config))
    network.save(tmp_path / "run.keras")
    x = datasets.load(config).x_val
    loaded = keras.models.load_model(tmp_path / "run.keras")
    assert np.array_equal(loaded.predict(x, verbose=0), network.predict(x, verbose=0))


def test_a_model_goes_on_training_with_fit():
    config = circles(norm="batch", optimizer="adam")
    _, (network, _) = trained_models(seeded(config))
    data = datasets.load(config)
    fitted = network.fit(data.x_train, data.y_train, epochs=1, verbose=0)
    assert math.isfinite(fitted.history["loss"][0])


def test_records_name_the_engine_and_share_out_the_time():
    results = train(stacked, seeded(circles()))
    assert {result.engine for result in results} == {"stacked"}
    assert results[0].seconds == results[1].seconds > 0


# --- long trainings -------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_long_trainings_agree_in_distribution():
    """30 epochs on the circles, 30 seeds: here rounding may grow, so single runs need not agree, but their law must.

    Both engines train the same seeds, so the two samples are paired and a shift shows in the mean of the
    differences, by a t test, with far less noise than between independent samples. A difference in spread or shape,
    which a mean can't show, is left to the Kolmogorov-Smirnov test. At level 0.001 a platform with other rounding
    has a chance of about 1 in 500 to fail by accident. The t test says nothing where all differences are zero,
    and would call a constant one of a thousandth significant, hence the floor of a tenth of a row.
    """
    from scipy import stats

    start = {"dataset": "circles", "model": "circles-mlp", "norm": "batch", "placement": "after"}
    config, _ = resolve(RunConfig(**start, optimizer="sgd", lr=0.01, momentum=0.9, epochs=30))
    runs = seeded(config, range(30))
    ours, theirs = (
        np.array([result.metrics["val_accuracy"] for result in train(engine, runs)]) for engine in (stacked, oracle)
    )
    differences = ours - theirs
    assert theirs.std() > 0
    assert stats.ks_2samp(ours, theirs).pvalue > 0.001
    assert abs(differences.mean()) < 1e-4 * 2 or stats.ttest_1samp(differences, 0.0).pvalue > 0.001
