"""The match graph's statistics: networkx as the oracle, exact counts, exports that come back."""

from __future__ import annotations

import json
import random

import networkx
import numpy as np
import pytest
from factories import DAY_0_US, make_log, make_outcome, make_search
from hypothesis import given
from hypothesis import strategies as st

from graph.constants import DAY_US
from graph.errors import SourceError, UnknownArtifact
from graph.events import CatalogueEvent, new_id
from graph.explain import explain_artifact
from graph.export import from_graphml, from_json, to_graphml, to_json
from graph.home import Home
from graph.match_graph import fold
from graph.pagerank import personalised_pagerank
from graph.statistics import MatchGraph, Node, build_match_graph, read_match_graph
from graph.store import log

NOW = DAY_0_US + DAY_US
X1, X2 = "capability://x.y.1", "capability://x.y.2"


def build(seed: int, size: int) -> MatchGraph:
    return build_match_graph(fold(make_log(seed, size)), NOW)


def merge(action: str, subject: str, into: str) -> CatalogueEvent:
    return CatalogueEvent(id=new_id("ce"), time_us=NOW, action=action, subject=subject, object=into)


def by_hand() -> MatchGraph:
    """Two intents, two capabilities, two artifacts: ann and bob like a, cy could not use b."""
    one = make_search([("a", X1), ("b", X2)], actor="ann", intent="in_1", time_us=NOW - 1)
    two = make_search([("a", X1)], actor="bob", intent="in_2", time_us=NOW - 1)
    votes = [
        make_outcome(one, "a", time_us=NOW), make_outcome(two, "a", "select", time_us=NOW),
        make_outcome(one, "b", "failure", actor="cy", position=1, time_us=NOW),
    ]  # fmt: skip
    return build_match_graph(fold([one, two, *votes]), NOW)


# Counts -------------------------------------------------------------------------------------------------
def test_stats_by_hand() -> None:
    assert by_hand().stats() == {
        "intents": 2, "capabilities": 2, "artifacts": 2, "edges": 5, "searches": 2, "outcomes": 3, "actors": 3,
    }  # fmt: skip
    assert set(build_match_graph(fold([]), NOW).stats().values()) == {0}


@given(st.integers(0, 10_000), st.integers(0, 9))
def test_stats_agree_with_the_networkx_graph(seed: int, size: int) -> None:
    match_graph = build(seed, size)
    stats, G = match_graph.stats(), match_graph.to_networkx()
    kinds = [attributes["kind"] for _, attributes in G.nodes(data=True) if attributes["id"]]
    assert [stats[f"{kind}s"] for kind in ("intent", "artifact")] == [kinds.count("intent"), kinds.count("artifact")]
    assert stats["capabilities"] == kinds.count("capability")
    assert stats["edges"] == G.number_of_edges()
    assert stats["searches"] == sum(searches for _, searches in G.nodes(data="searches") if searches)
    assert networkx.is_directed_acyclic_graph(G)


def test_edges_hold_deliveries_and_outcome_weights() -> None:
    edges = by_hand().edges
    a = edges[Node("capability", X1), Node("artifact", "a")]
    assert (a.deliveries, a.support.weight, len(a.support.actors)) == (2, 1.6, 2)
    b = edges[Node("intent", "in_1"), Node("capability", X2)]
    assert (b.deliveries, b.support.positive, b.support.negative) == (1, 0.0, -0.5)


# PageRank -----------------------------------------------------------------------------------------------
@given(st.integers(0, 10_000), st.integers(0, 9))
def test_pagerank_is_networkx_pagerank(seed: int, size: int) -> None:
    match_graph = build(seed, size)
    begin = {node.key: weight for node, weight in match_graph.walks.intent_weights.items()}
    if sum(begin.values()) == 0:
        assert set(match_graph.pagerank.values()) <= {0.0}
        return
    G = match_graph.to_networkx(back=True)
    expected = networkx.pagerank(G, alpha=0.85, personalization=begin, weight="walk", tol=1e-14, max_iter=1_000)
    assert {node.key: rank for node, rank in match_graph.pagerank.items()} == pytest.approx(expected, abs=1e-9)


@given(st.integers(0, 10_000), st.integers(1, 8), st.integers(0, 20))
def test_pagerank_of_any_graph_is_networkxs(seed: int, nodes: int, edges: int) -> None:
    draw = random.Random(seed)
    pairs = {(draw.randrange(nodes), draw.randrange(nodes)): draw.choice([0.0, 0.5, 3.0]) for _ in range(edges)}
    begin = [draw.choice([0.0, 1.0, 2.5]) for _ in range(nodes)]
    ranks = personalised_pagerank(
        np.array(begin), np.array([a for a, _ in pairs], np.int64), np.array([b for _, b in pairs], np.int64),
        np.array(list(pairs.values()), np.float64),
    )  # fmt: skip
    if sum(begin) == 0:
        assert ranks.tolist() == [0.0] * nodes
        return
    G = networkx.DiGraph()
    G.add_nodes_from(range(nodes))
    G.add_weighted_edges_from((a, b, weight) for (a, b), weight in pairs.items())
    expected = networkx.pagerank(G, alpha=0.85, personalization=dict(enumerate(begin)), tol=1e-14, max_iter=1_000)
    assert dict(enumerate(ranks.tolist())) == pytest.approx(expected, abs=1e-9)
    assert ranks.sum() == pytest.approx(1.0)


