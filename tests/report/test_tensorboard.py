"""A study for TensorBoard, read back through TensorBoard's own loader."""

import pytest
from fakes import TRIVIAL, complete, evidence, learned, make_study, record, seen

from bncli.analysis.evidence import read_evidence
from bncli.errors import StoreError
from bncli.report.answer import answer_of
from bncli.report.tensorboard import write_tensorboard

pytest.importorskip("tensorboard")

AXES = (("lr", (0.01, 0.1)),)


def loaded(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    found.Reload()
    return found


def scalars(folder, tag):
    from tensorboard.util.tensor_util import make_ndarray

    return [(event.step, float(make_ndarray(event.tensor_proto))) for event in loaded(folder).Tensors(tag)]


def test_every_condition_is_a_run_with_its_mean_curve_and_settings(tmp_path):
    shown = evidence(make_study(axes=AXES, seeds=range(3)), learned, TRIVIAL)
    names = write_tensorboard(shown, tmp_path)
    assert names == ["study", *(f"{arm},lr={lr}" for lr in (0.01, 0.1) for arm in ("none", "batch:before"))]
    table = shown.conditions_table
    for name, mean in zip(names[1:], table["mean_val_accuracy"], strict=True):
        curve = scalars(tmp_path / name, "val_accuracy")
        assert [step for step, _ in curve] == [1, 2, 3]
        assert curve[-1][1] == pytest.approx(mean, abs=1e-6)
    from tensorboard.plugins.hparams import metadata

    content = loaded(tmp_path / "batch:before,lr=0.1").SummaryMetadata(metadata.SESSION_START_INFO_TAG)
    settings = metadata.parse_session_start_info_plugin_data(content.plugin_data.content).hparams
    assert settings["arm"].string_value == "batch:before"
    assert settings["lr"].number_value == pytest.approx(0.1)


def test_the_study_has_its_answer_its_table_and_its_figures(tmp_path):
    shown = evidence(make_study(axes=AXES, seeds=range(3)), learned, TRIVIAL)
    write_tensorboard(shown, tmp_path)
    found = loaded(tmp_path / "study")
    text = found.Tensors("answer")[0].tensor_proto.string_val[0].decode()
    assert text.startswith(answer_of(shown).sentences[0])
    assert found.Tensors("results")[0].tensor_proto.string_val[0].decode().startswith("| lr   | arm ")
    assert {"curves", "differences", "reached"} <= set(found.Tags()["tensors"])
    assert found.Tensors("curves")[0].tensor_proto.string_val[2].startswith(b"\x89PNG")


@pytest.mark.slow
def test_seeds_are_runs_if_wanted(tmp_path):
    shown = evidence(make_study("none", seeds=(3, 5)), lambda config: complete(config, (0.1, 0.2, config.seed / 10)))
    assert write_tensorboard(shown, tmp_path, by_run=True) == ["study", "none/seed-3", "none/seed-5"]
    assert scalars(tmp_path / "none/seed-5", "val_accuracy")[-1] == (3, pytest.approx(0.5))


@pytest.mark.slow
def test_a_second_time_it_replaces_its_own_and_mixes_with_nothing(tmp_path):
    shown = evidence(make_study("none"), learned, TRIVIAL)
    write_tensorboard(shown, tmp_path)
    with pytest.raises(StoreError) as caught:
        write_tensorboard(shown, tmp_path)
    assert str(caught.value) == (
        f"'{tmp_path}' has a run 'study' already, and TensorBoard would mix both. Try another --out."
    )
    write_tensorboard(shown, tmp_path, replace=True)
    assert len(list(tmp_path.rglob("events.out.tfevents.*"))) == 2


def test_a_folder_that_is_a_file_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"^Can't write '.*file': "):
        write_tensorboard(evidence(make_study("none"), learned, TRIVIAL), tmp_path / "file")


@pytest.mark.slow
def test_probes_are_histograms(tmp_path):
    record(tmp_path / "s", evidence(make_study(), seen))
    names = write_tensorboard(read_evidence(tmp_path / "s"), tmp_path / "out")
    tags = [set(loaded(tmp_path / "out" / name).Tags()["tensors"]) for name in names[1:]]
    assert all("probes/gradient_norm" in found for found in tags)
    assert ["probes/gamma" in found for found in tags] == [False, True]


@pytest.mark.slow
def test_hostile_names_stay_within_the_folder(tmp_path):
    shown = evidence(make_study("none", axes=(("model", ("dense4", "dense8 dense4")),)), learned, TRIVIAL)
    names = write_tensorboard(shown, tmp_path / "in")
    assert all("/" not in name and ".." not in name for name in names)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
