"""What the log says: by hand, bounded for one actor, one voice in a neighbourhood, the same whatever way it came."""

from __future__ import annotations

import math
import random
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph.constants import (
    ACTOR_EPSILON,
    DAY_US,
    LOG_RAMP,
    LOG_SHRINK,
    NEAR_WEIGHT,
    SHRINK_ACTORS,
    TURN_CAP,
    TURN_WEIGHT,
    WORDS_WEIGHT,
)
from graph.match_graph import Fold, Vote
from search.votes.confirmed import Confirmed
from search.votes.log_score import confirmed_ramp, near_kernel
from search.votes.searches import Searches
from search.votes.voices import Spoken, Voices

NOW = 2_000 * DAY_US
ARTIFACTS = {"a": 0, "b": 1, "c": 2}
WORDS = ("draw", "hear", "speak", "sum", "count", "read")


def unit(values: np.ndarray) -> np.ndarray:
    return np.asarray(values / np.linalg.norm(values, axis=-1, keepdims=True), np.float32)


class Log:
    """Intents with vectors and one query each, artifacts with vectors, and votes in them."""

    def __init__(self, seed: int, intents: int = 6, dimension: int = 3) -> None:
        draw = np.random.default_rng(seed)
        self.intents = [f"in_{n:03}" for n in range(intents)]
        self.vectors = unit(draw.normal(size=(intents, dimension)) + draw.normal(size=dimension))
        self.own = unit(draw.normal(size=(len(ARTIFACTS), dimension)) + draw.normal(size=dimension))
        self.texts = [" ".join(draw.choice(WORDS, 2)) for _ in self.intents]
        self.votes: list[Vote] = []

    def say(self, actor: str, intent: int, artifact: str, outcome: str = "success", position: int = 1) -> Log:
        number = len(self.votes)
        self.votes.append(
            Vote(f"se_{number}", artifact, actor, self.intents[intent], "", outcome, position, 1.0, NOW, f"oc_{number}")
        )
        return self

    def confirmed(self, without: str | None = None) -> Confirmed:
        """All searches, and the votes of all actors or of all but one."""
        counts = Fold()
        for vote in self.votes:
            counts.queries[vote.intent, self.texts[self.intents.index(vote.intent)], vote.actor] += 1
            if vote.actor != without:
                counts.add_vote(vote)
        found = Confirmed(ARTIFACTS, self.own)
        found.load(counts, self.intents, self.vectors)
        return found

    def part(self, intent: int, without: str | None = None) -> np.ndarray:
        """What the log says for an intent's own query."""
        vector = self.vectors[intent]
        return self.confirmed(without).part(vector, self.own @ vector, self.texts[intent], NOW)


def many(seed: int, votes: int, actors: int) -> Log:
    draw = random.Random(seed)
    log = Log(seed, intents=draw.randint(1, 8), dimension=draw.choice([2, 3, 8]))
    for _ in range(votes):
        log.say(
            f"actor {draw.randrange(actors)}", draw.randrange(len(log.intents)), draw.choice("aaaabc"),
            draw.choice(["success", "success", "click", "select", "failure", "dismiss"]), draw.choice([1, 1, 2, 30]),
        )  # fmt: skip
    return log


@given(st.integers(0, 10**6), st.integers(1, 60), st.integers(1, 25))
@settings(deadline=None, max_examples=150)
def test_one_actor_changes_a_score_by_at_most_epsilon(seed: int, votes: int, actors: int) -> None:
    log = many(seed, votes, actors)
    for intent in range(len(log.intents)):
        change = np.abs(log.part(intent) - log.part(intent, without=log.votes[0].actor))
        assert change.max() <= ACTOR_EPSILON + 1e-12


def test_an_actor_may_reach_for_the_bound() -> None:
    """Ten confirmed it for something else, two hundred others in other searches; one says it for a new search."""
    log = Log(0, intents=211, dimension=211)
    log.vectors = np.eye(211, dtype=np.float32)
    log.own = unit(np.array([[0.0] * 210 + [1.0]] * 3))
    log.texts = [f"word{n}" for n in range(211)]
    for number in range(10):
        log.say(f"early {number}", number, "a")
    for number in range(10, 209):
        log.say(f"other {number}", number, "b")
    log.say("one", 209, "a")
    change = (log.part(209) - log.part(209, without="one"))[0]
    assert 0.7 * ACTOR_EPSILON < change <= ACTOR_EPSILON


def test_the_inequality_of_the_proof_holds() -> None:
    """(λ(k + d) - λ(k)) · k/(k + c) <= (1 - λ(k + d) · c/(k + c)) / (1 + c), for every k and 0 <= d <= 1."""
    k, d = np.linspace(0, 400, 200_001)[:, None], np.linspace(0, 1, 11)[None, :]
    before, after = confirmed_ramp(k), confirmed_ramp(k + d)
    assert (
        (after - before) * k / (k + LOG_SHRINK) <= (1 - after * LOG_SHRINK / (k + LOG_SHRINK)) / (1 + LOG_SHRINK)
    ).all()
    assert confirmed_ramp(np.array([0.0, LOG_RAMP])).tolist() == [0.0, 0.5]


