"""Nodes of the match graph by the names that people use, and names for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, func, select

from graph.errors import UnknownArtifact
from graph.graph_responses import NodeName, QueryCount
from graph.nodes.stored_nodes import find_stored_node, is_node
from graph.statistics import Node
from graph.store import catalogue
from graph.store.folded import read_identities
from graph.store.tables import FOLD_QUERIES

_IN_CHUNK = 500


def labels(connection: Connection, nodes: Iterable[Node]) -> dict[Node, str]:
    """Readable names: the query of an intent that most actors asked, a capability's label, an artifact's slug."""
    wanted = list(nodes)
    queries = intent_queries(connection, [node.id for node in wanted if node.kind == "intent" and node.id])
    named = {c.uri: c.label for c in catalogue.all_canonical(connection)} if _has(wanted, "capability") else {}
    artifacts = catalogue.artifacts_by_id(connection, [node.id for node in wanted if node.kind == "artifact"])
    found = {}
    for node in wanted:
        if node.kind == "intent" and queries.get(node.id):
            found[node] = queries[node.id][0].query
        elif node.kind == "artifact" and node.id in artifacts:
            found[node] = artifacts[node.id].slug
        else:
            found[node] = named.get(node.id) or node.id or f"no {node.kind}"
    return found


def _has(nodes: Sequence[Node], kind: str) -> bool:
    return any(node.kind == kind for node in nodes)


def intent_queries(connection: Connection, intents: Sequence[str]) -> dict[str, list[QueryCount]]:
    """The queries of each intent, merged ones included: of most actors first, then searches, then the alphabet."""
    same = read_identities(connection)
    members = {member: intent for intent in intents for member in same.members("intent", intent)}
    wanted = sorted(members)
    counted = (FOLD_QUERIES.c.intent, FOLD_QUERIES.c.query)
    query = select(*counted, func.count().label("actors"), func.sum(FOLD_QUERIES.c.searches).label("searches"))
    found: dict[str, list[QueryCount]] = {}
    for start in range(0, len(wanted), _IN_CHUNK):
        chunk = query.where(FOLD_QUERIES.c.intent.in_(wanted[start : start + _IN_CHUNK])).group_by(*counted)
        for row in connection.execute(chunk):
            count = QueryCount(query=row.query, searches=int(row.searches), actors=int(row.actors))
            found.setdefault(members[row.intent], []).append(count)
    return {intent: sorted(each, key=lambda c: (-c.actors, -c.searches, c.query)) for intent, each in found.items()}


def named(connection: Connection, nodes: Iterable[Node]) -> dict[Node, NodeName]:
    """The nodes as answers name them."""
    return {
        node: NodeName(kind=node.kind, id=node.id, label=label) for node, label in labels(connection, nodes).items()
    }


def find_node(connection: Connection, name: str, as_of_us: int) -> Node:
    """The node of this id or export key, of the artifact with this slug or name, or of the intent of this query.

    Raises
    ------
    UnknownArtifact
        There is none; names the nearest nodes, artifacts and queries.
    """
    try:
        return find_stored_node(connection, name, as_of_us)
    except UnknownArtifact as unknown:
        asked = _asked(connection, name)
        if asked is not None and is_node(connection, asked, as_of_us):
            return asked
        try:
            artifact = catalogue.find_artifact(connection, name)
        except UnknownArtifact as error:
            near = [*error.suggestions, *_near_queries(connection, name), *unknown.suggestions]
            raise UnknownArtifact(name, list(dict.fromkeys(near))[:3], kind="node") from error
        node = Node("artifact", artifact.id)
        if not is_node(connection, node, as_of_us):
            raise UnknownArtifact(name, unknown.suggestions, kind="node (it was never delivered) for") from unknown
        return node


def _asked(connection: Connection, query: str) -> Node | None:
    """The intent in which a query was asked the most."""
    asked = (
        select(FOLD_QUERIES.c.intent)
        .where(FOLD_QUERIES.c.query == query)
        .group_by(FOLD_QUERIES.c.intent)
        .order_by(func.sum(FOLD_QUERIES.c.searches).desc(), FOLD_QUERIES.c.intent)
    )
    found = connection.execute(asked.limit(1)).scalar_one_or_none()
    return None if found is None else Node("intent", read_identities(connection).resolve("intent", str(found)))


def _near_queries(connection: Connection, name: str) -> list[str]:
    from rapidfuzz import process

    known = connection.execute(select(FOLD_QUERIES.c.query).distinct().limit(20_000)).scalars().all()
    return [hit[0] for hit in process.extract(name[:200], sorted(known), limit=2, score_cutoff=75)]
