"""From what rows say to searches with their outcomes: which belong together, and which searches clicks imply. Pure.

1. Rows with the same search id and query are one search; a row of it that comes with other results is a further page.
   Results shown one a row, without an id, are one search where actor and query are the same within `TOGETHER_S`.
2. An outcome belongs to the search whose id it names; else to its actor's latest search for the same query within
   `SESSION_S` before it; else, where it names no query, to its actor's latest search in that time that delivered the
   artifact.
3. An outcome that names the id of a search which an earlier import brought belongs to that one.
4. An outcome with a query and no such search implies one: somebody searched for this, and this was delivered. One that
   has neither stands alone: it is known that the artifact was chosen, and by whom, but not what for.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from graph.events import OutcomeKind, SearchEvent
from search.replay.entries import LogEntry, Shown

SESSION_S: Final = 1_800
"""Half an hour without a search ends a session, as web analytics count."""
TOGETHER_S: Final = 5
_SECOND_US: Final = 1_000_000


@dataclass
class Page:
    """One page of a search: the results that it delivered, and when; `event` is the log's id of its first row."""

    time_us: int
    offset: int
    rows: list[int]
    event: str
    results: dict[str, Shown] = field(default_factory=dict)


@dataclass
class LoggedSearch:
    """A search as a log tells it.

    `first` is the row that tells it; `listed` whether the log lists what it delivered, otherwise `pages[0]` holds what
    outcomes prove to have been delivered; `empty` whether the log says that nothing was; `implied` whether it is known
    from outcomes alone.
    """

    first: LogEntry
    pages: list[Page]
    listed: bool
    empty: bool
    implied: bool = False

    def delivered(self, artifact: str) -> Shown | None:
        """The result of an artifact; None where none is known."""
        return next((page.results[artifact] for page in self.pages if artifact in page.results), None)


@dataclass(frozen=True)
class LoggedOutcome:
    """An outcome as a log tells it, of a search of this import or an `earlier` one; else it stands alone.

    `position` is 1 where nobody says.
    """

    entry: LogEntry
    artifact: str
    outcome: OutcomeKind
    position: int
    search: LoggedSearch | None
    earlier: SearchEvent | None = None


@dataclass(frozen=True)
class Told:
    """What a log tells: searches and outcomes, each sorted by (time, row)."""

    searches: tuple[LoggedSearch, ...]
    outcomes: tuple[LoggedOutcome, ...]


def gather(entries: Iterable[LogEntry], earlier: Mapping[str, SearchEvent] | None = None) -> Told:
    """The searches and outcomes of a log; rows may come in any order.

    Parameters
    ----------
    entries : iterable of LogEntry
        All rows that say something.
    earlier : mapping
        Searches that earlier imports brought, by the ids that this log's outcomes name.
    """
    ordered = sorted(entries, key=lambda entry: (entry.time_us, entry.row))
    searches = _Searches()
    for entry in ordered:
        if entry.kind != "outcome":
            searches.take(entry)
    outcomes = [outcome for entry in ordered for outcome in _outcomes(entry, searches, earlier or {})]
    told = sorted(searches.all, key=lambda search: (search.first.time_us, search.first.row))
    return Told(tuple(told), tuple(outcomes))


def _outcomes(entry: LogEntry, searches: _Searches, earlier: Mapping[str, SearchEvent]) -> Iterator[LoggedOutcome]:
    for chosen in entry.chosen:
        known = earlier.get(entry.search) if entry.search else None
        if known is not None:
            shown = next((r.position for r in known.results if r.artifact == chosen.artifact), 1)
            yield LoggedOutcome(entry, chosen.artifact, chosen.outcome, chosen.position or shown, None, known)
            continue
        search = searches.of(entry, chosen.artifact)
        result = search.delivered(chosen.artifact) if search else None
        position = chosen.position or (result.position if result else 1)
        if search is not None and result is None and not search.listed:
            search.pages[0].results[chosen.artifact] = Shown(chosen.artifact, position)
        yield LoggedOutcome(entry, chosen.artifact, chosen.outcome, position, search)


