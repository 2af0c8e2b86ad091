"""The share of the variance between draws of the data, checked against simulated shares."""

import numpy as np
import pytest
from fakes import complete, evidence, make_study

from bncli.analysis.variance import difference_shares, draw_share


def simulated(rng, sd_draw, sd_seed, sd_rest, n_draws, n_seeds):
    """Values of a draw effect, a seed effect and a rest."""
    draw, seed = rng.normal(0, sd_draw, (n_draws, 1)), rng.normal(0, sd_seed, (1, n_seeds))
    return 0.02 + draw + seed + rng.normal(0, sd_rest, (n_draws, n_seeds))


def test_a_share_by_hand():
    """Mean squares: 8 between draws, 6 between seeds, 2 for the rest; so variances of 3, 4/3 and 2."""
    share = draw_share(np.array([[0.0, 2.0], [1.0, 5.0], [5.0, 5.0]]))
    assert (share.n_draws, share.n_seeds) == (3, 2)
    assert share.value == pytest.approx(3 / (3 + 4 / 3 + 2))


@pytest.mark.parametrize("values", [[[1, 2], [3, 4]], [[1], [2], [3]], [[1, 1], [1, 1], [1, 1]]])
def test_no_share_of_too_few_values_or_of_no_variance(values):
    assert draw_share(np.array(values, float)) is None


def test_additive_values_tell_no_spread():
    share = draw_share(np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]))
    assert (share.value, share.low, share.high) == (pytest.approx(4 / 4.5), 0.0, 1.0)


@pytest.mark.parametrize(("sd_draw", "sd_seed", "sd_rest"), [(1, 1, 1), (2, 0, 1), (1, 2, 1), (0.3, 0.3, 1)])
def test_the_estimated_components_are_right_on_average(sd_draw, sd_seed, sd_rest):
    """With 60 draws and 40 seeds the estimate is near the true share."""
    rng = np.random.default_rng(0)
    truth = sd_draw**2 / (sd_draw**2 + sd_seed**2 + sd_rest**2)
    shares = [draw_share(simulated(rng, sd_draw, sd_seed, sd_rest, 60, 40)).value for _ in range(200)]
    assert np.mean(shares) == pytest.approx(truth, abs=0.02)


@pytest.mark.parametrize(("sd_draw", "sd_seed", "sd_rest"), [(1, 0.5, 1), (2, 0.3, 1), (0.5, 0.5, 1), (1, 1, 1)])
@pytest.mark.parametrize(("n_draws", "n_seeds"), [(4, 4), (6, 10)])
def test_the_interval_holds_the_true_share(sd_draw, sd_seed, sd_rest, n_draws, n_seeds):
    """In 2000 studies a 95 % interval covers 1900 times, give or take 10; its approximation may cost a little."""
    rng = np.random.default_rng(1)
    truth = sd_draw**2 / (sd_draw**2 + sd_seed**2 + sd_rest**2)
    shares = [draw_share(simulated(rng, sd_draw, sd_seed, sd_rest, n_draws, n_seeds)) for _ in range(2000)]
    covered = np.mean([share.low <= truth <= share.high for share in shares])
    assert 0.93 < covered <= 0.985


def drawn(config):
    """The arm gains by its draw; a baseline that changes with the seed, which cancels in the pairs."""
    gain = (
        0.0 if config.norm == "none" else 0.1 * config.data_seed + 0.01 * (config.seed % 2) * (-1) ** config.data_seed
    )
    return complete(config, (0.3 + 0.05 * config.seed + gain,))


def test_shares_of_differences_are_over_paired_seeds():
    study = make_study(axes=(("data_seed", (0, 1, 2)),), seeds=(0, 1, 2, 3))
    shown = evidence(study, drawn)
    ((condition, share),) = difference_shares(shown.results, shown.conditions, "val_accuracy").items()
    values = [[0.1 * d + 0.01 * (s % 2) * (-1) ** d for s in range(4)] for d in range(3)]
    assert str(condition) == "batch:before"
    np.testing.assert_allclose(share, draw_share(np.array(values)), rtol=1e-6)


def test_only_seeds_with_a_value_on_every_draw_count():
    study = make_study(axes=(("data_seed", (0, 1, 2)),), seeds=(0, 1, 2, 3))
    shown = evidence(study, lambda config: None if (config.seed, config.data_seed) == (3, 1) else drawn(config))
    (share,) = difference_shares(shown.results, shown.conditions, "val_accuracy").values()
    assert (share.n_draws, share.n_seeds) == (3, 3)


def test_there_is_a_share_for_every_point_of_the_other_axes():
    study = make_study(axes=(("lr", (0.01, 0.1)), ("data_seed", (0, 1, 2))), seeds=(0, 1))
    shown = evidence(study, drawn)
    found = difference_shares(shown.results, shown.conditions, "val_accuracy")
    assert [str(condition) for condition in found] == ["batch:before lr=0.01", "batch:before lr=0.1"]
