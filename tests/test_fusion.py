"""Fusion: parts add up, best rows count, ties go by id; the arrays say what the plain definition says."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.constants import LEXICAL_WEIGHT
from search.fusion import Texts, fuse
from search.ranking import Ranking

NAMES = ["a", "b", "c"]
TEXTS = Texts(NAMES, np.array([0, 0, 1, 2], np.int64))


def _f(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def test_a_score_computed_by_hand() -> None:
    votes = np.array([0.0, 0.0, 0.2])
    scored = fuse(TEXTS, _f(0.1, 0.5, 0.4, 0.2), _f(2.0, 0.0, 4.0, 0.0), votes, [1])
    by_name = {s.artifact: s for s in scored}
    assert by_name["a"].parts == pytest.approx({"dense": 0.5, "lexical": 0.15, "graph": 0.0, "name": 0.0})
    assert by_name["b"].score == pytest.approx(0.4 + LEXICAL_WEIGHT + 2.0)
    assert by_name["c"].score == pytest.approx(0.2 + 0.2)
    assert [s.artifact for s in scored] == ["b", "a", "c"]
    assert by_name["a"].row == 1


# Few distinct values, so that rows and artifacts tie often.
_VALUES = st.sampled_from([0.0, -0.5, 0.25, 0.5, 1.0, 0.30000001192092896])


@st.composite
def _cases(draw: st.DrawFn) -> tuple[list[int], list[float], list[float], list[float], list[int]]:
    count = draw(st.integers(1, 8))
    owners = draw(st.permutations([*range(count), *draw(st.lists(st.integers(0, count - 1), max_size=12))]))
    dense = draw(st.lists(_VALUES, min_size=len(owners), max_size=len(owners)))
    lexical = [abs(v) for v in draw(st.lists(_VALUES, min_size=len(owners), max_size=len(owners)))]
    votes = draw(st.lists(_VALUES, min_size=count, max_size=count))
    return list(owners), dense, lexical, votes, draw(st.lists(st.integers(0, count - 1), unique=True))


def _plain(
    owners: list[int], dense: list[float], lexical: list[float], votes: list[float], named: list[int]
) -> list[tuple[str, int, float]]:
    """The definition, one artifact after the other, in Python's own floats."""
    found, most = [], max(float(np.float32(v)) for v in lexical)
    for number in range(len(votes)):
        own = [row for row, owner in enumerate(owners) if owner == number]
        row = max(own, key=lambda r: (np.float32(dense[r]), -r))
        word = max(float(np.float32(lexical[r])) for r in own)
        words = LEXICAL_WEIGHT * word / most if most > 0 else 0.0
        score = float(np.float32(dense[row])) + words + votes[number] + (2.0 if number in named else 0.0)
        found.append((f"{number:03}", row, score))
    return sorted(found, key=lambda one: (-one[2], one[0]))


@given(_cases(), st.integers(0, 9))
def test_the_same_as_the_plain_definition_bit_for_bit(
    case: tuple[list[int], list[float], list[float], list[float], list[int]], first: int
) -> None:
    owners, dense, lexical, votes, named = case
    texts = Texts([f"{number:03}" for number in range(len(votes))], np.array(owners, np.int64))
    ranking = fuse(texts, _f(*dense), _f(*lexical), np.array(votes), named)
    expected = _plain(*case)
    assert [(s.artifact, s.row, s.score) for s in ranking.top(first)] == expected[:first]
    assert [(s.artifact, s.row, s.score) for s in ranking] == expected
    assert all(sum(s.parts.values()) == pytest.approx(s.score, abs=1e-9) for s in ranking)


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=1, max_size=30), st.integers(-3, 32), st.integers(-3, 32))
def test_a_ranking_is_sliced_like_a_list(values: list[float], start: int, stop: int) -> None:
    ids = [f"{number:03}" for number in range(len(values))]
    ranking = Ranking(ids, lambda number: number, {"dense": np.array(values)})
    whole = sorted(zip(values, ids, strict=True), key=lambda one: (-one[0], one[1]))
    assert [s.artifact for s in ranking[start:stop]] == [name for _, name in whole[start:stop]]
    assert ranking[len(ids) - 1].artifact == ranking[-1].artifact == whole[-1][1]
    assert len(ranking) == len(ids)
    with pytest.raises(IndexError):
        ranking[len(ids)]
    assert all(one.score >= other.score for one, other in pairwise(ranking))


def test_ties_go_by_id_and_nothing_gives_nothing() -> None:
    assert [s.artifact for s in fuse(TEXTS, _f(0, 0, 0, 0), None)] == NAMES
    assert list(fuse(Texts([], np.zeros(0, np.int64)), _f(), _f())) == []
    with pytest.raises(ValueError, match="dense or lexical"):
        fuse(TEXTS, None, None)


def test_the_best_row_is_the_first_of_equals() -> None:
    assert TEXTS.best_rows(_f(1, 1, 0, 0), np.arange(3)).tolist() == [0, 2, 3]
    assert TEXTS.best(_f(1, 2, 0, -1)).tolist() == [2, 0, -1]
