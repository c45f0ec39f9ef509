"""Policies: named sets of rules that say what may enter the index and what `resolve` may hand out.

A policy judges one capability of one artifact from the claims that concern it. A refuted `runs:<task>` refuses under
every policy and cannot be waived; what else is needed is the policy's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, ClassVar, Final, Literal

from pydantic import ConfigDict, Field

from graph.artifacts import Artifact
from graph.claims import Claim, Evidence, Tier
from graph.constants import DAY_US
from graph.metrics import METRICS

Rule = Literal["runs", "refuted_claims", "undecided_claims", "unsafe", "age", "n", "licence"]
TIER_LEVEL: Final[dict[Tier, int]] = {"text": 1, "architecture": 2, "artifact": 3}
PERMISSIVE_LICENCES: Final = (
    "apache-2.0", "bsd-2-clause", "bsd-3-clause", "cc-by-4.0", "cc0-1.0", "isc", "mit", "unlicense", "zlib",
)  # fmt: skip
"""What `strict` allows; SPDX ids in lower case."""


@dataclass(frozen=True)
class Waiver:
    """An exception from one rule: who granted it, why, and its last day (UTC, that day included).

    `artifact` is an artifact's id or slug; `capability` a local capability id, or None for all of the artifact's.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", str_strip_whitespace=True, str_min_length=1)

    artifact: str
    rule: Rule
    who: str
    why: str
    until: date
    capability: str | None = None


