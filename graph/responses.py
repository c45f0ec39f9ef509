"""The JSON documents that every face gives; their JSON Schemas are generated from here."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from graph.artifacts import ArtifactType, Pricing, Signals
from graph.claims import ClaimReport, Evidence


class Document(BaseModel):
    """Base of all answers: frozen, unknown fields are an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class VerdictCounts(Document):
    """How many claims stand at each verdict; `claimed` have none yet."""

    verified: int = 0
    refuted: int = 0
    inconclusive: int = 0
    unverifiable: int = 0
    error: int = 0
    claimed: int = 0


class ReadPart(Document):
    """A condition that the words of a query state."""

    words: str
    condition: str


class Understood(Document):
    """What the engine read from the query; `cut` where it was longer than it may be.

    `where` are all conditions, `read` those that the query's own words state, `searched` the words that are left to
    search for, `name` the artifact that it names, `differences` what a difference asks for, `switches` the options that
    are not at their default, and `notes` what it could not read or judge.
    """

    text: str
    name: str | None = None
    type: str | None = None
    where: tuple[str, ...] = ()
    cut: bool = False
    searched: str = ""
    read: tuple[ReadPart, ...] = ()
    policy: str | None = None
    rejected: tuple[str, ...] = ()
    differences: tuple[str, ...] = ()
    switches: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class Result(Document):
    """One result; `parts` add up to `score`."""

    position: int
    artifact: str
    slug: str
    name: str
    type: ArtifactType
    capability: str | None = None
    uri: str | None = None
    score: float
    parts: dict[str, float]
    rank: float | None = None
    verdicts: VerdictCounts = VerdictCounts()
    runs: str | None = Field(default=None, description="verdict and tier of runs:<task>, as 'verified (artifact)'")
    why: str = ""
    token: str | None = None
    exploration: bool = Field(default=False, description="drawn for the exploration slot, the last place of page one")


class SearchResponse(Document):
    """The answer of `search` and `different`."""

    search_id: str
    query: str
    understood: Understood
    abstained: bool
    message: str = ""
    confidence: float | None = Field(
        default=None,
        description="search: calibrated probability that something in the index, within what is asked, fits; null for "
        "limits without words, and in a snapshot without calibration. different: how far the first result's job agrees "
        "(1: stated by both sources; else its share of the neighbours' votes); null without results",
    )
    snapshot: str
    event_seq: int
    results: tuple[Result, ...]
    dropped_unknown: int = 0


class Component(Document):
    """One component of the rank; `value` null is unknown, and `used` is then the prior."""

    value: float | None
    used: float
    weight: float
    contribution: float
    known: bool
    detail: dict[str, Any] = Field(default_factory=dict)


class CapabilityReport(Document):
    """A capability as shown: with its URI, verdict of `runs`, and whether it is in the live index."""

    id: str
    name: str
    task: str
    uri: str | None = None
    description: str = ""
    unique: str | None = None
    vs_alternatives: str | None = None
    intents_served: tuple[str, ...] = ()
    indexed: bool = False
    verified: bool = False
    runs: str | None = None


class ArtifactReport(Document):
    """The answer of `show ARTIFACT`."""

    artifact: str
    slug: str
    name: str
    type: ArtifactType
    description: str = ""
    maintainer: str | None = None
    url: str | None = None
    license: str | None = None
    library: str | None = None
    family: str | None = None
    params: int | None = None
    pricing: Pricing = Pricing()
    signals: Signals = Signals()
    capabilities: tuple[CapabilityReport, ...] = ()
    declared_total: int | None = None
    claims: tuple[ClaimReport, ...] = ()
    observations: tuple[Evidence, ...] = ()
    times_matched: int
    distinct_actors: int
    rank: float | None
    known_weight: float
    components: dict[str, Component]
    source: str = ""


class CanonicalMember(Document):
    """An artifact that has a canonical capability."""

    artifact: str
    slug: str
    capability: str
    name: str


class CanonicalReport(Document):
    """The answer of `show CAPABILITY`."""

    uri: str
    task: str
    label: str
    alias_of: str | None = None
    members: tuple[CanonicalMember, ...] = ()
    searches: int = 0


class CompareRow(Document):
    """One row of a comparison: a value per artifact, null where unknown."""

    name: str
    values: tuple[Any, ...]


class SharedCapability(Document):
    """A canonical capability that several of the compared artifacts have: local names by artifact id."""

    uri: str
    names: dict[str, str]


class CompareResponse(Document):
    """The answer of `compare`."""

    artifacts: tuple[str, ...]
    rows: tuple[CompareRow, ...]
    shared: tuple[SharedCapability, ...]
    only: dict[str, tuple[str, ...]]
    claims: dict[str, tuple[ClaimReport, ...]]
    same_job: bool
    verdict: str
    next: str = 'Need something different? Search the match graph: matchgraph different ARTIFACT "but …"'


class OutcomeResponse(Document):
    """The answer of `outcome`."""

    recorded: Literal[True] = True
    event: str
    search: str
    artifact: str
    outcome: str
    event_seq: int


class GraphStats(Document):
    """The answer of `graph stats`."""

    intents: int
    capabilities: int
    artifacts: int
    edges: int
    searches: int
    outcomes: int
    actors: int


class Estimated(Document):
    """A mean over queries with its 95 % bootstrap interval; null where there are no queries."""

    value: float | None
    low: float | None
    high: float | None


class Difference(Estimated):
    """A mean paired difference of nDCG@10 over `n` queries."""

    n: int


class Measures(Document):
    """How well one way of searching did on `n` queries; the last three only for `different`."""

    n: int
    ndcg_10: Estimated = Field(alias="ndcg@10")
    recall_1: Estimated = Field(alias="recall@1")
    recall_5: Estimated = Field(alias="recall@5")
    recall_10: Estimated = Field(alias="recall@10")
    mrr_10: Estimated = Field(alias="mrr@10")
    p_1: Estimated | None = Field(default=None, alias="p@1")
    p_5: Estimated | None = Field(default=None, alias="p@5")
    rejected_in_top5: Estimated | None = None


class EvaluateResponse(Document):
    """The answer of `evaluate search`: by set and by group (all, seen, unseen); an absent set is null.

    In `sets.different` the rejected artifact's own domain, the label that judges, is hidden from the engine; with it,
    `different_with_domain` is a ceiling and no result. `controls` says what the log gives with its labels shuffled,
    by its popularity alone, and without near-duplicates of the queries.
    """

    sets: dict[str, dict[Literal["all", "seen", "unseen"], Measures] | None]
    paired: dict[str, dict[Literal["all", "seen", "unseen"], Difference] | None]
    different_with_domain: dict[Literal["all", "seen", "unseen"], Measures] | None = None
    controls: dict[str, dict[Literal["all", "seen", "unseen"], Measures]] | None = None


class Health(Document):
    """The answer of `/healthz` and `/readyz`."""

    status: Literal["ok", "not ready"]
    detail: str = ""
    snapshot: str | None = None
    version: str
