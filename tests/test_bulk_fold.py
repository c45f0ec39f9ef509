"""Folding a whole log in arrays gives the rows that folding event by event gives."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

import pytest
from factories import DAY_0_US, make_log, make_outcome, make_page, make_search
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, delete, update

from graph.events import CatalogueEvent
from graph.home import Home
from graph.identities import Identities
from graph.match_graph import Fold, fold
from graph.store import bulk_fold, log
from graph.store.bulk_fold import BulkFold
from graph.store.tables import (
    FOLD_ACTORS,
    FOLD_ARTIFACT_EDGES,
    FOLD_EDGES,
    FOLD_INTENT_EDGES,
    FOLD_INTENTS,
    FOLD_QUERIES,
    FOLD_SAME,
    FOLD_TABLES,
    FOLD_TIMES,
    FOLD_VOTES,
    UNPACKED_SEARCHES,
)

MERGES = (("artifact_merged", "b", "a"), ("capability_aliased", "capability://x.y.2", "capability://x.y.1"))


def rows_of(counts: Fold) -> dict[str, list[tuple[object, ...]]]:
    """The rows of the folded tables, from the other way of folding."""
    return {
        FOLD_TIMES.name: sorted((a, n, counts.first_us[a]) for a, n in counts.times.items()),
        FOLD_ACTORS.name: sorted((*pair, n) for pair, n in counts.actors.items()),
        FOLD_INTENTS.name: sorted(counts.intents.items()),
        FOLD_QUERIES.name: sorted((*key, n) for key, n in counts.queries.items()),
        FOLD_EDGES.name: sorted((*path, n) for path, n in counts.edges.items()),
        FOLD_INTENT_EDGES.name: edges_of(counts, 1, 0),
        FOLD_ARTIFACT_EDGES.name: edges_of(counts, 1, 2),
        FOLD_VOTES.name: sorted(
            (
                v.search,
                v.artifact,
                v.actor,
                v.level,
                v.intent,
                v.uri,
                v.outcome,
                v.position,
                v.trust,
                v.time_us,
                v.event,
            )
            for v in counts.outcomes.values()
        ),
        FOLD_SAME.name: sorted(counts.same.pairs),
    }


def edges_of(counts: Fold, source: int, target: int) -> list[tuple[object, ...]]:
    """Deliveries along the edges between two places of paths; 0 along those that only outcomes name."""
    edges: Counter[tuple[str, str]] = Counter()
    for path in {*counts.edges, *counts.named}:
        edges[path[source], path[target]] += counts.edges[path]
    return sorted((*pair, n) for pair, n in edges.items())


@given(st.integers(0, 10_000), st.integers(0, 12), st.booleans(), st.integers(0, 2), st.sampled_from([3, 4_000_000]))
def test_both_ways_of_folding_give_the_same_rows(
    seed: int, size: int, synthetic: bool, merged: int, compact: int
) -> None:
    events = [*make_log(seed, size), make_search(["é", "z", "\U0001f600"], query="日本"), make_search(["a", "b"])]
    events += [make_page(events[-1], [("b", True), ("c", False)]), make_outcome(events[-1], "b", "click")]
    unknown = make_outcome("se_gone", "z", "select", uri="capability://never.delivered.0")
    events += [unknown, unknown.model_copy(update={"id": "oc_late", "time_us": unknown.time_us + 1, "uri": None})]
    merges = [
        CatalogueEvent(id=f"ce_{n}", time_us=DAY_0_US, action=action, subject=one, object=into)
        for n, (action, one, into) in enumerate(MERGES[:merged])
    ]
    same = Identities()
    for event in merges:
        same.take(event)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(bulk_fold, "_COMPACT", compact)
        folded = BulkFold(same, count_synthetic=synthetic)
        for event in random.Random(seed).sample(events, len(events)):
            folded.take(event.model_dump_json())
    expected = rows_of(fold([*events, *merges], count_synthetic=synthetic))
    assert {table.name: list(rows) for table, rows in folded.tables()} == expected


@pytest.mark.parametrize(
    "spoil",
    [
        lambda c: c.execute(update(FOLD_TIMES).where(FOLD_TIMES.c.artifact == "a").values(searches=99)),
        lambda c: c.execute(update(FOLD_ACTORS).where(FOLD_ACTORS.c.artifact == "b").values(actor="eve")),
        lambda c: c.execute(update(FOLD_VOTES).values(trust=0.999)),
        lambda c: c.execute(update(FOLD_INTENT_EDGES).values(searches=99)),
        lambda c: c.execute(delete(FOLD_ARTIFACT_EDGES).where(FOLD_ARTIFACT_EDGES.c.artifact == "b")),
        lambda c: c.execute(delete(UNPACKED_SEARCHES)),
        lambda c: c.execute(delete(FOLD_EDGES).where(FOLD_EDGES.c.artifact == "b")),
        lambda c: c.execute(FOLD_QUERIES.insert(), [{"intent": "in", "query": "q", "actor": "x", "searches": 1}]),
        lambda c: c.execute(FOLD_SAME.insert(), [{"kind": "actor", "subject": "x", "object": "y"}]),
    ],
)
def test_the_check_sees_every_table_and_rebuilding_mends_it(home: Home, spoil: Callable[[Connection], object]) -> None:
    search = make_search(["a", "b"])
    with home.store.writing() as connection:
        log.append_events(connection, [search, make_outcome(search, "a")])
        assert log.is_fold_equal(connection)
        spoil(connection)
        assert not log.is_fold_equal(connection)
        log.rebuild(connection)
        assert log.is_fold_equal(connection)
        assert log.read_fold(connection) == log.refold(connection)


def test_a_merge_of_artifacts_folds_the_log_anew_and_counts_a_page_once(home: Home) -> None:
    search = make_search(["a", "b"])
    merge = CatalogueEvent(id="ce_1", time_us=DAY_0_US, action="artifact_merged", subject="b", object="a")
    with home.store.writing() as connection:
        log.append_events(connection, [search, make_outcome(search, "b", "click")])
        log.append_events(connection, [merge])
        log.append_events(connection, [make_outcome(search, "b", "success"), make_outcome(search, "a", "select")])
        counts = log.read_fold(connection)
        assert (counts.times, len(counts.votes), len(counts.outcomes)) == ({"a": 1}, 1, 3)
        assert counts == log.refold(connection)
        assert log.is_fold_equal(connection)


def test_a_fold_of_an_older_version_is_made_anew_when_the_home_is_opened(home: Home) -> None:
    from graph.home import open_home

    with home.store.writing() as connection:
        log.append_events(connection, [make_search(["a"])])
        for table in FOLD_TABLES:
            connection.execute(delete(table))
        connection.exec_driver_sql("DELETE FROM meta WHERE key = 'fold_format'")
    again = open_home(home.settings)
    with again.store.reading() as connection:
        assert log.read_fold(connection).times == {"a": 1}
    again.close()


@given(st.integers(0, 10_000), st.integers(0, 9), st.integers(0, 60))
def test_the_graph_as_of_a_moment_is_that_of_the_events_until_then(seed: int, size: int, after: int) -> None:
    from graph.statistics import build_match_graph

    events = make_log(seed, size)
    moment = (events[0].time_us if events else DAY_0_US) + after
    then, now = ([e for e in events if e.time_us <= moment], events)
    one, other = (build_match_graph(fold(each), moment) for each in (then, now))
    assert one.walks == other.walks  # a click counts until the success that outdid it, not only from then on
    assert one.walks.flows == other.walks.flows


def test_catching_up_is_reading_anew(home: Home) -> None:
    first = make_search(["a"])
    with home.store.writing() as connection:
        log.append_events(connection, [first])
        known, seq = log.read_fold(connection), log.last_seq(connection)
        log.append_events(connection, [make_outcome(first, "a"), make_search(["b"], synthetic=True)])
        assert log.catch_up(connection, known, seq)
        assert known == log.read_fold(connection)
        merge = CatalogueEvent(id="ce_1", time_us=DAY_0_US, action="actor_merged", subject="x", object="local")
        log.append_events(connection, [merge])
        assert not log.catch_up(connection, known, seq)
