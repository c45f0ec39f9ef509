"""What is known of artifacts, read from the store in one place for every face: verdicts, runs, why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from sqlalchemy import Connection

from graph.artifacts import Artifact
from graph.attempts import Present, stale_reasons
from graph.claims import Claim, ClaimReport, Evidence, report_claim
from graph.responses import VerdictCounts
from graph.store import catalogue
from graph.store.database import Database
from graph.store.evidence import artifacts_with_evidence, deciding_evidence, ever_verified, observations
from graph.store.stamp import Stamp
from inference.work.present import present
from search.query.fields import Candidate

DECIDED: Final = ("verified", "refuted")
STALE: Final = "stale"
"""Flag of a claim whose evidence was made with other files, or another version of a probe or a library."""


@dataclass(frozen=True)
class ArtifactFacts:
    """An artifact with its claims and the evidence that decides each."""

    artifact: Artifact
    claims: tuple[ClaimReport, ...]
    said: dict[str, str] = field(default_factory=dict, compare=False, repr=False)
    """What was said of each capability before: it follows from the rest."""

    @cached_property
    def verdicts(self) -> VerdictCounts:
        """How many claims stand at each verdict."""
        counts = dict.fromkeys(VerdictCounts.model_fields, 0)
        for claim in self.claims:
            counts[claim.verdict or "claimed"] += 1
        return VerdictCounts(**counts)

    def runs(self, capability: str | None) -> ClaimReport | None:
        """The `runs` claim of a capability, or None where it has none."""
        return next((c for c in self.claims if c.metric == "runs" and c.capability == capability), None)

    @property
    def refuted_claims(self) -> tuple[ClaimReport, ...]:
        """Claims that are refuted."""
        return tuple(claim for claim in self.claims if claim.verdict == "refuted")

    def is_verified(self, capability: str) -> bool:
        """Whether a capability is verified: runs at tier artifact, and none of its claims refuted."""
        runs = self.runs(capability)
        own = [claim for claim in self.refuted_claims if claim.capability in (None, capability)]
        return runs is not None and runs.verdict == "verified" and runs.tier == "artifact" and not own


def read_facts(connection: Connection, artifacts: Sequence[Artifact]) -> dict[str, ArtifactFacts]:
    """Facts of artifacts by id; a claim whose evidence is stale has the flag `stale`."""
    now, found = present(), {}
    claims: dict[str, list[Claim]] = {}
    for claim in catalogue.stated_claims_of(connection, [artifact.id for artifact in artifacts]):
        claims.setdefault(claim.artifact, []).append(claim)
    with_evidence = artifacts_with_evidence(connection, [artifact.id for artifact in artifacts])
    for artifact in artifacts:
        deciding = deciding_evidence(connection, artifact.id) if artifact.id in with_evidence else {}
        digest = _newest_digest(deciding)
        found[artifact.id] = ArtifactFacts(
            artifact,
            tuple(_report(claim, deciding.get(claim.id), now, digest) for claim in claims.get(artifact.id, ())),
        )
    return found


class FactsCache:
    """Facts by artifact id, as long as neither catalogue nor evidence changes."""

    def __init__(self) -> None:
        self._stamp: tuple[str | None, int] | None = None
        self._facts: dict[str, ArtifactFacts] = {}
        self._verified: set[str] = set()
        self._looked_at = 0

    def read(self, store: Database, stamp: Stamp, artifacts: Sequence[Artifact]) -> dict[str, ArtifactFacts]:
        """Facts of artifacts by id, at a stamp or later."""
        self._begin(stamp)
        missing = [artifact for artifact in artifacts if artifact.id not in self._facts]
        if missing:
            with store.reading(folded=False) as connection:
                self._facts |= read_facts(connection, missing)
        return {artifact.id: self._facts[artifact.id] for artifact in artifacts}

    def is_verified(self, connection: Connection, stamp: Stamp, artifact: str, capability: str) -> bool:
        """Whether a capability of an artifact is verified, at a stamp; cheap for the many of which nothing ever was."""
        self._begin(stamp)
        if stamp.evidence != self._looked_at:
            self._verified |= ever_verified(connection, min(self._looked_at, stamp.evidence))
            self._looked_at = stamp.evidence
        if artifact not in self._verified:
            return False
        if artifact not in self._facts:
            self._facts |= read_facts(connection, list(catalogue.artifacts_by_id(connection, [artifact]).values()))
        return artifact in self._facts and self._facts[artifact].is_verified(capability)

    def _begin(self, stamp: Stamp) -> None:
        if self._stamp != (stamp.catalogue, stamp.evidence):
            self._stamp, self._facts = (stamp.catalogue, stamp.evidence), {}


class Candidates:
    """Artifacts as conditions see them, on one connection: verdicts and observations are read where one asks."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._with_evidence: frozenset[str] | None = None

    def of(self, artifact: Artifact) -> Candidate:
        """An artifact to be judged."""
        return Candidate(artifact, self._reports(artifact), self._observed)

    def _has_evidence(self, artifact: str) -> bool:
        """Whether anything was recorded about an artifact."""
        if self._with_evidence is None:
            self._with_evidence = artifacts_with_evidence(self._connection)
        return artifact in self._with_evidence

    def _reports(self, artifact: Artifact) -> Callable[[str], Sequence[ClaimReport]]:
        def read(_: str) -> Sequence[ClaimReport]:
            if not self._has_evidence(artifact.id):
                return [report_claim(claim, None) for claim in artifact.claims]
            return read_facts(self._connection, [artifact])[artifact.id].claims

        return read

    def _observed(self, artifact: str) -> Sequence[Evidence]:
        return observations(self._connection, artifact) if self._has_evidence(artifact) else ()


def _report(claim: Claim, record: Evidence | None, now: Present, digest: str | None) -> ClaimReport:
    report = report_claim(claim, record)
    if record is None or not stale_reasons(record, now, digest):
        return report
    return report.model_copy(update={"flags": tuple(sorted({*report.flags, STALE}))})


def _newest_digest(deciding: Mapping[str, Evidence]) -> str | None:
    """The digest of the model's files when something was last found out about them."""
    known = [record for record in deciding.values() if record.model is not None]
    newest = max(known, key=lambda record: (record.time_us, record.id), default=None)
    return newest.model.digest if newest is not None and newest.model is not None else None


def verdict_words(claim: ClaimReport | None) -> str | None:
    """A verdict with its tier, as every face shows it: "verified (artifact)"; None without a claim."""
    if claim is None:
        return None
    if claim.verdict is None:
        return "claimed"
    detail = claim.tier if claim.verdict in DECIDED else claim.reason_code or claim.tier
    return f"{claim.verdict} ({detail})" if detail else str(claim.verdict)
