"""A study's folder is opened for a call: it belongs to one study, which only grows."""

from pathlib import Path

import pytest
from fakes import bytes_of, complete, make_study

from bncli.data import datasets
from bncli.errors import StoreError
from bncli.study.execution import work_of
from bncli.study.folder import STUDY_FILE, Store
from bncli.study.journal import RUNS_FILE
from bncli.study.opening import as_begun, note_session, open_folder
from bncli.study.shard import Shard


def message(call, *arguments):
    with pytest.raises(StoreError) as caught:
        call(*arguments)
    return str(caught.value)


def opened(folder, study, **more):
    return open_folder(folder, study, study.plan(), **more).store


def refusal(folder, study):
    return message(opened, folder, study)


@pytest.fixture
def out(tmp_path):
    """The folder of the default study, with its first run."""
    study = make_study()
    opened(tmp_path / "out", study).append(complete(study.plan().runs[0][0]))
    return tmp_path / "out"


def test_opening_a_folder_writes_what_the_study_is(out):
    content = Store(out).read_study()
    study = make_study()
    assert content["study"] == study.to_dict()
    assert [condition["arm"] for condition in content["conditions"]] == ["none", "batch:before"]
    assert list(content["datasets"]) == ["circles n_samples=40 noise=0.1 data_seed=1 scaling=none"]
    assert sorted(path.name for path in out.iterdir()) == [RUNS_FILE, STUDY_FILE]


@pytest.mark.parametrize(
    ("fields", "differing"),
    [
        ({"epochs": 5}, "epochs (3 there, 5 here)"),
        ({"lr": 0.1, "model": "dense8"}, "model ('dense4' there, 'dense8' here), lr (0.001 there, 0.1 here)"),
    ],
)
def test_another_study_in_the_folder_is_refused(out, fields, differing):
    before = bytes_of(out)
    assert refusal(out, make_study(**fields)) == (
        f"The output folder '{out}' holds another study: it differs in {differing}. "
        "Try another --out, or make the field an axis."
    )
    assert bytes_of(out) == before


LARGER = [
    make_study("none,batch:before,layer:after"),
    make_study(axes=(("lr", (0.001, 0.1)),)),
    make_study(seeds=(0, 1, 2, 3)),
    make_study("batch:before,none", axes=(("activation", ("relu", "tanh")),), seeds=(4, 0, 1), name="other"),
]


@pytest.mark.parametrize("more", LARGER, ids=["arms", "axis", "seeds", "all"])
def test_more_arms_axis_values_and_seeds_continue_the_study(out, more):
    plan = more.plan()
    found = open_folder(out, more, plan)
    assert not found.is_part
    assert found.store.read_study()["study"] == more.to_dict()
    assert set(work_of(plan, found.store).done) == {make_study().plan().runs[0][0].run_id}


@pytest.mark.parametrize("more", LARGER, ids=["arms", "axis", "seeds", "all"])
@pytest.mark.parametrize("shard", [None, Shard(1, 2)])
def test_a_smaller_call_leaves_the_study_as_it_is(out, more, shard):
    opened(out, more)
    before = bytes_of(out)
    found = open_folder(out, make_study(), make_study().plan(), shard)
    assert found.is_part
    assert [arm.label for arm in found.whole.arms] == more.to_dict()["arms"]
    assert (found.whole.axes, found.whole.seeds) == (more.axes, more.seeds)
    assert bytes_of(out) == before


def test_a_call_that_has_more_and_less_makes_the_union(out):
    opened(out, make_study("none,batch:before", axes=(("lr", (0.001, 0.1)),), seeds=(0, 1)))
    found = open_folder(out, other := make_study("none,layer:after", seeds=(1, 2), name="other"), other.plan())
    assert found.is_part
    content = found.store.read_study()
    assert (content["study"]["arms"], content["study"]["seeds"]) == (["none", "batch:before", "layer:after"], [0, 1, 2])
    assert content["study"]["axes"] == {"lr": [0.001, 0.1]}
    assert content["study"]["name"] == "other"
    assert [(entry["arm"], entry["values"]["lr"]) for entry in content["conditions"]] == [
        (arm, lr) for lr in (0.001, 0.1) for arm in ("none", "batch:before", "layer:after")
    ]
    assert len({entry["id"] for entry in content["conditions"]}) == 6


def test_changed_data_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = make_study(dataset="points.csv", n_samples=None, label="kind")
    write_points("points.csv", 0)
    opened(Path("out"), study)
    opened(Path("out"), study)
    write_points("points.csv", 1)
    assert refusal(Path("out"), study) == (
        "The data 'points.csv label=kind data_seed=0 scaling=standard' is not what the runs in 'out' were trained on. "
        "Restore the data, or try another --out."
    )


