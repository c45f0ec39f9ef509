"""The event log as a file, and what is taken out of it: an actor's events, or an import."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO

from sqlalchemy import ColumnElement, Connection, delete, select

from graph import actors as actors_of_log
from graph.errors import HomeError, QueryError, UnknownArtifact
from graph.event_responses import ExportResponse, ForgetResponse
from graph.events import TAKEN_BACK, Tombstone, hashed_actor, new_id, now_us
from graph.home import Home
from graph.store import log
from graph.store.folded import read_identities
from graph.store.tables import EVENTS, OUTCOMES_ONCE
from search.replay.identity import imported_actor
from search.replay.times import read_time

EVENT_KINDS: Final = ("search", "outcome", "catalogue", "tombstone")
_IN_CHUNK: Final = 500


@dataclass(frozen=True)
class Slice:
    """Which events: from a moment (microseconds since 1970 UTC) to before another, of a kind, of an import."""

    since_us: int | None = None
    until_us: int | None = None
    kind: str | None = None
    batch: str | None = None

    def condition(self) -> ColumnElement[bool]:
        """As a condition on the table of events; what was forgotten never fits."""
        fits: ColumnElement[bool] = EVENTS.c.payload.is_not(None)
        if self.since_us is not None:
            fits &= EVENTS.c.time_us >= self.since_us
        if self.until_us is not None:
            fits &= EVENTS.c.time_us < self.until_us
        if self.kind is not None:
            fits &= EVENTS.c.kind == self.kind
        if self.batch is not None:
            fits &= of_batch(self.batch)
        return fits


def read_slice(since: str | None, until: str | None, kind: str | None, batch: str | None) -> Slice:
    """The slice that options say.

    Raises
    ------
    QueryError
        A time or a kind is not understood.
    """
    if kind is not None and kind not in EVENT_KINDS:
        raise QueryError(f"--kind {kind[:40]!r}: choose from {', '.join(EVENT_KINDS)}")
    moments = [None if text is None else read_moment(text) for text in (since, until)]
    return Slice(moments[0], moments[1], kind, batch)


def read_moment(text: str) -> int:
    """A moment in microseconds since 1970 UTC, from a date or time; UTC where it names no zone.

    Raises
    ------
    QueryError
        It is none.
    """
    try:
        return read_time(text)
    except (ValueError, OverflowError) as error:
        raise QueryError(f"time {text[:40]!r}: write it as 2026-11-28 or 2026-11-28T10:00:00Z") from error


def of_batch(batch: str) -> ColumnElement[bool]:
    """The condition that an event is of an import, by its digest or the beginning of it."""
    if not batch.isalnum() or len(batch) < 8:
        raise QueryError(f"--batch {batch[:80]!r}: give the digest that `events import` printed, 8 characters or more")
    # Canonical JSON: inside a string a quote is escaped, so the pattern meets the field alone.
    return EVENTS.c.payload.contains(f'"batch":"{batch.lower()}')


def event_lines(connection: Connection, chosen: Slice) -> Iterator[str]:
    """The events as they are stored, each one line of canonical JSON with its line break, in the order of the log."""
    query = select(EVENTS.c.payload).where(chosen.condition()).order_by(EVENTS.c.seq)
    for row in connection.execute(query.execution_options(yield_per=1_000)):
        yield f"{row.payload}\n"


def export_events(home: Home, file: Path | None, stream: TextIO, chosen: Slice) -> ExportResponse:
    """What was written to a file, or to a stream where none is given; a file appears whole or not at all.

    Raises
    ------
    HomeError
        The file cannot be written, or has no room.
    """
    with home.store.reading() as connection:
        lines = event_lines(connection, chosen)
        count = _write_lines(stream, lines) if file is None else write_whole(file, lines)
    return ExportResponse(file=None if file is None else str(file), events=count)


def write_whole(file: Path, lines: Iterable[str]) -> int:
    """The number of lines written to a file that appears, or is replaced, in one step.

    Raises
    ------
    HomeError
        It cannot be written, or has no room; what was there before is still there.
    """
    draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        with draft.open("x", encoding="utf-8", newline="\n") as stream:
            count = _write_lines(stream, lines)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(file)
    except OSError as error:
        raise HomeError(f"{file}: {error.strerror or error}: choose another place, or make room") from error
    finally:
        draft.unlink(missing_ok=True)
    return count


def _write_lines(stream: TextIO, lines: Iterable[str]) -> int:
    count = 0
    for line in lines:
        stream.write(line)
        count += 1
    return count


# Taking out -------------------------------------------------------------------------------------------
def forget_actor(home: Home, name: str, *, dry_run: bool = False) -> ForgetResponse:
    """What was removed of an actor: all its searches and outcomes, and what is known of queries that nobody else asked.

    Parameters
    ----------
    home
        Whose log.
    name
        An actor's id in the log (`ac_…`, `local`), or who it is: the user or session of an imported log, or the
        identity that a face gave it.
    dry_run
        Only count.

    Raises
    ------
    UnknownArtifact
        The log has no event of such an actor; names the nearest.
    """
    with home.store.reading() as connection:
        same = read_identities(connection)
        ids = {
            member
            for id_ in (name, *_hashed(home, name))
            for member in same.members("actor", same.resolve("actor", id_))
        }
        found = _found(connection, EVENTS.c.actor.in_(sorted(ids)) & EVENTS.c.payload.is_not(None))
        present = connection.execute(select(EVENTS.c.actor).where(EVENTS.c.actor.in_(sorted(ids))).distinct())
        actors = sorted({same.resolve("actor", str(actor)) for actor in present.scalars()})
        seq = log.last_seq(connection)
    kinds = [kind for _, kind in found]
    if dry_run and found:
        return ForgetResponse(
            dry_run=True, searches=kinds.count("search"), outcomes=kinds.count("outcome"), vectors=0, intents=0,
            event_seq=seq,
        )  # fmt: skip
    removed = [actors_of_log.forget_actor(home, actor) for actor in actors or [name]]
    with home.store.reading() as connection:
        seq = log.last_seq(connection)
    return ForgetResponse(
        dry_run=False, searches=sum(each.searches for each in removed), outcomes=sum(each.outcomes for each in removed),
        vectors=sum(each.vectors for each in removed), intents=sum(each.intents for each in removed), event_seq=seq,
    )  # fmt: skip


def _hashed(home: Home, name: str) -> Iterator[str]:
    """The ids that an identity may have in the log, under any of the home's keys."""
    for key_id, key in home.keys.items():
        yield imported_actor(name, key, key_id).id
        yield hashed_actor(name, key, key_id).id


