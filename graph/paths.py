"""Explanation paths: how two nodes of the match graph are joined, the likeliest way first."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from graph.arrays import By, GraphArrays
from graph.walks import Node

if TYPE_CHECKING:
    from graph.statistics import MatchGraph


@dataclass(frozen=True)
class Step:
    """One step along an edge; `forward` where the edge leads this way. `share` is its chance at `source`, 0 to 1."""

    source: Node
    target: Node
    forward: bool
    deliveries: int
    weight: float
    actors: int
    share: float


@dataclass(frozen=True)
class ExplanationPath:
    """A way between two nodes: the steps, and the chance that a random walk takes them, the product of their shares."""

    steps: tuple[Step, ...]
    chance: float
    by: By


def explanation_paths(match_graph: MatchGraph, source: Node, target: Node, count: int = 3) -> list[ExplanationPath]:
    """The likeliest ways of a random walk from one node to another, none twice through a node; best first.

    A walk takes edges in both directions, each step in proportion to its weight: outcomes where they join the two
    nodes, else deliveries. Empty where nothing joins them; one path without steps where they are the same node.
    Source: Yen 1971, "Finding the K Shortest Loopless Paths in a Network", on lengths of -log(share).

    Parameters
    ----------
    match_graph : MatchGraph
        The match graph.
    source, target : Node
        Two nodes of it, as `MatchGraph.find` gives them.
    count : int
        The most paths.
    """
    if source == target:
        return [ExplanationPath((), 1.0, "outcomes")]
    ways: tuple[By, By] = ("outcomes", "deliveries")
    for by in ways:
        found = _likeliest(match_graph.arrays, source, target, by, count)
        if found:
            return [_described(match_graph, nodes, shares, by) for nodes, shares in found]
    return []


def _likeliest(
    arrays: GraphArrays, source: Node, target: Node, by: By, count: int
) -> list[tuple[list[Node], list[float]]]:
    """The nodes of each path and the shares of its steps, the likeliest path first, ties by nodes."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import yen

    sources, targets, weights = arrays.both_ways(by)
    nodes, start, end = len(arrays.nodes), arrays.number[source], arrays.number[target]
    leaving = np.bincount(sources, weights=weights, minlength=nodes)
    shares = weights / np.where(leaving[sources] > 0, leaving[sources], 1.0)
    # A certain step has length 0, which a sparse graph takes for no edge: every step is a little longer.
    lengths = np.maximum(-np.log(shares), 0.0) + np.finfo(np.float64).eps
    ends = (sources.astype(np.int32), targets.astype(np.int32))  # as `yen` wants them
    steps = csr_array((lengths, ends), shape=(nodes, nodes))
    share_of = csr_array((shares, ends), shape=(nodes, nodes))
    distances, before = yen(steps, start, end, count, return_predecessors=True)
    found = []
    for row in range(len(distances)):
        way = [end]
        while way[-1] != start:
            way.append(int(before[row, way[-1]]))
        way.reverse()
        found.append(([arrays.nodes[i] for i in way], [float(share_of[a, b]) for a, b in pairwise(way)]))
    return sorted(found, key=lambda pair: (-math.prod(pair[1]), pair[0]))


def _described(match_graph: MatchGraph, nodes: list[Node], shares: list[float], by: By) -> ExplanationPath:
    steps = []
    for (a, b), share in zip(pairwise(nodes), shares, strict=True):
        near = next(each for each in match_graph.neighbours_of(a) if each.node == b)
        steps.append(Step(a, b, near.forward, near.deliveries, near.weight, near.actors, share))
    return ExplanationPath(tuple(steps), math.prod(shares), by)
