"""Claims: what a study file may say, and the verdict logic on runs that are built to give every verdict."""

import math
from dataclasses import replace

import numpy as np
import pytest
import scipy.stats
from fakes import complete, diverged, failed, make_study
from hypothesis import given
from hypothesis import strategies as st

from bncli.claims import check
from bncli.claims.check import Measured
from bncli.claims.claim import Claim, parse_claims
from bncli.claims.judgement import NO_VALUE, judge
from bncli.claims.verdicts import verdicts, verdicts_on
from bncli.errors import BncliError
from bncli.study.files import load_study, presets, study_from_dict

SEEDS = tuple(range(20))
SPREAD = (-0.02, -0.01, 0.0, 0.01, 0.02)
"""Per seed, over and over: sd 0.0145 over 20 seeds."""

BASIC = {"id": "one", "statement": "It is so.", "measure": "final", "arm": "none", "at_most": 1.0}


def direction(**more):
    return Claim(
        "better", "BN is better.", measure="final", arm="batch:before", baseline="none", **{"expect": "above"} | more
    )


def around(middle, n=20):
    return [middle + SPREAD[seed % 5] for seed in range(n)]


# Directions.


def test_an_effect_as_published_is_reproduced():
    found = judge(direction(published_value=0.055), around(0.05))
    assert (found.verdict, found.n, found.advice) == ("reproduced", 20, "")
    assert found.value == pytest.approx(0.05)
    assert 0.04 < found.low < 0.05 < found.high < 0.06
    assert found.text == "mean difference +0.050 [+0.044, +0.057], n = 20, seeds +0.030 to +0.070"


def test_an_effect_without_a_published_figure_is_reproduced_by_its_direction():
    assert judge(direction(), around(0.05)).verdict == "reproduced"


def test_an_effect_of_another_size_is_the_direction_only():
    assert judge(direction(published_value=0.5), around(0.05)).verdict == "direction only"


def test_no_effect_is_not_reproduced_and_tells_how_many_seeds_would_show_the_published_one():
    found = judge(direction(published_value=0.005), around(0.0))
    assert (found.verdict, found.advice) == ("not reproduced", "About 49 more seeds would show an effect as published.")


def test_no_effect_where_the_published_one_would_have_shown():
    found = judge(direction(published_value=0.05), around(0.0))
    assert (found.verdict, found.advice) == ("not reproduced", "An effect as published would have shown with 5 seeds.")


def test_no_effect_against_a_published_one_that_is_hopelessly_small():
    found = judge(direction(published_value=0.0001), around(0.0))
    assert found.advice == "The published effect is too small against the spread of seeds to be found."


def test_an_effect_on_the_other_side_is_contradicted():
    assert judge(direction(), around(-0.05)).verdict == "contradicted"


def test_below_is_the_mirror_image():
    below = direction(expect="below", published_value=-0.05)
    assert [judge(below, around(x)).verdict for x in (-0.05, 0.0, 0.05)] == [
        "reproduced",
        "not reproduced",
        "contradicted",
    ]


def test_a_ratio_is_held_against_its_own_reference():
    faster = direction(compare="ratio", reference=1.0)
    assert judge(faster, around(1.5)).verdict == "reproduced"
    assert judge(faster, around(0.5)).verdict == "contradicted"
    assert judge(faster, around(1.5)).text.startswith("mean ratio 1.500 [1.494, 1.507], n = 20")


def test_too_few_seeds_are_inconclusive():
    found = judge(direction(), around(0.05, 3))
    assert (found.verdict, found.n) == ("inconclusive", 3)
    assert found.advice == "2 more seeds are needed: a verdict takes 5."
    assert judge(direction(), around(0.05, 4)).advice == "1 more seed is needed: a verdict takes 5."
    assert judge(direction(min_seeds=3), around(0.05, 3)).verdict == "reproduced"


def test_no_runs_are_inconclusive():
    found = judge(direction(), [])
    assert (found.verdict, found.n, found.value, found.text) == ("inconclusive", 0, None, "no finished runs")
    assert found.advice == "5 more seeds are needed: a verdict takes 5."


