"""The rank table of a home: kept in the store, brought up to date from the events since, else computed.

A rank depends on all artifacts, but through few numbers of each. These are kept. Where an outcome came since, only the
votes on its artifact are read; where the catalogue, the evidence, merges or an erasure changed more, all is read anew.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from itertools import groupby
from operator import attrgetter
from typing import Final

from sqlalchemy import Connection, func, select

from graph.errors import StoreError
from graph.events import SearchEvent, now_us
from graph.identities import MERGES, Identities
from graph.match_graph import Fold, Vote
from graph.ranks.known_columns import known_columns
from graph.ranks.packed_ranks import Packed, pack_table, unpack_table
from graph.ranks.rank_table import RankTable
from graph.ranks.rank_votes import RankVotes
from graph.ranks.score_inputs import read_known
from graph.store.bulk_fold import read_payload
from graph.store.catalogue import CATALOGUE_CHANGED
from graph.store.database import Database, fetch, upsert
from graph.store.folded import FOLDED_AT_ONCE, read_identities
from graph.store.log import first_unfolded, is_throw_away
from graph.store.tables import EVIDENCE, FOLD_VOTES, KEPT_RANKS

MOST_NEW: Final = 20_000
"""After more new events than these everything is read anew."""
KEEP_AFTER: Final = 32
"""After so many new events the table is kept anew, so that who comes next has fewer to follow."""
_NAME: Final = "ranks"
_VOTE: Final = tuple(FOLD_VOTES.c[name] for name in Vote.__dataclass_fields__)
_COLUMNS: Final = ", ".join(Vote.__dataclass_fields__)
_SINCE: Final = "SELECT kind, payload FROM events WHERE seq > ? AND payload IS NOT NULL"
_STAMP: Final = (
    "SELECT (SELECT MAX(seq) FROM events), (SELECT MAX(seq) FROM evidence), "
    "(SELECT value FROM meta WHERE meta.key = ?), (SELECT value FROM meta WHERE meta.key = ?)"
)


class Ranks:
    """A rank table as of an event number, and what it depends on beside events."""

    def __init__(self, packed: Packed, kept_seq: int | None) -> None:
        self.table, self.seq, self._stamp, self._until_us = packed.table, packed.seq, packed.stamp, packed.until_us
        self._kept_seq = kept_seq
        self.merged: frozenset[str] = frozenset()
        """Artifacts that were merged into others; after another merge the ranks are opened anew."""

    @property
    def is_worth_keeping(self) -> bool:
        """Whether it knows much more than what is kept."""
        return self._kept_seq is None or self.seq - self._kept_seq >= KEEP_AFTER

    def follow(self, connection: Connection, as_of_us: int) -> bool:
        """Whether the table could be brought up to date; not where more changed than outcomes and deliveries."""
        seq, *stamp = fetch(connection, _STAMP, (CATALOGUE_CHANGED, FOLDED_AT_ONCE))[0]
        seq = int(seq or 0)
        if tuple(stamp) != self._stamp or not 0 <= seq - self.seq <= MOST_NEW:
            return False
        if as_of_us < self.table.votes.base_us or (self._until_us is not None and as_of_us >= self._until_us):
            return False
        voted, delivered = set(self.table.pending), set[str]()
        counts_synthetic = is_throw_away(connection)
        for kind, payload in fetch(connection, _SINCE, (self.seq,)):
            if kind == "tombstone" or (kind == "catalogue" and json.loads(payload)["action"] in MERGES):
                return False
            if kind in ("search", "outcome"):
                event = read_payload(payload)
                voted.update([event.artifact] if kind == "outcome" else ())
                if not event.abstained and (counts_synthetic or not event.synthetic):
                    delivered.update(result.artifact for result in event.results if not result.repeat)
        delivered = self.table.not_delivered(delivered)
        if voted or delivered:
            same = read_identities(connection)
            voted, delivered = ({same.resolve("artifact", each) for each in ids} for ids in (voted, delivered))
            votes = {artifact: read_outcomes(connection, artifact, same) for artifact in sorted(voted)}
            self.table.take(votes, as_of_us)
            self.table.deliver(delivered)
        self.seq = seq
        return True

    def hear(self, search: SearchEvent, seq: int) -> bool:
        """Whether a search, whose event has this number, was taken in without reading: it must be the next, and count.

        A synthetic one, and artifacts that are merged or that the table does not know, are to be read from the store.
        """
        delivered = [] if search.abstained else [each.artifact for each in search.results if not each.repeat]
        is_plain = all(self.table.is_known(artifact) and artifact not in self.merged for artifact in delivered)
        if seq != self.seq + 1 or search.synthetic or not is_plain:
            return False
        self.table.deliver(delivered)
        self.seq = seq
        return True

    def keep(self, store: Database) -> None:
        """Keep the table; not where another process writes just now, or the disk is full: the next one may."""
        packed = Packed(self.table, self._stamp, self.seq, self._until_us)
        with contextlib.suppress(StoreError):
            with store.writing(wait=False, folded=False) as connection:
                _, *stamp = fetch(connection, _STAMP, (CATALOGUE_CHANGED, FOLDED_AT_ONCE))[0]
                if stamp[-1] == self._stamp[-1]:  # an erasure since then: nothing of before comes back
                    upsert(connection, KEPT_RANKS, [{"name": _NAME, "data": pack_table(packed)}])
            self._kept_seq = self.seq


class SharedRanks:
    """The ranks of a home in a process: opened once, then followed; one thread at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ranks: Ranks | None = None

    @contextlib.contextmanager
    def at(self, connection: Connection, as_of_us: int) -> Iterator[RankTable]:
        """The table as of what a connection sees, for as long as no other thread may change it."""
        with self._lock:
            if self._ranks is None or not self._ranks.follow(connection, as_of_us):
                self._ranks = open_ranks(connection, as_of_us)
            yield self._ranks.table

    def keep(self, store: Database) -> None:
        """Keep the ranks, where what is kept is far behind."""
        with self._lock:
            if self._ranks is not None and self._ranks.is_worth_keeping:
                self._ranks.keep(store)


