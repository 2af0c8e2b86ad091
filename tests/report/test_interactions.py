"""Interactions as rows and as a sentence."""

import pytest
from fakes import complete, evidence, make_study

from bncli.report.interactions import NOTE, interaction_rows, interaction_sentence

LR = ("lr", (0.005, 0.05))
THREE = ("lr", (0.005, 0.05, 0.5))
MIDDLE = {0.005: 0.1, 0.05: 0.4, 0.5: 0.1}
ACTIVATION = ("activation", ("sigmoid", "relu"))


def leading(leads, spread=0.01):
    """Runs in which the arm leads by these amounts, looked up by learning rate or by (activation, learning rate)."""

    def make(config):
        lead = leads.get(config.lr, leads.get((config.activation, config.lr), 0.0))
        return complete(config, (0.1, 0.5 + (lead + spread * (config.seed % 3)) * (config.norm != "none")))

    return make


def sentence(leads, axes=(LR,), n=8, metric="val_accuracy", spread=0.01):
    def make(config):
        scale = 1 if config.lr == 0.05 else 0.5
        return leading(leads, spread * scale)(config)

    return interaction_sentence(evidence(make_study(axes=axes, seeds=range(n)), make, None, metric=metric))


def test_the_largest_and_the_smallest_change_between_the_ends_are_told():
    leads = {("sigmoid", 0.005): 0.0, ("sigmoid", 0.05): 0.4, ("relu", 0.005): 0.0, ("relu", 0.05): 0.08}
    assert sentence(leads, (ACTIVATION, LR)).startswith(
        "From lr 0.005 to 0.05, batch:before's advantage over none in validation accuracy grows by 0.404 [0.40"
    )
    assert "with activation sigmoid; the advantage grows by 0.084 [0.08" in sentence(leads, (ACTIVATION, LR))


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        (0.1, 0.3, "advantage over none in validation accuracy grows by 0.204"),
        (0.3, 0.1, "advantage over none in validation accuracy shrinks by 0.196"),
        (-0.3, -0.1, "disadvantage against none in validation accuracy shrinks by 0.204"),
        (-0.1, -0.3, "disadvantage against none in validation accuracy grows by 0.196"),
        (-0.1, 0.1, "advantage over none in validation accuracy grows by 0.204"),
    ],
)
def test_an_advantage_grows_or_shrinks_and_so_does_a_disadvantage(before, after, text):
    assert text in sentence({0.005: before, 0.05: after})


def test_a_lower_loss_is_an_advantage():
    assert "advantage over none in validation loss grows by 0.204" in sentence(
        {0.005: 0.1, 0.05: 0.3}, metric="val_loss"
    )


def test_where_no_change_is_clear_the_sentence_says_so():
    assert sentence({0.005: 0.1, 0.05: 0.1}, spread=0.0) == (
        "Differences from none show no clear change along lr; the clearest is that of batch:before from lr 0.005 to "
        "0.05, by 0.000 (all equal)."
    )


def test_so_few_seeds_that_no_change_could_be_clear_are_the_reason_given():
    assert sentence({0.005: 0.1, 0.05: 0.3}, n=3).startswith(  # three pairs have no p-value
        "3 seeds can't show a clear change of differences from none over 1 contrast along lr; the clearest is that of"
    )
    assert sentence(MIDDLE, (THREE,), n=6, spread=0.1).startswith(
        "6 seeds can't show a clear change of differences from none over 3 contrasts along lr; the clearest is that of "
        "batch:before from lr 0.005 to 0.05, by +0.350 ["
    )


def test_a_clear_change_between_neighbours_is_told_where_the_ends_are_not_clear():
    assert sentence(MIDDLE, (THREE,), spread=0.1).startswith(
        "From lr 0.005 to 0.05, batch:before's advantage over none"
    )


def some_die_at(rate):
    """Runs in which the arm leads by 0.3 from the rate 0.05 on, and is dead at one rate in two of nine seeds."""

    def make(config):
        dies = config.lr == rate and config.norm != "none" and config.seed < 2
        lead = 0.3 * (config.lr >= 0.05) * (config.norm != "none")
        return complete(config, (0.1, 0.1 if dies else 0.5 + lead))

    return make


def test_contrasts_where_only_some_seeds_learned_are_left_out_and_counted():
    shown = evidence(make_study(axes=(THREE,), seeds=range(9)), some_die_at(0.5), 0.1)
    assert interaction_sentence(shown) == (
        "From lr 0.005 to 0.05, batch:before's advantage over none in validation accuracy grows by 0.300 (all equal). "
        "How differences from none change along lr is left out in 2 of 3 contrasts: only some seeds of an arm learned "
        "there, and a mean says little."
    )
    cells = [(row["difference there"], row["change"], row["p"], row["p (Holm)"]) for row in interaction_rows(shown)]
    assert cells == [
        ("0.000 to +0.300", "+0.300 (all equal)", "0.004", "0.004"),
        ("+0.300 to +0.144", "-", "-", "-"),
        ("0.000 to +0.144", "-", "-", "-"),
    ]
    assert NOTE == (
        "How the difference from the baseline changes along an axis: the difference at the second value (to) minus "
        "that at the first (from), a paired difference of differences [95% interval]. p: sign-flip test. p (Holm): "
        "corrected for the number of rows of this table that have a p. Where only some seeds of an arm learned at one "
        "of the values, a mean says little, and the change is left out."
    )


def test_where_all_contrasts_are_left_out_nothing_else_is_said():
    shown = evidence(make_study(axes=(LR,), seeds=range(9)), some_die_at(0.05), 0.1)
    assert interaction_sentence(shown) == (
        "How differences from none change along lr is left out in 1 of 1 contrast: only some seeds of an arm learned "
        "there, and a mean says little."
    )


def test_there_is_no_sentence_without_an_axis():
    assert interaction_sentence(evidence(make_study())) == ""
    assert interaction_rows(evidence(make_study())) == []


def test_the_rows_of_the_page():
    study = make_study(axes=(ACTIVATION, LR), seeds=range(3))
    rows = interaction_rows(evidence(study, leading({0.005: 0.1, 0.05: 0.3}), None))
    assert len(rows) == 4
    assert rows[1] == {
        "arm": "batch:before",
        "along": "lr",
        "from": "0.005",
        "to": "0.05",
        "at": "activation sigmoid",
        "difference there": "+0.110 to +0.310",
        "change": "+0.200 (all equal)",
        "p": "-",
        "p (Holm)": "-",
        "seeds": "3",
    }
