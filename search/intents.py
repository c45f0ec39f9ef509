"""Intents: paraphrased queries as one node. The id comes from the query's vector, before recording."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graph.constants import INTENT_SIMILARITY
from graph.digest import text_digest
from graph.vote_table import Column
from indexer.vectors import inner_products


@dataclass(frozen=True)
class AssignedIntent:
    """The intent of a query, and whether the query founds it."""

    id: str
    new: bool


def assign_intent(
    vector: NDArray[np.float32], vector_key: str, intents: Sequence[str], vectors: NDArray[np.float32]
) -> AssignedIntent:
    """The nearest known intent if its cosine is at least `INTENT_SIMILARITY`, else a new one.

    A new id is a digest of the founding query's vector key, so the same first query founds the same intent.

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
    """
    return _assign(vector_key, intents, vectors @ vector if len(intents) else np.zeros(0, np.float32))


def _assign(vector_key: str, intents: Sequence[str], cosines: NDArray[np.float32]) -> AssignedIntent:
    if len(intents):
        nearest = int(np.argmax(cosines))
        if cosines[nearest] >= INTENT_SIMILARITY:
            return AssignedIntent(intents[nearest], new=False)
    return AssignedIntent("in_" + text_digest(vector_key)[:16], new=True)


class KnownIntents:
    """The intents of one encoder with their vectors; one is added without copying the others."""

    def __init__(self, ids: Sequence[str], vectors: NDArray[np.float32]) -> None:
        """Takes ids, and vectors of shape (ids, dimension), normalised; (0, 0) for none."""
        self.ids: list[str] = []
        self.numbers: dict[str, int] = {}
        """The place of each id in `ids`."""
        self._vectors = Column(np.float32, vectors.shape[1] or None)
        self._cosines: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None
        for intent, vector in zip(ids, vectors, strict=True):
            self.add(intent, vector)

    def __contains__(self, intent: object) -> bool:
        return intent in self.numbers

    def add(self, intent: str, vector: NDArray[np.float32]) -> None:
        """Add an intent, if it is not known."""
        if intent not in self.numbers:
            if not self.ids:
                self._vectors = Column(np.float32, len(vector))
            self.numbers[intent] = len(self.ids)
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
        return _assign(vector_key, self.ids, self.cosines(vector))