def test_data_of_runs_that_the_call_leaves_out_must_not_change_when_it_comes_back(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_points("points.csv", 0)
    axis = ("scaling", ("standard", "none"))
    wide, narrow = (make_study(dataset="points.csv", n_samples=None, label="kind", axes=a) for a in ((axis,), ()))
    narrow = narrow.vary({"scaling": "none"})
    opened(Path("out"), wide)
    content = opened(Path("out"), narrow).read_study()
    standard, plain = (f"points.csv label=kind data_seed=0 scaling={value}" for value in axis[1])
    assert set(content["datasets"]) == set(content["fingerprints"]) == {standard, plain}
    write_points("points.csv", 1)
    study = narrow.vary({"scaling": "standard"}).vary(axes=[("scaling", ("standard",))])
    refused = f"The data {standard!r} is not what the runs in 'out' were trained on. "
    assert refusal(Path("out"), study) == refused + "Restore the data, or try another --out."
    anew = opened(Path("out"), study, anew=True).read_study()
    assert list(anew["fingerprints"]) == list(anew["datasets"]) == [standard]


def test_a_folder_of_an_earlier_bncli_without_fingerprints_and_sessions_goes_on(out):
    store = Store(out)
    before = store.read_study()
    facts = before["datasets"]
    for name in ("fingerprints", "sessions"):
        before.pop(name, None)
    store.write_study(before | {"command": "bncli of old"})
    content = opened(out, make_study(seeds=(0, 1, 2))).read_study()
    assert content["fingerprints"] == {name: each["fingerprint"] for name, each in facts.items()}
    assert content["command"] == "bncli of old"
    note_session(store)
    old, new = store.read_study()["sessions"]
    assert (old["command"], new["command"]) == ("bncli of old", store.read_study()["command"])


def test_sessions_keep_the_facts_of_calls_that_trained(out, monkeypatch):
    store = Store(out)
    facts = {name: store.read_study()[name] for name in FACTS}
    note_session(store)
    note_session(store)
    assert store.read_study()["sessions"] == [facts]
    monkeypatch.setattr("sys.argv", ["bncli", "sweep", "--seeds", "9"])
    opened(out, make_study(seeds=(0, 1, 2)))
    assert {name: store.read_study()[name] for name in FACTS} == facts
    note_session(store)
    content = store.read_study()
    assert content["sessions"] == [facts, facts | {"command": "bncli sweep --seeds 9"}]
    assert {name: content[name] for name in FACTS} == content["sessions"][-1]
    assert content["study"] == make_study(seeds=(0, 1, 2)).to_dict()


FACTS = ("versions", "host", "devices", "settings", "git", "command")


def write_points(path, first):
    rows = [f"{first if i == 0 else i},{i % 3},{'ab'[i % 2]}" for i in range(40)]
    Path(path).write_text("\n".join(["x,y,kind", *rows, ""]))
    datasets.forget()


NET = """
import keras

def build(input_shape, n_outputs, norm):
    return keras.Sequential([keras.layers.Dense(3), norm(), keras.layers.Dense(n_outputs)])
"""


def test_a_changed_file_of_a_network_is_refused_and_its_text_is_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(NET)
    study = make_study("none,batch", model="net.py")
    content = opened(Path("out"), study).read_study()
    (facts,) = content["networks"].values()
    assert facts["text"] == NET
    assert {config.model_digest for config, _ in study.plan().runs} == {facts["digest"]}
    opened(Path("out"), study)
    Path("net.py").write_text(NET.replace("Dense(3)", "Dense(4)"))
    assert refusal(Path("out"), study) == (
        "The file of model 'net.py' is not what the runs in 'out' were trained with. Restore it (study.json has its "
        "text), or try another --out."
    )


def test_a_folder_from_before_columns_were_left_out_goes_on_with_all_of_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.csv").write_text(",a,label\n" + "".join(f"{n},{n % 5},{'xy'[n % 2]}\n" for n in range(16)))
    table = {"dataset": "mine.csv", "label": "label"}
    old, new = make_study(**table, drop=None), make_study(**table)
    opened(tmp_path / "out", old)
    content = Store(tmp_path / "out").read_study()
    del content["study"]["run"]["drop"]
    Store(tmp_path / "out").write_study(content)
    begun = as_begun(new, tmp_path / "out")
    assert begun == old
    assert [run for run, _ in begun.plan().runs] == [run for run, _ in old.plan().runs]
    assert Store(opened(tmp_path / "out", begun).folder).read_study()["conditions"] == content["conditions"]
    assert as_begun(new, tmp_path / "other").plan().runs[0][0].drop == "Unnamed: 0"
