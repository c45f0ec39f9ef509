"""The match graph with its statistics: intents → canonical capabilities → artifacts, as of a moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection

from graph.arrays import GraphArrays, join_paths
from graph.errors import UnknownArtifact
from graph.match_graph import Fold
from graph.store.log import read_fold
from graph.walks import KINDS, Node, NodeKind, Path, Walks, path_nodes, walk_votes
from graph.weights import Support, WeighedVote, exact_sum

if TYPE_CHECKING:
    import networkx

__all__ = ["Edge", "MatchGraph", "Neighbour", "Node", "NodeKind", "build_match_graph", "read_match_graph"]
_NOBODY: Final = Support(0.0, 0.0, frozenset())
NEXT_TO: Final[Mapping[NodeKind, tuple[tuple[NodeKind, int], ...]]] = {
    "intent": (("capability", 1),), "capability": (("intent", 0), ("artifact", 2)), "artifact": (("capability", 1),),
}  # fmt: skip
"""What a node of each kind has edges with, and where that stands in a path."""


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
    """The match graph as of a moment: same events and moment, same graph, bit for bit.

    `walks` is what outcomes alone say; everything else is derived when it is first asked for, and sorted. The fold must
    not change any more. What is asked about one node looks at the paths through it only.
    """

    as_of_us: int
    fold: Fold
    walks: Walks

    @property
    def votes(self) -> dict[str, list[WeighedVote]]:
        """The weighed votes, by artifact."""
        return self.walks.votes

    @property
    def aliases(self) -> dict[str, str]:
        """The URI that stands for each merged one."""
        return self.fold.same.survivors("capability")

    @cached_property
    def deliveries(self) -> Counter[Path]:
        """Delivering searches of each path."""
        return self.fold.deliveries()

    @cached_property
    def seekers(self) -> Counter[str]:
        """Distinct actors of the searches that delivered an artifact, by artifact."""
        return self.fold.seekers()

    @cached_property
    def searches(self) -> Counter[str]:
        """Searches of each intent."""
        return self.fold.searches()

    @cached_property
    def paths(self) -> dict[Path, Edge]:
        """What went along each path, by (intent id, URI, artifact id)."""
        return {path: self._edge(path) for path in self._paths}

    @cached_property
    def _paths(self) -> list[Path]:
        return sorted({*self.deliveries, *self.walks.supports})

    def paths_at(self, node: Node) -> dict[Path, Edge]:
        """What went along each path through a node."""
        return {path: self._edge(path) for path in self._through[node.kind].get(node.id, ())}

    def _edge(self, path: Path) -> Edge:
        walks = self.walks
        return Edge(self.deliveries[path], walks.supports.get(path, _NOBODY), walks.weights.get(path, 0.0))

    @cached_property
    def _through(self) -> dict[NodeKind, dict[str, list[Path]]]:
        """The paths through each node, by kind and id, sorted."""
        found: dict[NodeKind, dict[str, list[Path]]] = {"intent": {}, "capability": {}, "artifact": {}}
        intents, capabilities, artifacts = found.values()
        for path in self._paths:
            intent, uri, artifact = path
            intents.setdefault(intent, []).append(path)
            capabilities.setdefault(uri, []).append(path)
            artifacts.setdefault(artifact, []).append(path)
        return found

    @cached_property
    def edges(self) -> dict[tuple[Node, Node], Edge]:
        """The edges intent → capability and capability → artifact."""
        return _joined(self.paths, (0, 1), (1, 2))

    @cached_property
    def back(self) -> dict[tuple[Node, Node], Edge]:
        """The edges artifact → intent, which only the random walk takes."""
        return _joined(self.paths, (2, 0))

    @cached_property
    def arrays(self) -> GraphArrays:
        """The edges intent → capability → artifact as arrays."""
        return join_paths(self._paths, self.deliveries, self.walks.weights, self.nodes)

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """All nodes: those on paths, and intents whose searches delivered nothing."""
        ids = {**self._through, "intent": {*self._through["intent"], *self.searches}}
        return tuple(Node(kind, id_) for kind in sorted(KINDS) for id_ in sorted(ids[kind]))

    @cached_property
    def _known(self) -> frozenset[Node]:
        return frozenset(self.nodes)

    @cached_property
    def pagerank(self) -> dict[Node, float]:
        """Personalised PageRank of every node; see `Walks.ranks`. All 0 while no outcome speaks for anything."""
        return {node: self.walks.ranks.get(node, 0.0) for node in self.nodes}

    def stats(self) -> dict[str, int]:
        """Counts: nodes by kind, edges, searches, outcomes with a weight, and distinct actors who searched or voted."""
        kinds = Counter(node.kind for node in self.nodes if node.id)
        searching = {self.fold.same.resolve("actor", actor) for actor in {actor for _, actor in self.fold.actors}}
        voting = {weighed.vote.actor for votes in self.votes.values() for weighed in votes}
        return {
            "intents": kinds["intent"], "capabilities": kinds["capability"], "artifacts": kinds["artifact"],
            "edges": len(self.arrays.sources), "searches": self.fold.intents.total(),
            "outcomes": sum(map(len, self.votes.values())), "actors": len(searching | voting),
        }  # fmt: skip

    def neighbors(self, name: str) -> list[Neighbour]:
        """The nodes joined to one by an edge: strongest outcome weight first, then deliveries, then the node.

        Raises
        ------
        UnknownArtifact
            There is no such node; names the nearest.
        """
        return self.neighbours_of(self.find(name))

    def neighbours_of(self, node: Node) -> list[Neighbour]:
        """The nodes joined to a node of this graph by an edge; see `neighbors`."""
        deliveries: Counter[Node] = Counter()
        supports: dict[Node, list[Support]] = {}
        for path in self._through[node.kind].get(node.id, ()):
            support = self.walks.supports.get(path)
            for kind, place in NEXT_TO[node.kind]:
                near = Node(kind, path[place])
                deliveries[near] += self.deliveries[path]
                if support is not None:
                    supports.setdefault(near, []).append(support)
        return join_neighbours(node, deliveries, supports)

    def find(self, name: str, kinds: Sequence[NodeKind] = KINDS) -> Node:
        """The node with this id or export key; of several kinds the first.

        Raises
        ------
        UnknownArtifact
            There is none; names the nearest.
        """
        for kind in kinds:
            for id_ in (name, name.removeprefix(f"{kind}:")):
                candidate = Node(kind, self.fold.same.resolve(kind, id_))
                if candidate in self._known:
                    return candidate
        raise UnknownArtifact(
            name, nearest_node(name, [node for node in self.nodes if node.kind in kinds]), kind="node"
        )

    def to_networkx(self, *, back: bool = False) -> networkx.DiGraph:
        """The match graph for people: nodes by `Node.key`, with kind, id and counts.

        With `back`, the artifact → intent edges too: `networkx.pagerank` over the edge attribute `walk` (outcome
        weight, negative as 0), personalised by `walks.intent_weights`, then gives `pagerank`.
        """
        import networkx

        G = networkx.DiGraph(as_of_us=self.as_of_us)
        merged: dict[str, list[str]] = {}
        for alias, uri in sorted(self.aliases.items()):
            merged.setdefault(uri, []).append(alias)
        for node in self.nodes:
            G.add_node(node.key, **self._attributes(node, merged.get(node.id, [])))
        for (a, b), edge in [*self.edges.items(), *(self.back.items() if back else ())]:
            G.add_edge(a.key, b.key, **_weights(edge))
        return G

    def _attributes(self, node: Node, aliases: list[str]) -> dict[str, Any]:
        attributes: dict[str, Any] = {"kind": node.kind, "id": node.id, "pagerank": self.pagerank[node]}
        if node.kind == "capability":
            attributes["aliases"] = aliases
        if node.kind == "intent":
            attributes["searches"] = self.searches[node.id]
        if node.kind == "artifact":
            attributes |= {"times_matched": self.fold.times[node.id], "voters": self.walks.voters(node.id)}
        return attributes


def join_neighbours(
    node: Node, deliveries: Mapping[Node, int], supports: Mapping[Node, Sequence[Support]]
) -> list[Neighbour]:
    """A node's neighbours, strongest first, from the deliveries and the paths' supports along its edges."""
    order = KINDS.index(node.kind)
    found = [
        Neighbour(near, KINDS.index(near.kind) > order, count, support.weight, len(support.actors))
        for near, count in deliveries.items()
        for support in (_added(supports.get(near, ())),)
    ]
    return sorted(found, key=by_strength)


def by_strength(neighbour: Neighbour) -> tuple[float, int, Node]:
    """Sort key: the strongest outcome weight first, then most deliveries, then the node."""
    return -neighbour.weight, -neighbour.deliveries, neighbour.node


def nearest_node(name: str, nodes: Iterable[Node]) -> list[str]:
    """The ids of the nodes nearest to a name by their letters, the best three; ties in the order given."""
    from rapidfuzz import process

    near = process.extract(name[:200], [node.id for node in nodes if node.id], limit=3, score_cutoff=60)
    return list(dict.fromkeys(hit[0] for hit in near))


def build_match_graph(fold: Fold, as_of_us: int) -> MatchGraph:
    """The match graph of a fold as of a moment."""
    return MatchGraph(as_of_us, fold, walk_votes(fold, as_of_us))


def read_match_graph(connection: Connection, as_of_us: int) -> MatchGraph:
    """The match graph of a home's log as of a moment."""
    return build_match_graph(read_fold(connection), as_of_us)


