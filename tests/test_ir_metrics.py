"""Ranking measures against scikit-learn and hand-made values; the bootstrap against theory."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from search.evaluation.ir_metrics import mean_with_interval, ndcg, precision, recall, reciprocal_rank

ITEMS = [f"i{n}" for n in range(15)]


@given(st.permutations(ITEMS), st.sets(st.sampled_from(ITEMS), min_size=1))
def test_ndcg_equals_scikit_learn(ranked: list[str], relevant: set[str]) -> None:
    truth = [[float(item in relevant) for item in ranked]]
    order = [[float(len(ranked) - i) for i in range(len(ranked))]]
    assert ndcg(ranked, relevant) == pytest.approx(ndcg_score(truth, order, k=10))


def test_values_by_hand() -> None:
    ranked = ["a", "b", "c", "d"]
    assert ndcg(ranked, {"b"}) == pytest.approx(1 / np.log2(3))
    assert recall(ranked, {"b", "z"}, 5) == 0.5
    assert reciprocal_rank(ranked, {"c"}) == pytest.approx(1 / 3)
    assert precision(ranked, {"a", "c"}, 5) == pytest.approx(0.4)
    assert ndcg([], {"a"}) == recall([], {"a"}, 5) == reciprocal_rank([], {"a"}) == 0.0
    assert ndcg(ranked, set()) == 0.0


def test_the_bootstrap_agrees_with_the_normal_interval() -> None:
    values = np.random.default_rng(7).normal(0.3, 0.2, 900)
    estimate = mean_with_interval(values)
    assert estimate is not None
    half = 1.96 * values.std() / np.sqrt(len(values))
    assert estimate.value == pytest.approx(values.mean())
    assert estimate.low == pytest.approx(values.mean() - half, abs=0.002)
    assert estimate.high == pytest.approx(values.mean() + half, abs=0.002)
    assert mean_with_interval(values) == estimate  # seeded


def test_no_values_and_equal_values() -> None:
    assert mean_with_interval(np.array([])) is None
    one = mean_with_interval(np.array([0.5, 0.5, 0.5]))
    assert one is not None
    assert (one.value, one.low, one.high) == (0.5, 0.5, 0.5)
