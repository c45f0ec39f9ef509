"""The votes as arrays: what the definition says, event by event, in any order, to the last bit."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_weights import NOW, make_fold, make_vote, votes_of_few

from graph.constants import DAY_US
from graph.match_graph import Fold, Vote
from graph.vote_table import Column, VoteTable
from graph.weights import neighbour_votes

SIMILAR = {"in_1": 1.0, "in_2": 0.37, "in_9": 0.5}


def _near(table: VoteTable, similar: dict[str, float], as_of_us: int) -> dict[str, float]:
    found = table.near(list(similar), np.array(list(similar.values())), as_of_us)
    return {artifact: float(found[number]) for artifact, number in table.artifacts.items() if found[number]}


def _nonzero(votes: dict[str, float]) -> dict[str, float]:
    return {artifact: value for artifact, value in votes.items() if abs(value) > 1e-11}


@given(votes_of_few, st.integers(0, 2_000))
def test_it_is_the_definition(votes: list[Vote], days_ago: int) -> None:
    fold, table = make_fold(votes), VoteTable()
    table.follow(fold)
    for as_of_us in (NOW - days_ago * DAY_US, NOW + 3 * DAY_US):  # some votes are later than the first moment
        expected = neighbour_votes(fold, SIMILAR, as_of_us)
        assert _nonzero(_near(table, SIMILAR, as_of_us)) == pytest.approx(_nonzero(expected), abs=1e-10)


@given(votes_of_few, st.lists(st.tuples(st.sampled_from(["actor", "intent"]), st.integers(0, 3)), max_size=3))
def test_followed_event_by_event_it_is_the_same_bits(votes: list[Vote], merges: list[tuple[str, int]]) -> None:
    fold, table = Fold(), VoteTable()
    for number, vote in enumerate(votes):
        fold.add_vote(vote)
        if number < len(merges):
            kind, which = merges[number]
            names = ["ann", "bob", "cy", "anonymous"] if kind == "actor" else ["in_1", "in_2", "in_3", "in_9"]
            fold.same.add(kind, names[which], names[(which + 1) % 4])  # type: ignore[arg-type]
        table.follow(fold)
    shuffled = random.Random(1).sample(votes, len(votes))
    other = make_fold(shuffled)
    for pair in fold.same.pairs:
        other.same.add(*pair)
    at_once = VoteTable()
    at_once.follow(other)
    later = NOW + 3 * DAY_US
    assert _near(table, SIMILAR, later) == _near(at_once, SIMILAR, later)
    expected = neighbour_votes(fold, SIMILAR, later)
    assert _nonzero(_near(table, SIMILAR, later)) == pytest.approx(_nonzero(expected), abs=1e-10)


def test_many_votes_in_any_order_are_the_same_bits() -> None:
    draw = random.Random(0)
    kinds = ["click", "select", "success", "failure", "dismiss"]
    votes = [
        make_vote(
            number, draw.choice(kinds), artifact=f"a{draw.randrange(30)}", actor=f"u{draw.randrange(40)}",
            intent=f"in_{draw.randrange(60)}", position=1 + draw.randrange(10), trust=draw.choice([0.3, 1.0]),
            time_us=NOW - draw.randrange(500 * DAY_US),
        )
        for number in range(3_000)
    ]  # fmt: skip
    similar = {f"in_{number}": draw.random() for number in range(0, 60, 2)}
    tables = []
    for seed in (1, 2):
        table = VoteTable()
        table.follow(make_fold(random.Random(seed).sample(votes, len(votes))))
        tables.append(_near(table, similar, NOW + 1))
    assert tables[0] == tables[1]
    assert tables[0] == pytest.approx(neighbour_votes(make_fold(votes), similar, NOW + 1), abs=1e-9)


def test_another_fold_is_read_from_the_beginning() -> None:
    table = VoteTable()
    table.follow(make_fold([make_vote(1)]))
    table.follow(make_fold([replace(make_vote(2), artifact="b")]))
    assert list(_near(table, SIMILAR, NOW)) == ["b"]
    assert VoteTable().near([], np.zeros(0), NOW).shape == (0,)


def test_a_column_grows() -> None:
    rows = Column(np.float32, 2)
    for number in range(100):
        rows.append([number, -number])
    assert rows.values.shape == (len(rows), 2) == (100, 2)
    assert rows.values[:, 0].tolist() == list(range(100))
