"""Models that answered the same items, compared in pairs: pure functions.

All pairs are judged together: with m pairs each interval has the level 1 − (1 − level)/m (Bonferroni), so that all of
them hold at once at `level`. Source: R. G. Miller, Simultaneous Statistical Inference (1981), section 2.3.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from graph.claims import Interval
from graph.constants import INTERVAL_LEVEL
from graph.model_comparison import ComparedPair
from inference.verdicts.intervals import mean_interval, paired_difference_interval, scaled

POWER: Final = 0.8
"""A detectable difference is found by this share of such comparisons."""


@dataclass(frozen=True)
class Answers:
    """What a model did, item by item: right or wrong, or a loss each (lower is better), in the set's order."""

    name: str
    right: tuple[bool, ...] = ()
    losses: tuple[float, ...] = ()

    @property
    def score(self) -> float:
        """Percent of items that are right, or the mean loss."""
        if self.right:
            return 100 * sum(self.right) / len(self.right)
        return math.fsum(self.losses) / len(self.losses)

    @property
    def merit(self) -> float:
        """The score, turned so that more is better."""
        return self.score if self.right else -self.score


def compare_pairs(answers: Sequence[Answers], level: float = INTERVAL_LEVEL) -> tuple[ComparedPair, ...]:
    """Every pair of models with its simultaneous interval, in the order the models are given.

    Shares give differences in percentage points (Newcombe's paired interval), losses differences of means (Student's
    interval of the paired differences).

    Raises
    ------
    ValueError
        Two models did not answer the same number of items, or not in the same way.
    """
    pairs = list(itertools.combinations(answers, 2))
    if not pairs:
        return ()
    each = pair_level(len(answers), level)
    compared = [_compare(first, second, each) for first, second in pairs]
    known = [pair.p_mcnemar for pair in compared if pair.p_mcnemar is not None]
    if len(known) < len(compared):
        return tuple(compared)
    adjusted = holm(known)
    return tuple(pair.model_copy(update={"p_holm": p}) for pair, p in zip(compared, adjusted, strict=True))


def pair_level(models: int, level: float = INTERVAL_LEVEL) -> float:
    """The level of one pair's interval so that those of all pairs of so many models hold together at `level`."""
    return 1 - (1 - level) / max(1, math.comb(models, 2))


def _compare(first: Answers, second: Answers, level: float) -> ComparedPair:
    if len(first.right) != len(second.right) or len(first.losses) != len(second.losses):
        raise ValueError(f"{first.name} and {second.name} did not answer the same items")
    if not first.right:
        gaps = [one - other for one, other in zip(first.losses, second.losses, strict=True)]
        mean = math.fsum(gaps) / len(gaps)
        return ComparedPair(
            first=first.name, second=second.name, difference=mean, interval=mean_interval(gaps, level),
            detectable=_detectable_mean(gaps, level),
        )  # fmt: skip
    both, only_first, only_second, neither = paired_table(first.right, second.right)
    n = len(first.right)
    return ComparedPair(
        first=first.name, second=second.name, difference=100 * (only_first - only_second) / n,
        interval=scaled(paired_difference_interval(both, only_first, only_second, neither, level), 100),
        both=both, only_first=only_first, only_second=only_second, neither=neither,
        p_mcnemar=mcnemar_p(only_first, only_second),
        detectable=detectable_points((only_first + only_second) / n, n, level),
    )  # fmt: skip


def paired_table(first: Sequence[bool], second: Sequence[bool]) -> tuple[int, int, int, int]:
    """How many items both got right, only the first, only the second, neither."""
    both = sum(one and other for one, other in zip(first, second, strict=True))
    only_first, only_second = sum(first) - both, sum(second) - both
    return both, only_first, only_second, len(first) - both - only_first - only_second


def mcnemar_p(only_first: int, only_second: int) -> float:
    """The exact two-sided p-value that two models are right equally often; 1 where they never differ.

    Source: Q. McNemar, Psychometrika 12 (1947) 153-157, as a binomial test of the items that only one got right.
    """
    from scipy.stats import binomtest

    differing = only_first + only_second
    return float(binomtest(only_first, differing, 0.5).pvalue) if differing else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted for their number, in the order given.

    Source: S. Holm, Scandinavian Journal of Statistics 6 (1979) 65-70.
    """
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = highest
    return adjusted


def detectable_points(differing: float, n: int, level: float) -> float | None:
    """The smallest difference, in percentage points, that n paired items would tell apart from none.

    Parameters
    ----------
    differing : float
        Share, 0..1, of items that only one of the two got right.
    n : int
        Items.
    level : float
        Of the interval that decides.

    Returns
    -------
    float or None
        None where no difference at all could be found with so few items.

    Notes
    -----
    Solves z_level·√d + z_power·√(d − Δ²) = Δ·√n for Δ, d being the differing share, at least Δ itself.
    Source: R. J. Connor, Biometrics 43 (1987) 207-211.
    """
    from scipy.optimize import brentq
    from scipy.stats import norm

    z_level, z_power = float(norm.ppf((1 + level) / 2)), float(norm.ppf(POWER))

    def short(gap: float) -> float:
        share = max(differing, gap)
        return z_level * math.sqrt(share) + z_power * math.sqrt(max(0.0, share - gap**2)) - gap * math.sqrt(n)

    return 100 * float(brentq(short, 1e-9, 1.0)) if short(1.0) < 0 else None


def _detectable_mean(gaps: Sequence[float], level: float) -> float | None:
    """The same for the mean of paired differences, from their standard deviation; None below three items."""
    import statistics

    from scipy.stats import norm

    if len(gaps) < 3:
        return None
    spread = statistics.stdev(gaps) / math.sqrt(len(gaps))
    return float(norm.ppf((1 + level) / 2) + norm.ppf(POWER)) * spread


def gap_of(pairs: Sequence[ComparedPair], one: str, other: str) -> tuple[float, Interval]:
    """The difference one − other and its interval, whichever way round the pair is kept.

    Raises
    ------
    KeyError
        The two were not compared.
    """
    for pair in pairs:
        if (pair.first, pair.second) == (one, other):
            return pair.difference, pair.interval
        if (pair.first, pair.second) == (other, one):
            turned = {"low": -pair.interval.high, "high": -pair.interval.low}
            return -pair.difference, pair.interval.model_copy(update=turned)
    raise KeyError((one, other))


def is_ahead(pairs: Sequence[ComparedPair], one: str, other: str, *, more_is_better: bool) -> bool:
    """Whether the interval of two models' difference puts the first strictly ahead."""
    _, interval = gap_of(pairs, one, other)
    return interval.low > 0 if more_is_better else interval.high < 0


def leaders(answers: Sequence[Answers], pairs: Sequence[ComparedPair]) -> tuple[str, ...]:
    """The model with the best score and all that its intervals do not put behind it, best first, ties by name."""
    ranked = sorted(answers, key=lambda model: (-model.merit, model.name))
    if not ranked:
        return ()
    best, *others = ranked
    more = bool(best.right)
    level = [model.name for model in others if not is_ahead(pairs, best.name, model.name, more_is_better=more)]
    return best.name, *level
