"""The event log in the store: appended in one transaction with its fold; read, checked and rebuilt."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, Row, func, select, update
from sqlalchemy.exc import IntegrityError

from graph.digest import GENESIS, canonical_json, link
from graph.errors import StoreError, TokenRefused
from graph.events import EVENT, CatalogueEvent, OutcomeEvent, SearchEvent, Tombstone
from graph.identities import MERGES, Identities
from graph.match_graph import Fold, Heard, fold
from graph.store import folded
from graph.store.bulk_fold import BulkFold, read_payload
from graph.store.database import UNFOLDED, fetch, insert_rows, read_meta, remove_meta, write_meta
from graph.store.folded import (
    OnFolded,
    bulk_fold,
    equals_fold,
    keep_merges,
    merge_fold,
    read_identities,
    read_votes,
    replace_fold,
)
from graph.store.packed_votes import is_packed_equal
from graph.store.tables import EVENTS, OUTCOMES_ONCE

__all__ = ["read_identities", "read_votes"]

VOTES_CHANGED: Final = "votes_changed"
"""Key of the number of the last event that changed a vote."""
FOLD_FORMAT: Final = "fold_format"
"""Key of the version of the fold that made the folded tables."""
FOLD_VERSION: Final = "3"
_MOST_UNFOLDED: Final = 64
_LAST: Final = "SELECT seq, chain, (SELECT value FROM meta WHERE meta.key = ?) FROM events ORDER BY seq DESC LIMIT 1"
_THROW_AWAY: Final[WeakKeyDictionary[Engine, bool]] = WeakKeyDictionary()
_Counts = TypeVar("_Counts", bound=Fold)
AnyEvent = SearchEvent | OutcomeEvent | CatalogueEvent | Tombstone


def is_throw_away(connection: Connection) -> bool:
    """Whether this home was created as a throw-away one, whose fold counts synthetic events too.

    A home keeps its mark for ever, so it is asked for once per opened database.
    """
    known = _THROW_AWAY.get(connection.engine)
    if known is None:
        marked = read_meta(connection, "throw_away")
        known = marked == "yes"
        if marked is not None:
            _THROW_AWAY[connection.engine] = known
    return known


def append_events(connection: Connection, events: Sequence[AnyEvent], *, fold_later: bool = False) -> int:
    """Append events and fold them, in the connection's write transaction; the number of the last event.

    With `fold_later`, searches are folded together with others: before anybody reads the folded tables, at the latest
    when 64 have come together. A page of ten results changes some forty rows all over these tables; those of many
    searches share their pages.
    """
    last = fetch(connection, _LAST, (UNFOLDED,))
    seq, chain, unfolded = (int(last[0][0]), str(last[0][1]), last[0][2]) if last else (0, GENESIS, None)
    first = seq + 1 if unfolded is None else _number_of(unfolded)
    rows = []
    for event in events:
        seq += 1
        payload = _payload(event)
        payload_digest = hashlib.sha256(payload).hexdigest()
        chain = link(chain, payload_digest)
        rows.append(
            (seq, event.id, event.time_us, event.kind, getattr(getattr(event, "actor", None), "id", None),
             bool(getattr(event, "synthetic", False)), _continued(event), payload.decode(), payload_digest, chain)
        )  # fmt: skip
    if rows:
        insert_rows(connection, EVENTS, rows)
        if not fold_later or seq - first >= _MOST_UNFOLDED:
            waiting = events if unfolded is None else list(read_events(connection, since_seq=first - 1))
            _fold_in(connection, waiting, seq)
        elif unfolded is None:
            write_meta(connection, UNFOLDED, str(first))
    return seq


def fold_rest(connection: Connection) -> None:
    """Fold what was only appended, in the connection's write transaction; all anew where nobody knows what that is."""
    first = read_meta(connection, UNFOLDED)
    if first is not None and not first.isdecimal():
        rebuild(connection)
    elif first is not None:
        _fold_in(connection, list(read_events(connection, since_seq=int(first) - 1)), last_seq(connection))


def first_unfolded(connection: Connection) -> int | None:
    """The number of the first event that the folded tables lack; None where they have all.

    Raises
    ------
    StoreError
        The mark that says so is damaged.
    """
    mark = read_meta(connection, UNFOLDED)
    return None if mark is None else _number_of(mark)


def _number_of(mark: str) -> int:
    if not mark.isdecimal():
        raise StoreError("the mark of what is not folded yet is damaged: run `matchgraph graph rebuild`")
    return int(mark)


def read_fold(connection: Connection) -> Fold:
    """The counts of the whole log, those of events that the folded tables lack included."""
    return _with_rest(connection, folded.read_fold(connection))


