"""The answers of `graph …`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from graph.responses import Component, Document

NodeKindName = Literal["artifact", "capability", "intent"]


class NodeName(Document):
    """A node of the match graph: its kind, its id ("" where searches had none), and a readable label."""

    kind: NodeKindName
    id: str
    label: str


class Success(Document):
    """Success against failure: Beta(1, 1) posterior mean with its 90 % interval; 0.5 without either."""

    successes: int
    failures: int
    mean: float
    low: float
    high: float


class QueryCount(Document):
    """A query of an intent: its searches, and by how many actors."""

    query: str
    searches: int
    actors: int


class Instead(Document):
    """How another artifact fared in searches that delivered both; see `graph.co_match.CoMatch`."""

    artifact: str
    label: str
    together: int
    instead: int
    instead_actors: int
    over: int
    over_actors: int
    both: int


class NodeReport(Document):
    """The answer of `graph show`; what a kind of node does not have is null."""

    node: str
    key: str
    kind: NodeKindName
    label: str
    pagerank: float
    neighbors: int
    searches: int | None = Field(default=None, description="of an intent: its searches")
    queries: tuple[QueryCount, ...] | None = Field(default=None, description="of an intent: the 10 most asked queries")
    aliases: tuple[str, ...] | None = Field(default=None, description="of a capability: URIs merged into it")
    times_matched: int | None = None
    distinct_actors: int | None = None
    outcome_weight: float | None = None
    voters: int | None = None
    success: Success | None = None
    community: tuple[NodeName, ...] = Field(default=(), description="nodes used for the same, the first 20")
    community_size: int = 0
    chosen_instead: tuple[Instead, ...] | None = Field(default=None, description="of an artifact: the first 10")


class NeighborReport(Document):
    """A node at the other end of an edge; `to` where the edge leads to it."""

    kind: NodeKindName
    id: str
    label: str
    direction: Literal["to", "from"]
    searches: int
    weight: float
    actors: int


class NeighborsReport(Document):
    """The answer of `graph neighbors`, strongest first: the first of `of` neighbours."""

    node: str
    kind: NodeKindName
    of: int
    neighbors: tuple[NeighborReport, ...]


class TopNode(Document):
    """One line of `graph top`: searches (of an artifact: times matched), distinct actors, outcome weight, PageRank."""

    kind: NodeKindName
    id: str
    label: str
    searches: int
    actors: int
    weight: float
    pagerank: float


class TopReport(Document):
    """The answer of `graph top`, the largest first; `of` nodes of this kind."""

    kind: NodeKindName
    by: str
    of: int
    nodes: tuple[TopNode, ...]


class PathStep(Document):
    """A step of a path: along an edge, or `forward` false against it; `share` is its chance at its source."""

    source: NodeName
    target: NodeName
    forward: bool
    searches: int
    weight: float
    actors: int
    share: float


class GraphPath(Document):
    """A way between two nodes, and the chance that a random walk takes it."""

    chance: float
    steps: tuple[PathStep, ...]


class PathReport(Document):
    """The answer of `graph path`, the likeliest way first; `by` is what the walk follows, null where nothing joins."""

    source: NodeName
    target: NodeName
    by: Literal["outcomes", "deliveries"] | None
    paths: tuple[GraphPath, ...]


class VoteReport(Document):
    """A vote and the factors of its weight, without who cast it in clear."""

    outcome: str
    position: int
    actor: str
    search: str
    value: float
    examination: float
    decay: float
    cap_factor: float
    weight: float


class PathSumReport(Document):
    """What one intent's votes through one capability add up to."""

    intent: str
    label: str
    uri: str
    searches: int
    positive: float
    negative: float
    actors: int
    success: Success


class CrowdReport(Document):
    """Who stands behind an artifact's votes; it changes no weight. See `graph.explain.Crowd`."""

    voters: int
    only_here: int = Field(description="of them have no vote on anything else")
    only_here_elsewhere: float | None = Field(description="that share among the voters of all others; null without any")
    busiest_day: int | None = Field(description="microseconds since 1970 UTC")
    busiest_day_voters: int = Field(description="voters whose first vote on it fell on that day")
    largest_actor_share: float = Field(description="of its absolute weight, of one actor")


class WalkReport(Document):
    """An artifact's place in the match graph; see `graph.explain.Explanation`."""

    voters: int
    selecting_actors: float
    positive: float
    negative: float
    pagerank: float
    flow: float
    shrink: float
    success: Success
    crowd: CrowdReport
    voted_paths: int = Field(description="of its paths those that votes name, shown or not")
    paths: tuple[PathSumReport, ...]


class RankExplanation(Document):
    """The answer of `graph explain`: contributions add up to the rank; null is unknown, never 0."""

    artifact: str
    slug: str
    as_of_us: int
    rank: float | None
    known_weight: float
    components: dict[str, Component]
    times_matched: int
    distinct_actors: int
    votes_of: int = Field(description="of its votes, shown or not")
    votes: tuple[VoteReport, ...]
    match_graph: WalkReport | None


class RebuildReport(Document):
    """The answer of `graph rebuild`: whether the stored graph equals what the log gives, bit for bit."""

    events: int
    evidence: int
    equal: bool


class GraphExportReport(Document):
    """The answer of `graph export FILE`."""

    file: str | None
    format: Literal["json", "graphml"]
    nodes: int
    edges: int


class ExportedNode(Document):
    """A node of an export; what its kind does not have is left out."""

    key: str
    kind: NodeKindName
    id: str
    pagerank: float
    aliases: tuple[str, ...] | None = None
    searches: int | None = None
    times_matched: int | None = None
    voters: int | None = None


class ExportedEdge(Document):
    """An edge of an export, between the keys of two nodes."""

    source: str
    target: str
    deliveries: int
    weight: float
    positive: float
    negative: float
    walk: float
    actors: int


class GraphDocument(Document):
    """The match graph as `graph export --format json` writes it; see `graph.export`."""

    schema_version: Literal[1]
    as_of_us: int
    nodes: tuple[ExportedNode, ...]
    edges: tuple[ExportedEdge, ...]


class RankPoint(Document):
    """A rank at a moment; `points` is the sum of the contributions, `rank` null where too little was known."""

    as_of_us: int
    rank: float | None
    points: float
    known_weight: float
    contributions: dict[str, float]


class InputReport(Document):
    """An input of a score that is another now; null is unknown."""

    name: str
    before: Any
    after: Any


class CauseReport(Document):
    """One reason for a change of rank, in points: time, outcomes, evidence, entry, or others of its type."""

    kind: Literal["time", "outcomes", "evidence", "entry", "others"]
    points: float
    components: dict[str, float]
    inputs: tuple[InputReport, ...]


class HappeningReport(Document):
    """Something that happened to an artifact."""

    time_us: int
    kind: str
    id: str
    words: str


class HistoryReport(Document):
    """The answer of `graph history`: ranks over time, and what changed the rank between the first and the last moment.

    `causes` add up to the difference of `points`; `before` or `after` null: the artifact was not there then.
    """

    artifact: str
    slug: str
    history: tuple[RankPoint, ...]
    before: RankPoint | None
    after: RankPoint | None
    causes: tuple[CauseReport, ...]
    happenings: tuple[HappeningReport, ...]
