"""Ranking measures with binary gains, and their bootstrap intervals."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

DRAWS: Final = 10_000
SEED: Final = 0
LEVEL: Final = 0.95


@dataclass(frozen=True)
class Estimate:
    """A mean with its bootstrap interval."""

    value: float
    low: float
    high: float


def ndcg(ranked: Sequence[str], relevant: Collection[str], k: int = 10) -> float:
    """Normalised discounted cumulative gain of the first k, binary gains (Järvelin and Kekäläinen 2002)."""
    gain = sum(1.0 / math.log2(i + 2) for i, item in enumerate(ranked[:k]) if item in relevant)
    ideal = sum(1.0 / math.log2(i + 2) for i in range(min(k, len(relevant))))
    return gain / ideal if ideal else 0.0


def recall(ranked: Sequence[str], relevant: Collection[str], k: int) -> float:
    """The share of the relevant that is among the first k."""
    return len(set(ranked[:k]) & set(relevant)) / len(relevant) if relevant else 0.0


def reciprocal_rank(ranked: Sequence[str], relevant: Collection[str], k: int = 10) -> float:
    """One over the position of the first relevant among the first k; 0 where there is none."""
    return next((1.0 / (i + 1) for i, item in enumerate(ranked[:k]) if item in relevant), 0.0)


def precision(ranked: Sequence[str], relevant: Collection[str], k: int) -> float:
    """The share of the first k positions that holds a relevant item; missing positions hold none."""
    return sum(item in relevant for item in ranked[:k]) / k


def mean_with_interval(values: NDArray[np.float64]) -> Estimate | None:
    """The mean and its 95 % percentile bootstrap interval (10,000 draws, seed 0); None for no values.

    Parameters
    ----------
    values : ndarray
        Shape (queries,), float64; for a paired comparison the differences query by query.
    """
    if len(values) == 0:
        return None
    if len(values) == 1 or float(values.min()) == float(values.max()):
        value = float(values.mean())
        return Estimate(value, value, value)
    from scipy.stats import bootstrap

    drawn = bootstrap(
        (values,), np.mean, n_resamples=DRAWS, batch=500, confidence_level=LEVEL, method="percentile",
        rng=np.random.default_rng(SEED),
    )  # fmt: skip
    interval = drawn.confidence_interval
    return Estimate(float(values.mean()), float(interval.low), float(interval.high))
