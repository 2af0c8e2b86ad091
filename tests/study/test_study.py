"""Arms, axes, study files, and how a study expands to runs and executes what is missing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bncli.config import RunConfig
from bncli.errors import BncliError
from bncli.results import RunResult
from bncli.study.arms import ARM_FIELDS, parse_arm, parse_arms
from bncli.study.axes import parse_axis
from bncli.study.execution import execute
from bncli.study.files import load_study, presets, study_from_dict
from bncli.study.folder import Store, default_folder, open_store
from bncli.study.study import Study


def tiny_study(**changes):
    base = RunConfig(dataset="circles", model="dense4", epochs=1, n_samples=64)
    start = Study("tiny", base, parse_arms("none,batch:before"), (("lr", (0.1, 0.2)),), seeds=(0, 1))
    return start.vary(**changes)


def message(call, *arguments, **more):
    with pytest.raises(BncliError) as caught:
        call(*arguments, **more)
    return str(caught.value)


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
    assert plan.notices == ("momentum=0.9 has no effect here and is ignored.",)
    assert tiny_study(fields={"norm_momentum": 0.5}).plan().notices == ()


def test_setting_a_field_pins_its_axis():
    assert tiny_study(fields={"lr": 0.5}).axes == ()
    assert tiny_study(axes=[("lr", (0.5, 0.6))]).axes == (("lr", (0.5, 0.6)),)
    assert "both as an axis and as a single value" in message(tiny_study, fields={"lr": 0.5}, axes=[("lr", (1.0,))])


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        ("none", {"norm": "none"}),
        ("batch", {"norm": "batch"}),
        ("batch:after", {"norm": "batch", "placement": "after"}),
        (
            "batch:after+center=false+scale=false",
            {"norm": "batch", "placement": "after", "center": False, "scale": False},
        ),
        ("group:before+groups=4", {"norm": "group", "placement": "before", "groups": 4}),
        ("none+use_bias=false", {"norm": "none", "use_bias": "false"}),
    ],
)
def test_arms_are_read_as_typed(text, changes):
    arm = parse_arm(text)
    assert (arm.label, dict(arm.changes)) == (text, changes)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bach", "Unknown arm 'bach'. Allowed: none, batch, layer, group, rms. Did you mean 'batch'?"),
        ("batch:above", "Unknown placement 'above'. Allowed: before, after, input."),
        ("batch+lr=1", None),
        ("batch+center", "'center' in arm 'batch+center' must be FIELD=VALUE, e.g. norm_momentum=0."),
        ("batch+center=maybe", "center must be true, false. Received: 'maybe'."),
        ("batch+norm_momentum=2", "norm_momentum must be a number from 0 below 1. Received: 2.0."),
        ("none:after", "Arm 'none:after': without a normalization there is nothing to place or set. Write none."),
        ("", "Unknown arm ''. Allowed: none, batch, layer, group, rms."),
    ],
)
def test_bad_arms_are_refused(text, expected):
    allowed = ", ".join(ARM_FIELDS)
    assert message(parse_arm, text) == (expected or f"Unknown field of an arm 'lr'. Allowed: {allowed}.")


@pytest.mark.parametrize(
    ("text", "axis"),
    [
        ("lr=0.001,0.01", ("lr", (0.001, 0.01))),
        ("lr=log:1e-4:1:5", ("lr", (0.0001, 0.001, 0.01, 0.1, 1.0))),
        ("norm_momentum=lin:0:0.9:4", ("norm_momentum", (0.0, 0.3, 0.6, 0.9))),
        ("batch_size=log:2:512:5", ("batch_size", (2, 8, 32, 128, 512))),
        ("model=dense8,conv4 flatten dense8", ("model", ("dense8", "conv4 flatten dense8"))),
        ("center=true,false", ("center", (True, False))),
    ],
)
def test_axes_are_read_as_typed(text, axis):
    assert parse_axis(text) == axis


RANGE = (
    "a range is log:LOW:HIGH:COUNT (both above 0) or lin:LOW:HIGH:COUNT, with a COUNT of 2 or more, "
    "for a field that holds numbers."
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lr", "An axis is FIELD=VALUE,VALUE,... or FIELD=log:LOW:HIGH:COUNT. Received: 'lr'."),
        ("lr=", "An axis is FIELD=VALUE,VALUE,... or FIELD=log:LOW:HIGH:COUNT. Received: 'lr='."),
        ("lr=a,b", "lr must be a number above 0 to 1e+06. Received: 'a'."),
        ("lr=log:0:1:5", f"lr=log:0:1:5: {RANGE}"),
        ("lr=log:1:5", f"lr=log:1:5: {RANGE}"),
        ("lr=lin:1:nan:5", f"lr=lin:1:nan:5: {RANGE}"),
        ("activation=lin:0:1:3", f"activation=lin:0:1:3: {RANGE}"),
    ],
)
def test_bad_axes_are_refused(text, expected):
    assert message(parse_axis, text) == expected


@pytest.mark.parametrize(
    ("axis", "expected"),
    [
        (("seed", (0, 1)), "seed can't be an axis. Try --seeds N for the seeds 0 to N-1."),
        (
            ("norm", ("none", "batch")),
            "norm can't be an axis: normalizations are compared as arms. Try --arms none,batch:after.",
        ),
        (("lr", (0.1, 0.1)), "The axis lr needs different values. Received: 0.1, 0.1."),
        (("epochs", ()), "The axis epochs needs different values. Received: ."),
    ],
)
def test_axes_that_make_no_study_are_refused(axis, expected):
    assert message(tiny_study, axes=[axis]) == expected


def test_contradictory_studies_are_refused():
    assert message(tiny_study, arms=parse_arms("none,none")) == "The arm 'none' is given twice. Name each arm once."
    both = message(tiny_study, arms=parse_arms("none,batch+center=false"), axes=[("center", (True, False))])
    assert both == "center is both an axis and part of an arm. Give it in one of them."
    many = message(tiny_study, axes=[("lr", tuple(range(1, 1001))), ("epochs", tuple(range(1, 1001)))])
    assert many == "The study has 4,000,000 runs. Allowed: at most 1,000,000."


def test_the_whole_grid_is_checked_before_anything_runs():
    bad = tiny_study(axes=[("model", ("dense4", "conv4"))])
    assert message(bad.plan).startswith("model 'conv4' can't be built: conv4 needs an image")


TEXTS = st.text("batchnoelyrgpums:+=,.0123456789-", max_size=25)


@given(TEXTS)
def test_any_text_is_an_arm_or_a_clear_error(text):
    try:
        assert parse_arms(text)
    except BncliError as error:
        assert str(error)


@given(st.sampled_from(["lr", "epochs", "center", "model", "activation", "zz"]), TEXTS)
def test_any_text_is_an_axis_or_a_clear_error(name, text):
    try:
        _, values = parse_axis(f"{name}={text}")
    except BncliError as error:
        assert str(error)
        return
    assert values


@pytest.mark.parametrize("name", presets())
def test_every_preset_is_a_question_with_a_baseline(name):
    study = load_study(name)
    assert study.name == name
    assert study.question.endswith("?")
    assert study.source
    assert study.arms[0].label == "none"
    assert len(study.arms) >= 2
    assert study == study_from_dict(study.to_dict())


@pytest.mark.parametrize("name", presets())
def test_every_preset_plans(name, request):
    study = load_study(name)
    if study.base.dataset == "mnist":
        request.getfixturevalue("mnist")
    plan = study.plan()
    assert all(notice.startswith("Dropped ") for notice in plan.notices)  # an axis that the baseline does not feel
    assert plan.notices or len({config.run_id for config, _ in plan.runs}) == study.n_runs


def test_the_published_studies_keep_the_published_settings():
    flagship, published = load_study("lr-activation"), load_study("lr-activation-mnist")
    assert [name for name, _ in flagship.axes] == [name for name, _ in published.axes] == ["activation", "lr"]
    assert dict(published.axes)["lr"] == (0.001, 0.01)
    assert (published.base.epochs, published.base.batch_size, published.base.shuffle) == (3, 32, False)
    assert published.base.norm_output
    circles = load_study("circles-placement").base
    assert (circles.optimizer, circles.lr, circles.momentum, circles.epochs) == ("sgd", 0.01, 0.9, 100)
    digits = dict(flagship.axes)["lr"]
    assert digits[1] == pytest.approx(10 * digits[0])


def write(folder, text):
    path = folder / "mine.toml"
    path.write_text(text)
    return str(path)


def test_a_study_file_of_ones_own(folder):
    path = write(
        folder,
        'question = "Why?"\nseeds = [3, 5]\narms = ["none", "rms"]\n[run]\nlr = 1\n[axes]\nbatch_size = "log:8:32:3"\n',
    )
    study = load_study(path)
    assert (study.name, study.question, study.seeds) == ("mine", "Why?", (3, 5))
    assert study.axes == (("batch_size", (8, 16, 32)),)
    assert study.base.lr == 1.0
    assert [arm.label for arm in study.arms] == ["none", "rms"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("seeds = 0", "seeds must be a whole number from 1 or a list of seeds. Received: 0."),
        ("seeds = [1, 'x']", "seeds must be a whole number from 1 or a list of seeds. Received: [1, 'x']."),
        (
            "sed = 1",
            "Unknown key 'sed'. Allowed: name, question, source, seeds, arms, axes, run, claims. Did you mean 'seeds'?",
        ),
        ("arms = 'none'", "arms has the wrong type. Received: 'none'. See the README on study files."),
        ("[run]\nlr = 'x'", "lr must be a number above 0 to 1e+06. Received: 'x'."),
        ("[axes]\nlr = 3", "The axis lr must be a list or a range. Received: 3."),
        ("[axes]\nlr = [0.1, 'x']", "lr must be a number above 0 to 1e+06. Received: 'x'."),
        ("[axes]\nseed = [1]", "seed can't be an axis. Try --seeds N for the seeds 0 to N-1."),
    ],
)
def test_bad_study_files_are_refused_with_their_name(folder, text, expected):
    path = write(folder, text)
    assert message(load_study, path) == f"In study {path!r}: {expected}"


def test_what_is_no_study_file(folder):
    path = write(folder, "a = = 1")
    assert message(load_study, path).startswith(f"{path!r} can't be read as TOML: ")
    known = ", ".join(presets())
    assert message(load_study, "lr-activaton") == (
        f"Unknown preset 'lr-activaton'. Allowed: {known}, or the path of a .toml file. Did you mean 'lr-activation'?"
    )
    assert message(load_study, "no.toml") == f"No study file 'no.toml'. Allowed: {known}, or the path of a .toml file."


class Recorder:
    """Stands where the engine stands and remembers what it was asked to train."""

    def __init__(self, fail=()):
        self.trained, self.fail = [], fail

    def __call__(self, configs, on_epoch, on_model, engine):
        for config in configs:
            self.trained.append(config.run_id)
            state = "failed" if config.seed in self.fail else "complete"
            history = {"loss": [1.0], "accuracy": [0.5], "val_loss": [1.0], "val_accuracy": [0.5]}
            yield [RunResult(config, state, metrics={}, history=history if state == "complete" else {})]


@pytest.fixture
def engine(monkeypatch):
    recorder = Recorder()
    monkeypatch.setattr(studies, "_train", recorder)
    return recorder


def run_in(folder, study, **more):
    plan = study.plan()
    return execute(plan, open_store(folder, study, plan), **more)


def test_the_same_study_again_trains_nothing(folder, engine):
    first = run_in(folder / "s", tiny_study())
    assert len(engine.trained) == 8
    assert run_in(folder / "s", tiny_study()) == first
    assert len(engine.trained) == 8


def test_only_who_trains_is_noted_as_a_session(folder, engine, monkeypatch):
    for command in ("first", "first", "looks", "second"):
        monkeypatch.setattr("sys.argv", ["bncli", command])
        run_in(folder / "s", tiny_study(seeds=(0, 1) if command == "second" else (0,)))
    content = Store(folder / "s").read_study()
    assert [session["command"] for session in content["sessions"]] == ["bncli first", "bncli second"]
    assert content["command"] == "bncli second"


def test_a_larger_study_trains_only_what_is_new(folder, engine):
    run_in(folder / "s", tiny_study())
    results = run_in(folder / "s", tiny_study(axes=[("lr", (0.1, 0.2, 0.3))], seeds=(0, 1, 2)))
    assert (len(results), len(engine.trained), len(set(engine.trained))) == (18, 18, 18)


def test_results_come_in_the_order_of_the_plan_whatever_was_done_before(folder, engine):
    run_in(folder / "s", tiny_study(seeds=(1,)))
    results = run_in(folder / "s", tiny_study())
    assert [result.config for result in results] == [config for config, _ in tiny_study().plan().runs]


def test_failed_runs_are_trained_again_only_on_request(folder, engine):
    engine.fail = (1,)
    run_in(folder / "s", tiny_study())
    engine.fail = ()
    assert [r.state for r in run_in(folder / "s", tiny_study())].count("failed") == 4
    assert {r.state for r in run_in(folder / "s", tiny_study(), retry_failed=True)} == {"complete"}
    assert len(engine.trained) == 12


def test_a_run_is_on_disk_before_it_is_told(folder, engine):
    seen = []

    def told(result, condition):
        seen.append((len(Store(folder / "s").read_runs()), str(condition)))

    run_in(folder / "s", tiny_study(), on_result=told)
    assert [count for count, _ in seen] == list(range(1, 9))
    assert seen[0][1] == "none lr=0.1"


def test_a_study_gets_a_folder_that_larger_versions_share():
    plain = default_folder(tiny_study(), is_preset=True)
    own = default_folder(tiny_study(), is_preset=False)
    larger = tiny_study(axes=[("lr", (1.0,))], seeds=(0,), arms=parse_arms("none"))
    assert str(plain) == "studies/tiny"
    assert default_folder(larger, is_preset=False) == own != plain
    assert default_folder(tiny_study(fields={"epochs": 2}), is_preset=False) != own
