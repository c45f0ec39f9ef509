"""The match graph with its statistics: intents → canonical capabilities → artifacts, as of a moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import numpy as np
from sqlalchemy import Connection

from graph.errors import UnknownArtifact
from graph.match_graph import Fold, resolve_alias
from graph.pagerank import personalised_pagerank
from graph.store.catalogue import all_canonical
from graph.store.log import read_fold
from graph.weights import Support, WeighedVote, add_up, exact_sum, weigh_fold

if TYPE_CHECKING:
    import networkx

NodeKind = Literal["artifact", "capability", "intent"]
KINDS: Final[tuple[NodeKind, ...]] = ("intent", "capability", "artifact")


class Node(NamedTuple):
    """A node; `id` is an intent id, a canonical URI or an artifact id, "" where a search had none."""

    kind: NodeKind
    id: str

    @property
    def key(self) -> str:
        """The node's name in exports, unique over all kinds."""
        is_uri = self.kind == "capability" and self.id.startswith("capability://")
        return self.id if is_uri else f"{self.kind}:{self.id}"


@dataclass(frozen=True)
class Edge:
    """What went along an edge, or along a path intent → capability → artifact, of which edges are sums.

    `deliveries` along a path, and from a capability to an artifact, are distinct searches; from an intent to a
    capability, one search counts once for each artifact that it delivered. `walk` is the weight in PageRank: the sum
    of the paths' outcome weights, each at least 0.
    """

    deliveries: int
    support: Support
    walk: float


@dataclass(frozen=True)
class Neighbour:
    """A node at the other end of an edge; `forward` where the edge leads to it."""

    node: Node
    forward: bool
    deliveries: int
    weight: float
    actors: int


@dataclass(frozen=True)
class MatchGraph:
    """The match graph as of a moment: same events, aliases and moment, same graph, bit for bit.

    `paths` are by (intent id, URI, artifact id); `edges` are intent → capability and capability → artifact; `back` are
    the artifact → intent edges that only the random walk takes; `votes` are weighed, by artifact. All are sorted. The
    fold must not change any more.
    """

    as_of_us: int
    fold: Fold
    aliases: Mapping[str, str]
    votes: dict[str, list[WeighedVote]]
    paths: dict[tuple[str, str, str], Edge]
    edges: dict[tuple[Node, Node], Edge]
    back: dict[tuple[Node, Node], Edge]
    nodes: tuple[Node, ...] = field(repr=False)

    def stats(self) -> dict[str, int]:
        """Counts: nodes by kind, edges, searches, outcomes with a weight, and distinct actors who searched or voted."""
        kinds = Counter(node.kind for node in self.nodes if node.id)
        searching = {actor for _, actor in self.fold.actors}
        voting = {weighed.vote.actor for votes in self.votes.values() for weighed in votes}
        return {
            "intents": kinds["intent"], "capabilities": kinds["capability"], "artifacts": kinds["artifact"],
            "edges": len(self.edges), "searches": self.fold.intents.total(),
            "outcomes": sum(map(len, self.votes.values())), "actors": len(searching | voting),
        }  # fmt: skip

    @cached_property
    def pagerank(self) -> dict[Node, float]:
        """Personalised PageRank of every node, adding up to 1; all 0 while no outcome weighs in favour of anything.

        Walks start at intents in proportion to their outcome weight and follow intent → capability → artifact →
        intent in proportion to the edges' outcome weight. Negative paths count 0.
        """
        number = {node: i for i, node in enumerate(self.nodes)}
        walked = [*self.edges.items(), *self.back.items()]
        weighted = [(number[a], number[b], edge.walk) for (a, b), edge in walked if edge.walk > 0]
        leaving = np.array([source for source, _, _ in weighted], np.int64)
        entering = np.array([target for _, target, _ in weighted], np.int64)
        weights = np.array([weight for _, _, weight in weighted], np.float64)
        start = np.zeros(len(self.nodes))
        for node, weight in self.intent_weights.items():
            start[number[node]] = weight
        ranks = personalised_pagerank(start, leaving, entering, weights)
        return {node: float(ranks[i]) for node, i in number.items()}

    @cached_property
    def intent_weights(self) -> dict[Node, float]:
        """The outcome weight of each intent, where it is above 0: that of its paths, negative ones as 0."""
        sums: dict[Node, list[float]] = {}
        for (intent, _, _), path in self.paths.items():
            if path.walk > 0:
                sums.setdefault(Node("intent", intent), []).append(path.walk)
        return {node: exact_sum(weights) for node, weights in sums.items()}

    @cached_property
    def flows(self) -> dict[str, float]:
        """The outcome weight that PageRank sends to each artifact, by id.

        Its share of all artifacts' PageRank times the outcome weight of all intents. Because walks begin in proportion
        to the weights that they follow, this is the sum of the artifact's paths: outcomes of others do not change it.
        """
        ranks = {node.id: rank for node, rank in self.pagerank.items() if node.kind == "artifact"}
        total = exact_sum(ranks.values())
        spread = exact_sum(self.intent_weights.values())
        return {artifact: spread * rank / total if total > 0 else 0.0 for artifact, rank in ranks.items()}

    def voters(self, artifact: str) -> int:
        """k: distinct actors with a vote on an artifact."""
        return len({weighed.vote.actor for weighed in self.votes.get(artifact, ())})

    def neighbors(self, name: str) -> list[Neighbour]:
        """The nodes joined to one by an edge: strongest outcome weight first, then deliveries, then the node.

        Raises
        ------
        UnknownArtifact
            There is no such node; names the nearest.
        """
        node = self.find(name)
        found = [
            Neighbour(b if a == node else a, a == node, edge.deliveries, edge.support.weight, len(edge.support.actors))
            for (a, b), edge in self.edges.items()
            if node in (a, b)
        ]
        return sorted(found, key=lambda each: (-each.weight, -each.deliveries, each.node))

    def find(self, name: str, kinds: Sequence[NodeKind] = KINDS) -> Node:
        """The node with this id or export key; of several kinds the first.

        Raises
        ------
        UnknownArtifact
            There is none; names the nearest.
        """
        wanted = resolve_alias(name, self.aliases)
        known = set(self.nodes)
        for kind in kinds:
            bare = wanted.removeprefix(f"{kind}:")
            for candidate in (Node(kind, wanted), Node(kind, bare)):
                if candidate in known:
                    return candidate
        from rapidfuzz import process

        ids = [node.id for node in self.nodes if node.id and node.kind in kinds]
        near = process.extract(name[:200], ids, limit=3, score_cutoff=60)
        raise UnknownArtifact(name, list(dict.fromkeys(hit[0] for hit in near)), kind="node")

    def to_networkx(self, *, back: bool = False) -> networkx.DiGraph:
        """The match graph for people: nodes by `Node.key`, with kind, id and counts.

        With `back`, the artifact → intent edges too: `networkx.pagerank` over the edge attribute `walk` (outcome
        weight, negative as 0), personalised by `intent_weights`, then gives `pagerank`.
        """
        import networkx

        G = networkx.DiGraph(as_of_us=self.as_of_us)
        merged: dict[str, list[str]] = {}
        for alias in sorted(self.aliases):
            merged.setdefault(resolve_alias(alias, self.aliases), []).append(alias)
        for node in self.nodes:
            G.add_node(node.key, **self._attributes(node, merged.get(node.id, [])))
        for (a, b), edge in self.edges.items():
            G.add_edge(a.key, b.key, **_weights(edge))
        if back:
            for (a, b), edge in self.back.items():
                G.add_edge(a.key, b.key, **_weights(edge))
        return G

    def _attributes(self, node: Node, aliases: list[str]) -> dict[str, Any]:
        attributes: dict[str, Any] = {"kind": node.kind, "id": node.id, "pagerank": self.pagerank[node]}
        if node.kind == "capability":
            attributes["aliases"] = aliases
        if node.kind == "intent":
            attributes["searches"] = self.fold.intents[node.id]
        if node.kind == "artifact":
            attributes |= {"times_matched": self.fold.times[node.id], "voters": self.voters(node.id)}
        return attributes


