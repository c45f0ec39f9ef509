"""Near nodes, communities, explanation paths and co-match, each beside networkx or counted by hand."""

from __future__ import annotations

import math
import random
from itertools import pairwise

import networkx
import pytest
from factories import DAY_0_US, make_log, make_outcome, make_page, make_search
from hypothesis import given
from hypothesis import strategies as st

from graph.arrays import By
from graph.co_match import Choice, CoMatch, co_matches, instead_matrix, read_choices
from graph.communities import find_communities
from graph.constants import DAY_US
from graph.events import CatalogueEvent
from graph.home import Home
from graph.match_graph import fold
from graph.paths import explanation_paths
from graph.related import related
from graph.statistics import MatchGraph, Node, build_match_graph
from graph.store import log

NOW = DAY_0_US + DAY_US
X1, X2 = "capability://x.y.1", "capability://x.y.2"


def build(seed: int, size: int) -> MatchGraph:
    return build_match_graph(fold(make_log(seed, size)), NOW)


def undirected(match_graph: MatchGraph, by: By) -> networkx.Graph:
    """The same edges as networkx sees them, without those that weigh nothing."""
    G = networkx.Graph()
    for (a, b), edge in match_graph.edges.items():
        weight = edge.walk if by == "outcomes" else edge.deliveries
        if weight > 0:
            G.add_edge(a, b, weight=float(weight))
    return G


def two_camps() -> MatchGraph:
    """Ten searches about pictures and ten about texts; one search confuses the two."""
    events = []
    for number in range(10):
        for camp in ("picture", "text"):
            search = make_search(
                [(f"{camp} {i}", f"capability://x.{camp}.0") for i in range(3)], intent=f"in_{camp}_{number % 3}",
                actor=f"actor {number}", time_us=NOW - 2,
            )  # fmt: skip
            events += [search, *(make_outcome(search, f"{camp} {i}", time_us=NOW - 1) for i in range(3))]
    odd = make_search([("text 0", "capability://x.picture.0")], intent="in_picture_0", actor="odd", time_us=NOW - 2)
    return build_match_graph(fold([*events, odd, make_outcome(odd, "text 0", "click", time_us=NOW - 1)]), NOW)


# Near ---------------------------------------------------------------------------------------------------
@given(st.integers(0, 10_000), st.integers(1, 9), st.sampled_from(["outcomes", "deliveries"]))
def test_related_is_networkx_personalised_pagerank(seed: int, size: int, by: By) -> None:
    match_graph = build(seed, size)
    G = undirected(match_graph, by)
    G.add_nodes_from(match_graph.nodes)
    starts = {node: 1.0 + i for i, node in enumerate(random.Random(seed).sample(match_graph.nodes, min(2, len(G))))}
    if not starts:
        return
    expected = networkx.pagerank(G, personalization=starts, tol=1e-14, max_iter=1_000)
    found = related(match_graph, starts, by)
    assert found == pytest.approx(expected, abs=1e-9)
    assert list(found.values()) == sorted(found.values(), reverse=True)


def test_what_is_near_a_picture_artifact_are_picture_artifacts() -> None:
    match_graph = two_camps()
    near = [node.id for node in related(match_graph, {match_graph.find("picture 1"): 1.0}) if node.kind == "artifact"]
    assert set(near[:3]) == {"picture 0", "picture 1", "picture 2"}


# Communities --------------------------------------------------------------------------------------------
@given(st.integers(0, 10_000), st.integers(0, 9), st.sampled_from(["outcomes", "deliveries"]))
def test_communities_are_a_partition_with_networkxs_modularity(seed: int, size: int, by: By) -> None:
    match_graph = build(seed, size)
    G, found = undirected(match_graph, by), find_communities(match_graph, by)
    assert sorted(node for group in found.groups for node in group) == sorted(G.nodes)
    if not len(G):
        assert (found.groups, found.modularity) == ((), 0.0)
        return
    assert found.modularity == pytest.approx(networkx.community.modularity(G, found.groups), abs=1e-9)
    best_of_louvain = networkx.community.modularity(G, networkx.community.louvain_communities(G, seed=0))
    assert found.modularity >= best_of_louvain - 0.02
    assert all(networkx.is_connected(G.subgraph(group)) for group in found.groups)  # what Leiden guarantees
    assert find_communities(match_graph, by) == found


def test_two_camps_are_two_communities() -> None:
    match_graph = two_camps()
    found = find_communities(match_graph)
    assert {node.id for node in found.of(match_graph.find("picture 0")) if node.kind == "artifact"} == {
        "picture 0", "picture 1", "picture 2",
    }  # fmt: skip
    assert len(found.groups) == 2
    assert found.of(Node("artifact", "unknown")) == ()


