"""The event log in the store: appended in one transaction with its fold; read, checked and rebuilt."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, func, select, update
from sqlalchemy.exc import IntegrityError

from graph.digest import GENESIS, canonical_json, link
from graph.errors import StoreError, TokenRefused
from graph.events import EVENT, CatalogueEvent, OutcomeEvent, SearchEvent, Tombstone
from graph.match_graph import Fold, Vote, fold
from graph.store.database import read_meta, upsert, write_meta
from graph.store.tables import (
    EVENTS,
    FOLD_ACTORS,
    FOLD_EDGES,
    FOLD_INTENTS,
    FOLD_TABLES,
    FOLD_TIMES,
    FOLD_VOTES,
    OUTCOMES_ONCE,
)

VOTES_CHANGED: Final = "votes_changed"
"""Key of the number of the last event that changed a vote."""
AnyEvent = SearchEvent | OutcomeEvent | CatalogueEvent | Tombstone


def is_throw_away(connection: Connection) -> bool:
    """Whether this home was created as a throw-away one, whose fold counts synthetic events too."""
    return read_meta(connection, "throw_away") == "yes"


def append_events(connection: Connection, events: Sequence[AnyEvent]) -> int:
    """Append events and fold them, in the connection's write transaction; the number of the last event."""
    last = connection.execute(select(EVENTS.c.chain).order_by(EVENTS.c.seq.desc()).limit(1)).scalar()
    chain, rows = str(last or GENESIS), []
    for event in events:
        payload = _payload(event)
        payload_digest = hashlib.sha256(payload).hexdigest()
        chain = link(chain, payload_digest)
        rows.append(
            {"id": event.id, "time_us": event.time_us, "kind": event.kind, "payload": payload.decode(),
             "actor": getattr(getattr(event, "actor", None), "id", None),
             "synthetic": bool(getattr(event, "synthetic", False)), "payload_digest": payload_digest, "chain": chain}
        )  # fmt: skip
    if rows:
        connection.execute(EVENTS.insert(), rows)
    _merge(connection, fold(events, count_synthetic=is_throw_away(connection)))
    return last_seq(connection)


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


def delivered_before(connection: Connection, root: str) -> frozenset[str]:
    """Artifacts that a search and its further pages have delivered so far."""
    found: set[str] = set()
    first = read_event(connection, root)
    if isinstance(first, SearchEvent):
        found.update(result.artifact for result in first.results)
        later = select(EVENTS.c.payload).where(
            EVENTS.c.kind == "search", EVENTS.c.time_us >= first.time_us, EVENTS.c.payload.contains(root)
        )
        for row in connection.execute(later):
            page = EVENT.validate_json(row.payload)
            if isinstance(page, SearchEvent) and page.root == root:
                found.update(result.artifact for result in page.results)
    return frozenset(found)


def erase_events(connection: Connection, tombstone: Tombstone) -> None:
    """Remove the payload of the tombstone's events, append the tombstone, and fold what remains anew."""
    for start in range(0, len(tombstone.erased), 500):
        chunk = tombstone.erased[start : start + 500]
        connection.execute(update(EVENTS).where(EVENTS.c.id.in_(chunk)).values(payload=None, actor=None))
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
    said = json.loads(row.payload)
    actor = said["actor"]["id"] if "actor" in said else None
    beside = (said["id"], said["time_us"], said["kind"], actor, said.get("synthetic", False))
    return beside == (row.id, row.time_us, row.kind, row.actor, row.synthetic)


# The folded tables --------------------------------------------------------------------------------------
def read_fold(connection: Connection) -> Fold:
    """The folded counts as stored."""
    counts = read_votes(connection)
    counts.actors.update({(r.artifact, r.actor): r.searches for r in connection.execute(select(FOLD_ACTORS))})
    counts.intents.update({row.intent: row.searches for row in connection.execute(select(FOLD_INTENTS))})
    counts.edges.update({(r.intent, r.uri, r.artifact): r.searches for r in connection.execute(select(FOLD_EDGES))})
    return counts


def read_votes(connection: Connection) -> Fold:
    """The folded counts that scores need, as stored: times matched and votes; the others stay empty."""
    counts = Fold()
    counts.times.update({row.artifact: row.searches for row in connection.execute(select(FOLD_TIMES))})
    for row in connection.execute(select(FOLD_VOTES)):
        counts.add_vote(Vote(*row))
    return counts


def rebuild(connection: Connection) -> Fold:
    """Fold the whole log anew and replace the folded tables; the counts."""
    counts = fold(read_events(connection), count_synthetic=is_throw_away(connection))
    for table in FOLD_TABLES:
        connection.execute(delete(table))
    _merge(connection, counts)
    write_meta(connection, VOTES_CHANGED, f"{last_seq(connection)} rebuilt")
    return counts


def refold(connection: Connection) -> Fold:
    """The counts that the log gives, without touching the folded tables: what `rebuild --check` compares with."""
    return fold(read_events(connection), count_synthetic=is_throw_away(connection))


def _merge(connection: Connection, counts: Fold) -> None:
    upsert(connection, FOLD_TIMES, [{"artifact": a, "searches": n} for a, n in counts.times.items()], add=["searches"])
    upsert(
        connection, FOLD_ACTORS,
        [{"artifact": a, "actor": actor, "searches": n} for (a, actor), n in counts.actors.items()], add=["searches"],
    )  # fmt: skip
    upsert(
        connection, FOLD_INTENTS, [{"intent": i, "searches": n} for i, n in counts.intents.items()], add=["searches"]
    )
    upsert(
        connection, FOLD_EDGES,
        [{"intent": i, "uri": u, "artifact": a, "searches": n} for (i, u, a), n in counts.edges.items()],
        add=["searches"],
    )  # fmt: skip
    votes = [vars(vote) for vote in _stronger(connection, counts)]
    upsert(connection, FOLD_VOTES, votes)
    if votes:
        write_meta(connection, VOTES_CHANGED, str(last_seq(connection)))


def _stronger(connection: Connection, counts: Fold) -> list[Vote]:
    """The votes that are new or stronger than the stored one in their place."""
    searches = sorted({vote.search for vote in counts.votes.values()})
    stored: dict[tuple[str, str, str], Vote] = {}
    for start in range(0, len(searches), 500):
        chunk = searches[start : start + 500]
        for row in connection.execute(select(FOLD_VOTES).where(FOLD_VOTES.c.search.in_(chunk))):
            stored[row.search, row.artifact, row.actor] = Vote(*row)
    return [vote for key, vote in counts.votes.items() if key not in stored or vote.strength < stored[key].strength]
