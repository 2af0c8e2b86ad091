"""Verdicts from runs: pairs of seeds, axes, best values, seconds, checks."""

import math
from dataclasses import replace

import numpy as np
import pytest
from fakes import complete, diverged, failed, make_study

from bncli.claims import check
from bncli.claims.check import Measured
from bncli.claims.claim import parse_claims
from bncli.claims.judgement import NO_VALUE
from bncli.claims.verdicts import verdicts, verdicts_on
from bncli.claims.verify import part_of
from bncli.errors import BncliError

SEEDS = tuple(range(20))

BASIC = {"id": "one", "statement": "It is so.", "measure": "final", "arm": "none", "at_most": 1.0}


def run_study(tables, result, arms="none,batch:before", axes=(), seeds=SEEDS):
    """Verdicts on claims by runs that `result` makes, one a config."""
    study = replace(make_study(arms, axes, seeds), claims=tuple(tables))
    plan = study.plan()
    results = [result(config) for config, _ in plan.runs]
    return verdicts(study, results, dict(plan.runs))


def test_pairs_are_differences_of_the_same_seed():
    def result(config):
        return complete(config, (0.5 + 0.02 * config.seed + 0.01 * (config.norm == "batch"),))

    table = BASIC | {"arm": "batch:before", "baseline": "none", "expect": "above", "published_value": 0.01}
    (found,) = run_study([{key: value for key, value in table.items() if key != "at_most"}], result)
    assert (found.verdict, found.n) == ("reproduced", 20)
    assert (found.low, found.high) == (pytest.approx(0.01), pytest.approx(0.01))


def test_a_failed_run_drops_its_pair_and_a_diverged_one_counts():
    def result(config):
        if config.seed < 3 and config.norm == "batch":
            return failed(config)
        return diverged(config, (0.5, 0.1)) if config.seed == 3 else complete(config, (0.5, 0.6))

    (found,) = run_study([BASIC | {"baseline": "batch:before"}], result)
    assert found.n == 17
    (level,) = run_study([BASIC], result)
    assert (level.n, level.value) == (20, pytest.approx((19 * 0.6 + 0.1) / 20))


def test_the_loss_of_a_diverged_run_is_infinite():
    (found,) = run_study([BASIC | {"metric": "loss"}], lambda config: diverged(config))
    assert (found.verdict, found.value) == ("contradicted", math.inf)


# Runs that did not learn.


def test_a_diverged_run_scores_the_trivial_score():
    study = replace(make_study("none,batch:before", (), SEEDS), claims=(BASIC | {"at_most": 0.55},))
    plan = study.plan()
    results = [diverged(config, (0.9, 0.9)) for config, _ in plan.runs]
    (found,) = verdicts(study, results, dict(plan.runs), 0.5)
    assert (found.verdict, found.value) == ("reproduced", 0.5)
    (unknown,) = verdicts(study, results, dict(plan.runs))
    assert unknown.value == pytest.approx(0.9)


def learning(dead, gain=0.0, n=20):
    """Runs at 0.9, the arm higher by `gain`, of which these (norm, seed) did not learn."""
    values = {"none": 0.9, "batch": 0.9 + gain}
    return lambda c: complete(c, (0.5 if (c.norm, c.seed) in dead else values[c.norm] + 0.001 * (c.seed % 3),))


def better(result, **more):
    table = {"id": "a", "statement": "s", "measure": "final", "arm": "batch:before", "baseline": "none"} | more
    study = replace(make_study("none,batch:before", (), SEEDS), claims=(table | {"expect": "above"},))
    plan = study.plan()
    return verdicts(study, [result(config) for config, _ in plan.runs], dict(plan.runs), 0.5)[0]


def test_arms_that_differ_in_their_death_rate_alone_are_no_contradiction():
    dead = {("batch", seed) for seed in range(8)}
    found = better(learning(dead))
    assert found.verdict == "inconclusive"
    assert found.text == (
        "mean difference -0.160 [-0.261, -0.080], n = 20, seeds -0.402 to 0.000; in 8 of 20 seeds a run of "
        "batch:before did not learn, in the others mean difference 0 [0, 0], n = 12, seeds 0 to 0 (inconclusive)"
    )
    assert found.advice == "Runs that don't learn decide: compare how many learn."


