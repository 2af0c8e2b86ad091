"""The functions that a notebook calls."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import bncli
from bncli.analysis.choice import choose
from bncli.errors import BncliError, InvalidConfig, StoreError, UnknownName
from bncli.study.arms import parse_arms
from bncli.study.folder import Store

TINY = {"dataset": "circles", "model": "dense4", "epochs": 2, "n_samples": 64}


def test_train_returns_the_result_of_one_run():
    result = bncli.train(bncli.RunConfig(**TINY, norm="batch", seed=3))
    assert (result.state, result.config.seed, result.config.scaling) == ("complete", 3, "none")
    assert len(result.history["val_accuracy"]) == 2


def test_a_study_is_trained_stored_and_read_back(tmp_path):
    study = bncli.Study("mine", bncli.RunConfig(**TINY), parse_arms("none,batch:after"), seeds=(0, 1))
    results = bncli.run_study(study, out=tmp_path / "s")
    table = bncli.load_runs(tmp_path / "s")
    assert [(row.arm, row.seed) for row in table.itertuples()] == [
        (arm, seed) for arm in ("none", "batch:after") for seed in (0, 1)
    ]
    assert table["val_accuracy"].tolist() == [result.metrics["val_accuracy"] for result in results]
    assert [result.history for result in bncli.run_study(study)] == [result.history for result in results]


def test_a_folder_without_a_study_is_an_error(tmp_path):
    with pytest.raises(StoreError, match=r"holds no study \(no study\.json\)"):
        bncli.load_runs(tmp_path)


ARMS = ["none", "batch"]


@pytest.fixture(scope="module")
def compared():
    return bncli.compare(**TINY, arms=ARMS, seeds=2)


def test_compare_returns_tables_of_what_was_asked(compared):
    assert repr(compared) == "<bncli.Result 'compare': 4 runs, 2 conditions x 2 seeds>"
    assert compared.runs[["arm", "seed"]].values.tolist() == [["none", 0], ["none", 1], ["batch", 0], ["batch", 1]]
    assert compared.summary["arm"].tolist() == ARMS
    assert compared.differences["arm"].tolist() == ["batch"]
    assert compared.epochs["epoch"].tolist() == [1, 2] * 4
    assert [result.state for result in compared.results] == ["complete"] * 4
    assert str(compared).startswith("batch ")


def test_a_result_has_a_figure_for_notebooks(compared):
    figure = compared.plot()
    assert isinstance(figure, Figure)
    assert figure._repr_png_().startswith(b"\x89PNG")
    assert compared.plot("differences").get_suptitle() == "Difference from none in validation accuracy"
    with pytest.raises(UnknownName, match=r"^Unknown figure 'curve'\. .* Did you mean 'curves'\?$"):
        compared.plot("curve")
    with pytest.raises(InvalidConfig) as caught:
        compared.plot("heatmap")
    assert str(caught.value) == (
        "This study has no figure 'heatmap'. It has: confusion, curves, train_val, differences, reached."
    )


def test_a_notebook_shows_answer_table_and_figure(compared):
    text = compared._repr_html_()
    assert str(compared).splitlines()[0].split(":")[0] in text
    assert "<th>val_accuracy</th>" in text
    assert text.count('src="data:image/png;base64,') == 1
    assert not any(harmful in text for harmful in ("<script", "<style", " id="))


def test_a_result_shows_text_from_outside_as_text(compared):
    study = replace(compared.study, name="<script>\x1b</script>")
    shown = bncli.Result(replace(compared.evidence, study=study))
    assert "\x1b" not in repr(shown) + shown._repr_html_()
    assert "<script>" not in shown._repr_html_()


def test_the_same_runs_can_be_compared_by_another_metric(compared):
    by_loss = compared.by("val_loss", 0.5)
    assert set(by_loss.differences["metric"]) == {"val_loss"}
    assert set(compared.differences["metric"]) == {"val_accuracy"}
    with pytest.raises(InvalidConfig, match=r"^--threshold must be"):
        compared.by(threshold=7)
    assert compared.by(margin=0.01).evidence.margin == 0.01
    assert compared.by(margin=0).evidence.margin is None
    with pytest.raises(InvalidConfig, match=r"^--margin must be"):
        compared.by(margin=-1)


def test_a_call_names_the_metric_and_its_folder_remembers_it(tmp_path, no_figures):
    found = bncli.compare(**TINY, arms=ARMS, seeds=1, out=tmp_path / "s", metric="val_loss,val_nll")
    assert found.differences["metric"].tolist() == ["val_loss", "val_nll"]
    assert bncli.load(tmp_path / "s").evidence.metric == "val_loss"
    with pytest.raises(InvalidConfig, match=r"^--metric val_r2 is for regression"):
        bncli.compare(**TINY, arms=ARMS, metric="val_r2")


def test_a_metric_that_no_run_has_is_refused_with_those_that_there_are(compared):
    with pytest.raises(InvalidConfig) as caught:
        compared.by("test_accuracy")
    there = (
        "val_accuracy, train_accuracy, accuracy, val_loss, train_loss, loss, val_balanced_accuracy, val_f1, val_auc, "
        "val_nll, val_brier, val_calibration_error, population_val_accuracy, population_train_accuracy, "
        "population_val_loss, population_train_loss, population_val_balanced_accuracy, population_val_f1, "
        "population_val_auc, population_val_nll, population_val_brier, population_val_calibration_error"
    )
    assert str(caught.value) == f"No run has a value of test_accuracy. There are values of: {there}."


@pytest.mark.slow
def test_a_margin_calls_arms_equivalent_and_a_folder_remembers_it(tmp_path, no_figures):
    out = tmp_path / "s"
    found = bncli.compare(**TINY, arms=ARMS, seeds=5, out=out, margin=1.0)
    assert found.differences["verdict"].tolist() == ["equivalent"]
    again = bncli.run(found.study, out=out)
    assert (again.evidence.margin, bncli.load(out).evidence.margin) == (1.0, 1.0)
    swept = bncli.sweep(**TINY | {"epochs": 1}, lr=[0.01, 0.1], arms=ARMS, seeds=1, margin=0.02)
    assert (swept.evidence.margin, bncli.run(swept.study).evidence.margin) == (0.02, None)


def test_a_folder_is_compared_by_the_metric_that_it_remembers(tmp_path, no_figures):
    first = bncli.compare(**TINY, arms=ARMS, seeds=1, out=tmp_path / "s")
    choose(Store(tmp_path / "s"), "val_loss")
    again = bncli.run(first.study, out=tmp_path / "s")
    assert (first.evidence.metric, again.evidence.metric) == ("val_accuracy", "val_loss")


def test_lists_and_ranges_are_axes_of_a_sweep(tmp_path):
    found = bncli.sweep(
        **TINY, lr=[0.01, np.float64(0.1)], momentum="lin:0:0.9:2", optimizer="sgd", arms="none", seeds=[3]
    )
    assert found.study.axes == (("lr", (0.01, 0.1)), ("momentum", (0.0, 0.9)))
    assert (found.study.name, found.study.seeds, len(found.runs)) == ("sweep", (3,), 4)


def test_a_folder_gets_the_report_is_continued_and_can_be_loaded(tmp_path):
    one = bncli.compare(**TINY, arms=ARMS, seeds=1, out=tmp_path / "s")
    two = bncli.compare(**TINY, arms=ARMS, seeds=2, out=str(tmp_path / "s"))
    loaded = bncli.load(tmp_path / "s")
    assert two.runs["seconds"].tolist()[::2] == one.runs["seconds"].tolist()
    pd.testing.assert_frame_equal(loaded.summary, two.summary)
    assert loaded._repr_html_() == two._repr_html_()
    assert {"summary.csv", "report.html", "figures"} <= {path.name for path in (tmp_path / "s").iterdir()}
    part = bncli.compare(**TINY, arms=["batch"], seeds=1, out=tmp_path / "s")
    assert len(part.runs) == 1
    assert len(pd.read_csv(tmp_path / "s" / "summary.csv")) == 2


def test_train_takes_fields_and_gives_the_attributes_of_its_run():
    found = bncli.train(**TINY, norm="batch", placement="after", seed=3)
    from_config = bncli.train(bncli.RunConfig(**TINY, norm="batch"), placement="after", seed=3)
    by_arm = bncli.train(**TINY, arm="batch:after", seed=3)
    assert found.history == from_config.history == by_arm.history
    assert (found.summary["arm"].tolist(), found.config.seed, found.run_id) == (["batch:after"], 3, by_arm.run_id)
    assert found.metrics["val_accuracy"] == found.runs["val_accuracy"][0]


def test_several_runs_have_no_attributes_of_one(compared):
    with pytest.raises(AttributeError, match=r"^A result of 4 runs has no 'metrics' of its own\. Try \.results\.$"):
        compared.metrics  # noqa: B018
    with pytest.raises(AttributeError, match=r"^'Result' object has no attribute 'sumary'$"):
        compared.sumary  # noqa: B018
    assert len(bncli.train(**TINY, seeds=2).runs) == 2


@pytest.mark.slow
def test_engines_agree():
    stacked, keras = (bncli.compare(**TINY, arms=ARMS, seeds=1, engine=engine) for engine in ("auto", "keras"))
    assert keras.runs["loss"].tolist() == pytest.approx(stacked.runs["loss"].tolist(), abs=1e-4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bncli.compare(lr=[0.1, 0.2]), "compare holds all but the arms fixed, and lr has several values. Try "
         "bncli.sweep."),
        (lambda: bncli.sweep(lr=0.1), "sweep needs a field with several values, e.g. lr=[0.001, 0.01]. Try "
         "bncli.compare."),
        (lambda: bncli.compare(seed=3), "seed differs between the runs of a study. Try seeds=[3] for the seed 3."),
        (lambda: bncli.compare(norm="batch"), 'norm differs between the runs of a study. Try arms=["none", "batch"].'),
        (lambda: bncli.compare(seeds=0), "seeds must be a whole number from 1 to 1000000, or a list of seeds. "
         "Received: 0."),
        (lambda: bncli.compare(seeds=10**12), "seeds must be a whole number from 1 to 1000000, or a list of seeds. "
         "Received: 1000000000000."),
        (lambda: bncli.compare(seeds="3"), "seeds must be a whole number from 1 to 1000000, or a list of seeds. "
         "Received: '3'."),
        (lambda: bncli.compare(seeds=[1.5]), "seeds must be a whole number from 1 to 1000000, or a list of seeds. "
         "Received: [1.5]."),
        (lambda: bncli.compare(arms=[3]), "arms must be a list of labels, e.g. ['none', 'batch']. Received: [3]."),
        (lambda: bncli.compare(engine="fast"), "Unknown engine 'fast'. Allowed: auto, stacked, keras."),
        (lambda: bncli.compare(probe="lite", out="study"), "Unknown probe 'lite'. Allowed: light, full. Did you mean "
         "'light'?"),
        (lambda: bncli.sweep(lr=[0.1, 0.2], probe="light"), "probe writes what it sees to the folder of a study. Name "
         'one: out="DIR".'),
        (lambda: bncli.compare(margin=2), "--margin must be a number from 0 to 1 for the metric val_accuracy; "
         "0 calls nothing equivalent. Received: 2."),
        (lambda: bncli.Study("s", bncli.RunConfig(), arms=3), "arms must be a list of labels, e.g. ['none', 'batch']. "
         "Received: 3."),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_before_anything_is_trained(call, message):
    with pytest.raises(BncliError) as caught:
        call()
    assert str(caught.value) == message


def test_an_unknown_field_is_told_with_the_nearest_one():
    with pytest.raises(UnknownName, match=r"^Unknown field 'learning_rte'\."):
        bncli.compare(learning_rte=0.1)


def test_a_study_takes_arms_by_their_labels():
    by_label = bncli.Study("s", bncli.RunConfig(), arms=["none", "batch:after"])
    assert by_label.arms == parse_arms("none,batch:after")
    assert by_label.vary(arms=("none", by_label.arms[1])).arms == by_label.arms


def test_a_field_without_effect_is_a_warning():
    with pytest.warns(UserWarning, match=r"^momentum=0\.5 has no effect with optimizer adam and is ignored\.$"):
        bncli.train(**TINY, momentum=0.5)


@pytest.mark.parametrize(
    ("command", "fields", "n_runs"),
    [("compare", {}, 2), pytest.param("sweep", {"lr": [0.01, 0.1]}, 4, marks=pytest.mark.slow)],
)
def test_what_probes_see_is_a_table_of_the_result_and_of_its_folder(command, fields, n_runs, tmp_path, no_figures):
    call = getattr(bncli, command)
    found = call(**TINY, **fields, arms=ARMS, seeds=1, probe="light", out=tmp_path / "study").inside
    assert found["run_id"].nunique() == n_runs
    assert {"mean_lag", "preactivation_p50"} <= set(found["probe"])
    assert set(found["arm"]) == {"none", "batch"}
    assert bncli.load(tmp_path / "study").inside.equals(found)


@pytest.mark.parametrize("engine", ["auto", "keras"])
def test_a_users_own_models_outlive_a_call(engine):
    from bncli.backend import keras

    before = keras.backend.get_uid("mine")
    bncli.train(**TINY, engine=engine)
    assert keras.backend.get_uid("mine") == before + 1
