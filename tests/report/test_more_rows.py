"""Several metrics are one family of tests: tables, CSV and page."""

from dataclasses import replace

import pytest
from fakes import complete, evidence, make_study

from bncli.analysis.statistics import holm
from bncli.report.more_rows import other_caption, other_rows
from bncli.report.page import render
from bncli.report.rows import result_rows


def better(config):
    """A run that is better with batch normalization in accuracy, and by chance in the loss."""
    gain = 0.1 + 0.001 * config.seed if config.norm == "batch" else 0.0
    done = complete(config, (0.5, 0.7 + gain))
    return replace(done, metrics=done.metrics | {"val_loss": 1 + 0.1 * (config.seed % 3) - gain * (config.seed % 2)})


def shown(*more, seeds=range(8)):
    return replace(evidence(make_study(seeds=seeds), better, 0.1), more=more)


def test_p_values_of_all_metrics_are_corrected_together():
    alone, family = shown(), shown("val_loss", "train_accuracy")
    table = family.family_table
    assert table["metric"].tolist() == ["val_accuracy", "val_loss", "train_accuracy"]
    assert table["p_holm"].tolist() == pytest.approx(holm(table["p_value"].tolist()))
    assert family.differences_table["p_value"].tolist() == alone.differences_table["p_value"].tolist()
    assert family.differences_table["p_holm"].item() == pytest.approx(3 * alone.differences_table["p_holm"].item())


def test_other_metrics_have_a_table_of_their_own():
    family = shown("val_loss")
    assert [row["metric"] for row in other_rows(family)] == ["val_loss"]
    assert other_caption(family) == "differences from none; p (Holm): corrected over all 2 comparisons by 2 metrics"
    assert "Other metrics" in render(family, [], {})
    assert "Other metrics" not in render(shown(), [], {})


def test_a_verdict_takes_more_pairs_where_more_is_tested():
    few = range(6)
    assert result_rows(shown(seeds=few))[1]["verdict"] == "better"
    assert result_rows(shown("val_loss", seeds=few))[1]["verdict"] == "undecided"
