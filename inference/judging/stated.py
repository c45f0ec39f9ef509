"""What a claim's own words settle, whatever is at hand: opinions, other artifacts, what is missing, arithmetic."""

from __future__ import annotations

from typing import Final

from graph.claims import Claim
from graph.metrics import METRICS
from inference.checks.ratios import largest_ratio, may_reach
from inference.ground import Ground
from inference.judging.findings import ARITHMETIC, ARITHMETIC_VERSION, Finding, unverifiable
from inference.judging.scopes import named_device, several_steps, stated_scope
from inference.verdicts.rules import Judgement

NOT_RUNNABLE: Final = frozenset({"price", "license_allows", "api_exists", "tool_listed"})
"""No model decides these."""
SECONDS: Final = frozenset({"latency_s", "throughput"})
"""Numbers of one machine: "a CPU" does not say which."""
TIMED: Final = SECONDS | {"speedup", "memory_bytes", "memory_ratio"}
RATIOS: Final = frozenset({"speedup", "memory_ratio", "size_ratio"})
ON_A_SET: Final = frozenset({"accuracy", "f1", "perplexity", "loss_points", "loss_relative"})
"""Numbers that mean nothing without the set they were taken on."""
_WITHOUT_VALUE: Final = frozenset({"runs", "loads", "exports", "fine_tunes"})


def as_stated(claim: Claim, ground: Ground) -> Finding | None:
    """The verdict that the claim's own words bring with them; None where it has to be looked into."""
    metric = METRICS.get(claim.metric)
    if metric is None or "opinion" in claim.flags:
        return unverifiable("not_falsifiable", "an opinion: no measurement could show it wrong")
    if "other_artifact" in claim.flags or not is_own(claim, ground):
        return unverifiable("other_artifact", f"it is about {claim.subject or 'another artifact'}")
    if claim.metric in NOT_RUNNABLE:
        return unverifiable("not_runnable", f"{metric.meaning}: nothing to run")
    if claim.metric not in _WITHOUT_VALUE and not isinstance(claim.value, int | float):
        return unverifiable("underspecified", "it states no number")
    if claim.metric == "size_ratio" and (refuted := _beyond_arithmetic(claim, ground)):
        return refuted
    device = named_device(claim.conditions)
    if claim.metric in TIMED and device is None:
        return unverifiable("underspecified", "it does not say on which device")
    if claim.metric in SECONDS and device is not None and device.startswith("cpu"):
        return unverifiable("underspecified", "it does not say on which device: a CPU may be any")
    if claim.metric in RATIOS and not _says_against_what(claim):
        return unverifiable("underspecified", "it does not say what was changed: batch, number format or runtime")
    steps = several_steps(claim.conditions) if claim.metric != "steps" else None
    if steps is not None:
        return unverifiable("underspecified", f"{steps} are several numbers: it does not say at which one")
    if claim.metric in ON_A_SET and not claim.conditions.dataset:
        return unverifiable("underspecified", "it does not say on which labelled set")
    return None


def _says_against_what(claim: Claim) -> bool:
    stated = stated_scope(claim)
    return bool(stated.batch_size or stated.precision or stated.runtime or stated.reference)


def is_own(claim: Claim, ground: Ground) -> bool:
    """Whether a claim is about this artifact or one of its capabilities."""
    artifact = ground.artifact
    capabilities = (capability.id for capability in artifact.capabilities)
    return claim.subject in {artifact.id, artifact.slug, artifact.name, "", *capabilities}


def _beyond_arithmetic(claim: Claim, ground: Ground) -> Finding | None:
    """The refutation of a size ratio that no change of the number format can give: 32 bits to 8 are 4 times less.

    The format before is the one that the claim names, else that of the files, else float32.
    """
    at_hand = ground.facts.dtype if ground.facts is not None else None
    bound = largest_ratio(claim, ground.artifact, (at_hand or "float32").lower())
    if bound is None or not isinstance(claim.value, int | float) or may_reach(claim, bound[0]):
        return None
    judgement = Judgement("refuted", None, f"{bound[1]}, claimed {claim.value:g}")
    return Finding(judgement, float(bound[0]), "text", ARITHMETIC, ARITHMETIC_VERSION)
