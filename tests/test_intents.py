"""Which intent a query belongs to: decided exactly, the same one by one and many at once."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.constants import INTENT_SIMILARITY
from search.replay.meaning import Intents
from search.votes import intents as intents_module
from search.votes.intents import assign_intent, near_intents


def unit_vectors(seed: int, count: int, dimension: int = 384) -> np.ndarray:
    """Vectors around few centres, so that many are about as near to each other as the threshold."""
    draw = np.random.default_rng(seed)
    centres = draw.standard_normal((3, dimension))
    made = centres[draw.integers(0, 3, count)] + draw.uniform(0.3, 0.7, (count, 1)) * draw.standard_normal(
        (count, dimension)
    )
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(1, 9), st.sampled_from([2, 7, 8_192]))
def test_many_at_once_are_assigned_as_one_by_one(seed: int, count: int, batch: int, block: int) -> None:
    vectors = dict(zip(map(str, range(count)), unit_vectors(seed, count), strict=True))
    one, many = Intents("encoder", vectors), Intents("encoder", vectors)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(intents_module, "_BLOCK", block)
        expected = [one.assign(text) for text in vectors]
        found = []
        for start in range(0, count, batch):
            texts = list(vectors)[start : start + batch]
            many.expect([*texts, texts[0]])
            found += [many.assign(text) for text in texts]
    assert found == expected
    assert len({intent for intent, _ in found}) == len(one._ids) == len(many._ids)


@given(st.integers(0, 10_000), st.integers(1, 30))
def test_the_nearest_in_exact_arithmetic_decides(seed: int, count: int) -> None:
    vectors = unit_vectors(seed, count + 1)
    query, known = vectors[0], vectors[1:]
    exact = [sum(Fraction(float(a)) * Fraction(float(b)) for a, b in zip(query, row, strict=True)) for row in known]
    ids = [f"in_{row}" for row in range(count)]
    assigned = assign_intent(query, "key", ids, known)
    if max(exact) >= Fraction(INTENT_SIMILARITY):
        assert (assigned.id, assigned.new) == (ids[exact.index(max(exact))], False)
    else:
        assert assigned.new


def test_of_two_equally_near_the_first_and_at_the_threshold_it_is_near_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    known = np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 0.0]], np.float32)
    assert assign_intent(known[2], "key", ["x", "b", "a"], known).id == "b"
    monkeypatch.setattr(intents_module, "INTENT_SIMILARITY", 0.5)
    half = np.array([0.5, np.sqrt(0.75)], np.float32)
    assert not assign_intent(half, "key", ["x"], known[1:2]).new
    assert assign_intent(np.nextafter(half, np.float32(0)), "key", ["x"], known[1:2]).new


def test_without_intents_every_query_founds_one() -> None:
    nothing = np.zeros((0, 0), np.float32)
    assert assign_intent(np.ones(2, np.float32), "key", [], nothing).new
    assert [rows.tolist() for rows in near_intents(np.ones((2, 3), np.float32), np.zeros((0, 3), np.float32))] == [
        [],
        [],
    ]