def read_heard(connection: Connection) -> Heard:
    """What a search needs of the log: times matched, outcomes, merges, queries; a fraction of all counts."""
    return _with_rest(connection, folded.read_heard(connection))


def _with_rest(connection: Connection, counts: _Counts) -> _Counts:
    first = first_unfolded(connection)
    if first is not None:  # searches, which are always taken in
        catch_up(connection, counts, first - 1)
    return counts


def _fold_in(connection: Connection, events: Sequence[AnyEvent], seq: int) -> None:
    """Add events to the folded tables, which then have all; after a merge of artifacts the log is folded anew."""
    counts = Fold(same=read_identities(connection))
    known = len(counts.same.pairs)
    for event in events:
        if isinstance(event, CatalogueEvent):
            counts.same.take(event)
    merged = len(counts.same.pairs) > known
    if merged:
        keep_merges(connection, counts.same)
    if merged and any(isinstance(e, CatalogueEvent) and e.action == "artifact_merged" for e in events):
        rebuild(connection)
        return
    synthetic = is_throw_away(connection)
    for event in events:
        counts.apply(event, count_synthetic=synthetic)
    if merge_fold(connection, counts) or merged:
        write_meta(connection, VOTES_CHANGED, str(seq))
    remove_meta(connection, UNFOLDED)


def _continued(event: AnyEvent) -> str | None:
    """The search that a further page continues; None for everything else."""
    return event.root if isinstance(event, SearchEvent) and event.root != event.id else None


def _payload(event: AnyEvent) -> bytes:
    said = event.model_dump(mode="json")
    if "actor" in said:  # may be forgotten: its digest stays, and must not tell whether a guess at it is right
        said["salt"] = said["salt"] or secrets.token_hex(16)
    try:
        return canonical_json(said)
    except ValueError as error:
        raise StoreError(f"event {event.id}: {error}: leave this value out") from error


def claim_outcome(connection: Connection, event: OutcomeEvent) -> None:
    """Take the place of this outcome, once per search, artifact and kind; success and failure share one place.

    Raises
    ------
    TokenRefused
        The place is taken: `reused`, or `contradicts` where success meets failure.
    """
    slot = "verdict" if event.outcome in ("success", "failure") else event.outcome
    row = {"search": event.search, "artifact": event.artifact, "slot": slot, "event": event.id}
    try:
        with connection.begin_nested():
            connection.execute(OUTCOMES_ONCE.insert(), [row])
    except IntegrityError as error:
        place = (OUTCOMES_ONCE.c.search == event.search) & (OUTCOMES_ONCE.c.artifact == event.artifact)
        taken = connection.execute(select(OUTCOMES_ONCE.c.event).where(place, OUTCOMES_ONCE.c.slot == slot)).scalar()
        first = read_event(connection, str(taken))
        if isinstance(first, OutcomeEvent) and first.outcome != event.outcome:
            raise TokenRefused("contradicts", f"{first.outcome} is already recorded; the first counts") from error
        raise TokenRefused("reused", f"{event.outcome} is already recorded for this result") from error


def count_outcomes(connection: Connection) -> int:
    """How many outcomes are recorded and count: neither forgotten nor, outside a throw-away home, synthetic."""
    counted = (EVENTS.c.kind == "outcome") & EVENTS.c.payload.is_not(None)
    if not is_throw_away(connection):
        counted &= EVENTS.c.synthetic.is_(False)
    return int(connection.execute(select(func.count()).select_from(EVENTS).where(counted)).scalar_one())


def last_seq(connection: Connection) -> int:
    """The number of the newest event; 0 for an empty log."""
    return int(connection.execute(select(func.coalesce(func.max(EVENTS.c.seq), 0))).scalar_one())


def read_event(connection: Connection, event: str) -> AnyEvent | None:
    """The event with this id; None where there is none or its payload was forgotten."""
    payload = connection.execute(select(EVENTS.c.payload).where(EVENTS.c.id == event)).scalar_one_or_none()
    return None if payload is None else EVENT.validate_json(payload)


def read_events(connection: Connection, *, since_seq: int = 0, kind: str | None = None) -> Iterator[AnyEvent]:
    """Events that still have their payload, in the order they were appended."""
    query = select(EVENTS.c.payload).where(EVENTS.c.seq > since_seq, EVENTS.c.payload.is_not(None))
    if kind is not None:
        query = query.where(EVENTS.c.kind == kind)
    for row in connection.execute(query.order_by(EVENTS.c.seq).execution_options(yield_per=1_000)):
        yield EVENT.validate_json(row.payload)


