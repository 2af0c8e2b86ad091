"""The gap between moving and population statistics."""

from dataclasses import replace

import pytest
from fakes import complete, evidence, failed, make_study

from bncli.analysis.gap import LEAST, find_gap, has_population
from bncli.tasks.metrics import METRICS


def twice(moving, population, name="val_accuracy"):
    """Runs whose arm scores these values, by seed, with moving and with population statistics."""

    def make(config):
        place = config.seed if config.norm == "batch" else 0
        scores = {name: moving[place], f"population_{name}": population[place]} if config.norm == "batch" else {}
        done = complete(config, (0.5, 0.8))
        return replace(done, metrics=done.metrics | {"population_val_accuracy": 0.8} | scores)

    return make


def gap_of(moving, population, metric="val_accuracy", name="val_accuracy"):
    shown = evidence(make_study(seeds=tuple(range(len(moving)))), twice(moving, population, name), metric=metric)
    return shown.gap


def test_a_gap_larger_than_the_spread_of_the_seeds_is_found():
    gap = gap_of([0.60, 0.70, 0.80], [0.98, 0.99, 1.0])
    assert (gap.condition.arm, gap.moving, gap.population, gap.n_gaps) == (
        "batch:before",
        pytest.approx(0.7),
        pytest.approx(0.99),
        1,
    )
    assert gap.is_loss
    assert gap.size == pytest.approx(0.29)


@pytest.mark.parametrize(
    ("moving", "population"),
    [
        ([0.90, 0.91, 0.92], [0.90, 0.91, 0.92]),
        ([0.90, 0.90, 0.90], [0.905, 0.905, 0.905]),  # too small to matter
        ([0.80, 0.80, 0.80], [0.65, 0.85, 1.0]),  # seeds differ by more
        ([0.90], [0.92]),  # one seed has no spread
    ],
)
def test_what_is_no_gap(moving, population):
    assert gap_of(moving, population) is None


def test_one_seed_needs_a_larger_gap():
    assert gap_of([0.6], [0.9]).size == pytest.approx(0.3)


def test_population_statistics_can_be_worse():
    assert not gap_of([0.9, 0.9], [0.7, 0.7]).is_loss


def test_a_loss_is_worse_when_higher_and_its_gap_is_a_share():
    gap = gap_of([3.0, 3.0], [2.0, 2.0], "val_loss", "val_loss")
    assert (gap.metric, gap.is_loss, gap.size) == ("val_loss", True, 1.0)
    assert gap_of([2.0 + LEAST, 2.0 + LEAST], [2.0, 2.0], "val_loss", "val_loss") is None


@pytest.mark.parametrize("metric", ["population_val_accuracy", "loss", "accuracy"])
def test_metrics_without_a_twin_of_their_own_tell_the_gap_of_the_accuracy(metric):
    assert metric in METRICS
    assert gap_of([0.6, 0.6], [0.9, 0.9], metric).metric == "val_accuracy"


def test_runs_of_earlier_versions_and_failed_runs_have_no_gap():
    for make in (complete, failed):
        shown = evidence(make_study(), make)
        assert find_gap(shown.results, shown.conditions) is None
        assert not has_population(shown.results)


def test_of_several_gaps_the_largest_is_told():
    def make(config):
        moving = {"none": 0.9, "batch": 0.9 - config.lr}[config.norm]
        done = complete(config, (moving,))
        return replace(done, metrics=done.metrics | {"population_val_accuracy": 0.9})

    gap = evidence(make_study(axes=(("lr", (0.1, 0.3, 0.2)),)), make).gap
    assert (dict(gap.condition.values), gap.n_gaps) == ({"lr": 0.3}, 3)


def test_runs_that_learned_nothing_tell_nothing_of_their_averages():
    def make(config):
        done = complete(config, (0.5, 0.5))
        return replace(done, metrics=done.metrics | {"population_val_accuracy": 0.5, "population_val_loss": 1.0})

    for chance, has_gap in ((0.5, False), (0.1, True)):
        assert (evidence(make_study(), make, chance, metric="val_loss").gap is not None) is has_gap
