"""Recording what happened to a result."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, select

from graph.constants import DAY_US, TOKEN_LIFE_DAYS
from graph.errors import QueryError, TokenRefused
from graph.events import OUTCOME_KINDS, Actor, Delivered, Face, OutcomeEvent, OutcomeKind, SearchEvent, new_id, now_us
from graph.home import Home
from graph.responses import OutcomeResponse
from graph.store import log
from graph.store.tables import EVENTS
from search.tokens import read_token, token_digest


@dataclass(frozen=True)
class Caller:
    """Who calls, from which face, and whether this is a user's own doing."""

    face: Face
    actor: Actor
    synthetic: bool = False


def record_outcome(home: Home, token: str, kind: str, caller: Caller) -> OutcomeResponse:
    """Record the outcome that a token authorises, in one durable transaction.

    Raises
    ------
    QueryError
        The kind is none of click, select, success, failure, dismiss.
    TokenRefused
        The token is forged, foreign, expired or reused, or contradicts an earlier one. Nothing changed.
    """
    outcome = _kind(kind)
    delivery = read_token(home, token)
    with home.store.writing() as connection:
        search = log.read_event(connection, delivery.search)
        if not isinstance(search, SearchEvent):
            raise TokenRefused("foreign", "this home's log holds no such search: it was forgotten or never made here")
        return _append(connection, search, delivery.position, outcome, caller, token_digest(token))


def record_last(home: Home, position: int, kind: str, caller: Caller) -> OutcomeResponse:
    """Record an outcome of the caller's last search, by position.

    Raises
    ------
    QueryError
        There is no such search or position, or no such kind.
    TokenRefused
        It is recorded already, or contradicts.
    """
    outcome = _kind(kind)
    with home.store.writing() as connection:
        mine = (EVENTS.c.kind == "search") & (EVENTS.c.actor == caller.actor.id)
        newest = select(EVENTS.c.id).where(mine).order_by(EVENTS.c.seq.desc()).limit(1)
        found = connection.execute(newest).scalar_one_or_none()
        search = log.read_event(connection, str(found)) if found else None
        if not isinstance(search, SearchEvent):
            raise QueryError("no search to refer to: search first, or give a token")
        return _append(connection, _page_with(connection, search, position), position, outcome, caller, None)


def _page_with(connection: Connection, newest: SearchEvent, position: int) -> SearchEvent:
    """The page of the same search that delivered a position; the newest page where none did."""
    page: object = newest
    while isinstance(page, SearchEvent):
        if any(result.position == position for result in page.results):
            return page
        page = log.read_event(connection, page.parent) if page.parent else None
    return newest


def _kind(kind: str) -> OutcomeKind:
    for known in OUTCOME_KINDS:
        if kind == known:
            return known
    raise QueryError(f"no outcome {kind[:40]!r}: choose from {', '.join(OUTCOME_KINDS)}")


def _delivered(search: SearchEvent, position: int) -> Delivered:
    for result in search.results:
        if result.position == position:
            return result
    raise QueryError(f"search {search.id} delivered no position {position}: choose one of its results")


def _append(
    connection: Connection, search: SearchEvent, position: int, kind: OutcomeKind, caller: Caller, token: str | None
) -> OutcomeResponse:
    result, time_us = _delivered(search, position), now_us()
    if time_us - search.time_us > TOKEN_LIFE_DAYS * DAY_US:
        raise TokenRefused("expired", f"outcomes are taken for {TOKEN_LIFE_DAYS} days: search again")
    event = OutcomeEvent(
        id=new_id("oc"), time_us=time_us, search=search.root, artifact=result.artifact, outcome=kind,
        actor=caller.actor, origin=caller.face, synthetic=caller.synthetic or search.synthetic,
        intent=search.intent, uri=result.uri, position=position, token_digest=token,
    )  # fmt: skip
    log.claim_outcome(connection, event)
    seq = log.append_events(connection, [event])
    return OutcomeResponse(event=event.id, search=search.id, artifact=result.artifact, outcome=kind, event_seq=seq)