@given(st.integers(0, 10_000), st.integers(0, 9), st.integers(0, 99))
def test_the_same_events_give_the_same_bits_in_any_order(seed: int, size: int, order: int) -> None:
    events = make_log(seed, size)
    shuffled = build_match_graph(fold(random.Random(order).sample(events, len(events))), NOW)
    straight = build_match_graph(fold(events), NOW)
    assert shuffled.pagerank == straight.pagerank  # floats compared for equality: bit for bit
    assert shuffled.walks == straight.walks
    assert shuffled.walks.flows == straight.walks.flows
    assert shuffled.edges == straight.edges
    assert to_json(shuffled) == to_json(straight)


@pytest.mark.parametrize("kinds", [["click", "success"], ["click", "success", "failure", "dismiss"]])
def test_the_flow_is_the_sum_of_an_artifacts_paths(kinds: list[str]) -> None:
    draw, events = random.Random(3), []
    for number in range(60):
        search = make_search(
            [(artifact, draw.choice([X1, X2])) for artifact in draw.sample("abcde", 3)],
            actor=f"actor {number % 17}", intent=f"in_{number % 5}", time_us=DAY_0_US - number * DAY_US,
        )  # fmt: skip
        events += [search, make_outcome(search, draw.choice(search.results).artifact, draw.choice(kinds))]
    match_graph = build_match_graph(fold(events), NOW)
    negative = [path for path in match_graph.paths.values() if path.support.weight < 0]
    assert bool(negative) == ("failure" in kinds)
    for artifact, flow in match_graph.walks.flows.items():
        paths = [path for (_, _, end), path in match_graph.paths.items() if end == artifact]
        assert flow == pytest.approx(sum(max(0.0, path.support.weight) for path in paths), abs=1e-9)
    assert sum(match_graph.walks.flows.values()) > 1


def test_a_failing_artifact_gets_nothing_and_lifts_nobody() -> None:
    match_graph = by_hand()
    assert match_graph.pagerank[Node("artifact", "b")] == 0.0
    assert match_graph.walks.flows["b"] == 0.0
    assert match_graph.walks.flows["a"] == pytest.approx(1.6)


# Aliases ------------------------------------------------------------------------------------------------
def test_a_merged_capability_is_its_survivor(home: Home) -> None:
    old, new = make_search([("a", X1)]), make_search([("b", X2)])
    with home.store.writing() as connection:
        log.append_events(connection, [old, new, make_outcome(old, "a"), make_outcome(new, "b")])
        log.append_events(connection, [merge("capability_aliased", X2, X1)])
        match_graph = read_match_graph(connection, NOW)
    assert match_graph.stats()["capabilities"] == 1
    assert {each.node.id for each in match_graph.neighbors(X2) if each.forward} == {"a", "b"}
    assert match_graph.to_networkx().nodes[X1]["aliases"] == [X2]
    assert match_graph.stats()["outcomes"] == 2


# Looking up ---------------------------------------------------------------------------------------------
def test_neighbours_come_strongest_first() -> None:
    match_graph = by_hand()
    near = match_graph.neighbors("in_1")
    assert [(each.node.id, each.weight, each.deliveries) for each in near] == [(X1, 1.0, 1), (X2, -0.5, 1)]
    assert [each.node.id for each in match_graph.neighbors("artifact:a")] == [X1]
    assert match_graph.neighbors(X1) == match_graph.neighbors(f"capability:{X1}")


@given(st.integers(0, 10_000), st.integers(1, 9))
def test_neighbours_are_the_ends_of_edges(seed: int, size: int) -> None:
    match_graph = build(seed, size)
    G = match_graph.to_networkx()
    for node in match_graph.nodes:
        expected = {(b, True): data for _, b, data in G.out_edges(node.key, data=True)}
        expected |= {(a, False): data for a, _, data in G.in_edges(node.key, data=True)}
        found = {(near.node.key, near.forward): near for near in match_graph.neighbours_of(node)}
        assert found.keys() == expected.keys()
        for end, near in found.items():
            assert (near.deliveries, near.actors) == (expected[end]["deliveries"], expected[end]["actors"])
            assert near.weight == pytest.approx(expected[end]["weight"], abs=1e-12)


