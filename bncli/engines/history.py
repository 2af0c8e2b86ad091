"""The metrics of a stack of runs, collected epoch by epoch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bncli.results import Epochs
from bncli.tasks.metrics import history_metrics
from bncli.values import finite


class Patience:
    """Which runs of a stack stop because their validation loss does not fall, as Keras' `EarlyStopping` decides.

    Args:
        epochs: For each run, after how many epochs without a lower loss it stops; 0 if it never does.
    """

    def __init__(self, epochs: Sequence[int]) -> None:
        self._epochs = np.array(epochs)
        self._waited = np.zeros(len(epochs), int)
        self._lowest: np.ndarray | None = None

    def is_over(self, val_loss: np.ndarray) -> np.ndarray:
        """Count an epoch; return which runs have now waited long enough.

        Args:
            val_loss: The validation loss of each run, shape (runs,).
        """
        if self._lowest is None:
            self._lowest = val_loss
        else:
            is_lower = val_loss < self._lowest
            self._lowest = np.where(is_lower, val_loss, self._lowest)
            self._waited = np.where(is_lower, 0, self._waited + 1)
        return (self._epochs > 0) & (self._waited >= self._epochs)


class StackHistory:
    """Metrics of all runs of a stack.

    Args:
        score: The score by which they are compared.
    """

    def __init__(self, score: str) -> None:
        self._names = history_metrics(score)
        self._epochs: list[np.ndarray] = []
        self._counted: list[np.ndarray] = []

    @property
    def is_finite(self) -> np.ndarray:
        """Whether each run's training loss was finite in the last epoch, shape (runs,)."""
        return np.asarray(np.isfinite(self._epochs[-1][0]))

    def add(self, alive: np.ndarray, values: Sequence[np.ndarray]) -> None:
        """Add an epoch.

        Args:
            alive: Which runs had not diverged or stopped before it, shape (runs,): it counts for them only.
            values: Mean loss and score in training, each of shape (runs,); the same over the validation rows; then the
                score of the data, if that is another one.
        """
        self._epochs.append(np.stack(values))
        self._counted.append(alive)

    def of_runs(self, n_runs: int) -> list[Epochs]:
        """Return the histories of the first `n_runs` runs: metric to one value per epoch, None where not finite."""
        values, lengths = np.stack(self._epochs), np.sum(self._counted, axis=0)
        return [
            {
                name: [finite(value) for value in values[: lengths[run], index, run].tolist()]
                for index, name in enumerate(self._names)
            }
            for run in range(n_runs)
        ]