def test_seeds_that_all_agree_need_no_spread():
    assert judge(direction(), [0.1] * 5).verdict == "reproduced"
    assert judge(direction(), [0.0] * 5).verdict == "not reproduced"


# Levels and bands.


def test_a_published_value_among_the_seeds_is_reproduced():
    level = Claim("level", "It scores 0.85.", measure="final", arm="none", expect="published", published_value=0.85)
    assert judge(level, around(0.84)).verdict == "reproduced"
    assert judge(level, around(0.80)).verdict == "not reproduced"
    assert judge(replace(level, published_value=0.8600001), around(0.84)).verdict == "not reproduced"


def test_one_more_run_of_few_seeds_may_lie_outside_their_range():
    """Of three normal values and a fourth, the fourth is outside the range of the three half of the time."""
    level = Claim("level", "It scores.", measure="final", arm="none", expect="published", min_seeds=3)
    drawn = np.random.default_rng(0).normal(size=(2000, 4))
    kept = [judge(replace(level, published_value=row[3]), row[:3].tolist()).verdict for row in drawn]
    assert 0.97 <= kept.count("reproduced") / len(kept) <= 0.99


@pytest.mark.parametrize("effect", [0.005, 0.008, 0.012])
def test_the_seeds_that_are_advised_show_the_effect_four_times_of_five(effect):
    """Student's test of normal differences with the sd of `around` has that power at that n."""
    advice = judge(direction(published_value=effect, min_seeds=2), around(0.0)).advice
    n = 20 + int(advice.split()[1]) if advice.startswith("About") else int(advice.split()[-2])
    samples = np.random.default_rng(1).normal(effect, np.std(around(0.0), ddof=1), size=(4000, n))
    p_values = scipy.stats.ttest_1samp(samples, 0, axis=1).pvalue
    assert 0.76 <= np.mean(p_values < 0.05) <= 0.88


def band(low=-math.inf, high=math.inf):
    return Claim("band", "It lies there.", measure="final", arm="none", at_least=low, at_most=high)


def test_a_band_holds_excludes_or_straddles():
    assert judge(band(0.8, 0.9), around(0.85)).verdict == "reproduced"
    assert judge(band(0.8), around(0.85)).verdict == "reproduced"
    assert judge(band(high=0.8), around(0.85)).verdict == "contradicted"
    found = judge(band(0.8, 0.9), around(0.804))
    assert found.verdict == "inconclusive"
    assert found.advice == "About 86 more seeds would settle it."
    assert found.text == "mean 0.804 [0.798, 0.811], n = 20, seeds 0.784 to 0.824, 12 of them in the band"


def test_a_value_on_the_edge_of_a_band_is_not_to_be_settled():
    found = judge(band(0.8, 0.9), around(0.8))
    assert found.advice == "The value stands at the edge of the band: more seeds would hardly settle it."


# Epochs that never came.


def hits(**more):
    return Claim("hit", "It gets there.", measure="hit_epoch", threshold=0.8, arm="none", **more)


def test_seeds_that_never_get_there_count_as_never():
    early = judge(hits(at_most=20), [15.0] * 18 + [math.inf] * 2)
    assert (early.verdict, early.value) == ("reproduced", 15.0)
    assert early.text == "median 15 [15, 15], n = 20, seeds 15 to never, 18 of them in the band"
    never = judge(hits(at_most=20), [15.0] * 2 + [math.inf] * 18)
    assert (never.verdict, never.value) == ("contradicted", math.inf)
    assert never.text.startswith("median never [never, never], n = 20")


def test_a_baseline_that_never_gets_there_makes_the_arm_faster():
    faster = hits(expect="below", baseline="batch:before")
    assert judge(faster, [-math.inf] * 10).verdict == "reproduced"
    assert judge(faster, [math.inf] * 10).verdict == "contradicted"
    assert judge(faster, [0.0] * 10).verdict == "not reproduced"


