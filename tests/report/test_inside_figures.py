"""The figures of what probes saw: which layers and arms they have, what they draw, and when there are none."""

import numpy as np
import pytest
from fakes import evidence, make_study, record, seen

from bncli.analysis.evidence import read_evidence
from bncli.errors import InvalidConfig, UnknownName
from bncli.report.figure import INSIDE, REGISTRY
from bncli.report.files import write_figure
from bncli.results import Inside
from bncli.study.folder import Store


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("inside") / "s"
    record(path, evidence(make_study(axes=(("lr", (0.01, 0.1)),), seeds=(0, 1, 2)), seen))
    return path


@pytest.fixture(scope="module")
def drawn(folder):
    shown = read_evidence(folder)
    return {name: REGISTRY[name](shown) for name in INSIDE}


def panels(figure):
    return [axes for axes in figure.axes if axes.get_subplotspec() is not None]


def test_ribbons_show_the_median_and_the_percentiles_of_some_layers_from_first_to_last(drawn, folder):
    figure = drawn["inside"]
    assert [axes.get_title() for axes in figure.axes[:2]] == ["none", "batch:before"]
    labels = [axes.get_ylabel() for axes in figure.axes if axes.get_ylabel()]
    assert labels == [f"activation {number}\n(its input)" for number in (1, 3, 4, 6)]
    table = read_evidence(folder).inside_table
    rows = table[(table["arm"] == "none") & (table["number"] == 1) & (table["param_lr"] == 0.01)]
    median = rows[rows["probe"] == "preactivation_p50"].groupby("epoch")["value"].mean()
    np.testing.assert_allclose(figure.axes[0].lines[0].get_ydata(), median)
    low, high = (rows[rows["probe"] == f"preactivation_p{q}"].groupby("epoch")["value"].mean() for q in (15, 85))
    outline = figure.axes[0].collections[0].get_paths()[0].vertices[:, 1]
    assert all(np.isclose(outline, value).any() for value in [*low, *high])


def test_the_heat_map_has_a_cell_for_each_normalization_and_epoch_of_arms_that_have_averages(drawn):
    figure = drawn["stale"]
    assert [axes.get_title() for axes in panels(figure) if axes.images] == ["batch:before"]
    assert panels(figure)[0].images[0].get_array().shape == (6, 4)


def test_lines_of_all_layers_and_a_word_where_an_arm_has_none(drawn):
    figure = drawn["probes"]
    grid = np.array(panels(figure)).reshape(-1, 2)
    names = [row[0].get_ylabel().replace("\n", " ") for row in grid]
    assert names[0] == "dead units"
    assert "lag of the moving mean" in names
    lag = grid[names.index("lag of the moving mean")]
    assert [text.get_text() for text in lag[0].texts] == ["no such layer"]
    assert len(lag[1].lines) == 6


def test_titles_name_the_point_of_the_axes_and_the_seeds(drawn):
    for figure in drawn.values():
        assert "lr 0.01" in figure.method
        assert "n = 3" in figure.method


def test_studies_without_probes_have_none():
    shown = evidence(make_study())
    assert [name for name in INSIDE if REGISTRY[name](shown)] == []


def test_a_report_can_write_one_figure(folder, tmp_path):
    assert write_figure(read_evidence(folder), Store(folder), "stale") == ["figures/stale.png", "figures/stale.svg"]
    assert sorted(path.name for path in (folder / "figures").iterdir()) == ["stale.png", "stale.svg"]
    with pytest.raises(UnknownName, match=r"^Unknown figure 'insid'\. Allowed: .* Did you mean 'inside'\?$"):
        write_figure(read_evidence(folder), Store(folder), "insid")
    record(tmp_path / "plain", evidence(make_study()))
    with pytest.raises(InvalidConfig) as caught:
        write_figure(read_evidence(tmp_path / "plain"), Store(tmp_path / "plain"), "inside")
    assert str(caught.value) == (
        f"The study in '{tmp_path}/plain' has nothing for the figure inside. It needs runs that were trained with "
        "--probe."
    )


def test_a_figure_says_that_some_runs_ended_early(tmp_path):
    def make(config):
        result = seen(config)
        if config.seed == 1:
            short = Inside(result.inside.series, result.inside.values[:2])
            object.__setattr__(result, "inside", short)
        return result

    record(tmp_path / "s", evidence(make_study(), make))
    title = REGISTRY["inside"](read_evidence(tmp_path / "s")).method
    assert "runs that ended early count until then" in title
    record(tmp_path / "t", evidence(make_study(), seen))
    assert "ended early" not in REGISTRY["inside"](read_evidence(tmp_path / "t")).method


def test_titles_say_what_is_left_out(drawn, tmp_path):
    assert "4 of 6 activations" in drawn["inside"].method
    assert "arms" not in drawn["inside"].method
    six = "none,batch:before,batch:after,layer,rms,group"
    record(tmp_path / "s", evidence(make_study(six), seen))
    figure = REGISTRY["probes"](read_evidence(tmp_path / "s"))
    assert "5 of 6 arms" in figure.method
    assert len({axes.get_title() for axes in panels(figure) if axes.get_title()}) == 5


def test_a_zero_leaves_a_gap_in_a_logarithmic_panel(drawn):
    (axes, *_) = (axes for axes in panels(drawn["landscape"]) if axes.get_ylabel() == "loss range")
    assert axes.yaxis.get_transform().transform(np.array([0.0, 1.0])).tolist() == [-np.inf, 0]
