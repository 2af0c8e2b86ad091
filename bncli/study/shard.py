"""A fixed share of a study, for job arrays: which runs it trains and which journal it writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bncli.config import RunConfig
from bncli.engines.method import group
from bncli.errors import InvalidConfig

MAX_SHARDS = 10_000


@dataclass(frozen=True)
class Shard:
    """Share `number` (from 1) of `count` shares of equal size.

    Runs that share a graph stay together as far as equal sizes allow, because every shard compiles the graphs that it
    trains.
    """

    number: int
    count: int

    @property
    def journal(self) -> str:
        """Name of the journal that this shard writes."""
        return f"runs-{self.number}-of-{self.count}.jsonl"

    def of(self, configs: Sequence[RunConfig]) -> list[RunConfig]:
        """The runs of this share; all shares together hold every run once."""
        ordered = [config for group in group(configs) for config in group]
        ends = [len(ordered) * number // self.count for number in (self.number - 1, self.number)]
        return ordered[slice(*ends)]


def parse_shard(text: str) -> Shard:
    """Read `I/N`: share I, from 1, of N.

    Raises:
        InvalidConfig: Not that.
    """
    number, slash, count = text.partition("/")
    if not (slash and number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count) <= MAX_SHARDS):
        raise InvalidConfig(
            f"--shard takes I/N: share I, from 1, of N, at most {MAX_SHARDS:,}. Received: {text!r}. Try 1/4."
        )
    return Shard(int(number), int(count))