@given(st.lists(st.floats(-5, 5, allow_subnormal=False), min_size=5, max_size=12), st.floats(-1, 1))
def test_above_and_below_never_hold_together(values, reference):
    one = judge(direction(reference=reference), values).verdict
    other = judge(direction(reference=reference, expect="below"), values).verdict
    mirrored = {"reproduced": "contradicted", "contradicted": "reproduced", "not reproduced": "not reproduced"}
    assert other == mirrored[one]


@given(st.lists(st.sampled_from([1.0, 2.0, 7.5, math.inf]), min_size=1, max_size=12))
def test_censored_values_hold_where_most_seeds_clearly_do(values):
    found = judge(hits(at_most=3), values)
    share = sum(value <= 3 for value in values) / len(values)
    assert (found.verdict == "inconclusive") or len(values) >= 5
    assert found.verdict != "reproduced" or share > 0.5
    assert found.verdict != "contradicted" or share < 0.5


def test_a_median_of_few_seeds_has_no_verdict():
    found = judge(hits(at_most=20, min_seeds=3), [15.0] * 4)
    assert (found.verdict, found.advice) == ("inconclusive", "1 more seed is needed: a verdict takes 5.")


def test_some_seeds_on_either_side_of_never_have_no_middle():
    found = judge(hits(expect="below", baseline="batch:before"), [-math.inf] * 5 + [math.inf] * 5)
    assert (found.verdict, found.advice) == ("inconclusive", NO_VALUE)


def test_a_band_that_censored_seeds_straddle_gives_no_advice_in_seeds():
    found = judge(hits(at_most=20), [15.0] * 11 + [math.inf] * 9)
    assert (found.verdict, found.value) == ("inconclusive", 15.0)
    assert found.advice == "Some seeds never get there, and how many would settle it can't be told."


# From runs to values.


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


def test_failed_runs_leave_their_pair_out_and_diverged_ones_count():
    def result(config):
        if config.seed < 3 and config.norm == "batch":
            return failed(config)
        return diverged(config, (0.5, 0.1)) if config.seed == 3 else complete(config, (0.5, 0.6))

    (found,) = run_study([BASIC | {"baseline": "batch:before"}], result)
    assert found.n == 17
    (level,) = run_study([BASIC], result)
    assert (level.n, level.value) == (20, pytest.approx((19 * 0.6 + 0.1) / 20))


def test_the_loss_of_a_diverged_run_is_the_worst_there_is():
    (found,) = run_study([BASIC | {"metric": "loss"}], lambda config: diverged(config))
    assert (found.verdict, found.value) == ("contradicted", math.inf)


LR = (("lr", (0.001, 0.01, 0.1, 1.0)),)


def up_to(config):
    """A run that learns up to a rate of 0.01, with a normalization up to 0.1."""
    return complete(config, (0.9 if config.lr <= (0.1 if config.norm == "batch" else 0.01) else 0.5,))


@pytest.mark.parametrize(
    ("reduce", "value"),
    [("highest", 1.0), ("tolerance", 1.0), ("slope", pytest.approx(0.1))],
)
def test_an_axis_is_reduced_to_one_number_a_seed(reduce, value):
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
    assert (neither[0].verdict, neither[0].value) == ("not reproduced", 0.0)


def test_best_is_chosen_for_each_arm_by_itself():
    def result(config):
        peak = 0.1 if config.norm == "batch" else 0.01
        return complete(config, (0.8 - 0.1 * abs(math.log10(config.lr / peak)),))

    table = BASIC | {"arm": "batch:before", "baseline": "none", "at_least": -0.01, "at_most": 0.01}
    (same_rate,) = run_study([table | {"where": {"lr": 0.1}}], result, axes=LR)
    (own_rate,) = run_study([table | {"where": {"lr": "best"}}], result, axes=LR)
    assert (same_rate.verdict, same_rate.value) == ("contradicted", pytest.approx(0.1))
    assert (own_rate.verdict, own_rate.value) == ("reproduced", pytest.approx(0.0))


