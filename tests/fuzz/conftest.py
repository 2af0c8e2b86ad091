"""One world for all tests of a process, and a table at the end: what was tried, and how it ended."""

from collections import Counter

import pytest

from fuzz import budget
from fuzz.world import new_world, only_figures


@pytest.fixture(scope="session")
def world():
    with new_world() as made:
        yield made


@pytest.fixture(scope="module")
def no_figures(world):
    """Reports without figures."""
    with only_figures():
        yield


@pytest.fixture(autouse=True)
def tally(request):
    """Hand the counts of a test to the report at the end, from other processes too."""
    budget.TALLY.clear()
    yield
    request.node.user_properties.append(("fuzz", [[*key, count] for key, count in budget.TALLY.items()]))


def pytest_terminal_summary(terminalreporter):
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    counts = Counter()
    for report in reports:
        for name, found in getattr(report, "user_properties", ()) if getattr(report, "when", "") == "teardown" else ():
            for kind, ending, count in found if name == "fuzz" else ():
                counts[kind, ending] += count
    if counts:
        terminalreporter.section("inputs tried and how they ended")
        terminalreporter.write_line("\n".join(budget.table(counts)))
