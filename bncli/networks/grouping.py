"""How many groups group normalization makes of channels, where no number is given."""

from __future__ import annotations

import math

MOST_GROUPS = 32
"""The paper's number of groups."""

ENOUGH = 4
"""Values of a sample in a group that make statistics (of two, only their order is left), and channels in a group."""


def groups_for(shape: tuple[int, ...]) -> int:
    """Return the number of groups for samples of a shape.

    These are the paper's 32 where each gets two channels and four values or more. Else they are the most, below 32,
    that leave four channels in each, or at least two: a group of one channel would be instance normalization.

    >>> groups_for((8, 8, 64)), groups_for((64,)), groups_for((8, 8, 16)), groups_for((6,)), groups_for((3,))
    (32, 16, 4, 1, 1)
    """
    n_channels, n_values = shape[-1], math.prod(shape)
    if n_channels % MOST_GROUPS == 0 and n_channels > MOST_GROUPS and n_values >= ENOUGH * MOST_GROUPS:
        return MOST_GROUPS
    numbers = range(MOST_GROUPS, 1, -1)
    fitting = (number for number in numbers if n_channels % number == 0 and n_channels // number >= ENOUGH)
    return next(fitting, 1)
