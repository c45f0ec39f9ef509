"""Votes as columns: what `graph.weights` says of many votes at once, equal bit for bit (`tests/test_vote_columns.py`).

A vote takes a few numbers instead of an object; sums are rounded once here too: of one or two numbers by adding them,
of more by `math.fsum`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import repeat
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from graph.constants import ACTOR_CAP, DAY_US, HALF_LIFE_DAYS, OUTCOME_LEVEL
from graph.weights import vote_value

COLUMNS: Final = ("artifact", "actor", "intent", "uri", "search", "kind", "time_us")


@dataclass(frozen=True)
class VoteColumns:
    """Outcomes, one a row: what they are of, by number, and what their weight comes from.

    All arrays have shape (outcomes,). `artifact`, `actor`, `intent` and `uri` are uint32 numbers of names, `search` is
    a uint64 digest, `time_us` int64, and `kind` a uint32 place in `kinds`, which says outcome, position and trust.
    """

    artifact: NDArray[np.uint32]
    actor: NDArray[np.uint32]
    intent: NDArray[np.uint32]
    uri: NDArray[np.uint32]
    search: NDArray[np.uint64]
    kind: NDArray[np.uint32]
    time_us: NDArray[np.int64]
    kinds: tuple[tuple[str, int, float], ...]

    @property
    def level(self) -> NDArray[np.int64]:
        """How strong each outcome is, int64, 1 to 4."""
        return np.array([OUTCOME_LEVEL[outcome] for outcome, _, _ in self.kinds], np.int64)[self.kind]

    @property
    def value(self) -> NDArray[np.float64]:
        """What each outcome is worth before age and cap, float64; see `graph.weights.vote_value`."""
        return np.array([vote_value(*kind) for kind in self.kinds], np.float64)[self.kind]

    def __len__(self) -> int:
        return len(self.artifact)

    def take(self, rows: NDArray[Any]) -> VoteColumns:
        """These rows: a mask, or places."""
        rows = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        return VoteColumns(**{name: getattr(self, name)[rows] for name in COLUMNS}, kinds=self.kinds)

    @property
    def pairs(self) -> NDArray[np.uint64]:
        """One number for each row's artifact and actor, uint64: artifact << 32 | actor."""
        return self.artifact.astype(np.uint64) << np.uint64(32) | self.actor

    def in_order(self) -> VoteColumns:
        """The rows by artifact, actor, search and level."""
        return self.take(np.lexsort((self.time_us, self.level, self.search, self.pairs)))

    def with_all_of_pairs(self, rows: NDArray[np.bool_]) -> VoteColumns:
        """The rows of a mask, and all others of the same actors on the same artifacts; rows must be in order."""
        if not rows.any():
            return self.take(rows)
        starts = run_starts(self.pairs)
        touched = np.logical_or.reduceat(rows, starts)
        return self.take(np.repeat(touched, np.diff(np.append(starts, len(self)))))

    def is_ambiguous(self) -> bool:
        """Whether two rows of one place have one level and time: which is the vote is not said here.

        Only after a merge of actors; rows must be in order.
        """
        level = self.level
        same = (self.time_us[1:] == self.time_us[:-1]) & (level[1:] == level[:-1])
        return bool((same & (self.search[1:] == self.search[:-1]) & (self.pairs[1:] == self.pairs[:-1])).any())


@dataclass(frozen=True)
class WeighedColumns:
    """Votes with their weights, float64 of shape (votes,), in the order of the votes."""

    votes: VoteColumns
    decay: NDArray[np.float64]
    cap: NDArray[np.float64]
    weight: NDArray[np.float64]

    def take(self, rows: NDArray[Any]) -> WeighedColumns:
        """These votes: a mask, or places."""
        rows = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        return WeighedColumns(self.votes.take(rows), self.decay[rows], self.cap[rows], self.weight[rows])


def weigh_columns(outcomes: VoteColumns, as_of_us: int) -> WeighedColumns:
    """The standing votes among outcomes and their weights, as `graph.weights.weigh_votes` gives them, by pair.

    Parameters
    ----------
    outcomes : VoteColumns
        In order, with all outcomes of each pair of artifact and actor; of no trust none.
    as_of_us : int
        The moment of weighing, microseconds since 1970 UTC.
    """
    votes = _standing(outcomes.take(outcomes.time_us <= as_of_us))
    ages = np.maximum(as_of_us - votes.time_us, 0) / (HALF_LIFE_DAYS * DAY_US)
    decay = np.fromiter(map(pow, repeat(2.0), (-ages).tolist()), np.float64, len(votes))
    raw = votes.value * decay
    starts = run_starts(votes.pairs)
    caps = ACTOR_CAP / np.maximum(exact_sums(np.abs(raw), starts), ACTOR_CAP)
    cap = np.repeat(caps, np.diff(np.append(starts, len(votes))))
    return WeighedColumns(votes, decay, cap, raw * cap)


def _standing(outcomes: VoteColumns) -> VoteColumns:
    """The strongest outcome of each search, artifact and actor: the highest level, of one level the earliest."""
    if not len(outcomes):
        return outcomes
    places = run_starts(outcomes.search, outcomes.pairs)
    levels = run_starts(outcomes.search, outcomes.pairs, outcomes.level)
    last = np.append(places[1:], len(outcomes)) - 1
    return outcomes.take(levels[np.searchsorted(levels, last, side="right") - 1])


def run_starts(*keys: NDArray[Any]) -> NDArray[np.int64]:
    """Where runs of rows of equal keys start, int64; empty for no rows."""
    if not len(keys[0]):
        return np.zeros(0, np.int64)
    changes = np.zeros(len(keys[0]) - 1, np.bool_)
    for key in keys:
        changes |= key[1:] != key[:-1]
    return np.append(0, np.flatnonzero(changes) + 1)


def exact_sums(values: NDArray[np.float64], starts: NDArray[np.int64]) -> NDArray[np.float64]:
    """The sum of each run of values, rounded once; float64 of shape (runs,).

    Parameters
    ----------
    values : ndarray
        float64.
    starts : ndarray
        int64, where runs start; the last one goes to the end.
    """
    if not len(starts):
        return np.zeros(0, np.float64)
    sums = np.add.reduceat(values, starts)
    ends = np.append(starts[1:], len(values))
    runs = np.flatnonzero(ends - starts > 2)
    if len(runs):
        plain, bounds = values.tolist(), zip(starts[runs].tolist(), ends[runs].tolist(), strict=True)
        sums[runs] = [math.fsum(plain[start:end]) for start, end in bounds]
    return sums
