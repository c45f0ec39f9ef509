"""Intents: paraphrased queries as one node. The id comes from the query's vector, before recording."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from graph.constants import INTENT_SIMILARITY
from graph.digest import text_digest
from indexer.vectors import inner_products
from search.votes.columns import Column

_BLOCK: Final = 8_192
_QUERIES: Final = 512


@dataclass(frozen=True)
class AssignedIntent:
    """The intent of a query, and whether the query founds it."""

    id: str
    new: bool


def assign_intent(
    vector: NDArray[np.float32],
    vector_key: str,
    intents: Sequence[str],
    vectors: NDArray[np.float32],
    near: NDArray[np.int64] | None = None,
) -> AssignedIntent:
    """The nearest known intent if its cosine is at least `INTENT_SIMILARITY`, else a new one.

    A new id is a digest of the founding query's vector key, so the same first query founds the same intent. The
    products in single precision only choose whom to compare: what decides is rounded once, so that one query at a time
    and many at once (`near_intents`) give the same.

    Parameters
    ----------
    vector : ndarray
        Shape (dimension,), float32, normalised.
    vector_key : str
        Digest of redacted text and encoder.
    intents : sequence of str
        Known ids, in the order of the rows of `vectors`; ties go to the first.
    vectors : ndarray
        Shape (intents, dimension), normalised.
    near : ndarray, optional
        Ascending rows among which the nearest is, if it is near enough: what `near_intents` gives; default all.
    """
    if len(intents):
        rows = near_intents(vector[None, :], vectors)[0] if near is None else near
        cosines = [_cosine(vector, vectors[row]) for row in rows]
        if cosines and max(cosines) >= INTENT_SIMILARITY:
            return AssignedIntent(intents[int(rows[cosines.index(max(cosines))])], new=False)
    return AssignedIntent("in_" + text_digest(vector_key)[:16], new=True)


class KnownIntents:
    """The intents of one encoder with their vectors; one is added without copying the others."""

    def __init__(self, ids: Sequence[str], vectors: NDArray[np.float32]) -> None:
        """Takes ids, and vectors of shape (ids, dimension), normalised; (0, 0) for none."""
        self.ids: list[str] = []
        self._numbers: dict[str, int] = {}
        self._vectors = Column(np.float32, vectors.shape[1] or None)
        self._cosines: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None
        for intent, vector in zip(ids, vectors, strict=True):
            self.add(intent, vector)

    def __contains__(self, intent: object) -> bool:
        return intent in self._numbers

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def vectors(self) -> NDArray[np.float32]:
        """The vectors, float32 (intents, dimension), in the order of `ids`; a view."""
        return self._vectors.values

    def places(self, intents: Iterable[str]) -> NDArray[np.int64]:
        """The places of known intents in `ids`, int64."""
        return np.array([self._numbers[intent] for intent in intents], np.int64)

    def add(self, intent: str, vector: NDArray[np.float32]) -> None:
        """Add an intent, if it is not known."""
        if intent not in self._numbers:
            if not self.ids:
                self._vectors = Column(np.float32, len(vector))
            self._numbers[intent] = len(self.ids)
            self.ids.append(intent)
            self._vectors.append(vector)
            self._cosines = None

    def cosines(self, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """The cosine of each intent with a vector, float32 (intents,); remembered for the vector asked last."""
        if not self.ids:
            return np.zeros(0, np.float32)
        if self._cosines is None or self._cosines[0] is not vector:
            self._cosines = (vector, inner_products(self._vectors.values, vector))
        return self._cosines[1]

    def assign(self, vector: NDArray[np.float32], vector_key: str) -> AssignedIntent:
        """The intent of a query; see `assign_intent`."""
        near = np.flatnonzero(self.cosines(vector) >= _least(len(vector)))
        return assign_intent(vector, vector_key, self.ids, self._vectors.values, near)


def near_intents(queries: NDArray[np.float32], vectors: NDArray[np.float32]) -> list[NDArray[np.int64]]:
    """For each query the rows that may be at least `INTENT_SIMILARITY` near, ascending int64; none is left out.

    Parameters
    ----------
    queries, vectors : ndarray
        Shapes (queries, dimension) and (intents, dimension), float32, normalised.
    """
    found: list[NDArray[np.int64]] = []
    for start in range(0, len(queries), _QUERIES):
        found += _near_some(queries[start : start + _QUERIES], vectors)
    return found


def _near_some(queries: NDArray[np.float32], vectors: NDArray[np.float32]) -> list[NDArray[np.int64]]:
    """As `near_intents`, in blocks; memory for products is taken once, which took longer than many products."""
    least, block = _least(queries.shape[1]), min(_BLOCK, len(vectors))
    products, near = np.empty((len(queries), block), np.float32), np.empty((len(queries), block), np.bool_)
    owners, rows = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for start in range(0, len(vectors), _BLOCK):
        part = vectors[start : start + _BLOCK]
        if len(part) < block:
            products, near = np.empty((len(queries), len(part)), np.float32), near[:, : len(part)].copy()
        np.matmul(queries, part.T, out=products)
        np.greater_equal(products, least, out=near)
        hits = np.flatnonzero(near)
        owners.append(hits // len(part))
        rows.append(hits % len(part) + start)
    owner = np.concatenate(owners)
    order = np.argsort(owner, kind="stable")
    return np.split(np.concatenate(rows)[order], np.searchsorted(owner[order], np.arange(1, len(queries))))


def _least(dimension: int) -> float:
    """What a single-precision product must be at least where the exact one may be `INTENT_SIMILARITY`.

    A product of so many single-precision terms, whatever their order, is off by less (Higham 2002, section 3.1).
    """
    return INTENT_SIMILARITY - dimension * 2.0**-23


def _cosine(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """The product of two normalised vectors, rounded once: single-precision products are exact in double precision."""
    return math.fsum((one.astype(np.float64) * other).tolist())