@dataclass(frozen=True)
class Policy:
    """A named set of rules; None, or False, is "not asked".

    Attributes
    ----------
    runs
        Least tier at which `runs:<task>` must be verified.
    refuse_unsafe
        Keeps out capabilities whose `runs` is `error: unsafe_refused`.
    refuse_refuted_claims
        Keeps out capabilities with any refuted claim, the artifact's own claims included.
    refuse_undecided_claims
        Keeps out capabilities with a quantitative claim that is neither verified nor refuted.
    greatest_age_days
        Greatest age of the evidence that the policy relies on.
    least_n
        Least number of labelled items behind a verified `runs`.
    licences
        Allowed licences, SPDX ids, case ignored; an unknown licence is not allowed.
    waivers
        Exceptions.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    name: str
    runs: Tier | None = None
    refuse_unsafe: bool = False
    refuse_refuted_claims: bool = False
    refuse_undecided_claims: bool = False
    greatest_age_days: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    least_n: Annotated[int, Field(ge=1)] | None = None
    licences: tuple[str, ...] | None = None
    waivers: tuple[Waiver, ...] = ()


OPEN: Final = Policy("open")
DEFAULT: Final = Policy("default", refuse_unsafe=True)
PRODUCTION: Final = Policy(
    "production", runs="artifact", refuse_unsafe=True, refuse_refuted_claims=True, greatest_age_days=180.0
)
STRICT: Final = Policy(
    "strict", runs="artifact", refuse_unsafe=True, refuse_refuted_claims=True, refuse_undecided_claims=True,
    greatest_age_days=90.0, licences=PERMISSIVE_LICENCES,
)  # fmt: skip
POLICIES: Final = {policy.name: policy for policy in (OPEN, DEFAULT, PRODUCTION, STRICT)}


@dataclass(frozen=True)
class Standing:
    """A claim with the evidence that decides it; None where nothing was tried."""

    claim: Claim
    evidence: Evidence | None = None


@dataclass(frozen=True)
class Objection:
    """Why a policy keeps a capability out: the rule, and a reason for people."""

    rule: Literal["runs_refuted"] | Rule
    reason: str


def capability_of(claim: Claim) -> str | None:
    """The local capability id that a claim is about: `runs` names it as its subject; None is all of the artifact."""
    return claim.capability or (claim.subject or None if claim.metric == "runs" else None)


def is_runs_claim(claim: Claim, capability: str) -> bool:
    """Whether this is the implicit `runs:<task>` claim of a capability (local id)."""
    return claim.metric == "runs" and capability_of(claim) == capability


def standings_of(artifact: Artifact, capability: str, evidence: Mapping[str, Evidence]) -> list[Standing]:
    """Claims of a capability, and of its artifact as a whole, with what decides them; in the order stated.

    Parameters
    ----------
    artifact
        States the claims.
    capability
        Local capability id.
    evidence
        Deciding evidence by claim id.
    """
    return [
        Standing(claim, evidence.get(claim.id))
        for claim in artifact.claims
        if capability_of(claim) in (None, capability)
    ]


def objections(
    policy: Policy, artifact: Artifact, capability: str, standings: Sequence[Standing], as_of_us: int
) -> tuple[Objection, ...]:
    """Why this policy keeps a capability out, in the order of the rules; empty where it lets it in.

    Parameters
    ----------
    policy
        The rules.
    artifact, capability
        The artifact, and the local id of one of its capabilities.
    standings
        Claims that concern the capability, from `standings_of`.
    as_of_us
        The time of judging, microseconds since 1970 UTC: evidence ages and waivers end by it.
    """
    runs = next((s for s in standings if is_runs_claim(s.claim, capability)), None)
    if runs is not None and runs.evidence is not None and runs.evidence.verdict == "refuted":
        return (Objection("runs_refuted", f"runs refuted at tier {runs.evidence.tier}: {_told(runs.evidence)}"),)
    found = [
        *_about_runs(policy, runs),
        *_about_claims(policy, standings, capability),
        *_about_age(policy, runs, standings, as_of_us),
        *_about_licence(policy, artifact.license),
    ]
    return tuple(o for o in found if not _is_waived(policy, artifact, capability, o.rule, as_of_us))


def is_quantitative(claim: Claim) -> bool:
    """Whether a claim states a number that can be measured; `runs` and facts do not."""
    metric = METRICS.get(claim.metric)
    return claim.metric != "runs" and isinstance(claim.value, float | int) and (not metric or metric.judged != "fact")


def _about_runs(policy: Policy, runs: Standing | None) -> list[Objection]:
    found = []
    evidence = runs.evidence if runs else None
    if policy.refuse_unsafe and evidence and (evidence.verdict, evidence.reason_code) == ("error", "unsafe_refused"):
        found.append(Objection("unsafe", f"runs: refused as unsafe: {_told(evidence)}"))
    if policy.runs is not None:
        if evidence is None or evidence.verdict != "verified":
            word = "claimed" if evidence is None else f"{evidence.verdict} ({evidence.reason_code or 'no reason code'})"
            found.append(Objection("runs", f"runs is {word}, needs verified at tier {policy.runs}"))
        elif TIER_LEVEL[evidence.tier or "text"] < TIER_LEVEL[policy.runs]:
            found.append(Objection("runs", f"runs is verified at tier {evidence.tier}, needs tier {policy.runs}"))
    tried = (evidence.n if evidence else None) or 0
    if policy.least_n is not None and tried < policy.least_n:
        found.append(Objection("n", f"runs was tried on {tried} items, needs {policy.least_n}"))
    return found


def _about_claims(policy: Policy, standings: Sequence[Standing], capability: str) -> list[Objection]:
    found = []
    for standing in standings:
        verdict = standing.evidence.verdict if standing.evidence else None
        if is_runs_claim(standing.claim, capability):
            continue
        if policy.refuse_refuted_claims and verdict == "refuted":
            found.append(Objection("refuted_claims", f"{_named(standing.claim)} is refuted"))
        is_decided = verdict in ("verified", "refuted")
        if policy.refuse_undecided_claims and is_quantitative(standing.claim) and not is_decided:
            found.append(Objection("undecided_claims", f"{_named(standing.claim)} is {verdict or 'claimed'}"))
    return found


def _about_age(policy: Policy, runs: Standing | None, standings: Sequence[Standing], as_of_us: int) -> list[Objection]:
    if policy.greatest_age_days is None:
        return []
    relied = [runs] if runs else []
    if policy.refuse_undecided_claims:
        relied += [s for s in standings if is_quantitative(s.claim)]
    found = []
    for standing in relied:
        if standing.evidence is None or standing.evidence.verdict not in ("verified", "refuted"):
            continue  # the other rules say what is missing
        age_days = (as_of_us - standing.evidence.time_us) / DAY_US
        if age_days > policy.greatest_age_days:
            limit = f"{policy.greatest_age_days:g}"
            reason = f"evidence for {_named(standing.claim)} is {age_days:.0f} days old, at most {limit}: verify again"
            found.append(Objection("age", reason))
    return found


def _about_licence(policy: Policy, licence: str | None) -> list[Objection]:
    if policy.licences is None:
        return []
    allowed = {name.lower() for name in policy.licences}
    if licence is not None and licence.strip().lower() in allowed:
        return []
    return [Objection("licence", f"licence {licence or 'unknown'!r} is not in the allowed list")]


def _is_waived(policy: Policy, artifact: Artifact, capability: str, rule: str, as_of_us: int) -> bool:
    today = datetime.fromtimestamp(as_of_us / 1e6, tz=UTC).date()
    return any(
        waiver.rule == rule
        and waiver.artifact in (artifact.id, artifact.slug)
        and waiver.capability in (None, capability)
        and today <= waiver.until
        for waiver in policy.waivers
    )


def _named(claim: Claim) -> str:
    value = "" if claim.value is None else f" {claim.comparator} {claim.value}"
    return f"{claim.metric}{value} ({claim.id})"


def _told(evidence: Evidence) -> str:
    return evidence.reason or evidence.reason_code or "no reason recorded"
