"""Personalised PageRank on sparse arrays; equal to networkx, about ten times as fast."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from graph.constants import PAGERANK_DAMPING, PAGERANK_TOLERANCE


def personalised_pagerank(
    start: NDArray[np.float64],
    sources: NDArray[np.int64],
    targets: NDArray[np.int64],
    weights: NDArray[np.float64],
) -> NDArray[np.float64]:
    """PageRank of every node, float64 of shape (nodes,), adding up to 1; all 0 where nothing starts anywhere.

    The walk follows an edge in proportion to its weight, or with probability 1 - damping, and from nodes without
    a weighted edge, begins anew in proportion to `start`. Power iteration; its error shrinks by the damping at every
    step, which bounds the number of steps. Source: Page, Brin, Motwani, Winograd 1999, "The PageRank Citation
    Ranking"; dangling nodes as in `networkx.pagerank`.

    Parameters
    ----------
    start : ndarray
        Shape (nodes,), float64, at least 0: where walks begin, in any unit.
    sources, targets : ndarray
        Shape (edges,), int64, node numbers. Edges given in one order give the same bits.
    weights : ndarray
        Shape (edges,), float64, at least 0.
    """
    from scipy.sparse import csr_array

    nodes = len(start)
    total = float(start.sum())
    if total <= 0.0:
        return np.zeros(nodes)
    begin = start / total
    leaving = np.bincount(sources, weights=weights, minlength=nodes)
    dangling = np.flatnonzero(leaving <= 0.0)
    share = weights * np.divide(PAGERANK_DAMPING, leaving, out=np.zeros(nodes), where=leaving > 0.0)[sources]
    step = csr_array((share, (targets, sources)), shape=(nodes, nodes))  # rows are targets: one product is one step
    rank: NDArray[np.float64] = begin.copy()
    for _ in range(math.ceil(math.log(PAGERANK_TOLERANCE / 2.0) / math.log(PAGERANK_DAMPING))):
        anew = PAGERANK_DAMPING * float(rank[dangling].sum()) + (1.0 - PAGERANK_DAMPING)
        following: NDArray[np.float64] = step @ rank
        following += anew * begin
        rank -= following
        moved = float(np.abs(rank).sum())
        rank = following
        if moved < PAGERANK_TOLERANCE:
            break
    return rank


def artifact_pagerank(flow: float, flow_of_all: float) -> float:
    """PageRank of an artifact in the match graph, from the outcome weight that goes through it and through all.

    Walks begin at intents in proportion to the weights that they follow, so each kind of node shares its part of all
    PageRank in proportion to its weight. With the damping d, let x be the part of the intents: d·x is that of the
    capabilities, d²·x that of the artifacts, from where d³·x comes back to the intents beside the 1 - d that begin
    anew. So x = (1 - d) / (1 - d³), and an artifact has d²·x · flow / flow of all; 0 while nothing flows.
    """
    if flow_of_all <= 0.0:
        return 0.0
    d = PAGERANK_DAMPING
    return d * d * (1.0 - d) / (1.0 - d**3) * flow / flow_of_all