def test_best_is_the_soonest_of_what_is_best_soon():
    def result(config):
        start = {0.001: 3, 0.01: 1, 0.1: 2, 1.0: 99}[config.lr]
        return complete(config, tuple(0.9 if epoch >= start else 0.1 for epoch in range(4)))

    table = {"id": "a", "statement": "s", "measure": "hit_epoch", "threshold": 0.8, "arm": "none", "at_most": 3}
    (found,) = run_study([table | {"where": {"lr": "best"}}], result, axes=LR)
    assert (found.verdict, found.value) == ("reproduced", 2.0)


def test_best_is_looked_for_on_several_axes_at_once():
    def result(config):
        return complete(config, (0.9 if (config.lr, config.batch_size) == (0.1, 4) else 0.6,))

    where = {"lr": "best", "batch_size": "best"}
    (found,) = run_study([BASIC | {"where": where}], result, axes=(*LR, ("batch_size", (4, 8))))
    assert (found.n, found.value) == (20, pytest.approx(0.9))


def test_a_value_that_is_none_is_no_verdict():
    gap = {"id": "a", "statement": "s", "measure": "gap", "metric": "val_loss", "minus": "loss", "arm": "none"}
    (found,) = run_study([gap | {"at_most": 1}], lambda c: (diverged if c.seed == 7 else complete)(c))
    assert (found.verdict, found.n, found.text) == ("inconclusive", 20, "1 of 20 seeds have no value")
    assert found.advice == NO_VALUE


@pytest.mark.parametrize(("engine", "verdict"), [("keras", "reproduced"), ("stacked", "inconclusive")])
def test_seconds_count_only_of_runs_that_were_timed_one_by_one(engine, verdict):
    table = {"id": "a", "statement": "s", "measure": "epoch_seconds", "arm": "none", "baseline": "batch:before"}
    table |= {"compare": "ratio", "at_most": 0.6}

    def result(config):
        return replace(complete(config, seconds=1.0 if config.norm == "none" else 2.0), engine=engine)

    (found,) = run_study([table], result)
    assert (found.verdict, found.n, found.value) == (verdict, 20, pytest.approx(0.5))
    if engine == "stacked":
        assert (found.low, found.high, found.text) == (None, None, "about 0.5, timed once for all 20 seeds")
        assert found.advice == "Runs that train together share one time: try --engine keras and a new --out."


def test_an_axis_that_is_void_on_an_arm_is_met_by_any_value():
    axes = (("norm_momentum", (0.9, 0.99)),)
    table = BASIC | {"where": {"norm_momentum": 0.99}, "baseline": "batch:before"}
    (found,) = run_study([table], lambda config: complete(config, (0.5,)), axes=axes)
    assert (found.n, found.value) == (20, 0.0)


def test_one_arm_can_be_compared_with_itself_elsewhere():
    axes = (("batch_size", (4, 8)),)
    table = BASIC | {"where": {"batch_size": 4}, "baseline_where": {"batch_size": 8}, "compare": "ratio"}
    (found,) = run_study([table], lambda config: complete(config, (config.batch_size / 10,)), axes=axes)
    assert found.value == pytest.approx(0.5)


# Checks, and what can't be tested.


def check_claim(monkeypatch, measured, **more):
    monkeypatch.setitem(check.REGISTRY._entries, "fake", lambda: measured)
    study = replace(make_study(), claims=({"id": "c", "statement": "s", "check": "fake"} | more,))
    return verdicts_on(parse_claims(study), study, [], {})[0]


def test_an_exact_check_holds_or_is_contradicted(monkeypatch):
    held = check_claim(monkeypatch, Measured("0.99", True))
    assert (held.verdict, held.text, held.value) == ("exact", "0.99", None)
    assert check_claim(monkeypatch, Measured("0.9", False)).verdict == "contradicted"


def test_a_check_that_gives_a_value_a_seed_is_judged_as_a_measure_is(monkeypatch):
    found = check_claim(monkeypatch, Measured("skew", values=tuple(around(-0.1))), expect="below")
    assert (found.verdict, found.n) == ("reproduced", 20)
    assert found.text == "skew; mean -0.100 [-0.107, -0.093], n = 20, seeds -0.120 to -0.080"


