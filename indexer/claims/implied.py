"""Claims that nobody writes down but everybody makes: that a model does its task."""

from __future__ import annotations

from typing import Final

from graph.artifacts import Artifact, Capability
from graph.claims import Claim, Scope, claim_id

RUNNABLE_TYPES: Final = ("model", "finetune")


def implied_claims(artifact: Artifact) -> tuple[Claim, ...]:
    """One `runs:<task>` claim per capability of a model or finetune, in their order; none for other types.

    Its subject is the local capability id, its task stands in `conditions.note`, and it has no value: "works" is a
    threshold declared before running.
    """
    if artifact.type not in RUNNABLE_TYPES:
        return ()
    return tuple(_runs(artifact.id, capability) for capability in artifact.capabilities)


def with_implied_claims(artifact: Artifact) -> Artifact:
    """The artifact with its implied claims after its own, each id once."""
    known = {claim.id for claim in artifact.claims}
    added = tuple(claim for claim in implied_claims(artifact) if claim.id not in known)
    return artifact.model_copy(update={"claims": (*artifact.claims, *added)}) if added else artifact


def _runs(artifact: str, capability: Capability) -> Claim:
    scope = Scope(note=capability.task)
    return Claim(
        id=claim_id(artifact, capability.id, "runs", ">=", None, "none", scope),
        artifact=artifact, capability=capability.id, subject=capability.id, metric="runs", comparator=">=",
        conditions=scope,
    )  # fmt: skip
