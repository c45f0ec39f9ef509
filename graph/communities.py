"""Communities of the match graph: what is used for the same, found from how it is used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from graph.arrays import By
from graph.walks import Node

if TYPE_CHECKING:
    from graph.statistics import MatchGraph

SEED: Final = 0
_TRIALS: Final = 4
"""Leiden is run this often from different draws; the partition of the highest modularity is taken."""


@dataclass(frozen=True)
class Communities:
    """A partition of the nodes that have a weighted edge: the largest first, ties by their first node; each sorted.

    `modularity` is Newman's, of the weighted undirected graph: 0 is what chance gives, 1 the most.
    """

    groups: tuple[tuple[Node, ...], ...]
    modularity: float

    def of(self, node: Node) -> tuple[Node, ...]:
        """The community of a node; () where it has no weighted edge."""
        return next((group for group in self.groups if node in group), ())


def find_communities(match_graph: MatchGraph, by: By = "outcomes", *, seed: int = SEED) -> Communities:
    """Communities by the Leiden algorithm; the same graph and seed give the same ones. None without weighted edges.

    Source: Traag, Waltman, van Eck 2019, "From Louvain to Leiden: guaranteeing well-connected communities".

    Parameters
    ----------
    match_graph : MatchGraph
        The match graph; edges count in both directions.
    by : {"outcomes", "deliveries"}
        What edges weigh.
    seed : int
        Seed of the algorithm's draws.
    """
    from graspologic_native import leiden_csr
    from scipy.sparse import csr_array

    arrays = match_graph.arrays
    sources, targets, weights = arrays.both_ways(by)
    if not len(sources):
        return Communities((), 0.0)
    used = np.unique(sources)
    place = np.zeros(len(arrays.nodes), np.int64)
    place[used] = np.arange(len(used))
    matrix = csr_array((weights, (place[sources], place[targets])), shape=(len(used), len(used)))
    matrix.sort_indices()
    modularity, labels = leiden_csr(
        matrix.indptr.astype(np.int64),
        matrix.indices.astype(np.int32),
        matrix.data,
        len(used),
        seed=seed,
        trials=_TRIALS,
    )
    groups: dict[int, list[Node]] = {}
    for place_used, number in enumerate(used.tolist()):
        groups.setdefault(labels[place_used], []).append(arrays.nodes[number])
    ordered = sorted((tuple(sorted(group)) for group in groups.values()), key=lambda group: (-len(group), group[0]))
    return Communities(tuple(ordered), float(modularity))