def test_an_unknown_node_names_the_nearest() -> None:
    with pytest.raises(UnknownArtifact, match="no node 'in_11': did you mean in_1, in_2") as caught:
        by_hand().neighbors("in_11")
    assert caught.value.kind == "node"
    with pytest.raises(UnknownArtifact, match="no node 'in_1'"):  # an intent is no artifact
        explain_artifact(by_hand(), "in_1")


def test_an_explanation_adds_up() -> None:
    explanation = explain_artifact(by_hand(), "a")
    assert (explanation.times_matched, explanation.distinct_actors, explanation.voters) == (2, 2, 2)
    assert sum(weighed.weight for weighed in explanation.votes) == explanation.positive + explanation.negative == 1.6
    assert [(path.intent, path.uri, path.searches, path.positive) for path in explanation.paths] == [
        ("in_1", X1, 1, 1.0), ("in_2", X1, 1, 0.6),
    ]  # fmt: skip
    assert explanation.shrink == pytest.approx(2 / 6)
    assert (explanation.success.successes, explanation.success.mean) == (1, pytest.approx(2 / 3))


def test_a_crowd_that_came_for_one_artifact_alone_is_seen() -> None:
    events = []
    for number in range(30):
        search = make_search(["a", "b", "c"], actor=f"user {number}", time_us=DAY_0_US - number * DAY_US)
        events += [
            search,
            *(make_outcome(search, name, time_us=search.time_us + 1) for name in "abc" if name != "a" or number < 5),
        ]
    for number in range(20):
        search = make_search(["a"], actor=f"hired {number}", time_us=DAY_0_US - 7 * DAY_US)
        events += [search, make_outcome(search, "a", time_us=search.time_us + number)]
    match_graph = build_match_graph(fold(events), NOW)
    crowd, honest = explain_artifact(match_graph, "a").crowd, explain_artifact(match_graph, "b").crowd
    assert (crowd.voters, crowd.only_here, crowd.only_here_elsewhere, crowd.busiest_day_voters) == (25, 20, 0.0, 20)
    assert (honest.voters, honest.only_here, honest.only_here_elsewhere, honest.busiest_day_voters) == (30, 0, 0.4, 1)
    assert honest.largest_actor_share < 0.05
    alone = make_search(["a"])
    one = explain_artifact(build_match_graph(fold([alone, make_outcome(alone, "a")]), NOW), "a").crowd
    assert (one.voters, one.only_here, one.only_here_elsewhere, one.largest_actor_share) == (1, 1, None, 1.0)


def test_an_artifact_nobody_voted_on_is_explained_too() -> None:
    search = make_search(["a"])
    explanation = explain_artifact(build_match_graph(fold([search]), NOW), "a")
    assert (explanation.times_matched, explanation.voters, explanation.flow, explanation.votes) == (1, 0, 0.0, ())


# Export -------------------------------------------------------------------------------------------------
def same(one: networkx.DiGraph, other: networkx.DiGraph) -> bool:
    return one.graph == other.graph and dict(one.nodes(data=True)) == dict(other.nodes(data=True)) and (
        {(a, b): data for a, b, data in one.edges(data=True)} == {(a, b): data for a, b, data in other.edges(data=True)}
    )  # fmt: skip


names = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=12)


@given(st.integers(0, 10_000), names, names)
def test_exports_come_back_equal_whatever_the_names(seed: int, artifact: str, intent: str) -> None:
    search = make_search([(artifact, X1)], intent=intent)
    events = [*make_log(seed, 4), search, make_outcome(search, artifact), merge("capability_aliased", X2, X1)]
    match_graph = build_match_graph(fold([*events, merge("capability_aliased", "capability://x.y.0", X2)]), NOW)
    G = match_graph.to_networkx()
    assert same(from_json(to_json(match_graph)), G)
    assert same(from_graphml(to_graphml(match_graph)), G)
    assert not same(from_json(to_json(match_graph).replace('"actors": 1', '"actors": 2')), G)


def test_graphml_is_read_by_networkx_itself() -> None:
    G = networkx.parse_graphml(to_graphml(by_hand()))
    assert G.number_of_edges() == 5
    assert G.nodes[X1]["aliases"] == "json:[]"


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"schema_version": 1, "nodes": 3}', "<graphml/>"])
def test_what_is_no_export_is_refused_with_its_name(text: str) -> None:
    with pytest.raises(SourceError, match=r"^x\.json: not a match graph in JSON"):
        from_json(text, "x.json")
    with pytest.raises(SourceError, match=r"^x\.xml: not a match graph in GraphML"):
        from_graphml(text, "x.xml")


def test_another_schema_version_is_refused() -> None:
    later = json.dumps(json.loads(to_json(by_hand())) | {"schema_version": 2})
    with pytest.raises(SourceError, match="schema version 2, not 1"):
        from_json(later)
