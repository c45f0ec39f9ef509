"""What needs no run: files are read, claims that they settle are recorded, and what waits for a probe is listed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Final, Self

from sqlalchemy import Connection

from graph.artifacts import Artifact
from graph.claims import Claim, Evidence
from graph.events import now_us
from graph.home import Home
from graph.store.evidence import all_evidence, append_evidence
from inference.checks import check_artifact
from inference.ground import Ground, Shelf, survey
from inference.judging.findings import unverifiable
from inference.judging.routing import Finding, Need, observation_needs, route
from inference.models.digests import FileDigests
from inference.models.locate import locate_model
from inference.sandbox.layers import switched_off
from inference.work.attempts import as_attempt
from inference.work.records import NOT_RUN_YET, History, evidence_of, observations_of_files, sealed

_BATCH: Final = 200
"""Artifacts whose records are written in one transaction."""


@dataclass(frozen=True)
class Settled:
    """An artifact's files, the claims that were settled by them, and what waits for a run (None: an observation)."""

    ground: Ground
    findings: tuple[tuple[Claim, Finding], ...]
    waiting: tuple[tuple[Claim | None, Need], ...]


@dataclass
class Surveyed:
    """What a survey came to; `unread` claims are of models that the budget did not reach."""

    settled: list[Settled] = field(default_factory=list)
    unread: list[Claim] = field(default_factory=list)
    records: int = 0


def settle(
    artifact: Artifact, trusted: frozenset[str], shelf: Shelf, digests: FileDigests, device: str = "cpu",
    without: frozenset[str] = frozenset(),
) -> Settled:  # fmt: skip
    """What is known of an artifact without running anything, and what waits for a run in a sandbox without these."""
    ground = survey(artifact, trusted, digests, without=without)
    findings: list[tuple[Claim, Finding]] = []
    waiting: list[tuple[Claim | None, Need]] = []
    checked = check_artifact(artifact)
    flags = checked.flags_by_claim()
    for claim in artifact.claims:
        routed = checked.findings.get(claim.id) or route(claim, ground, shelf, device)
        if isinstance(routed, Need):
            waiting.append((claim, routed))
        else:
            findings.append((claim, _flagged(routed, flags.get(claim.id, ()))))
    waiting += [(None, need) for need in observation_needs(ground, artifact.claims, shelf, device)]
    return Settled(ground, tuple(findings), tuple(waiting))


def _flagged(finding: Finding, flags: tuple[str, ...]) -> Finding:
    """A finding with the flags of the checks on its claim."""
    judgement = finding.judgement
    return replace(finding, judgement=replace(judgement, flags=(*judgement.flags, *flags))) if flags else finding


def settle_all(
    home: Home,
    artifacts: Sequence[Artifact],
    trusted: frozenset[str],
    shelf: Shelf,
    *,
    is_over: Callable[[], bool],
    tell: Callable[[int, Artifact], None],
    device: str = "cpu",
    keep: bool = True,
) -> Surveyed:
    """What is known of each artifact, after recording all that needs no run.

    Parameters
    ----------
    home : Home
        Where records and digests of files are kept.
    artifacts : sequence of Artifact
        Which.
    trusted : frozenset of str
        Ids and model digests that may be run.
    shelf : Shelf
        The labelled sets at hand.
    is_over : callable
        Whether the budget has ended: reading files takes time.
    tell : callable
        Hears the number and the artifact before each.
    device : str
        What models are asked to run on.
    keep : bool
        Whether records are written; a plan writes none.
    """
    found = Surveyed()
    without = switched_off(home.settings.sandbox)
    digests = FileDigests(home.path / "digests.json")
    with contextlib.ExitStack() as stack:
        stack.callback(digests.save)
        writer = stack.enter_context(_Writer(home))
        for number, artifact in enumerate(artifacts):
            tell(number, artifact)
            if is_over() and locate_model(artifact.weights).path is not None:
                found.unread += artifact.claims
                continue
            settled = settle(artifact, trusted, shelf, digests, device, without)
            found.settled.append(settled)
            if keep:
                writer.add(artifact.id, _records(settled))
    found.records = writer.written
    return found


def _records(settled: Settled) -> list[Evidence]:
    now = now_us()
    claims = [evidence_of(claim, finding, settled.ground, None, now) for claim, finding in settled.findings]
    changed = unverifiable(NOT_RUN_YET, "the model's files have changed, and nothing was run on these yet")
    waiting = [claim for claim, _ in settled.waiting if claim is not None]
    outdated = [evidence_of(claim, changed, settled.ground, None, now) for claim in waiting]
    return [*observations_of_files(settled.ground, now), *claims, *outdated]


def news(connection: Connection, artifact: str, records: Iterable[Evidence]) -> list[Evidence]:
    """The records that say something new about an artifact, sealed, in order.

    In the transaction that appends them, so that two processes never append the same. An attempt that comes out as the
    opposite of the one that decides is followed by a record that leaves the claim open.
    """
    earlier = list(all_evidence(connection, artifact))
    history, found = History(earlier), list[Evidence]()
    for record in records:
        if history.is_news(record):
            history.add(record)
            about = [other for other in (*earlier, *found) if other.claim == record.claim]
            found += [sealed(record)] if record.claim is None else as_attempt(record, about)
    return found


class _Writer:
    """Appends records in batches, and what is left when it is closed, also after an interruption."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._pending: list[tuple[str, list[Evidence]]] = []
        self.written = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._flush()

    def add(self, artifact: str, records: list[Evidence]) -> None:
        """Keep an artifact's records for the next batch."""
        self._pending.append((artifact, records))
        if len(self._pending) >= _BATCH:
            self._flush()

    def _flush(self) -> None:
        if not self._pending:
            return
        with self._home.store.writing() as connection:
            fresh = [record for artifact, records in self._pending for record in news(connection, artifact, records)]
            append_evidence(connection, fresh)
        self.written += len(fresh)
        self._pending = []
