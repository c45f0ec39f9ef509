"""Inspecting the match graph: the answers of `graph …`, each a plain JSON document."""

from __future__ import annotations

import contextlib
from dataclasses import asdict
from typing import Any, Final

from sqlalchemy import Connection

from graph.co_match import co_matches, read_choices
from graph.communities import find_communities
from graph.errors import StoreError
from graph.events import now_us
from graph.explain import Explanation
from graph.graph_responses import (
    CrowdReport,
    Instead,
    NeighborReport,
    NeighborsReport,
    NodeReport,
    PathSumReport,
    RankExplanation,
    RebuildReport,
    Success,
    VoteReport,
    WalkReport,
)
from graph.home import Home
from graph.nodes.stored_nodes import read_explanation, read_page
from graph.ranks.kept_ranks import keep_newest
from graph.responses import GraphStats
from graph.statistics import MatchGraph, Neighbour, Node, read_match_graph
from graph.store import log
from graph.store.evidence import check_evidence_chain
from graph.store.packed_votes import Packing, keep_packing
from graph.weights import add_up, success_rate
from search.inspection.node_names import find_node, intent_queries, labels, named
from search.inspection.standings import artifact_standing
from search.show import distinct_actors, report_components

_MOST_QUERIES: Final = 10
_MOST_INSTEAD: Final = 10
_MOST_OF_COMMUNITY: Final = 20


def graph_stats(home: Home) -> GraphStats:
    """Counts of nodes, edges, searches, outcomes and actors."""
    with home.store.reading() as connection:
        counts = read_match_graph(connection, now_us()).stats()
        return GraphStats(**{**counts, "outcomes": log.count_outcomes(connection)})


def show_node(home: Home, name: str) -> dict[str, Any]:
    """One node with its counts, as `graph_responses.NodeReport`.

    Raises
    ------
    UnknownArtifact
        The match graph has no such node; names the nearest.
    """
    with home.store.reading() as connection:
        match_graph = read_match_graph(connection, now_us())
        node = find_node(connection, name, match_graph.as_of_us)
        community = find_communities(match_graph).of(node)
        others = named(connection, [each for each in community if each != node][:_MOST_OF_COMMUNITY])
        report = NodeReport(
            node=node.id, key=node.key, kind=node.kind, label=labels(connection, [node])[node],
            pagerank=match_graph.pagerank[node], neighbors=len(match_graph.neighbours_of(node)),
            community=tuple(others.values()), community_size=len(community), **_of_kind(connection, match_graph, node),
        )  # fmt: skip
    return report.model_dump(mode="json", exclude_none=True)


def _of_kind(connection: Connection, match_graph: MatchGraph, node: Node) -> dict[str, Any]:
    """What only nodes of this kind have."""
    if node.kind == "intent":
        queries = intent_queries(connection, [node.id]).get(node.id, [])
        return {"searches": match_graph.searches[node.id], "queries": tuple(queries[:_MOST_QUERIES])}
    if node.kind == "capability":
        return {"aliases": tuple(match_graph.fold.same.members("capability", node.id)[1:])}
    votes = match_graph.votes.get(node.id, [])
    support = add_up(votes)
    return {
        "times_matched": match_graph.fold.times[node.id], "distinct_actors": match_graph.seekers[node.id],
        "outcome_weight": support.weight, "voters": len(support.actors),
        "success": Success(**asdict(success_rate(weighed.vote for weighed in votes))),
        "chosen_instead": _instead(connection, node.id),
    }  # fmt: skip


def _instead(connection: Connection, artifact: str) -> tuple[Instead, ...]:
    """What was chosen instead of an artifact, the most actors first."""
    found = [each for each in co_matches(read_choices(connection, artifact), artifact) if each.instead or each.over]
    shown = found[:_MOST_INSTEAD]
    names = labels(connection, [Node("artifact", each.other) for each in shown])
    return tuple(
        Instead(
            artifact=each.other, label=names[Node("artifact", each.other)], together=each.together,
            instead=each.instead, instead_actors=each.instead_actors, over=each.over, over_actors=each.over_actors,
            both=each.both,
        )
        for each in shown
    )  # fmt: skip