def test_values_need_an_expectation(monkeypatch):
    with pytest.raises(BncliError) as raised:
        check_claim(monkeypatch, Measured("skew", values=(1.0, 2.0)))
    assert str(raised.value) == "Claim 'c' measures numbers and needs an expectation to judge them by."


def test_checks_are_skipped_where_only_runs_are_judged(monkeypatch):
    monkeypatch.setitem(check.REGISTRY._entries, "fake", lambda: pytest.fail("was run"))
    found = run_study([{"id": "c", "statement": "s", "check": "fake"}, BASIC], lambda config: complete(config))
    assert [(verdict.claim.id, verdict.verdict) for verdict in found] == [("c", "skipped"), ("one", "reproduced")]
    assert found[0].text == "a check, not a matter of these runs: bncli verify makes it"


def test_what_cannot_be_tested_says_why():
    (found,) = run_study([{"id": "c", "statement": "s", "not_testable": "no figure"}], lambda config: complete(config))
    assert (found.verdict, found.text) == ("not testable", "no figure")


# What a study file may say.

WAYS = "Needs exactly one of measure, check and not_testable. Received:"
ENDS = "Needs one expectation: expect = above, below or published; or at_least, at_most or both."
THRESHOLD = "Measure 'hit_epoch' needs threshold: the value of the metric that counts as reached."
TWICE = "lr is reduced by across and can't be in baseline_where too."
ARM = "Unknown arm 'batch:after'. Allowed: none, batch:before. Did you mean 'batch:before'?"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metrik": "loss"}, "Unknown key 'metrik'. Allowed: ... Did you mean 'metric'?"),
        ({"statement": ""}, "statement is missing. A claim needs an id and a statement."),
        ({"at_most": "much"}, "at_most must be a number. Received: 'much'."),
        ({"at_most": math.nan}, "at_most must be a number. Received: nan."),
        ({"min_seeds": 1}, "min_seeds must be a whole number from 2. Received: 1."),
        ({"note": 5}, "note must be text. Received: 5."),
        ({"where": 5}, "where must be a table of axes and values, e.g. { lr = 0.01 }. Received: 5."),
        ({"check": "default-momentum"}, f"{WAYS} measure, check."),
        ({"measure": ""}, f"{WAYS} none."),
        ({"expect": "above"}, ENDS),
        ({"measure": "finale"}, "Unknown measure 'finale'. Allowed: ... Did you mean 'final'?"),
        ({"at_least": 2}, "at_least 2 is more than at_most 1."),
        ({"last": 3}, "last has no effect on measure 'final'."),
        ({"measure": "hit_epoch"}, THRESHOLD),
        ({"metric": "acuracy"}, "Unknown metric 'acuracy'. Allowed: ... Did you mean 'accuracy'?"),
        ({"compare": "ratio"}, "compare has no effect without a baseline or a baseline_where."),
        ({"reduce": "slope"}, "reduce has no effect without across, the axis to reduce."),
        ({"arm": "batch:after"}, ARM),
        ({"baseline": "layer"}, "Unknown baseline 'layer'. Allowed: none, batch:before."),
        ({"where": {"epochs": 3}}, "Unknown axis 'epochs'. Allowed: lr."),
        ({"where": {"lr": 7}}, "The axis lr has no value 7. Allowed: 0.01, 0.1, or best."),
        ({"where": {}}, "The study varies lr: give where = { lr = VALUE } or across = 'lr'."),
        ({"across": "lr"}, "The study varies lr: give where = { lr = VALUE } not both."),
        ({"where": {}, "across": "lr", "baseline_where": {"lr": 0.1}}, TWICE),
    ],
)  # fmt: skip
def test_a_claim_that_makes_no_sense_is_refused(change, message):
    study = make_study(axes=(("lr", (0.01, 0.1)),))
    table = BASIC | {"where": {"lr": 0.1}} | change
    with pytest.raises(BncliError) as raised:
        parse_claims(replace(study, claims=(table,)))
    start, dots, end = message.partition("...")
    text = str(raised.value).removeprefix("Claim 'one' of study 'fake': ")
    assert text == message if not dots else (text.startswith(start) and text.endswith(end))


