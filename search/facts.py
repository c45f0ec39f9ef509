"""What is known of artifacts, read from the store in one place for every face: verdicts, runs, why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from graph.artifacts import Artifact
from graph.claims import ClaimReport, report_claim
from graph.responses import VerdictCounts
from graph.store import catalogue
from graph.store.evidence import deciding_evidence

DECIDED: Final = ("verified", "refuted")


@dataclass(frozen=True)
class ArtifactFacts:
    """An artifact with its claims and the evidence that decides each."""

    artifact: Artifact
    claims: tuple[ClaimReport, ...]

    @property
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
    """Facts of artifacts by id."""
    found = {}
    for artifact in artifacts:
        deciding = deciding_evidence(connection, artifact.id)
        claims = catalogue.stated_claims(connection, artifact.id)
        found[artifact.id] = ArtifactFacts(artifact, tuple(report_claim(c, deciding.get(c.id)) for c in claims))
    return found


def verdict_words(claim: ClaimReport | None) -> str | None:
    """A verdict with its tier, as every face shows it: "verified (artifact)"; None without a claim."""
    if claim is None:
        return None
    if claim.verdict is None:
        return "claimed"
    detail = claim.tier if claim.verdict in DECIDED else claim.reason_code or claim.tier
    return f"{claim.verdict} ({detail})" if detail else str(claim.verdict)
