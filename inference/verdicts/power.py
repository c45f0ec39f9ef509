"""How much would have decided: the n that would, and the difference that could have been detected. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from graph.claims import Interval
from graph.constants import INTERVAL_LEVEL
from inference.verdicts.intervals import proportion_interval

POWER: Final = 0.8
"""The detectable difference is the smallest that this many of such runs would have refuted."""
_LARGEST_N: Final = 10_000_000


def decisive_n(
    rate: float, n: int, decides: Callable[[float, float], bool], level: float = INTERVAL_LEVEL
) -> int | None:
    """The smallest n above this one that would decide if the observed rate stayed; None where none up to ten million.

    Parameters
    ----------
    rate : float
        Share of right answers, 0..1.
    n : int
        Items asked.
    decides : callable
        Whether an interval (low, high) of the share, in 0..1, decides.
    level : float
        Of that interval, two-sided.
    """

    def enough(items: int) -> bool:
        return decides(*_smooth_interval(rate, items, level))

    low, high = n, 2 * n
    while not enough(high):
        low, high = high, 2 * high
        if high > _LARGEST_N:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def detectable_points(rate: float, n: int, delta: float, *, upward: bool, level: float = INTERVAL_LEVEL) -> float:
    """The smallest wrong claim about a share, in points off the observed rate, that POWER of such runs would refute."""
    from scipy.stats import binom

    if not upward:
        return detectable_points(1 - rate, n, delta, upward=True, level=level)
    worst = int(binom.ppf(POWER, n, rate))
    return 100 * (proportion_interval(worst, n, level)[1] - rate) + delta


def needed_n(measured: float, interval: Interval, threshold: float, n: int | None) -> int | None:
    """The n that would bring the threshold out of a number's interval if the estimate stayed; its width goes with 1/√n.

    None where n is not known, where the estimate lies on the threshold, or where more than ten million were needed.
    """
    gap = measured - threshold
    half = measured - interval.low if gap > 0 else interval.high - measured
    if n is None or gap == 0 or half <= 0:
        return None
    needed = n * (half / gap) ** 2
    return max(n + 1, math.ceil(needed)) if needed <= _LARGEST_N else None


def detectable_difference(measured: float, interval: Interval, delta: float, *, downward: bool) -> float:
    """The smallest wrong claim, as a distance from the estimate, that POWER of such runs would refute.

    By the normal distribution: the interval's half width, and the estimate's own scatter on top.
    """
    from scipy.stats import norm

    half = measured - interval.low if downward else interval.high - measured
    scatter = float(norm.ppf(POWER) / norm.ppf((1 + interval.level) / 2)) if interval.level < 1 else 0.0
    return half * (1 + scatter) + delta


def _smooth_interval(rate: float, n: float, level: float) -> tuple[float, float]:
    """Clopper-Pearson for n · rate successes, whole or not, in 0..1."""
    from scipy.special import betaincinv

    tail, right, wrong = (1 - level) / 2, n * rate, n * (1 - rate)
    low = float(betaincinv(right, wrong + 1, tail)) if right > 0 else 0.0
    high = float(betaincinv(right + 1, wrong, 1 - tail)) if wrong > 0 else 1.0
    return low, high