def list_neighbours(home: Home, name: str, limit: int | None = None) -> dict[str, Any]:
    """The nodes joined to one, strongest first, at most so many, as `graph_responses.NeighborsReport`.

    Raises
    ------
    UnknownArtifact
        The match graph has no such node; names the nearest.
    """
    with home.store.reading() as connection:
        now = now_us()
        node = find_node(connection, name, now)
        page = read_page(connection, node, now, limit)
        names = labels(connection, [neighbour.node for neighbour in page.neighbours])
    _keep(home, page.packing)
    neighbours = tuple(_neighbour(each, names[each.node]) for each in page.neighbours)
    return NeighborsReport(node=node.id, kind=node.kind, of=page.of, neighbors=neighbours).model_dump(mode="json")


def _keep(home: Home, packing: Packing | None) -> None:
    """Keep votes that were packed for an answer; where another process writes just now, the next who asks packs."""
    if packing is not None:
        with contextlib.suppress(StoreError), home.store.writing(wait=False) as connection:
            keep_packing(connection, packing)


def _neighbour(neighbour: Neighbour, label: str) -> NeighborReport:
    return NeighborReport(
        kind=neighbour.node.kind, id=neighbour.node.id, label=label, direction="to" if neighbour.forward else "from",
        searches=neighbour.deliveries, weight=neighbour.weight, actors=neighbour.actors,
    )  # fmt: skip


def explain_rank(home: Home, name: str, limit: int | None = None) -> dict[str, Any]:
    """Every number behind an artifact's rank, as `graph_responses.RankExplanation`; contributions add up to it.

    With a limit, of its votes the newest so many and of its paths the strongest so many; the sums are of all.

    Raises
    ------
    UnknownArtifact
        There is no such artifact; names the nearest.
    """
    with artifact_standing(home, name) as (connection, artifact, standing):
        node, score = Node("artifact", artifact.id), standing.score
        inputs, times = score.components["match_graph"].detail, score.components["adoption"].detail["times_matched"]
        walk, packing = None, None
        if times or inputs["voters"]:  # the match graph has a node for it
            walk, packing = read_explanation(
                connection, node, standing.as_of_us, limit, pagerank=float(inputs["pagerank"] or 0.0),
                flow=float(inputs["flow"] or 0.0), crowd=standing.crowd,
            )  # fmt: skip
        answer = RankExplanation(
            artifact=artifact.id, slug=artifact.slug, as_of_us=standing.as_of_us, rank=score.rank,
            known_weight=score.known_weight, components=report_components(score),
            times_matched=int(times or 0), distinct_actors=distinct_actors(connection, artifact.id),
            votes_of=0 if walk is None else walk.votes_of, votes=() if walk is None else _votes(walk),
            match_graph=None if walk is None else _walk(connection, walk),
        )  # fmt: skip
    _keep(home, packing)
    return answer.model_dump(mode="json")


def _votes(walk: Explanation) -> tuple[VoteReport, ...]:
    return tuple(
        VoteReport(
            outcome=w.vote.outcome, position=w.vote.position, actor=w.vote.actor, search=w.vote.search, value=w.value,
            examination=w.examination, decay=w.decay, cap_factor=w.cap, weight=w.weight,
        )
        for w in walk.votes
    )  # fmt: skip


def _walk(connection: Connection, walk: Explanation) -> WalkReport:
    intents = labels(connection, [Node("intent", path.intent) for path in walk.paths])
    return WalkReport(
        voters=walk.voters, selecting_actors=walk.selecting_actors, positive=walk.positive, negative=walk.negative,
        pagerank=walk.pagerank, flow=walk.flow, shrink=walk.shrink, success=Success(**asdict(walk.success)),
        crowd=CrowdReport(**asdict(walk.crowd)), voted_paths=walk.voted_paths,
        paths=tuple(
            PathSumReport(**{**asdict(path), "label": intents[Node("intent", path.intent)]}) for path in walk.paths
        ),
    )  # fmt: skip


def rebuild_graph(home: Home) -> dict[str, Any]:
    """Fold the log anew and keep the result; counts of events and evidence, their chains checked."""
    with home.store.writing() as connection:
        log.rebuild(connection)
    keep_newest(home.store)
    return check_graph(home)


def check_graph(home: Home) -> dict[str, Any]:
    """Whether the stored graph equals what the log gives, bit for bit, as `RebuildReport`; both chains are checked too.

    Raises
    ------
    StoreError
        The event log was altered; names the first event.
    EvidenceError
        The evidence was altered; names the first record.
    """
    with home.store.reading() as connection:
        return RebuildReport(
            events=log.check_event_chain(connection), evidence=check_evidence_chain(connection),
            equal=log.is_fold_equal(connection),
        ).model_dump()  # fmt: skip
