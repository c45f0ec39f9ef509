"""The JSON documents of `ingest`, `verify`, `verify --plan`, `build` and `snapshots`."""

from __future__ import annotations

from typing import Literal

from graph.artifacts import Artifact
from graph.claims import ClaimReport, Evidence, Span
from graph.responses import Document


class VerifiedArtifact(Document):
    """Claims, flags and observations of one artifact."""

    artifact: str
    claims: tuple[ClaimReport, ...]
    flags: tuple[str, ...] = ()
    observations: tuple[Evidence, ...] = ()


class VerdictReason(Document):
    """How many claims stand at a verdict with a reason code, "" where the verdict needs none."""

    verdict: str
    reason_code: str
    claims: int


class ProbeSeconds(Document):
    """How many units of a probe were run, and the seconds that they took together."""

    probe: str
    units: int
    seconds: float


class UnitLeft(Document):
    """A unit of work that the budget did not reach, with its estimated seconds; `data` names its labelled set."""

    artifact: str
    probe: str
    data: str | None
    cost_s: float


class VerifyResponse(Document):
    """The answer of `verify`; `counts` and `reasons` each sum to all claims.

    Units of work were run, resumed (finished before, or by another process) or left by the budget: `left` names them.
    `unused_data` names given sets that decided nothing.
    """

    artifacts: tuple[VerifiedArtifact, ...]
    counts: dict[str, int]
    reasons: tuple[VerdictReason, ...] = ()
    units_run: int = 0
    units_resumed: int = 0
    units_left: int = 0
    left: tuple[UnitLeft, ...] = ()
    probes: tuple[ProbeSeconds, ...] = ()
    unused_data: tuple[str, ...] = ()
    import_s: float = 0.0
    duration_s: float = 0.0


class UnitPlanned(Document):
    """A unit of work with its estimated seconds; 0 where it is finished, or shared with a unit before it."""

    artifact: str
    probe: str
    data: str | None
    settings: dict[str, str | int]
    cost_s: float
    alone: bool
    claims: int
    state: Literal["waiting", "finished", "shared"]


class ProbePlanned(Document):
    """What the units of a probe that are not finished will cost together, in seconds."""

    probe: str
    units: int
    cost_s: float


class DataWanted(Document):
    """A labelled set that is not at hand, and how many claims would no longer lack data if it were.

    `kind` and `labels` are those of the models that wait for it; `at_most` where the number cannot be sure.
    """

    name: str
    kind: str
    labels: tuple[str, ...]
    claims: int
    at_most: bool


class PlanResponse(Document):
    """The answer of `verify --plan`; `claims` = `settled` + `waiting` + `without_data`.

    `cost_s` is the work, `time_s` how long it takes with so many jobs, both without the start of the workers. `data`
    are the sets that claims name, the one that decides most first; `any_data` such as any name would do for.
    """

    claims: int
    settled: int
    waiting: int
    without_data: int
    units: tuple[UnitPlanned, ...]
    probes: tuple[ProbePlanned, ...]
    cost_s: float
    time_s: float
    data: tuple[DataWanted, ...]
    any_data: tuple[DataWanted, ...]


class ReproduceResponse(Document):
    """The answer of `verify --reproduce`: a record, the same made again now, and whether they agree.

    `differences` names versions of libraries, and of checks and probes, in which the two differ.
    """

    record: Evidence
    again: Evidence
    agrees: bool
    reason: str
    differences: tuple[str, ...] = ()


class Problem(Document):
    """A refused input, as in `ingest`."""

    what: str
    file: str
    line: int | None
    code: str


class IngestResponse(Document):
    """The answer of `ingest`; the inventory's counts sum to `found` = accepted + rejected + passed over.

    `left_out` are parts (a capability, a claim) of accepted artifacts that were rejected. In a dry run nothing is
    stored: added, changed and unchanged are 0, and `preview` has the first artifacts as they were read.
    """

    found: int
    accepted: int
    added: int
    changed: int
    unchanged: int
    rejected: tuple[Problem, ...]
    passed_over: int = 0
    left_out: tuple[Problem, ...] = ()
    warnings: tuple[str, ...]
    inventory: dict[str, int]
    size_bytes: int
    dry_run: bool = False
    preview: tuple[Artifact, ...] = ()


class Refused(Document):
    """What the gate kept out, and why."""

    artifact: str
    capability: str | None
    what: str
    reason: str


class EncoderUsed(Document):
    """The sentence encoder of a build, and what it ran on: onnxruntime or torch, "" where nobody knows.

    `note` says why it is not onnxruntime; `difference` is the largest of any number of its vectors from torch's, on a
    fixed sample of texts.
    """

    name: str
    digest: str
    runtime: str = ""
    note: str = ""
    difference: float | None = None


class BuildResponse(Document):
    """The answer of `build`."""

    snapshot: str
    unchanged: bool
    artifacts: int
    capabilities: int
    rows: int
    embedded: int
    policy: str
    refused: tuple[Refused, ...]
    claims: dict[str, int]
    encoder: EncoderUsed


class SnapshotInfo(Document):
    """One snapshot in `snapshots`; one that cannot be read has a `problem` and no numbers."""

    id: str
    current: bool
    problem: str = ""
    created_us: int | None = None
    artifacts: int | None = None
    rows: int | None = None
    encoder: str | None = None
    policy: str | None = None


class LintFlag(Document):
    """Something suspicious, or corroborated, that decides nothing; `claims` are ids of those it is about."""

    flag: str
    reason: str
    claims: tuple[str, ...] = ()
    text: str = ""
    span: Span | None = None
    line: int | None = None


class LintIgnored(Document):
    """A finding ("refuted METRIC", or a flag) that a comment in the text sets aside, with the reason given there."""

    fingerprint: str
    finding: str = ""
    line: int | None = None
    reason: str


class LintedArtifact(Document):
    """Claims, flags and observations of one artifact; no observation is made without a model."""

    artifact: str
    file: str
    claims: tuple[ClaimReport, ...]
    flags: tuple[LintFlag, ...]
    observations: tuple[Evidence, ...] = ()
    ignored: tuple[LintIgnored, ...] = ()
    known: int = 0


class LintResponse(Document):
    """The answer of `lint`; `counts` sums to all claims told, `ignored` and `known` findings are not among them."""

    artifacts: tuple[LintedArtifact, ...]
    counts: dict[str, int]
    flags: dict[str, int]
    ignored: int = 0
    known: int = 0
    rejected: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()