# Paths --------------------------------------------------------------------------------------------------
@given(st.integers(0, 10_000), st.integers(1, 9))
def test_the_likeliest_path_is_networkxs_shortest_on_minus_log_share(seed: int, size: int) -> None:
    match_graph = build(seed, size)
    ends = random.Random(seed).choices(match_graph.nodes, k=2) if match_graph.nodes else []
    if len(set(ends)) < 2:
        return
    found = explanation_paths(match_graph, *ends)
    for by in ("outcomes", "deliveries"):
        G = undirected(match_graph, by)
        leaving = dict(G.degree(weight="weight"))
        D = networkx.DiGraph()
        for a, b, weight in G.edges(data="weight"):
            D.add_edge(a, b, length=-math.log(weight / leaving[a]))
            D.add_edge(b, a, length=-math.log(weight / leaving[b]))
        if set(ends) <= set(D.nodes) and networkx.has_path(D, *ends):
            length = networkx.shortest_path_length(D, *ends, weight="length")
            assert (found[0].by, found[0].chance) == (by, pytest.approx(math.exp(-length)))
            assert [path.chance for path in found] == sorted((path.chance for path in found), reverse=True)
            break
    else:
        assert found == []
    for path in found:
        assert (path.steps[0].source, path.steps[-1].target) == tuple(ends)
        assert all(one.target == two.source for one, two in pairwise(path.steps))
        assert path.chance == pytest.approx(math.prod(step.share for step in path.steps))


def test_a_path_tells_its_edges_and_which_way_they_lead() -> None:
    match_graph = two_camps()
    intent, artifact = match_graph.find("in_picture_0"), match_graph.find("picture 1")
    first, second = explanation_paths(match_graph, artifact, intent)[0].steps
    assert (first.source, first.target.kind, second.target) == (artifact, "capability", intent)
    assert (first.forward, second.forward) == (False, False)
    assert (first.deliveries, first.weight, first.actors, first.share) == (10, pytest.approx(10.0), 10, 1.0)
    assert explanation_paths(match_graph, intent, intent)[0].steps == ()
    lonely = build_match_graph(fold([make_search([], intent="in_2"), make_search(["a"])]), NOW)
    assert explanation_paths(lonely, Node("intent", "in_2"), Node("artifact", "a")) == []


# Co-match -----------------------------------------------------------------------------------------------
def test_what_is_chosen_instead_by_hand() -> None:
    both = frozenset("ab")
    choices = [
        Choice("se_1", "ann", both, frozenset("b")), Choice("se_2", "ann", both, frozenset("b")),
        Choice("se_3", "bob", both, frozenset("a")), Choice("se_4", "bob", both, both),
        Choice("se_5", "cy", frozenset("bc"), frozenset("b")), Choice("se_6", "cy", frozenset("ac"), frozenset("c")),
    ]  # fmt: skip
    assert co_matches(choices, "a") == [
        CoMatch("a", "b", together=4, instead=2, instead_actors=1, over=1, over_actors=1, both=1),
        CoMatch("a", "c", together=1, instead=1, instead_actors=1, over=0, over_actors=0, both=0),
    ]
    assert co_matches(choices, "unknown") == []
    assert instead_matrix(choices, ["a", "b", "c"]).tolist() == [[0, 2, 1], [1, 0, 0], [0, 1, 0]]


@given(st.integers(0, 10_000), st.integers(0, 12))
def test_co_match_is_the_projection_of_networkx(seed: int, size: int) -> None:
    draw = random.Random(seed)
    choices = []
    for number in range(size):
        delivered = draw.sample("abcde", draw.randint(1, 5))
        taken = frozenset(draw.sample(delivered, draw.randint(0, len(delivered))))
        choices.append(Choice(f"se_{number}", draw.choice(["ann", "bob"]), frozenset(delivered), taken))
    B = networkx.Graph()
    B.add_nodes_from(["none", *"abcde"])
    B.add_edges_from((c.search, artifact) for c in choices if c.taken for artifact in c.delivered)
    together = networkx.bipartite.weighted_projected_graph(B, "abcde")
    matrix = instead_matrix(choices, list("abcde"))
    for artifact in "abcde":
        found = {each.other: each for each in co_matches(choices, artifact)}
        assert {other: each.together for other, each in found.items()} == {
            other: together[artifact][other]["weight"] for other in together[artifact]
        }
        for other, each in found.items():
            assert each.instead == matrix["abcde".index(artifact), "abcde".index(other)]
            assert each.over == matrix["abcde".index(other), "abcde".index(artifact)]
            assert each.instead + each.over + each.both <= each.together


def test_choices_are_read_from_the_log_over_pages_and_merges(home: Home) -> None:
    first = make_search(["a", "b"], actor="ann", intent="in_1")
    page = make_page(first, [("b", True), ("c", False)], actor="ann", intent="in_1")
    other = make_search(["d"], actor="ann", intent="in_2")
    bot = make_search(["a", "b"], synthetic=True)
    merged = CatalogueEvent(id="ce", time_us=NOW, action="artifact_merged", subject="c", object="c new")
    events = [
        first, page, other, bot, make_outcome(first, "c", "select"), make_outcome(first, "b", "click"),
        make_outcome(other, "d", "success"), make_outcome(bot, "b", "success", synthetic=True),
    ]  # fmt: skip
    with home.store.writing() as connection:
        log.append_events(connection, [*events, merged])
        expected = Choice(first.id, "ann", frozenset({"a", "b", "c new"}), frozenset({"c new"}))
        assert read_choices(connection, "a") == [expected]
        assert {choice.search for choice in read_choices(connection)} == {first.id, other.id}
    assert [(m.other, m.instead) for m in co_matches([expected], "a")] == [("c new", 1), ("b", 0)]
