"""Evidence of many kinds of studies, its figures, and what can be read from their artists."""

import functools

from fakes import IGNORED_AXIS, TWO_AXES, diverged, evidence, failed, learned, make_study

from bncli.report.figure import draw_all

NINE = (
    "none,batch:before,batch:after,layer:before,layer:after,group:before,rms:before,rms:after,"
    "batch:before+center=false+scale=false"
)
SIXTY = tuple(round(0.001 * number, 3) for number in range(1, 61))
LONG_MODELS = ("dense4", "dense8 dense8 dropout0.2 dense8 dense8 dense8 dense8", "dense4*3")


def without_some(config):
    """The baseline fails wherever the learning rate is low, and a seed is missing."""
    if config.seed == 1 and config.norm == "batch":
        return None
    return failed(config) if config.norm == "none" and config.lr < 0.05 else learned(config)


SHOWN = {
    "two-axes": evidence(make_study(axes=TWO_AXES)),
    "no-axes": evidence(make_study()),
    "one-epoch": evidence(make_study(axes=TWO_AXES, epochs=1)),
    "one-seed": evidence(make_study(axes=TWO_AXES, seeds=(0,))),
    "one-run": evidence(make_study("none", seeds=(0,), epochs=1)),
    "all-diverged": evidence(make_study(axes=TWO_AXES), diverged),
    "diverged-at-once": evidence(make_study(), lambda config: diverged(config, (0.1,))),
    "some-missing": evidence(make_study(axes=TWO_AXES), without_some),
    "ignored-axis": evidence(make_study(axes=IGNORED_AXIS)),
    "ignored-by-all": evidence(make_study("none", axes=IGNORED_AXIS[:1])),
    "ignored-at-a-value": evidence(make_study(axes=(("optimizer", ("sgd", "adam")), ("momentum", (0.5, 0.9))))),
    "flags": evidence(make_study("none,group:before", (("center", (True, False)),))),
    "no-chance": evidence(make_study(), chance=None),
    "nine-arms-no-axes": evidence(make_study(NINE)),
    "nine-arms": evidence(make_study(NINE, TWO_AXES)),
    "sixty-points": evidence(make_study(axes=(("lr", SIXTY),), seeds=(0,))),
    "sixty-columns": evidence(make_study(axes=(("activation", ("relu", "tanh")), ("lr", SIXTY)), seeds=(0,))),
    "five-points": evidence(make_study(axes=(("lr", SIXTY[:5]),))),
    "long-labels": evidence(make_study(NINE, (("model", LONG_MODELS), ("lr", (0.01, 0.1))), name="a-study " * 20)),
}


@functools.cache
def drawn(name):
    """All figures of one of `SHOWN`, laid out; once, because no test changes them."""
    figures = draw_all(SHOWN[name])
    for figure in figures.values():
        figure.draw_without_rendering()
    return figures


def panels(figure):
    """The axes of a figure without the colour bar."""
    return [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]


def titles(figure):
    return [axes.get_title() for axes in panels(figure)]


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def line(axes, arm):
    return next(each for each in axes.get_lines() if each.get_label() == arm)


def drawn_arms(given):
    """The arms that have a history, in the study's order."""
    return [arm for arm in given.arms if (given.history_table["arm"] == arm).any()]


def labelled(axes):
    """Label to line; the line of points with error bars is the first of their parts."""
    handles, labels = axes.get_legend_handles_labels()
    return {label: getattr(each, "lines", [each])[0] for label, each in zip(labels, handles, strict=True)}
