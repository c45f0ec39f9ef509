"""The fold: exact counts, in any order, and what does not count."""

from __future__ import annotations

import random

import pytest
from factories import DAY_0_US, make_log, make_outcome, make_page, make_search
from hypothesis import given
from hypothesis import strategies as st

from graph.events import CatalogueEvent, Tombstone
from graph.match_graph import Fold, Heard, fold, resolve_alias


def test_an_empty_log_counts_nothing() -> None:
    assert fold([]) == Fold()


def test_times_matched_counts_each_search_once() -> None:
    counts = fold([make_search(["a", "b"]), make_search(["b"], actor="ann"), make_search(["b"])])
    assert counts.times == {"a": 1, "b": 3}
    assert counts.actors == {("a", "local"): 1, ("b", "local"): 2, ("b", "ann"): 1}
    assert counts.intents == {"in_1": 3}
    assert counts.edges == {("in_1", "capability://a.b.c", "a"): 1, ("in_1", "capability://a.b.c", "b"): 3}


def test_a_further_page_continues_its_search() -> None:
    first = make_search(["a", "b"])
    counts = fold([first, make_page(first, [("b", True), ("c", False)])])
    assert counts.times == {"a": 1, "b": 1, "c": 1}
    assert counts.intents == {"in_1": 1}


@pytest.mark.parametrize("operation", ["search", "resolve", "different", "page"])
def test_every_operation_that_begins_is_a_search(operation: str) -> None:
    assert fold([make_search(["a"], operation=operation)]).intents == {"in_1": 1}


def test_an_artifact_delivered_under_two_capabilities_was_delivered_once() -> None:
    counts = fold([make_search([("a", "capability://a.b.c"), ("a", "capability://a.b.d")])])
    assert counts.times == {"a": 1}
    assert counts.edges.total() == 2


def test_abstained_and_synthetic_searches_count_nothing() -> None:
    events = [make_search(["a"], abstained=True), make_search(["a"], synthetic=True)]
    events += [make_outcome("se_1", "a", synthetic=True)]
    assert fold(events) == Fold()
    everything = fold(events, count_synthetic=True)  # a throw-away home folds all, but not what was not delivered
    assert everything.times == {"a": 1}
    assert len(everything.votes) == 1


def test_catalogue_events_and_tombstones_count_nothing() -> None:
    catalogue = CatalogueEvent(id="ce_1", time_us=DAY_0_US, action="artifact_added", subject="a")
    assert fold([catalogue, Tombstone(id="ts_1", time_us=DAY_0_US, erased=("se_1",), reason="asked")]) == Fold()


@pytest.mark.parametrize(
    ("outcomes", "counts"),
    [
        (["click", "select"], "select"),
        (["select", "click"], "select"),
        (["click", "dismiss"], "dismiss"),
        (["success", "select", "click"], "success"),
        (["failure", "select"], "failure"),
        (["success", "failure"], "success"),  # equally strong: the first
        (["failure", "success"], "failure"),
    ],
)
def test_the_strongest_outcome_counts_and_of_equals_the_first(outcomes: list[str], counts: str) -> None:
    search = make_search(["a"])
    events = [make_outcome(search, "a", outcome) for outcome in outcomes]
    for order in (events, events[::-1]):
        assert [vote.outcome for vote in fold(order).votes.values()] == [counts]


def test_each_actor_search_and_artifact_has_its_own_vote() -> None:
    one, two = make_search(["a", "b"]), make_search(["a"])
    events = [make_outcome(one, "a"), make_outcome(one, "b"), make_outcome(two, "a"), make_outcome(one, "a", actor="x")]
    counts = fold(events)
    assert len(counts.votes) == 4
    assert {vote.actor for vote in counts.votes_on("a")} == {"local", "x"}
    assert counts.votes_on("c") == []


@given(st.integers(0, 10_000), st.integers(0, 12))
def test_the_order_of_events_does_not_matter(seed: int, size: int) -> None:
    events = make_log(seed, size)
    shuffled = random.Random(seed + 1).sample(events, len(events))
    assert fold(shuffled) == fold(events)


@given(st.integers(0, 10_000), st.integers(0, 12))
def test_what_a_search_needs_is_part_of_all_counts(seed: int, size: int) -> None:
    events, heard = make_log(seed, size), Heard()
    for event in events:
        heard.apply(event, count_synthetic=False)
    counts = fold(events)
    needed = ("times", "first_us", "queries", "outcomes", "same", "votes")
    assert all(getattr(heard, name) == getattr(counts, name) for name in needed)
    assert not heard.edges and not heard.actors and not heard.intents


def test_selections_follow_each_outcome() -> None:
    one, two, counts = make_search(["a", "b"]), make_search(["a"]), Fold()
    seen = []
    for event in (one, two, make_outcome(one, "a", "click"), make_outcome(one, "a", "select"),
                  make_outcome(two, "a", actor="x"), make_outcome(two, "a")):  # fmt: skip
        counts.apply(event, count_synthetic=False)
        seen.append((counts.selections("a"), counts.is_chosen("a")))
    assert seen == [((0, 0), False)] * 3 + [((1, 1), True), ((2, 2), True), ((2, 2), True)]
    merge = CatalogueEvent(id="ca", time_us=1, action="actor_merged", subject="x", object="local")
    counts.apply(merge, count_synthetic=False)
    assert counts.selections("a") == (1, 2)
    assert not counts.is_chosen("b")


def test_aliases_lead_to_the_survivor_and_a_circle_ends() -> None:
    assert resolve_alias("c", {"a": "b", "b": "c"}) == "c"
    assert resolve_alias("a", {"a": "b", "b": "c"}) == "c"
    assert resolve_alias("a", {"a": "b", "b": "a"}) in ("a", "b")
