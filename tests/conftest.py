"""Fixtures for all tests: a fixed terminal, no network, no one's own cache, no TensorFlow chatter."""

import os
import signal

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as in the background of a script; commands would inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A first draw builds character tables, and CI machines are busy: time is no property of the code under test.
settings.register_profile("bncli", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("bncli")


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch, tmp_path):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("BNCLI_TRACEBACK", "1")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras-home"))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def no_figures(monkeypatch):
    """Reports without figures, which take longest."""
    from bncli.report import figure

    monkeypatch.setattr(figure, "draw_all", lambda evidence: {})


@pytest.fixture
def mnist():
    """Real MNIST, or a skip: it can't be shipped, and a test downloads nothing."""
    from bncli.data.mnist import find_mnist_family

    if find_mnist_family("mnist") is None:
        pytest.skip("needs MNIST in $BNCLI_DATA_DIR")
