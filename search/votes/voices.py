"""Voices: what actors said of the artifacts of an index, in flat arrays that one event changes in one place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graph.match_graph import Fold
from graph.weights import exact_sum, weigh_votes

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Spoken:
    """One actor's votes on one artifact in one intent: the sum of their weights, of the positive ones, of the sizes."""

    intent: str
    actor: str
    weight: float
    agreed: float
    size: float


class Voices:
    """The voices on the artifacts of an index, sorted by (artifact, intent, actor): one row each.

    Parameters
    ----------
    count : int
        How many artifacts the index has.
    pairs : mapping
        The number of each (intent, actor); those that are missing are added.

    Attributes
    ----------
    artifact, pair, actor : ndarray
        Shape (voices,), int64: numbers of the artifact, of the (intent, actor) in `pairs`, of the actor.
    heard : ndarray
        Shape (heard,), int64: numbers of the artifacts that have a voice, ascending.
    place : ndarray
        Shape (voices,), int64: the place of each voice's artifact in `heard`.
    weight, agreed, size : ndarray
        Shape (voices,), float64; per actor and artifact the sizes add up to at most 1.
    own : ndarray
        Shape (voices,), float64: cosine of the artifact's own vector and its intent's.
    voters, confirmations : ndarray
        Shape (heard,), float64: distinct actors of each, and the sum of `agreed`.
    total : float
        Confirmations of all artifacts, each actor at most once.
    version : int
        Another one after every change.
    """

    def __init__(self, count: int, pairs: dict[tuple[str, str], int]) -> None:
        self.count, self.pairs = count, pairs
        self.version = 0
        self._actors: dict[str, int] = {}
        self._starts = np.zeros(count + 1, np.int64)
        self.artifact = self.pair = self.actor = self._first = np.zeros(0, np.int64)
        self.weight = self.agreed = self.size = self.own = np.zeros(0)
        self._add_up()

    def __len__(self) -> int:
        return len(self.artifact)

    def replace(self, spoken: Mapping[int, Iterable[tuple[Spoken, float]]]) -> None:
        """Put these in the place of all voices on the artifacts with these numbers.

        Each with the cosine of the artifact's own vector and the vector of its intent.
        """
        columns: dict[str, list[NDArray[np.generic]]] = {name: [] for name in _COLUMNS}
        before = 0
        counts = np.diff(self._starts)
        for number in sorted(spoken):
            made = self._columns(number, spoken[number])
            for name in _COLUMNS:
                columns[name] += [getattr(self, name)[before : self._starts[number]], made[name]]
            before = int(self._starts[number + 1])
            counts[number] = len(made["artifact"])
        for name in _COLUMNS:
            setattr(self, name, np.concatenate([*columns[name], getattr(self, name)[before:]]))
        self._starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        self._add_up()

    def _columns(self, number: int, spoken: Iterable[tuple[Spoken, float]]) -> dict[str, NDArray[np.generic]]:
        ordered = sorted(spoken, key=lambda voice: (voice[0].intent, voice[0].actor))
        given = [voice for voice, _ in ordered]
        first = [v.actor not in {other.actor for other in given[:i]} for i, v in enumerate(given)]
        pairs = [self.pairs.setdefault((v.intent, v.actor), len(self.pairs)) for v in given]
        actors = [self._actors.setdefault(v.actor, len(self._actors)) for v in given]
        return {
            "artifact": np.full(len(given), number, np.int64), "pair": np.array(pairs, np.int64),
            "actor": np.array(actors, np.int64), "_first": np.array(first, np.int64),
            "weight": np.array([v.weight for v in given], np.float64),
            "agreed": np.array([v.agreed for v in given], np.float64),
            "size": np.array([v.size for v in given], np.float64),
            "own": np.array([own for _, own in ordered], np.float64),
        }  # fmt: skip

    def _add_up(self) -> None:
        self.version += 1
        counts = np.diff(self._starts)
        self.heard: _Ints = np.flatnonzero(counts)
        self.place: _Ints = np.repeat(np.arange(len(self.heard)), counts[self.heard])
        self.voters = self.by_artifact(self._first.astype(np.float64))
        self.confirmations = self.by_artifact(self.agreed)
        self.total = exact_sum(np.minimum(1.0, np.bincount(self.actor, self.agreed)).tolist())
        loud = np.bincount(self.actor, self.size) > 1.0
        self._loud = np.flatnonzero(loud[self.actor]) if loud.any() else np.zeros(0, np.int64)
        self._loud_actor, self._loud_size = self.actor[self._loud], self.size[self._loud]

    def by_artifact(self, values: _Floats) -> _Floats:
        """The sums of the voices' values, float64 (voices,), per artifact, float64 (heard,)."""
        return np.add.reduceat(values, self._starts[self.heard]) if len(self.heard) else np.zeros(0)

    def hushed(self, nearness: _Floats) -> _Floats:
        """The factor of each voice, in (0, 1], float64 (voices,): in a neighbourhood, one actor is one voice.

        Parameters
        ----------
        nearness : ndarray
            Shape (voices,), float64, 0 to 1: how much each voice is in the neighbourhood. The factor is the same for
            all voices of an actor, and their sizes, times nearness and factor, add up to at most 1.
        """
        factors = np.ones(len(self))
        if len(self._loud):
            sizes = np.bincount(self._loud_actor, self._loud_size * nearness[self._loud])
            factors[self._loud] = (1.0 / np.maximum(1.0, sizes))[self._loud_actor]
        return factors


_COLUMNS = ("artifact", "pair", "actor", "_first", "weight", "agreed", "size", "own")


def spoken_of(fold: Fold, artifact: str, until_us: int, as_of_us: int) -> list[Spoken]:
    """What was said of an artifact, by (intent, actor); merges resolved, actor caps applied (`graph.weights`).

    Parameters
    ----------
    until_us : int
        Later outcomes have not happened yet.
    as_of_us : int
        The moment of weighing, not before `until_us`: search gives the end of the day (UTC), so that the searches of
        a day weigh once.
    """
    known = [vote for vote in fold.votes_on(artifact) if vote.time_us <= until_us]
    said: dict[tuple[str, str], list[float]] = {}
    for each in weigh_votes(known, as_of_us):
        said.setdefault((each.vote.intent, each.vote.actor), []).append(each.weight)
    return [
        Spoken(intent, actor, exact_sum(w), exact_sum(x for x in w if x > 0), exact_sum(map(abs, w)))
        for (intent, actor), w in said.items()
    ]
