"""The checks of networks and data find other networks and data out."""

import dataclasses

import numpy as np
import pytest

from bncli.claims.check import digits_data, run_check
from bncli.claims.checks import networks
from bncli.config import RunConfig
from bncli.data import datasets
from bncli.networks.layout import lay_out


def test_is_separable():
    corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    assert networks.is_separable(corners, np.array([0, 0, 0, 1]))
    assert not networks.is_separable(corners, np.array([0, 1, 1, 0]))


@pytest.mark.parametrize("name", ["linear-separability", "outer-class", "constant-answer"])
def test_the_outcome_is_the_opposite_for_other_data(name, monkeypatch):
    data = digits_data() if name == "constant-answer" else datasets.load(RunConfig(dataset="circles"))
    x = data.x_train + 10 * data.y_train[:, None] if name == "linear-separability" else data.x_train
    other = dataclasses.replace(data, x_train=x, y_train=1 - data.y_train)
    monkeypatch.setattr(datasets, "load", lambda config: other)
    assert run_check(name).holds is False


def test_other_numbers_of_parameters_are_not_those_published():
    found = networks.compare_params("lr-cnn", norm_output=False, without=(93_322, 0), normed=(94_024, 468))
    assert found.holds is False
    assert found.text == "93,322 without batch normalization, 93,994 with, 448 of them not trainable"


def test_biases_are_counted_with_their_additions_per_row():
    config = RunConfig(dataset="mnist", model="conv4 flatten dense5", use_bias="true")
    layers = lay_out(config, (5, 5, 1), 10)
    assert networks.count_biases(layers) == (4 + 5 + 10, 3 * 3 * 4 + 5 + 10)


@pytest.mark.parametrize(("bias", "gap"), [(1e-3, 0.0), (0.0, 1e-3)])
def test_a_bias_that_moves_or_changes_the_training_is_found(bias, gap, monkeypatch):
    runs = {"true": (bias, np.ones((2, 3))), "auto": (0.0, np.ones((2, 3)) + gap)}
    monkeypatch.setattr(networks, "train_biases", lambda placement, use_bias: runs[use_bias])
    assert run_check("bias-training").holds is False


@pytest.mark.parametrize(("gap", "holds"), [(0.001, True), (0.02, False)])
def test_a_drifting_bias_may_change_the_training_by_rounding_only(gap, holds, monkeypatch):
    runs = {"true": (0.05, np.ones((2, 3))), "auto": (0.0, np.ones((2, 3)) + gap)}
    monkeypatch.setattr(networks, "train_biases", lambda placement, use_bias, **changes: runs[use_bias])
    found = run_check("bias-adam")
    assert found.holds is holds
    assert found.text.startswith("largest bias 0.05 after 1,600 steps; training losses with and without differ by")
