"""What the log says of every artifact for one query: three bounded parts, added up. Pure functions on arrays.

Formulas, their reasons and the proof of the bound on one actor: docs/formulas.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graph.constants import (
    LOG_MOST,
    LOG_NEIGHBOUR,
    LOG_RAMP,
    LOG_SHRINK,
    NEAR_SIMILARITY,
    NEAR_TEMPERATURE,
    NEAR_WEIGHT,
    TURN_CAP,
    TURN_LEAST,
    TURN_WEIGHT,
    WORDS_WEIGHT,
)
from search.votes.voices import Voices

_Floats = NDArray[np.float64]


@dataclass(frozen=True)
class AskedWord:
    """A word of the query: its share of the query, the share of searches that have it, the places of its voices."""

    share: float
    base: float
    said: NDArray[np.int64]


@dataclass(frozen=True)
class Asked:
    """A query beside the searches of the log.

    Attributes
    ----------
    cosine, centred : ndarray
        Shape (searches,), float64: cosine of the query and each search, as they are, and with the mean search taken
        off both.
    search : ndarray
        Shape (voices,), int64: each voice's search.
    turned : ndarray
        Shape (voices,), float64: inner product of the query and the voice's search, mean search taken off, after both
        lost their components along the artifact's own vector.
    words : sequence of AskedWord
        Shares add up to 1; empty where the query has no words.
    """

    cosine: _Floats
    centred: _Floats
    search: NDArray[np.int64]
    turned: _Floats
    words: Sequence[AskedWord]


def log_part(voices: Voices, asked: Asked) -> _Floats:
    """What the log adds to each artifact's score, float64 (artifacts,), at most 1 in size; 0 where nobody spoke.

    One actor changes it by at most `ACTOR_EPSILON`.
    """
    nearness = near_kernel(asked.centred)
    inside = np.maximum(nearness, np.clip(asked.cosine / LOG_NEIGHBOUR, 0.0, 1.0))
    hushed = voices.hushed(inside[asked.search])
    agreed = voices.agreed * hushed
    ramp = confirmed_ramp(voices.confirmations)
    added = (
        turn_part(voices, asked.turned, voices.weight * hushed)
        + ramp * near_part(voices, nearness[asked.search] * agreed)
        + ramp * words_part(voices, asked.words, agreed)
    )
    found = np.zeros(voices.count)
    found[voices.heard] = np.clip(added, -LOG_MOST, LOG_MOST)
    return found


def near_kernel(centred: _Floats) -> _Floats:
    """How near searches are to the query, 0 to 1, from their centred cosines: 1 at `NEAR_SIMILARITY` and above."""
    return np.exp(np.minimum(0.0, (centred - NEAR_SIMILARITY) / NEAR_TEMPERATURE))


def confirmed_ramp(confirmations: _Floats) -> _Floats:
    """The factor of near searches and words by an artifact's confirmations, from 0, half at `LOG_RAMP`, below 1."""
    square = confirmations**2
    return np.asarray(square / (square + LOG_RAMP**2))


def turn_part(voices: Voices, turned: _Floats, weight: _Floats) -> _Floats:
    """Σ weight · (turn, less `TURN_LEAST`, capped in size) · `TURN_WEIGHT` / (voters + `LOG_SHRINK`), by artifact.

    The first order of turning an artifact's vector towards its confirmed searches (Rocchio 1971), with the shrink by
    actors in the place of the mean.
    """
    turns = np.clip(turned - TURN_LEAST, -TURN_CAP, TURN_CAP)
    return TURN_WEIGHT * voices.by_artifact(weight * turns) / (voices.voters + LOG_SHRINK)


def near_part(voices: Voices, near: _Floats) -> _Floats:
    """The share of near confirmations that a heard artifact has, less what its share of all confirmations explains."""
    mass = voices.by_artifact(near)
    of_all = float(mass.sum())
    expected = of_all * voices.confirmations / (voices.total + LOG_SHRINK)
    return NEAR_WEIGHT * (mass - expected) / (of_all + LOG_SHRINK)


def words_part(voices: Voices, words: Sequence[AskedWord], agreed: _Floats) -> _Floats:
    """By word, how many actors confirmed the artifact in searches with it, less what its popularity explains."""
    known = [word for word in words if len(word.said)]
    if not known:
        return np.zeros_like(voices.confirmations)
    heard, places = len(voices.heard), np.concatenate([word.said for word in known])
    of_word = np.repeat(np.arange(len(known)) * heard, [len(word.said) for word in known])
    said = np.bincount(voices.place[places] + of_word, agreed[places], len(known) * heard).reshape(-1, heard)
    expected = np.array([word.base for word in known])[:, None] * voices.confirmations
    share = np.array([word.share for word in known])[:, None]
    found: _Floats = share * (said / (said + LOG_SHRINK) - expected / (expected + LOG_SHRINK))
    return WORDS_WEIGHT * np.asarray(found.sum(axis=0), np.float64)
