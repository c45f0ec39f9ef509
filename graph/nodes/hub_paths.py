"""The strongest paths through an artifact with many votes: all are added up as columns, few are written out."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from graph.explain import PathSum, by_strength
from graph.identities import Identities
from graph.nodes.column_sums import rate_success
from graph.store.packed_votes import PackedVotes
from graph.store.tables import FOLD_EDGES
from graph.vote_columns import WeighedColumns, exact_sums, run_starts
from graph.weights import success_of


class HubPaths:
    """The paths of an artifact that votes name, with what these add up to: `weights` float64 (paths,)."""

    def __init__(
        self, connection: Connection, artifact: str, weighed: WeighedColumns, packed: PackedVotes, same: Identities
    ) -> None:
        self._connection, self._artifact, self._packed, self._same = connection, artifact, packed, same
        path = weighed.votes.intent.astype(np.uint64) << np.uint64(32) | weighed.votes.uri
        order = np.argsort(path, kind="stable")
        self._weighed, starts = weighed.take(order), run_starts(path[order])
        weight = self._weighed.weight
        self._positive, self._negative = (exact_sums(np.where(s * weight > 0, weight, 0.0), starts) for s in (1, -1))
        self._ends = np.append(starts, len(order))
        self.weights: NDArray[np.float64] = self._positive + self._negative

    def strongest(self, limit: int) -> list[PathSum]:
        """The strongest paths, those without votes among them."""
        if np.count_nonzero(self.weights > 0) >= limit:
            least = float(np.partition(self.weights, -limit)[-limit])
            found = [self._path(place) for place in np.flatnonzero(self.weights >= least).tolist()]
        else:
            found = [self._path(place) for place in range(len(self.weights))]
            found += self._without_votes(limit, {(path.intent, path.uri) for path in found})
        return sorted(found, key=by_strength)[:limit]

    def _path(self, place: int) -> PathSum:
        votes = self._weighed.votes.take(np.arange(self._ends[place], self._ends[place + 1]))
        intent = self._packed.names["intent"][int(votes.intent[0])]
        uri = self._packed.names["capability"][int(votes.uri[0])]
        return PathSum(
            intent, uri, self._searches(intent, uri), float(self._positive[place]), float(self._negative[place]),
            len(np.unique(votes.actor)), rate_success(votes),
        )  # fmt: skip

    def _searches(self, intent: str, uri: str) -> int:
        found = 0
        for one, other in product(self._same.members("intent", intent), self._same.members("capability", uri)):
            path = (FOLD_EDGES.c.intent == one) & (FOLD_EDGES.c.uri == other)
            there = path & (FOLD_EDGES.c.artifact == self._artifact)
            found += int(self._connection.execute(select(FOLD_EDGES.c.searches).where(there)).scalar() or 0)
        return found

    def _without_votes(self, limit: int, voted: set[tuple[str, str]]) -> list[PathSum]:
        """The busiest paths that no vote names; where anything was merged, all rows are added up first."""
        columns = (FOLD_EDGES.c.intent, FOLD_EDGES.c.uri, FOLD_EDGES.c.searches)
        query = select(*columns).where(FOLD_EDGES.c.artifact == self._artifact)
        if not self._same.survivors("intent") and not self._same.survivors("capability"):
            query = query.order_by(FOLD_EDGES.c.searches.desc(), *columns[:2]).limit(limit + len(voted))
        found: dict[tuple[str, str], int] = {}
        for intent, uri, searches in self._connection.execute(query):
            path = (self._same.resolve("intent", intent), self._same.resolve("capability", uri))
            if path not in voted:
                found[path] = found.get(path, 0) + searches
        return [PathSum(*path, searches, 0.0, 0.0, 0, success_of(0, 0)) for path, searches in found.items()]
