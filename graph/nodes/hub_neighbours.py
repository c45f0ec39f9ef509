"""The strongest neighbours of a node with many votes: all are weighed as columns, few are looked at one by one."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

import numpy as np
from sqlalchemy import Connection

from graph.identities import Identities
from graph.nodes.node_edges import NodeEdges
from graph.packed_names import PackedNames
from graph.statistics import NEXT_TO, Neighbour, by_strength
from graph.store.packed_votes import COLUMN_OF, PackedVotes
from graph.vote_columns import WeighedColumns, exact_sums, run_starts, weigh_columns
from graph.walks import KINDS, Node, NodeKind


def read_hub(
    connection: Connection, node: Node, as_of_us: int, limit: int, packed: PackedVotes, same: Identities
) -> tuple[int, list[Neighbour]] | None:
    """How many neighbours a node has, and the strongest so many, as `MatchGraph.neighbours_of` gives them.

    None where a merge of actors leaves open which of two votes counts: their events decide, which are not packed.
    """
    votes = packed.resolved(same)
    weighed = weigh_at(votes, node, as_of_us)
    if weighed is None:
        return None
    sides = {
        kind: _Voted(weighed, node.kind, kind, votes.names[kind], NodeEdges(connection, node, kind, same))
        for kind, _ in NEXT_TO[node.kind]
    }
    of, voted = sum(side.edges.count(side) for side in sides.values()), sum(map(len, sides.values()))
    weights = np.concatenate([side.weights for side in sides.values()])
    if np.count_nonzero(weights > 0) >= limit:
        least = float(np.partition(weights, -limit)[-limit])
    else:  # then those without votes, of weight 0, are on the page too, and only behind them the negative ones
        least = 0.0 if np.count_nonzero(weights >= 0) + of - voted >= limit else -np.inf
    found = [near for side in sides.values() for near in side.contenders(least, limit)]
    page = sorted(found, key=by_strength)[:limit]
    return of, [replace(near, actors=sides[near.node.kind].actors(near.node.id)) for near in page]


def weigh_at(votes: PackedVotes, node: Node, as_of_us: int) -> WeighedColumns | None:
    """The weighed votes on paths through a node; None where which of two counts is open. Merges must be resolved."""
    number, column = votes.names[node.kind].find(node.id), COLUMN_OF[node.kind]
    outcomes = votes.columns.with_all_of_pairs(getattr(votes.columns, column) == (-1 if number is None else number))
    if outcomes.is_ambiguous():
        return None
    weighed = weigh_columns(outcomes, as_of_us)
    return weighed.take(getattr(weighed.votes, column) == number)


class _Voted(Collection[str]):
    """The ids of the neighbours of one kind that votes name, each with its outcome weight, in the order of numbers."""

    def __init__(
        self, weighed: WeighedColumns, kind: NodeKind, near_kind: NodeKind, names: PackedNames, edges: NodeEdges
    ) -> None:
        self.kind, self.edges = near_kind, edges
        self._names, self._forward = names, KINDS.index(near_kind) > KINDS.index(kind)
        near = getattr(weighed.votes, COLUMN_OF[near_kind])
        (third,) = (getattr(weighed.votes, COLUMN_OF[each]) for each in KINDS if each not in (kind, near_kind))
        path = near.astype(np.uint64) << np.uint64(32) | third
        order = np.argsort(path)
        near, weight = near[order], weighed.weight[order]
        paths = run_starts(path[order])
        starts = run_starts(near[paths])
        positive, negative = (
            exact_sums(exact_sums(np.where(sign * weight > 0, weight, 0.0), paths), starts) for sign in (1, -1)
        )
        self.weights = positive + negative
        self._numbers, self._voters = near[paths[starts]], weighed.votes.actor[order]
        self._ends = np.append(paths[starts], len(near))

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[str]:
        return (self._names[number] for number in self._numbers.tolist())

    def __contains__(self, id_: object) -> bool:
        return self._place(str(id_)) is not None

    def _place(self, id_: str) -> int | None:
        number = self._names.find(id_)
        place = int(np.searchsorted(self._numbers, number)) if number is not None else len(self)
        return place if place < len(self) and self._numbers[place] == number else None

    def actors(self, id_: str) -> int:
        """How many distinct actors have votes on paths through a neighbour."""
        place = self._place(id_)
        return 0 if place is None else len(np.unique(self._voters[self._ends[place] : self._ends[place + 1]]))

    def contenders(self, least: float, limit: int) -> Iterator[Neighbour]:
        """The neighbours of at least some weight; where that is not above 0, the busiest of those without votes too."""
        heavy = {self._names[int(self._numbers[place])]: place for place in np.flatnonzero(self.weights >= least)}
        delivered = self.edges.deliveries(list(heavy))
        for id_, place in heavy.items():
            yield self._neighbour(id_, delivered.get(id_, 0), float(self.weights[place]))
        if least <= 0:
            for id_, searches in self.edges.busiest(limit, self).items():
                yield self._neighbour(id_, searches, 0.0)

    def _neighbour(self, id_: str, deliveries: int, weight: float) -> Neighbour:
        return Neighbour(Node(self.kind, id_), self._forward, deliveries, weight, 0)
