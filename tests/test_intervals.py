"""Intervals: published worked examples, second implementations, laws, and how often they cover the truth."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, binom, hypergeom
from sklearn.metrics import balanced_accuracy_score, f1_score

from inference.verdicts.intervals import (
    LEAST_MEDIAN,
    hypergeometric_interval,
    mean_interval,
    median_interval,
    median_ratio_interval,
    paired_difference_interval,
    perplexity_interval,
    proportion_interval,
    relative_loss_interval,
    scaled,
)
from inference.verdicts.label_scores import LEAST_PER_CLASS, macro_f1, macro_f1_interval, mean_recall

counts = st.integers(1, 2_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
tables = st.tuples(*[st.integers(0, 200)] * 4).filter(lambda table: sum(table) > 0)


# Proportions --------------------------------------------------------------------------------------------
@given(counts)
@settings(max_examples=200)
def test_clopper_pearson_agrees_with_the_quantiles_of_beta(case: tuple[int, int]) -> None:
    successes, n = case
    low, high = proportion_interval(successes, n)
    assert low == pytest.approx(0 if successes == 0 else beta.ppf(0.025, successes, n - successes + 1), abs=1e-9)
    assert high == pytest.approx(1 if successes == n else beta.ppf(0.975, successes + 1, n - successes), abs=1e-9)


def test_clopper_pearson_agrees_with_published_intervals() -> None:
    # VERIFICATION's table of prompt adherence: 12 prompts x 10 seeds
    for right, low, high in [(13, 5.9, 17.8), (76, 54.1, 71.9), (105, 80.2, 92.8), (108, 83.2, 94.7)]:
        ends = proportion_interval(right, 120)
        assert (100 * ends[0], 100 * ends[1]) == pytest.approx((low, high), abs=0.05)
    assert proportion_interval(0, 30)[1] == pytest.approx(1 - 0.025 ** (1 / 30))  # closed form at the edge


def tails(successes: int, n: int, whole: int, total: int) -> tuple[Fraction, Fraction]:
    """P(X >= k) and P(X <= k) where n of `whole` items are drawn, `total` of them right: exact, by counting."""
    ways = [math.comb(total, k) * math.comb(whole - total, n - k) for k in range(n + 1)]
    return Fraction(sum(ways[successes:]), sum(ways)), Fraction(sum(ways[: successes + 1]), sum(ways))


@given(st.integers(2, 60).flatmap(lambda whole: st.tuples(st.just(whole), st.integers(1, whole), st.floats(0, 1))))
@settings(max_examples=100, deadline=None)
def test_a_part_of_a_finite_set_agrees_with_trying_every_total(case: tuple[int, int, float]) -> None:
    whole, n, share = case
    successes = round(share * n)
    kept = [
        total
        for total in range(successes, whole - (n - successes) + 1)
        if min(tails(successes, n, whole, total)) >= Fraction(1, 40)
    ]
    assert hypergeometric_interval(successes, n, whole) == (min(kept) / whole, max(kept) / whole)


def test_a_part_tells_more_than_a_sample_and_the_whole_tells_all() -> None:
    low, high = proportion_interval(95, 100)
    part_low, part_high = hypergeometric_interval(95, 100, 200)
    assert low < part_low < 0.95 < part_high < high
    assert hypergeometric_interval(526, 540, 540) == (526 / 540, 526 / 540)
    assert hypergeometric_interval(95, 100, 10**7) == pytest.approx((low, high), abs=1e-5)


def test_the_interval_of_a_part_covers_whatever_the_whole_holds() -> None:
    whole, n = 30, 12
    for total in range(whole + 1):
        covered = sum(
            hypergeom.pmf(k, whole, total, n)
            for k in range(max(0, n - (whole - total)), min(n, total) + 1)
            if hypergeometric_interval(k, n, whole)[0] <= total / whole <= hypergeometric_interval(k, n, whole)[1]
        )
        assert covered >= 0.95


@pytest.mark.parametrize("counts", [(1, 0, 10), (3, 2, 10), (1, 11, 10), (-1, 5, 10)])
def test_impossible_counts_of_a_part_are_errors(counts: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="k <= n <= whole"):
        hypergeometric_interval(*counts)


# Pairs --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("table", "low", "high"),
    [
        (
            (1, 1, 7, 12),
            -0.507,
            -0.026,
        ),  # Fagerland, Lydersen, Laake, Stat. Med. 33 (2014), airway hyper-responsiveness
        ((59, 6, 16, 80), -0.1186, -0.0046),  # Fagerland's R package contingencytables, Cavo et al. (2012)
        ((14, 5, 0, 22), 0.011, 0.226),  # Altman et al., Statistics with Confidence (2000), table 6.2
    ],
)
def test_newcombes_interval_agrees_with_published_examples(
    table: tuple[int, int, int, int], low: float, high: float
) -> None:
    interval = paired_difference_interval(*table)
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=5.1e-4)


def test_the_relative_loss_agrees_with_a_published_ratio() -> None:
    interval = relative_loss_interval(59, 16, 6, 80)  # contingencytables, Cavo et al.: ratio .8667 [.7579, .9910]
    assert (1 - interval.high, 1 - interval.low) == pytest.approx((0.7579, 0.9910), abs=5.1e-5)


@given(tables)
def test_swapping_the_two_sides_mirrors_the_difference(table: tuple[int, int, int, int]) -> None:
    both, first, second, neither = table
    one, other = paired_difference_interval(*table), paired_difference_interval(both, second, first, neither)
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low), abs=1e-12)
    assert -1 <= one.low <= (first - second) / sum(table) <= one.high <= 1
    if both + first:
        loss = relative_loss_interval(*table)
        assert loss.low - 1e-9 <= 1 - (both + second) / (both + first) <= loss.high + 1e-9
        assert math.isfinite(loss.low)


@pytest.mark.parametrize(
    ("interval_of", "truth"), [(paired_difference_interval, 0.02), (relative_loss_interval, 0.02 / 0.95)]
)
def test_intervals_of_pairs_cover_about_as_often_as_they_say(interval_of: object, truth: float) -> None:
    drawn = np.random.default_rng(0).multinomial(300, [0.90, 0.05, 0.03, 0.02], size=600)
    found = [interval_of(*map(int, table)) for table in drawn]  # type: ignore[operator]
    covered = np.mean([interval.low <= truth <= interval.high for interval in found])
    assert 0.925 <= covered <= 0.98


@pytest.mark.parametrize("table", [(0, 0, 0, 0), (-1, 2, 3, 4)])
def test_impossible_pairs_are_errors(table: tuple[int, int, int, int]) -> None:
    for interval_of in (paired_difference_interval, relative_loss_interval):
        with pytest.raises(ValueError, match="paired table"):
            interval_of(*table)
    with pytest.raises(ValueError, match="no right answer"):
        relative_loss_interval(0, 0, 3, 4)


# Medians, means, perplexity -------------------------------------------------------------------------------
@given(st.integers(LEAST_MEDIAN, 120))
@settings(max_examples=40, deadline=None)
def test_the_medians_interval_lies_between_the_order_statistics_that_the_binomial_gives(n: int) -> None:
    interval = median_interval([float(value) for value in range(n)])
    rank = int(interval.low) + 1  # the r-th smallest, and by symmetry the r-th largest
    assert interval.high == n - rank
    assert 1 - 2 * binom.cdf(rank - 1, n, 0.5) >= 0.95  # covers at least so often
    assert 1 - 2 * binom.cdf(rank, n, 0.5) < 0.95  # and the next narrower one does not


@given(st.lists(st.floats(-1e6, 1e6), min_size=15, max_size=60), st.floats(0.1, 10))
@settings(deadline=None)
def test_the_medians_interval_holds_the_median_and_follows_its_unit(values: list[float], factor: float) -> None:
    interval = median_interval(values)
    assert interval.low <= np.median(values) <= interval.high
    again = median_interval([value * factor for value in reversed(values)])
    assert (again.low, again.high) == pytest.approx((interval.low * factor, interval.high * factor))
    assert scaled(interval, 3.0).low == interval.low * 3.0


def test_too_few_values_or_a_time_of_zero_give_no_interval() -> None:
    for short in ([1.0] * (LEAST_MEDIAN - 1), [math.nan] * 20):
        with pytest.raises(ValueError, match="finite values"):
            median_interval(short)
    with pytest.raises(ValueError, match="positive"):
        median_ratio_interval([1.0] * 20 + [0.0])
    assert median_ratio_interval([2.0] * 20).high == 2.0
    with pytest.raises(ValueError, match="finite values"):
        mean_interval([1.0])


def test_the_means_interval_is_students() -> None:
    values = [4.1, 3.8, 5.0, 4.4]
    half = 3.182446 * np.std(values, ddof=1) / 2  # the tables' t for 3 degrees of freedom
    interval = mean_interval(values)
    assert (interval.low, interval.high) == pytest.approx((4.325 - half, 4.325 + half), abs=1e-6)
    assert mean_interval([2.0, 2.0, 2.0]).high == 2.0


def test_perplexity_covers_the_perplexity_of_all_passages() -> None:
    draw = np.random.default_rng(0)
    tokens = draw.integers(20, 200, size=5_000)
    losses = tokens * draw.normal(3.3, 0.4, size=5_000)
    truth = math.exp(losses.sum() / tokens.sum())
    hits = 0
    for _ in range(300):
        part = draw.choice(5_000, size=40, replace=False)
        interval = perplexity_interval(losses[part].tolist(), tokens[part].tolist())
        hits += interval.low <= truth <= interval.high
    assert 0.91 <= hits / 300 <= 0.985
    with pytest.raises(ValueError, match="one count of tokens"):
        perplexity_interval([1.0] * 20, [1] * 19)


# Labels -------------------------------------------------------------------------------------------------
def answers(n: int, share: float, seed: int, labels: int = 3) -> tuple[list[str], list[str]]:
    """Answers and right labels, `share` of them equal beyond chance, labels of uneven frequency."""
    draw = np.random.default_rng(seed)
    odds = np.arange(1, labels + 1) / sum(range(1, labels + 1))
    right = draw.choice(labels, size=n, p=odds)
    given = np.where(draw.random(n) < share, right, draw.choice(labels, size=n, p=odds))
    return [f"l{label}" for label in given], [f"l{label}" for label in right]


def test_f1_and_recall_are_those_of_scikit_learn() -> None:
    given, right = answers(300, 0.8, 0)
    assert macro_f1(given, right) == pytest.approx(f1_score(right, given, average="macro"))
    assert mean_recall(given, right) == pytest.approx(balanced_accuracy_score(right, given))


def test_the_interval_of_f1_covers_and_is_never_sure_of_a_model_without_an_error() -> None:
    everything = macro_f1(*answers(200_000, 0.8, 1))
    found = [macro_f1_interval(*answers(200, 0.8, seed)) for seed in range(2, 62)]
    assert np.mean([interval.low <= everything <= interval.high for interval in found]) >= 0.9
    assert np.mean([interval.high - interval.low for interval in found]) < 0.15
    flawless = macro_f1_interval(["a", "b"] * 20, ["a", "b"] * 20)
    assert flawless.high == 1.0
    assert flawless.low < 0.9  # 20 of 20 right is at least 83 %, for each label
    assert macro_f1_interval(*answers(200, 0.8, 3)) == macro_f1_interval(*answers(200, 0.8, 3))


def test_labels_with_too_few_items_have_no_f1_interval() -> None:
    right = ["a"] * 20 + ["b"] * (LEAST_PER_CLASS - 1)
    with pytest.raises(ValueError, match="items of every label"):
        macro_f1_interval(right, right)
