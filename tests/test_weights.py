"""Outcome weights: hand-computed values, the actor cap, and the published bound on what one actor changes."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from graph.constants import DAY_US
from graph.match_graph import Fold, Vote
from graph.weights import (
    add_up,
    decay,
    exact_sum,
    examination,
    selecting_actors,
    success_rate,
    support,
    vote_value,
    weigh_fold,
    weigh_votes,
)

NOW = 1_760_000_000_000_000


def make_vote(number: int = 0, outcome: str = "success", **fields: object) -> Vote:
    vote = Vote(f"se_{number}", "a", "ann", "in_1", "capability://x.y.z", outcome, 1, 1.0, NOW, f"ou_{number}")
    return replace(vote, **fields)


def make_fold(votes: list[Vote]) -> Fold:
    counts = Fold()
    for vote in votes:
        counts.add_vote(vote)
    return counts


votes_of_few = st.lists(
    st.builds(
        make_vote,
        st.integers(0, 10**9),
        st.sampled_from(["click", "select", "success", "failure", "dismiss"]),
        search=st.sampled_from(["se_1", "se_2", "se_3", "se_4"]),
        artifact=st.sampled_from(["a", "b"]),
        actor=st.sampled_from(["ann", "bob", "cy", "anonymous"]),
        intent=st.sampled_from(["in_1", "in_2", "in_3"]),
        position=st.integers(1, 60),
        trust=st.sampled_from([0.0, 0.05, 0.5, 1.0]),
        time_us=st.integers(NOW - 2_000 * DAY_US, NOW + DAY_US),
    ),
    max_size=14,
    unique_by=lambda vote: vote.event,
)


# One vote -----------------------------------------------------------------------------------------------
def test_examination_falls_with_the_position_to_a_floor() -> None:
    assert examination(1) == 1.0
    assert examination(2) == pytest.approx(0.6155722066724582)  # 2 ** -0.7
    assert examination(10) == pytest.approx(0.19952623149688797)  # 10 ** -0.7
    assert examination(27) == 0.1  # 27 ** -0.7 = 0.0996
    assert [examination(p) for p in range(1, 40)] == sorted((examination(p) for p in range(1, 40)), reverse=True)


def test_a_value_is_divided_by_examination_and_weighed_by_trust() -> None:
    published = {"click": 0.2, "select": 0.6, "success": 1.0, "failure": -0.5, "dismiss": -0.2}
    for outcome, value in published.items():
        assert vote_value(outcome, 1, 1.0) == value
        assert vote_value(outcome, 1_000, 0.5) == pytest.approx(value * 5.0)


def test_decay_halves_every_180_days_and_the_future_does_not_grow() -> None:
    assert [decay(days * DAY_US) for days in (0, 180, 360, 90)] == [1.0, 0.5, 0.25, pytest.approx(math.sqrt(0.5))]
    assert decay(-DAY_US) == 1.0


# The cap ------------------------------------------------------------------------------------------------
def test_one_actors_votes_are_scaled_to_one_over_all_intents() -> None:
    votes = [
        make_vote(1),
        make_vote(2, intent="in_2"),
        make_vote(3, "failure", intent="in_2"),
        make_vote(4, actor="bob"),
    ]
    weighed = {w.vote.event: w for w in weigh_votes(votes, NOW)}
    assert [weighed[f"ou_{n}"].cap for n in (1, 2, 3, 4)] == [0.4, 0.4, 0.4, 1.0]  # ann: 1 + 1 + 0.5 = 2.5
    assert [weighed[f"ou_{n}"].weight for n in (1, 2, 3, 4)] == [0.4, 0.4, -0.2, 1.0]
    assert add_up(weighed.values()).positive == pytest.approx(1.8)
    assert add_up(weighed.values()).negative == pytest.approx(-0.2)
    assert add_up(weighed.values()).actors == {"ann", "bob"}


def test_a_thousand_anonymous_clicks_are_one_actors() -> None:
    crowd = [make_vote(n, "click", actor="anonymous") for n in range(1_000)]
    people = [make_vote(n, "click", actor=f"actor {n}") for n in range(1_000)]
    assert add_up(weigh_votes(crowd, NOW)).weight == pytest.approx(1.0)
    assert add_up(weigh_votes(people, NOW)).weight == pytest.approx(200.0)


def test_votes_to_come_and_votes_without_trust_say_nothing() -> None:
    assert weigh_votes([make_vote(time_us=NOW + 1), make_vote(trust=0.0)], NOW) == []
    assert len(weigh_votes([make_vote(time_us=NOW)], NOW)) == 1


@given(votes_of_few)
def test_the_weight_is_the_product_of_its_printed_factors_and_capped(votes: list[Vote]) -> None:
    for artifact, weighed in weigh_fold(make_fold(votes), NOW).items():
        for w in weighed:
            assert w.weight == pytest.approx(w.value * w.vote.trust / w.examination * w.decay * w.cap, rel=1e-12)
            assert 0.0 < w.cap <= 1.0
        sizes: dict[str, float] = {}
        for w in weighed:
            assert w.vote.artifact == artifact
            sizes[w.vote.actor] = sizes.get(w.vote.actor, 0.0) + abs(w.weight)
        assert max(sizes.values()) <= 1.0 + 1e-12


@given(votes_of_few, st.integers(0, 1_000))
def test_any_order_gives_the_same_bits(votes: list[Vote], seed: int) -> None:
    shuffled = random.Random(seed).sample(votes, len(votes))
    assert support(make_fold(votes), NOW) == support(make_fold(shuffled), NOW)


def test_a_sum_is_exact_in_any_order() -> None:
    for values in ([1e16, 1.0, -1e16], [1.0, 1e16, -1e16], [-1e16, 1e16, 1.0]):
        assert exact_sum(values) == 1.0
    assert exact_sum([0.1] * 10) == 1.0
    assert exact_sum([]) == 0.0


# Rates --------------------------------------------------------------------------------------------------
@given(st.integers(0, 300), st.integers(0, 300))
def test_the_success_rate_is_the_beta_posterior(won: int, lost: int) -> None:
    outcomes = ["success"] * won + ["failure"] * lost + ["click", "select", "dismiss"]
    rate = success_rate(make_vote(n, outcome) for n, outcome in enumerate(outcomes))
    posterior = stats.beta(won + 1, lost + 1)
    assert (rate.successes, rate.failures) == (won, lost)
    assert rate.mean == pytest.approx(posterior.mean())
    assert (rate.low, rate.high) == pytest.approx(posterior.interval(0.9))


def test_selecting_actors_count_once_and_by_their_newest() -> None:
    old = NOW - 180 * DAY_US
    votes = [
        make_vote(1, "select", time_us=old), make_vote(2, "success"), make_vote(3, "select", actor="bob", time_us=old),
        make_vote(4, "click", actor="cy"), make_vote(5, "failure", actor="di"),
    ]  # fmt: skip
    weighed = weigh_votes(votes, NOW)
    assert selecting_actors(weighed) == selecting_actors(weighed[::-1]) == 1.5
    assert selecting_actors([]) == 0.0
