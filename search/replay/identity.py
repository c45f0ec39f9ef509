"""Ids of imported events: the same row gets the same id at every import, so nothing is counted twice."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections import Counter
from collections.abc import Container, Iterable, Iterator
from typing import Final

from sqlalchemy import Connection, select

from graph.events import EVENT, TAKEN_BACK, Actor, SearchEvent, Tombstone, hashed_actor
from graph.home import Home
from graph.store import log
from graph.store.tables import EVENTS
from search.replay.entries import LogEntry
from search.replay.sessions import LoggedOutcome, LoggedSearch, Page

ANONYMOUS: Final = Actor(id="anonymous")
_EARLIER_US: Final = 7 * 86_400 * 1_000_000
"""An outcome finds its search in an earlier import if that is at most a week older."""


class ImportedIds:
    """Actors and event ids of one import, keyed by the home's key: they tell nobody else what they were made from.

    Parameters
    ----------
    home : Home
        Gives the key: the oldest, so that an actor has one voice and a row one id after a change of keys.
    taken_back : container of str
        Ids of earlier imports that were taken back; see `read_taken_back`.
    """

    def __init__(self, home: Home, taken_back: Container[str] = ()) -> None:
        self._key_id, self._key = next(iter(home.keys.items()))  # the oldest: ids outlive a change of keys
        self._taken_back = taken_back
        self._actors: dict[str, Actor] = {"": ANONYMOUS, "anonymous": ANONYMOUS}
        self._made: Counter[str] = Counter()

    def actor(self, name: str) -> Actor:
        """Who a log's actor is here; nobody in particular where it names none."""
        if name not in self._actors:
            self._actors[name] = imported_actor(name, self._key, self._key_id)
        return self._actors[name]

    def search(self, search: LoggedSearch) -> str:
        """The id of a search."""
        first = search.first
        return self.search_of(first.search, first.time_us, first.query, self.actor(first.actor).id, first.event)

    def search_of(self, search: str, time_us: int, query: str, actor: str, event: str = "") -> str:
        """The id of a search by what tells it: the log's own id of it, or of its row, or how often it was so before."""
        stated: list[str | int] = ["search", search, time_us, query, actor, "" if search else event]
        return self._digest("se", stated) if search else self._numbered("se", stated)

    def page(self, root: str, page: Page) -> str:
        """The id of a further page of a search."""
        return self._numbered("se", ["page", root, page.time_us, page.offset])

    def outcome(self, outcome: LoggedOutcome, search: str) -> str:
        """The id of an outcome of a search."""
        entry = outcome.entry
        actor = self.actor(entry.actor).id
        stated: list[str | int] = [
            "outcome",
            search,
            outcome.artifact,
            outcome.outcome,
            entry.time_us,
            actor,
            entry.event,
        ]
        return self._numbered("oc", stated)

    def _numbered(self, prefix: str, stated: list[str | int]) -> str:
        """The id of what may truly happen twice at the same time: by how often it has happened in this import."""
        digest = self._digest(prefix, stated)
        self._made[digest] += 1
        return digest if self._made[digest] == 1 else self._digest(prefix, [*stated, self._made[digest]])

    def _digest(self, prefix: str, stated: list[str | int]) -> str:
        found = f"{prefix}_{hmac.new(self._key, json.dumps(stated).encode('ascii'), hashlib.sha256).hexdigest()[:32]}"
        while found in self._taken_back:  # imported, taken back, and now imported anew
            found = f"{prefix}_{hmac.new(self._key, found.encode('ascii'), hashlib.sha256).hexdigest()[:32]}"
        return found


def imported_actor(name: str, key: bytes, key_id: str) -> Actor:
    """The actor of a name in an imported log, apart from all who search here under the same name."""
    return hashed_actor(f"import:{name}", key, key_id)


def read_taken_back(connection: Connection) -> frozenset[str]:
    """Ids of the events of all imports that were taken back."""
    tombstones = log.read_events(connection, kind="tombstone")
    return frozenset(
        event
        for each in tombstones
        if isinstance(each, Tombstone) and each.reason == TAKEN_BACK
        for event in each.erased
    )


def stored_ids(connection: Connection, ids: Iterable[str]) -> set[str]:
    """Which of these events the log has, forgotten ones too."""
    wanted, found = sorted(set(ids)), set[str]()
    for start in range(0, len(wanted), 500):
        query = select(EVENTS.c.id).where(EVENTS.c.id.in_(wanted[start : start + 500]))
        found.update(connection.execute(query).scalars())
    return found


def earlier_searches(connection: Connection, ids: ImportedIds, entries: Iterable[LogEntry]) -> dict[str, SearchEvent]:
    """The searches that earlier imports brought, by the ids under which outcomes of this log name them.

    The event log does not keep a log's own ids; but a search's id here follows from its own id there.
    """
    here: set[str] = set()
    wanted: dict[str, LogEntry] = {}
    for entry in entries:
        if entry.kind != "outcome":
            here.add(entry.search)
        elif entry.search:
            wanted.setdefault(entry.search, entry)
    missing = {search: entry for search, entry in wanted.items() if search not in here}
    if not missing:
        return {}
    by_actor: dict[str, list[SearchEvent]] = {}
    times = [entry.time_us for entry in missing.values()]
    for event in _imported(connection, min(times) - _EARLIER_US, max(times) + _EARLIER_US):
        by_actor.setdefault(event.actor.id, []).append(event)
    return {
        search: event
        for search, entry in missing.items()
        for event in by_actor.get(ids.actor(entry.actor).id, ())
        if event.id == ids.search_of(search, event.time_us, event.query, event.actor.id)
    }


def _imported(connection: Connection, since_us: int, until_us: int) -> Iterator[SearchEvent]:
    query = select(EVENTS.c.payload).where(
        EVENTS.c.kind == "search", EVENTS.c.time_us.between(since_us, until_us), EVENTS.c.payload.is_not(None)
    )
    for row in connection.execute(query.order_by(EVENTS.c.time_us, EVENTS.c.id).execution_options(yield_per=1_000)):
        event = EVENT.validate_json(row.payload)
        if isinstance(event, SearchEvent) and event.origin == "import" and event.root == event.id:
            yield event
