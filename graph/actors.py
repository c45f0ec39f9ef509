"""Actors over time: an identity under a new key is the same actor, and an actor can be forgotten."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, select, update

from graph.errors import UnknownArtifact
from graph.events import EVENT, Actor, CatalogueEvent, SearchEvent, Tombstone, hashed_actor, new_id, now_us
from graph.home import Home
from graph.store.catalogue import forget_vectors, vector_key
from graph.store.log import AnyEvent, append_events, erase_events, read_events, read_identities
from graph.store.tables import EVENTS, FOLD_QUERIES, INTENTS, VECTORS


@dataclass(frozen=True)
class Forgotten:
    """What forgetting an actor removed: events by kind, vectors of queries that nobody else asked.

    `intents` were known from this actor's queries alone: they find no paraphrase any more. `refounded` are known from
    the remaining queries from now on.
    """

    actor: str
    searches: int
    outcomes: int
    vectors: int
    intents: int
    refounded: int


def identify(home: Home, connection: Connection, identity: str) -> Actor:
    """The actor of an identity under the home's newest key; give a writing connection.

    What the same identity did under an older key is its own: the first time it comes under a new key, the log is told
    that the two are one (`actor_merged`), so that a new key makes no second voice.
    """
    actor = hashed_actor(identity, home.key, home.key_id)
    known = read_identities(connection)
    for key_id, key in home.keys.items():
        older = hashed_actor(identity, key, key_id)
        if older.id == actor.id or known.resolve("actor", older.id) == known.resolve("actor", actor.id):
            continue
        if connection.execute(select(EVENTS.c.id).where(EVENTS.c.actor == older.id).limit(1)).first() is not None:
            merge_actors(connection, older.id, actor.id)
            known.add("actor", older.id, actor.id)
    return actor


def merge_actors(connection: Connection, one: str, into: str) -> None:
    """Tell the log that two actors are one (one user with two keys): their votes count as one voice, for all times."""
    append_events(
        connection,
        [CatalogueEvent(id=new_id("ce"), time_us=now_us(), action="actor_merged", subject=one, object=into)],
    )


def forget_actor(home: Home, actor: str) -> Forgotten:
    """What was removed: all that an actor, under whatever key, ever did here.

    The payloads of its events are overwritten and a tombstone is appended; the match graph is then the one of a log
    without these events. Outcomes of others on its searches stay. Intents keep their ids; their labels, and the
    vectors by which they are recognised, come from the queries that remain.

    Raises
    ------
    UnknownArtifact
        The log has no such actor; names the nearest.
    """
    with home.store.writing() as connection:
        names = read_identities(connection)
        members = names.members("actor", names.resolve("actor", actor))
        events = _events_of(connection, members)
        if not events:
            raise UnknownArtifact(actor, _nearest(connection, actor), kind="actor")
        queries = {event.query for event in events if isinstance(event, SearchEvent)}
        merges = [e.id for e in read_events(connection, kind="catalogue") if _names(e, members)]
        erased = (*(event.id for event in events), *merges)
        erase_events(connection, Tombstone(id=new_id("ts"), time_us=now_us(), erased=erased, reason="actor forgotten"))
        vectors, intents, refounded = _forget_queries(connection, queries)
    home.store.overwrite()
    searches = sum(isinstance(event, SearchEvent) for event in events)
    return Forgotten(actor, searches, len(events) - searches, vectors, intents, refounded)


def _events_of(connection: Connection, actors: list[str]) -> list[AnyEvent]:
    query = select(EVENTS.c.payload).where(EVENTS.c.actor.in_(actors), EVENTS.c.payload.is_not(None))
    return [EVENT.validate_json(row.payload) for row in connection.execute(query.order_by(EVENTS.c.seq))]


def _names(event: AnyEvent, actors: list[str]) -> bool:
    if not isinstance(event, CatalogueEvent) or event.action != "actor_merged":
        return False
    return event.subject in actors or event.object in actors


def _nearest(connection: Connection, actor: str) -> list[str]:
    from rapidfuzz import process

    known = [str(row.actor) for row in connection.execute(select(EVENTS.c.actor).distinct()) if row.actor]
    return [hit[0] for hit in process.extract(actor[:200], known, limit=3, score_cutoff=60)]


def _forget_queries(connection: Connection, queries: set[str]) -> tuple[int, int, int]:
    """How many vectors and intents were removed, and how many intents are known by another query now.

    The folded queries are those that remain: call this when the log is folded anew.
    """
    kept = {
        str(row.query)
        for query in sorted(queries)
        for row in connection.execute(select(FOLD_QUERIES.c.query).where(FOLD_QUERIES.c.query == query).limit(1))
    }
    gone = {vector_key(query) for query in queries - kept}
    removed = refounded = vectors = 0
    for row in connection.execute(select(INTENTS)).all():
        if row.vector_key in gone:
            other = _remaining(connection, str(row.id), str(row.encoder))
            if other is None:
                connection.execute(delete(INTENTS).where(INTENTS.c.id == row.id))
                removed += 1
            else:
                connection.execute(update(INTENTS).where(INTENTS.c.id == row.id).values(vector_key=other))
                refounded += 1
    for encoder in [str(row.encoder) for row in connection.execute(select(VECTORS.c.encoder).distinct()).all()]:
        there = [
            str(row.text)
            for key in sorted(gone)
            for row in connection.execute(
                select(VECTORS.c.text).where(VECTORS.c.encoder == encoder, VECTORS.c.text == key)
            )
        ]
        forget_vectors(connection, encoder, there)
        vectors += len(there)
    return vectors, removed, refounded


def _remaining(connection: Connection, intent: str, encoder: str) -> str | None:
    """The vector key of the query that most actors asked, of those of an intent that remain and have a vector."""
    asked = (
        select(FOLD_QUERIES.c.query, func.count().label("actors"))
        .where(FOLD_QUERIES.c.intent == intent)
        .group_by(FOLD_QUERIES.c.query)
        .order_by(func.count().desc(), FOLD_QUERIES.c.query)
    )
    for row in connection.execute(asked).all():
        key = vector_key(str(row.query))
        known = select(VECTORS.c.text).where(VECTORS.c.encoder == encoder, VECTORS.c.text == key)
        if connection.execute(known).first() is not None:
            return key
    return None
