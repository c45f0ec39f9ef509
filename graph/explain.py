"""Why an artifact stands where it stands in the match graph: every input, vote and factor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from graph.constants import DAY_US, SHRINK_ACTORS
from graph.match_graph import Vote
from graph.statistics import MatchGraph, Neighbour, Node
from graph.walks import Walks
from graph.weights import SuccessRate, WeighedVote, add_up, exact_sum, selecting_actors, success_rate


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

    @property
    def weight(self) -> float:
        """The outcome weight: the two sums together."""
        return self.positive + self.negative


@dataclass(frozen=True)
class Crowd:
    """Who stands behind an artifact's votes, so that a crowd that came for it alone can be seen.

    `only_here` of the `voters` have no vote on anything else, and `only_here_elsewhere` is that share among the voters
    of all other artifacts (None without any): users mostly try several, a hired crowd one. `busiest_day_voters` cast
    their first vote on it on the same day. `largest_actor_share` is the largest part of its absolute weight that one
    actor has. None of these changes a weight.
    """

    voters: int
    only_here: int
    only_here_elsewhere: float | None
    busiest_day: int | None
    busiest_day_voters: int
    largest_actor_share: float


@dataclass(frozen=True)
class Explanation:
    """All inputs of an artifact's place in the match graph; `flow` is what PageRank sends to it, in outcome weight.

    Of `votes_of` votes and of the paths, of which votes name `voted_paths`, some may be left out; the sums are of all.
    """

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
    crowd: Crowd
    votes_of: int
    voted_paths: int
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
    return explain_part(
        match_graph, node, pagerank=match_graph.pagerank[node], flow=match_graph.walks.flows.get(node.id, 0.0),
        crowd=find_crowd(match_graph.walks, node.id), neighbours=match_graph.neighbors(node.key),
    )  # fmt: skip


def explain_part(
    match_graph: MatchGraph, node: Node, *, pagerank: float, flow: float, crowd: Crowd, neighbours: Sequence[Neighbour]
) -> Explanation:
    """The explanation of an artifact from the paths through it alone, and from what depends on all others too."""
    fold, votes = match_graph.fold, match_graph.votes.get(node.id, [])
    everything = add_up(votes)
    voters = len(everything.actors)
    return Explanation(
        artifact=node.id, times_matched=fold.times[node.id],
        distinct_actors=match_graph.seekers[node.id],
        voters=voters, selecting_actors=selecting_actors(votes),
        positive=everything.positive, negative=everything.negative,
        pagerank=pagerank, flow=flow,
        shrink=voters / (voters + SHRINK_ACTORS), success=success_rate(weighed.vote for weighed in votes),
        crowd=crowd, votes_of=len(votes), voted_paths=len({(w.vote.intent, w.vote.uri) for w in votes}),
        paths=_paths(match_graph, node.id), votes=tuple(votes), neighbours=tuple(neighbours),
    )  # fmt: skip


def shorten(whole: Explanation, limit: int) -> Explanation:
    """The explanation with the newest so many votes, by time, and as many paths, the strongest first."""
    paths = tuple(sorted(whole.paths, key=by_strength)[:limit])
    return replace(whole, votes=whole.votes[-limit:], paths=paths)


def by_strength(path: PathSum) -> tuple[float, int, str, str]:
    """Sort key: the strongest outcome weight first, then most searches, then the ids."""
    return -path.weight, -path.searches, path.intent, path.uri


def find_crowd(walks: Walks, artifact: str) -> Crowd:
    """Who stands behind the votes on an artifact, by id."""
    votes, tried = walks.votes.get(artifact, ()), walks.artifacts_of_actors
    only_here = sum(tried[actor] == 1 for actor in {each.vote.actor for each in votes})
    return describe_crowd(votes, only_here, len(tried), walks.actors_of_one_artifact)


def describe_crowd(votes: Sequence[WeighedVote], only_here: int, actors: int, of_one_artifact: int) -> Crowd:
    """Who stands behind the votes on an artifact.

    `only_here` of its voters have no vote on anything else; `actors` have any vote at all, `of_one_artifact` of these
    on one artifact alone.
    """
    first: dict[str, int] = {}
    sizes: dict[str, list[float]] = {}
    for weighed in votes:
        actor = weighed.vote.actor
        first[actor] = min(weighed.vote.time_us // DAY_US, first.get(actor, weighed.vote.time_us // DAY_US))
        sizes.setdefault(actor, []).append(abs(weighed.weight))
    elsewhere = actors - only_here
    days = Counter(first.values())
    day, most = min(days.items(), key=lambda pair: (-pair[1], pair[0]), default=(None, 0))
    totals = [exact_sum(each) for each in sizes.values()]
    return Crowd(
        voters=len(first), only_here=only_here,
        only_here_elsewhere=(of_one_artifact - only_here) / elsewhere if elsewhere else None,
        busiest_day=None if day is None else day * DAY_US, busiest_day_voters=most,
        largest_actor_share=max(totals) / exact_sum(totals) if exact_sum(totals) > 0 else 0.0,
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
