"""The tables, in SQLAlchemy Core; the schema's history is in `graph/migrations`."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, LargeBinary, MetaData, String, Table, Text

METADATA: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
SEQUENCE: Final = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows only for INTEGER keys


def _table(name: str, *columns: Column[object] | Index, keyed: bool = False) -> Table:
    """A table; with `keyed`, SQLite keeps its rows in the tree of the primary key, not in one of their own."""
    return Table(name, METADATA, *columns, sqlite_with_rowid=not keyed)


META = _table("meta", Column("key", String, primary_key=True), Column("value", Text, nullable=False))

# Catalogue --------------------------------------------------------------------------------------------
ARTIFACTS = _table(
    "artifacts",
    Column("id", String, primary_key=True),
    Column("slug", String, nullable=False, unique=True),
    Column("name", String, nullable=False),
    Column("type", String, nullable=False, index=True),
    Column("document", Text, nullable=False),
    Column("digest", String, nullable=False),
    Column("retired", Boolean, nullable=False, default=False),
    Column("updated_us", BigInteger, nullable=False),
)
CLAIMS = _table(
    "claims",
    Column("id", String, primary_key=True),
    Column("artifact", String, nullable=False, index=True),
    Column("stated", Boolean, nullable=False),
    Column("document", Text, nullable=False),
)
CANONICAL = _table(
    "canonical_capabilities",
    Column("uri", String, primary_key=True),
    Column("task", String, nullable=False, index=True),
    Column("label", Text, nullable=False),
    Column("vector_key", String, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("alias_of", String, nullable=True),
)
ASSIGNMENTS = _table(
    "capability_assignments",
    Column("artifact", String, primary_key=True),
    Column("capability", String, primary_key=True),
    Column("uri", String, nullable=False, index=True),
)
INTENTS = _table(
    "intents",
    Column("id", String, primary_key=True),
    Column("encoder", String, nullable=False, index=True),
    Column("vector_key", String, nullable=False),
    Column("created_us", BigInteger, nullable=False),
)
VECTORS = _table(
    "vectors",
    Column("encoder", String, primary_key=True),
    Column("text", String, primary_key=True),
    Column("vector", LargeBinary, nullable=False),
)

# Verification -----------------------------------------------------------------------------------------
EVIDENCE = _table(
    "evidence",
    Column("seq", SEQUENCE, primary_key=True, autoincrement=True),
    Column("id", String, nullable=False, unique=True),
    Column("kind", String, nullable=False),
    Column("artifact", String, nullable=False, index=True),
    Column("claim", String, nullable=True, index=True),
    Column("time_us", BigInteger, nullable=False),
    Column("payload", Text, nullable=False),
    Column("payload_digest", String, nullable=False),
    Column("chain", String, nullable=False),
)
UNITS = _table(
    "units",
    Column("id", String, primary_key=True),
    Column("artifact", String, nullable=False, index=True),
    Column("probe", String, nullable=False),
    Column("payload", Text, nullable=False),
    Column("finished_us", BigInteger, nullable=False),
)
JOBS = _table(
    "jobs",
    Column("id", String, primary_key=True),
    Column("artifact", String, nullable=False, index=True),
    Column("probe", String, nullable=False),
    Column("data", String, nullable=False),
    Column("settings", Text, nullable=False),
    Column("state", String, nullable=False, index=True),
    Column("owner", String, nullable=True, index=True),
    Column("until_us", BigInteger, nullable=True),
    Column("attempts", Integer, nullable=False),
    Column("cost_s", Float, nullable=False),
    Column("duration_s", Float, nullable=True),
    Column("failure", Text, nullable=True),
    Column("updated_us", BigInteger, nullable=False),
)
TRUST = _table(
    "trust",
    Column("name", String, primary_key=True),
    Column("since_us", BigInteger, nullable=False),
)

# Events -----------------------------------------------------------------------------------------------
EVENTS = _table(
    "events",
    Column("seq", SEQUENCE, primary_key=True, autoincrement=True),
    Column("id", String, nullable=False, unique=True),
    Column("time_us", BigInteger, nullable=False),
    Column("kind", String, nullable=False),
    Column("actor", String, nullable=True, index=True),
    Column("synthetic", Boolean, nullable=False),
    Column("root", String, nullable=True, index=True),  # of a further page: the search that it continues
    Column("payload", Text, nullable=True),
    Column("payload_digest", String, nullable=False),
    Column("chain", String, nullable=False),
    Index("ix_events_time_us_id", "time_us", "id"),
)
OUTCOMES_ONCE = _table(
    "outcomes_once",
    Column("search", String, primary_key=True),
    Column("artifact", String, primary_key=True),
    Column("slot", String, primary_key=True),
    Column("event", String, nullable=False),
)

# Folded from the events: integers, and the first outcomes of each level; `graph rebuild` makes them anew ------
FOLD_TIMES = _table(
    "fold_times",
    Column("artifact", String, primary_key=True),
    Column("searches", BigInteger, nullable=False),
    Column("first_us", BigInteger, nullable=False),
    keyed=True,
)
FOLD_ACTORS = _table(
    "fold_actors",
    Column("artifact", String, primary_key=True),
    Column("actor", String, primary_key=True),
    Column("searches", BigInteger, nullable=False),
    keyed=True,
)
FOLD_INTENTS = _table(
    "fold_intents",
    Column("intent", String, primary_key=True),
    Column("searches", BigInteger, nullable=False),
    keyed=True,
)
FOLD_QUERIES = _table(
    "fold_queries",
    Column("intent", String, primary_key=True),
    Column("query", String, primary_key=True, index=True),
    Column("actor", String, primary_key=True),
    Column("searches", BigInteger, nullable=False),
    keyed=True,
)
FOLD_EDGES = _table(
    "fold_edges",
    Column("intent", String, primary_key=True),
    Column("uri", String, primary_key=True),
    Column("artifact", String, primary_key=True, index=True),
    Column("searches", BigInteger, nullable=False),
    keyed=True,
)
FOLD_INTENT_EDGES = _table(
    "fold_intent_edges",
    Column("uri", String, primary_key=True),
    Column("intent", String, primary_key=True, index=True),
    Column("searches", BigInteger, nullable=False),
    keyed=True,
)
FOLD_ARTIFACT_EDGES = _table(
    "fold_artifact_edges",
    Column("uri", String, primary_key=True),
    Column("artifact", String, primary_key=True, index=True),
    Column("searches", BigInteger, nullable=False),
    keyed=True,
)
FOLD_VOTES = _table(
    "fold_votes",
    Column("search", String, primary_key=True),
    Column("artifact", String, primary_key=True),
    Column("actor", String, primary_key=True),
    Column("level", Integer, primary_key=True),
    Column("intent", String, nullable=False, index=True),
    Column("uri", String, nullable=False, index=True),
    Column("outcome", String, nullable=False),
    Column("position", Integer, nullable=False),
    Column("trust", Float, nullable=False),
    Column("time_us", BigInteger, nullable=False),
    Column("event", String, nullable=False),
    Index("ix_fold_votes_artifact_actor_time_us", "artifact", "actor", "time_us"),
    Index("ix_fold_votes_actor_artifact", "actor", "artifact"),
    keyed=True,
)
FOLD_SAME = _table(
    "fold_same",
    Column("kind", String, primary_key=True),
    Column("subject", String, primary_key=True),
    Column("object", String, primary_key=True),
    keyed=True,
)
FOLD_TABLES: Final = (
    FOLD_TIMES, FOLD_ACTORS, FOLD_INTENTS, FOLD_QUERIES, FOLD_EDGES, FOLD_INTENT_EDGES, FOLD_ARTIFACT_EDGES, FOLD_VOTES,
    FOLD_SAME,
)  # fmt: skip

# The folded votes once more, as columns that are read at once (`graph/store/packed_votes.py`) ------------
PACKED_VOTES = _table(
    "packed_votes",
    Column("name", String, primary_key=True),
    Column("document", LargeBinary, nullable=False),
)
UNPACKED_SEARCHES = _table(
    "unpacked_searches",
    Column("search", String, primary_key=True),
    Column("changes", BigInteger, nullable=False),
    keyed=True,
)

# Made from the folded tables, the catalogue and the evidence, so that ranks need not be computed anew ------
KEPT_RANKS = _table(
    "kept_ranks",
    Column("name", String, primary_key=True),
    Column("data", LargeBinary, nullable=False),
)
