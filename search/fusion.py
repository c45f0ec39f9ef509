"""One fused score whose parts are shown. Pure functions on arrays and dictionaries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from graph.constants import LEXICAL_WEIGHT, VOTE_LEAST_SIMILARITY, VOTE_TEMPERATURE, VOTE_WEIGHT

NAME_BONUS: Final = 1.0
"""Added where the query is an artifact's name: an exact name comes first."""
PARTS: Final = ("dense", "lexical", "graph", "name")


@dataclass(frozen=True)
class Scored:
    """One artifact with its fused score: the sum of `parts`. `row` is its row of the largest cosine."""

    artifact: str
    row: int
    score: float
    parts: dict[str, float]


def best_rows(owners: NDArray[np.int64], values: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """The row of the largest value of each owner, int64 of shape (count,); the first row where values tie.

    Parameters
    ----------
    owners : ndarray
        Shape (rows,), int64: the owner of each row, 0 to count - 1; every owner has a row.
    values : ndarray
        Shape (rows,).
    count : int
        Number of owners.
    """
    order = np.lexsort((np.arange(len(values)), -values, owners))
    first = np.searchsorted(owners[order], np.arange(count))
    return order[first].astype(np.int64)


def intent_similarities(
    vector: NDArray[np.float32], intents: Sequence[str], vectors: NDArray[np.float32]
) -> dict[str, float]:
    """The intents near a query and their weight, exp((cosine - 1) / temperature), in (0, 1].

    All of them, however many: a cut after the nearest few would let one actor push others' intents out, and the
    bound on one actor (docs/formulas.md) would not hold.

    Parameters
    ----------
    vector : ndarray
        Shape (dimension,), normalised.
    intents : sequence of str
        Ids, in the order of the rows of `vectors`.
    vectors : ndarray
        Shape (intents, dimension), normalised.
    """
    if not intents:
        return {}
    cosines = np.minimum(vectors @ vector, 1.0)
    weights = np.exp((cosines - 1.0) / VOTE_TEMPERATURE)
    return {intents[i]: float(weights[i]) for i in np.flatnonzero(cosines >= VOTE_LEAST_SIMILARITY).tolist()}


def fuse(
    artifacts: Sequence[str],
    owners: NDArray[np.int64],
    dense: NDArray[np.float32] | None,
    lexical: NDArray[np.float32] | None,
    votes: Mapping[str, float],
    named: frozenset[str] = frozenset(),
) -> list[Scored]:
    """All artifacts with their fused score, best first, ties by id.

    Score = cosine of the best row + 0.3 · BM25 of the best row / largest BM25 + 0.4 · votes + 1 if named.

    Parameters
    ----------
    artifacts : sequence of str
        Artifact ids; `owners` are positions in it.
    owners : ndarray
        Shape (rows,), int64.
    dense, lexical : ndarray or None
        Shape (rows,), cosine and BM25 of every row; None leaves the part out.
    votes : mapping
        Votes of the nearest intents by artifact, at most 1 in size; absent is 0.
    named : frozenset of str
        Artifacts whose name is the query.
    """
    count = len(artifacts)
    zeros = np.zeros(count)
    rows = best_rows(owners, dense if dense is not None else _given(lexical), count) if count else np.zeros(0, np.int64)
    cosine = zeros if dense is None else dense[rows].astype(np.float64)
    words = zeros
    if lexical is not None and count:
        best = lexical[best_rows(owners, lexical, count)].astype(np.float64)
        weight = 1.0 if dense is None else LEXICAL_WEIGHT
        words = weight * best / best.max() if best.max() > 0 else zeros
    graph_part = np.array([VOTE_WEIGHT * votes.get(artifact, 0.0) for artifact in artifacts])
    name_part = np.array([NAME_BONUS if artifact in named else 0.0 for artifact in artifacts])
    total = cosine + words + graph_part + name_part
    order = sorted(range(count), key=lambda i: (-total[i], artifacts[i]))
    return [
        Scored(
            artifacts[i], int(rows[i]), float(total[i]),
            {"dense": float(cosine[i]), "lexical": float(words[i]),
             "graph": float(graph_part[i]), "name": float(name_part[i])},
        )
        for i in order
    ]  # fmt: skip


def _given(values: NDArray[np.float32] | None) -> NDArray[np.float32]:
    if values is None:
        raise ValueError("fuse needs dense or lexical values")
    return values
