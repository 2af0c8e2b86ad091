"""How many inputs of each kind are tried, and how they ended.

BNCLI_FUZZ is the number of all inputs. They are drawn without chance: the same number gives the same inputs.
"""

import os
from collections import Counter
from contextlib import contextmanager

from hypothesis import HealthCheck, given, settings

N_EXAMPLES = int(os.environ.get("BNCLI_FUZZ", "1300"))

SHARES = {
    "fields": 0.14,
    "fields, trained": 0.03,
    "command lines": 0.11,
    "arms, axes, specs": 0.10,
    "diagnosis": 0.01,
    "completion": 0.01,
    "study files": 0.09,
    "study files, damaged": 0.06,
    "study files, claims": 0.05,
    "data files": 0.12,
    "data files, IDX": 0.01,
    "labels": 0.03,
    "study.json": 0.05,
    "journals": 0.05,
    "old folders": 0.03,
    "verdicts and other files": 0.02,
    "locks": 0.005,
    "foreign files": 0.03,
    "paths": 0.04,
    "environment": 0.0085,
    "environment, processes": 0.003,
    "environment, TensorFlow": 0.0005,
    "streams": 0.003,
}
"""The share of each kind in all inputs."""

TALLY = Counter()
"""How many inputs of a kind ended in a way, by both."""


PARTS = {}
"""What part of its kind's share each test has, by kind and name."""


def fuzz(kind, *strategies, part=1.0):
    """A test of the inputs that the strategies draw.

    Args:
        kind: One of `SHARES`.
        strategies: What is drawn, for the last parameters of the test.
        part: The part of the kind's share that this test has.
    """

    def decorate(test):
        PARTS[kind, test.__qualname__] = part
        limit = settings(
            max_examples=max(1, round(part * SHARES[kind] * N_EXAMPLES)),
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        )
        return limit(given(*strategies)(test))

    return decorate


@contextmanager
def counted(kind):
    """Count an input; the block calls what it is given with how it ended, or raises what is a finding."""
    endings = []
    try:
        yield endings.append
    except BaseException:
        endings = ["finding"]
        raise
    finally:
        TALLY[kind, *endings] += 1


def table(counts):
    """Lines of text: for each kind how many inputs were tried, and how many ended in each way."""
    kinds = [kind for kind in SHARES if any(kind == name for name, _ in counts)]
    endings = sorted({ending for _, ending in counts})
    rows = [[kind, *(counts[kind, ending] for ending in endings)] for kind in kinds]
    rows.append(["all", *(sum(column) for column in list(zip(*rows, strict=True))[1:])])
    head = ["inputs", "tried", *endings]
    cells = [head, *([row[0], *(f"{n:,}" if n else "-" for n in (sum(row[1:]), *row[1:]))] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in cells]
