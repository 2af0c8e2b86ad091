"""The points of the axes, and the cells of the grid."""

from fakes import IGNORED_AXIS, TWO_AXES, evidence, failed, learned, make_study

from bncli.analysis.grid import cells, distinct_cells


def test_without_axes_there_is_one_point():
    assert evidence(make_study()).points == {(): [0, 1]}


def test_every_arm_belongs_to_every_point():
    assert evidence(make_study(axes=TWO_AXES)).points == {
        ("sigmoid", 0.01): [0, 1],
        ("sigmoid", 0.1): [2, 3],
        ("relu", 0.01): [4, 5],
        ("relu", 0.1): [6, 7],
    }


def test_an_arm_on_which_an_axis_has_no_effect_belongs_to_all_its_points():
    shown = evidence(make_study(axes=IGNORED_AXIS))
    assert len(shown.conditions_table) == 6
    assert shown.points == {(0.9, 0.01): [0, 1], (0.9, 0.1): [2, 3], (0.99, 0.01): [0, 4], (0.99, 0.1): [2, 5]}


def test_an_axis_without_effect_at_a_value_of_another_leaves_one_point_there():
    study = make_study("none", (("optimizer", ("sgd", "adam")), ("momentum", (0.5, 0.9))))
    assert evidence(study).points == {("sgd", 0.5): [0], ("sgd", 0.9): [1], ("adam", None): [2]}


def test_an_axis_without_any_effect_leaves_one_point():
    assert evidence(make_study("none", (("norm_momentum", (0.5, 0.9)),))).points == {(None,): [0]}


def test_a_cell_has_the_runs_of_its_arm_and_of_the_baseline_by_seed():
    shown = evidence(make_study(seeds=(3, 5)), lambda config: failed(config) if config.seed == 3 else learned(config))
    baseline, arm = cells(shown.results, shown.conditions)
    assert (baseline.is_baseline, arm.is_baseline) == (True, False)
    assert (arm.condition.arm, arm.baseline.arm) == ("batch:before", "none")
    assert arm.columns == {"condition": 1, "arm": "batch:before", "baseline": "none"}
    assert (list(arm.runs), list(arm.baseline_runs)) == ([5], [5])
    assert arm.baseline_runs == baseline.runs


def test_an_axis_without_effect_on_arm_and_baseline_makes_repeats_that_distinct_cells_leave_out():
    shown = evidence(make_study("none,layer:before", (("norm_momentum", (0.9, 0.99)),)))
    assert [cell.columns["param_norm_momentum"] for cell in cells(shown.results, shown.conditions)] == [None, None]
    shown = evidence(make_study("none,layer:before,batch:before", (("norm_momentum", (0.9, 0.99)),)))
    every, distinct = (
        [
            (cell.columns["arm"], cell.columns["param_norm_momentum"])
            for cell in function(shown.results, shown.conditions)
        ]
        for function in (cells, distinct_cells)
    )
    arms = ["none", "layer:before", "batch:before"]
    assert every == [(arm, momentum) for momentum in (0.9, 0.99) for arm in arms]
    assert distinct == [("none", None), ("layer:before", None), ("batch:before", 0.9), ("batch:before", 0.99)]


def test_without_the_named_baseline_a_cell_has_nothing_to_be_compared_with():
    shown = evidence(make_study())
    found = list(cells(shown.results, shown.conditions, "layer:before"))
    assert [(cell.baseline, cell.baseline_runs) for cell in found] == [(None, {})] * 2
    assert list(cells([], {})) == []
