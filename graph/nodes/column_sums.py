"""What weighed columns add up to, equal bit for bit to what `graph.weights` and `graph.explain` say of these votes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from graph.constants import DAY_US
from graph.explain import Crowd
from graph.match_graph import SELECTING
from graph.vote_columns import VoteColumns, WeighedColumns, exact_sums, run_starts
from graph.weights import SuccessRate, exact_sum, success_of


def signed_sum(weights: NDArray[np.float64], sign: int) -> float:
    """The sum of the positive weights (sign 1) or of the negative ones (sign -1), rounded once."""
    return exact_sum(weights[sign * weights > 0].tolist())


def rate_success(votes: VoteColumns) -> SuccessRate:
    """The success rate of votes; see `graph.weights.success_rate`."""
    won, lost = (int(np.count_nonzero(_says(votes, {outcome}))) for outcome in ("success", "failure"))
    return success_of(won, lost)


def count_selecting(weighed: WeighedColumns) -> float:
    """How many actors took the artifact of these votes, each once and decayed since it last did."""
    votes = weighed.votes
    taken = np.flatnonzero(_says(votes, SELECTING))
    order = taken[np.argsort(votes.actor[taken], kind="stable")]
    starts = run_starts(votes.actor[order])
    return exact_sum(np.maximum.reduceat(weighed.decay[order], starts).tolist()) if len(starts) else 0.0


def _says(votes: VoteColumns, outcomes: set[str] | frozenset[str]) -> NDArray[np.bool_]:
    return np.array([outcome in outcomes for outcome, _, _ in votes.kinds], np.bool_)[votes.kind]


def crowd_of(weighed: WeighedColumns, all_votes: VoteColumns, as_of_us: int) -> Crowd:
    """Who stands behind the votes on one artifact, among all outcomes of a store, merges resolved."""
    votes = weighed.votes
    happened = np.unique(all_votes.pairs[all_votes.time_us <= as_of_us]).astype(np.uint32)  # the lower half: the actor
    actors, tried = np.unique(happened, return_counts=True)
    order = np.argsort(votes.actor, kind="stable")
    starts = run_starts(votes.actor[order])
    voters = votes.actor[order][starts]
    only_here = int(np.count_nonzero(tried[np.searchsorted(actors, voters)] == 1))
    elsewhere = len(actors) - only_here
    totals = exact_sums(np.abs(weighed.weight[order]), starts).tolist()
    days = np.minimum.reduceat(votes.time_us[order] // DAY_US, starts) if len(starts) else np.zeros(0, np.int64)
    found, counts = np.unique(days, return_counts=True)
    most = int(np.argmax(counts)) if len(counts) else None
    whole = exact_sum(totals)
    return Crowd(
        voters=len(voters), only_here=only_here,
        only_here_elsewhere=(int(np.count_nonzero(tried == 1)) - only_here) / elsewhere if elsewhere else None,
        busiest_day=None if most is None else int(found[most]) * DAY_US,
        busiest_day_voters=0 if most is None else int(counts[most]),
        largest_actor_share=max(totals) / whole if whole > 0 else 0.0,
    )  # fmt: skip
