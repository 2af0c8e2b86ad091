"""`Dataset`: data that is ready for training."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bncli.data.preparation import Preparation
from bncli.data.scaling import UNSCALED, Scaler
from bncli.tasks.task import BALANCED, CLASSIFICATION, ONE_QUANTITY, REGRESSION, TASKS

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Dataset:
    """Data ready for training. The arrays are read-only.

    Attributes:
        name: The registered name or the path.
        x_train: Training features, float32, shape (rows, *input_shape).
        y_train: Training class numbers from 0, int32, or scaled quantities, float32, shape (rows,).
        x_val: Validation features, float32, shape (rows, *input_shape).
        y_val: Validation class numbers or quantities, shape (rows,).
        class_names: One name per class; empty in regression.
        feature_names: One name per feature; empty for images.
        scaling: The scaling that was applied: `unit`, `standard` or `none`.
        notices: Sentences on what was unusual about the data and how it was read, for its user.
        scaler: The numbers of the scaling; None for `none`.
        x_test: Test features, float32, scaled as the others; None if there is no test part.
        y_test: Test class numbers or quantities, shape (rows,).
        preparation: What was done to the columns of a table; None for other data.
        task: `classification` or `regression`.
        target_scaler: What was done to quantities; it leaves classes alone.
        is_imbalanced: Whether some classes are rare, see `RawDataset.is_imbalanced`.
        quantities: Those of every part as the data has them, float64, by the part's name; empty for classes.
        padding: The value of the padded steps of sequences, in all features; None for other data.
    """

    name: str
    x_train: np.ndarray
    y_train: np.ndarray
    x_val: np.ndarray
    y_val: np.ndarray
    class_names: tuple[str, ...]
    feature_names: tuple[str, ...]
    scaling: str
    notices: tuple[str, ...] = ()
    scaler: Scaler | None = None
    x_test: np.ndarray | None = None
    y_test: np.ndarray | None = None
    preparation: Preparation | None = None
    task: str = CLASSIFICATION
    target_scaler: Scaler = UNSCALED
    is_imbalanced: bool = False
    quantities: Mapping[str, np.ndarray] = field(default_factory=dict)
    padding: float | None = None

    @property
    def parts(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Features and class numbers by the part's name in metrics: `train`, `val`, and `test` if there is one."""
        found = {"train": (self.x_train, self.y_train), "val": (self.x_val, self.y_val)}
        if self.x_test is not None and self.y_test is not None:
            found["test"] = (self.x_test, self.y_test)
        return found

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """Features and class numbers of the training part, of the validation part, and of the test part if any."""
        return tuple(array for part in self.parts.values() for array in part)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one row: (features,) for tables, (height, width, channels) for images, (steps, features)."""
        return tuple(self.x_train.shape[1:])

    @property
    def n_classes(self) -> int:
        """Number of classes; `ONE_QUANTITY` in regression."""
        return len(self.class_names) or ONE_QUANTITY

    def class_weights(self, class_weight: str) -> np.ndarray | None:
        """Return a weight for each class, as scikit-learn balances them; None for no weights.

        Args:
            class_weight: `none`, or `balanced` for rows / (classes * rows of the class), over the training rows; a
                class without rows has the weight 0.
        """
        import numpy as np

        if class_weight == "none" or self.task == REGRESSION:
            return None
        counts = np.bincount(self.y_train, minlength=self.n_classes)
        weights = len(self.y_train) / (self.n_classes * np.maximum(counts, 1)) * (counts > 0)
        return weights.astype("float32")

    @property
    def score(self) -> str:
        """The score by which arms are compared: that of the task, but the balanced accuracy where classes are rare."""
        return BALANCED if self.is_imbalanced else TASKS[self.task].score

    @property
    def target_scaling(self) -> str:
        """How quantities are scaled: `standard` or `none`."""
        return "none" if self.target_scaler == UNSCALED else "standard"

    def labels(self, part: str) -> np.ndarray:
        """Return the class numbers of a part, or its quantities in their own units, as float64."""
        return self.parts[part][1] if self.task == CLASSIFICATION else self.quantities[part]

    @property
    def is_image(self) -> bool:
        """Whether the rows are images."""
        return len(self.input_shape) == 3

    def fingerprint(self) -> str:
        """Return the SHA-256 hash of the arrays, their shapes and types, as hexadecimal digits."""
        digest = hashlib.sha256()
        for array in self.arrays:
            digest.update(repr((array.shape, array.dtype.str)).encode())
            digest.update(array.tobytes())
        return digest.hexdigest()
