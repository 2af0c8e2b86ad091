"""Scores of what networks answer: accuracies, scores of probabilities, and errors of quantities.

To add one, write a function of labels and answers and name it in `SCORES`; metrics, help, tables and figures follow.
Those that scikit-learn has, too, are held to it by tests.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bncli.tasks.task import CLASSIFICATION, REGRESSION

if TYPE_CHECKING:
    import numpy as np

BINS = 15
"""Bins of equal width for the calibration error, as in Guo et al. (2017)."""

TOP = 5
"""The classes among which the right one must be for `top5`."""

LEAST_PROBABILITY = 1e-7
"""What Keras' losses take for a probability of zero, whose logarithm is infinite."""

BLOCK_VALUES = 2**22
"""About how many answers are scored at a time, so that little memory is needed beside them."""


LEARNED, LEARNED_QUANTITIES = 0.2, 0.05
"""See `Score.learned`. Guessing between two classes may be right by chance, but no constant has an R² above 0; and of a
quantity that is mostly noise nobody explains a fifth."""


@dataclass(frozen=True)
class Score:
    """How answers are scored.

    Attributes:
        label: Its name in figures and sentences.
        task: The task whose answers it scores.
        function: `(y, answers)` to one value per run: labels of shape (rows,), and answers of shape (runs, rows,
            classes) or, in regression, (runs, rows).
        trivial: What the best constant answer to labels scores; None where that says nothing.
        lower_is_better: Whether smaller values are better.
        lowest: The smallest value that it can have.
        highest: The largest one.
        least_classes: The fewest classes for which it says something.
        learned: Share of the way from the trivial score to a perfect one that a run must cover to count as having
            learned.
    """

    label: str
    task: str
    function: Callable[[np.ndarray, np.ndarray], np.ndarray]
    trivial: Callable[[np.ndarray], float] | None
    lower_is_better: bool = False
    lowest: float = 0.0
    highest: float = math.inf
    least_classes: int = 1
    learned: float = LEARNED