@pytest.mark.parametrize(
    ("axes", "change", "message"),
    [
        ((("lr", (0.1,)),), {}, "across takes an axis of two or more values. lr has 0.1 only."),
        (
            (("norm_momentum", (0.0, 0.9)),),
            {"reduce": "highest"},
            "reduce = 'highest' takes an axis of numbers above 0. norm_momentum has 0, 0.9.",
        ),
        (
            (("activation", ("relu", "tanh")),),
            {"reduce": "tolerance"},
            "reduce = 'tolerance' takes an axis of numbers above 0. activation has relu, tanh.",
        ),
        (
            (("lr", (0.1, 1.0)), ("batch_size", (4, 8))),
            {"where": {"batch_size": "best"}},
            "'best' and across can't go together: the best place would be another at each value.",
        ),
    ],
)
def test_an_axis_that_cannot_be_reduced_is_refused(axes, change, message):
    table = BASIC | {"arm": "batch:before", "across": axes[0][0]} | change
    with pytest.raises(BncliError) as raised:
        parse_claims(replace(make_study(axes=axes), claims=(table,)))
    assert str(raised.value) == f"Claim 'one' of study 'fake': {message}"


def test_a_claim_is_linked_to_its_study_unless_it_says_where():
    study = replace(make_study(), source="https://study")
    tables = (BASIC, BASIC | {"id": "two", "link": "https://paper"}, BASIC | {"id": "three", "link": ""})
    assert [claim.link for claim in parse_claims(replace(study, claims=tables))] == [
        "https://study",
        "https://paper",
        "",
    ]


def test_an_id_is_given_once():
    with pytest.raises(BncliError) as raised:
        parse_claims(replace(make_study(), claims=(BASIC, BASIC)))
    assert str(raised.value) == "Study 'fake' has two claims of the id 'one'. Give each its own."


def test_a_level_needs_its_published_value():
    table = {key: value for key, value in BASIC.items() if key != "at_most"} | {"expect": "published"}
    with pytest.raises(BncliError) as raised:
        parse_claims(replace(make_study(), claims=(table,)))
    assert str(raised.value) == (
        "Claim 'one' of study 'fake': expect = 'published' needs published_value, the figure as a number."
    )


def test_claims_of_a_study_file_survive_the_study_and_its_record():
    study = study_from_dict({"claims": [BASIC], "arms": ["none"], "source": "https://example.org"})
    assert study_from_dict(study.to_dict()) == study
    assert parse_claims(study)[0].link == "https://example.org"
    assert "claims" not in study_from_dict({}).to_dict()


def test_claims_stay_with_more_seeds_and_go_with_other_settings():
    study = replace(make_study(), claims=(BASIC,))
    assert study.vary(seeds=(0, 1, 2)).claims == (BASIC,)
    assert study.vary({"epochs": 9}).claims == ()
    assert study.vary(axes=[("lr", (0.1, 0.2))]).claims == ()


def test_claims_must_be_tables():
    with pytest.raises(BncliError) as raised:
        study_from_dict({"claims": ["one"]})
    assert str(raised.value) == ("claims must be tables, each under a line [[claims]]. See the README on study files.")


# What ships.


@pytest.mark.parametrize("name", presets())
def test_the_claims_of_a_preset_are_sound(name):
    study = load_study(name)
    for claim in parse_claims(study):
        assert claim.source
        assert claim.test()
        assert not claim.measure or claim.min_seeds <= len(study.seeds)


def test_every_number_from_1_to_47_is_a_claim_and_every_id_is_one():
    shipped = [claim for name in presets() for claim in parse_claims(load_study(name))]
    assert {claim.number for claim in shipped if claim.number} == set(range(1, 48))
    assert len({claim.id for claim in shipped}) == len(shipped)
