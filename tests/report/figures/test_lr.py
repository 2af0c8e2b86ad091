"""The figure `lr`."""

from drawings import labelled
from fakes import complete, diverged, evidence, make_study

from bncli.report.figures.lr import lr


def test_the_response_has_the_means_at_their_rates_and_the_ranges_that_learn():
    def make(config):
        return complete(config, (0.5, 0.9 if config.lr < 0.05 or config.norm != "none" else 0.5))

    given = evidence(make_study(axes=(("lr", (0.001, 0.01, 0.1)),)), make)
    axes = lr(given).axes[0]
    assert axes.get_xscale() == "log"
    assert labelled(axes)["none"].get_xydata().tolist() == [[0.001, 0.9], [0.01, 0.9], [0.1, 0.5]]
    spans = [list(each.get_xdata()) for each in axes.get_lines() if each.get_linewidth() == 4]
    assert spans == [[0.001, 0.01], [0.001, 0.1]]


def test_without_a_range_that_learns_there_is_no_thick_line():
    given = evidence(make_study(axes=(("lr", (0.001, 0.01, 0.1)),)), diverged)
    figure = lr(given)
    assert [each for each in figure.axes[0].get_lines() if each.get_linewidth() == 4] == []
    assert "thick lines" not in figure.method


def test_a_response_curve_lies_inside_the_axes_of_every_panel():
    """The panels share their scale, so room for the thick lines is made once and not once per panel."""

    def make(config):
        return complete(config, (0.2 if config.activation == "sigmoid" else 0.9 + 0.01 * config.seed,))

    axes = (("activation", ("sigmoid", "relu")), ("lr", (0.001, 0.01, 0.1)))
    figure = lr(evidence(make_study(axes=axes), make, chance=0.1))
    for panel in figure.axes:
        low, high = panel.get_ylim()
        assert low < 0.2
        assert high > 0.91
        assert high - low < 1.3 * (0.91 - 0.1)


def test_a_metric_without_any_value_has_no_figure():
    shown = evidence(make_study(axes=(("lr", (0.001, 0.01, 0.1)),)), diverged, metric="val_loss")
    assert lr(shown) is None
