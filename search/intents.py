"""Intents: paraphrased queries as one node. The id comes from the query's vector, before recording."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graph.constants import INTENT_SIMILARITY
from graph.digest import text_digest


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
    if len(intents):
        cosines = vectors @ vector
        nearest = int(np.argmax(cosines))
        if cosines[nearest] >= INTENT_SIMILARITY:
            return AssignedIntent(intents[nearest], new=False)
    return AssignedIntent("in_" + text_digest(vector_key)[:16], new=True)
