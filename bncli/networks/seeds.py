"""Seeds for everything random in a run: initial weights, dropout masks and the order of batches.

They are derived from the run's seed and their purpose, never from the arm or another field. Runs with equal seeds are
therefore paired: they start from the same weights, layer by layer, and train on the same batches.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def derive(seed: int, *purpose: str | int) -> int:
    """Return a 31-bit seed for one purpose, from SHA-256 and so the same on every platform and version.

    Args:
        seed: The run's seed.
        purpose: What the seed is for, such as `"kernel", 0` for the first layer's kernel.

    >>> derive(0, "kernel", 0)
    890865178
    """
    text = "/".join(str(part) for part in (seed, *purpose))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") & 0x7FFFFFFF


def batch_order(seed: int, epoch: int, n_rows: int, *, shuffle: bool = True) -> np.ndarray:
    """Return the order in which an epoch goes through the training rows: indices of shape (n_rows,), int32.

    Args:
        seed: The run's seed.
        epoch: The epoch, counted from 0; every epoch has an order of its own.
        n_rows: Number of training rows.
        shuffle: Whether the rows are shuffled; otherwise they keep their order.

    >>> batch_order(0, 0, 4, shuffle=False)
    array([0, 1, 2, 3], dtype=int32)
    """
    import numpy as np

    if not shuffle:
        return np.arange(n_rows, dtype=np.int32)
    generator = np.random.default_rng(derive(seed, "order", epoch))
    return generator.permutation(n_rows).astype(np.int32)
