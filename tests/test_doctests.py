"""The examples in the docstrings run and print what they say."""

import doctest
import importlib

import pytest
from test_architecture import MODULES

WITH_EXAMPLES = [name for name, path in MODULES.items() if ">>>" in path.read_text()]


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples(name, folder):
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    found = doctest.testmod(importlib.import_module(f"bncli.{name}"), optionflags=options)
    assert (found.failed, found.attempted > 0) == (0, True)


def test_the_main_functions_have_examples():
    assert {"registry", "values", "config", "study.arms", "study.axes", "analysis.statistics"} <= set(WITH_EXAMPLES)
