"""Verdicts: laws that hold for every measurement, and numbers that others published or that arithmetic gives."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, binom

from graph.claims import Claim, Interval
from graph.metrics import METRICS
from inference.verdicts.intervals import LARGEST_TRIED
from inference.verdicts.printed import numbers_in, printed_unit
from inference.verdicts.rules import (
    Judgement,
    judge_exact,
    judge_interval,
    judge_loss,
    judge_proportion,
    judge_runs,
    stated_number,
)


def stated(metric: str, value: float, text: str = "", comparator: str = "=") -> Claim:
    return Claim(id="cl_1", artifact="a", metric=metric, value=value, text=text, comparator=comparator)  # type: ignore[arg-type]


def exact(measured: float, metric: str, value: float, text: str = "", comparator: str = "=") -> Judgement:
    return judge_exact(measured, stated(metric, value, text, comparator), METRICS[metric])


counts = st.integers(1, 2_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
percents = st.floats(0, 100).map(lambda value: round(value, 2))


# Exact values -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("measured", "metric", "value", "text", "verdict"),
    [
        (5_578_632, "parameters", 5.6e6, "5.6M parameters", "verified"),  # MobileViT-small, published as 5.6M
        (5_649_999, "parameters", 5.6e6, "5.6M", "verified"),
        (5_550_000, "parameters", 5.6e6, "5.6M", "verified"),  # just half a unit
        (5_549_999, "parameters", 5.6e6, "5.6M", "refuted"),
        (5_700_000, "parameters", 5.6e6, "5.6M", "refuted"),
        (5_578_632, "parameters", 5.6e6, "5.60M parameters", "refuted"),  # more digits claim more
        (5_578_632, "parameters", 5.6e6, "5.6M (5,600,000) parameters", "refuted"),  # the most precise counts
        (22_713_216, "parameters", 22_713_216, "22,713,216 parameters", "verified"),
        (22_713_217, "parameters", 22_713_216, "22,713,216 parameters", "refuted"),
        (242_810, "parameters", 243_000, "243k", "verified"),
        (11_901_408_320, "parameters", 12e9, "a 12B model", "verified"),
        (11_901_408_320, "parameters", 12e9, "12.0B", "refuted"),
        (5_578_632, "parameters", 5.6e6, "", "verified"),  # no text: the value's own digits
        (384, "dimensions", 384, "", "verified"),
        (384, "dimensions", 380, "", "refuted"),  # small counts are printed in full
        (1_000, "labels", 1_000, "", "verified"),
        (1_001, "labels", 1_000, "", "refuted"),
        (8_192, "context", 8_000, "8k context", "verified"),
        (8_192, "context", 8_000, "8000 tokens", "refuted"),
        (90_868_376, "size_bytes", 91e6, "91 MB", "verified"),
        (95_000_000, "size_bytes", 90 * 2**20, "90 MiB", "refuted"),  # 90 MiB ± 0.5 is at most 94,896,128
        (94_000_000, "size_bytes", 90 * 2**20, "90 MiB", "verified"),
        (1_000_000, "size_bytes", 91e6, "91 MB", "verified"),  # smaller than claimed: the metric's direction
    ],
)
def test_exact_values_are_judged_at_their_printed_precision(
    measured: float, metric: str, value: float, text: str, verdict: str
) -> None:
    assert exact(measured, metric, value, text).verdict == verdict


def test_a_cut_number_is_verified_with_a_flag() -> None:
    cut = exact(5_699_999, "parameters", 5.6e6, "5.6M")
    assert (cut.verdict, cut.flags) == ("verified", ("truncated",))
    assert exact(5_600_001, "parameters", 5.6e6, "5.6M").flags == ()


@pytest.mark.parametrize(
    ("measured", "comparator", "verdict", "flags"),
    [
        (4, "<=", "verified", ()), (5, "<=", "refuted", ()), (4, "<", "refuted", ()), (3, "<", "verified", ()),
        (4, ">=", "verified", ()), (3, ">=", "refuted", ()), (4, ">", "refuted", ()), (5, ">", "verified", ()),
        (4, "up_to", "verified", ()), (6, "up_to", "verified", ("exceeds",)), (3, "up_to", "refuted", ()),
    ],
)  # fmt: skip
def test_an_explicit_comparator_overrides_the_direction(
    measured: float, comparator: str, verdict: str, flags: tuple[str, ...]
) -> None:
    judged = exact(measured, "steps", 4, comparator=comparator)
    assert (judged.verdict, judged.flags) == (verdict, flags)


def test_up_to_is_not_refuted_by_one_scope_that_does_not_reach_it() -> None:
    assert exact(2.0, "speedup", 4.0, "up to 4.0x", "up_to").verdict == "inconclusive"


@given(st.integers(1, 10**12), st.integers(1, 10**12), st.sampled_from(["parameters", "labels", "size_bytes"]))
def test_the_exact_claim_about_what_was_measured_is_always_verified(measured: int, other: int, metric: str) -> None:
    assert exact(measured, metric, measured, f"{measured:,}").verdict == "verified"
    if measured != other and metric == "labels":
        assert exact(measured, metric, other, f"{other:,}").verdict == "refuted"


@given(st.integers(1, 999), st.integers(0, 2), st.sampled_from(["", "k", "M", "B"]))
def test_a_printed_number_is_found_again_with_its_last_digit(digits: int, decimals: int, scale: str) -> None:
    shown = f"{digits / 10**decimals:.{decimals}f}{scale}"
    factor = Decimal({"": 1, "k": 10**3, "M": 10**6, "B": 10**9}[scale])
    number = Decimal(digits).scaleb(-decimals) * factor
    assert numbers_in(f"about {shown} of them") == [(number, Decimal(1).scaleb(-decimals) * factor)]
    assert printed_unit(stated("parameters", float(number), shown)) == Decimal(1).scaleb(-decimals) * factor


def test_a_claim_without_a_number_cannot_be_judged_exactly() -> None:
    words = Claim(id="cl_1", artifact="a", metric="exports", value="onnx")
    with pytest.raises(ValueError, match="states no number"):
        judge_exact(1.0, words, METRICS["exports"])


# Proportions --------------------------------------------------------------------------------------------
@given(counts, percents, st.sampled_from(["=", ">=", "<=", ">", "<", "up_to"]))
@settings(max_examples=150)
def test_more_right_answers_never_hurt(case: tuple[int, int], claim: float, comparator: str) -> None:
    """Along successes 0..n a claim "at least" goes refuted, inconclusive, verified; "at most" the other way."""
    order = {"refuted": 0, "inconclusive": 1, "verified": 2}
    _, n = case
    steps = sorted({0, n, case[0], n // 2, n // 3})
    seen = [order[judge_proportion(k, n, claim, comparator).verdict] for k in steps]  # type: ignore[arg-type]
    assert seen == sorted(seen, reverse=comparator in ("<", "<="))


@given(counts, percents, percents)
@settings(max_examples=150)
def test_a_bolder_claim_is_never_easier_to_verify(case: tuple[int, int], one: float, other: float) -> None:
    order = {"refuted": 0, "inconclusive": 1, "verified": 2}
    modest, bold = sorted((one, other))
    verdicts = [judge_proportion(*case, claim).verdict for claim in (modest, bold)]
    assert order[verdicts[0]] >= order[verdicts[1]]


@given(counts, percents)
@settings(max_examples=150)
def test_at_least_and_at_most_cannot_both_be_refuted(case: tuple[int, int], claim: float) -> None:
    both = {judge_proportion(*case, claim, ">=").verdict, judge_proportion(*case, claim, "<=").verdict}
    assert both != {"refuted"}


@given(counts, percents)
@settings(max_examples=200)
def test_failures_mirror_successes(case: tuple[int, int], claim: float) -> None:
    successes, n = case
    up, down = judge_proportion(successes, n, claim, ">="), judge_proportion(n - successes, n, 100 - claim, "<=")
    near = (
        abs((up.interval.low if up.interval else 0) - (claim - 1)) < 1e-6
        or abs((up.interval.high if up.interval else 0) - (claim - 1)) < 1e-6
    )
    assert near or up.verdict == down.verdict


@given(counts, percents)
@settings(max_examples=100)
def test_the_decisive_n_decides_and_one_less_does_not(case: tuple[int, int], claim: float) -> None:
    """By the quantiles of beta at the same rate, whole or not: an implementation of its own."""
    successes, n = case
    judged = judge_proportion(successes, n, claim)
    if judged.verdict != "inconclusive" or judged.decisive_n is None:
        return
    rate, threshold = successes / n, claim / 100 - 0.01

    def decided(items: float) -> bool:
        right, wrong = rate * items, (1 - rate) * items
        low = beta.ppf(0.025, right, wrong + 1) if right else 0.0
        high = beta.ppf(0.975, right + 1, wrong) if wrong else 1.0
        return bool(low >= threshold or high < threshold)

    assert judged.decisive_n > n
    assert decided(judged.decisive_n)
    assert judged.decisive_n == n + 1 or not decided(judged.decisive_n - 1)


def test_power_agrees_with_the_published_table() -> None:
    """VERIFICATION: at a true 95 % a 3-point overstatement is refuted 68 % of the time with 540 items, and so on."""
    for n, points, published in [(540, 3, 0.68), (540, 2, 0.19), (540, 1, 0.02), (2000, 2, 0.56)]:
        likely = range(int(0.9 * n), n + 1)  # below 90 % right the probability is under 1e-6
        power = sum(
            binom.pmf(right, n, 0.95)
            for right in likely
            if judge_proportion(right, n, 95 + points).verdict == "refuted"
        )
        assert power == pytest.approx(published, abs=0.005)


def test_the_detectable_difference_is_refuted_four_times_in_five() -> None:
    judged = judge_proportion(513, 540, 95.0)  # 95 % right
    assert judged.verdict == "inconclusive"
    assert judged.detectable == pytest.approx(3.28, abs=0.05)
    lie = 95 + judged.detectable + 1e-9
    power = sum(
        binom.pmf(right, 540, 0.95)
        for right in range(486, 541)
        if judge_proportion(right, 540, lie).verdict == "refuted"
    )
    assert power >= 0.8


def test_a_planted_lie_is_refuted_and_its_honest_twin_is_not() -> None:
    assert judge_proportion(526, 540, 99.9).verdict == "refuted"
    assert judge_proportion(526, 540, 95.0).verdict == "verified"
    assert judge_proportion(526, 540, 97.4).verdict == "inconclusive"  # 540 items are too few for δ = 1 point


def test_the_whole_set_leaves_only_the_preprocessing_open() -> None:
    rate = 100 * 526 / 540
    for claim, verdict, code in [
        (97.4, "verified", None), (rate + 0.49, "verified", None), (rate + 0.51, "inconclusive", "preprocessing"),
        (rate + 1.49, "inconclusive", "preprocessing"), (rate + 1.51, "refuted", None), (99.9, "refuted", None),
    ]:  # fmt: skip
        judged = judge_proportion(526, 540, claim, whole=540)
        assert (judged.verdict, judged.reason_code) == (verdict, code), claim


def test_a_part_of_the_claims_own_set_decides_sooner_and_is_open_to_other_preprocessing() -> None:
    assert judge_proportion(500, 510, 96.0).verdict == judge_proportion(500, 510, 96.0, whole=540).verdict == "verified"
    for claim, verdict, code in [
        (98.0, "verified", None), (98.2, "inconclusive", "preprocessing"), (99.0, "inconclusive", None),
        (99.3, "inconclusive", "preprocessing"), (99.8, "refuted", None),
    ]:  # fmt: skip
        assert judge_proportion(500, 510, claim).verdict == "inconclusive"  # as a sample of who knows what
        part = judge_proportion(500, 510, claim, whole=540)
        assert (part.verdict, part.reason_code) == (verdict, code), claim
        assert part.interval is not None
        assert part.interval.method == "hypergeometric"
    few = judge_proportion(50, 51, 98.2, whole=540)
    assert few.verdict == "inconclusive"
    assert few.decisive_n is not None
    assert few.decisive_n <= 540


def test_a_sample_never_refutes_up_to() -> None:
    assert judge_proportion(0, 1000, 90.0, "up_to").verdict == "inconclusive"
    assert judge_proportion(990, 1000, 90.0, "up_to").flags == ("exceeds",)


@pytest.mark.parametrize(("successes", "n"), [(1, 0), (-1, 5), (6, 5)])
def test_impossible_counts_are_errors(successes: int, n: int) -> None:
    with pytest.raises(ValueError, match=r"n|k|must"):
        judge_proportion(successes, n, 50.0)


# Runs ---------------------------------------------------------------------------------------------------
def test_runs_needs_a_quarter_of_the_way_from_chance_to_one() -> None:
    assert judge_runs(526, 540, 0.102).threshold == pytest.approx(0.102 + 0.25 * 0.898)
    assert judge_runs(526, 540, 0.102).verdict == "verified"
    assert judge_runs(55, 540, 0.102).verdict == "refuted"  # trained on shuffled labels
    assert judge_runs(62, 100, 0.5).verdict == "inconclusive"
    assert judge_runs(900, 1000, 0.9).verdict == "refuted"  # always the most frequent label: no better than that


@given(counts, st.floats(0.001, 0.95))
def test_runs_is_monotone_and_chance_never_passes(case: tuple[int, int], chance: float) -> None:
    order = {"refuted": 0, "inconclusive": 1, "verified": 2}
    successes, n = case
    judged = judge_runs(successes, n, chance)
    assert order[judge_runs(min(successes + 1, n), n, chance).verdict] >= order[judged.verdict]
    assert judged.threshold is not None
    assert chance < judged.threshold < 1
    if successes / n <= chance:
        assert judged.verdict != "verified"
    assert math.isfinite(judged.detectable or 0.0)


# Sampled numbers ----------------------------------------------------------------------------------------
ends = st.tuples(st.floats(0.01, 1e3), st.floats(0, 0.5), st.floats(0, 0.5))
DIRECTIONS = {"up": "speedup", "down": "latency_s", "exact": "steps"}
ORDER = {"refuted": 0, "inconclusive": 1, "verified": 2}


def sampled(
    measured: float, low: float, high: float, metric: str, value: float, text: str = "", comparator: str = "=",
    n: int | None = None,
) -> Judgement:  # fmt: skip
    interval = Interval(low=low, high=high, level=0.95, method="order-statistic")
    return judge_interval(measured, interval, stated(metric, value, text, comparator), METRICS[metric], n)


@pytest.mark.parametrize(
    ("low", "high", "metric", "text", "comparator", "verdict"),
    [
        (1.96, 2.2, "speedup", "2.0x", "=", "verified"),  # δ is .05
        (1.94, 2.2, "speedup", "2.0x", "=", "inconclusive"),
        (1.2, 1.94, "speedup", "2.0x", "=", "refuted"),
        (1.2, 1.95, "speedup", "2.0x", "=", "inconclusive"),
        (1.6, 1.9, "speedup", "2x", ">=", "verified"),  # δ is .5
        (1.96, 2.2, "speedup", "2.0x", ">", "inconclusive"),  # taken at its word
        (2.01, 2.2, "speedup", "2.0x", ">", "verified"),
        (1.2, 2.0, "speedup", "2.0x", ">", "refuted"),
        (2.0, 2.2, "speedup", "2.0x", "<", "refuted"),
        (1.5, 1.99, "speedup", "2.0x", "<", "verified"),
        (2.06, 2.2, "speedup", "2.0x", "<=", "refuted"),
        (1.5, 2.04, "latency_s", "2.0 s", "=", "verified"),  # down: at most
        (2.06, 2.2, "latency_s", "2.0 s", "=", "refuted"),
        (1.96, 2.04, "steps", "2.0 steps", "=", "verified"),  # exact: all of it within
        (1.5, 2.04, "steps", "2.0 steps", "=", "inconclusive"),
        (2.06, 2.2, "steps", "2.0 steps", "=", "refuted"),
        (1.2, 1.5, "speedup", "2.0x", "up_to", "inconclusive"),  # another scope may reach it
        (1.96, 2.2, "speedup", "2.0x", "up_to", "verified"),
    ],
)
def test_an_interval_decides_by_direction_and_comparator(
    low: float, high: float, metric: str, text: str, comparator: str, verdict: str
) -> None:
    assert sampled((low + high) / 2, low, high, metric, 2.0, text, comparator).verdict == verdict


def test_what_goes_beyond_up_to_is_a_flag() -> None:
    assert sampled(2.5, 2.2, 2.8, "speedup", 2.0, "2.0x", "up_to").flags == ("exceeds",)
    assert sampled(2.1, 2.0, 2.2, "speedup", 2.0, "2.0x", "up_to").flags == ()


@given(ends, st.floats(0.01, 1e3), st.floats(0.01, 1e3), st.sampled_from(["up", "down"]))
def test_a_bolder_number_is_never_easier_to_verify(
    found: tuple[float, float, float], one: float, other: float, direction: str
) -> None:
    measured, below, above = found
    modest, bold = sorted((round(one, 2), round(other, 2)), reverse=direction == "down")
    low, high, metric = measured * (1 - below), measured * (1 + above), DIRECTIONS[direction]
    verdicts = [sampled(measured, low, high, metric, value, f"{value:.2f}").verdict for value in (modest, bold)]
    assert ORDER[verdicts[0]] >= ORDER[verdicts[1]]


@given(
    ends, st.floats(0.01, 1e3), st.sampled_from(["=", "<", "<=", ">", ">=", "up_to"]), st.sampled_from(["up", "down"])
)
def test_a_narrower_interval_never_turns_a_verdict_round(
    found: tuple[float, float, float], claim: float, comparator: str, direction: str
) -> None:
    measured, below, above = found
    metric, value = DIRECTIONS[direction], round(claim, 2)
    wide, narrow = (
        sampled(measured, measured * (1 - k * below), measured * (1 + k * above), metric, value, f"{value}", comparator)
        for k in (1, 0.3)
    )
    assert wide.verdict in (narrow.verdict, "inconclusive")
    assert {wide.verdict, narrow.verdict} != {"verified", "refuted"}


@given(ends, st.floats(0.01, 1e3), st.integers(15, 500))
def test_the_n_that_would_decide_decides_when_the_width_goes_with_the_root(
    found: tuple[float, float, float], claim: float, n: int
) -> None:
    measured, below, above = found
    value = round(claim, 2)
    judged = sampled(measured, measured * (1 - below), measured * (1 + above), "speedup", value, f"{value:.2f}", n=n)
    if judged.verdict != "inconclusive" or judged.decisive_n is None:
        return
    assert judged.decisive_n > n
    factor = 0.999_999 * (n / judged.decisive_n) ** 0.5
    later = sampled(
        measured, measured * (1 - factor * below), measured * (1 + factor * above), "speedup", value, f"{value:.2f}"
    )
    assert later.verdict != "inconclusive"


def test_the_detectable_difference_of_a_number_is_refuted_four_times_in_five() -> None:
    draw = np.random.default_rng(0)
    judged = sampled(10.0, 9.0, 11.0, "speedup", 10.5, "10.5x", n=30)
    assert judged.verdict == "inconclusive"
    assert judged.detectable is not None
    lie = round(10 + judged.detectable, 4)
    estimates = draw.normal(10, 1 / 1.96, size=4_000)
    caught = [sampled(e, e - 1, e + 1, "speedup", lie, f"{lie:.1f}").verdict == "refuted" for e in estimates]
    assert 0.78 <= np.mean(caught) <= 0.84


def test_f1_has_a_margin_of_one_point_whatever_is_printed() -> None:
    assert sampled(91.0, 90.1, 92.0, "f1", 91.0, "91.00 %").verdict == "verified"
    assert sampled(91.0, 89.9, 92.0, "f1", 91.0, "91.00 %").verdict == "inconclusive"
    assert sampled(91.0, 90.0, 92.0, "f1", 93.01, "93.01 %").verdict == "refuted"


# Losses in percent --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("relative", "points", "verdict"),
    [
        ("refuted", "refuted", "refuted"), ("refuted", "inconclusive", "inconclusive"),
        ("refuted", "verified", "inconclusive"), ("inconclusive", "refuted", "inconclusive"),
        ("inconclusive", "verified", "inconclusive"), ("verified", "inconclusive", "verified"),
        ("verified", "verified", "verified"), ("verified", "refuted", "inconclusive"),
    ],
)  # fmt: skip
def test_a_loss_in_percent_is_refuted_only_if_false_both_ways(relative: str, points: str, verdict: str) -> None:
    assert judge_loss(Judgement(relative), Judgement(points)).verdict == verdict  # type: ignore[arg-type]


def test_a_share_is_a_percentage_where_the_metric_is_one() -> None:
    share = Claim(id="c", artifact="a", metric="accuracy", value=0.974, unit="fraction")
    assert stated_number(share) == pytest.approx(97.4)
    assert stated_number(share.model_copy(update={"metric": "speedup", "unit": "ratio"})) == 0.974
    with pytest.raises(ValueError, match="states no number"):
        stated_number(share.model_copy(update={"value": "most"}))


def test_an_interval_that_is_open_upwards_says_what_was_tried() -> None:
    tried = Interval(low=16_384.0, high=1e12, level=1.0, method=LARGEST_TRIED)
    small, large = (stated("max_pixels", value, comparator=">=") for value in (10_000.0, 4e6))
    assert judge_interval(16_384.0, tried, small, METRICS["max_pixels"]).verdict == "verified"
    judgement = judge_interval(16_384.0, tried, large, METRICS["max_pixels"])
    assert (judgement.verdict, judgement.decisive_n) == ("inconclusive", None)
    assert judgement.reason.endswith("measured 16,384, the largest tried, claimed 4,000,000: nothing larger was tried")
