"""Diversity: what resembles the results above it steps back, and says so in its score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from graph.artifacts import Artifact
from graph.constants import DIVERSITY_WEIGHT
from indexer.snapshot import Snapshot
from search.copies import is_copy
from search.ranking import Scored

_COPIES_RESEMBLE: Final = 0.8
"""Copies have texts at least this similar (cosine); others are not looked at."""
_POOL: Final = 200
"""Of so many of the best, the first are chosen; the others follow in their order."""


def spread(scored: Sequence[Scored], artifacts: Mapping[str, Artifact], snapshot: Snapshot, count: int) -> list[Scored]:
    """The results in order of maximal marginal relevance, with its cost as the part `repeats`, at most 0.

    One by one, the largest score less `DIVERSITY_WEIGHT` · its largest cosine to a result above is taken; a copy of
    one above loses 1. Scores never rise from one to the next, nothing is lost, and ties go by id (Carbonell and
    Goldstein 1998, "The use of MMR").

    Parameters
    ----------
    scored
        Best first.
    count
        How many of the first are put in this order.
    """
    pool = list(scored[: max(count, _POOL)])
    vectors = snapshot.vectors_of([each.row for each in pool])
    costs = np.zeros(len(pool))
    left = set(range(len(pool)))
    chosen: list[Scored] = []
    while left and len(chosen) < count:
        best = min(left, key=lambda i: (costs[i] - pool[i].score, pool[i].artifact))
        left.remove(best)
        chosen.append(_with_cost(pool[best], float(costs[best])))
        if left:
            cosines = np.clip(vectors @ vectors[best], 0.0, 1.0)
            costs = np.maximum(costs, DIVERSITY_WEIGHT * cosines)
            for other in left:
                if cosines[other] >= _COPIES_RESEMBLE and is_copy(
                    artifacts[pool[other].artifact], artifacts[pool[best].artifact]
                ):
                    costs[other] = 1.0
    rest = sorted((_with_cost(pool[i], float(costs[i])) for i in left), key=lambda s: (-s.score, s.artifact))
    return [*chosen, *rest, *scored[len(pool) :]]


def _with_cost(scored: Scored, cost: float) -> Scored:
    return replace(scored, score=scored.score - cost, parts={**scored.parts, "repeats": -cost})
