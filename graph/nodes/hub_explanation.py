"""An artifact with many votes explained: all are weighed as columns, few are written out. Equal to `graph.explain`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from sqlalchemy import Connection, func, select

from graph.constants import OUTCOME_VALUE, SHRINK_ACTORS
from graph.explain import Crowd, Explanation
from graph.identities import Identities
from graph.match_graph import Vote
from graph.nodes.column_sums import count_selecting, rate_success, signed_sum
from graph.nodes.hub_neighbours import weigh_at
from graph.nodes.hub_paths import HubPaths
from graph.store.packed_votes import PackedVotes, search_digest
from graph.store.tables import FOLD_ACTORS, FOLD_TIMES, FOLD_VOTES
from graph.vote_columns import WeighedColumns
from graph.walks import Node
from graph.weights import WeighedVote, examination

_IN_CHUNK: Final = 500


def explain_hub(
    connection: Connection, node: Node, as_of_us: int, limit: int, packed: PackedVotes, same: Identities, *,
    pagerank: float, flow: float, crowd: Crowd,
) -> Explanation | None:  # fmt: skip
    """The explanation of an artifact, shortened as `graph.explain.shorten` does; its neighbours are left out.

    None where a merge of actors leaves open which of two votes counts: their events decide, which are not packed.
    """
    votes = packed.resolved(same)
    weighed = weigh_at(votes, node, as_of_us)
    if weighed is None:
        return None
    voters, paths = len(np.unique(weighed.votes.actor)), HubPaths(connection, node.id, weighed, votes, same)
    times = select(FOLD_TIMES.c.searches).where(FOLD_TIMES.c.artifact == node.id)
    return Explanation(
        artifact=node.id, times_matched=int(connection.execute(times).scalar() or 0),
        distinct_actors=_count_seekers(connection, node.id, same), voters=voters,
        selecting_actors=count_selecting(weighed), positive=signed_sum(weighed.weight, 1),
        negative=signed_sum(weighed.weight, -1), pagerank=pagerank, flow=flow,
        shrink=voters / (voters + SHRINK_ACTORS), success=rate_success(weighed.votes), crowd=crowd,
        votes_of=len(weighed.votes), voted_paths=len(paths.weights), paths=tuple(paths.strongest(limit)),
        votes=tuple(_newest(connection, node.id, weighed, votes, same, limit)), neighbours=(),
    )  # fmt: skip


def _count_seekers(connection: Connection, artifact: str, same: Identities) -> int:
    there, survivors = FOLD_ACTORS.c.artifact == artifact, same.survivors("actor")
    if not survivors:
        return int(connection.execute(select(func.count()).select_from(FOLD_ACTORS).where(there)).scalar_one())
    actors = connection.execute(select(FOLD_ACTORS.c.actor).where(there)).scalars()
    return len({survivors.get(actor, actor) for actor in actors})


def _newest(
    connection: Connection, artifact: str, weighed: WeighedColumns, packed: PackedVotes, same: Identities, limit: int
) -> list[WeighedVote]:
    """The newest votes with their factors, by (time, event)."""
    votes, count = weighed.votes, min(limit, len(weighed.votes))
    if not count:
        return []
    since_us = int(np.partition(votes.time_us, -count)[-count])
    places, level = np.flatnonzero(votes.time_us >= since_us), votes.level
    known = {(int(votes.search[p]), int(votes.actor[p]), int(level[p]), int(votes.time_us[p])): p for p in places}
    numbers: dict[str, int] = {}
    for number in np.unique(votes.actor[places]).tolist():
        numbers |= dict.fromkeys(same.members("actor", packed.names["actor"][number]), number)
    found = []
    for row in _rows_since(connection, artifact, list(numbers), since_us):
        number = numbers[row.actor]
        place = known.get((search_digest(row.search), number, row.level, row.time_us))
        if place is not None:
            vote = Vote(
                row.search, artifact, packed.names["actor"][number], same.resolve("intent", row.intent),
                same.resolve("capability", row.uri), row.outcome, row.position, row.trust, row.time_us, row.event,
            )  # fmt: skip
            factors = (float(each[place]) for each in (weighed.decay, weighed.cap, weighed.weight))
            found.append(WeighedVote(vote, OUTCOME_VALUE[vote.outcome], examination(vote.position), *factors))
    return sorted(found, key=lambda each: (each.vote.time_us, each.vote.event))[-limit:]


def _rows_since(connection: Connection, artifact: str, actors: Sequence[str], since_us: int) -> Iterator[Any]:
    for start in range(0, len(actors), _IN_CHUNK):
        of_actors = (FOLD_VOTES.c.artifact == artifact) & FOLD_VOTES.c.actor.in_(actors[start : start + _IN_CHUNK])
        yield from connection.execute(select(FOLD_VOTES).where(of_actors, FOLD_VOTES.c.time_us >= since_us))