def test_runs_that_did_not_learn_change_no_verdict_that_the_others_share():
    found = better(learning({("none", 3)}, gain=0.05))
    assert found.verdict == "reproduced"
    assert found.text.endswith("; in 1 of 20 seeds a run of none did not learn")


def test_where_most_seeds_do_not_learn_that_is_the_effect():
    found = better(learning({("none", seed) for seed in range(18)}, gain=-0.01))
    assert found.verdict == "reproduced"
    assert found.text.endswith("; in 18 of 20 seeds a run of none did not learn")


def test_runs_of_both_sides_that_did_not_learn_are_counted_for_each():
    found = better(learning({("batch", seed) for seed in range(8)} | {("none", seed) for seed in range(6, 9)}))
    assert found.text.split("; ")[1].split(", in the others")[0] == (
        "in 9 of 20 seeds a run did not learn (8 of batch:before, 3 of none)"
    )


def test_an_arm_that_is_compared_with_itself_is_named_with_its_value_of_the_axis():
    table = {"id": "a", "statement": "s", "measure": "final", "arm": "none", "expect": "above"}
    table |= {"where": {"lr": 0.01}, "baseline_where": {"lr": 1.0}}
    study = replace(make_study("none", (("lr", (0.01, 1.0)),), SEEDS), claims=(table,))
    plan = study.plan()
    results = [complete(config, (0.9 if config.lr == 0.01 else 0.5,)) for config, _ in plan.runs]
    (found,) = verdicts(study, results, dict(plan.runs), 0.5)
    assert found.text.split("; ")[1] == f"in {len(SEEDS)} of {len(SEEDS)} seeds a run of none lr=1 did not learn"


def test_only_runs_behind_the_value_count_as_not_learned():
    """At the other rate, which is not the best, no run learns."""
    table = BASIC | {"where": {"lr": "best"}, "at_least": 0.8}
    study = replace(make_study("none", (("lr", (0.01, 1.0)),), SEEDS), claims=(table,))
    plan = study.plan()
    results = [complete(config, (0.9 if config.lr == 0.01 else 0.5,)) for config, _ in plan.runs]
    (found,) = verdicts(study, results, dict(plan.runs), 0.5)
    assert (found.verdict, "learn" in found.text) == ("reproduced", False)


def test_dead_runs_seldom_make_a_contradiction_of_an_arm_that_is_better_on_average():
    """A tenth of the baseline's runs die, the arm's never; among those that learn the arm is worse by 0.01."""
    rng, found = np.random.default_rng(0), []
    for _ in range(60):
        noise = {(norm, seed): rng.normal(0, 0.01) for norm in ("none", "batch") for seed in SEEDS}
        dead = {("none", seed) for seed in SEEDS if rng.random() < 0.1}

        def result(config, noise=noise, dead=dead):
            at = (config.norm, config.seed)
            return complete(config, (0.5 if at in dead else 0.95 - 0.01 * (at[0] == "batch") + noise[at],))

        found.append(better(result).verdict)
    assert found.count("contradicted") <= 60 * 0.9**20 * 2


# Metrics of other tasks.


def quantity(config, r2, state="complete"):
    """A run of regression with this R² by epoch, and an error that falls with it; None where it diverged."""
    history = {"loss": [1 - (value or 0) for value in r2], "val_r2": list(r2)}
    metrics = {"val_r2": r2[-1], "val_rmse": None if r2[-1] is None else 2 * (1 - r2[-1])}
    return replace(complete(config), state=state, history=history, metrics=metrics)


def judge_quantity(table, result, trivial=0.0):
    study = replace(make_study("none,batch:before", (), SEEDS, dataset="friedman1"), claims=(table,))
    plan = study.plan()
    return verdicts(study, [result(config) for config, _ in plan.runs], dict(plan.runs), trivial)[0]


QUANTITY = {"id": "a", "statement": "s", "measure": "final", "metric": "val_r2", "arm": "batch:before"}


def test_a_run_of_regression_that_did_not_learn_is_told_by_its_r2():
    table = QUANTITY | {"baseline": "none", "expect": "above"}
    found = judge_quantity(table, lambda c: quantity(c, (0.0, 0.04 if (c.norm, c.seed) == ("none", 3) else 0.8)))
    assert found.text.endswith("; in 1 of 20 seeds a run of none did not learn")
    table |= {"metric": "val_rmse"}
    found = judge_quantity(table, lambda c: quantity(c, (0.0, 0.04 if (c.norm, c.seed) == ("none", 3) else 0.8)))
    assert found.text.endswith("; in 1 of 20 seeds a run of none did not learn")


