"""Votes as columns weigh what votes weigh one by one, bit for bit; what was packed and what was noted are all votes."""

from __future__ import annotations

import numpy as np
import pytest
from factories import DAY_0_US, make_log, make_outcome, make_search
from hypothesis import given
from hypothesis import strategies as st

from graph.constants import DAY_US, OUTCOME_VALUE
from graph.events import OutcomeEvent
from graph.home import Home
from graph.match_graph import Vote
from graph.nodes import stored_nodes
from graph.packed_names import PackedNames, pack_names
from graph.statistics import Node, read_match_graph
from graph.store import log, packed_votes
from graph.store.database import fetch, run_many
from graph.store.packed_votes import keep_packing, pack_anew, pack_votes, read_packed, unpack_votes
from graph.vote_columns import exact_sums, weigh_columns
from graph.weights import exact_sum, weigh_votes
from search.inspection.inspect_graph import list_neighbours

NAMES = st.sampled_from(["a", "b", "é", "\U0001f600", "\ud800"])
VOTES = st.lists(
    st.builds(
        Vote, search=NAMES, artifact=st.just("a"), actor=NAMES, intent=NAMES, uri=NAMES,
        outcome=st.sampled_from(sorted(OUTCOME_VALUE)), position=st.integers(1, 30),
        trust=st.floats(0.01, 1.0), time_us=st.integers(DAY_0_US, DAY_0_US + 900 * DAY_US), event=st.uuids().map(str),
    ),
    max_size=30, unique_by=lambda vote: (vote.search, vote.artifact, vote.actor, vote.level),
)  # fmt: skip


@given(VOTES, st.integers(DAY_0_US, DAY_0_US + 3_000 * DAY_US))
def test_columns_weigh_what_votes_weigh(votes: list[Vote], as_of_us: int) -> None:
    rows = [(v.search, v.artifact, v.actor, v.level, v.intent, v.uri, v.outcome, v.position, v.trust, v.time_us,
             v.event) for v in votes]  # fmt: skip
    packed = unpack_votes(pack_votes(rows))
    weighed = weigh_columns(packed.columns, as_of_us)
    found = {
        (packed.names["actor"][actor], packed.names["intent"][intent], packed.names["capability"][uri], time_us):
            (decay, cap, weight)
        for actor, intent, uri, time_us, decay, cap, weight in zip(
            weighed.votes.actor, weighed.votes.intent, weighed.votes.uri, weighed.votes.time_us.tolist(),
            weighed.decay.tolist(), weighed.cap.tolist(), weighed.weight.tolist(), strict=True)
    }  # fmt: skip
    expected = weigh_votes(votes, as_of_us)
    assert found == {
        (w.vote.actor, w.vote.intent, w.vote.uri, w.vote.time_us): (w.decay, w.cap, w.weight) for w in expected
    }
    assert len(weighed.votes) == len(expected)


@given(st.lists(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=5), max_size=6))
def test_sums_of_runs_are_rounded_once(runs: list[list[float]]) -> None:
    starts = np.cumsum([0, *map(len, runs)])[:-1].astype(np.int64)
    values = np.array([value for run in runs for value in run], np.float64)
    assert exact_sums(values, starts).tolist() == [exact_sum(run) for run in runs]
    assert exact_sums(np.array([1e16, 1.0, 1.0]), np.array([0])).tolist() == [1e16 + 2]


@given(st.sets(st.text()), st.lists(st.text(), unique=True))
def test_packed_names_are_found_and_added(names: set[str], more: list[str]) -> None:
    packed = PackedNames(*pack_names(sorted(names)))
    assert [packed[packed.find(name)] for name in names] == list(names)  # type: ignore[index]
    assert all((packed.find(name) is None) == (name not in names) for name in more)
    numbers = [packed.number(name) for name in more]
    assert [packed[number] for number in numbers] == more and len(packed) == len(names | set(more))
    assert [packed.find(name) for name in more] == numbers


def outcomes(count: int) -> list[OutcomeEvent]:
    """Outcomes of as many searches."""
    return [make_outcome(make_search(["a"]), "a", actor=f"ac_{number}") for number in range(count)]


def test_a_reader_packs_when_many_searches_are_noted_and_loses_none(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr(stored_nodes, "MOST_BY_ROW", 2)
    monkeypatch.setattr(packed_votes, "MOST_UNPACKED", 4)
    with home.store.writing() as connection:
        log.append_events(connection, [*make_log(2, 6), *outcomes(5)])
        assert read_packed(connection)[1] is not None
    of = list_neighbours(home, "a", 50)
    with home.store.writing() as connection:
        assert fetch(connection, "SELECT * FROM unpacked_searches") == [] and read_packed(connection)[1] is None
        assert log.is_fold_equal(connection)
        packing = pack_anew(connection)
        again = outcomes(2)
        log.append_events(connection, again)
        keep_packing(connection, pack_anew(connection))
        keep_packing(connection, packing)  # of an earlier moment, after somebody else's: left out
        assert log.is_fold_equal(connection) and fetch(connection, "SELECT * FROM unpacked_searches") == []
        packing = pack_anew(connection)
        better = make_outcome(again[0].search, "a", "failure", actor=again[0].actor, time_us=again[0].time_us - 1)
        log.append_events(connection, [better])
        keep_packing(connection, packing)  # the search changed since: it stays noted
        assert fetch(connection, "SELECT search FROM unpacked_searches") == [(again[0].search,)]
        assert log.is_fold_equal(connection)
        newest = max(event.time_us for event in log.read_events(connection))
        whole = read_match_graph(connection, newest).neighbours_of(Node("artifact", "a"))
        page = stored_nodes.read_page(connection, Node("artifact", "a"), newest, 50)
        assert page.neighbours == whole and page.packing is None
    assert list_neighbours(home, "a", 50)["neighbors"] != of["neighbors"]


@pytest.mark.parametrize("name", ["artifact", "time_us", "kinds", "actor names", "mark"])
def test_damaged_votes_are_never_read(home: Home, name: str) -> None:
    with home.store.writing() as connection:
        log.append_events(connection, [*make_log(2, 6), *outcomes(5)])
        keep_packing(connection, pack_anew(connection))
        ((document,),) = fetch(connection, "SELECT document FROM packed_votes WHERE name = ?", (name,))
        damaged = bytes([document[0] ^ 1]) + bytes(document[1:])
        run_many(connection, "UPDATE packed_votes SET document = ? WHERE name = ?", [(damaged, name)])
        assert not log.is_fold_equal(connection)
        votes, packing = read_packed(connection)
        assert packing is not None and packing.documents == pack_anew(connection).documents
        assert votes.columns.time_us.tolist() == packing.votes.columns.time_us.tolist()
        keep_packing(connection, packing)
        assert log.is_fold_equal(connection) and read_packed(connection)[1] is None