def _joined(paths: Mapping[Path, Edge], *ends: tuple[int, int]) -> dict[tuple[Node, Node], Edge]:
    """Edges between the given places of paths, each the sum of the paths along it, sorted."""
    groups: dict[tuple[Node, Node], list[Edge]] = {}
    for path, edge in paths.items():
        nodes = path_nodes(path)
        for source, target in ends:
            groups.setdefault((nodes[source], nodes[target]), []).append(edge)
    return {pair: _sum_of(edges) for pair, edges in sorted(groups.items())}


def _sum_of(edges: Sequence[Edge]) -> Edge:
    deliveries = sum(edge.deliveries for edge in edges)
    return Edge(deliveries, _added([edge.support for edge in edges]), exact_sum(edge.walk for edge in edges))


def _added(supports: Sequence[Support]) -> Support:
    if not supports:
        return _NOBODY
    positive, negative = exact_sum(s.positive for s in supports), exact_sum(s.negative for s in supports)
    return Support(positive, negative, frozenset[str]().union(*(support.actors for support in supports)))


def _weights(edge: Edge) -> dict[str, Any]:
    support = edge.support
    return {
        "deliveries": edge.deliveries, "weight": support.weight, "positive": support.positive,
        "negative": support.negative, "walk": edge.walk, "actors": len(support.actors),
    }  # fmt: skip
