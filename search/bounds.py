"""One-sided bounds for shares of counts, exact."""

from __future__ import annotations


def at_most(hits: int, trials: int, level: float) -> float:
    """The one-sided upper Clopper-Pearson bound of a share; 1 without trials.

    Source: Clopper, Pearson 1934; with no hits it is 1 - (1 - level)^(1 / trials).
    """
    if hits >= trials:
        return 1.0
    from scipy.special import betaincinv

    return float(betaincinv(hits + 1, trials - hits, level))


def ratio_at_least(hits: int, trials: int, hits_before: int, trials_before: int, level: float) -> float:
    """The one-sided lower bound of how many times as large a share is as it was before; 0 without hits.

    Given the sum of both hits, the later are binomial: of n = hits + hits_before, each is a later one with chance
    p = r · trials / (r · trials + trials_before), r the ratio of the two rates. Clopper-Pearson for p, solved for r.
    Source: Przyborowski, Wilenski 1940 (comparison of two Poisson counts, conditional and exact).
    """
    if not hits or not trials or not trials_before:
        return 0.0
    from scipy.special import betaincinv

    low = float(betaincinv(hits, hits_before + 1, 1.0 - level))
    return low / (1.0 - low) * trials_before / trials if low < 1.0 else float("inf")
