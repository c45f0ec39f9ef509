"""Writing what a log tells: in batches of whole transactions, each event once however often a log is imported."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection, select

from graph.events import Delivered, OutcomeEvent, SearchEvent
from graph.home import Home
from graph.store import log
from graph.store.tables import OUTCOMES_ONCE
from search.replay.entries import Shown
from search.replay.identity import ImportedIds, stored_ids
from search.replay.meaning import Deliveries, Intents
from search.replay.sessions import LoggedOutcome, LoggedSearch, Page, Told
from search.replay.tally import Tally

BATCH: Final = 500
"""Events of one transaction."""


@dataclass
class Written:
    """What an import wrote, or would write."""

    searches: int = 0
    pages: int = 0
    implied: int = 0
    alone: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    actors: set[str] = field(default_factory=set)
    intents: set[str] = field(default_factory=set)
    new_intents: int = 0
    first_us: int | None = None
    last_us: int | None = None


@dataclass(frozen=True)
class Planned:
    """An event that a log tells of: its id and time, and what it is made from."""

    id: str
    root: str
    time_us: int
    event: str
    rows: tuple[int, ...]
    search: LoggedSearch | None
    page: Page | None = None
    outcome: LoggedOutcome | None = None


@dataclass(frozen=True)
class Meaning:
    """What gives events their meaning: intents and capabilities; and how much the log's outcomes are trusted."""

    intents: Intents
    deliveries: Deliveries
    trust: float
    batch: str


def plan(told: Told, ids: ImportedIds) -> list[Planned]:
    """The events that a log tells of, by time; a search before its outcomes."""
    roots: dict[int, str] = {}
    planned = []
    for search in told.searches:
        root = roots[id(search)] = ids.search(search)
        for number, page in enumerate(search.pages):
            name = root if number == 0 else ids.page(root, page)
            planned.append(Planned(name, root, page.time_us, page.event, tuple(page.rows), search, page))
    for outcome in told.outcomes:
        root = roots[id(outcome.search)] if outcome.search else outcome.earlier.root if outcome.earlier else ""
        name = ids.outcome(outcome, root)
        entry = outcome.entry
        root = root or f"se_{name.removeprefix('oc_')}"
        planned.append(Planned(name, root, entry.time_us, entry.event, (entry.row,), outcome.search, None, outcome))
    return sorted(planned, key=lambda each: (each.time_us, each.outcome is not None, each.rows, each.id))


