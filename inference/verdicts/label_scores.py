"""How each label fares: macro F1 with its interval, and the mean recall. Pure functions, shares in 0..1."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from graph.claims import Interval
from inference.verdicts.intervals import proportion_interval
from inference.verdicts.levels import level_or_run

if TYPE_CHECKING:
    import numpy as np

LEAST_PER_CLASS: Final = 5
"""Macro F1 needs this many items of every label."""
_DRAWS: Final = 2_000
_DRAWS_AT_ONCE: Final = 100


def macro_f1(given: Sequence[str], right: Sequence[str]) -> float:
    """The mean of the F1 of every label, 0..1, over the labels that occur on either side, as scikit-learn has it."""
    from sklearn.metrics import f1_score

    return float(f1_score(list(right), list(given), average="macro", zero_division=0.0))


def mean_recall(given: Sequence[str], right: Sequence[str]) -> float:
    """The mean over the labels of the share of their items that got it, 0..1 (balanced accuracy)."""
    items, hits = _by_label(given, right)
    return math.fsum(hits[label] / n for label, n in sorted(items.items())) / len(items)


def macro_f1_interval(
    given: Sequence[str], right: Sequence[str], seed: int = 0, level: float | None = None
) -> Interval:
    """The interval of macro F1, 0..1: a bootstrap over the items, never narrower than that of the macro recall.

    Resampling n items is resampling the cells of their confusion table, which is what is drawn here. A bootstrap
    alone would be sure of a model without an error; the macro recall's interval (Clopper-Pearson of every label,
    joined by squares) keeps it from that.

    Raises
    ------
    ValueError
        Not one answer an item, or fewer than LEAST_PER_CLASS items of a label.

    Notes
    -----
    Source: B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap (1993), chapter 13 (percentile interval);
    G. Y. Zou and A. Donner, Statistics in Medicine 27 (2008) 1693-1702 (joined by squares).
    """
    import numpy as np

    items, hits = _by_label(given, right)
    if not items or min(items.values()) < LEAST_PER_CLASS:
        raise ValueError(f"macro F1 needs {LEAST_PER_CLASS} items of every label")
    level = level_or_run(level)
    value = macro_f1(given, right)
    ends = np.quantile(_resampled_f1(given, right, seed), [(1 - level) / 2, (1 + level) / 2])
    down = up = 0.0
    for label, n in items.items():
        low, high = proportion_interval(hits[label], n, level)
        down, up = down + (hits[label] / n - low) ** 2, up + (high - hits[label] / n) ** 2
    low = min(float(ends[0]), value - math.sqrt(down) / len(items))
    high = max(float(ends[1]), value + math.sqrt(up) / len(items))
    return Interval(low=max(0.0, low), high=min(1.0, high), level=level, method="bootstrap")


def _by_label(given: Sequence[str], right: Sequence[str]) -> tuple[Counter[str], Counter[str]]:
    """Items of every label, and how many of them got it."""
    hits = Counter(label for answer, label in zip(given, right, strict=True) if answer == label)
    return Counter(right), hits


def _resampled_f1(given: Sequence[str], right: Sequence[str], seed: int) -> np.ndarray:
    """Macro F1 of _DRAWS resamples of the items, each over the labels that occur in it; float64, in drawing order."""
    import numpy as np
    from scipy.sparse import csr_array

    words = sorted({*given, *right})
    place = {word: number for number, word in enumerate(words)}
    cells = sorted(Counter(zip(given, right, strict=True)).items())
    shape, ones, each = (len(cells), len(words)), np.ones(len(cells)), np.arange(len(cells))
    asked = csr_array((ones, (each, [place[label] for (_, label), _ in cells])), shape)
    said = csr_array((ones, (each, [place[answer] for (answer, _), _ in cells])), shape)
    same = np.array([answer == label for (answer, label), _ in cells])
    n, draw, found = len(right), np.random.default_rng(seed), []
    shares = np.array([count for _, count in cells]) / n
    for _ in range(_DRAWS // _DRAWS_AT_ONCE):
        drawn = draw.multinomial(n, shares, size=_DRAWS_AT_ONCE).astype(np.float64)
        both = (drawn @ asked) + (drawn @ said)  # twice right, plus wrong on either side
        scores = np.divide(2 * ((drawn * same) @ asked), both, out=np.zeros_like(both), where=both > 0)
        found.append(scores.sum(axis=1) / (both > 0).sum(axis=1))
    return np.concatenate(found)
