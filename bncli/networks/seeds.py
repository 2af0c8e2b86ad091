"""Where chance enters a run: initial weights, dropout masks, batch order; each derives from the seed by purpose.

No arm, learning rate or activation takes part, so that runs of one seed are paired: they start from the same
weights, layer by layer, and see the same batches.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def derive(seed: int, *purpose: str | int) -> int:
    """Return a 31-bit seed for one purpose of a run; SHA-256, so equal on every platform and version."""
    text = "/".join(str(part) for part in (seed, *purpose))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") & 0x7FFFFFFF


def batch_order(seed: int, epoch: int, n_rows: int, *, shuffle: bool = True) -> np.ndarray:
    """Return the order, shape (n_rows,) int32, in which `epoch` (from 0) walks through the training rows."""
    import numpy as np

    if not shuffle:
        return np.arange(n_rows, dtype=np.int32)
    generator = np.random.default_rng(derive(seed, "order", epoch))
    return generator.permutation(n_rows).astype(np.int32)
