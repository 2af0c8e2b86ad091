"""`bncli sweep`: train axes x arms x seeds."""

from __future__ import annotations

from typing import Annotated

import typer

from bncli.cli import hints
from bncli.cli.building import build_study
from bncli.cli.options import ArmsOption, Options, completion, takes_options
from bncli.cli.session import Session
from bncli.config import FIELDS
from bncli.data import datasets
from bncli.tasks.metrics import default_of

FLAGSHIP = "lr-activation"


@takes_options
def sweep(
    options: Options,
    axes: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FIELD=VALUES",
            show_default=False,
            autocompletion=completion(lambda: [f"{name}=" for name in FIELDS]),
            help="Axes: lr=0.001,0.01, lr=log:1e-4:1:9, norm_momentum=lin:0:0.99:5, ...",
        ),
    ] = None,
    arms: ArmsOption = None,
) -> None:
    """Train every arm at every value of the axes, for every seed. Runs that the folder already has are not repeated.

    Without axes and preset, it trains the preset lr-activation: a learning rate and ten times that rate, sigmoid and
    ReLU, without and with batch normalization, on the digits.
    """
    study, folder = build_study("sweep", options, arms, axes or [], None if axes else FLAGSHIP)
    session = Session(study, options, folder)
    session.run()
    own = [*(axes or []), *hints.of_arms(arms)]
    diverged = hints.has_diverged(session.shown)
    score = datasets.load(session.plan.runs[0][0]).score
    done = hints.after_sweep(folder, session.choice.metric or default_of(score), score, diverged=diverged)
    following = hints.again("sweep", own, options) if options.dry_run else done
    hints.say_after(following, options)
