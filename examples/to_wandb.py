"""A study in Weights & Biases, offline: every condition with its mean curves.

    python examples/to_wandb.py studies/lr-activation
    wandb sync wandb/offline-run-*      when you are online, if you want

Needs `pip install wandb`.
"""

import os
import sys

import wandb

import bncli


def main(folder: str) -> None:
    """Write each condition of a study as a run."""
    os.environ.setdefault("WANDB_MODE", "offline")
    result = bncli.load(folder)
    epochs, conditions = result.epochs, result.summary
    axes = [name for name in conditions if name.startswith("param_")]
    for place, row in conditions.iterrows():
        settings = {"arm": row["arm"]} | {name.removeprefix("param_"): row[name] for name in axes}
        means = epochs[epochs["condition"] == place].groupby("epoch").mean(numeric_only=True)
        run = wandb.init(project=result.study.name, name=" ".join(map(str, settings.values())), config=settings)
        for epoch, values in means.drop(columns=["condition", "seed", *axes], errors="ignore").iterrows():
            run.log(values.dropna().to_dict(), step=int(epoch))
        run.finish()


if __name__ == "__main__":
    main(*sys.argv[1:])
