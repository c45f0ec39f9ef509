"""A verdict on a claim with what it rests on, and the verdicts that need no measurement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from graph.claims import Claim, Scope, Tier
from inference.verdicts.rules import Judgement

METHOD, METHOD_VERSION = "routing", "2"
FACTS, FACTS_VERSION = "facts", "1"
ARITHMETIC, ARITHMETIC_VERSION = "arithmetic", "2"
NEEDS_WEIGHTS: Final = frozenset({
    "runs", "loads", "accuracy", "f1", "perplexity", "loss_points", "loss_relative", "adherence", "fine_tunes",
})  # fmt: skip
"""What initialised weights say nothing about."""


@dataclass(frozen=True)
class Finding:
    """A verdict on a claim with what it rests on; `method` names the check or probe, `scope` what was measured."""

    judgement: Judgement
    measured: float | str | None = None
    tier: Tier | None = None
    method: str = METHOD
    method_version: str = METHOD_VERSION
    successes: int | None = None
    n: int | None = None
    control: dict[str, Any] | None = None
    scope: Scope | None = None


def unverifiable(code: str, reason: str) -> Finding:
    """The finding that nothing here can judge a claim, and why."""
    return Finding(Judgement("unverifiable", code, reason))


def unusable(claim: Claim, code: str, reason: str) -> Finding:
    """The verdict on a claim about a model that cannot be run or did not end well, by reason code.

    A model that does not load, crashes or gives numbers that are not finite refutes `loads` and `runs`; running out
    of time or memory, a missing dependency or a lack of trust refutes nothing.
    """
    if code in ("load_failed", "crashed", "non_finite"):
        if claim.metric in ("loads", "runs"):
            return Finding(Judgement("refuted", code, reason), tier="artifact")
        return Finding(Judgement("error", code, reason))
    if code in ("timeout", "oom", "unsafe_refused"):
        return Finding(Judgement("error", code, reason))
    return unverifiable(code, reason)
