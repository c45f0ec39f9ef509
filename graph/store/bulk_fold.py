"""Folding a whole log at once: the same counts as `graph.match_graph.Fold`, as sorted rows of the folded tables.

A million events have millions of (artifact, actor) pairs. Here they are numbers in arrays, added up now and then, so
that folding anew takes seconds and hundreds of MB, not minutes and gigabytes. `tests/test_bulk_fold.py` holds both
ways of folding against each other.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Table

from graph.constants import OUTCOME_LEVEL
from graph.identities import Identities
from graph.match_graph import NO_INTENT
from graph.store.tables import (
    FOLD_ACTORS,
    FOLD_ARTIFACT_EDGES,
    FOLD_EDGES,
    FOLD_INTENT_EDGES,
    FOLD_INTENTS,
    FOLD_QUERIES,
    FOLD_SAME,
    FOLD_TIMES,
    FOLD_VOTES,
)

_COMPACT: Final = 4_000_000
_SHIFT: Final = 32
_LOW: Final = (1 << _SHIFT) - 1
_NEVER: Final = 1 << 62
_PART: Final = 100_000
Row = tuple[Any, ...]


class _Actor(msgspec.Struct, gc=False):
    id: str


class _Result(msgspec.Struct, gc=False):
    artifact: str
    uri: str | None = None
    repeat: bool = False


class LoggedEvent(msgspec.Struct):
    """What the fold needs of any event's payload; the other fields are passed over, which is what makes it fast."""

    id: str
    kind: str
    time_us: int
    actor: _Actor | None = None
    synthetic: bool = False
    abstained: bool = False
    root: str = ""
    query: str = ""
    intent: str | None = None
    results: list[_Result] = []
    search: str = ""
    artifact: str = ""
    outcome: str = ""
    uri: str | None = None
    position: int = 1
    trust: float = 1.0


read_payload: Final = msgspec.json.Decoder(LoggedEvent).decode


class _Names:
    """Strings or pairs, numbered in the order they come."""

    def __init__(self) -> None:
        self.numbers: dict[Any, int] = {}

    def number(self, name: Any) -> int:
        return self.numbers.setdefault(name, len(self.numbers))

    def sorted(self) -> tuple[list[Any], NDArray[np.int64]]:
        """The names in the order of their numbers, and the place of each among the sorted names."""
        names = list(self.numbers)
        return names, _places(names)


def _places(names: Sequence[Any]) -> NDArray[np.int64]:
    """The place of each name among the sorted ones, int64 of shape (names,)."""
    places = np.empty(len(names), np.int64)
    places[sorted(range(len(names)), key=names.__getitem__)] = np.arange(len(names))
    return places


