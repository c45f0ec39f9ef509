"""What a gain must not come from: the log with its labels shuffled, its popularity alone, without near-duplicates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from graph.constants import LEXICAL_WEIGHT
from search.evaluation.logged import Judged
from search.query import read_query
from search.ranking import Ranking

CONTROLS: Final = ("shuffled", "popularity", "without_near_duplicates")
NEAR_DUPLICATE: Final = 0.8
"""A logged query at this cosine or above to any new one is a near-duplicate."""


def shuffle_labels(lines: Sequence[Judged], seed: int = 0) -> list[Judged]:
    """The lines with each other's answers: the same queries, the same popularity, nothing to learn."""
    order = np.random.default_rng(seed).permutation(len(lines))
    return [replace(line, rel=lines[other].rel) for line, other in zip(lines, order.tolist(), strict=True)]


def without_near_duplicates(
    lines: Sequence[Judged], queries: Sequence[Judged], vectors: Mapping[str, NDArray[np.float32]]
) -> list[Judged]:
    """The lines whose query is at a cosine under `NEAR_DUPLICATE` to every new query; vectors by text, normalised."""
    if not lines or not queries:
        return list(lines)
    new, logged = (np.stack([vectors[read_query(j.text).text] for j in each]) for each in (queries, lines))
    nearest = (logged @ new.T).max(axis=1)
    return [line for line, cosine in zip(lines, nearest.tolist(), strict=True) if cosine < NEAR_DUPLICATE]


def add_popularity(ranking: Ranking, lines: Sequence[Judged]) -> Ranking:
    """The ranking with `LEXICAL_WEIGHT` · confirmations / the most confirmed artifact's in the place of the log's part.

    What the log knows without its queries.
    """
    counts = Counter(artifact for line in lines for artifact in line.rel)
    confirmed = np.array([counts[artifact] for artifact in ranking.artifacts], np.float64)
    prior = LEXICAL_WEIGHT * confirmed / max(1.0, confirmed.max(initial=0.0))
    return Ranking(ranking.artifacts, ranking.rows_of, {**ranking.parts, "graph": prior})
