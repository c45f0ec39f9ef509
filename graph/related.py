"""What is near a node: personalised PageRank that begins there, on the edges in both directions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from graph.arrays import By
from graph.pagerank import personalised_pagerank
from graph.walks import Node

if TYPE_CHECKING:
    from graph.statistics import MatchGraph


def related(match_graph: MatchGraph, starts: Mapping[Node, float], by: By = "outcomes") -> dict[Node, float]:
    """Personalised PageRank of every node, best first, ties by node; all of it adds up to 1.

    Equal to `networkx.pagerank` with `personalization=starts` on the undirected graph of the same edges. Source: Page,
    Brin, Motwani, Winograd 1999; Haveliwala 2002, "Topic-Sensitive PageRank".

    Parameters
    ----------
    match_graph : MatchGraph
        The match graph.
    starts : mapping
        Nodes where walks begin, and how often each, in any unit above 0; `find` gives nodes by name.
    by : {"outcomes", "deliveries"}
        What edges weigh.

    Raises
    ------
    KeyError
        A start is not a node of this match graph.
    """
    arrays = match_graph.arrays
    begin = np.zeros(len(arrays.nodes))
    for node, weight in starts.items():
        begin[arrays.number[node]] = weight
    ranks = personalised_pagerank(begin, *arrays.both_ways(by))
    pairs = zip(arrays.nodes, ranks.tolist(), strict=True)
    return dict(sorted(pairs, key=lambda pair: (-pair[1], pair[0])))
