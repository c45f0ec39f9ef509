"""One node read from the store is the same node of the whole graph, bit for bit."""

from __future__ import annotations

import pytest
from factories import DAY_0_US, make_artifact, make_log, make_outcome
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, update

from graph.constants import DAY_US
from graph.errors import UnknownArtifact
from graph.events import CatalogueEvent, OutcomeEvent, SearchEvent, new_id
from graph.explain import explain_artifact, explain_part, find_crowd
from graph.home import Home
from graph.statistics import MatchGraph, Node, read_match_graph
from graph.store import catalogue, log
from graph.store.tables import ARTIFACTS, EVENTS, FOLD_TABLES
from graph.stored_nodes import find_stored_node, is_node, read_neighbours, read_part
from search.inspection.inspect_graph import explain_rank

NOW = DAY_0_US + DAY_US
MERGES = (
    ("capability_aliased", "capability://x.y.2", "capability://x.y.1"), ("actor_merged", "bob", "ann"),
    ("intent_merged", "in_2", "in_1"), ("artifact_merged", "b", "a"), ("actor_merged", "anonymous", "bob"),
)  # fmt: skip


def write(home: Home, seed: int, size: int, merged: int) -> None:
    merges = [
        CatalogueEvent(id=new_id("ce"), time_us=NOW, action=action, subject=one, object=into)
        for action, one, into in MERGES[:merged]
    ]
    with home.store.writing() as connection:
        for table in (EVENTS, *FOLD_TABLES):
            connection.execute(delete(table))
        log.append_events(connection, make_log(seed, size))
        log.append_events(connection, merges)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.integers(0, 10_000), st.integers(0, 12), st.integers(0, len(MERGES)), st.integers(0, 90))
def test_one_node_is_that_of_the_whole_graph(home: Home, seed: int, size: int, merged: int, until: int) -> None:
    write(home, seed, size, merged)
    with home.store.reading() as connection:
        newest = max((e.time_us for e in log.read_events(connection) if e.kind != "catalogue"), default=NOW)
        as_of_us = newest - until  # some outcomes are still to come
        whole = read_match_graph(connection, as_of_us)
        for node in whole.nodes:
            assert read_neighbours(connection, node, as_of_us) == whole.neighbours_of(node)
            assert find_stored_node(connection, node.key, as_of_us) == whole.find(node.key)
            if node.kind == "artifact":
                part = read_part(connection, node, as_of_us)
                assert part.votes.get(node.id) == whole.votes.get(node.id)
                assert part.paths_at(node) == whole.paths_at(node)
                assert part.seekers[node.id] == whole.seekers[node.id]
                explained = explain_artifact(whole, node.id)
                assert explained == explain_part(
                    part, node, pagerank=whole.pagerank[node], flow=whole.walks.flows.get(node.id, 0.0),
                    crowd=find_crowd(whole.walks, node.id),
                    neighbours=read_neighbours(connection, node, as_of_us),
                )  # fmt: skip
        for kind, id_ in (("intent", "in_3"), ("artifact", "e"), ("artifact", "d"), ("capability", "")):
            node = Node(kind, id_)
            assert is_node(connection, node, as_of_us) == (node in whole.nodes)


def test_an_unknown_name_has_the_same_suggestions_as_the_whole_graph(home: Home) -> None:
    write(home, 3, 9, 0)
    with home.store.reading() as connection:
        whole: MatchGraph = read_match_graph(connection, NOW)
        for name in ("in_11", "capability://x.y.3", "zzzz"):
            with pytest.raises(UnknownArtifact) as one:
                find_stored_node(connection, name, NOW)
            with pytest.raises(UnknownArtifact) as other:
                whole.find(name)
            assert str(one.value) == str(other.value)


# Scores kept --------------------------------------------------------------------------------------------
def with_artifacts(home: Home) -> list[SearchEvent | OutcomeEvent]:
    """A catalogue of a, b, c and d, and a log about them; the searches of the log."""
    events = make_log(5, 12)
    with home.store.writing() as connection:
        catalogue.save_artifacts(connection, [make_artifact(name) for name in "abcd"])
        log.append_events(connection, events)
    return events


def test_explain_says_the_same_from_kept_scores_and_after_an_outcome_something_new(home: Home) -> None:
    events = with_artifacts(home)
    delivered = next(event for event in events if isinstance(event, SearchEvent) and event.results)
    first = delivered.results[0].artifact
    one, other = (explain_rank(home, first) for _ in range(2))
    assert one["votes"] and [vote["search"] for vote in one["votes"]] == [vote["search"] for vote in other["votes"]]
    assert one["rank"] == pytest.approx(other["rank"], abs=1e-4)  # a moment older; the second was read
    with home.store.writing() as connection:
        log.append_events(connection, [make_outcome(delivered, first, actor="dan")])
    after = explain_rank(home, first)
    assert after["match_graph"]["voters"] == one["match_graph"]["voters"] + 1
    assert after["match_graph"]["crowd"]["voters"] == after["match_graph"]["voters"]
    assert after["as_of_us"] > one["as_of_us"]


def test_what_was_retired_has_no_rank_to_explain(home: Home) -> None:
    with_artifacts(home)
    with home.store.writing() as connection:
        connection.execute(update(ARTIFACTS).where(ARTIFACTS.c.id == "a").values(retired=True))
    with pytest.raises(UnknownArtifact, match="'a'"):
        explain_rank(home, "a")