def test_epsilon_is_what_the_proof_adds_up() -> None:
    fall = max(x / ((x + LOG_SHRINK) * (x + LOG_SHRINK + 1)) for x in np.linspace(0, 100, 100_001))
    largest = (TURN_WEIGHT * TURN_CAP + NEAR_WEIGHT + WORDS_WEIGHT) / (1 + LOG_SHRINK) + NEAR_WEIGHT * fall
    assert pytest.approx(largest, abs=1e-6) == ACTOR_EPSILON


def test_one_success_by_hand() -> None:
    log = Log(0, intents=1, dimension=2)
    log.vectors, log.own = np.array([[1, 0]], np.float32), np.array([[0, 1], [0.6, 0.8], [1, 0]], np.float32)
    log.texts = ["draw"]
    found = log.say("one", 0, "a").part(0)
    turn = TURN_WEIGHT * TURN_CAP / (1 + LOG_SHRINK)  # 0.8 - 0.05 is capped: the mean search is a fifth of the only one
    near = NEAR_WEIGHT * (1 - 1 / (1 + LOG_SHRINK)) / (1 + LOG_SHRINK)
    words = WORDS_WEIGHT * (1 / (1 + LOG_SHRINK) - 0.2 / (0.2 + LOG_SHRINK))
    assert found == pytest.approx([turn + (near + words) / (1 + LOG_RAMP**2), 0.0, 0.0], abs=1e-6)


def test_a_failure_turns_away_and_confirms_nothing() -> None:
    assert Log(3).say("one", 0, "a", "failure").part(0)[0] < 0 < Log(3).say("one", 0, "a").part(0)[0]


def test_in_a_neighbourhood_one_actor_is_one_voice() -> None:
    voices = Voices(3, {})
    voices.replace({n: [(Spoken("in", "loud", 1.0, 1.0, 1.0), 0.5), (Spoken("in", f"calm {n}", 1.0, 1.0, 1.0), 0.5)]
                    for n in range(3)})  # fmt: skip
    factors = voices.hushed(np.ones(6))
    assert factors == pytest.approx([1, 1 / 3] * 3)  # by (intent, actor): calm, then loud
    assert voices.hushed(np.full(6, 0.2)) == pytest.approx([1] * 6)
    assert voices.total == 4.0


@given(st.integers(0, 10**6), st.integers(2, 40))
@settings(deadline=None, max_examples=40)
def test_event_by_event_gives_the_same_bits_as_all_at_once(seed: int, votes: int) -> None:
    log = many(seed, votes, 5)
    whole, kept = log.part(0), log.votes
    log.votes = kept[: votes // 2]
    grown = log.confirmed()
    vector = log.vectors[0]
    grown.part(vector, log.own @ vector, log.texts[0], NOW)
    for vote in kept[votes // 2 :]:
        grown._fold.add_vote(vote)
        grown.searches.hear([(vote.intent, log.texts[log.intents.index(vote.intent)], vote.actor)])
        grown.touch(vote.artifact, vote.time_us)
    assert grown.part(vector, log.own @ vector, log.texts[0], NOW).tolist() == whole.tolist()


def test_an_earlier_moment_knows_nothing_of_what_came_later_and_a_half_life_halves() -> None:
    log = Log(1).say("one", 0, "a")
    found, vector = log.confirmed(), log.vectors[0]
    cosines = log.own @ vector
    now = found.part(vector, cosines, "", NOW)
    assert found.part(vector, cosines, "", NOW - 1).tolist() == [0.0, 0.0, 0.0]
    assert found.part(vector, cosines, "", NOW).tolist() == now.tolist()
    later = found.part(vector, cosines, "", NOW + 180 * DAY_US)
    assert 0 < later[0] < now[0] / 1.9


def test_the_kernel_is_full_from_its_similarity_on() -> None:
    assert near_kernel(np.array([1.0, 0.8, 0.7])) == pytest.approx([1.0, 1.0, math.exp(-1)])


def test_the_mean_of_many_searches_is_that_of_a_sample_in_whatever_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.votes.searches.MEAN_SEARCHES", 8)
    log = Log(3, intents=60)
    forth, back = (Searches([], np.zeros((0, 3), np.float32)) for _ in range(2))
    for place in range(60):
        forth.add(log.intents[place], log.vectors[place])
        back.add(log.intents[59 - place], log.vectors[59 - place])
    assert forth.mean().tolist() == back.mean().tolist()
    assert forth.version < 60  # most searches leave the mean as it is
    least = 2**32
    while sum(crc32(name.encode()) < least for name in log.intents) > 8:
        least //= 2
    chosen = [place for place, name in enumerate(log.intents) if crc32(name.encode()) < least]
    expected = log.vectors[chosen].astype(np.float64).sum(axis=0) / (len(chosen) + SHRINK_ACTORS)
    assert forth.mean() == pytest.approx(expected, abs=1e-6)


def test_a_search_that_leaves_the_mean_is_taken_in_to_the_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.votes.searches.MEAN_SEARCHES", 8)
    log = Log(4, intents=60)
    for place in range(60):
        log.say(f"u{place}", place, "abc"[place % 3])
    whole, grown = log.confirmed(), log.confirmed()
    grown.searches = Searches(log.intents[:1], log.vectors[:1])
    grown.load(grown._fold, log.intents[:1], log.vectors[:1])
    query = log.vectors[7]
    for place in range(1, 60):
        grown.part(query, log.own @ query, "draw", NOW)
        grown.searches.add(log.intents[place], log.vectors[place])
    assert grown._mean()[1].tolist() == whole._mean()[1].tolist()