def keep_newest(store: Database) -> None:
    """Keep the ranks of this moment, where what is kept is far behind, so that who comes next need not compute them."""
    with store.reading() as connection:
        ranks = open_ranks(connection, now_us())
    if ranks.is_worth_keeping:
        ranks.keep(store)


def open_ranks(connection: Connection, as_of_us: int) -> Ranks:
    """The ranks of a home at its newest event: as kept and brought up to date, else computed from everything."""
    kept = _read_kept(connection)
    ranks = kept if kept is not None and kept.follow(connection, as_of_us) else compute_ranks(connection, as_of_us)
    ranks.merged = frozenset(read_identities(connection).survivors("artifact"))
    return ranks


def compute_ranks(connection: Connection, as_of_us: int) -> Ranks:
    """The ranks of a home, from its catalogue, its evidence and all of its votes."""
    seq, *stamp = fetch(connection, _STAMP, (CATALOGUE_CHANGED, FOLDED_AT_ONCE))[0]
    later = select(func.min(EVIDENCE.c.time_us)).where(EVIDENCE.c.time_us > as_of_us)
    known = known_columns(read_known(connection, as_of_us))
    table = RankTable(known, RankVotes(as_of_us, len(known)))
    table.take(dict(_all_outcomes(connection)), as_of_us)
    table.deliver(str(artifact) for (artifact,) in fetch(connection, "SELECT artifact FROM fold_times"))
    unfolded = first_unfolded(connection)
    folded_seq = int(seq or 0) if unfolded is None else unfolded - 1
    ranks = Ranks(Packed(table, tuple(stamp), folded_seq, connection.execute(later).scalar()), None)
    ranks.follow(connection, as_of_us)
    return ranks


def read_outcomes(connection: Connection, artifact: str, same: Identities) -> list[Vote]:
    """All outcomes kept for one artifact, merges resolved."""
    counts = Fold(same=same)
    for row in fetch(connection, f"SELECT {_COLUMNS} FROM fold_votes WHERE artifact = ?", (artifact,)):  # noqa: S608
        counts.add_vote(Vote(*row))
    return counts.votes_on(artifact)


def _all_outcomes(connection: Connection) -> Iterator[tuple[str, list[Vote]]]:
    same = read_identities(connection)
    query = select(*_VOTE).order_by(FOLD_VOTES.c.artifact).execution_options(yield_per=10_000)
    for artifact, rows in groupby(connection.execute(query), attrgetter("artifact")):
        counts = Fold(same=same)
        for row in rows:
            counts.add_vote(Vote(*row))
        yield artifact, counts.votes_on(artifact)


def _read_kept(connection: Connection) -> Ranks | None:
    """What is kept; None where nothing is, or it is damaged or of another version."""
    rows = fetch(connection, "SELECT data FROM kept_ranks WHERE name = ?", (_NAME,))
    try:
        packed = unpack_table(bytes(rows[0][0])) if rows else None
    except StoreError:
        return None
    return None if packed is None else Ranks(packed, packed.seq)
