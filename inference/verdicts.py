"""From measurements to verdicts: pure functions, DESIGN's rule for exact values and for proportions.

Percent and percentage points everywhere (78.3, not 0.783), except for `runs`, whose shares lie in 0..1.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

from graph.claims import Claim, Comparator, Interval, Verdict
from graph.constants import INTERVAL_LEVEL, MARGIN_POINTS, PREPROCESSING_POINTS, RUNS_ABOVE_CHANCE
from graph.metrics import Metric
from inference.printed import printed_unit

Side = Literal["up", "down", "exact", "up_to"]
POWER: Final = 0.8
"""The detectable difference is the smallest that this many of such runs would have refuted."""
_LARGEST_N: Final = 10_000_000


@dataclass(frozen=True)
class Judgement:
    """A verdict and what it rests on. `interval`, `threshold` and `detectable` are in the unit of the claim."""

    verdict: Verdict
    reason_code: str | None = None
    reason: str = ""
    interval: Interval | None = None
    threshold: float | None = None
    decisive_n: int | None = None
    detectable: float | None = None
    flags: tuple[str, ...] = ()


def judge_exact(measured: float, claim: Claim, metric: Metric) -> Judgement:
    """The verdict on a number that was counted, not sampled.

    By the comparator, or by the metric's direction where it is "=". δ is half a unit of the last printed digit;
    `<` and `>` are taken at their word, without δ. Equal when truncated also verifies, with the flag `truncated`.

    Raises
    ------
    ValueError
        The claim states no number.
    """
    unit = printed_unit(claim)
    value, found, margin = Decimal(repr(claim.value)), Decimal(repr(measured)), unit / 2
    shown = f"measured {_plain(found)}, claimed {_plain(value)}"
    if claim.comparator in ("<", ">"):
        holds = found < value if claim.comparator == "<" else found > value
        return Judgement("verified" if holds else "refuted", None, shown, threshold=float(value))
    side = _side(claim.comparator, metric)
    if side == "up":
        holds, threshold = found >= value - margin, value - margin
    elif side == "down":
        holds, threshold = found <= value + margin, value + margin
    elif side == "up_to":
        return _judge_up_to(found, value, margin, metric, shown)
    else:
        if abs(found - value) <= margin:
            return Judgement("verified", None, shown, threshold=float(margin))
        if value >= 0 and value <= found < value + unit:
            return Judgement("verified", None, f"{shown}: equal when cut", None, float(margin), flags=("truncated",))
        holds, threshold = False, margin
    return Judgement("verified" if holds else "refuted", None, shown, threshold=float(threshold))


def _judge_up_to(found: Decimal, value: Decimal, margin: Decimal, metric: Metric, shown: str) -> Judgement:
    """`up_to`: reached verifies, exceeded is a flag; only an exact bound refutes."""
    if found >= value - margin:
        flags = ("exceeds",) if found > value + margin else ()
        return Judgement("verified", None, shown, threshold=float(value - margin), flags=flags)
    if metric.direction == "exact":
        return Judgement("refuted", None, f"{shown}: the exact bound lies below", threshold=float(value - margin))
    return Judgement("inconclusive", None, f"{shown}: not reached in this scope", threshold=float(value - margin))


def judge_proportion(
    successes: int,
    n: int,
    claim: float,
    comparator: Comparator = "=",
    delta_points: float = MARGIN_POINTS,
    *,
    whole_set: bool = False,
) -> Judgement:
    """The verdict on a share of right answers, from its Clopper-Pearson interval (two-sided 95 %).

    Parameters
    ----------
    successes, n : int
        Right answers, and items asked; n ≥ 1.
    claim : float
        The claimed share, in percent.
    comparator : str
        "=", ">" and ">=" are read as "at least", "<" and "<=" as "at most", `up_to` as "reaches".
    delta_points : float
        δ, in percentage points.
    whole_set : bool
        The items are all of the very set that the claim names: there is nothing to sample, and the interval is
        the measured share ± the tolerance for different preprocessing (0.5 points). Between the thresholds the
        verdict is inconclusive (`preprocessing`).

    Raises
    ------
    ValueError
        n < 1, or successes outside 0..n.

    Notes
    -----
    Source: C. J. Clopper and E. S. Pearson, Biometrika 26 (1934) 404-413.
    """
    rate = 100 * successes / n if n else 0.0
    low, high = (100 * end for end in proportion_interval(successes, n))
    interval = Interval(low=low, high=high, level=INTERVAL_LEVEL, method="clopper-pearson")
    if whole_set:
        low, high = max(0.0, rate - PREPROCESSING_POINTS), min(100.0, rate + PREPROCESSING_POINTS)
        interval = Interval(low=low, high=high, level=1.0, method="whole-set")
    verdict, threshold = _decide(low, high, claim, comparator, delta_points)
    shown = f"{successes} of {n} = {rate:.2f} % [{low:.2f}, {high:.2f}], claimed {claim:g} %"
    if verdict != "inconclusive":
        exceeds = comparator == "up_to" and low > claim + delta_points
        return Judgement(verdict, None, shown, interval, threshold, flags=("exceeds",) if exceeds else ())
    if comparator == "up_to":
        return Judgement(verdict, None, f"{shown}: not reached in this scope", interval, threshold)
    if whole_set:
        reason = f"{shown}: no further off than other preprocessing may be"
        detectable = delta_points + PREPROCESSING_POINTS
        return Judgement(verdict, "preprocessing", reason, interval, threshold, detectable=detectable)
    needed = _decisive_n(rate / 100, n, claim, comparator, delta_points)
    detectable = _detectable(rate / 100, n, delta_points, upward=comparator in ("=", ">", ">="))
    reason = f"{shown}: too close to call with {n} items"
    return Judgement(verdict, None, reason, interval, threshold, needed, detectable)


def judge_runs(successes: int, n: int, majority: float, classes: int) -> Judgement:
    """The verdict on `runs`, which asks whether the task is done clearly better than by guessing.

    Parameters
    ----------
    successes, n : int
        Right answers, and items asked; n ≥ 1.
    majority : float
        Share, 0..1, of the most frequent label: what answering it always would give.
    classes : int
        Number of labels.

    Returns
    -------
    Judgement
        Verified iff the interval's lower end reaches chance + RUNS_ABOVE_CHANCE · (1 − chance), where chance is the
        larger of `majority` and 1/classes; refuted iff its upper end stays below. Shares in 0..1.
    """
    chance = max(majority, 1 / classes)
    threshold = chance + RUNS_ABOVE_CHANCE * (1 - chance)
    low, high = proportion_interval(successes, n)
    interval = Interval(low=low, high=high, level=INTERVAL_LEVEL, method="clopper-pearson")
    shown = f"{successes} of {n} right, {threshold:.1%} needed, {chance:.1%} is chance"
    if low >= threshold:
        return Judgement("verified", None, shown, interval, threshold)
    if high < threshold:
        return Judgement("refuted", None, shown, interval, threshold)
    needed = _decisive_n(successes / n, n, 100 * threshold, ">=", 0.0)
    detectable = _detectable(successes / n, n, 0.0, upward=True) / 100
    reason = f"{shown}: too close to call with {n} items"
    return Judgement("inconclusive", None, reason, interval, threshold, needed, detectable)


def proportion_interval(successes: int, n: int, level: float = INTERVAL_LEVEL) -> tuple[float, float]:
    """The Clopper-Pearson interval of a proportion, two-sided, as shares in 0..1.

    Raises
    ------
    ValueError
        n < 1, or successes outside 0..n.
    """
    from scipy.stats import binomtest

    interval = binomtest(successes, n).proportion_ci(level, method="exact")
    return float(interval.low), float(interval.high)


def _side(comparator: Comparator, metric: Metric) -> Side:
    """Which side a comparator without strictness allows."""
    if comparator == "=":
        return metric.direction
    if comparator == "up_to":
        return "up_to"
    return "down" if comparator == "<=" else "up"


def _decide(low: float, high: float, claim: float, comparator: Comparator, delta: float) -> tuple[Verdict, float]:
    """Verdict and threshold, all in percent; strict comparators exclude the threshold itself."""
    if comparator in ("<", "<="):
        threshold = claim + delta
        holds = high < threshold if comparator == "<" else high <= threshold
        fails = low >= threshold if comparator == "<" else low > threshold
    else:
        threshold = claim - delta
        holds = low > threshold if comparator == ">" else low >= threshold
        fails = high <= threshold if comparator == ">" else high < threshold
    fails = fails and comparator != "up_to"  # a sample never refutes "up to"
    return ("verified" if holds else "refuted" if fails else "inconclusive"), threshold


def _smooth_interval(rate: float, n: float) -> tuple[float, float]:
    """Clopper-Pearson for n · rate successes, whole or not, in percent."""
    from scipy.special import betaincinv

    tail, right, wrong = (1 - INTERVAL_LEVEL) / 2, n * rate, n * (1 - rate)
    low = float(betaincinv(right, wrong + 1, tail)) if right > 0 else 0.0
    high = float(betaincinv(right + 1, wrong, 1 - tail)) if wrong > 0 else 1.0
    return 100 * low, 100 * high


def _decisive_n(rate: float, n: int, claim: float, comparator: Comparator, delta: float) -> int | None:
    """The smallest n that would decide if the observed rate stayed; None where none up to ten million would."""

    def decides(items: int) -> bool:
        return _decide(*_smooth_interval(rate, items), claim, comparator, delta)[0] != "inconclusive"

    low, high = n, 2 * n
    while not decides(high):
        low, high = high, 2 * high
        if high > _LARGEST_N:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if decides(middle) else (middle, high)
    return high


def _detectable(rate: float, n: int, delta: float, *, upward: bool) -> float:
    """The smallest wrong claim, in points away from the observed rate, that POWER of such runs would refute."""
    from scipy.stats import binom

    if not upward:
        return _detectable(1 - rate, n, delta, upward=True)
    worst = int(binom.ppf(POWER, n, rate))
    return 100 * (proportion_interval(worst, n)[1] - rate) + delta


def _plain(number: Decimal) -> str:
    return f"{number:,f}".rstrip("0").rstrip(".") if "." in f"{number:f}" else f"{number:,f}"
