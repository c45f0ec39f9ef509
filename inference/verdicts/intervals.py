"""Intervals: what a number may be when only some items or runs were seen. Pure functions, two-sided.

Shares come back as plain pairs (low, high) in 0..1, because a measurement carries a share as k of n; everything else
as an `Interval` in the unit of what was given, ready for `Measurement.interval`. Where no level is asked for, it is
that of the run (see `inference.verdicts.levels`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final

from graph.claims import Interval
from inference.verdicts.levels import level_or_run

LEAST_MEDIAN: Final = 15
"""A median's interval needs this many values."""
LARGEST_TRIED: Final = "largest tried"
"""Method of an interval that is open upwards: nothing larger was tried."""


def proportion_interval(successes: int, n: int, level: float | None = None) -> tuple[float, float]:
    """The Clopper-Pearson interval of a proportion, as shares in 0..1.

    Raises
    ------
    ValueError
        n < 1, or successes outside 0..n.

    Notes
    -----
    Source: C. J. Clopper and E. S. Pearson, Biometrika 26 (1934) 404-413; scipy's `binomtest`.
    """
    from scipy.stats import binomtest

    level = level_or_run(level)
    interval = binomtest(successes, n).proportion_ci(level, method="exact")
    return float(interval.low), float(interval.high)


def hypergeometric_interval(successes: int, n: int, whole: int, level: float | None = None) -> tuple[float, float]:
    """The exact interval of the share of right answers in a finite set of which a part was asked, in 0..1.

    Parameters
    ----------
    successes, n : int
        Right answers, and items asked; 1 ≤ n ≤ whole.
    whole : int
        Items of the whole set.
    level : float
        Confidence, 0..1.

    Returns
    -------
    tuple of float
        Smallest and largest K/whole that neither one-sided test at (1 − level)/2 refutes, K being the number of right
        answers in the whole set; (k/n, k/n) where n = whole.

    Raises
    ------
    ValueError
        n outside 1..whole, or successes outside 0..n.

    Notes
    -----
    Source: W. G. Cochran, Sampling Techniques (1977), section 3.6: tail inversion of the hypergeometric distribution.
    """
    from scipy.stats import hypergeom

    if not 1 <= n <= whole or not 0 <= successes <= n:
        raise ValueError(f"{successes} of {n} items out of {whole}: needs 0 <= k <= n <= whole and n >= 1")
    level = level_or_run(level)
    tail = (1 - level) / 2 * (1 - 1e-9)  # totals that lie on the edge belong to the interval
    least, most = successes, whole - (n - successes)
    low, above = least, most  # P(X >= k) grows with K: the first K at which it exceeds the tail
    while low < above:
        middle = (low + above) // 2
        if hypergeom.sf(successes - 1, whole, middle, n) > tail:
            above = middle
        else:
            low = middle + 1
    below, high = least, most  # P(X <= k) falls with K: the last K at which it exceeds the tail
    while below < high:
        middle = (below + high + 1) // 2
        if hypergeom.cdf(successes, whole, middle, n) > tail:
            below = middle
        else:
            high = middle - 1
    return low / whole, high / whole


def paired_difference_interval(
    both: int, only_first: int, only_second: int, neither: int, level: float | None = None
) -> Interval:
    """The interval of p_first − p_second, two shares of right answers on the same items, in −1..1.

    Parameters
    ----------
    both, only_first, only_second, neither : int
        Items that both answered rightly, only the first, only the second, neither of them.
    level : float
        Confidence, 0..1.

    Raises
    ------
    ValueError
        No item, or a negative count.

    Notes
    -----
    Newcombe's square-and-add interval (method 10) of paired proportions: two Wilson intervals, joined with the
    correlation of the two answers. Source: R. G. Newcombe, Statistics in Medicine 17 (1998) 2635-2650.
    """
    from scipy.stats import binomtest

    level = level_or_run(level)
    n = _items(both, only_first, only_second, neither)
    first, second = both + only_first, both + only_second
    one, other = (binomtest(right, n).proportion_ci(level, method="wilson") for right in (first, second))
    difference = (only_first - only_second) / n
    link = _correlation(both, only_first, only_second, neither)
    down, up = first / n - one.low, one.high - first / n
    other_down, other_up = second / n - other.low, other.high - second / n
    low = difference - math.sqrt(max(0.0, down**2 - 2 * link * down * other_up + other_up**2))
    high = difference + math.sqrt(max(0.0, up**2 - 2 * link * up * other_down + other_down**2))
    return Interval(low=max(-1.0, low), high=min(1.0, high), level=level, method="newcombe-paired")


def _correlation(both: int, only_first: int, only_second: int, neither: int) -> float:
    """Newcombe's φ of a paired table, its positive numerator corrected for continuity; 0 at an empty margin."""
    margins = (both + only_first) * (only_second + neither) * (both + only_second) * (only_first + neither)
    cross, n = both * neither - only_first * only_second, both + only_first + only_second + neither
    if margins == 0:
        return 0.0
    return (max(cross - n / 2, 0.0) if cross > 0 else cross) / math.sqrt(margins)


