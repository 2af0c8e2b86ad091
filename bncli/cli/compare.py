"""`bncli compare`: train arms with all other fields fixed."""

from __future__ import annotations

from bncli.cli import hints
from bncli.cli.building import build_study
from bncli.cli.options import ArmsOption, Options, takes_options
from bncli.cli.session import Session
from bncli.errors import InvalidConfig, shown


@takes_options
def compare(options: Options, arms: ArmsOption = None) -> None:
    """Compare arms seed by seed, with all other fields fixed.

    The arms are none, batch:before and batch:after unless --arms or a preset says otherwise.
    """
    study, folder = build_study("compare", options, arms, [])
    if study.axes:
        axis = study.axes[0][0]
        raise InvalidConfig(
            f"compare varies the arms only, but study {shown(study.name)} also varies {axis}. "
            f"Try bncli sweep --preset {options.preset}, or fix it: --set {axis}=VALUE."
        )
    session = Session(study, options, folder)
    session.run()
    own = hints.of_arms(arms)
    following = (
        hints.after_compare(session.shown, own, options) if session.shown else hints.again("compare", own, options)
    )
    hints.say_after(following, options)
