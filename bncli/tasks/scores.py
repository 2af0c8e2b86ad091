"""Scores of predicted probabilities: the Brier score and the calibration error."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

BINS = 15
"""Bins of equal width for the calibration error, as in Guo et al. (2017)."""


class Tally:
    """Sums over rows, for many runs at a time, from which their scores follow.

    >>> import numpy as np
    >>> tally = Tally()
    >>> tally.add(np.array([1, 1, 0, 0]), np.array([[0.9], [0.9], [0.9], [0.1]]))
    >>> {name: round(float(value), 3) for name, value in tally.scores().items()}
    {'brier': 0.21, 'calibration_error': 0.15}
    """

    def __init__(self) -> None:
        self._n_rows = 0
        self._brier: np.ndarray | float = 0.0
        self._excess: np.ndarray | float = 0.0

    def add(self, y: np.ndarray, predicted: np.ndarray) -> None:
        """Add rows.

        Args:
            y: Their class numbers from 0, shape (rows,).
            predicted: The probability of class 1, shape (..., rows, 1), or of every class, shape (..., rows, classes).
        """
        import numpy as np

        is_binary = predicted.shape[-1] == 1
        classes = np.concatenate([1 - predicted, predicted], axis=-1) if is_binary else predicted
        errors = ((classes - np.eye(classes.shape[-1])[y]) ** 2).sum(axis=-1, dtype="float64")
        self._n_rows += len(y)
        self._brier = self._brier + errors.sum(axis=-1) / (2 if is_binary else 1)
        self._excess = self._excess + _excess_by_bin(y, classes)

    def scores(self) -> dict[str, np.ndarray]:
        """Return the scores of every run; nan where a probability was nan.

        - `brier`: the mean of (p - y)^2 with two classes, the mean over rows of its sum over classes with more, as in
          scikit-learn; from 0 to 1, or 2 (Brier 1950, doi 10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2)
        - `calibration_error`: the expected calibration error over `BINS` bins of the largest probability: the mean
          over rows of |accuracy - mean probability| in the row's bin (Guo et al. 2017, arXiv 1706.04599)
        """
        import numpy as np

        return {
            "brier": np.asarray(self._brier / self._n_rows),
            "calibration_error": np.abs(self._excess).sum(axis=-1) / self._n_rows,
        }


def _excess_by_bin(y: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Correct answers minus the sum of the largest probabilities, shape (..., bins); nan if a probability is."""
    import numpy as np

    confidence = classes.max(axis=-1).astype("float64")
    excess = (classes.argmax(axis=-1) == y) - confidence
    bins = np.clip(np.ceil(np.nan_to_num(confidence) * BINS).astype("int64") - 1, 0, BINS - 1)
    flat_bins, flat = bins.reshape(-1, bins.shape[-1]), excess.reshape(-1, bins.shape[-1])
    sums = [np.bincount(where, values, BINS) for where, values in zip(flat_bins, flat, strict=True)]
    return np.stack(sums).reshape(*bins.shape[:-1], BINS)
