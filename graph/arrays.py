"""The match graph's edges as arrays, for what walks over all of them: PageRank, communities, paths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from graph.walks import Node, NodeKind, Path

By = Literal["outcomes", "deliveries"]
"""What an edge weighs: what outcomes say of it, or how often searches delivered along it."""


@dataclass(frozen=True)
class GraphArrays:
    """The edges intent → capability and capability → artifact, sorted by (source, target).

    `sources` and `targets` are int64 of shape (edges,), positions in `nodes`; `deliveries` int64 and `walk` float64 of
    the same shape: delivering searches, and outcome weight, each path's at least 0.
    """

    nodes: tuple[Node, ...]
    sources: NDArray[np.int64]
    targets: NDArray[np.int64]
    deliveries: NDArray[np.int64]
    walk: NDArray[np.float64]

    @cached_property
    def number(self) -> dict[Node, int]:
        """The position of each node."""
        return {node: i for i, node in enumerate(self.nodes)}

    def weights(self, by: By) -> NDArray[np.float64]:
        """Weight of each edge, float64 of shape (edges,), at least 0."""
        return self.walk if by == "outcomes" else self.deliveries.astype(np.float64)

    def both_ways(self, by: By) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Sources, targets and weights of the weighted edges, each in both directions: arrays of shape (2 · edges,)."""
        weights = self.weights(by)
        kept = weights > 0
        sources, targets, weights = self.sources[kept], self.targets[kept], weights[kept]
        return (
            np.concatenate([sources, targets]), np.concatenate([targets, sources]), np.concatenate([weights, weights])
        )  # fmt: skip


def join_paths(
    paths: Sequence[Path], deliveries: Mapping[Path, int], walk: Mapping[Path, float], nodes: Sequence[Node]
) -> GraphArrays:
    """The arrays of paths' edges: an edge is the sum of the paths along it, added in the order of the paths.

    Parameters
    ----------
    paths : sequence of Path
        Every path once, sorted.
    deliveries, walk : mapping
        Delivering searches, and outcome weight, by path; absent is 0.
    nodes : sequence of Node
        All nodes of the paths, and any others.
    """
    number: dict[NodeKind, dict[str, int]] = {"intent": {}, "capability": {}, "artifact": {}}
    for i, node in enumerate(nodes):
        number[node.kind][node.id] = i
    steps = np.array(
        [[places[path[i]] for path in paths] for i, places in enumerate(number.values())], np.int64
    ).reshape(3, -1)
    counts = np.array([deliveries.get(path, 0) for path in paths], np.int64)
    sums = np.array([walk.get(path, 0.0) for path in paths], np.float64)
    codes = np.concatenate([steps[0] * len(nodes) + steps[1], steps[1] * len(nodes) + steps[2]])
    edges, places = np.unique(codes, return_inverse=True)
    total = np.zeros(len(edges), np.int64)
    np.add.at(total, places, np.concatenate([counts, counts]))
    weight = np.bincount(places, weights=np.concatenate([sums, sums]), minlength=len(edges)).astype(np.float64)
    across = max(len(nodes), 1)
    return GraphArrays(tuple(nodes), edges // across, edges % across, total, weight)
