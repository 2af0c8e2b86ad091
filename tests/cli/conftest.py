"""Fixtures that run the command line in this process."""

import sys

import pytest

from bncli.cli.app import main
from bncli.results import RunResult


@pytest.fixture
def bncli(monkeypatch, capsys, folder):
    """Call the command line in an empty folder: returns exit status, stdout, stderr."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["bncli", *arguments])
        with pytest.raises(SystemExit) as ended:
            main(call.trainer)
        out = capsys.readouterr()
        return ended.value.code or 0, out.out, out.err

    call.trainer = None  # the engines
    return call


@pytest.fixture
def engine(bncli):
    """An engine that answers at once: validation accuracy 0.5 + lr + 0.01 x seed."""
    trained = []

    def answer(configs, engine, on_epoch, on_model, probe):
        for config in configs:
            trained.append(config)
            value = 0.5 + config.lr + 0.01 * config.seed
            history = {"loss": [1.0], "accuracy": [value], "val_loss": [1.0], "val_accuracy": [value]}
            if on_epoch:
                on_epoch([config], 1)
            metrics = {name: values[-1] for name, values in history.items()} | {"train_accuracy": value}
            params = {"total": 10, "trainable": 8}
            yield [RunResult(config, "complete", params=params, metrics=metrics, history=history, seconds=0.5)]

    bncli.trainer = answer
    return trained
