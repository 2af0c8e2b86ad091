"""How a study expands to runs, and what makes no study."""

import pytest

from bncli.config import RunConfig
from bncli.errors import BncliError
from bncli.study.arms import parse_arm, parse_arms
from bncli.study.files import study_from_dict
from bncli.study.study import Study


def message(call, *arguments, **more):
    with pytest.raises(BncliError) as caught:
        call(*arguments, **more)
    return str(caught.value)


def tiny_study(**changes):
    base = RunConfig(dataset="circles", model="dense4", epochs=1, n_samples=64)
    start = Study("tiny", base, parse_arms("none,batch:before"), (("lr", (0.1, 0.2)),), seeds=(0, 1))
    return start.vary(**changes)


def labels(plan):
    return [(str(condition), config.seed) for config, condition in plan.runs]


def test_runs_come_axes_outermost_then_arms_then_seeds():
    assert labels(tiny_study().plan()) == [
        (f"{arm} lr={lr}", seed) for lr in (0.1, 0.2) for arm in ("none", "batch:before") for seed in (0, 1)
    ]


def test_run_ids_are_unique_and_do_not_depend_on_the_rest_of_the_study():
    plan = tiny_study().plan()
    ids = [config.run_id for config, _ in plan.runs]
    larger = tiny_study(axes=[("lr", (0.3, 0.2, 0.1))], seeds=(2, 1, 0)).plan()
    assert len(set(ids)) == len(ids) == 8
    assert set(ids) < {config.run_id for config, _ in larger.runs}


def test_arms_differ_in_norm_fields_and_bias_only():
    plan = tiny_study(
        arms=parse_arms("none,batch:before,batch:after+norm_momentum=0,layer"), axes=[("lr", (0.1,))]
    ).plan()
    allowed = {"norm", "placement", "norm_momentum", "use_bias"}
    first = plan.runs[0][0].to_dict()
    for config, _ in plan.runs:
        different = {name for name, value in config.to_dict().items() if value != first[name]}
        assert different <= allowed | {"seed"}


def test_a_field_without_effect_on_an_arm_is_not_repeated_and_said_once():
    plan = tiny_study(axes=[("lr", (0.1,)), ("norm_momentum", (0.0, 0.5, 0.9))]).plan()
    assert [str(condition) for condition in plan.conditions] == [
        "none lr=0.1",
        "batch:before lr=0.1 norm_momentum=0",
        "batch:before lr=0.1 norm_momentum=0.5",
        "batch:before lr=0.1 norm_momentum=0.9",
    ]
    again = tiny_study(axes=[("lr", (0.1,)), ("norm_momentum", (0.99, 0.9))]).plan()
    assert str(again.conditions[0]) == "none lr=0.1"
    assert plan.notices == ("Dropped 2 conditions that would repeat another (a field without effect on its arm).",)


def test_a_setting_without_effect_anywhere_is_named():
    plan = tiny_study(fields={"momentum": 0.9}).plan()
    assert plan.notices == ("momentum=0.9 has no effect with optimizer adam and is ignored.",)
    assert tiny_study(fields={"norm_momentum": 0.5}).plan().notices == ()


@pytest.mark.parametrize(
    ("fields", "axes", "notice"),
    [
        ({"optimizer": "sgd", "nesterov": True}, [], "nesterov=true has no effect with momentum 0"),
        ({"decay": "kernels", "weight_decay": 0.0}, [], "decay=kernels has no effect with weight_decay 0"),
        ({"groups": 4}, [], "groups=4 has no effect on these arms"),
        ({"label": "x"}, [], "label=x has no effect with dataset circles"),
        ({"momentum": 0.9}, [("optimizer", ("adam", "lion"))], "momentum=0.9 has no effect with any optimizer here"),
    ],
)
def test_a_setting_without_effect_is_named_with_what_leaves_it_so(fields, axes, notice):
    assert tiny_study(fields=fields, axes=axes).plan().notices == (f"{notice} and is ignored.",)


def test_setting_a_field_pins_its_axis():
    assert tiny_study(fields={"lr": 0.5}).axes == ()
    assert tiny_study(axes=[("lr", (0.5, 0.6))]).axes == (("lr", (0.5, 0.6)),)
    assert "both as an axis and as a single value" in message(tiny_study, fields={"lr": 0.5}, axes=[("lr", (1.0,))])


@pytest.mark.parametrize(
    ("axis", "expected"),
    [
        (("seed", (0, 1)), "seed can't be an axis. Try --seeds N for the seeds 0 to N-1."),
        (
            ("norm", ("none", "batch")),
            "norm can't be an axis: normalizations are compared as arms. Try --arms none,batch:after.",
        ),
        (("lr", (0.1, 0.1)), "The axis lr needs different values. Received: 0.1, 0.1."),
        (("epochs", ()), "The axis epochs needs different values. Received: none."),
    ],
)
def test_axes_that_make_no_study_are_refused(axis, expected):
    assert message(tiny_study, axes=[axis]) == expected


def test_contradictory_studies_are_refused():
    assert message(tiny_study, arms=(parse_arm("none"),) * 2) == "The arm 'none' is given twice. Name each arm once."
    both = message(tiny_study, arms=parse_arms("none,batch+center=false"), axes=[("center", (True, False))])
    assert both == "center is both an axis and part of an arm. Give it in one of them."
    many = message(tiny_study, axes=[("lr", tuple(range(1, 1001))), ("epochs", tuple(range(1, 1001)))])
    assert many == (
        "The study has 4,000,000 runs. Allowed: at most 1,000,000. Try fewer seeds, arms or values, or several studies."
    )


def test_a_stored_study_may_be_larger_than_one_that_is_asked_for():
    study = study_from_dict(tiny_study().to_dict() | {"seeds": list(range(1_000_000))})
    assert study.n_runs == 4_000_000
    assert message(study.check_size) == (
        "The study has 4,000,000 runs. Allowed: at most 1,000,000. Try fewer seeds, arms or values, or several studies."
    )


def test_the_whole_grid_is_checked_before_anything_runs():
    bad = tiny_study(axes=[("model", ("dense4", "conv4"))])
    assert message(bad.plan).startswith("model 'conv4' can't be built: conv4 needs an image")
