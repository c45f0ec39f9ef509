"""What outcomes alone say of the match graph: supports of paths, PageRank, flows. Deliveries play no part here."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal, NamedTuple

import numpy as np

from graph.match_graph import Fold
from graph.pagerank import personalised_pagerank
from graph.weights import Support, WeighedVote, add_up, exact_sum, weigh_fold

NodeKind = Literal["artifact", "capability", "intent"]
KINDS: Final[tuple[NodeKind, ...]] = ("intent", "capability", "artifact")
Path = tuple[str, str, str]
"""Intent id, canonical URI, artifact id; "" where a search had none."""


class Node(NamedTuple):
    """A node; `id` is an intent id, a canonical URI or an artifact id, "" where a search had none."""

    kind: NodeKind
    id: str

    @property
    def key(self) -> str:
        """The node's name in exports, unique over all kinds."""
        is_uri = self.kind == "capability" and self.id.startswith("capability://")
        return self.id if is_uri else f"{self.kind}:{self.id}"


def path_nodes(path: Path) -> tuple[Node, Node, Node]:
    """The three nodes of a path."""
    return Node("intent", path[0]), Node("capability", path[1]), Node("artifact", path[2])


@dataclass(frozen=True)
class Walks:
    """The weighed votes per artifact, and what they add up to along each path, as of a moment; both sorted."""

    votes: dict[str, list[WeighedVote]]
    supports: dict[Path, Support]

    @cached_property
    def weights(self) -> dict[Path, float]:
        """The outcome weight of the paths where it is above 0: a negative sum counts 0."""
        return {path: support.weight for path, support in self.supports.items() if support.weight > 0}

    @cached_property
    def intent_weights(self) -> dict[Node, float]:
        """The outcome weight of each intent that has some: of its paths together."""
        sums: dict[Node, list[float]] = {}
        for path, weight in self.weights.items():
            sums.setdefault(path_nodes(path)[0], []).append(weight)
        return {node: exact_sum(weights) for node, weights in sums.items()}

    @cached_property
    def ranks(self) -> dict[Node, float]:
        """Personalised PageRank of the nodes on weighted paths, adding up to 1; that of all others is 0.

        Walks start at intents in proportion to their outcome weight and follow intent → capability → artifact →
        intent in proportion to the edges' outcome weight.
        """
        sums: dict[tuple[Node, Node], list[float]] = {}
        for path, weight in self.weights.items():
            intent, capability, artifact = path_nodes(path)
            for pair in ((intent, capability), (capability, artifact), (artifact, intent)):
                sums.setdefault(pair, []).append(weight)
        nodes = sorted({node for pair in sums for node in pair})
        number = {node: i for i, node in enumerate(nodes)}
        start = np.zeros(len(nodes))
        for node, weight in self.intent_weights.items():
            start[number[node]] = weight
        ranks = personalised_pagerank(
            start,
            np.array([number[source] for source, _ in sums], np.int64),
            np.array([number[target] for _, target in sums], np.int64),
            np.array([exact_sum(weights) for weights in sums.values()], np.float64),
        )
        return {node: float(rank) for node, rank in zip(nodes, ranks, strict=True)}

    @cached_property
    def flows(self) -> dict[str, float]:
        """The outcome weight that PageRank sends to each artifact with a vote, by id.

        Its share of all artifacts' PageRank times the outcome weight of all intents. Because walks begin in proportion
        to the weights that they follow, this is the sum of the artifact's paths: outcomes of others do not change it.
        """
        total = exact_sum(rank for node, rank in self.ranks.items() if node.kind == "artifact")
        spread = exact_sum(self.intent_weights.values())
        ranks = {artifact: self.ranks.get(Node("artifact", artifact), 0.0) for artifact in self.votes}
        return {artifact: spread * rank / total if total > 0 else 0.0 for artifact, rank in ranks.items()}

    @cached_property
    def artifacts_of_actors(self) -> Counter[str]:
        """How many artifacts each actor has a vote on."""
        return Counter(actor for votes in self.votes.values() for actor in {each.vote.actor for each in votes})

    @cached_property
    def actors_of_one_artifact(self) -> int:
        """How many actors have votes on one artifact alone."""
        return sum(number == 1 for number in self.artifacts_of_actors.values())

    def voters(self, artifact: str) -> int:
        """k: distinct actors with a vote on an artifact."""
        return len({weighed.vote.actor for weighed in self.votes.get(artifact, ())})


def walk_votes(fold: Fold, as_of_us: int) -> Walks:
    """The walks of a fold's votes as of a moment."""
    votes = weigh_fold(fold, as_of_us)
    groups: dict[Path, list[WeighedVote]] = {}
    for artifact, each in votes.items():
        for weighed in each:
            groups.setdefault((weighed.vote.intent, weighed.vote.uri, artifact), []).append(weighed)
    return Walks(votes, {path: add_up(group) for path, group in sorted(groups.items())})
