"""Intents: paraphrased queries as one node. The id comes from the query's vector, before recording."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from graph.constants import INTENT_SIMILARITY
from graph.digest import text_digest

_BLOCK: Final = 8_192


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


def near_intents(queries: NDArray[np.float32], vectors: NDArray[np.float32]) -> list[NDArray[np.int64]]:
    """For each query the rows that may be at least `INTENT_SIMILARITY` near, ascending int64; none is left out.

    Parameters
    ----------
    queries, vectors : ndarray
        Shapes (queries, dimension) and (intents, dimension), float32, normalised.
    """
    # A product of so many single-precision terms, whatever their order, is off by less (Higham 2002, section 3.1).
    least = INTENT_SIMILARITY - queries.shape[1] * 2.0**-23
    found: list[list[NDArray[np.int64]]] = [[] for _ in queries]
    for start in range(0, len(vectors), _BLOCK):
        near, rows = np.nonzero(queries @ vectors[start : start + _BLOCK].T >= least)
        for query in np.unique(near):
            found[query].append(rows[near == query] + start)
    return [np.concatenate(each) if each else np.zeros(0, np.int64) for each in found]


def _cosine(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """The product of two normalised vectors, rounded once: single-precision products are exact in double precision."""
    return math.fsum((one.astype(np.float64) * other).tolist())
