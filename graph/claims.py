"""Claims, observations, verdicts and the evidence record. The record's shape is final: it is hash-chained."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from graph.digest import digest_of

Comparator = Literal["=", "<", "<=", ">", ">=", "up_to"]
Verdict = Literal["verified", "refuted", "inconclusive", "unverifiable", "error"]
Tier = Literal["artifact", "architecture", "text"]
VERDICTS: Final = ("verified", "refuted", "inconclusive", "unverifiable", "error")
REASON_CODES: Final = (
    "no_weights", "no_data", "no_hardware", "not_runnable", "not_falsifiable", "underspecified", "other_artifact",
    "missing_dependency", "budget", "preprocessing", "load_failed", "timeout", "oom", "crashed", "non_finite",
    "unsafe_refused",
)  # fmt: skip


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Scope(_Record):
    """Under which conditions a claim is made or a number was measured; None is "not said".

    `steps` are denoising steps, `size` a picture's ("256x256"), `reference` what a ratio or a loss is taken against
    ("float32", "batch 1").
    """

    dataset: str | None = None
    device: str | None = None
    runtime: str | None = None
    precision: str | None = None
    batch_size: int | None = Field(default=None, ge=1)
    threads: int | None = Field(default=None, ge=1)
    loader: str | None = None
    steps: int | None = Field(default=None, ge=1)
    size: str | None = None
    reference: str | None = None
    note: str | None = Field(default=None, max_length=500)


class Span(_Record):
    """Where a claim was read: file, and character offsets [start, end) in it."""

    file: str
    start: int = Field(ge=0)
    end: int = Field(ge=0)


class Claim(_Record):
    """One checkable statement. `value` is a number, or a word for facts (a format, a tool, a licence use)."""

    id: str
    artifact: str
    capability: str | None = None
    subject: str = ""
    metric: str
    comparator: Comparator = "="
    value: float | str | None = None
    unit: str = "none"
    conditions: Scope = Scope()
    hedged: bool = False
    text: str = Field(default="", max_length=2_000)
    span: Span | None = None
    flags: tuple[str, ...] = ()


def claim_id(
    artifact: str, subject: str, metric: str, comparator: str, value: float | str | None, unit: str, conditions: Scope
) -> str:
    """The id of a claim: `cl_` and 16 hex digits of the digest of what it states, wherever it was read."""
    stated = [artifact, subject, metric, comparator, value, unit, conditions.model_dump(exclude_none=True)]
    return "cl_" + digest_of(stated)[:16]


class Interval(_Record):
    """A two-sided interval; `method` names it (clopper-pearson, exact, …)."""

    low: float
    high: float
    level: float
    method: str


class DataUsed(_Record):
    """The labelled set behind a number; `declared_by` is `known` where the digest is known, else `operator`.

    `whole` is how many items the known set has of which this is a part; None where it is no part of one.
    """

    name: str
    digest: str
    declared_by: Literal["known", "operator"]
    items: int = Field(ge=0)
    whole: int | None = Field(default=None, ge=1)


class ModelUsed(_Record):
    """The files behind a number: one digest of all, and SHA-256 per file."""

    digest: str
    files: dict[str, str] = Field(default_factory=dict)
    revision: str | None = None


class Evidence(_Record):
    """The record of one check or probe on one claim, or of one observation (no claim, no verdict).

    `schema_version` 1. Final like the event schema: fields may be added with defaults, never changed. `repeat`
    is the command that repeats it and holds no private path. `attempt` counts tries at a claim from 1 and `pooled`
    names the records whose items this one counts too; `reference` is the model that a ratio or a loss is taken
    against; `durations_s` splits `duration_s` into its phases.
    """

    schema_version: Literal[1] = 1
    id: str
    kind: Literal["check", "probe", "observation"]
    artifact: str
    capability: str | None = None
    claim: str | None = None
    metric: str
    unit: str = "none"
    verdict: Verdict | None = None
    reason_code: str | None = None
    reason: str = ""
    tier: Tier | None = None
    measured: float | str | None = None
    successes: int | None = None
    n: int | None = None
    interval: Interval | None = None
    threshold: float | None = None
    decisive_n: int | None = None
    detectable: float | None = None
    method: str
    method_version: str
    unit_id: str | None = None
    seed: int | None = None
    scope: Scope = Scope()
    data: DataUsed | None = None
    model: ModelUsed | None = None
    libraries: dict[str, str] = Field(default_factory=dict)
    device: str | None = None
    sandbox: tuple[str, ...] = ()
    duration_s: float | None = None
    control: dict[str, Any] | None = None
    flags: tuple[str, ...] = ()
    time_us: int
    repeat: str = ""
    attempt: int = Field(default=1, ge=1)
    pooled: tuple[str, ...] = ()
    reference: ModelUsed | None = None
    durations_s: dict[str, float] = Field(default_factory=dict)


def evidence_id(fields: dict[str, Any]) -> str:
    """The id of an evidence record: `ev_` and 20 hex digits of the digest of all its other fields.

    Fields at their default are left out, so that one that is added later leaves the ids of old records as they are.
    """
    record = Evidence.model_validate({**fields, "id": ""})
    return "ev_" + digest_of(record.model_dump(mode="json", exclude_defaults=True, exclude={"id"}))[:20]


class ClaimReport(Claim):
    """A claim with what is known of it: the JSON of `verify`, `lint` and `show`. `verdict` null is "claimed"."""

    verdict: Verdict | None = None
    reason_code: str | None = None
    reason: str = ""
    tier: Tier | None = None
    method: str | None = None
    measured: float | str | None = None
    interval: Interval | None = None
    n: int | None = None
    scope: Scope | None = None
    evidence: str | None = None


def report_claim(claim: Claim, evidence: Evidence | None) -> ClaimReport:
    """A claim joined with its deciding evidence; without evidence the verdict stays null."""
    stated = {name: getattr(claim, name) for name in Claim.model_fields}
    if evidence is None:
        return ClaimReport(**stated)
    stated["flags"] = tuple(sorted({*claim.flags, *evidence.flags}))
    return ClaimReport(
        **stated,
        verdict=evidence.verdict, reason_code=evidence.reason_code, reason=evidence.reason, tier=evidence.tier,
        method=f"{evidence.method}/{evidence.method_version}", measured=evidence.measured,
        interval=evidence.interval, n=evidence.n, scope=evidence.scope, evidence=evidence.id,
    )  # fmt: skip
