"""Inspecting the match graph: the answers of `graph …`, each a plain JSON document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection

from graph.errors import UnknownArtifact
from graph.events import SearchEvent, now_us
from graph.explain import Explanation, explain_artifact
from graph.home import Home
from graph.responses import GraphStats
from graph.scores import Score, score_all, score_inputs
from graph.statistics import MatchGraph, Neighbour, Node, read_match_graph
from graph.store import catalogue, log
from graph.store.evidence import check_evidence_chain
from search.show import distinct_actors, report_components, times_matched


def graph_stats(home: Home) -> GraphStats:
    """Counts of nodes, edges, searches, outcomes and actors."""
    with home.store.reading() as connection:
        counts = read_match_graph(connection, now_us()).stats()
        return GraphStats(**{**counts, "outcomes": log.count_outcomes(connection)})


def show_node(home: Home, name: str) -> dict[str, Any]:
    """One node with its counts.

    Raises
    ------
    UnknownArtifact
        The match graph has no such node; names the nearest.
    """
    with home.store.reading() as connection:
        match_graph = read_match_graph(connection, now_us())
        node = _find(connection, match_graph, name)
        neighbours = match_graph.neighbors(node.key)
        document: dict[str, Any] = {
            "node": node.id,
            "kind": node.kind,
            "label": labels(connection, [node])[node],
            "pagerank": match_graph.pagerank[node],
            "neighbors": len(neighbours),
        }
        if node.kind == "intent":
            document["searches"] = match_graph.fold.intents[node.id]
        if node.kind == "artifact":
            document["times_matched"] = times_matched(connection, node.id)
            document["distinct_actors"] = distinct_actors(connection, node.id)
            document["outcome_weight"] = sum(vote.weight for vote in match_graph.votes.get(node.id, ()))
        return document


def list_neighbours(home: Home, name: str) -> dict[str, Any]:
    """The nodes joined to one, strongest first.

    Raises
    ------
    UnknownArtifact
        The match graph has no such node; names the nearest.
    """
    with home.store.reading() as connection:
        match_graph = read_match_graph(connection, now_us())
        node = _find(connection, match_graph, name)
        found = match_graph.neighbors(node.key)
        named = labels(connection, [neighbour.node for neighbour in found])
        return {"node": node.id, "kind": node.kind, "neighbors": [_neighbour(n, named[n.node]) for n in found]}


def _neighbour(neighbour: Neighbour, label: str) -> dict[str, Any]:
    return {
        "kind": neighbour.node.kind, "id": neighbour.node.id, "label": label,
        "direction": "to" if neighbour.forward else "from", "searches": neighbour.deliveries,
        "weight": neighbour.weight, "actors": neighbour.actors,
    }  # fmt: skip


def explain_rank(home: Home, name: str) -> dict[str, Any]:
    """Every number behind an artifact's rank; contributions add up to it.

    Raises
    ------
    UnknownArtifact
        There is no such artifact; names the nearest.
    """
    with home.store.reading() as connection:
        artifact = catalogue.find_artifact(connection, name)
        now = now_us()
        score: Score = score_all(score_inputs(connection, now), now)[artifact.id]
        match_graph = read_match_graph(connection, now)
        matched = Node("artifact", artifact.id) in match_graph.nodes
        walk = explain_artifact(match_graph, artifact.id) if matched else None
        components = report_components(score)
        return {
            "artifact": artifact.id,
            "slug": artifact.slug,
            "as_of_us": now,
            "rank": score.rank,
            "known_weight": score.known_weight,
            "components": {key: part.model_dump(mode="json") for key, part in components.items()},
            "times_matched": times_matched(connection, artifact.id),
            "distinct_actors": distinct_actors(connection, artifact.id),
            "votes": [] if walk is None else _votes(walk),
            "match_graph": None if walk is None else _walk(connection, walk),
        }


def _votes(walk: Explanation) -> list[dict[str, Any]]:
    return [
        {
            "outcome": w.vote.outcome, "position": w.vote.position, "actor": w.vote.actor, "search": w.vote.search,
            "value": w.value, "examination": w.examination, "decay": w.decay, "cap_factor": w.cap, "weight": w.weight,
        }
        for w in walk.votes
    ]  # fmt: skip


def _walk(connection: Connection, walk: Explanation) -> dict[str, Any]:
    intents = labels(connection, [Node("intent", path.intent) for path in walk.paths])
    paths = [{**asdict(path), "label": intents[Node("intent", path.intent)]} for path in walk.paths]
    return {
        "voters": walk.voters, "selecting_actors": walk.selecting_actors, "positive": walk.positive,
        "negative": walk.negative, "pagerank": walk.pagerank, "flow": walk.flow, "shrink": walk.shrink,
        "success": asdict(walk.success), "paths": paths,
    }  # fmt: skip


def rebuild_graph(home: Home) -> dict[str, Any]:
    """Fold the log anew and keep the result; counts of events and evidence, their chains checked."""
    with home.store.writing() as connection:
        log.rebuild(connection)
    return check_graph(home)


def check_graph(home: Home) -> dict[str, Any]:
    """Whether the stored graph equals what the log gives, bit for bit; both chains are checked too.

    Raises
    ------
    StoreError
        The event log was altered; names the first event.
    EvidenceError
        The evidence was altered; names the first record.
    """
    with home.store.reading() as connection:
        return {
            "events": log.check_event_chain(connection),
            "evidence": check_evidence_chain(connection),
            "equal": log.is_fold_equal(connection),
        }


def labels(connection: Connection, nodes: Iterable[Node]) -> dict[Node, str]:
    """Readable names: an intent's most frequent query (ties: the first in the alphabet), a capability's label."""
    wanted = list(nodes)
    intents = {node.id for node in wanted if node.kind == "intent"}
    queries: dict[str, Counter[str]] = {}
    for event in log.read_events(connection, kind="search") if intents else ():
        if isinstance(event, SearchEvent) and event.intent in intents:
            queries.setdefault(event.intent, Counter())[event.query] += 1
    named = {c.uri: c.label for c in catalogue.all_canonical(connection)}
    slugs = {
        artifact.id: artifact.slug
        for artifact in catalogue.artifacts_by_id(connection, [n.id for n in wanted if n.kind == "artifact"]).values()
    }
    found = {}
    for node in wanted:
        if node.kind == "intent" and node.id in queries:
            found[node] = min(queries[node.id].items(), key=lambda pair: (-pair[1], pair[0]))[0]
        else:
            found[node] = named.get(node.id) or slugs.get(node.id) or node.id or f"no {node.kind}"
    return found


def _asked(connection: Connection, query: str) -> Node:
    """The intent of the newest search for exactly this; a node that is in no graph where there is none."""
    found = ""
    for event in log.read_events(connection, kind="search"):
        if isinstance(event, SearchEvent) and event.query == query and event.intent:
            found = event.intent
    return Node("intent", found)


def _find(connection: Connection, match_graph: MatchGraph, name: str) -> Node:
    """The node of this id, of the artifact with this slug or name, or of the intent of this query."""
    try:
        return match_graph.find(name)
    except UnknownArtifact as unknown:
        asked = _asked(connection, name)
        if asked in match_graph.nodes:
            return asked
        try:
            artifact = catalogue.find_artifact(connection, name)
        except UnknownArtifact as error:
            raise unknown from error
        if Node("artifact", artifact.id) not in match_graph.nodes:
            raise UnknownArtifact(name, unknown.suggestions, kind="node (it was never delivered) for") from unknown
        return Node("artifact", artifact.id)
