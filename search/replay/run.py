"""Importing a directory's own log: read, gather, give meaning, write, report."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from graph.digest import file_digest
from graph.errors import QueryError, SourceError
from graph.event_responses import ImportResponse
from graph.events import now_us
from graph.home import Home
from graph.store import catalogue, log
from graph.store.packed_votes import pack_when_crowded
from graph.work_responses import Problem
from indexer.progress import OnProgress, Progress, silent
from search.replay.columns import Columns
from search.replay.entries import LogEntry, Skipped, read_entry, read_event_words
from search.replay.fields import Reading
from search.replay.identity import ImportedIds, earlier_searches, read_taken_back
from search.replay.lines import read_rows
from search.replay.meaning import Deliveries, Intents, query_vectors
from search.replay.names import ArtifactNames, read_names
from search.replay.sessions import gather
from search.replay.tally import Tally
from search.replay.writing import Meaning, Writer, plan

if TYPE_CHECKING:
    from inference.embedder import Encoder

DEFAULT_TRUST: Final = 0.5
"""What an imported outcome weighs against one with a token, unless `--trust` says otherwise."""
_NAMES_SHOWN: Final = 20
_TELL_EVERY: Final = 1_000


@dataclass(frozen=True)
class ImportOptions:
    """How a log is read and what its outcomes weigh.

    Attributes
    ----------
    columns : sequence of str
        FIELD=COLUMN; see `columns.FIELDS`.
    events : sequence of str
        WORD=KIND; see `entries.EVENT_WORDS`.
    trust : float
        0 to 1: the weight of an imported outcome against one with a token.
    zone : str
        IANA name of the time zone of times that name none.
    time_format : str or None
        `strptime` format of the times.
    first_position : int
        0 or 1.
    dry_run : bool
        Nothing is written, and nothing encoded.
    """

    columns: Sequence[str] = ()
    events: Sequence[str] = ()
    trust: float = DEFAULT_TRUST
    zone: str = "UTC"
    time_format: str | None = None
    first_position: int = 1
    dry_run: bool = False


def import_events(
    home: Home,
    paths: Sequence[Path],
    options: ImportOptions,
    encoder: Encoder | None = None,
    on_progress: OnProgress = silent,
) -> ImportResponse:
    """What an import of these files, read as one log, wrote and passed over; what is imported already stays as it is.

    The encoder is opened where none is given and something is to be written.

    Raises
    ------
    QueryError
        An option is wrong.
    SourceError
        A file as a whole cannot be read, or no row of any is accepted.
    """
    reading, columns, tally = _reading(options), Columns(options.columns), Tally()
    batch = _batch(paths)
    with home.store.reading() as connection:
        ids = ImportedIds(home, read_taken_back(connection))
        names = read_names(connection)
        entries = _read(paths, columns, names, reading, tally, on_progress)
        earlier = earlier_searches(connection, ids, entries)
    planned = plan(gather(entries, earlier), ids)
    meaning = None if options.dry_run else _meaning(home, entries, options.trust, batch, encoder, on_progress)
    writer = Writer(home, ids, meaning, tally)
    writer.write(planned, lambda done: on_progress(Progress("write", done, len(planned))))
    if not options.dry_run:
        pack_when_crowded(home.store)
    return _report(home, paths, options, batch, columns, tally, writer, entries, meaning)


def _reading(options: ImportOptions) -> Reading:
    if not 0.0 <= options.trust <= 1.0:
        raise QueryError(f"--trust {options.trust:g}: give 0 (counts nothing) to 1 (as an outcome with a token)")
    if options.first_position not in (0, 1):
        raise QueryError(f"--first-position {options.first_position}: give 0 or 1")
    return Reading(
        now_us(), read_event_words(options.events), _zone(options.zone), options.time_format, options.first_position
    )


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError) as error:
        raise QueryError(f"--zone {name[:60]!r}: give an IANA name such as Europe/Berlin") from error


def _batch(paths: Sequence[Path]) -> str:
    """The digest of an import: of its file, or of its files' digests."""
    digests = []
    for path in paths:
        try:
            digests.append(file_digest(path))
        except OSError as error:
            raise SourceError(f"{error.strerror or error}: give a readable log", file=str(path)) from error
    return digests[0] if len(digests) == 1 else hashlib.sha256("\n".join(digests).encode("ascii")).hexdigest()


