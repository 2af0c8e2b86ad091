"""bncli as a process of its own, with an engine that answers at once: `python driver.py sweep ...`.

For tests that need many processes, no TensorFlow and no figures. `PAUSE` seconds lie between batches of `BATCH` runs;
the batch with the seed `STUCK` never returns to Python, the seed `FAILS` fails.
"""

import hashlib
import os
import sys
import time
from dataclasses import replace

import numpy as np
from fakes import failed, learned

from bncli import process
from bncli.cli.app import main
from bncli.registry import Registry
from bncli.report import figure
from bncli.results import Inside, Series
from bncli.tasks.probes import PROBES

BATCH, PAUSE = 4, float(os.environ.get("PAUSE", "0"))
STUCK, FAILS = (int(os.environ.get(name, "-1")) for name in ("STUCK", "FAILS"))


def probed(result):
    """The result with what a probe of each kind might have seen."""
    n_epochs = len(result.history["loss"]) + 1
    series = tuple(Series(name, "layer", 1) for name in PROBES)
    return replace(result, inside=Inside(series, np.ones((n_epochs, len(series)), "float32")))


def told(result):
    """The result as one of its task: in regression R² takes the place of the accuracy, and there are errors."""
    if result.config.task != "regression":
        return result
    history = {name.replace("accuracy", "r2"): values for name, values in result.history.items()}
    metrics = {name.replace("accuracy", "r2"): value for name, value in result.metrics.items()}
    return replace(result, history=history, metrics=metrics | {"val_mae": metrics["val_loss"]})


def train(configs, engine, on_epoch, on_model, probe):
    for start in range(0, len(configs), BATCH):
        batch = configs[start : start + BATCH]
        if any(config.seed == STUCK for config in batch):
            print("stuck", flush=True)
            hashlib.pbkdf2_hmac("sha256", b"", b"", 2_000_000_000)
        results = [failed(config) if config.seed == FAILS else told(learned(config)) for config in batch]
        yield list(map(probed, results)) if probe else results
        time.sleep(PAUSE)


if __name__ == "__main__":
    if "--figure" not in sys.argv:
        figure.REGISTRY = Registry("figure")
    process.run(lambda: main(train))
