"""The metrics of a stack: each run's history ends with the epoch in which it diverged."""

import numpy as np

from bncli.engines.history import Patience, StackHistory


def test_a_diverged_run_has_no_epochs_after_its_last_one():
    history, alive = StackHistory("accuracy"), np.array([True, True])
    for loss in ([3.0, 2.0], [np.nan, 1.0], [7.0, 0.5]):
        losses = np.array(loss)
        history.add(alive, (losses, losses / 10, losses + 1, losses / 5))
        alive = alive & history.is_finite
    diverged, complete = history.of_runs(2)
    assert diverged["loss"] == [3.0, None]
    assert complete == {
        "loss": [2.0, 1.0, 0.5],
        "accuracy": [0.2, 0.1, 0.05],
        "val_loss": [3.0, 2.0, 1.5],
        "val_accuracy": [0.4, 0.2, 0.1],
    }


def test_runs_that_only_fill_the_stack_up_have_no_history():
    history = StackHistory("accuracy")
    history.add(np.array([True, True]), [np.ones(2)] * 4)
    assert len(history.of_runs(1)) == 1


def test_a_run_stops_when_its_validation_loss_has_not_fallen_for_as_many_epochs_as_its_patience():
    patience = Patience([0, 1, 2, 2])
    losses = [[1.0, 1.0, 1.0, np.nan], [1.0, 1.0, 1.0, 0.5], [1.0, 0.9, 0.9, 0.4]]
    assert [patience.is_over(np.array(loss)).tolist() for loss in losses] == [
        [False, False, False, False],
        [False, True, False, False],
        [False, False, False, True],
    ]
