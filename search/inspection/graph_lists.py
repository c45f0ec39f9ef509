"""Lists and ways through the match graph: the answers of `graph top`, `graph path` and `graph export`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Final, TextIO

from sqlalchemy import Connection

from graph.errors import QueryError, SourceError
from graph.events import now_us
from graph.export import from_graphml, from_json, same_graph, to_graphml, to_json
from graph.graph_responses import (
    GraphExportReport,
    GraphPath,
    NodeKindName,
    PathReport,
    PathStep,
    TopNode,
    TopReport,
)
from graph.home import Home
from graph.paths import ExplanationPath, explanation_paths
from graph.statistics import MatchGraph, Node, read_match_graph
from graph.walks import KINDS
from graph.weights import exact_sum
from search.event_log import write_whole
from search.inspection.node_names import find_node, labels, named

ORDERS: Final = ("searches", "actors", "weight", "pagerank")
FORMATS: Final = ("json", "graphml")


def top_nodes(home: Home, kind: str, by: str = "searches", limit: int = 20) -> TopReport:
    """The nodes of a kind with most searches, actors, outcome weight or PageRank; ties by id.

    Raises
    ------
    QueryError
        There is no such kind or order.
    """
    wanted = _kind(kind)
    if by not in ORDERS:
        raise QueryError(f"--by {by[:40]!r}: choose from {', '.join(ORDERS)}")
    with home.store.reading() as connection:
        match_graph = read_match_graph(connection, now_us())
        actors = _actors(match_graph, wanted)
        nodes = [_counted(match_graph, node, actors) for node in match_graph.nodes if node.kind == wanted and node.id]
        nodes.sort(key=lambda each: (-getattr(each, by), each.id))
        shown = nodes[:limit]
        names = labels(connection, [Node(each.kind, each.id) for each in shown])
    return TopReport(
        kind=wanted, by=by, of=len(nodes),
        nodes=tuple(each.model_copy(update={"label": names[Node(each.kind, each.id)]}) for each in shown),
    )  # fmt: skip


def _kind(name: str) -> NodeKindName:
    for kind in KINDS:
        if name.removesuffix("s") == kind or (kind == "capability" and name == "capabilities"):
            return kind
    raise QueryError(f"no kind of node {name[:40]!r}: choose from {', '.join(KINDS)}")


def _actors(match_graph: MatchGraph, kind: NodeKindName) -> Counter[str]:
    """Distinct actors who searched, by node id; of a capability those who said something of what it delivered."""
    fold = match_graph.fold
    if kind == "artifact":
        return match_graph.seekers
    resolve = fold.same.resolve
    if kind == "intent":
        asked = {(resolve("intent", intent), resolve("actor", actor)) for intent, _, actor in fold.queries}
        return Counter(intent for intent, _ in asked)
    return Counter(uri for uri, _ in {(v.vote.uri, v.vote.actor) for each in match_graph.votes.values() for v in each})


def _counted(match_graph: MatchGraph, node: Node, actors: Counter[str]) -> TopNode:
    """A node with its counts, its label still its id."""
    paths = match_graph.paths_at(node).values()
    counts = {"artifact": match_graph.fold.times, "intent": match_graph.searches}
    searches = counts[node.kind][node.id] if node.kind in counts else sum(path.deliveries for path in paths)
    return TopNode(
        kind=node.kind, id=node.id, label=node.id, searches=searches, actors=actors[node.id],
        weight=exact_sum(path.support.weight for path in paths), pagerank=match_graph.pagerank[node],
    )  # fmt: skip


def find_paths(home: Home, source: str, target: str, count: int = 3) -> PathReport:
    """How two nodes are joined, the likeliest ways of a random walk first; no path where nothing joins them.

    Raises
    ------
    UnknownArtifact
        One is no node; names the nearest.
    """
    with home.store.reading() as connection:
        match_graph = read_match_graph(connection, now_us())
        ends = [find_node(connection, name, match_graph.as_of_us) for name in (source, target)]
        found = explanation_paths(match_graph, ends[0], ends[1], count)
        return _path_report(connection, ends, found)


def _path_report(connection: Connection, ends: list[Node], found: list[ExplanationPath]) -> PathReport:
    nodes = {*ends, *(node for path in found for step in path.steps for node in (step.source, step.target))}
    names = named(connection, sorted(nodes))
    paths = tuple(
        GraphPath(
            chance=path.chance,
            steps=tuple(
                PathStep(
                    source=names[step.source], target=names[step.target], forward=step.forward,
                    searches=step.deliveries, weight=step.weight, actors=step.actors, share=step.share,
                )
                for step in path.steps
            ),
        )
        for path in found
    )  # fmt: skip
    by = found[0].by if found else None
    return PathReport(source=names[ends[0]], target=names[ends[1]], by=by, paths=paths)


def export_graph(home: Home, file: Path | None, form: str | None, stream: TextIO) -> GraphExportReport:
    """What was written: the match graph as JSON or GraphML, to a file or a stream; read back and compared before that.

    Raises
    ------
    QueryError
        The format is none of json and graphml.
    HomeError
        The file cannot be written, or has no room; what was there before is still there.
    SourceError
        What was written does not give the same graph again.
    """
    chosen = form or ("graphml" if file is not None and file.suffix.lower() == ".graphml" else "json")
    if chosen not in FORMATS:
        raise QueryError(f"--format {chosen[:40]!r}: choose from {', '.join(FORMATS)}")
    with home.store.reading() as connection:
        match_graph = read_match_graph(connection, now_us())
    text = to_json(match_graph) if chosen == "json" else to_graphml(match_graph)
    G = match_graph.to_networkx()
    if not same_graph(G, from_json(text) if chosen == "json" else from_graphml(text)):
        raise SourceError("the export does not give the same graph again: report it", file=str(file or ""))
    if file is None:
        stream.write(text)
    else:
        write_whole(file, [text])
    return GraphExportReport(
        file=None if file is None else str(file), format="json" if chosen == "json" else "graphml",
        nodes=G.number_of_nodes(), edges=G.number_of_edges(),
    )  # fmt: skip
