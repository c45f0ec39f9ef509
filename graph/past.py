"""What was known at an earlier moment, so that ranks of then can be computed as they were."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from graph.artifacts import Artifact, Signals, Weights
from graph.claims import Claim, Evidence
from graph.events import CatalogueEvent
from graph.match_graph import Fold
from graph.ranks.score_inputs import (
    Known,
    ScoreInput,
    decided_claims,
    join_inputs,
    newest_evidence,
    shared_capabilities,
)
from graph.store.bulk_fold import read_payload
from graph.store.catalogue import artifacts_by_id, claims_of
from graph.store.evidence import all_evidence, deciding_among
from graph.store.log import is_throw_away, read_events, read_votes
from graph.store.tables import ARTIFACTS, EVENTS
from graph.walks import walk_votes

_ENTRY = ("artifact_added", "artifact_changed", "artifact_removed")


@dataclass(frozen=True)
class Past:
    """The records of a home that scores follow from, each with its time; read once, for any number of moments.

    An entry of the catalogue is what the newest `artifact_added` or `artifact_changed` until then says; what events of
    older versions do not say is taken from today's entry. Merges hold for all times.
    """

    fold: Fold
    catalogue: Sequence[CatalogueEvent]
    evidence: Sequence[Evidence]
    artifacts: Mapping[str, Artifact]
    claims: Sequence[Claim]

    def inputs(self, as_of_us: int, known_us: int | None = None) -> list[ScoreInput]:
        """The score inputs of all artifacts of a moment, sorted by id.

        Times matched of a past moment are 1 or 0: scores depend on nothing else of them.

        Parameters
        ----------
        as_of_us : int
            The moment at which outcomes are weighed.
        known_us : int or None
            What had happened by then is known; default `as_of_us`.
        """
        until = as_of_us if known_us is None else known_us
        fold = _until(self.fold, until)
        return join_inputs(self.known(until), walk_votes(fold, as_of_us), fold.times)

    def known(self, until_us: int) -> Known:
        """Entries, decided claims, newest evidence and shared capabilities as they were at a moment."""
        events = [event for event in self.catalogue if event.time_us <= until_us]
        entries, stated = self._entries(events)
        evidence = [record for record in self.evidence if record.time_us <= until_us]
        claims = [c for c in self.claims if c.artifact in entries and c.id in stated.get(c.artifact, (c.id,))]
        artifacts = [entries[id_] for id_ in sorted(entries)]
        shared = shared_capabilities(_assigned(events), artifacts, self.fold.same.survivors("capability"))
        return Known(artifacts, decided_claims(claims, deciding_among(evidence)), newest_evidence(evidence), shared)

    def _entries(self, events: Iterable[CatalogueEvent]) -> tuple[dict[str, Artifact], dict[str, frozenset[str]]]:
        """Entries by artifact id, and the claims that each stated, where events say so."""
        entries: dict[str, Artifact] = {}
        stated: dict[str, frozenset[str]] = {}
        for event in events:
            today = self.artifacts.get(event.subject)
            if event.action == "artifact_removed" or event.action == "artifact_merged":
                entries.pop(event.subject, None)
            elif event.action in _ENTRY and today is not None:
                entries[event.subject] = _as_said(today, event.detail)
                if "claims" in event.detail:
                    stated[event.subject] = frozenset(event.detail["claims"])
        return entries, stated


def read_past(connection: Connection) -> Past:
    """The past of a home."""
    events = [event for event in read_events(connection, kind="catalogue") if isinstance(event, CatalogueEvent)]
    ids = [str(row.id) for row in connection.execute(select(ARTIFACTS.c.id))]
    return Past(
        read_votes(connection), sorted(events, key=lambda event: (event.time_us, event.id)),
        list(all_evidence(connection)), artifacts_by_id(connection, ids), claims_of(connection),
    )  # fmt: skip


def times_matched_until(connection: Connection, artifact: str, until_us: int) -> int:
    """Times matched of one artifact at a moment, counted in the log."""
    count_synthetic, found = is_throw_away(connection), 0
    pages = select(EVENTS.c.payload).where(
        EVENTS.c.kind == "search", EVENTS.c.time_us <= until_us, EVENTS.c.payload.is_not(None),
        EVENTS.c.payload.contains(json.dumps(artifact, ensure_ascii=False), autoescape=True),
    )  # fmt: skip
    for row in connection.execute(pages.execution_options(yield_per=1_000)):
        page = read_payload(row.payload)
        if not page.abstained and (count_synthetic or not page.synthetic):
            found += any(result.artifact == artifact and not result.repeat for result in page.results)
    return found


def _until(fold: Fold, until_us: int) -> Fold:
    """What scores need of a fold, without what came later."""
    kept = Fold(same=fold.same)
    for vote in fold.outcomes.values():
        if vote.time_us <= until_us:
            kept.add_vote(vote)
    kept.times.update({artifact: 1 for artifact, first in fold.first_us.items() if first <= until_us})
    return kept


def _as_said(today: Artifact, said: Mapping[str, Any]) -> Artifact:
    """An entry as an event says it was."""
    plain = ("type", "released", "formats", "library", "base_model", "has_card", "slug")
    changed: dict[str, Any] = {name: said[name] for name in plain if name in said}
    if "signals" in said:
        changed["signals"] = Signals(**said["signals"])
    if "has_files" in said:
        changed["weights"] = Weights(path="then" if said["has_files"] else None)
    return today.model_copy(update=changed)


def _assigned(events: Iterable[CatalogueEvent]) -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    for event in events:
        place = (event.subject, str(event.detail.get("capability", "")))
        if event.action == "capability_assigned" and event.object is not None:
            found[place] = event.object
        elif event.action == "capability_unassigned":
            found.pop(place, None)
    return found
