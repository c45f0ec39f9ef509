"""The interval of a share whose trials come in groups: words of one sentence go wrong together."""

from __future__ import annotations

from collections.abc import Sequence

from graph.claims import Interval
from inference.verdicts.levels import level_or_run


def clustered_share_interval(hits: Sequence[int], trials: Sequence[int], level: float | None = None) -> Interval:
    """The interval of Σ hits / Σ trials, 0..1, over groups that are independent though their trials are not.

    Clopper-Pearson with as many trials as would give the variance between groups; as many as groups where no trial or
    every trial is a hit, so that a model without an error is not taken for sure.

    Parameters
    ----------
    hits, trials : sequence of int
        By group, in one order; 0 ≤ hits ≤ trials. A group may have no trial.
    level : float
        Two-sided; None is that of the run.

    Raises
    ------
    ValueError
        Fewer than two groups with a trial, or hits outside 0..trials.

    Notes
    -----
    Source: E. L. Korn and B. I. Graubard, Survey Methodology 24 (1998) 193-201.
    """
    import numpy as np
    from scipy.stats import beta, norm, t

    got, asked = np.asarray(hits, np.float64), np.asarray(trials, np.float64)
    groups = int((asked > 0).sum())
    if groups < 2 or got.shape != asked.shape or bool(((got < 0) | (got > asked)).any()):
        raise ValueError(f"{groups} groups with a trial: needs two, and no more hits than trials")
    share = float(got.sum() / asked.sum())
    variance = groups / (groups - 1) * float(((got - share * asked) ** 2).sum()) / float(asked.sum()) ** 2
    n = share * (1 - share) / variance if variance > 0 else float(groups)
    level = level_or_run(level)
    tail = (1 - level) / 2
    n *= float(norm.ppf(tail) / t.ppf(tail, groups - 1)) ** 2  # few groups tell the variance badly
    low = float(beta.ppf(tail, n * share, n * (1 - share) + 1)) if share > 0 else 0.0
    high = float(beta.ppf(1 - tail, n * share + 1, n * (1 - share))) if share < 1 else 1.0
    return Interval(low=low, high=high, level=level, method="korn-graubard")
