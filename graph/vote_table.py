"""The votes as arrays: what near intents say of all artifacts, in milliseconds however many votes there are.

The same as `graph.weights.neighbour_votes`, which stays the definition: it is what this is tested against.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from graph.constants import ACTOR_CAP, DAY_US, HALF_LIFE_DAYS, SHRINK_ACTORS
from graph.match_graph import Fold, Vote
from graph.weights import neighbour_votes, vote_value

_UNIT: Final = 2.0**40
"""Weights are added up as whole multiples of 2^-40, so that the order of votes does not matter, not even to a bit."""


class Column:
    """A growing array: appending is cheap, and `values` is always one array."""

    def __init__(self, dtype: type[Any], width: int | None = None) -> None:
        self._length = 0
        self._held: NDArray[Any] = np.zeros(16 if width is None else (16, width), dtype)

    def __len__(self) -> int:
        return self._length

    @property
    def values(self) -> NDArray[Any]:
        """What was appended, shape (n,) or (n, width); a view."""
        return self._held[: self._length]

    def append(self, value: Any) -> None:
        """Add one value, or one row."""
        if self._length == len(self._held):
            self._held = np.concatenate([self._held, np.zeros_like(self._held)])
        self._held[self._length] = value
        self._length += 1


class VoteTable:
    """One row per vote of a fold, kept up with it: what changed since the last look is taken in at the next.

    Attributes
    ----------
    artifacts, intents : dict
        The number of each id, from 0, in the order of their first vote; `ids` are the artifacts in this order.
    """

    def __init__(self) -> None:
        self._fold: Fold | None = None
        self._reset()

    def _reset(self) -> None:
        self.artifacts: dict[str, int] = {}
        self.ids: list[str] = []
        self.intents: dict[str, int] = {}
        self._pairs: dict[tuple[int, str], int] = {}
        self._rows: dict[tuple[str, str, str], int] = {}
        self._standing: dict[tuple[str, str, str], Vote] = {}
        self._artifact, self._intent, self._pair = Column(np.int64), Column(np.int64), Column(np.int64)
        self._value, self._time = Column(np.float64), Column(np.int64)
        self._pair_artifact = Column(np.int64)
        self._taken = self._merges = 0
        self._newest_us, self._has_untrusted = 0, False

    def follow(self, fold: Fold) -> None:
        """Take in what changed in a fold; another fold, or a merge, is read from the beginning."""
        if fold is not self._fold or len(fold.same.pairs) != self._merges or len(fold.changed) < self._taken:
            self._reset()
            self._fold, self._merges = fold, len(fold.same.pairs)
        for key in fold.changed[self._taken :]:
            self._take(fold, fold.votes[key])
        self._taken = len(fold.changed)

    def _take(self, fold: Fold, vote: Vote) -> None:
        actor, intent = fold.same.resolve("actor", vote.actor), fold.same.resolve("intent", vote.intent)
        key = (vote.search, vote.artifact, actor)
        before = self._standing.get(key)
        if before is not None and before.strength < vote.strength:
            return
        self._standing[key] = vote
        self._newest_us = max(self._newest_us, vote.time_us)
        self._has_untrusted |= vote.trust <= 0
        artifact = self.artifacts.setdefault(vote.artifact, len(self.ids))
        if artifact == len(self.ids):
            self.ids.append(vote.artifact)
        number = self.intents.setdefault(intent, len(self.intents))
        value = vote_value(vote.outcome, vote.position, vote.trust)
        row = self._rows.get(key)
        if row is not None:
            self._intent.values[row], self._value.values[row], self._time.values[row] = number, value, vote.time_us
            return
        self._rows[key] = len(self._rows)
        pair = self._pairs.setdefault((artifact, actor), len(self._pairs))
        if pair == len(self._pair_artifact):
            self._pair_artifact.append(artifact)
        for column, each in ((self._artifact, artifact), (self._intent, number), (self._pair, pair)):
            column.append(each)
        self._value.append(value)
        self._time.append(vote.time_us)

    def near(self, ids: Sequence[str], weights: NDArray[np.float64], as_of_us: int) -> NDArray[np.float64]:
        """V of every artifact with a vote, float64 in the order of `artifacts`: `neighbour_votes`, 0 where it has none.

        Parameters
        ----------
        ids : sequence of str
            Neighbouring intents, each once.
        weights : ndarray
            Shape (ids,), float64: the weight of each, 0 to 1.
        as_of_us : int
            The moment of weighing, microseconds since 1970 UTC.
        """
        found = np.zeros(len(self.artifacts))
        if self._fold is None or not self._rows:
            return found
        if as_of_us < self._newest_us or self._has_untrusted:  # which outcome stood then, only the definition tells
            given = dict(zip(ids, weights.tolist(), strict=True))
            for artifact, vote in neighbour_votes(self._fold, given, as_of_us).items():
                found[self.artifacts[artifact]] = vote
            return found
        of_intent = np.zeros(len(self.intents))
        for intent, weight in zip(ids, weights.tolist(), strict=True):
            number = self.intents.get(intent)
            if number is not None:
                of_intent[number] = weight
        near = of_intent[self._intent.values]
        rows = np.flatnonzero(near)
        is_near = np.zeros(len(self.artifacts), bool)
        is_near[self._artifact.values[rows]] = True
        all_rows = np.flatnonzero(is_near[self._artifact.values])  # the cap needs an artifact's other votes too
        weight, pairs = self._weights(all_rows, as_of_us), self._pair.values
        sums = _add(self._artifact.values[all_rows], near[all_rows] * weight, len(found))
        is_voter = np.zeros(len(self._pairs), bool)
        is_voter[pairs[rows]] = True
        voters = np.bincount(self._pair_artifact.values[is_voter], minlength=len(found))
        return np.where(is_near, sums / (voters + SHRINK_ACTORS), 0.0)

    def _weights(self, rows: NDArray[np.int64], as_of_us: int) -> NDArray[np.float64]:
        """Weights of all votes on some artifacts: value by decay, by the cap of each artifact and actor."""
        decay = np.exp2((self._time.values[rows] - as_of_us) / (HALF_LIFE_DAYS * DAY_US))
        raw = self._value.values[rows] * decay
        pairs = self._pair.values[rows]
        sizes = _add(pairs, np.abs(raw), len(self._pairs))
        return np.asarray(raw * (ACTOR_CAP / np.maximum(sizes[pairs], ACTOR_CAP)))


def _add(groups: NDArray[np.int64], values: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """The sums of values by group, float64 (count,), the same bits whatever their order."""
    sums = np.zeros(count, np.int64)
    np.add.at(sums, groups, np.rint(values * _UNIT).astype(np.int64))
    return sums / _UNIT
