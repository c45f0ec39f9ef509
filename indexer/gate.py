"""The gate: which capabilities enter the index under a policy, and which claims' sentences stay out of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from graph.artifacts import Artifact, Capability
from graph.claims import Claim, Evidence
from graph.policy import Policy, objections, standings_of
from indexer.decompose import refuted_claims
from indexer.sentences import holding

NO_CAPABILITIES: Final = "no capabilities: nothing to search for; add one, or point `weights` at the model's files"


@dataclass(frozen=True)
class Refused:
    """What the gate kept out: a capability, a sentence of one (by field and number), or a whole artifact."""

    artifact: str
    capability: str | None
    what: str
    reason: str


@dataclass(frozen=True)
class Admission:
    """What the gate decided: (artifact, capability) pairs let in, refuted claims by artifact, what was kept out."""

    admitted: frozenset[tuple[str, str]]
    refuted: dict[str, frozenset[str]]
    refused: tuple[Refused, ...]


def refuted_by_artifact(artifacts: Sequence[Artifact], evidence: Mapping[str, Evidence]) -> dict[str, frozenset[str]]:
    """Ids of the refuted claims of each artifact that has any."""
    found = {
        artifact.id: frozenset(
            claim.id for claim in artifact.claims if claim.id in evidence and evidence[claim.id].verdict == "refuted"
        )
        for artifact in artifacts
    }
    return {artifact: claims for artifact, claims in found.items() if claims}


def admit(artifacts: Sequence[Artifact], evidence: Mapping[str, Evidence], policy: Policy, as_of_us: int) -> Admission:
    """What enters the index.

    Parameters
    ----------
    artifacts
        The catalogue, sorted by id.
    evidence
        Deciding evidence by claim id.
    policy
        The rules.
    as_of_us
        The time of judging, microseconds since 1970 UTC.
    """
    refuted = refuted_by_artifact(artifacts, evidence)
    admitted: set[tuple[str, str]] = set()
    refused: list[Refused] = []
    for artifact in artifacts:
        if not artifact.capabilities:
            refused.append(Refused(artifact.id, None, "artifact", NO_CAPABILITIES))
        for capability in artifact.capabilities:
            standings = standings_of(artifact, capability.id, evidence)
            against = objections(policy, artifact, capability.id, standings, as_of_us)
            refused += [Refused(artifact.id, capability.id, "capability", objection.reason) for objection in against]
            if not against:
                admitted.add((artifact.id, capability.id))
                claims = refuted_claims(artifact, refuted.get(artifact.id, ()))
                refused += _refused_sentences(artifact, capability, claims)
    return Admission(frozenset(admitted), refuted, tuple(refused))


def _refused_sentences(artifact: Artifact, capability: Capability, refuted: Sequence[Claim]) -> list[Refused]:
    """Which sentences refuted claims take out of the searched and quoted fields, named by field, never repeated."""
    fields = [
        ("artifact.name", artifact.name),
        ("name", capability.name),
        ("domain", capability.domain or ""),
        ("functionality", capability.functionality or ""),
        ("description", capability.description),
        ("unique", capability.unique or ""),
        ("vs_alternatives", capability.vs_alternatives or ""),
        *((f"intents_served[{number}]", intent) for number, intent in enumerate(capability.intents_served)),
        *((f"conditions.best_for[{number}]", text) for number, text in enumerate(capability.conditions.best_for)),
    ]
    for number, wording in enumerate(capability.wordings):
        own = (wording.name, wording.domain or "", wording.functionality or "", wording.description)
        fields += [(f"wordings[{number}]", text) for text in own]
    return [
        Refused(artifact.id, capability.id, f"{field}, sentence {number + 1}", f"holds refuted claim {claim.id}")
        for claim in refuted
        for field, text in fields
        for number in holding(text, claim)
    ]
