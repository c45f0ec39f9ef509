"""Outcome weights: what votes are worth at a moment, honest against position, age, spam and sybils. Pure functions.

The formulas, their sources and the proof of the bound on one actor: `docs/formulas.md`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from graph.constants import (
    ACTOR_CAP,
    DAY_US,
    EXAMINATION_EXPONENT,
    EXAMINATION_FLOOR,
    HALF_LIFE_DAYS,
    OUTCOME_VALUE,
    SUCCESS_INTERVAL_LEVEL,
)
from graph.match_graph import SELECTING, Fold, Vote


@dataclass(frozen=True)
class WeighedVote:
    """A vote and the factors of its weight.

    `weight` = `value` · trust / `examination` · `decay` · `cap`, where `cap` is at most 1 and the same for all of
    one actor's votes on one artifact.
    """

    vote: Vote
    value: float
    examination: float
    decay: float
    cap: float
    weight: float


@dataclass(frozen=True)
class Support:
    """What votes add up to, after the cap: sums of positive and of negative weights, and who voted."""

    positive: float
    negative: float
    actors: frozenset[str]

    @property
    def weight(self) -> float:
        """The outcome weight: the two sums together."""
        return self.positive + self.negative


@dataclass(frozen=True)
class SuccessRate:
    """Mean of the Beta posterior of success against failure, and its equal-tailed interval."""

    successes: int
    failures: int
    mean: float
    low: float
    high: float


def examination(position: int) -> float:
    """The chance that a result at a 1-based position is looked at, against position 1; at least 0.1.

    A power law of the position, as in Joachims, Swaminathan, Schnabel 2017, "Unbiased Learning-to-Rank with Biased
    Feedback"; the exponent is fixed.
    """
    return float(max(EXAMINATION_FLOOR, position**-EXAMINATION_EXPONENT))


def vote_value(outcome: str, position: int, trust: float) -> float:
    """What one outcome is worth before age and cap: its value by inverse examination, times trust (0 to 1)."""
    return OUTCOME_VALUE[outcome] * trust / examination(position)


def decay(age_us: int) -> float:
    """The factor of an age in microseconds: halves every 180 days; 1 for ages below 0."""
    return float(2.0 ** (-max(age_us, 0) / (HALF_LIFE_DAYS * DAY_US)))


def weigh_votes(votes: Iterable[Vote], as_of_us: int) -> list[WeighedVote]:
    """The votes on one artifact with their weights, sorted by (time, event).

    Give all outcomes of the artifact, over all intents: each actor's votes are scaled so that the sum of their sizes
    is at most `ACTOR_CAP`.

    Parameters
    ----------
    votes : iterable of Vote
        All outcomes of one artifact, in any order; `standing_votes` picks the votes among them.
    as_of_us : int
        The moment of weighing, microseconds since 1970 UTC.
    """
    known = standing_votes(votes, as_of_us)
    decays = [decay(as_of_us - v.time_us) for v in known]
    raw = [vote_value(v.outcome, v.position, v.trust) * left for v, left in zip(known, decays, strict=True)]
    sizes: dict[str, list[float]] = {}
    for vote, weight in zip(known, raw, strict=True):
        sizes.setdefault(vote.actor, []).append(abs(weight))
    caps = {actor: ACTOR_CAP / max(exact_sum(each), ACTOR_CAP) for actor, each in sizes.items()}
    return [
        WeighedVote(
            vote, OUTCOME_VALUE[vote.outcome], examination(vote.position), left, caps[vote.actor],
            weight * caps[vote.actor],
        )
        for vote, left, weight in zip(known, decays, raw, strict=True)
    ]  # fmt: skip


def standing_votes(votes: Iterable[Vote], as_of_us: int) -> list[Vote]:
    """The strongest outcome of each (search, artifact, actor) at a moment, sorted by (time, event).

    Outcomes later than `as_of_us` have not happened yet and those of no trust say nothing: both are left out.
    """
    standing: dict[tuple[str, str, str], Vote] = {}
    for vote in votes:
        if vote.time_us <= as_of_us and vote.trust > 0:
            key = (vote.search, vote.artifact, vote.actor)
            before = standing.get(key)
            if before is None or vote.strength < before.strength:
                standing[key] = vote
    return sorted(standing.values(), key=lambda vote: (vote.time_us, vote.event))


def weigh_fold(fold: Fold, as_of_us: int) -> dict[str, list[WeighedVote]]:
    """The weighed votes of every artifact that has some, by artifact id, sorted."""
    weighed = {artifact: weigh_votes(fold.votes_on(artifact), as_of_us) for artifact in fold.voted_on()}
    return {artifact: votes for artifact, votes in weighed.items() if votes}


def add_up(votes: Iterable[WeighedVote]) -> Support:
    """The sums of weights; the same bits whatever the order of votes."""
    given = list(votes)
    return Support(
        exact_sum(v.weight for v in given if v.weight > 0),
        exact_sum(v.weight for v in given if v.weight < 0),
        frozenset(v.vote.actor for v in given),
    )


def flow_of(votes: Iterable[WeighedVote]) -> float:
    """The outcome weight of the paths of one artifact, of each at least 0: what `Walks.flows` sends to it."""
    paths: dict[tuple[str, str], list[WeighedVote]] = {}
    for each in votes:
        paths.setdefault((each.vote.intent, each.vote.uri), []).append(each)
    return exact_sum(max(0.0, add_up(each).weight) for each in paths.values())


def support(fold: Fold, as_of_us: int) -> dict[tuple[str, str], Support]:
    """What the votes of each intent add up to for each artifact, by (intent, artifact), sorted."""
    groups: dict[tuple[str, str], list[WeighedVote]] = {}
    for artifact, votes in weigh_fold(fold, as_of_us).items():
        for weighed in votes:
            groups.setdefault((weighed.vote.intent, artifact), []).append(weighed)
    return {key: add_up(votes) for key, votes in sorted(groups.items())}


def selecting_actors(votes: Iterable[WeighedVote]) -> float:
    """How many actors took an artifact, each counted once and decayed since it last did."""
    newest: dict[str, float] = {}
    for weighed in votes:
        if weighed.vote.outcome in SELECTING:
            newest[weighed.vote.actor] = max(newest.get(weighed.vote.actor, 0.0), weighed.decay)
    return exact_sum(newest.values())


def success_rate(votes: Iterable[Vote]) -> SuccessRate:
    """How often the tried artifact did the job: Beta(1, 1) prior, posterior mean and 90 % equal-tailed interval.

    Votes of success against votes of failure, others left out; without either the prior: 0.5 (0.05 to 0.95).
    Source: the Bayes-Laplace estimate, e.g. Gelman et al., "Bayesian Data Analysis" (3rd edition), section 2.4.
    """
    outcomes = [vote.outcome for vote in votes]
    return success_of(outcomes.count("success"), outcomes.count("failure"))


def success_of(won: int, lost: int) -> SuccessRate:
    """The success rate of so many successes against so many failures; see `success_rate`."""
    from scipy.special import betaincinv

    tail = (1.0 - SUCCESS_INTERVAL_LEVEL) / 2.0
    low, high = (float(betaincinv(won + 1, lost + 1, share)) for share in (tail, 1.0 - tail))
    return SuccessRate(won, lost, (won + 1) / (won + lost + 2), low, high)


def exact_sum(values: Iterable[float]) -> float:
    """The sum, rounded once, so that the order of values does not matter."""
    return math.fsum(sorted(values))
