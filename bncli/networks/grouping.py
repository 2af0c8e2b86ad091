"""How many groups group normalization makes of channels, where no number is given."""

from __future__ import annotations

import math

MOST_GROUPS = 32
"""The paper's number of groups."""

ENOUGH_VALUES = 4
"""Values of a sample in a group that make statistics; of two, only their order is left."""


def groups_for(shape: tuple[int, ...]) -> int:
    """Return the number of groups for samples of a shape: the most that leave enough values in each, up to 32.

    It divides the channels. A sample of few values gets groups of two or three, or a single group.

    >>> groups_for((64,)), groups_for((8, 8, 64)), groups_for((3,)), groups_for((2,))
    (16, 32, 1, 1)
    """
    n_channels, n_values = shape[-1], math.prod(shape)
    divisors = [number for number in range(min(n_channels, MOST_GROUPS), 0, -1) if n_channels % number == 0]
    fitting = (number for least in (ENOUGH_VALUES, 2) for number in divisors if n_values // number >= least)
    return next(fitting, 1)