def test_a_diverged_run_of_regression_scores_what_the_mean_scores_and_has_no_error():
    table = QUANTITY | {"at_least": -0.5, "at_most": 0.1}
    found = judge_quantity(table, lambda c: quantity(c, (0.5, None), "diverged"))
    assert (found.verdict, found.value) == ("reproduced", 0.0)
    found = judge_quantity(table | {"metric": "val_rmse"}, lambda c: quantity(c, (0.5, None), "diverged"))
    assert (found.verdict, found.value) == ("contradicted", math.inf)


def test_the_best_rate_by_an_error_is_the_one_with_the_smallest():
    table = QUANTITY | {"metric": "val_rmse", "where": {"lr": "best"}, "at_most": 0.5}
    study = replace(make_study("none,batch:before", LR, SEEDS, dataset="friedman1"), claims=(table,))
    plan = study.plan()
    results = [quantity(config, (0.9 if config.lr == 0.1 else 0.3,)) for config, _ in plan.runs]
    (found,) = verdicts(study, results, dict(plan.runs), 0.0)
    assert (found.verdict, found.value) == ("reproduced", pytest.approx(0.2))


def test_where_classes_are_rare_the_balanced_accuracy_tells_what_learned():
    def rare(config):
        dead = config.seed == 3 or config.seed == 4
        done = complete(config, (0.9,))  # the share of the common class is 0.9, so that this says nothing
        scores = {"val_balanced_accuracy": 0.55 if dead else 0.8}
        state = "diverged" if config.seed == 4 else "complete"
        history = done.history | {name: [value] for name, value in scores.items()}
        return replace(done, state=state, metrics=done.metrics | scores, history=history)

    tables = [BASIC | {"id": metric, "metric": metric} for metric in ("val_balanced_accuracy", "val_accuracy")]
    study = replace(make_study("none", (), SEEDS), claims=tuple(tables))
    plan = study.plan()
    balanced, plain = verdicts(study, [rare(config) for config, _ in plan.runs], dict(plan.runs), 0.5)
    assert balanced.value == pytest.approx((18 * 0.8 + 0.55 + 0.5) / 20)
    assert plain.value == pytest.approx(0.9)
    assert balanced.text.endswith("; in 2 of 20 seeds a run of none did not learn")
    assert plain.text.endswith("; in 2 of 20 seeds a run of none did not learn")


@pytest.mark.parametrize(
    ("more", "text", "other"),
    [
        ({"metric": "val_accuracy"}, "the runs have no val_accuracy", "val_r2"),
        ({"measure": "best", "metric": "val_balanced_accuracy"}, "the runs have no val_balanced_accuracy", "val_r2"),
    ],
)
def test_a_metric_that_no_run_has_gives_no_verdict_but_the_name_of_another(more, text, other):
    found = judge_quantity(QUANTITY | {"at_most": 1} | more, lambda config: quantity(config, (0.5, 0.8)))
    assert (found.verdict, found.text, found.n) == ("inconclusive", text, 0)
    assert found.advice == f"Give the claim a metric that they have, such as {other}."


# Axes.


LR = (("lr", (0.001, 0.01, 0.1, 1.0)),)


def up_to(config):
    """A run that learns up to a rate of 0.01, with a normalization up to 0.1."""
    return complete(config, (0.9 if config.lr <= (0.1 if config.norm == "batch" else 0.01) else 0.5,))


@pytest.mark.parametrize(
    ("reduce", "value"),
    [("highest", 1.0), ("tolerance", 1.0), ("slope", pytest.approx(0.1))],
)
def test_an_axis_is_reduced_to_one_value_per_seed(reduce, value):
    table = {"id": "a", "statement": "s", "arm": "batch:before", "baseline": "none", "across": "lr", "expect": "above"}
    table |= {"measure": "learned", "threshold": 0.8, "reduce": reduce}
    (found,) = run_study([table], up_to, axes=LR)
    assert (found.verdict, found.value) == ("reproduced", value)


