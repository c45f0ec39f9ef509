"""One node read from the store is the same node of the whole graph, bit for bit."""

from __future__ import annotations

from pathlib import Path

import pytest
from factories import DAY_0_US, make_log, make_outcome, make_search
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from graph.constants import DAY_US
from graph.errors import UnknownArtifact
from graph.events import CatalogueEvent, new_id
from graph.explain import explain_artifact
from graph.home import Home
from graph.statistics import MatchGraph, Node, read_match_graph
from graph.store import log
from graph.store.tables import EVENTS, FOLD_TABLES
from graph.stored_nodes import find_stored_node, is_node, read_neighbours, read_part

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
