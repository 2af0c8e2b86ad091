"""The figure `reached`."""

from drawings import line
from fakes import complete, evidence, make_study

from bncli.report.figures.reached import reached


def test_a_seed_that_never_reaches_the_threshold_keeps_the_share_below_1():
    def make(config):
        return complete(config, (0.5, 0.7, 0.9) if config.seed else (0.5, 0.6, 0.6))

    given = evidence(make_study("none", seeds=range(4)), make, threshold=0.65)
    figure = reached(given)
    assert line(figure.axes[0], "none").get_xydata().tolist() == [[1, 0], [2, 0.75], [3, 0.75]]
    assert figure.get_suptitle().replace("\n", " ") == "fake  (val_accuracy reaches 0.65; n = 4)"