def test_never_learning_anywhere_is_lower_than_any_rate():
    table = {"id": "a", "statement": "s", "arm": "batch:before", "baseline": "none", "across": "lr", "expect": "above"}
    table |= {"measure": "learned", "threshold": 0.8, "reduce": "highest"}
    never = run_study([table], lambda c: complete(c, (0.9 if c.norm == "batch" else 0.1,)), axes=LR)
    assert (never[0].verdict, never[0].value) == ("reproduced", math.inf)
    neither = run_study([table], lambda config: complete(config, (0.1,)), axes=LR)
    assert (neither[0].verdict, neither[0].value) == ("inconclusive", 0.0)


def test_best_is_chosen_for_each_arm_separately():
    def result(config):
        peak = 0.1 if config.norm == "batch" else 0.01
        return complete(config, (0.8 - 0.1 * abs(math.log10(config.lr / peak)),))

    table = BASIC | {"arm": "batch:before", "baseline": "none", "at_least": -0.01, "at_most": 0.01}
    (same_rate,) = run_study([table | {"where": {"lr": 0.1}}], result, axes=LR)
    (own_rate,) = run_study([table | {"where": {"lr": "best"}}], result, axes=LR)
    assert (same_rate.verdict, same_rate.value) == ("contradicted", pytest.approx(0.1))
    assert (own_rate.verdict, own_rate.value) == ("reproduced", pytest.approx(0.0))


def test_best_is_chosen_at_each_value_of_the_axis_of_across():
    def result(config):
        best = {4: 0.01, 8: 0.1}[config.batch_size]
        return complete(config, (0.5 + 0.1 * (config.batch_size == 8) - 0.1 * abs(math.log10(config.lr / best)),))

    table = {"id": "a", "statement": "s", "measure": "final", "arm": "none", "across": "batch_size", "expect": "above"}
    (found,) = run_study([table | {"where": {"lr": "best"}}], result, axes=(*LR, ("batch_size", (4, 8))))
    assert (found.verdict, found.value) == ("reproduced", pytest.approx(0.1))


def test_the_best_hit_epoch_is_the_earliest():
    def result(config):
        start = {0.001: 3, 0.01: 1, 0.1: 2, 1.0: 99}[config.lr]
        return complete(config, tuple(0.9 if epoch >= start else 0.1 for epoch in range(4)))

    table = {"id": "a", "statement": "s", "measure": "hit_epoch", "threshold": 0.8, "arm": "none", "at_most": 3}
    (found,) = run_study([table | {"where": {"lr": "best"}}], result, axes=LR)
    assert (found.verdict, found.value) == ("reproduced", 2.0)


def test_best_can_be_chosen_on_several_axes():
    def result(config):
        return complete(config, (0.9 if (config.lr, config.batch_size) == (0.1, 4) else 0.6,))

    where = {"lr": "best", "batch_size": "best"}
    (found,) = run_study([BASIC | {"where": where}], result, axes=(*LR, ("batch_size", (4, 8))))
    assert (found.n, found.value) == (20, pytest.approx(0.9))


def test_a_seed_without_a_value_is_inconclusive():
    gap = {"id": "a", "statement": "s", "measure": "gap", "metric": "val_loss", "minus": "loss", "arm": "none"}
    (found,) = run_study([gap | {"at_most": 1}], lambda c: (diverged if c.seed == 7 else complete)(c))
    assert (found.verdict, found.n, found.text) == ("inconclusive", 20, "1 of 20 seeds have no value")
    assert found.advice == NO_VALUE


@pytest.mark.parametrize(("engine", "verdict"), [("keras", "reproduced"), ("stacked", "inconclusive")])
def test_seconds_have_a_verdict_only_if_runs_were_timed_one_by_one(engine, verdict):
    table = {"id": "a", "statement": "s", "measure": "epoch_seconds", "arm": "none", "baseline": "batch:before"}
    table |= {"compare": "ratio", "at_most": 0.6}

    def result(config):
        return replace(complete(config, seconds=1.0 if config.norm == "none" else 2.0), engine=engine)

    (found,) = run_study([table], result)
    assert (found.verdict, found.n, found.value) == (verdict, 20, pytest.approx(0.5))
    if engine == "stacked":
        assert (found.low, found.high, found.text) == (None, None, "about 0.5, timed once for all 20 seeds")
        assert found.advice == "Stacked runs share one timing: try --engine keras with a new --out."


def test_an_axis_without_effect_on_an_arm_matches_any_value():
    axes = (("norm_momentum", (0.9, 0.99)),)
    table = BASIC | {"where": {"norm_momentum": 0.99}, "baseline": "batch:before"}
    (found,) = run_study([table], lambda config: complete(config, (0.5,)), axes=axes)
    assert (found.n, found.value) == (20, 0.0)


