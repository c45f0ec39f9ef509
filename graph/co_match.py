"""Co-match: what is chosen instead of what. Counted over searches that delivered both."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from sqlalchemy import Connection, select

from graph.events import SearchEvent
from graph.identities import Identities
from graph.match_graph import NO_INTENT
from graph.store.folded import read_identities
from graph.store.log import is_throw_away, pages_of
from graph.store.tables import FOLD_EDGES, FOLD_VOTES

SELECTING: Final = ("select", "success")
_IN_CHUNK: Final = 500


@dataclass(frozen=True)
class Choice:
    """What one actor was delivered by one search, on all its pages, and took of it (selected, or used with success)."""

    search: str
    actor: str
    delivered: frozenset[str]
    taken: frozenset[str]


@dataclass(frozen=True)
class CoMatch:
    """How two artifacts fared in the searches that delivered both and in which something was taken.

    `instead` counts the choices of the other and not of this one, by `instead_actors` distinct actors; `over` those of
    this one and not of the other; `both` those of both; `together` all, of neither too. Actors weigh more than
    searches: one actor can repeat a search at will.
    """

    artifact: str
    other: str
    together: int
    instead: int
    instead_actors: int
    over: int
    over_actors: int
    both: int


def co_matches(choices: Iterable[Choice], artifact: str) -> list[CoMatch]:
    """What was chosen instead of an artifact and what it was chosen over; the most actors first, then searches, id."""
    groups: dict[str, list[Choice]] = {}
    for choice in choices:
        if artifact in choice.delivered and choice.taken:
            for other in choice.delivered - {artifact}:
                groups.setdefault(other, []).append(choice)
    found = [_co_match(artifact, other, each) for other, each in groups.items()]
    return sorted(found, key=lambda c: (-c.instead_actors, -c.instead, -c.over_actors, -c.over, -c.together, c.other))


def _co_match(artifact: str, other: str, choices: Sequence[Choice]) -> CoMatch:
    instead = [c for c in choices if other in c.taken and artifact not in c.taken]
    over = [c for c in choices if artifact in c.taken and other not in c.taken]
    both = sum(artifact in c.taken and other in c.taken for c in choices)
    return CoMatch(
        artifact, other, len(choices), len(instead), len({c.actor for c in instead}), len(over),
        len({c.actor for c in over}), both,
    )  # fmt: skip


def instead_matrix(
    choices: Sequence[Choice], artifacts: Sequence[str]
) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """How often artifact j was taken and i, delivered too, was not: int64 of shape (artifacts, artifacts).

    Parameters
    ----------
    choices : sequence of Choice
        The choices.
    artifacts : sequence of str
        Rows and columns; others are left out.
    """
    from scipy.sparse import csr_array

    number = {artifact: i for i, artifact in enumerate(artifacts)}

    def incidence(sets: Sequence[Iterable[str]]) -> csr_array:
        pairs = [(row, number[a]) for row, each in enumerate(sets) for a in each if a in number]
        rows, columns = ([pair[i] for pair in pairs] for i in (0, 1))
        shape = (len(sets), len(artifacts))
        return csr_array((np.ones(len(pairs), np.int64), (rows, columns)), shape=shape)

    taken = incidence([c.taken for c in choices])
    left = incidence([c.delivered - c.taken for c in choices])
    return np.asarray((left.T @ taken).todense(), np.int64)


def read_choices(connection: Connection, artifact: str | None = None) -> list[Choice]:
    """The choices of the log, sorted by (search, actor); of searches that may have delivered one artifact, or of all.

    Synthetic searches and abstained ones are left out, as in the fold. A search whose payload was forgotten is no
    longer known to have delivered anything.
    """
    same, synthetic = read_identities(connection), is_throw_away(connection)
    taken: dict[tuple[str, str], set[str]] = {}
    for search, actor, chosen in _takings(connection, artifact, same):
        taken.setdefault((search, same.resolve("actor", actor)), set()).add(chosen)
    delivered: dict[str, set[str]] = {}
    for page in pages_of(connection, sorted({search for search, _ in taken})):
        if not page.abstained and (synthetic or not page.synthetic):
            delivered.setdefault(page.root, set()).update(_artifacts(page, same))
    return [
        Choice(search, actor, frozenset(delivered[search] | own), frozenset(own))
        for (search, actor), own in sorted(taken.items())
        if search in delivered
    ]


def _artifacts(page: SearchEvent, same: Identities) -> set[str]:
    return {same.resolve("artifact", result.artifact) for result in page.results}


def _takings(connection: Connection, artifact: str | None, same: Identities) -> list[tuple[str, str, str]]:
    """(search, actor, artifact) of the takings in the intents that delivered an artifact, or in all."""
    takings = select(FOLD_VOTES.c.search, FOLD_VOTES.c.actor, FOLD_VOTES.c.artifact).where(
        FOLD_VOTES.c.outcome.in_(SELECTING)
    )
    if artifact is None:
        return [(row.search, row.actor, row.artifact) for row in connection.execute(takings)]
    near = select(FOLD_EDGES.c.intent).where(FOLD_EDGES.c.artifact == same.resolve("artifact", artifact)).distinct()
    intents = sorted({str(row.intent) for row in connection.execute(near)} | {NO_INTENT})
    found = []
    for start in range(0, len(intents), _IN_CHUNK):
        chunk = takings.where(FOLD_VOTES.c.intent.in_(intents[start : start + _IN_CHUNK]))
        found += [(row.search, row.actor, row.artifact) for row in connection.execute(chunk)]
    return found
