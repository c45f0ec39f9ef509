"""Ranks of all artifacts in arrays, kept up with the votes: what one outcome changes is computed anew, the rest stays.

The same as the ranks of `graph.scores.score_all`, which stays the definition: it is what this is tested against.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from graph.constants import (
    ADOPTION_FLOOR,
    ADOPTION_PERCENTILE,
    RANK_LEAST_KNOWN,
    RANK_PRIOR,
    RANK_WEIGHTS,
    SHRINK_ACTORS,
)
from graph.match_graph import Fold
from graph.score_inputs import Known, ScoreInput, join_inputs
from graph.scores import fixed_components
from graph.walks import Walks
from graph.weights import WeighedVote, add_up, exact_sum, selecting_actors, weigh_votes

_COUNTS: Final = ("downloads", "likes", "stars")


class RankTable:
    """The artifacts that are known, what votes say of each, and their ranks.

    Parameters
    ----------
    known : Known
        The artifacts, and what is known of them apart from searches.
    fold : Fold
        The counts to begin with.
    as_of_us : int
        The moment at which ages are taken, microseconds since 1970 UTC.
    """

    def __init__(self, known: Known, fold: Fold, as_of_us: int) -> None:
        inputs = join_inputs(known, Walks({}, {}), {})
        self.number = {each.artifact: row for row, each in enumerate(inputs)}
        names = sorted({each.type for each in inputs})
        types = np.array([names.index(each.type) for each in inputs], np.int64)
        self._of_type = [np.flatnonzero(types == number) for number in range(len(names))]
        self._fixed = {
            name: _column(inputs, lambda each, name=name: fixed_components(each, as_of_us)[name])  # type: ignore[misc]
            for name in ("quality", "ecosystem", "freshness")
        }
        counts = [_column(inputs, lambda each, name=name: getattr(each, name)) for name in _COUNTS]  # type: ignore[misc]
        shares = np.stack([self._shares(column) for column in counts]) if inputs else np.zeros((3, 0))
        self._share_sum, self._shares_known = np.nansum(shares, axis=0), (~np.isnan(shares)).sum(axis=0)
        self._selecting, self._flow = np.full(len(inputs), np.nan), np.full(len(inputs), np.nan)
        self._voters = np.zeros(len(inputs))
        self._ranks: NDArray[np.float64] | None = None
        self._changes = self._delivered = 0
        self.follow(fold, as_of_us)

    def follow(self, fold: Fold, as_of_us: int) -> None:
        """Take in what votes and first deliveries changed in the fold since the last call; ages of these as of now."""
        changed = {artifact for _, artifact, _ in fold.changed[self._changes :]}
        changed.update(islice(reversed(fold.times), len(fold.times) - self._delivered))
        self._changes, self._delivered = len(fold.changed), len(fold.times)
        for artifact in changed & self.number.keys():
            self._take(fold, artifact, as_of_us)
            self._ranks = None

    def rank(self, artifact: str) -> float | None:
        """The rank of an artifact, 0 to 100; None where it is not ranked, or not known."""
        if self._ranks is None:
            self._ranks = self._all_ranks()
        row = self.number.get(artifact)
        return None if row is None or np.isnan(self._ranks[row]) else float(self._ranks[row])

    def _take(self, fold: Fold, artifact: str, as_of_us: int) -> None:
        row, weighed = self.number[artifact], weigh_votes(fold.votes_on(artifact), as_of_us)
        selecting = selecting_actors(weighed)
        if fold.times.get(artifact, 0) >= 1 or selecting > 0:  # selections are known from the first delivery on
            self._selecting[row] = selecting
        self._voters[row] = len({each.vote.actor for each in weighed})
        self._flow[row] = _flow(weighed) if weighed else np.nan

    def _all_ranks(self) -> NDArray[np.float64]:
        selecting = self._shares(self._selecting)
        shares_known = self._shares_known + ~np.isnan(selecting)
        with np.errstate(invalid="ignore"):  # nothing known is not a number
            adoption = (self._share_sum + np.nan_to_num(selecting)) / shares_known
            shrink = self._voters / (self._voters + SHRINK_ACTORS)
            values = {"adoption": adoption, "match_graph": self._shares(self._flow) * shrink, **self._fixed}
        total, known_weight = np.zeros(len(adoption)), np.zeros(len(adoption))
        for name, weight in RANK_WEIGHTS.items():
            used = values[name].copy()
            for rows in self._of_type:
                own = used[rows]
                unknown = np.isnan(own)
                if unknown.any():
                    own[unknown] = RANK_PRIOR if unknown.all() else np.median(own[~unknown])
                    used[rows] = own
            total += weight * used
            known_weight += weight * ~np.isnan(values[name])
        return np.where(known_weight >= RANK_LEAST_KNOWN, total, np.nan)

    def _shares(self, counts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Counts on the log scale of their type, 0 to 1; NaN where unknown."""
        shares = np.full(len(counts), np.nan)
        for rows in self._of_type:
            own = counts[rows]
            known = own[~np.isnan(own)]
            if len(known):
                top = max(ADOPTION_FLOOR, float(np.percentile(known, ADOPTION_PERCENTILE)))
                shares[rows] = np.minimum(1.0, np.log1p(own) / np.log1p(top))
        return shares


def _flow(weighed: Iterable[WeighedVote]) -> float:
    """The outcome weight of an artifact's paths, those above 0: what `Walks.flows` sends to it."""
    paths: dict[tuple[str, str], list[WeighedVote]] = {}
    for each in weighed:
        paths.setdefault((each.vote.intent, each.vote.uri), []).append(each)
    return exact_sum(max(0.0, add_up(votes).weight) for votes in paths.values())


def _column(inputs: list[ScoreInput], value: Callable[[ScoreInput], float | None]) -> NDArray[np.float64]:
    """One number an artifact, float64, NaN where it is unknown."""
    found = (value(each) for each in inputs)
    return np.array([np.nan if each is None else each for each in found], np.float64)