def _read(
    paths: Sequence[Path], columns: Columns, names: ArtifactNames, reading: Reading, tally: Tally, tell: OnProgress
) -> list[LogEntry]:
    """What the rows of all files say; rows that are the same in every way, of a known actor, are one."""
    entries: list[LogEntry] = []
    seen: set[int] = set()
    for path in paths:
        tally.open(path)
        for line, fields in read_rows(path):
            row = tally.add(line)
            if row % _TELL_EVERY == 0:
                tell(Progress("read", row))
            if isinstance(fields, SourceError):
                tally.reject(fields)
                continue
            try:
                entry = read_entry(columns.read(fields), names, reading, (str(path), line, row))
            except Skipped as skipped:
                tally.skip([row], skipped.reason)
            except SourceError as error:
                tally.reject(error)
            else:
                same = hash(replace(entry, row=0))
                if same in seen and (entry.actor or entry.event):
                    tally.skip([row], "duplicate")
                else:
                    seen.add(same)
                    entries.append(entry)
                    tally.unknown(row, entry.unknown)
    return entries


def _meaning(
    home: Home, entries: Sequence[LogEntry], trust: float, batch: str, encoder: Encoder | None, tell: OnProgress
) -> Meaning:
    texts = {entry.query for entry in entries if entry.query}
    if encoder is None:
        from inference.embedder import open_encoder

        chosen = home.settings
        encoder = open_encoder(chosen.encoder, threads=chosen.threads, home=home.path, runtime=chosen.encoder_runtime)
    vectors = query_vectors(home, encoder, texts, lambda done: tell(Progress("encode queries", done, len(texts))))
    with home.store.reading() as connection:
        deliveries = Deliveries(connection, encoder.info.digest, vectors)
    return Meaning(Intents(encoder.info.digest, vectors), deliveries, trust, batch)


def _report(
    home: Home, paths: Sequence[Path], options: ImportOptions, batch: str, columns: Columns, tally: Tally,
    writer: Writer, entries: Sequence[LogEntry], meaning: Meaning | None,
) -> ImportResponse:  # fmt: skip
    written = writer.written
    with home.store.reading() as connection:
        unknown = tuple(
            name.model_copy(update={"suggestions": tuple(catalogue.suggest_artifacts(connection, name.name))})
            for name in tally.unknown_names(_NAMES_SHOWN)
        )
        seq = log.last_seq(connection)
    return ImportResponse(
        files=tuple(map(str, paths)), dry_run=options.dry_run, batch=batch, trust=options.trust,
        rows=tally.rows, accepted=tally.accepted, skipped=tally.skipped(),
        rejected=dict(sorted(tally.rejected.items())),
        problems=tuple(Problem(what=p.what, file=p.file, line=p.line, code=p.code) for p in tally.problems),
        unknown_results=tally.unknown_results, unknown_names=unknown,
        searches=written.searches, pages=written.pages, implied=written.implied,
        outcomes=dict(sorted(written.outcomes.items())), alone=written.alone, actors=len(written.actors),
        intents=len(written.intents) if meaning else None, new_intents=written.new_intents if meaning else None,
        first_us=written.first_us, last_us=written.last_us,
        backwards=sum(b.time_us < a.time_us for a, b in pairwise(entries)),
        columns=columns.used, unused_columns=columns.unused, notes=_notes(columns, meaning), event_seq=seq,
    )  # fmt: skip


def _notes(columns: Columns, meaning: Meaning | None) -> tuple[str, ...]:
    """What somebody who imports this should know."""
    notes = [f"no row has the column {column!r} that --map names" for column in columns.missing]
    if "actor" not in columns.used and columns.used:
        notes.append("no column names actors: all rows are one anonymous actor; name it with --map actor=COLUMN")
    if meaning is not None and not meaning.deliveries.are_known:
        notes.append("nothing is built yet: these outcomes speak for no capability; build first, then import")
    return tuple(notes)