class _Searches:
    """The searches found so far, by the ids and by the actors that outcomes name."""

    def __init__(self) -> None:
        self.all: list[LoggedSearch] = []
        self.of_row: dict[int, LoggedSearch] = {}
        self._by_id: dict[str, LoggedSearch] = {}
        self._by_query: dict[tuple[str, str], list[tuple[int, int, LoggedSearch]]] = {}
        self._by_actor: dict[str, list[tuple[int, int, LoggedSearch]]] = {}

    def take(self, entry: LogEntry) -> None:
        """Take in a row of a search."""
        search = self._same(entry)
        if search is None:
            self._add(LoggedSearch(entry, [_page(entry)], entry.results is not None, entry.results == ()), entry)
        else:
            self.of_row[entry.row] = search
            _continue(search, entry)

    def _same(self, entry: LogEntry) -> LoggedSearch | None:
        if entry.search:
            known = self._by_id.get(entry.search)
            return known if known is not None and known.first.query == entry.query else None
        if entry.kind != "shown" or not entry.results:
            return None
        last = self._latest(self._by_query.get((entry.actor, entry.query), ()), entry.time_us, TOGETHER_S)
        if last is None or last.first.kind != "shown" or last.first.search:
            return None
        taken = {shown.position for page in last.pages for shown in page.results.values()}
        shown = entry.results[0]
        return None if shown.position in taken or last.delivered(shown.artifact) else last

    def of(self, entry: LogEntry, artifact: str) -> LoggedSearch | None:
        """The search of an outcome: its own row's, the one it names or follows, else the one that it implies."""
        found = self.of_row.get(entry.row) or self._find(entry, artifact)
        if found is not None or not entry.query:
            return found
        page = Page(entry.time_us, 0, [entry.row], "")
        return self._add(LoggedSearch(entry, [page], listed=False, empty=False, implied=True), entry)

    def _add(self, search: LoggedSearch, entry: LogEntry) -> LoggedSearch:
        self.all.append(search)
        self.of_row[entry.row] = search
        if entry.search:
            self._by_id[entry.search] = search
        item = (entry.time_us, entry.row, search)
        insort(self._by_query.setdefault((entry.actor, entry.query), []), item, key=lambda each: each[:2])
        if entry.actor:
            insort(self._by_actor.setdefault(entry.actor, []), item, key=lambda each: each[:2])
        return search

    def _find(self, entry: LogEntry, artifact: str) -> LoggedSearch | None:
        if entry.search and entry.search in self._by_id:
            return self._by_id[entry.search]
        if entry.query:
            return self._latest(self._by_query.get((entry.actor, entry.query), ()), entry.time_us, SESSION_S)
        own = self._by_actor.get(entry.actor, ())
        return self._latest(own, entry.time_us, SESSION_S, artifact)

    @staticmethod
    def _latest(
        items: Sequence[tuple[int, int, LoggedSearch]], time_us: int, within_s: int, artifact: str | None = None
    ) -> LoggedSearch | None:
        """The latest search up to a time and not longer ago; where an artifact is given, of those that delivered it."""
        place = bisect_right(items, time_us, key=lambda each: each[0])
        while place and time_us - items[place - 1][0] <= within_s * _SECOND_US:
            search = items[place - 1][2]
            if artifact is None or search.delivered(artifact):
                return search
            place -= 1
        return None


def _page(entry: LogEntry) -> Page:
    results = {shown.artifact: shown for shown in entry.results or ()}
    return Page(entry.time_us, entry.offset, [entry.row], entry.event, results)


def _continue(search: LoggedSearch, entry: LogEntry) -> None:
    """Add a row to its search: one more result shown, a further page, or the same again."""
    if entry.results is None:
        search.pages[0].rows.append(entry.row)
        return
    search.listed = True
    search.empty = search.empty and entry.results == ()
    if entry.kind == "shown" or not search.pages[0].results:
        search.pages[0].rows.append(entry.row)
        for shown in entry.results:
            search.pages[0].results.setdefault(shown.artifact, shown)
    else:
        search.pages.append(_page(entry))
