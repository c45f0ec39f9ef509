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
