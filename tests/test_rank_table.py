"""Ranks in arrays: those of the definition, at once and followed event by event."""

from __future__ import annotations

import random

import pytest
from factories import make_artifact, make_outcome, make_search

from graph.artifacts import Signals
from graph.constants import DAY_US
from graph.match_graph import Fold
from graph.ranks.known_columns import known_columns
from graph.ranks.rank_table import RankTable
from graph.ranks.rank_votes import RankVotes
from graph.ranks.score_inputs import Decided, Known, join_inputs
from graph.ranks.scores import score_all
from graph.walks import walk_votes

NOW = 1_800_000_000_000_000
KINDS = ["click", "select", "success", "failure", "dismiss"]


def _known(count: int, draw: random.Random) -> Known:
    artifacts = [
        make_artifact(
            f"o/m{number:03}", type=draw.choice(["model", "model", "tool"]), has_card=draw.random() < 0.8,
            released=draw.choice([None, "2026-05-01", "2025"]), formats=("onnx",) * (number % 2),
            signals=Signals(downloads=draw.choice([None, number * 50]), likes=draw.choice([None, number])),
        )
        for number in range(count)
    ]  # fmt: skip
    decided = {artifact.id: [Decided("c", "runs", draw.random() < 0.7, "artifact")] for artifact in artifacts[::3]}
    return Known(artifacts, decided, {"o/m001": NOW - 9 * DAY_US}, {"o/m002": 2})


def _expected(known: Known, fold: Fold, as_of_us: int) -> dict[str, float | None]:
    inputs = join_inputs(known, walk_votes(fold, as_of_us), fold.times)
    return {artifact: score.rank for artifact, score in score_all(inputs, as_of_us).items()}


def _table(known: Known, fold: Fold) -> RankTable:
    table = RankTable(known_columns(known), RankVotes(NOW, len(known.artifacts)))
    _follow(table, fold)
    return table


def _follow(table: RankTable, fold: Fold) -> None:
    table.take({artifact: fold.votes_on(artifact) for artifact in fold.voted_on()}, NOW)
    table.deliver(fold.times)


def _agree(table: RankTable, expected: dict[str, float | None]) -> None:
    assert {artifact: table.rank(artifact, NOW) for artifact in expected} == {
        artifact: None if rank is None else pytest.approx(rank, abs=1e-8) for artifact, rank in expected.items()
    }


@pytest.mark.parametrize("seed", range(6))
def test_ranks_are_those_of_the_definition_after_every_event(seed: int) -> None:
    draw = random.Random(seed)
    known, fold = _known(25, draw), Fold()
    table = _table(known, fold)
    _agree(table, _expected(known, fold, NOW))
    for step in range(40):
        shown = [(f"o/m{number:03}", draw.choice(["capability://a.b.c", "capability://a.b.d"]))
                 for number in draw.sample(range(30), 4)]  # fmt: skip
        search = make_search(shown, actor=f"u{draw.randrange(6)}", intent=f"in_{draw.randrange(4)}")
        fold.apply(search, count_synthetic=False)
        for artifact, _ in draw.sample(shown, draw.randrange(3)):
            outcome = make_outcome(search, artifact, draw.choice(KINDS), time_us=NOW - draw.randrange(400 * DAY_US))
            fold.apply(outcome, count_synthetic=False)
        _follow(table, fold)
        if step % 5 == 0 or step == 39:
            _agree(table, _expected(known, fold, NOW))
    ranks = {rank for rank in _expected(known, fold, NOW).values() if rank is not None}
    assert len(ranks) > 15  # something to be told apart
    _agree(_table(known, fold), _expected(known, fold, NOW))


def test_nobody_known_and_nobody_there() -> None:
    assert _table(Known([], {}, {}, {}), Fold()).rank("o/m001", NOW) is None
    bare = Known([make_artifact("o/bare")], {}, {}, {})
    assert _table(bare, Fold()).rank("o/bare", NOW) is None
    assert _expected(bare, Fold(), NOW) == {"o/bare": None}


def test_what_is_decided_is_not_asked_again() -> None:
    known, fold = _known(10, random.Random(3)), Fold()
    table = _table(known, fold)
    before = [table.rank(f"o/m{number:03}", NOW) for number in range(10)]
    search = make_search(["o/m009"], actor="u")
    for event in (search, make_outcome(search, "o/m009", "success")):
        fold.apply(event, count_synthetic=False)
    assert [table.rank(f"o/m{number:03}", NOW) for number in range(10)] == before  # not followed yet
    _follow(table, fold)
    assert table.rank("o/m009", NOW) != before[9]
