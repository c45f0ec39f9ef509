"""The folded tables: read as a `Fold`, kept up with each appended event, replaced and compared as a whole."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from itertools import zip_longest
from typing import Any, Final

from sqlalchemy import Connection, Table, delete, select

from graph.constants import OUTCOME_LEVEL
from graph.identities import Identities
from graph.match_graph import Fold, Heard, Vote
from graph.store.bulk_fold import BulkFold
from graph.store.database import fetch, insert_rows, place_of, upsert, write_meta
from graph.store.packed_votes import note_unpacked, replace_packed
from graph.store.tables import (
    EVENTS,
    FOLD_ACTORS,
    FOLD_ARTIFACT_EDGES,
    FOLD_EDGES,
    FOLD_INTENT_EDGES,
    FOLD_INTENTS,
    FOLD_QUERIES,
    FOLD_SAME,
    FOLD_TABLES,
    FOLD_TIMES,
    FOLD_VOTES,
    KEPT_RANKS,
)

STRONGEST: Final = max(OUTCOME_LEVEL.values())
FOLDED_AT_ONCE: Final = "folded_at_once"
"""Key of a mark that is another one whenever the folded tables were replaced as a whole."""
_HEARD_EVERY: Final = 10_000
OnFolded = Callable[[int], None]
"""Hears how many events were folded so far."""


def read_fold(connection: Connection) -> Fold:
    """The folded counts as stored."""
    counts = read_votes(connection)
    counts.queries.update(_queries(connection))
    counts.actors.update({(r.artifact, r.actor): r.searches for r in connection.execute(select(FOLD_ACTORS))})
    counts.intents.update({row.intent: row.searches for row in connection.execute(select(FOLD_INTENTS))})
    counts.edges.update({(r.intent, r.uri, r.artifact): r.searches for r in connection.execute(select(FOLD_EDGES))})
    return counts


def read_heard(connection: Connection) -> Heard:
    """The folded counts that a search needs, as stored."""
    counts = Heard(same=read_identities(connection))
    _add_votes(connection, counts)
    counts.queries.update(_queries(connection))
    return counts


def _queries(connection: Connection) -> dict[tuple[str, str, str], int]:
    return {(r.intent, r.query, r.actor): r.searches for r in connection.execute(select(FOLD_QUERIES))}


def read_votes(connection: Connection) -> Fold:
    """The folded counts that scores need, as stored: times matched, outcomes, merges; the others stay empty."""
    counts = Fold(same=read_identities(connection))
    _add_votes(connection, counts)
    return counts


def _add_votes(connection: Connection, counts: Fold) -> None:
    for row in connection.execute(select(FOLD_TIMES)):
        counts.times[row.artifact], counts.first_us[row.artifact] = row.searches, row.first_us
    for row in connection.execute(select(FOLD_VOTES)):
        counts.add_vote(_vote(row))


def read_identities(connection: Connection) -> Identities:
    """The merges of the log."""
    return Identities(set(fetch(connection, "SELECT kind, subject, object FROM fold_same")))


def _vote(row: Any) -> Vote:
    return Vote(
        row.search, row.artifact, row.actor, row.intent, row.uri, row.outcome, row.position, row.trust, row.time_us,
        row.event,
    )  # fmt: skip


# Kept up ------------------------------------------------------------------------------------------------
def merge_fold(connection: Connection, counts: Fold) -> bool:
    """Add the counts of new events to the stored ones; whether a vote changed, at this moment or at an earlier one."""
    upsert(
        connection, FOLD_TIMES,
        [{"artifact": a, "searches": n, "first_us": counts.first_us[a]} for a, n in counts.times.items()],
        add=["searches"], least=["first_us"],
    )  # fmt: skip
    upsert(
        connection, FOLD_ACTORS,
        [{"artifact": a, "actor": actor, "searches": n} for (a, actor), n in counts.actors.items()], add=["searches"],
    )  # fmt: skip
    upsert(
        connection, FOLD_INTENTS, [{"intent": i, "searches": n} for i, n in counts.intents.items()], add=["searches"]
    )
    upsert(
        connection, FOLD_QUERIES,
        [{"intent": i, "query": q, "actor": a, "searches": n} for (i, q, a), n in counts.queries.items()],
        add=["searches"],
    )  # fmt: skip
    upsert(
        connection, FOLD_EDGES,
        [{"intent": i, "uri": u, "artifact": a, "searches": n} for (i, u, a), n in counts.edges.items()],
        add=["searches"],
    )  # fmt: skip
    _merge_edges(connection, counts)
    return _merge_outcomes(connection, counts) if counts.outcomes else False


def _merge_edges(connection: Connection, counts: Fold) -> None:
    """Add deliveries to the edges of capabilities; an edge that only an outcome names is there with none."""
    asked: Counter[tuple[str, str]] = Counter()
    served: Counter[tuple[str, str]] = Counter()
    for path in {**counts.edges, **dict.fromkeys(counts.named - counts.edges.keys(), 0)}.items():
        (intent, uri, artifact), searches = path
        asked[uri, intent] += searches
        served[uri, artifact] += searches
    for table, edges in ((FOLD_INTENT_EDGES, asked), (FOLD_ARTIFACT_EDGES, served)):
        names = [column.name for column in table.columns]
        rows = [dict(zip(names, (*edge, searches), strict=True)) for edge, searches in edges.items()]
        upsert(connection, table, rows, add=["searches"])


def keep_merges(connection: Connection, same: Identities) -> None:
    """Add merges to the stored ones."""
    upsert(connection, FOLD_SAME, [{"kind": k, "subject": a, "object": b} for k, a, b in sorted(same.pairs)])


def _merge_outcomes(connection: Connection, counts: Fold) -> bool:
    """Keep the outcomes that are new, or earlier than the stored one in their place; whether a vote changed."""
    of_search = f"SELECT * FROM fold_votes WHERE search = {place_of(connection.dialect)}"  # noqa: S608
    stored = {
        (row.search, row.artifact, row.actor, row.level): _vote(row)
        for search in sorted({vote.search for vote in counts.outcomes.values()})
        for row in connection.exec_driver_sql(of_search, (search,))
    }
    new = [vote for key, vote in counts.outcomes.items() if key not in stored or vote.strength < stored[key].strength]
    upsert(connection, FOLD_VOTES, [{**vars(vote), "level": vote.level} for vote in new])
    note_unpacked(connection, {vote.search for vote in new})
    return any(not _was_outdone(vote, stored) for vote in new)


def _was_outdone(vote: Vote, stored: Mapping[tuple[str, str, str, int], Vote]) -> bool:
    """Whether a stronger outcome of the same place was there before: then it was never the vote."""
    places = ((vote.search, vote.artifact, vote.actor, level) for level in range(vote.level + 1, STRONGEST + 1))
    return any(place in stored and stored[place].time_us <= vote.time_us for place in places)


# As a whole ---------------------------------------------------------------------------------------------
def bulk_fold(
    connection: Connection, same: Identities, *, count_synthetic: bool, on_folded: OnFolded | None = None
) -> BulkFold:
    """The whole log folded anew, the folded tables untouched."""
    folded = BulkFold(same, count_synthetic=count_synthetic)
    kept = EVENTS.c.payload.is_not(None) & EVENTS.c.kind.in_(("search", "outcome"))
    if not count_synthetic:
        kept &= EVENTS.c.synthetic.is_(False)
    rows = connection.execute(select(EVENTS.c.payload).where(kept).execution_options(yield_per=1_000))
    for count, (payload,) in enumerate(rows, start=1):
        folded.take(payload)
        if on_folded and count % _HEARD_EVERY == 0:
            on_folded(count)
    return folded


def replace_fold(connection: Connection, folded: BulkFold) -> None:
    """Replace the folded tables; what was made of those before goes."""
    connection.execute(delete(KEPT_RANKS))
    write_meta(connection, FOLDED_AT_ONCE, secrets.token_hex(8))
    for table in FOLD_TABLES:
        connection.execute(delete(table))
    for table, rows in folded.tables():
        indexes = sorted(table.indexes, key=lambda index: str(index.name))
        for index in indexes:  # made at the end, from sorted rows, in a fraction of the time
            index.drop(connection)
        insert_rows(connection, table, rows)
        for index in indexes:
            index.create(connection)
    replace_packed(connection, folded.votes)


def equals_fold(connection: Connection, folded: BulkFold) -> bool:
    """Whether the folded tables hold exactly these rows; compared row by row, so that neither side is held twice."""
    for table, made in folded.tables():
        with closing(_sorted_rows(connection, table)) as stored:
            if not all(tuple(one or ()) == other for one, other in zip_longest(stored, made)):
                return False
    return True


def _sorted_rows(connection: Connection, table: Table) -> Generator[Any]:
    """The rows of a table in the order of its primary key, texts by code point as Python sorts them."""
    with connection.execute(select(table).order_by(*table.primary_key).execution_options(yield_per=1_000)) as rows:
        yield from rows