def pages_of(connection: Connection, roots: Sequence[str]) -> Iterator[SearchEvent]:
    """The pages of searches, first pages and further ones, as far as their payload was not forgotten."""
    for start in range(0, len(roots), 500):
        chunk = roots[start : start + 500]
        pages = select(EVENTS.c.payload).where(
            EVENTS.c.payload.is_not(None), EVENTS.c.id.in_(chunk) | EVENTS.c.root.in_(chunk)
        )
        for row in connection.execute(pages.order_by(EVENTS.c.seq)):
            page = EVENT.validate_json(row.payload)
            if isinstance(page, SearchEvent):
                yield page


def delivered_before(connection: Connection, root: str) -> frozenset[str]:
    """Artifacts that a search and its further pages have delivered so far."""
    return frozenset(result.artifact for page in pages_of(connection, [root]) for result in page.results)


def erase_events(connection: Connection, tombstone: Tombstone) -> None:
    """Remove the payload of the tombstone's events, append the tombstone, and fold what remains anew."""
    for start in range(0, len(tombstone.erased), 500):
        chunk = tombstone.erased[start : start + 500]
        connection.execute(update(EVENTS).where(EVENTS.c.id.in_(chunk)).values(payload=None, actor=None, root=None))
    append_events(connection, [tombstone])
    rebuild(connection)


def check_event_chain(connection: Connection) -> int:
    """The number of events, after checking every digest and link.

    Raises
    ------
    StoreError
        An event was altered, removed or put in another place; names the first.
    """
    chain, count = GENESIS, 0
    for row in connection.execute(select(EVENTS).order_by(EVENTS.c.seq).execution_options(yield_per=1_000)):
        chain = link(chain, row.payload_digest)
        if chain != row.chain or (row.payload is not None and not _is_untouched(row)):
            raise StoreError(f"event {row.id} (number {row.seq}): the chain breaks here: restore a backup")
        count += 1
    return count


def _is_untouched(row: Row[Any]) -> bool:
    """Whether a stored event's payload has its digest and the columns beside it say the same as the payload."""
    if hashlib.sha256(row.payload.encode("utf-8", "surrogatepass")).hexdigest() != row.payload_digest:
        return False
    said = read_payload(row.payload)
    actor = said.actor.id if said.actor else None
    root = said.root if said.kind == "search" and said.root != said.id else None
    beside = (said.id, said.time_us, said.kind, actor, said.synthetic, root)
    return beside == (row.id, row.time_us, row.kind, row.actor, row.synthetic, row.root)


# The fold ---------------------------------------------------------------------------------------------
def rebuild(connection: Connection, on_folded: OnFolded | None = None) -> None:
    """Fold the whole log anew and replace the folded tables."""
    replace_fold(connection, _bulk(connection, on_folded))
    write_meta(connection, VOTES_CHANGED, f"{last_seq(connection)} rebuilt")
    write_meta(connection, FOLD_FORMAT, FOLD_VERSION)
    remove_meta(connection, UNFOLDED)


def is_fold_equal(connection: Connection, on_folded: OnFolded | None = None) -> bool:
    """Whether the folded tables are what the log gives, bit for bit; nothing is changed."""
    return equals_fold(connection, _bulk(connection, on_folded)) and is_packed_equal(connection)


def is_fold_current(connection: Connection) -> bool:
    """Whether the folded tables were made by this version's fold; otherwise `rebuild`."""
    return read_meta(connection, FOLD_FORMAT) == FOLD_VERSION


def refold(connection: Connection) -> Fold:
    """The counts that the log gives, event by event, without touching the folded tables."""
    return fold(read_events(connection), count_synthetic=is_throw_away(connection))


def catch_up(connection: Connection, counts: Fold, since_seq: int) -> bool:
    """Whether counts that knew the log up to a number were brought up to date in place; else they must be read anew.

    Reading anew is needed after a merge or an erasure. Give any fold read by `read_fold` or `read_votes`.
    """
    return take_in(connection, counts, list(read_events(connection, since_seq=since_seq)))


def take_in(connection: Connection, counts: Fold, new: Sequence[AnyEvent]) -> bool:
    """Whether new events were folded into counts; not after a merge or an erasure, which are to be read anew."""
    if any(isinstance(event, Tombstone) or _is_merge(event) for event in new):
        return False
    synthetic = is_throw_away(connection)
    for event in new:
        counts.apply(event, count_synthetic=synthetic)
    return True


def _bulk(connection: Connection, on_folded: OnFolded | None) -> BulkFold:
    same = Identities()
    for event in read_events(connection, kind="catalogue"):
        if isinstance(event, CatalogueEvent):
            same.take(event)
    return bulk_fold(connection, same, count_synthetic=is_throw_away(connection), on_folded=on_folded)


def _is_merge(event: AnyEvent) -> bool:
    return isinstance(event, CatalogueEvent) and event.action in MERGES