def take_back(home: Home, batch: str, *, dry_run: bool = False) -> ForgetResponse:
    """What was removed of an import; the same log can be imported anew.

    Raises
    ------
    UnknownArtifact
        The log has no event of such an import.
    QueryError
        That is no digest of an import.
    """
    with home.store.writing() as connection:
        found = _found(connection, EVENTS.c.payload.is_not(None) & of_batch(batch))
        if not found:
            raise UnknownArtifact(batch, kind="event of an import")
        kinds = [kind for _, kind in found]
        if not dry_run:
            ids = [event for event, _ in found]
            for start in range(0, len(ids), _IN_CHUNK):
                places = OUTCOMES_ONCE.c.event.in_(ids[start : start + _IN_CHUNK])
                connection.execute(delete(OUTCOMES_ONCE).where(places))
            log.erase_events(
                connection, Tombstone(id=new_id("ts"), time_us=now_us(), erased=tuple(ids), reason=TAKEN_BACK)
            )
        return ForgetResponse(
            dry_run=dry_run, searches=kinds.count("search"), outcomes=kinds.count("outcome"), vectors=0, intents=0,
            event_seq=log.last_seq(connection),
        )  # fmt: skip


def _found(connection: Connection, condition: ColumnElement[bool]) -> list[tuple[str, str]]:
    """Id and kind of each event."""
    query = select(EVENTS.c.id, EVENTS.c.kind).where(condition).order_by(EVENTS.c.seq)
    return [(str(row.id), str(row.kind)) for row in connection.execute(query)]
