"""One node of the match graph, read from the store by indexes: what is asked about it needs no other node.

Equal bit for bit to what `graph.statistics` says of the same node in the whole graph (`tests/test_stored_nodes.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Table, and_, func, select

from graph.errors import UnknownArtifact
from graph.explain import Crowd, Explanation, explain_part, shorten
from graph.identities import Identities
from graph.match_graph import Fold, Vote
from graph.nodes.hub_explanation import explain_hub
from graph.nodes.hub_neighbours import read_hub
from graph.nodes.node_edges import NodeEdges
from graph.statistics import NEXT_TO, MatchGraph, Neighbour, join_neighbours, nearest_node
from graph.store.folded import read_identities
from graph.store.packed_votes import COLUMN_OF, Packing, read_packed
from graph.store.tables import FOLD_ACTORS, FOLD_ARTIFACT_EDGES, FOLD_EDGES, FOLD_INTENTS, FOLD_TIMES, FOLD_VOTES
from graph.walks import KINDS, Node, NodeKind, walk_votes
from graph.weights import Support

MOST_BY_ROW: Final = 200
"""Of a node with more outcomes than this the strongest neighbours are found in the packed votes."""
_VOTE: Final = tuple(FOLD_VOTES.c[name] for name in Vote.__dataclass_fields__)
_IN_CHUNK: Final = 500


@dataclass(frozen=True)
class NeighbourPage:
    """The strongest neighbours, `of` how many, and the votes that were packed anew for it, which may be kept."""

    of: int
    neighbours: list[Neighbour]
    packing: Packing | None = None


def read_page(connection: Connection, node: Node, as_of_us: int, limit: int | None = None) -> NeighbourPage:
    """The strongest so many of the neighbours that `read_neighbours` gives."""
    same, packing = read_identities(connection), None
    if limit is not None and _has_many_votes(connection, node, same):
        packed, packing = read_packed(connection)
        page = read_hub(connection, node, as_of_us, limit, packed, same)
        if page is not None:
            return NeighbourPage(*page, packing)
    found = read_neighbours(connection, node, as_of_us)
    return NeighbourPage(len(found), found[:limit], packing)


def read_explanation(
    connection: Connection, artifact: Node, as_of_us: int, limit: int | None, *, pagerank: float, flow: float,
    crowd: Crowd,
) -> tuple[Explanation, Packing | None]:  # fmt: skip
    """The explanation of an artifact without its neighbours, and votes that were packed anew for it.

    With a limit, the newest so many votes and the strongest so many paths.
    """
    same, packing = read_identities(connection), None
    given: dict[str, Any] = {"pagerank": pagerank, "flow": flow, "crowd": crowd}
    if limit is not None and _has_many_votes(connection, artifact, same):
        packed, packing = read_packed(connection)
        short = explain_hub(connection, artifact, as_of_us, limit, packed, same, **given)
        if short is not None:
            return short, packing
    whole = explain_part(read_part(connection, artifact, as_of_us), artifact, neighbours=(), **given)
    return (whole if limit is None else shorten(whole, limit)), packing


def _has_many_votes(connection: Connection, node: Node, same: Identities) -> bool:
    counted = 0
    for ids in _chunks(same.members(node.kind, node.id)):
        first = select(FOLD_VOTES.c.search).where(FOLD_VOTES.c[COLUMN_OF[node.kind]].in_(ids)).limit(MOST_BY_ROW + 1)
        counted += connection.execute(select(func.count()).select_from(first.subquery())).scalar_one()
    return counted > MOST_BY_ROW


def read_neighbours(connection: Connection, node: Node, as_of_us: int) -> list[Neighbour]:
    """The nodes joined to a node by an edge, as `MatchGraph.neighbours_of` gives them; empty for an unknown node."""
    same = read_identities(connection)
    deliveries: Counter[Node] = Counter()
    for kind, _ in NEXT_TO[node.kind]:
        for near, searches in NodeEdges(connection, node, kind, same).all.items():
            deliveries[Node(kind, near)] += searches
    supports: dict[Node, list[Support]] = {}
    for path, support in walk_votes(read_votes_at(connection, node, same), as_of_us).supports.items():
        if path[KINDS.index(node.kind)] == node.id:
            for kind, place in NEXT_TO[node.kind]:
                near_node = Node(kind, path[place])
                deliveries[near_node] += 0
                supports.setdefault(near_node, []).append(support)
    return join_neighbours(node, deliveries, supports)


def read_part(connection: Connection, artifact: Node, as_of_us: int) -> MatchGraph:
    """The match graph of the paths through an artifact: its votes, supports, paths and actors are those of the whole.

    PageRank and flow are not: they depend on all artifacts.
    """
    same = read_identities(connection)
    counts = read_votes_at(connection, artifact, same)
    of_artifact = FOLD_EDGES.c.artifact == artifact.id
    for row in connection.execute(select(FOLD_EDGES).where(of_artifact)):
        counts.edges[row.intent, row.uri, row.artifact] = row.searches
    for row in connection.execute(select(FOLD_ACTORS).where(FOLD_ACTORS.c.artifact == artifact.id)):
        counts.actors[row.artifact, row.actor] = row.searches
    for row in connection.execute(select(FOLD_TIMES).where(FOLD_TIMES.c.artifact == artifact.id)):
        counts.times[row.artifact], counts.first_us[row.artifact] = row.searches, row.first_us
    return MatchGraph(as_of_us, counts, walk_votes(counts, as_of_us))


def read_votes_at(connection: Connection, node: Node, same: Identities) -> Fold:
    """The outcomes on paths through a node, and all others of the same actors on the same artifacts.

    The others are needed because an actor's weight on an artifact is capped over all intents.
    """
    counts = Fold(same=same)
    column = FOLD_VOTES.c[COLUMN_OF[node.kind]]
    for ids in _chunks(same.members(node.kind, node.id)):
        at_node = column.in_(ids)
        query = select(*_VOTE).where(at_node)
        if node.kind != "artifact":
            keys = ("artifact",) if same.survivors("actor") else ("artifact", "actor")
            pairs = select(*(FOLD_VOTES.c[key] for key in keys)).where(at_node).distinct().subquery()
            query = select(*_VOTE).join(pairs, and_(*(FOLD_VOTES.c[key] == pairs.c[key] for key in keys)))
        for row in connection.execute(query):
            counts.add_vote(Vote(*row))
    return counts


def find_stored_node(
    connection: Connection, name: str, as_of_us: int, kinds: Sequence[NodeKind] = KINDS
) -> Node:  # fmt: skip
    """The node with this id or export key; of several kinds the first; as `MatchGraph.find`.

    Raises
    ------
    UnknownArtifact
        There is none; names the nearest.
    """
    same = read_identities(connection)
    for kind in kinds:
        for id_ in (name, name.removeprefix(f"{kind}:")):
            candidate = Node(kind, same.resolve(kind, id_))
            if is_node(connection, candidate, as_of_us, same):
                return candidate
    known = {
        Node(kind, same.resolve(kind, str(id_)))
        for kind in kinds
        for table in _tables(kind)
        for id_ in connection.execute(select(table.c[COLUMN_OF[kind]]).distinct()).scalars()
    }
    raise UnknownArtifact(name, nearest_node(name, sorted(known)), kind="node")


def is_node(connection: Connection, node: Node, as_of_us: int, same: Identities | None = None) -> bool:
    """Whether the match graph has a node as of a moment: a path goes through it, or a search asked for it."""
    members = (same or read_identities(connection)).members(node.kind, node.id)
    for table in _tables(node.kind):
        for ids in _chunks(members):
            there: ColumnElement[bool] = table.c[COLUMN_OF[node.kind]].in_(ids)
            if table is FOLD_VOTES:
                there &= (FOLD_VOTES.c.time_us <= as_of_us) & (FOLD_VOTES.c.trust > 0)
            if table is FOLD_ARTIFACT_EDGES:
                there &= FOLD_ARTIFACT_EDGES.c.searches > 0
            if connection.execute(select(table.c[COLUMN_OF[node.kind]]).where(there).limit(1)).first() is not None:
                return True
    return False


def _tables(kind: NodeKind) -> tuple[Table, ...]:
    return (FOLD_INTENTS, FOLD_EDGES, FOLD_VOTES) if kind == "intent" else (FOLD_ARTIFACT_EDGES, FOLD_VOTES)


def _chunks(ids: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (ids[start : start + _IN_CHUNK] for start in range(0, len(ids), _IN_CHUNK))
