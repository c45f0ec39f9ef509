"""From measurements to verdicts: pure functions, one rule for exact values, for sampled numbers and for shares.

Percent and percentage points everywhere (78.3, not 0.783), except for `runs`, whose shares lie in 0..1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final, Literal

from graph.claims import Claim, Comparator, Interval, Verdict
from graph.constants import INTERVAL_LEVEL, MARGIN_POINTS, PREPROCESSING_POINTS, RUNS_ABOVE_CHANCE
from graph.metrics import METRICS, Metric
from inference.verdicts.intervals import LARGEST_TRIED, hypergeometric_interval, proportion_interval
from inference.verdicts.power import decisive_n, detectable_difference, detectable_points, needed_n
from inference.verdicts.printed import printed_unit

Side = Literal["up", "down", "exact", "up_to"]
IN_POINTS: Final = frozenset({"accuracy", "f1", "adherence"})
"""Metrics whose δ is MARGIN_POINTS."""


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


def judge_interval(
    measured: float, interval: Interval, claim: Claim, metric: Metric, n: int | None = None
) -> Judgement:
    """The verdict on a sampled number, from its interval; all in the unit of the metric.

    Parameters
    ----------
    measured : float
        The estimate, inside the interval.
    interval : Interval
        Two-sided; its ends decide.
    claim, metric
        δ is 1 point for f1 and half a unit of the last printed digit otherwise; `<` and `>` are taken without δ.
    n : int or None
        Items, pairs or passages behind the interval, to say how many would decide: its width shrinks with √n.

    Returns
    -------
    Judgement
        Upward: verified iff low ≥ claim − δ, refuted iff high < claim − δ; downward mirrored; exact: verified iff the
        whole interval lies within ± δ, refuted iff all of it lies outside. A sample never refutes `up_to`.

    Raises
    ------
    ValueError
        The claim states no number.
    """
    margin = MARGIN_POINTS if metric.name in IN_POINTS else float(printed_unit(claim) / 2)
    value, low, high = stated_number(claim), interval.low, interval.high
    is_open = interval.method == LARGEST_TRIED
    ends = ", the largest tried" if is_open else f" [{_short(low)}, {_short(high)}]"
    shown = f"measured {_short(measured)}{ends}, claimed {_short(value)}"
    side = _side(claim.comparator, metric)
    if side == "exact":
        inside, outside = (
            value - margin <= low and high <= value + margin,
            high < value - margin or low > value + margin,
        )
        verdict: Verdict = "verified" if inside else "refuted" if outside else "inconclusive"
        return Judgement(verdict, None, shown, interval, margin)
    strict = claim.comparator in ("<", ">")
    threshold = value if strict else value + margin if side == "down" else value - margin
    verdict = _against(low, high, threshold, claim.comparator, downward=side == "down")
    if side == "up_to":
        flags = ("exceeds",) if verdict == "verified" and low > value + margin else ()
        reason = shown if verdict == "verified" else f"{shown}: not reached in this scope"
        return Judgement(verdict, None, reason, interval, threshold, flags=flags)
    if verdict != "inconclusive":
        return Judgement(verdict, None, shown, interval, threshold)
    if is_open:
        return Judgement(verdict, None, f"{shown}: nothing larger was tried", interval, threshold)
    needed = needed_n(measured, interval, threshold, n)
    detectable = detectable_difference(measured, interval, 0.0 if strict else margin, downward=side == "down")
    return Judgement(verdict, None, f"{shown}: too close to call", interval, threshold, needed, detectable)


def judge_proportion(
    successes: int,
    n: int,
    claim: float,
    comparator: Comparator = "=",
    delta_points: float = MARGIN_POINTS,
    *,
    whole: int | None = None,
    level: float = INTERVAL_LEVEL,
) -> Judgement:
    """The verdict on a share of right answers, from its two-sided Clopper-Pearson interval.

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
    whole : int or None
        Items of the very set that the claim names, where those asked are known to be a part of it (the interval is
        then the exact one of a finite set) or all of it (there is nothing to sample). The interval is widened by
        the tolerance for different preprocessing (0.5 points); where that alone leaves the verdict open, its reason
        code is `preprocessing`.
    level : float
        Of the two-sided interval, 0..1: the share of honest claims that are refuted is at most (1 − level)/2.

    Raises
    ------
    ValueError
        n < 1, successes outside 0..n, or n > whole.
    """
    rate = 100 * successes / n if n else 0.0
    low, high = (100 * end for end in _share_ends(successes, n, whole, level))
    interval = Interval(low=low, high=high, level=level, method="clopper-pearson")
    bare = _decide(low, high, claim, comparator, delta_points)[0]
    if whole is not None:
        low, high = max(0.0, low - PREPROCESSING_POINTS), min(100.0, high + PREPROCESSING_POINTS)
        shown_level, method = (1.0, "whole-set") if n == whole else (level, "hypergeometric")
        interval = Interval(low=low, high=high, level=shown_level, method=method)
    verdict, threshold = _decide(low, high, claim, comparator, delta_points)
    shown = f"{successes} of {n} = {rate:.2f} % [{low:.2f}, {high:.2f}], claimed {claim:g} %"
    if verdict != "inconclusive":
        exceeds = comparator == "up_to" and low > claim + delta_points
        return Judgement(verdict, None, shown, interval, threshold, flags=("exceeds",) if exceeds else ())
    if comparator == "up_to":
        return Judgement(verdict, None, f"{shown}: not reached in this scope", interval, threshold)
    if bare != "inconclusive":
        reason = f"{shown}: no further off than other preprocessing may be"
        detectable = max(high - rate, rate - low) + delta_points
        return Judgement(verdict, "preprocessing", reason, interval, threshold, detectable=detectable)
    needed = decisive_n(rate / 100, n, lambda low, high: _decides(low, high, claim, comparator, delta_points), level)
    needed = needed if needed is None or whole is None else min(needed, whole)
    upward = comparator in ("=", ">", ">=")
    detectable = detectable_points(rate / 100, n, delta_points, upward=upward, level=level)
    reason = f"{shown}: too close to call with {n} items"
    return Judgement(verdict, None, reason, interval, threshold, needed, detectable)


def judge_runs(successes: int, n: int, chance: float, level: float = INTERVAL_LEVEL) -> Judgement:
    """The verdict on `runs`, which asks whether the task is done clearly better than by guessing.

    Parameters
    ----------
    successes, n : int
        Right answers, and items asked; n ≥ 1.
    chance : float
        What guessing gives, 0..1: the larger of the most frequent label's share and 1 in so many labels.
    level : float
        Of the two-sided interval, 0..1.

    Returns
    -------
    Judgement
        Verified iff the interval's lower end reaches chance + RUNS_ABOVE_CHANCE · (1 − chance), refuted iff its upper
        end stays below. Shares in 0..1.
    """
    threshold = chance + RUNS_ABOVE_CHANCE * (1 - chance)
    low, high = proportion_interval(successes, n, level)
    interval = Interval(low=low, high=high, level=level, method="clopper-pearson")
    shown = f"{successes} of {n} right, {threshold:.1%} needed, {chance:.1%} is chance"
    if low >= threshold:
        return Judgement("verified", None, shown, interval, threshold)
    if high < threshold:
        return Judgement("refuted", None, shown, interval, threshold)
    needed = decisive_n(successes / n, n, lambda low, high: _decides(low, high, 100 * threshold, ">=", 0.0), level)
    detectable = detectable_points(successes / n, n, 0.0, upward=True, level=level) / 100
    reason = f"{shown}: too close to call with {n} items"
    return Judgement("inconclusive", None, reason, interval, threshold, needed, detectable)


def judge_loss(own: Judgement, other: Judgement) -> Judgement:
    """The verdict on a loss in percent, which may mean points or a share of what there was: both were judged.

    Refuted only if false both ways; verified by its own metric, where it is not false the other way.
    """
    contradicted = own.verdict == "refuted" or (own.verdict == "verified" and other.verdict == "refuted")
    if own.verdict == other.verdict or not contradicted:
        return own
    reason = f"{own.reason}; read the other way: {other.reason}"
    return replace(own, verdict="inconclusive", reason=reason, decisive_n=None)


def stated_number(claim: Claim) -> float:
    """The claim's number in the unit of its metric: percent where it was written as a share.

    Raises
    ------
    ValueError
        It states no number.
    """
    if not isinstance(claim.value, int | float):
        raise ValueError(f"claim {claim.id} states no number")
    metric = METRICS.get(claim.metric)
    shares = metric is not None and metric.unit == "percent" and claim.unit in ("fraction", "share", "ratio")
    return 100 * float(claim.value) if shares else float(claim.value)


def _share_ends(successes: int, n: int, whole: int | None, level: float) -> tuple[float, float]:
    if whole is None:
        return proportion_interval(successes, n, level)
    return hypergeometric_interval(successes, n, whole, level)


def _side(comparator: Comparator, metric: Metric) -> Side:
    """Which side a comparator allows."""
    if comparator == "=":
        return metric.direction
    if comparator == "up_to":
        return "up_to"
    return "down" if comparator in ("<", "<=") else "up"


def _against(low: float, high: float, threshold: float, comparator: Comparator, *, downward: bool) -> Verdict:
    """The verdict on a threshold from the ends of an interval; strict comparators exclude the threshold itself."""
    if downward:
        holds = high < threshold if comparator == "<" else high <= threshold
        fails = low >= threshold if comparator == "<" else low > threshold
    else:
        holds = low > threshold if comparator == ">" else low >= threshold
        fails = high <= threshold if comparator == ">" else high < threshold
    fails = fails and comparator != "up_to"  # a sample never refutes "up to"
    return "verified" if holds else "refuted" if fails else "inconclusive"


def _decide(low: float, high: float, claim: float, comparator: Comparator, delta: float) -> tuple[Verdict, float]:
    """Verdict and threshold of a share, all in percent."""
    downward = comparator in ("<", "<=")
    threshold = claim + delta if downward else claim - delta
    return _against(low, high, threshold, comparator, downward=downward), threshold


def _decides(low: float, high: float, claim: float, comparator: Comparator, delta: float) -> bool:
    """Whether a share's interval, in 0..1, decides."""
    return _decide(100 * low, 100 * high, claim, comparator, delta)[0] != "inconclusive"


def _plain(number: Decimal) -> str:
    return f"{number:,f}".rstrip("0").rstrip(".") if "." in f"{number:f}" else f"{number:,f}"


def _short(number: float) -> str:
    return f"{number:,.4g}" if abs(number) < 10_000 else f"{number:,.0f}"
