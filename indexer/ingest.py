"""Reading sources into the catalogue, batch by batch: Ctrl-C loses nothing that was read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from sqlalchemy import Connection

from graph.artifacts import Artifact
from graph.errors import SourceError
from graph.events import CatalogueEvent, new_id, now_us
from graph.home import Home
from graph.ranks.score_inputs import score_facts
from graph.store.catalogue import Saved, save_artifacts
from graph.store.log import append_events
from indexer.claims import with_claims, with_implied_claims
from indexer.progress import OnProgress, Progress, silent
from indexer.sources import Entry, read_source

SAVE_BATCH: Final = 200
"""Artifacts saved in one transaction."""
MOST_PREVIEWED: Final = 3
"""Artifacts that a dry run shows."""


@dataclass(frozen=True)
class IngestReport:
    """What an ingest found.

    accepted + rejected + passed_over = found = the sum of `inventory`; added + changed + unchanged = accepted, and are
    0 in a dry run, whose first artifacts are in `preview`.
    `passed_over` counts what is no artifact and no mistake (a cached data set); `left_out` are parts of accepted
    artifacts that were rejected (a capability, a claim).
    """

    found: int
    accepted: int
    added: int
    changed: int
    unchanged: int
    rejected: tuple[SourceError, ...]
    passed_over: int
    left_out: tuple[SourceError, ...]
    warnings: tuple[str, ...]
    inventory: dict[str, int]
    size_bytes: int
    preview: tuple[Artifact, ...] = ()


def ingest(
    home: Home | None,
    paths: Sequence[Path],
    *,
    kind: str | None = None,
    mapping: Mapping[str, str] | None = None,
    on_progress: OnProgress = silent,
) -> IngestReport:
    """Read sources into the catalogue; what this found, adding up.

    Parameters
    ----------
    home
        Whose catalogue; None reads and stores nothing, a dry run.
    paths
        Files and folders.
    kind
        Kind of all of them; None detects each.
    mapping
        Column by field of a catalogue's fields.
    on_progress
        Hears after every thing found.
    """
    tally = _Tally(home, on_progress)
    try:
        for path in paths:
            for entry in _entries(path, kind, mapping):
                tally.take(entry)
    finally:  # also on Ctrl-C: what was read is kept
        tally.save()
    return tally.report()


class _Tally:
    """Counts entries and saves their artifacts in batches."""

    def __init__(self, home: Home | None, on_progress: OnProgress) -> None:
        self._home, self._on_progress = home, on_progress
        self._waiting: dict[str, Artifact] = {}
        self._preview: list[Artifact] = []
        self._saved: Counter[str] = Counter()
        self._inventory: Counter[str] = Counter()
        self._rejected: list[SourceError] = []
        self._left_out: list[SourceError] = []
        self._warnings: list[str] = []
        self._places: dict[str, str] = {}
        self._size_bytes = 0
        self._accepted = 0

    def take(self, entry: Entry) -> None:
        self._inventory[entry.bucket] += 1
        self._size_bytes += entry.size_bytes
        self._warnings += entry.warnings
        self._left_out += entry.left_out
        if entry.problem is not None:
            self._rejected.append(entry.problem)
        elif entry.artifact is not None:
            self._accepted += 1
            self._note_repeat(entry.artifact)
            if entry.artifact.id in self._waiting or len(self._waiting) >= SAVE_BATCH:
                self.save()
            stated = with_claims(entry.artifact, entry.passages)
            self._waiting[entry.artifact.id] = with_implied_claims(stated)
        self._on_progress(Progress("ingest", self._inventory.total()))

    def save(self) -> None:
        batch, self._waiting = list(self._waiting.values()), {}
        if self._home is None:
            self._preview += batch[: MOST_PREVIEWED - len(self._preview)]
        if not batch or self._home is None:
            return
        with self._home.store.writing() as connection:
            saved = save_artifacts(connection, batch)
            _tell_changes(connection, batch, saved)
        self._saved.update(added=len(saved.added), changed=len(saved.changed), unchanged=len(saved.unchanged))

    def report(self) -> IngestReport:
        found = self._inventory.total()
        return IngestReport(
            found=found, accepted=self._accepted, added=self._saved["added"], changed=self._saved["changed"],
            unchanged=self._saved["unchanged"], rejected=tuple(self._rejected),
            passed_over=found - self._accepted - len(self._rejected), left_out=tuple(self._left_out),
            warnings=tuple(self._warnings), inventory=dict(sorted(self._inventory.items())),
            size_bytes=self._size_bytes, preview=tuple(self._preview),
        )  # fmt: skip

    def _note_repeat(self, artifact: Artifact) -> None:
        line = f":{artifact.source.line}" if artifact.source.line is not None else ""
        place = f"{artifact.source.file}{line}"
        before = self._places.setdefault(artifact.id, place)
        if before != place:
            self._warnings.append(f"{place}: {artifact.id} was given before in {before}: the later one counts")
            self._places[artifact.id] = place


def _entries(path: Path, kind: str | None, mapping: Mapping[str, str] | None) -> Iterable[Entry]:
    """The entries of a source; a source that cannot be read at all is one rejected entry."""
    try:
        yield from read_source(path, kind, mapping=mapping)
    except SourceError as error:
        yield Entry(artifact=None, bucket="rejected", size_bytes=0, problem=error, warnings=())


def _tell_changes(connection: Connection, batch: Sequence[Artifact], saved: Saved) -> None:
    """Write what was added or changed into the log, with what ranks depend on, so that history can be explained."""
    time_us, by_id = now_us(), {artifact.id: artifact for artifact in batch}
    changes: list[tuple[Literal["artifact_added", "artifact_changed"], Artifact]] = [
        *(("artifact_added", by_id[artifact]) for artifact in saved.added),
        *(("artifact_changed", by_id[artifact]) for artifact in saved.changed),
    ]
    events = [
        CatalogueEvent(
            id=new_id("ce"), time_us=time_us, action=action, subject=artifact.id,
            detail={"name": artifact.name, **score_facts(artifact)},
        )
        for action, artifact in changes
    ]  # fmt: skip
    if events:
        append_events(connection, events)
