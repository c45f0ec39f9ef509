"""Why an artifact stands where it stands in the match graph: every input, vote and factor."""

from __future__ import annotations

from dataclasses import dataclass

from graph.constants import SHRINK_ACTORS
from graph.match_graph import Vote
from graph.statistics import MatchGraph, Neighbour, Node
from graph.weights import SuccessRate, WeighedVote, add_up, selecting_actors, success_rate


@dataclass(frozen=True)
class PathSum:
    """What one intent's votes through one capability add up to, and the success rate there."""

    intent: str
    uri: str
    searches: int
    positive: float
    negative: float
    actors: int
    success: SuccessRate


@dataclass(frozen=True)
class Explanation:
    """All inputs of an artifact's place in the match graph; `flow` is what PageRank sends to it, in outcome weight."""

    artifact: str
    times_matched: int
    distinct_actors: int
    voters: int
    selecting_actors: float
    positive: float
    negative: float
    pagerank: float
    flow: float
    shrink: float
    success: SuccessRate
    paths: tuple[PathSum, ...]
    votes: tuple[WeighedVote, ...]
    neighbours: tuple[Neighbour, ...]


def explain_artifact(match_graph: MatchGraph, artifact: str) -> Explanation:
    """The explanation of an artifact, by artifact id.

    Raises
    ------
    UnknownArtifact
        The match graph has no such artifact: it was never delivered; names the nearest.
    """
    node = match_graph.find(artifact, ("artifact",))
    fold, votes = match_graph.fold, match_graph.votes.get(node.id, [])
    everything = add_up(votes)
    voters = len(everything.actors)
    return Explanation(
        artifact=node.id, times_matched=fold.times[node.id],
        distinct_actors=match_graph.seekers[node.id],
        voters=voters, selecting_actors=selecting_actors(votes),
        positive=everything.positive, negative=everything.negative,
        pagerank=match_graph.pagerank[node], flow=match_graph.walks.flows.get(node.id, 0.0),
        shrink=voters / (voters + SHRINK_ACTORS), success=success_rate(weighed.vote for weighed in votes),
        paths=_paths(match_graph, node.id), votes=tuple(votes),
        neighbours=tuple(match_graph.neighbors(node.key)),
    )  # fmt: skip


def _paths(match_graph: MatchGraph, artifact: str) -> tuple[PathSum, ...]:
    votes: dict[tuple[str, str], list[Vote]] = {}
    for weighed in match_graph.votes.get(artifact, []):
        votes.setdefault((weighed.vote.intent, weighed.vote.uri), []).append(weighed.vote)
    return tuple(
        PathSum(
            intent, uri, path.deliveries, path.support.positive, path.support.negative, len(path.support.actors),
            success_rate(votes.get((intent, uri), [])),
        )
        for (intent, uri, _), path in match_graph.paths_at(Node("artifact", artifact)).items()
    )  # fmt: skip
