"""Ranks of all artifacts in arrays, kept up with the votes: what one outcome changes is summed anew, the rest stays.

The same as the ranks of `graph.ranks.scores.score_all`, which stays the definition: it is what this is tested against.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

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
from graph.match_graph import Vote
from graph.packed_names import PackedNames
from graph.pagerank import artifact_pagerank
from graph.ranks.known_columns import COUNTS, KnownColumns
from graph.ranks.rank_votes import ArtifactVotes, RankVotes, sum_votes
from graph.ranks.score_inputs import ScoreInput
from graph.ranks.scores import ADOPTION_PARTS, Scales, Score, component_values, score_with

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class TypeRanks:
    """The artifacts of one type at a moment; what nobody asks for is not computed.

    Attributes
    ----------
    rows : ndarray
        Int64: their rows in the table.
    counts : mapping
        What is measured on a log scale: float64 of the shape of `rows`, NaN where unknown.
    fixed : mapping
        The components that follow from no count, of the same shape.
    voters : ndarray
        Distinct actors with a vote, of the same shape.
    """

    rows: Rows
    counts: Mapping[str, Floats]
    fixed: Mapping[str, Floats]
    voters: Floats

    @cached_property
    def tops(self) -> dict[str, float]:
        """The 95th percentile of each count that is known of anybody."""
        known = {name: column[~np.isnan(column)] for name, column in self.counts.items()}
        return {name: float(np.percentile(each, ADOPTION_PERCENTILE)) for name, each in known.items() if len(each)}

    def values(self, component: str) -> Floats:
        """A component of each artifact, float64 of the shape of `rows`; NaN where unknown."""
        if component == "match_graph":
            return self._shares("flow") * (self.voters / (self.voters + SHRINK_ACTORS))
        if component != "adoption":
            return self.fixed[component]
        shares = np.stack([self._shares(name) for name in ADOPTION_PARTS])
        number = (~np.isnan(shares)).sum(axis=0)
        mean: Floats = np.nansum(shares, axis=0) / np.where(number > 0, number, np.nan)
        return mean

    def prior(self, component: str) -> float:
        """What an unknown value of a component counts as."""
        return _prior(self.values(component))

    def ranks(self) -> Floats:
        """The ranks, float64 of the shape of `rows`; NaN is "not ranked"."""
        total, known = np.zeros(len(self.rows)), np.zeros(len(self.rows))
        for name, weight in RANK_WEIGHTS.items():
            values = self.values(name)
            is_known = ~np.isnan(values)
            total += weight * np.where(is_known, values, _prior(values))
            known += weight * is_known
        return np.where(known >= RANK_LEAST_KNOWN, total, np.nan)

    def _shares(self, name: str) -> Floats:
        counts = self.counts[name]
        if name not in self.tops:
            return counts
        shares: Floats = np.minimum(1.0, np.log1p(counts) / np.log1p(max(ADOPTION_FLOOR, self.tops[name])))
        return shares


class RankTable:
    """The artifacts that are known, what votes say of each, and their ranks.

    Parameters
    ----------
    known : KnownColumns
        The artifacts, and what is known of them apart from searches; the first rows.
    votes : RankVotes
        The votes, in the same rows.
    others : iterable of str
        The artifacts of the rows after these: voted on, but retired or never in the catalogue.
    delivered : ndarray
        Bool, by row of the known artifacts: whether a counted search ever delivered one.
    pending : iterable of str
        Artifacts with outcomes of a time to come.
    """

    def __init__(
        self, known: KnownColumns, votes: RankVotes, others: Iterable[str] = (),
        delivered: NDArray[np.bool_] | None = None, pending: Iterable[str] = (),
    ) -> None:  # fmt: skip
        self.known, self.votes, self.pending = known, votes, set(pending)
        self.names = PackedNames(*known.ids)
        for artifact in others:
            self.names.number(artifact)
        self.delivered = np.zeros(len(known), bool) if delivered is None else delivered
        self._weighed: tuple[int, Floats, Floats] | None = None
        self._ranks: tuple[int, Floats] | None = None

    @property
    def others(self) -> list[str]:
        """The artifacts of the rows after those of the known ones."""
        return [self.names[row] for row in range(len(self.known), len(self.names))]

    @cached_property
    def _of_type(self) -> dict[str, Rows]:
        names, types = self.known.type_names, self.known.types
        return {name: np.flatnonzero(types == number) for number, name in enumerate(names)}

    def take(self, outcomes: Mapping[str, Iterable[Vote]], as_of_us: int) -> None:
        """Sum the outcomes of these artifacts anew; give all of each, merges resolved."""
        taken: dict[int, ArtifactVotes] = {}
        for artifact, votes in outcomes.items():
            given = list(votes)
            self.pending.discard(artifact)
            if any(vote.time_us > as_of_us for vote in given):
                self.pending.add(artifact)
            taken[self.names.number(artifact)] = sum_votes(given, self.votes.base_us, as_of_us)
        if taken:
            self.votes.replace(taken)
            self._weighed = self._ranks = None

    def deliver(self, artifacts: Iterable[str]) -> None:
        """Take in that counted searches delivered these."""
        rows = [row for artifact in artifacts if (row := self._known_row(artifact)) is not None]
        if not self.delivered[rows].all():
            self.delivered[rows] = True
            self._ranks = None

    def not_delivered(self, artifacts: Iterable[str]) -> set[str]:
        """Those of some artifacts of which the table does not know that a search delivered them."""
        rows = {artifact: self._known_row(artifact) for artifact in artifacts}
        return {artifact for artifact, row in rows.items() if row is None or not self.delivered[row]}

    def rank(self, artifact: str, as_of_us: int, least_us: int | None = None) -> float | None:
        """The rank of an artifact at a moment, 0 to 100; None where it is not ranked, or not known.

        Ranks that were weighed at `least_us` or later will do.
        """
        if self._ranks is None or not (as_of_us if least_us is None else least_us) <= self._ranks[0] <= as_of_us:
            ranks = np.full(len(self.known), np.nan)
            for name in self._of_type:
                of_type = self.of_type(name, as_of_us)
                ranks[of_type.rows] = of_type.ranks()
            self._ranks = (as_of_us, ranks)
        row = self._known_row(artifact)
        return None if row is None or np.isnan(self._ranks[1][row]) else float(self._ranks[1][row])

    def of_type(self, type_: str, as_of_us: int) -> TypeRanks:
        """The artifacts of a type at a moment."""
        rows, known = self._of_type[type_], self.known
        selecting, flow = (column[rows] for column in self._weigh(as_of_us))
        voters = self.votes.voters()[rows]
        counts = {name: known.columns[name][rows] for name in COUNTS}
        counts["selecting_actors"] = np.where(self.delivered[rows] | (selecting > 0), selecting, np.nan)
        counts["flow"] = np.where(voters > 0, flow, np.nan)
        fixed = {"quality": known.columns["quality"][rows], "ecosystem": known.columns["ecosystem"][rows],
                 "freshness": known.freshness(rows, as_of_us)}  # fmt: skip
        return TypeRanks(rows, counts, fixed, voters)

    def score(self, given: ScoreInput, as_of_us: int) -> Score:
        """The score of an artifact of the table, measured against all of its type; equal to that of `score_all`."""
        of_type = self.of_type(given.type, as_of_us)
        scales = Scales({(given.type, name): top for name, top in of_type.tops.items()})
        values = component_values(given, scales, as_of_us)
        unknown = [name for name, (value, _) in values.items() if value is None]
        return score_with(given, values, {(given.type, name): of_type.prior(name) for name in unknown})

    def is_known(self, artifact: str) -> bool:
        """Whether an artifact is in the catalogue, and not retired."""
        return self._known_row(artifact) is not None

    def _known_row(self, artifact: str) -> int | None:
        row = self.names.find(artifact)
        return row if row is not None and row < len(self.known) else None

    def known_of(self, artifact: str, column: str) -> float:
        """What a column of `KnownColumns` says of a known artifact."""
        return float(self.known.columns[column][self._known_row(artifact)])

    def crowd(self, artifact: str) -> tuple[int, int, int]:
        """Voters of an artifact without a vote on another; actors with any vote; those with votes on one alone."""
        tried = self.votes.tried()
        own = self.votes.voter[self.votes.voter_row == self.names.find(artifact)]
        return int((tried[own] == 1).sum()), int((tried > 0).sum()), int((tried == 1).sum())

    def pagerank(self, flow: float, as_of_us: int) -> float:
        """The PageRank of an artifact with this flow."""
        return artifact_pagerank(flow, float(self._weigh(as_of_us)[1].sum()))

    def _weigh(self, as_of_us: int) -> tuple[Floats, Floats]:
        if self._weighed is None or self._weighed[0] != as_of_us:
            self._weighed = (as_of_us, *self.votes.weigh(as_of_us))
        return self._weighed[1:]


def _prior(values: Floats) -> float:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else RANK_PRIOR
