"""What a process remembers of the log: the folded counts and the intents; and how a search is written to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from graph.digest import text_digest
from graph.errors import QueryError
from graph.events import Delivered, Operation, OutcomeEvent, SearchEvent, new_id, now_us
from graph.home import Home
from graph.match_graph import Fold, Heard
from graph.policy import Policy
from graph.store import catalogue, log
from graph.store.stamp import Stamp, read_stamp
from search.explore import Slot
from search.outcomes import Caller
from search.query import Query, Where
from search.ranking import Scored
from search.votes.confirmed import Confirmed

_MOST_NEW: Final = 2_000
"""More new events than these are not taken in one by one."""


@dataclass(frozen=True)
class SearchRequest:
    """One search as a face passes it on.

    `policy` is stricter than what the index was built with, or None for that one; `parent` is the search of which
    this is a further page. `understand` False takes the query as words alone; `rejected` are artifacts that, with
    their copies, are not wanted. `explore` False leaves out the exploration slot; `blind` scores without what the log
    says, and explores nothing.
    """

    query: str
    caller: Caller
    limit: int = 10
    offset: int = 0
    where: tuple[Where, ...] = ()
    policy: Policy | None = None
    parent: str | None = None
    understand: bool = True
    rejected: tuple[str, ...] = ()
    explore: bool = True
    blind: bool = False

    @property
    def switches(self) -> tuple[str, ...]:
        """Options that are not at their default, sorted, as the event keeps them."""
        named = {"blind": self.blind, "no-explore": not self.explore, "no-understand": not self.understand}
        return tuple(name for name, is_set in named.items() if is_set)


@dataclass(frozen=True)
class Moment:
    """What a scoring knew: the number of the newest event, and the time at which outcomes are weighed."""

    seq: int
    time_us: int


@dataclass(frozen=True)
class Delivery:
    """What is delivered, before it is recorded: the page, its URIs by artifact, and how it came about."""

    operation: Operation
    moment: Moment
    snapshot: str
    page: Sequence[Scored]
    uris: dict[str, str | None]
    policy: str
    abstained: bool
    target: str | None = None
    slot: Slot | None = None


class Memory:
    """The folded log and the intents of one encoder, kept up with the store, for the artifacts of one index.

    Parameters
    ----------
    numbers, own
        The artifacts and their vectors, as in `Confirmed`.
    """

    def __init__(self, home: Home, encoder: str, numbers: Mapping[str, int], own: NDArray[np.float32]) -> None:
        self._home, self._encoder = home, encoder
        self.fold: Fold = Heard()
        self.stamp = Stamp(-1, None, None, 0)
        """What the store had when it was looked at last."""
        self.confirmed = Confirmed(numbers, own)

    def moment(self, connection: Connection) -> Moment:
        """Now, after taking in what other processes wrote."""
        return Moment(self.refresh(connection), now_us())

    def refresh(self, connection: Connection) -> int:
        """Take in what other processes wrote; the number of the newest event."""
        known, now = self.stamp.seq, read_stamp(connection)
        is_near = 0 <= known <= now.seq <= known + _MOST_NEW
        if now.seq != known and not (is_near and self._catch_up(connection, known)):
            self.fold = log.read_heard(connection)
            self.confirmed.load(self.fold, *catalogue.intent_vectors(connection, self._encoder))
        self.stamp = now
        return now.seq

    def _catch_up(self, connection: Connection, seq: int) -> bool:
        """Whether the events after a number could be taken in one by one; else everything is to be read anew."""
        events = list(log.read_events(connection, since_seq=seq))
        named = {event.intent for event in events if isinstance(event, SearchEvent) and event.intent}
        new = sorted(intent for intent in named if intent not in self.confirmed.searches)
        founded = catalogue.vectors_of_intents(connection, self._encoder, new)
        if not log.take_in(connection, self.fold, events):
            return False
        for intent, vector in founded:
            self.confirmed.searches.add(intent, vector)
        counts_synthetic = log.is_throw_away(connection)
        for event in events:
            if isinstance(event, SearchEvent):
                self._hear(event, counts_synthetic=counts_synthetic)
            elif isinstance(event, OutcomeEvent):
                self.confirmed.touch(self.fold.same.resolve("artifact", event.artifact), event.time_us)
        return True

    def _hear(self, event: SearchEvent, *, counts_synthetic: bool) -> None:
        """The query of a search that the fold counts."""
        is_counted = not event.abstained and (counts_synthetic or not event.synthetic)
        if is_counted and event.root == event.id and event.intent:
            resolve = self.fold.same.resolve
            intent, actor = resolve("intent", event.intent), resolve("actor", event.actor.id)
            self.confirmed.searches.hear([(intent, event.query, actor)])

    def record(
        self, request: SearchRequest, query: Query, vector: NDArray[np.float32], delivery: Delivery
    ) -> tuple[SearchEvent, int]:
        """Write a search in one durable transaction; the event and its number.

        Raises
        ------
        QueryError
            The search that this one continues does not exist.
        """
        with self._home.store.writing(folded=False) as connection:
            self.refresh(connection)
            counts_synthetic = log.is_throw_away(connection)
            time_us, key = delivery.moment.time_us, catalogue.vector_key(query.searched)
            vector_key = text_digest(key + self._encoder)
            intent = self.confirmed.searches.assign(vector, vector_key)
            event = _event(connection, request, query, delivery, intent.id, vector_key)
            founds = intent.new and (counts_synthetic or not event.synthetic)  # what is not counted founds no intent
            if counts_synthetic or not event.synthetic:
                catalogue.keep_vector(connection, self._encoder, key, vector)
            if founds:
                catalogue.save_intent(connection, intent.id, self._encoder, key, time_us)
            seq = log.append_events(connection, [event], fold_later=True)
        self.fold.apply(event, count_synthetic=counts_synthetic)
        if founds:
            self.confirmed.searches.add(intent.id, vector)
        self._hear(event, counts_synthetic=counts_synthetic)
        self.stamp = replace(self.stamp, seq=seq)
        return event, seq


def _event(
    connection: Connection, request: SearchRequest, query: Query, delivery: Delivery, intent: str, vector_key: str
) -> SearchEvent:
    search_id = new_id("se")
    root, seen = _root(connection, request.parent) if request.parent else (search_id, frozenset())
    return SearchEvent(
        id=search_id, time_us=delivery.moment.time_us, parent=request.parent, root=root, operation=delivery.operation,
        origin=request.caller.face, actor=request.caller.actor, synthetic=request.caller.synthetic,
        query=query.text, redacted=query.redacted, intent=intent, vector_key=vector_key,
        snapshot=delivery.snapshot, filters=tuple(str(condition) for condition in request.where),
        policy=delivery.policy, limit=request.limit, offset=request.offset, abstained=delivery.abstained,
        exploration_position=delivery.slot.position if delivery.slot else None,
        exploration_propensity=delivery.slot.propensity if delivery.slot else None,
        target=delivery.target, rejected=request.rejected, switches=request.switches, seen_seq=delivery.moment.seq,
        results=tuple(
            Delivered(
                artifact=scored.artifact, uri=delivery.uris[scored.artifact], position=request.offset + i + 1,
                score=scored.score, repeat=scored.artifact in seen,
            )
            for i, scored in enumerate(delivery.page)
        ),
    )  # fmt: skip


def explored_before(connection: Connection, parent: str, query: str) -> Slot | None:
    """What page one of a search explored, where it asked the same; None where it explored nothing."""
    page = log.read_event(connection, parent)
    first = log.read_event(connection, page.root) if isinstance(page, SearchEvent) else None
    if not isinstance(first, SearchEvent) or first.query != query or first.exploration_position is None:
        return None
    drawn = [each.artifact for each in first.results if each.position == first.exploration_position]
    return Slot(first.exploration_position, drawn[0], first.exploration_propensity or 1.0) if drawn else None


def _root(connection: Connection, parent: str) -> tuple[str, frozenset[str]]:
    search = log.read_event(connection, parent)
    if not isinstance(search, SearchEvent):
        raise QueryError(f"no search {parent[:60]!r} to continue: leave out the search id to search anew")
    return search.root, log.delivered_before(connection, search.root)
