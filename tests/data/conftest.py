"""Fixtures of the data tests: no test downloads anything."""

import os
import subprocess
import urllib.request

import pytest

from bncli.data import datasets


@pytest.fixture(autouse=True)
def no_download(monkeypatch):
    """Keras downloads in a process of its own; a test that lets it start one fails."""

    def run(command, **options):
        pytest.fail(f"a test must not start a process: {command}")

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(urllib.request, "urlopen", lambda url, **options: pytest.fail(f"a test must not open {url}"))


@pytest.fixture
def data_dirs(tmp_path, monkeypatch):
    """The two folders in which MNIST is searched, both empty: $BNCLI_DATA_DIR and Keras' cache. Nothing is cached."""
    own, keras_home = tmp_path / "own", tmp_path / "keras"
    monkeypatch.setenv("BNCLI_DATA_DIR", str(own))
    monkeypatch.setenv("KERAS_HOME", str(keras_home))
    own.mkdir()
    datasets.forget()
    yield own, keras_home / "datasets"
    datasets.forget()


@pytest.fixture
def locked_folder(tmp_path):
    """A folder that may not be searched, not even by root: it is somebody else until the end of the test."""
    folder, is_root = tmp_path / "locked", os.geteuid() == 0
    folder.mkdir(mode=0)
    if is_root:
        os.seteuid(65534)
    yield folder
    if is_root:
        os.seteuid(0)
    folder.chmod(0o700)
