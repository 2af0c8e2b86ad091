"""bncli as a process of its own, with an engine that answers at once: `python driver.py sweep ...`.

For tests that need many processes, no TensorFlow and no figures. `PAUSE` seconds lie between batches of `BATCH` runs;
the batch with the seed `STUCK` never returns to Python, the seed `FAILS` fails.
"""

import hashlib
import os
import time

from fakes import failed, learned

from bncli import process
from bncli.cli.app import main
from bncli.registry import Registry
from bncli.report import figure

BATCH, PAUSE = 4, float(os.environ.get("PAUSE", "0"))
STUCK, FAILS = (int(os.environ.get(name, "-1")) for name in ("STUCK", "FAILS"))


def train(configs, engine, on_epoch, on_model, probe):
    for start in range(0, len(configs), BATCH):
        batch = configs[start : start + BATCH]
        if any(config.seed == STUCK for config in batch):
            print("stuck", flush=True)
            hashlib.pbkdf2_hmac("sha256", b"", b"", 2_000_000_000)
        yield [failed(config) if config.seed == FAILS else learned(config) for config in batch]
        time.sleep(PAUSE)


if __name__ == "__main__":
    figure.REGISTRY = Registry("figure")
    process.run(lambda: main(train))
