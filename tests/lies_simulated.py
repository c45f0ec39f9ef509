"""Honest claims and lies about shares, drawn and judged by the rule itself: how often it errs, what it misses."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from graph.constants import MARGIN_POINTS, RUNS_ABOVE_CHANCE
from inference.verdicts.power import detectable_points
from inference.verdicts.rules import judge_proportion, judge_runs

RATES = (0.02, 0.2, 0.5, 0.8, 0.95, 0.99)
SIZES = (30, 150, 540, 2_000)


@dataclass(frozen=True)
class Simulated:
    """How many claims of a kind were drawn, and how many of them came out as they should not."""

    kind: str
    claims: int
    wrong: int

    @property
    def share(self) -> float:
        return self.wrong / self.claims


def simulate(claims: int, level: float, seed: int = 0) -> list[Simulated]:
    """The four kinds of error, each over at least so many claims at every rate and size in equal parts.

    `honest` claims overstate by δ, the most that is not to be refuted; `false` ones by a little more, the least that
    is not to be verified; `runs` stand at the declared threshold; `lies` are twice the detectable difference off, and
    wrong where they are not refuted.
    """
    draw, each = np.random.default_rng(seed), -(-claims // (len(RATES) * len(SIZES)))
    wrong: Counter[str] = Counter()
    drawn: Counter[str] = Counter()
    for rate in RATES:
        for n in SIZES:
            hits = Counter(int(k) for k in draw.binomial(n, rate, size=each))
            honest, lie = 100 * rate + MARGIN_POINTS, _lie(rate, n, level)
            chance = (rate - RUNS_ABOVE_CHANCE) / (1 - RUNS_ABOVE_CHANCE)
            for k, times in sorted(hits.items()):
                verdict = judge_proportion(k, n, honest, ">=", level=level).verdict
                wrong["honest"] += times * (verdict == "refuted")
                false = judge_proportion(k, n, honest + 1e-9, ">=", level=level).verdict
                wrong["false"] += times * (false == "verified")
                if chance > 0:
                    wrong["runs"] += times * (judge_runs(k, n, chance, level).verdict == "refuted")
                    drawn["runs"] += times
                if lie <= 100:
                    wrong["lies"] += times * (judge_proportion(k, n, lie, ">=", level=level).verdict != "refuted")
                    drawn["lies"] += times
            drawn["honest"] += each
            drawn["false"] += each
    return [Simulated(kind, drawn[kind], wrong[kind]) for kind in ("honest", "false", "runs", "lies")]


def _lie(rate: float, n: int, level: float) -> float:
    """A claim, in percent, that is off by twice the detectable difference."""
    return 100 * rate + 2 * detectable_points(rate, n, MARGIN_POINTS, upward=True, level=level)
