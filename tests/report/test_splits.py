"""The note on draws of the data."""

import html

import numpy as np
from fakes import complete, evidence, make_study, record

from bncli.analysis.variance import difference_shares, draw_share
from bncli.report.files import write_files
from bncli.report.rows import table_caption
from bncli.report.splits import split_note


def drawn(config):
    gain = (
        0.0 if config.norm == "none" else 0.1 * config.data_seed + 0.01 * (config.seed % 2) * (-1) ** config.data_seed
    )
    return complete(config, (0.3 + gain,))


def test_a_study_on_one_draw_has_no_note():
    assert split_note(evidence(make_study())) == ""


def test_an_axis_of_draws_tells_their_share():
    shown = evidence(make_study(axes=(("data_seed", (0, 1, 2)),)), drawn)
    share = draw_share(np.array([[0.0, 0.01], [0.1, 0.09], [0.2, 0.21]]))
    expected = (
        f"Between 3 values of data_seed lies {share.value:.0%} [{share.low:.0%}, {share.high:.0%}] "
        "of the variance of batch:before's difference from none "
    )
    assert split_note(shown) == f"{expected}(2 seeds on each)."
    assert split_note(shown) in table_caption(shown).splitlines()


def test_two_draws_are_too_few():
    assert split_note(evidence(make_study(axes=(("data_seed", (0, 1)),)), drawn)) == ""


def test_data_that_follows_the_seed_tells_no_share():
    assert split_note(evidence(make_study(vary_data=True))) == (
        "Every seed has its own draw of the data (vary_data): intervals and differences include the variance between "
        "draws. A sweep of data_seed without vary_data tells its share."
    )


def test_many_shares_are_told_by_their_range():
    axes = (("lr", (0.01, 0.02, 0.05, 0.1, 0.2)), ("data_seed", (0, 1, 2)))
    shown = evidence(make_study(axes=axes), drawn)
    found = difference_shares(shown.results, shown.conditions, "val_accuracy")
    (value,) = {round(share.value, 9) for share in found.values()}
    assert split_note(shown) == (
        f"Between the values of data_seed lies {value:.0%} to {value:.0%} (median {value:.0%}) of the variance of the "
        "5 differences from none."
    )


def test_the_page_has_the_note_too(tmp_path):
    shown = evidence(make_study(axes=(("data_seed", (0, 1, 2)),)), drawn)
    write_files(shown, record(tmp_path / "out", shown))
    text = html.unescape((tmp_path / "out" / "report.html").read_text())
    assert split_note(shown) in " ".join(text.split())


def test_draws_that_follow_the_seed_share_data_and_tell_no_share_along_their_axis():
    shown = evidence(make_study(axes=(("data_seed", (0, 1, 2)),), vary_data=True), drawn)
    assert split_note(shown).startswith("Every seed has its own draw of the data (vary_data)")


def test_draws_that_differ_by_less_than_chance_have_no_interval():
    def make(config):
        rest = {(0, 0): 1, (0, 1): -1, (1, 0): -1, (1, 1): 1, (2, 0): 0.0, (2, 1): 0.0}[config.data_seed, config.seed]
        return complete(config, (0.3 if config.norm == "none" else 0.5 + 0.01 * rest,))

    note = split_note(evidence(make_study(axes=(("data_seed", (0, 1, 2)),)), make))
    assert note.startswith("Between 3 values of data_seed lies 0% (no interval) of the variance of batch:before's")
