"""`Shard`: a fixed share of a study's runs, for job arrays (`--shard I/N`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bncli.config import RunConfig
from bncli.engines.method import group
from bncli.errors import InvalidConfig, shown
from bncli.values import read_whole

MAX_SHARDS = 10_000


@dataclass(frozen=True)
class Shard:
    """One of several shares of equal size. Every run belongs to exactly one of them.

    Runs with the same graph are kept together as far as equal sizes allow: each shard has to compile its graphs.

    Attributes:
        number: The number of this share, from 1.
        count: The number of shares.

    >>> runs = [RunConfig(seed=seed) for seed in range(5)]
    >>> [config.seed for config in Shard(2, 2).of(runs)]
    [2, 3, 4]
    """

    number: int
    count: int

    @property
    def journal(self) -> str:
        """Name of the journal to which this share is recorded."""
        return f"runs-{self.number}-of-{self.count}.jsonl"

    def of(self, configs: Sequence[RunConfig]) -> list[RunConfig]:
        """Return the runs of this share."""
        ordered = [config for group in group(configs) for config in group]
        ends = [len(ordered) * number // self.count for number in (self.number - 1, self.number)]
        return ordered[slice(*ends)]


def parse_shard(text: str) -> Shard:
    """Parse `I/N`: share I, counted from 1, of N.

    Raises:
        InvalidConfig: The text has another form, or a number is out of range.

    >>> parse_shard("2/4")
    Shard(number=2, count=4)
    """
    share, _, shares = text.partition("/")
    try:
        count = read_whole(shares, 1, MAX_SHARDS)
        return Shard(read_whole(share, 1, count), count)
    except ValueError:
        raise InvalidConfig(
            f"--shard takes I/N: share I, from 1, of N, at most {MAX_SHARDS:,}. Received: {shown(text)}. Try 1/4."
        ) from None