def test_an_arm_can_be_compared_with_itself_at_another_value():
    axes = (("batch_size", (4, 8)),)
    table = BASIC | {"where": {"batch_size": 4}, "baseline_where": {"batch_size": 8}, "compare": "ratio"}
    (found,) = run_study([table], lambda config: complete(config, (config.batch_size / 10,)), axes=axes)
    assert found.value == pytest.approx(0.5)


# Checks, and claims that can't be tested.


def check_claim(monkeypatch, measured, **more):
    """The verdict on a claim whose check measures this."""
    monkeypatch.setattr(check, "run_check", lambda name: measured)
    study = replace(make_study(), claims=({"id": "c", "statement": "s", "check": "frozen"} | more,))
    return verdicts_on(parse_claims(study), study, [], {})[0]


def test_an_exact_check_is_exact_or_contradicted(monkeypatch):
    held = check_claim(monkeypatch, Measured("0.99", True))
    assert (held.verdict, held.text, held.value) == ("exact", "0.99", None)
    assert check_claim(monkeypatch, Measured("0.9", False)).verdict == "contradicted"


def test_a_statistical_check_is_judged_like_a_measure(monkeypatch):
    found = check_claim(monkeypatch, Measured("skew", values=(-0.12, -0.11, -0.1, -0.09, -0.08) * 4), expect="below")
    assert (found.verdict, found.n) == ("reproduced", 20)
    assert found.text == "skew; mean -0.100 [-0.106, -0.093], n = 20, seeds -0.120 to -0.080"


def test_a_statistical_check_needs_an_expectation(monkeypatch):
    with pytest.raises(BncliError) as raised:
        check_claim(monkeypatch, Measured("skew", values=(1.0, 2.0)))
    assert str(raised.value) == "Claim 'c' measures numbers and needs expect, at_least or at_most."


def test_checks_are_skipped_if_only_runs_are_judged(monkeypatch):
    monkeypatch.setattr(check, "run_check", lambda name: pytest.fail("ran a check"))
    found = run_study([{"id": "c", "statement": "s", "check": "frozen"}, BASIC], lambda config: complete(config))
    assert [(verdict.claim.id, verdict.verdict) for verdict in found] == [("c", "skipped"), ("one", "reproduced")]
    assert found[0].text == "tested by a check, not by these runs: see bncli verify"


def test_a_claim_that_can_not_be_tested_says_why():
    (found,) = run_study([{"id": "c", "statement": "s", "not_testable": "no figure"}], lambda config: complete(config))
    assert (found.verdict, found.text) == ("not testable", "no figure")


@pytest.mark.parametrize(
    ("axis", "where"),
    [
        (("scaling", ("auto", "standard")), {"scaling": "auto"}),
        (("scaling", ("auto", "standard")), {"scaling": "AUTO"}),
        (("scaling", ("auto", "standard")), {"scaling": "none"}),
        (("activation", ("relu", "silu")), {"activation": "swish"}),
        (("weight_decay", (None, 0.1)), {"weight_decay": "none"}),
        (("scaling", ("auto", "standard")), {"scaling": "best"}),
    ],
)
def test_an_axis_value_may_be_given_in_any_form_that_its_field_knows(axis, where):
    def result(config):
        return complete(config, (0.9 if config.scaling == "none" and config.activation == "silu" else 0.8,))

    if where == {"scaling": "none"}:  # the value that auto stands for is no value of the axis
        with pytest.raises(
            BncliError, match=r"The axis scaling has no value none\. Allowed: auto, standard, or best\."
        ):
            run_study([BASIC | {"where": where}], result, axes=(axis,))
        return
    (found,) = run_study([BASIC | {"where": where}], result, axes=(axis,))
    assert (found.n, found.value) == (20, pytest.approx(0.9 if "activation" in where else 0.8))


def test_the_runs_that_a_claim_needs_include_those_of_a_value_that_is_left_to_the_data():
    study = replace(
        make_study("none,batch:before", (("scaling", ("auto", "standard")),), SEEDS),
        claims=(BASIC | {"where": {"scaling": "auto"}},),
    )
    part = part_of(study.plan(), parse_claims(study))
    assert {(condition.arm, config.scaling) for config, condition in part.runs} == {("none", "none")}
