"""The peak memory of a process that trains, against the estimate that `--jobs auto` goes by.

    python benchmarks/memory.py

Each network trains in a process of its own for one epoch with validation, in the stacks of a study of 20 epochs. The
first part of the networks was there when the constants of `engines.method` were chosen; the second was not.
"""

import resource
import subprocess
import sys

from bncli.config import RunConfig
from bncli.data import datasets
from bncli.data.mnist import find_mnist_family
from bncli.engines import method
from bncli.resolution import resolve

MNIST = {"train_rows": ":6400", "val_rows": ":1024"}

FITTED = [
    ("circles", "dense50", "batch", 1000, {}),
    ("digits", "mlp", "none", 4, {}),
    ("digits", "mlp", "batch", 64, {}),
    ("digits", "dense64*10", "batch", 32, {}),
    ("digits", "dense256*3", "batch", 64, {}),
    ("digits", "dense1024*3", "batch", 16, {}),
    ("digits", "cnn", "batch", 4, {}),
    ("digits", "cnn", "batch", 32, {}),
    ("digits", "vgg-small", "none", 4, {}),
    ("digits", "vgg-small", "batch", 16, {}),
    ("digits", "resnet-small", "batch", 8, {}),
    ("digits", "lstm64", "batch", 64, {}),
    ("digits", "gru16*2", "batch", 64, {}),
    ("mnist", "lr-cnn", "batch", 4, MNIST),
    ("mnist", "mlp", "batch", 4, {}),
    ("mnist", "mlp", "batch", 64, {}),
]

NEW = [
    ("breast_cancer", "dense32*2", "layer", 64, {}),
    ("diabetes", "dense128*4", "batch", 40, {}),
    ("digits", "dense512*2", "batch", 16, {"batch_size": 256}),
    ("digits", "conv16 conv32 pool flatten dense64", "group", 12, {}),
    ("digits", "gru32", "none", 16, {}),
    ("mnist", "conv8 pool conv8 pool flatten dense32", "batch", 8, {"train_rows": ":10000"}),
    ("mnist", "paper-mlp", "batch", 8, {"train_rows": ":20000"}),
]


def config_of(dataset, model, norm, more):
    return resolve(RunConfig(dataset=dataset, model=model, norm=norm, epochs=20, **more))[0]


def train(place):
    """Train the first stacks of a network, and print the peak memory of this process in bytes."""
    from bncli.engines import stacked

    dataset, model, norm, count, more = (FITTED + NEW)[place]
    config = config_of(dataset, model, norm, more)
    data = datasets.load(config)
    how = method.choose(config, data, count, has_gpu=False)
    runs = [config.replace(seed=seed, epochs=1) for seed in range(how.n_runs * how.lanes)]
    program = stacked.prepare(runs, data, how)
    results = [result for stack in stacked.run_stacks(program, runs, None, None) for result in stack]
    assert not any(result.error for result in results), results[0].error
    print(1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def compare(networks, first):
    print("| data | model | norm | runs | peak memory | estimate | ratio |\n|---|---|---|---|---|---|---|")
    for place, (dataset, model, norm, count, more) in enumerate(networks, first):
        if dataset == "mnist" and find_mnist_family("mnist") is None:
            continue
        command = [sys.executable, __file__, str(place)]
        peak = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        config = config_of(dataset, model, norm, more)
        estimate = method.estimate_bytes(config, datasets.load(config), count, "auto")
        cells = dataset, model, norm, count, *(f"{size / 2**30:.2f} GiB" for size in (peak, estimate))
        print(f"| {' | '.join(map(str, cells))} | {estimate / peak:.2f} |", flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        train(int(sys.argv[1]))
    else:
        compare(NEW, len(FITTED))
        print()
        compare(FITTED, 0)
