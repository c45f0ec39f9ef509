"""Fusion: parts add up, best rows count, ties go by id."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.constants import LEXICAL_WEIGHT, VOTE_LEAST_SIMILARITY, VOTE_WEIGHT
from search.fusion import best_rows, fuse, intent_similarities

OWNERS = np.array([0, 0, 1, 2], np.int64)
NAMES = ["a", "b", "c"]


def _f(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def test_a_score_computed_by_hand() -> None:
    scored = fuse(NAMES, OWNERS, _f(0.1, 0.5, 0.4, 0.2), _f(2.0, 0.0, 4.0, 0.0), {"c": 0.2}, frozenset({"b"}))
    by_name = {s.artifact: s for s in scored}
    assert by_name["a"].parts == pytest.approx({"dense": 0.5, "lexical": 0.15, "graph": 0.0, "name": 0.0})
    assert by_name["b"].score == pytest.approx(0.4 + LEXICAL_WEIGHT + 1.0)
    assert by_name["c"].score == pytest.approx(0.2 + VOTE_WEIGHT * 0.2)
    assert [s.artifact for s in scored] == ["b", "a", "c"]
    assert by_name["a"].row == 1


@given(
    st.lists(st.floats(-1, 1, width=32), min_size=4, max_size=4),
    st.lists(st.floats(0, 50, width=32), min_size=4, max_size=4),
    st.dictionaries(st.sampled_from(NAMES), st.floats(-1, 1)),
)
def test_parts_add_up_to_the_score(dense: list[float], lexical: list[float], votes: dict[str, float]) -> None:
    scored = fuse(NAMES, OWNERS, _f(*dense), _f(*lexical), votes)
    assert len(scored) == 3
    for s in scored:
        assert sum(s.parts.values()) == pytest.approx(s.score, abs=1e-9)
    assert [s.score for s in scored] == sorted((s.score for s in scored), reverse=True)


def test_ties_go_by_id_and_nothing_gives_nothing() -> None:
    assert [s.artifact for s in fuse(NAMES, OWNERS, _f(0, 0, 0, 0), None, {})] == NAMES
    assert fuse([], np.zeros(0, np.int64), _f(), _f(), {}) == []


def test_best_rows_takes_the_first_of_equals() -> None:
    assert best_rows(OWNERS, _f(1, 1, 0, 0), 3).tolist() == [0, 2, 3]


def test_neighbours_weigh_by_similarity_and_far_ones_not_at_all() -> None:
    vectors = np.array([[1, 0], [0.8, 0.6], [0, 1]], np.float32)
    found = intent_similarities(np.array([1, 0], np.float32), ["x", "y", "z"], vectors)
    assert found == pytest.approx({"x": 1.0, "y": float(np.exp(-0.2 / 0.1))}, rel=1e-5)
    assert VOTE_LEAST_SIMILARITY > 0
    assert intent_similarities(np.array([1, 0], np.float32), [], np.zeros((0, 0), np.float32)) == {}