def build_match_graph(fold: Fold, as_of_us: int, aliases: Mapping[str, str] | None = None) -> MatchGraph:
    """The match graph of a fold as of a moment; `aliases` lead from merged URIs to those they were merged into."""
    known = dict(aliases or {})
    votes = weigh_fold(fold, as_of_us)
    deliveries: Counter[tuple[str, str, str]] = Counter()
    weighed: dict[tuple[str, str, str], list[WeighedVote]] = {}
    for (intent, uri, artifact), searches in fold.edges.items():
        deliveries[intent, resolve_alias(uri, known), artifact] += searches
    for artifact, each in votes.items():
        for vote in each:
            weighed.setdefault((vote.vote.intent, resolve_alias(vote.vote.uri, known), artifact), []).append(vote)
    paths = {key: _path(deliveries[key], weighed.get(key, [])) for key in sorted({*deliveries, *weighed})}
    forward: dict[tuple[Node, Node], list[Edge]] = {}
    back: dict[tuple[Node, Node], list[Edge]] = {}
    for (intent, uri, artifact), path in paths.items():
        start, middle, end = Node("intent", intent), Node("capability", uri), Node("artifact", artifact)
        forward.setdefault((start, middle), []).append(path)
        forward.setdefault((middle, end), []).append(path)
        back.setdefault((end, start), []).append(path)
    edges, returns = ({pair: _joined(each) for pair, each in sorted(side.items())} for side in (forward, back))
    nodes = {node for pair in edges for node in pair} | {Node("intent", intent) for intent in fold.intents}
    return MatchGraph(as_of_us, fold, known, votes, paths, edges, returns, tuple(sorted(nodes)))


def read_match_graph(connection: Connection, as_of_us: int) -> MatchGraph:
    """The match graph of a home's log as of a moment."""
    aliases = {each.uri: each.alias_of for each in all_canonical(connection) if each.alias_of}
    return build_match_graph(read_fold(connection), as_of_us, aliases)


def _path(deliveries: int, votes: Sequence[WeighedVote]) -> Edge:
    support = add_up(votes)
    return Edge(deliveries, support, max(0.0, support.weight))


def _joined(paths: Sequence[Edge]) -> Edge:
    supports = [path.support for path in paths]
    actors = frozenset[str]().union(*(support.actors for support in supports))
    positive, negative = exact_sum(s.positive for s in supports), exact_sum(s.negative for s in supports)
    deliveries = sum(path.deliveries for path in paths)
    return Edge(deliveries, Support(positive, negative, actors), exact_sum(path.walk for path in paths))


def _weights(edge: Edge) -> dict[str, Any]:
    support = edge.support
    return {
        "deliveries": edge.deliveries, "weight": support.weight, "positive": support.positive,
        "negative": support.negative, "walk": edge.walk, "actors": len(support.actors),
    }  # fmt: skip