def scores_of(task: str, y: np.ndarray, answers: np.ndarray) -> dict[str, np.ndarray]:
    """Return the scores of runs, by name; nan for a run that answered nan.

    Args:
        task: The task.
        y: Class numbers from 0, or quantities, shape (rows,).
        answers: The probability of class 1, shape (runs, rows, 1), or of every class, shape (runs, rows, classes);
            or quantities, shape (runs, rows, 1).

    >>> import numpy as np
    >>> found = scores_of("classification", np.array([1, 1, 0, 0]), np.array([[[0.9], [0.9], [0.9], [0.1]]]))
    >>> {name: round(float(value[0]), 3) for name, value in found.items()}  # doctest: +NORMALIZE_WHITESPACE
    {'accuracy': 0.75, 'balanced_accuracy': 0.75, 'f1': 0.733, 'auc': 0.75, 'nll': 0.655, 'brier': 0.21,
    'calibration_error': 0.15}
    """
    import numpy as np

    n_runs = max(1, BLOCK_VALUES // max(1, answers[0].size))
    blocks = [_block_scores(task, y, answers[start : start + n_runs]) for start in range(0, len(answers), n_runs)]
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def one_score(name: str, y: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Return one score of runs; see `scores_of`."""
    import numpy as np

    known = _with_all_classes(SCORES[name].task, answers)
    is_known = np.isfinite(known).reshape(len(known), -1).all(axis=1)
    return np.where(is_known, SCORES[name].function(y, np.nan_to_num(known)), np.nan)


def confusion_of(y: np.ndarray, answers: np.ndarray, n_classes: int) -> np.ndarray:
    """Return how many rows of each class were answered by each class, shape (runs, classes, classes).

    Args:
        y: Class numbers, shape (rows,).
        answers: Probabilities, as `scores_of` takes them.
        n_classes: The number of classes.
    """
    import numpy as np

    answered = np.nan_to_num(_with_all_classes(CLASSIFICATION, answers)).argmax(axis=-1)
    flat = (np.arange(len(answered))[:, None] * n_classes + y) * n_classes + answered
    counts = np.bincount(flat.ravel(), minlength=len(answered) * n_classes**2)
    return counts.reshape(len(answered), n_classes, n_classes)


def _with_all_classes(task: str, answers: np.ndarray) -> np.ndarray:
    """Answers as scores take them: the probability of every class; quantities, shape (runs, rows)."""
    import numpy as np

    if task == REGRESSION:
        return answers[..., 0].astype("float64")
    return np.concatenate([1 - answers, answers], axis=-1) if answers.shape[-1] == 1 else answers


def _block_scores(task: str, y: np.ndarray, answers: np.ndarray) -> dict[str, np.ndarray]:
    import numpy as np

    answers = _with_all_classes(task, answers)
    n_classes = answers.shape[-1] if task == CLASSIFICATION else 0
    is_known = np.isfinite(answers).reshape(len(answers), -1).all(axis=1)
    found = {}
    for name, score in SCORES.items():
        if score.task == task and (task == REGRESSION or score.least_classes <= n_classes):
            found[name] = np.where(is_known, score.function(y, np.nan_to_num(answers)), np.nan)
    return found


def trivial_scores(task: str, y: np.ndarray) -> dict[str, float]:
    """Return what the best constant answer scores, for every score where that says something.

    Args:
        task: The task.
        y: Labels, shape (rows,).

    >>> import numpy as np
    >>> trivial_scores("regression", np.array([1.0, 2.0, 6.0]))["mae"].__round__(3)
    1.667
    """
    n_classes = len(_shares(y)) if task == CLASSIFICATION else TOP + 1
    fitting = {name: score for name, score in SCORES.items() if score.task == task and score.least_classes <= n_classes}
    return {name: score.trivial(y) for name, score in fitting.items() if score.trivial}


def _shares(classes: np.ndarray) -> np.ndarray:
    """Return the share of every class that is there, the commonest first."""
    import numpy as np

    counts = np.bincount(classes)
    return np.sort(counts[counts > 0])[::-1] / len(classes)


def _is_right(y: np.ndarray, answers: np.ndarray) -> np.ndarray:
    right: np.ndarray = answers.argmax(axis=-1) == y
    return right


def _accuracy(y: np.ndarray, answers: np.ndarray) -> np.ndarray:
    return _mean(_is_right(y, answers))


def _mean(values: np.ndarray) -> np.ndarray:
    """Return the mean over the last axis, in float64."""
    import numpy as np

    return np.asarray(values.mean(axis=-1, dtype="float64"))


def _balanced_accuracy(y: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """The mean over classes of the share of their rows that is answered right."""
    import numpy as np

    right = _is_right(y, answers)
    return np.asarray(np.mean([_mean(right[:, y == each]) for each in np.unique(y)], axis=0))


def _f1(y: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """The mean over classes of 2 hits / (answers + rows), of classes that are a row's or an answer."""
    import numpy as np

    answered = answers.argmax(axis=-1)
    total, n_classes = np.zeros(len(answers)), np.zeros(len(answers))
    for each in range(answers.shape[-1]):
        is_class, is_answer = y == each, answered == each
        hits, either = (is_class & is_answer).sum(axis=1), is_class.sum() + is_answer.sum(axis=1)
        total += 2 * hits / np.maximum(either, 1)
        n_classes += either > 0
    return np.asarray(total / n_classes)


def _trivial_f1(y: np.ndarray) -> float:
    shares = _shares(y)
    return float(2 * shares[0] / (1 + shares[0]) / len(shares))


def _auc(y: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """The mean over classes of the area under the curve of a class against the rest; nan if a class has no rows."""
    import numpy as np
    from scipy.stats import rankdata

    n_classes = answers.shape[-1]
    areas = []
    for each in range(n_classes) if n_classes > 2 else [1]:
        is_class = y == each
        n_in, n_out = is_class.sum(), (~is_class).sum()
        ranks = rankdata(answers[..., each], axis=-1)[:, is_class].sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            areas.append((ranks - n_in * (n_in + 1) / 2) / np.float64(n_in * n_out))
    return np.asarray(np.mean(areas, axis=0))


def _top(y: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """The share of rows whose class is among the first `TOP`; of equal ones the later goes first: as scikit-learn."""
    import numpy as np

    own = _of_label(y, answers)[..., None]
    is_later = np.arange(answers.shape[-1]) > y[:, None]
    return _mean(((answers > own) | ((answers == own) & is_later)).sum(axis=-1) < TOP)


def _of_label(y: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """The probability of each row's own class, shape (runs, rows)."""
    import numpy as np

    return np.take_along_axis(answers, y[None, :, None], axis=-1)[..., 0]


def _nll(y: np.ndarray, answers: np.ndarray) -> np.ndarray:
    import numpy as np

    return -_mean(np.log(np.clip(_of_label(y, answers).astype("float64"), LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)))


def _entropy(y: np.ndarray) -> float:
    import numpy as np

    return float(-(_shares(y) * np.log(_shares(y))).sum())


def _brier(y: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """The mean of (p - y)^2 with two classes, the mean over rows of its sum over classes with more, as in scikit-learn.

    From 0 to 1, or 2 (Brier 1950, doi 10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2).
    """
    import numpy as np

    n_classes = answers.shape[-1]
    errors = _mean(((answers - np.eye(n_classes)[y]) ** 2).sum(axis=-1, dtype="float64"))
    return errors / (2 if n_classes == 2 else 1)


def _trivial_brier(y: np.ndarray) -> float:
    shares = _shares(y)
    return float(1 - (shares**2).sum()) / (2 if len(shares) == 2 else 1)


def _calibration_error(y: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """The expected calibration error over `BINS` bins of the largest probability.

    It is the mean over rows of |accuracy - mean probability| in the row's bin (Guo et al. 2017, arXiv 1706.04599).
    """
    import numpy as np

    confidence = answers.max(axis=-1).astype("float64")
    excess = _is_right(y, answers) - confidence
    bins = np.clip(np.ceil(confidence * BINS).astype("int64") - 1, 0, BINS - 1)
    flat = bins + BINS * np.arange(len(bins))[:, None]
    sums = np.bincount(flat.ravel(), excess.ravel(), BINS * len(bins)).reshape(-1, BINS)
    return np.asarray(np.abs(sums).sum(axis=-1) / len(y))


def _mae(y: np.ndarray, answers: np.ndarray) -> np.ndarray:
    return _mean(abs(answers - y))


def _mse(y: np.ndarray, answers: np.ndarray) -> np.ndarray:
    return _mean((answers - y) ** 2)


def _rmse(y: np.ndarray, answers: np.ndarray) -> np.ndarray:
    root: np.ndarray = _mse(y, answers) ** 0.5
    return root


def r2_of(mse: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the coefficient of determination, 1 - mse / variance of the labels; nan if they are all alike."""
    import numpy as np

    with np.errstate(invalid="ignore", divide="ignore"):
        return (
            1 - np.asarray(mse) / np.float64(y.var(dtype="float64")) if y.min() < y.max() else np.full(len(mse), np.nan)
        )


def _r2(y: np.ndarray, answers: np.ndarray) -> np.ndarray:
    return r2_of(_mse(y, answers), y)


def _spread(y: np.ndarray) -> float:
    import numpy as np

    return float(np.abs(y - np.median(y)).mean(dtype="float64"))


SCORES = {
    "accuracy": Score("accuracy", CLASSIFICATION, _accuracy, lambda y: float(_shares(y)[0]), highest=1.0),
    "balanced_accuracy": Score(
        "balanced accuracy", CLASSIFICATION, _balanced_accuracy, lambda y: 1 / len(_shares(y)), highest=1.0
    ),
    "f1": Score("F1 score (macro)", CLASSIFICATION, _f1, _trivial_f1, highest=1.0),
    "auc": Score("area under the ROC curve", CLASSIFICATION, _auc, lambda y: 0.5, highest=1.0),
    "top5": Score(
        "top-5 accuracy",
        CLASSIFICATION,
        _top,
        lambda y: float(_shares(y)[:TOP].sum()),
        highest=1.0,
        least_classes=TOP + 1,
    ),
    "nll": Score(
        "negative log-likelihood",
        CLASSIFICATION,
        _nll,
        _entropy,
        lower_is_better=True,
    ),
    "brier": Score("Brier score", CLASSIFICATION, _brier, _trivial_brier, lower_is_better=True),
    "calibration_error": Score(
        "calibration error", CLASSIFICATION, _calibration_error, None, lower_is_better=True, highest=1.0
    ),
    "r2": Score("R²", REGRESSION, _r2, lambda y: 0.0, lowest=-math.inf, highest=1.0, learned=LEARNED_QUANTITIES),
    "mae": Score("mean absolute error", REGRESSION, _mae, _spread, lower_is_better=True),
    "mse": Score("mean squared error", REGRESSION, _mse, lambda y: float(y.var(dtype="float64")), lower_is_better=True),
    "rmse": Score(
        "root mean squared error", REGRESSION, _rmse, lambda y: float(y.std(dtype="float64")), lower_is_better=True
    ),
}
"""All scores by name."""
