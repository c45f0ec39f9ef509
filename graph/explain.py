"""Why an artifact stands where it stands in the match graph: every input, vote and factor."""

from __future__ import annotations

from dataclasses import dataclass

from graph.constants import SHRINK_ACTORS
from graph.match_graph import Vote, resolve_alias
from graph.statistics import MatchGraph, Neighbour
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


@dataclass(frozen=True)
class ExplainRow:
    """One line for people: what, how much, and how it came about."""

    name: str
    value: int | float
    how: str


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
        distinct_actors=sum(delivered == node.id for delivered, _ in fold.actors),
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
        uri = resolve_alias(weighed.vote.uri, match_graph.aliases)
        votes.setdefault((weighed.vote.intent, uri), []).append(weighed.vote)
    return tuple(
        PathSum(
            intent, uri, path.deliveries, path.support.positive, path.support.negative, len(path.support.actors),
            success_rate(votes.get((intent, uri), [])),
        )
        for (intent, uri, end), path in match_graph.paths.items()
        if end == artifact
    )  # fmt: skip


def explain_rows(explanation: Explanation) -> list[ExplainRow]:
    """An explanation as lines: the sums first, then paths, then votes, oldest first."""
    e = explanation
    rows = [
        ExplainRow("times matched", e.times_matched, "distinct searches that delivered it"),
        ExplainRow("distinct actors", e.distinct_actors, "who made these searches"),
        ExplainRow("voters", e.voters, "k, distinct actors with an outcome"),
        ExplainRow("selecting actors", e.selecting_actors, "who selected it or had success, decayed since"),
        ExplainRow("outcome weight", e.positive + e.negative, f"{e.positive:.4g} for, {e.negative:.4g} against"),
        ExplainRow("success rate", e.success.mean, _success_words(e.success)),
        ExplainRow("PageRank", e.pagerank, "of all nodes together 1"),
        ExplainRow("flow", e.flow, "share of all artifacts' PageRank x outcome weight of all intents"),
        ExplainRow("shrink", e.shrink, f"k / (k + {SHRINK_ACTORS:g})"),
    ]
    for path in e.paths:
        name = f"path {path.intent or '-'} > {path.uri or '-'}"
        how = f"{path.searches} searches, {path.actors} voters, success {_success_words(path.success)}"
        rows.append(ExplainRow(name, path.positive + path.negative, how))
    for weighed in e.votes:
        vote = weighed.vote
        how = (
            f"value {weighed.value:g} / examination {weighed.examination:.4g} at position {vote.position} "
            f"x trust {vote.trust:g} x decay {weighed.decay:.4g} x cap {weighed.cap:.4g}"
        )
        rows.append(ExplainRow(f"{vote.outcome} by {vote.actor} in {vote.search}", weighed.weight, how))
    return rows


def _success_words(rate: SuccessRate) -> str:
    return f"{rate.successes} of {rate.successes + rate.failures} ({rate.low:.2f} to {rate.high:.2f})"