class Writer:
    """Turns planned events into events of the log, batch by batch; with no meaning it only says what it would do."""

    def __init__(self, home: Home, ids: ImportedIds, meaning: Meaning | None, tally: Tally) -> None:
        self._home, self._ids, self._meaning, self._tally = home, ids, meaning, tally
        self._claimed: dict[tuple[str, str, str], str] = {}
        self._seen: dict[str, set[str]] = {}
        self.written = Written()

    def write(self, planned: Sequence[Planned], on_done: Callable[[int], None]) -> None:
        """Write all; what a batch holds is there whole or not at all."""
        for start in range(0, len(planned), BATCH):
            batch = planned[start : start + BATCH]
            if self._meaning is None:
                with self._home.store.reading() as connection:
                    list(self._fresh(connection, batch, _stored(connection, batch)))
            else:
                with self._home.store.writing() as connection:
                    self._append(connection, batch, self._meaning)
            on_done(start + len(batch))

    def _append(self, connection: Connection, batch: Sequence[Planned], meaning: Meaning) -> None:
        meaning.intents.refresh(connection)
        stored = _stored(connection, batch)
        new = [each for each in batch if each.search and not (each.id in stored or each.event in stored)]
        meaning.intents.expect(each.search.first.query for each in new if each.search and each.search.first.query)
        founded: dict[str, int] = {}
        events: list[SearchEvent | OutcomeEvent] = []
        claims = []
        for each in self._fresh(connection, batch, stored):
            event = self._search(each, meaning) if each.page else self._outcome(each, meaning)
            events.append(event)
            if event.intent:
                founded.setdefault(event.intent, event.time_us)
                self.written.intents.add(event.intent)
            if isinstance(event, OutcomeEvent):
                claims.append({"search": event.search, "artifact": event.artifact, "slot": _slot(event.outcome),
                               "event": event.id})  # fmt: skip
        self.written.new_intents += meaning.intents.keep(connection, founded)
        if claims:
            connection.execute(OUTCOMES_ONCE.insert(), claims)
        log.append_events(connection, events)

    def _fresh(self, connection: Connection, batch: Sequence[Planned], stored: Collection[str]) -> Iterator[Planned]:
        """Those of a batch that the log does not have; the rows of the others are skipped with their reason."""
        taken = _taken(connection, {each.root for each in batch if each.outcome})
        for each in batch:
            reason = "already_imported" if each.id in stored or each.event in stored else self._claim(each, taken)
            if reason:
                self._tally.skip(each.rows, reason)
                if each.page:
                    self._seen.setdefault(each.root, set()).update(each.page.results)
            else:
                self._tally.accept(each.rows)
                self._count(each)
                yield each

    def _claim(self, each: Planned, taken: dict[tuple[str, str, str], str]) -> str | None:
        """Why an outcome counts nothing: once per search, artifact and kind; success and failure exclude each other."""
        if each.outcome is None:
            return None
        place = (each.root, each.outcome.artifact, _slot(each.outcome.outcome))
        before = self._claimed.get(place) or taken.get(place)
        if before is None:
            self._claimed[place] = each.outcome.outcome
            return None
        return "repeated_outcome" if before == each.outcome.outcome else "contradicting_outcome"

    def _count(self, each: Planned) -> None:
        written, outcome = self.written, each.outcome
        entry = outcome.entry if outcome else each.search.first if each.search else None
        if entry is not None:
            written.actors.add(self._ids.actor(entry.actor).id)
        written.first_us = min(each.time_us, written.first_us or each.time_us)
        written.last_us = max(each.time_us, written.last_us or each.time_us)
        if outcome is not None:
            written.outcomes[outcome.outcome] += 1
            written.alone += outcome.search is None and outcome.earlier is None
        elif each.id != each.root:
            written.pages += 1
        else:
            written.searches += 1
            written.implied += bool(each.search and each.search.implied)

    def _search(self, each: Planned, meaning: Meaning) -> SearchEvent:
        assert each.search is not None and each.page is not None  # noqa: S101
        first, page = each.search.first, each.page
        intent, vector_key = meaning.intents.assign(first.query)
        seen = self._seen.setdefault(each.root, set())
        results = tuple(self._delivered(shown, first.query, seen, meaning) for shown in page.results.values())
        return SearchEvent(
            id=each.id, time_us=each.time_us, parent=each.root if each.id != each.root else None, root=each.root,
            operation=first.operation, origin="import", actor=self._ids.actor(first.actor), query=first.query,
            redacted=first.redacted, intent=intent, vector_key=vector_key, limit=len(results), offset=page.offset,
            abstained=each.search.empty, partial=not each.search.listed, batch=meaning.batch, results=results,
        )  # fmt: skip

    def _delivered(self, shown: Shown, query: str, seen: set[str], meaning: Meaning) -> Delivered:
        repeat = shown.artifact in seen
        seen.add(shown.artifact)
        uri = meaning.deliveries.uri(shown.artifact, query)
        return Delivered(artifact=shown.artifact, uri=uri, position=shown.position, score=shown.score, repeat=repeat)

    def _outcome(self, each: Planned, meaning: Meaning) -> OutcomeEvent:
        assert each.outcome is not None  # noqa: S101
        outcome, earlier = each.outcome, each.outcome.earlier
        query = outcome.search.first.query if outcome.search else earlier.query if earlier else ""
        intent = earlier.intent if earlier else meaning.intents.assign(query)[0] if query else None
        return OutcomeEvent(
            id=each.id, time_us=each.time_us, search=each.root, artifact=outcome.artifact, outcome=outcome.outcome,
            actor=self._ids.actor(outcome.entry.actor), origin="import", intent=intent,
            uri=meaning.deliveries.uri(outcome.artifact, query), position=outcome.position, trust=meaning.trust,
            batch=meaning.batch,
        )  # fmt: skip


def _stored(connection: Connection, batch: Sequence[Planned]) -> Collection[str]:
    """The ids of a batch, and the log's own, that are imported already."""
    return stored_ids(connection, [name for each in batch for name in (each.id, each.event) if name])


def _slot(outcome: str) -> str:
    return "verdict" if outcome in ("success", "failure") else outcome


def _taken(connection: Connection, searches: set[str]) -> dict[tuple[str, str, str], str]:
    """The outcomes recorded of these searches: their kind by (search, artifact, place)."""
    wanted, found = sorted(searches), {}
    for start in range(0, len(wanted), 500):
        chosen = OUTCOMES_ONCE.c.search.in_(wanted[start : start + 500])
        for row in connection.execute(select(OUTCOMES_ONCE).where(chosen)):
            event = log.read_event(connection, row.event)
            found[row.search, row.artifact, row.slot] = event.outcome if isinstance(event, OutcomeEvent) else row.slot
    return found