def relative_loss_interval(
    both: int, only_first: int, only_second: int, neither: int, level: float | None = None
) -> Interval:
    """The interval of 1 − p_second/p_first, the share of its right answers that the first loses as the second.

    Parameters are those of `paired_difference_interval`; the first is the reference. The lower end may be negative
    (the second is better), and −inf is cut to −1e9.

    Raises
    ------
    ValueError
        No item, a negative count, or a reference without a right answer.

    Notes
    -----
    Source: D. G. Bonett and R. M. Price, Statistics in Medicine 25 (2006) 3039-3047, the ratio of paired proportions.
    """
    from scipy.stats import norm

    _items(both, only_first, only_second, neither)
    first, second, seen = both + only_first, both + only_second, both + only_first + only_second
    if first == 0:
        raise ValueError("the reference has no right answer: no relative loss")

    def spread(right: int) -> float:
        return math.sqrt((1 - (right + 1) / (seen + 2)) / (right + 1))

    level = level_or_run(level)
    joint = math.sqrt((only_first + only_second + 2) / ((first + 1) * (second + 1)))
    z = float(norm.ppf((1 + level) / 2)) * joint / (spread(first) + spread(second))
    first_low, first_high = _wilson(first, seen, z)
    second_low, second_high = _wilson(second, seen, z)
    low = 1 - second_high / first_low if first_low > 0 else -1e9
    high = 1 - second_low / first_high
    return Interval(low=max(low, -1e9), high=min(high, 1.0), level=level, method="bonett-price")


def _wilson(right: int, n: int, z: float) -> tuple[float, float]:
    middle, half = right + z**2 / 2, z * math.sqrt(right * (n - right) / n + z**2 / 4)
    return max(0.0, (middle - half) / (n + z**2)), min(1.0, (middle + half) / (n + z**2))


def _items(*counts: int) -> int:
    if min(counts) < 0 or sum(counts) == 0:
        raise ValueError(f"a paired table needs counts of at least 0 and one item, not {counts}")
    return sum(counts)


def median_interval(values: Sequence[float], level: float | None = None) -> Interval:
    """The exact interval of the median, from one order statistic to another, in the unit of the values.

    Raises
    ------
    ValueError
        Fewer than LEAST_MEDIAN values, or one that is not finite.

    Notes
    -----
    Makes no assumption but independent values of one distribution; its coverage is at least `level`.
    Source: W. J. Conover, Practical Nonparametric Statistics (1999), section 3.2; scipy's `quantile_test`.
    """
    from scipy.stats import quantile_test

    level = level_or_run(level)
    listed = _finite(values, LEAST_MEDIAN)
    interval = quantile_test(listed, p=0.5).confidence_interval(level)
    return Interval(low=float(interval.low), high=float(interval.high), level=level, method="order-statistic")


def median_ratio_interval(ratios: Sequence[float], level: float | None = None) -> Interval:
    """The exact interval of the median of paired ratios (seconds of A by seconds of B, measured by turns).

    Raises
    ------
    ValueError
        Fewer than LEAST_MEDIAN ratios, or one that is not finite and positive.
    """
    if any(not ratio > 0 for ratio in ratios):
        raise ValueError("a ratio of times is positive")
    return median_interval(ratios, level).model_copy(update={"method": "order-statistic-of-paired-ratios"})


def mean_interval(values: Sequence[float], level: float | None = None) -> Interval:
    """Student's interval of the mean, in the unit of the values; for values that are about normal or many.

    Raises
    ------
    ValueError
        Fewer than two values, or one that is not finite.
    """
    from scipy.stats import ttest_1samp

    level = level_or_run(level)
    listed = _finite(values, 2)
    if len(set(listed)) == 1:
        return Interval(low=listed[0], high=listed[0], level=level, method="t")
    interval = ttest_1samp(listed, 0.0).confidence_interval(level)
    return Interval(low=float(interval.low), high=float(interval.high), level=level, method="t")


def perplexity_interval(losses: Sequence[float], tokens: Sequence[int], level: float | None = None) -> Interval:
    """The interval of exp(Σ losses / Σ tokens), drawn over passages, which are independent where tokens are not.

    Parameters
    ----------
    losses : sequence of float
        Summed negative log likelihood of each passage, in nats.
    tokens : sequence of int
        Tokens predicted in each passage, in the same order; at least 1.
    level : float
        Confidence, 0..1.

    Raises
    ------
    ValueError
        Fewer than LEAST_MEDIAN passages, not one count a loss, or a loss that is not finite.

    Notes
    -----
    The mean loss is a ratio of two sums: its linearised standard error and Student's t on the log scale.
    Source: W. G. Cochran, Sampling Techniques (1977), section 6.3.
    """
    from scipy.stats import t

    listed = _finite(losses, LEAST_MEDIAN)
    if len(tokens) != len(listed) or min(tokens) < 1:
        raise ValueError("perplexity needs one count of tokens, at least 1, for every passage")
    level = level_or_run(level)
    n, total = len(listed), sum(tokens)
    mean = math.fsum(listed) / total
    rest = math.fsum((loss - mean * count) ** 2 for loss, count in zip(listed, tokens, strict=True))
    half = float(t.ppf((1 + level) / 2, n - 1)) * math.sqrt(n / (n - 1) * rest) / total
    return Interval(low=_exp(mean - half), high=_exp(mean + half), level=level, method="t-of-log-ratio")


def scaled(interval: Interval, factor: float) -> Interval:
    """The same interval in another unit: times 100 from shares to points. `factor` is positive."""
    return interval.model_copy(update={"low": interval.low * factor, "high": interval.high * factor})


def _finite(values: Iterable[float], least: int) -> list[float]:
    listed = [float(value) for value in values]
    if len(listed) < least or not all(math.isfinite(value) for value in listed):
        raise ValueError(f"needs at least {least} finite values, not {len(listed)}")
    return listed


def _exp(value: float) -> float:
    return math.exp(min(value, 700.0))