class _Tally:
    """How often each pair of numbers came; compacted when it grows."""

    def __init__(self) -> None:
        self._new = array("q")
        self._codes = np.zeros(0, np.int64)
        self._counts = np.zeros(0, np.int64)

    def add(self, codes: list[int]) -> None:
        """Take in pairs, each as high << 32 | low."""
        self._new.extend(codes)
        if len(self._new) >= _COMPACT:
            self._compact()

    def _compact(self) -> None:
        codes, counts = np.unique(np.frombuffer(self._new, np.int64), return_counts=True)
        both = np.concatenate([self._codes, codes])
        self._codes, places = np.unique(both, return_inverse=True)
        totals = np.zeros(len(self._codes), np.int64)
        np.add.at(totals, places, np.concatenate([self._counts, counts]))
        self._counts = totals
        self._new = array("q")

    def pairs(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Highs, lows and counts, each int64 of shape (pairs,)."""
        if self._new:
            self._compact()
        return self._codes >> _SHIFT, self._codes & _LOW, self._counts


class BulkFold:
    """Takes the payloads of a log, in any order, and gives the rows of the folded tables."""

    def __init__(self, same: Identities, *, count_synthetic: bool) -> None:
        self._same, self._count_synthetic = same, count_synthetic
        self._merged = same.survivors("artifact")
        self._artifacts, self._actors, self._intents = _Names(), _Names(), _Names()
        self._queries = _Names()
        self._ways: list[tuple[str, str]] = []
        self._ways_of_intents: dict[str, dict[str, int]] = {}
        self._deliveries, self._edges, self._asked = _Tally(), _Tally(), _Tally()
        self._searches: dict[int, int] = {}
        self._first_us: dict[int, int] = {}
        self._votes: dict[tuple[str, str, str, int], Row] = {}
        self._named: set[int] = set()

    def take(self, payload: str | bytes) -> None:
        """Fold one event's payload; merges were given at the start."""
        event = read_payload(payload)
        if event.synthetic and not self._count_synthetic:
            return
        if event.kind == "search" and not event.abstained:
            self._take_search(event)
        elif event.kind == "outcome" and event.trust > 0:
            self._take_outcome(event)

    def _take_search(self, event: LoggedEvent) -> None:
        intent = event.intent or NO_INTENT
        actor = self._actors.number(event.actor.id if event.actor else "")
        if event.root == event.id:
            number = self._intents.number(intent)
            self._searches[number] = self._searches.get(number, 0) + 1
            self._asked.add([self._queries.number((intent, event.query)) << _SHIFT | actor])
        # The rest runs ten times for each of a million searches: no calls but those of dictionaries and lists.
        artifacts, merged, first, time_us = self._artifacts.numbers, self._merged, self._first_us, event.time_us
        ways = self._ways_of_intents.setdefault(intent, {})
        delivered, edges = [], []
        for result in event.results:
            if not result.repeat:
                name = merged.get(result.artifact, result.artifact) if merged else result.artifact
                artifact = artifacts.setdefault(name, len(artifacts))
                uri = result.uri or NO_INTENT
                way = ways.get(uri)
                if way is None:
                    way = ways[uri] = len(self._ways)
                    self._ways.append((intent, uri))
                delivered.append(artifact)
                edges.append(way << _SHIFT | artifact)
                if time_us < first.get(artifact, _NEVER):
                    first[artifact] = time_us
        self._edges.add(edges if len(set(edges)) == len(edges) else list(set(edges)))
        self._deliveries.add([artifact << _SHIFT | actor for artifact in set(delivered)])

    def _take_outcome(self, event: LoggedEvent) -> None:
        actor, level = event.actor.id if event.actor else "", OUTCOME_LEVEL[event.outcome]
        artifact, intent = self._merged.get(event.artifact, event.artifact), event.intent or NO_INTENT
        uri, key = event.uri or NO_INTENT, (event.search, artifact, actor, level)
        self._named.add(self._way(intent, uri) << _SHIFT | self._artifacts.number(artifact))
        row = (*key, intent, uri, event.outcome, event.position, event.trust, event.time_us, event.id)
        before = self._votes.get(key)
        if before is None or row[-2:] < before[-2:]:
            self._votes[key] = row

    def _way(self, intent: str, uri: str) -> int:
        ways = self._ways_of_intents.setdefault(intent, {})
        if uri not in ways:
            ways[uri] = len(self._ways)
            self._ways.append((intent, uri))
        return ways[uri]

    @property
    def votes(self) -> Iterator[Row]:
        """The rows of the votes, in no particular order."""
        return iter(self._votes.values())

    def tables(self) -> Iterator[tuple[Table, Iterator[Row]]]:
        """Each folded table with its rows, sorted by primary key, texts by code point."""
        artifacts, artifact_places = self._artifacts.sorted()
        actors, actor_places = self._actors.sorted()
        owners, seekers, counts = self._deliveries.pairs()
        times = np.bincount(owners, weights=counts, minlength=len(artifacts)).astype(np.int64)
        yield FOLD_TIMES, iter(sorted((artifacts[i], int(times[i]), us) for i, us in self._first_us.items()))
        pairs = _in_order(owners, seekers, counts, artifact_places, actor_places)
        yield FOLD_ACTORS, _named(np.array(artifacts, object), np.array(actors, object), *pairs)
        intents = list(self._intents.numbers)
        yield FOLD_INTENTS, iter(sorted((intents[i], n) for i, n in self._searches.items()))
        queries, query_places = self._queries.sorted()
        asked = _by_place(*self._asked.pairs(), query_places, actor_places)
        yield FOLD_QUERIES, ((*queries[a], actors[b], n) for a, b, n in asked)
        ways, way_places = self._ways, _places(self._ways)
        edges = _by_place(*self._edges.pairs(), way_places, artifact_places)
        yield FOLD_EDGES, ((*ways[a], artifacts[b], n) for a, b, n in edges)
        yield FOLD_INTENT_EDGES, iter(self._intent_edges())
        uris = sorted({uri for _, uri in ways})
        served = _by_place(*self._artifact_edges(uris), np.arange(len(uris)), artifact_places)
        yield FOLD_ARTIFACT_EDGES, ((uris[a], artifacts[b], n) for a, b, n in served)
        yield FOLD_VOTES, iter(sorted(self._votes.values()))
        yield FOLD_SAME, iter(sorted(self._same.pairs))

    def _intent_edges(self) -> list[Row]:
        """URI, intent and deliveries of each way, sorted."""
        ways, _, counts = self._edges.pairs()
        totals = np.bincount(ways, weights=counts, minlength=len(self._ways)).astype(np.int64).tolist()
        return sorted((uri, intent, n) for (intent, uri), n in zip(self._ways, totals, strict=True))

    def _artifact_edges(
        self, uris: Sequence[str]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:  # fmt: skip
        """Places in `uris`, artifacts and deliveries, those that only outcomes name with none."""
        place = {uri: i for i, uri in enumerate(uris)}
        of_way = np.array([place[uri] for _, uri in self._ways], np.int64)
        ways, artifacts, counts = self._edges.pairs()
        named = np.fromiter(self._named, np.int64, len(self._named))
        highs = of_way[np.concatenate([ways, named >> _SHIFT])]
        codes, places = np.unique(
            highs << _SHIFT | np.concatenate([artifacts, named & _LOW]), return_inverse=True
        )  # fmt: skip
        totals = np.zeros(len(codes), np.int64)
        np.add.at(totals, places, np.concatenate([counts, np.zeros(len(named), np.int64)]))
        return codes >> _SHIFT, codes & _LOW, totals


def _by_place(
    highs: NDArray[np.int64],
    lows: NDArray[np.int64],
    counts: NDArray[np.int64],
    high_places: NDArray[np.int64],
    low_places: NDArray[np.int64],
) -> Iterator[Sequence[int]]:
    """Triples of high, low and count, sorted by the places of their names."""
    highs, lows, counts = _in_order(highs, lows, counts, high_places, low_places)
    for start in range(0, len(highs), _PART):
        part = slice(start, start + _PART)
        yield from zip(highs[part].tolist(), lows[part].tolist(), counts[part].tolist(), strict=True)


def _in_order(
    highs: NDArray[np.int64],
    lows: NDArray[np.int64],
    counts: NDArray[np.int64],
    high_places: NDArray[np.int64],
    low_places: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    order = np.lexsort((low_places[lows], high_places[highs])) if len(highs) else np.zeros(0, np.int64)
    return highs[order], lows[order], counts[order]


def _named(
    high_names: NDArray[np.object_],
    low_names: NDArray[np.object_],
    highs: NDArray[np.int64],
    lows: NDArray[np.int64],
    counts: NDArray[np.int64],
) -> Iterator[Row]:
    """The triples with names in place of numbers."""
    for start in range(0, len(highs), _PART):
        part = slice(start, start + _PART)
        names = (high_names[highs[part]].tolist(), low_names[lows[part]].tolist())
        yield from zip(*names, counts[part].tolist(), strict=True)
