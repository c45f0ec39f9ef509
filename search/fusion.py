"""One fused score whose parts are shown. Pure functions on arrays."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from graph.constants import LEXICAL_WEIGHT
from search.ranking import Ranking

NAME_BONUS: Final = 2.0
"""Added where the query is an artifact's name: an exact name comes first, whatever was confirmed of others."""
PARTS: Final = ("dense", "lexical", "graph", "name")


class Texts:
    """Which rows are whose: the best row of each artifact without sorting rows at every query.

    Parameters
    ----------
    artifacts : sequence of str
        Artifact ids, sorted, each once.
    owners : ndarray
        Shape (rows,), int64: the number of each row's artifact; every artifact has a row.

    Attributes
    ----------
    first : ndarray
        Shape (artifacts,), int64: the first row of each, that of its main text.
    """

    def __init__(self, artifacts: Sequence[str], owners: NDArray[np.int64]) -> None:
        self.artifacts = artifacts
        self._rows = np.argsort(owners, kind="stable").astype(np.int64)
        self._counts = np.bincount(owners, minlength=len(artifacts))
        self._starts = np.cumsum(self._counts) - self._counts
        self.first: NDArray[np.int64] = self._rows[self._starts]
        # The second row of each artifact that has two, the third of each that has three: no artifact is twice in a
        # layer, so that a layer is compared in one step.
        self._layers: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
        for layer in range(1, int(self._counts.max(initial=0))):
            having = np.flatnonzero(self._counts > layer)
            self._layers.append((having, self._rows[self._starts[having] + layer]))

    def best(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """The largest value of each artifact's rows, float32 (artifacts,); `values` has shape (rows,)."""
        found = values[self.first]
        for having, rows in self._layers:
            found[having] = np.maximum(found[having], values[rows])
        return found

    def best_rows(self, values: NDArray[np.float32], numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """The row of the largest value of each of some artifacts, int64; the first row where values tie.

        Parameters
        ----------
        values : ndarray
            Shape (rows,).
        numbers : ndarray
            Shape (k,), int64: numbers of artifacts, each once.
        """
        counts = self._counts[numbers]
        ends = np.cumsum(counts)
        whose = np.repeat(np.arange(len(numbers)), counts)
        rows = self._rows[np.arange(len(whose)) + (self._starts[numbers] - ends + counts)[whose]]
        found = values[rows]
        is_best = np.flatnonzero(found == np.maximum.reduceat(found, ends - counts)[whose]) if len(rows) else rows
        return rows[is_best[np.searchsorted(whose[is_best], np.arange(len(numbers)))]]


def fuse(
    texts: Texts,
    dense: NDArray[np.float32] | None,
    lexical: NDArray[np.float32] | None,
    said: NDArray[np.float64] | None = None,
    named: Collection[int] = (),
) -> Ranking:
    """All artifacts with their fused score, best first, ties by id.

    Score = cosine of the best row + 0.3 · BM25 of the best row / largest BM25 + what the log says + 2 if named.

    Parameters
    ----------
    texts : Texts
        The artifacts and their rows.
    dense, lexical : ndarray or None
        Shape (rows,), cosine and BM25 of every row; None leaves the part out. One of the two must be given.
    said : ndarray, optional
        Shape (artifacts,), float64: what the log says (`search.votes.log_score`); none count 0.
    named : collection of int
        Numbers of the artifacts whose name is the query.
    """
    zeros = np.zeros(len(texts.artifacts))
    judged = dense if dense is not None else _given(lexical)
    cosine = zeros if dense is None else texts.best(dense).astype(np.float64)
    words = zeros
    if lexical is not None:
        best = texts.best(lexical).astype(np.float64)
        weight = 1.0 if dense is None else LEXICAL_WEIGHT
        words = weight * best / best.max() if best.any() else zeros
    name_part = zeros.copy()
    name_part[list(named)] = NAME_BONUS
    graph_part = zeros if said is None else said
    parts = {"dense": cosine, "lexical": words, "graph": graph_part, "name": name_part}
    return Ranking(texts.artifacts, partial(texts.best_rows, judged), parts)


def _given(values: NDArray[np.float32] | None) -> NDArray[np.float32]:
    if values is None:
        raise ValueError("fuse needs dense or lexical values")
    return values
