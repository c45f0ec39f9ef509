"""Seconds by turns: two ways of doing the same, alternated, with exact intervals and the control of A against A."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from graph.claims import Scope
from inference.probes.base import Measurement
from inference.verdicts.intervals import LEAST_MEDIAN, median_interval, median_ratio_interval

PAIRS: Final = LEAST_MEDIAN + LEAST_MEDIAN % 2
MOST_PAIRS: Final = 50
LEAST_S: Final = 0.004
"""One timing takes about this long at least."""
CONTROL_LEVEL: Final = 0.999
"""A against A must contain 1 at this level: at 95 % a good machine would fail one time in twenty."""
Work = Callable[[], Any]


def alternate(*ways: Work, rounds: int, repeats: int = 1) -> list[list[float]]:
    """Seconds of each way in each round, the mean of `repeats` runs; the first two change places every round.

    They do because whatever comes first pays for what came before; give each way a run of warm-up, and an even number
    of rounds.

    Returns
    -------
    list of list of float
        One list a way, in the order given; its i-th number is of round i, so that ratios pair up.
    """
    seconds: list[list[float]] = [[0.0] * rounds for _ in ways]
    for turn in range(rounds):
        order = [0, 1] if turn % 2 == 0 else [1, 0]
        for number in (*order, *range(2, len(ways))):
            started = time.perf_counter()
            for _ in range(repeats):
                ways[number]()
            seconds[number][turn] = (time.perf_counter() - started) / repeats
    return seconds


def rounds_within(budget_s: float, once_s: float) -> int:
    """How many rounds of `once_s` seconds fit into a budget: an even number between PAIRS and MOST_PAIRS."""
    fitting = int(budget_s / max(once_s, 1e-6))
    return max(PAIRS, min(MOST_PAIRS, fitting - fitting % 2))


def repeats_for(once_s: float) -> int:
    """How often to run what takes `once_s` seconds for one timing, so that the clock and the caches do not tell."""
    return max(1, min(100, int(LEAST_S / max(once_s, 1e-7))))


def seconds_of(*ways: Work) -> float:
    """Seconds to do all of these once: their warm-up."""
    started = time.perf_counter()
    for way in ways:
        way()
    return time.perf_counter() - started


def ratios(first: Sequence[float], second: Sequence[float], factor: float = 1.0) -> list[float]:
    """`factor` · first/second, pair by pair; ValueError where the lists do not pair up."""
    return [factor * one / max(other, 1e-12) for one, other in zip(first, second, strict=True)]


def median_of(metric: str, values: Sequence[float], scope: Scope, **more: Any) -> Measurement:
    """The median of values with its exact interval, as a measurement of this metric."""
    interval = median_interval(values)
    return Measurement(metric=metric, value=statistics.median(values), interval=interval, scope=scope,
                       n=len(values), **more)  # fmt: skip


def speedup_of(
    before: Sequence[float], after: Sequence[float], scope: Scope, factor: float = 1.0, **more: Any
) -> Measurement:
    """`factor` · seconds before by seconds after, the median over the pairs with its exact interval."""
    found = ratios(before, after, factor)
    return Measurement(metric="speedup", value=statistics.median(found), interval=median_ratio_interval(found),
                       scope=scope, n=len(found), **more)  # fmt: skip


def same_against_same(first: Sequence[float], second: Sequence[float]) -> dict[str, Any]:
    """The negative control of a timing: a way against itself, where any difference is the machine's.

    `passed` says whether the ratio's interval at CONTROL_LEVEL contains 1; the interval itself is the 95 % one.
    """
    found = ratios(first, second)
    shown, wide = median_ratio_interval(found), median_ratio_interval(found, CONTROL_LEVEL)
    return {
        "kind": "same_against_same", "n": len(found), "ratio": round(statistics.median(found), 6),
        "low": round(shown.low, 6), "high": round(shown.high, 6), "passed": wide.low <= 1 <= wide.high,
    }  # fmt: skip
