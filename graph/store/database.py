"""Opening the database: SQLite in WAL mode by default, another by URL; migrations; error translation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, Table, create_engine, event, inspect, select, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from graph.errors import StoreError
from graph.store.tables import META

REVISION: Final = "0001"
"""The newest migration; an older database is upgraded when opened, a newer one refused."""
MIGRATIONS: Final = Path(__file__).resolve().parents[1] / "migrations"
_BUSY_MS: Final = 30_000
_BATCH: Final = 500


class Database:
    """An open database. `reading()` and `writing()` give connections; a write is one transaction."""

    def __init__(self, url: str) -> None:
        self.url = url
        with _translated(url):
            self._engine = _engine(url)
            _migrate(self._engine)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees one consistent state and writes nothing.

        Raises
        ------
        StoreError
            The database refuses.
        """
        with _translated(self.url), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A connection in a write transaction: committed at the end, rolled back on any exception.

        SQLite takes its write lock at once (BEGIN IMMEDIATE), so that two writers queue up.

        Raises
        ------
        StoreError
            The database refuses: read-only, full, or locked for 30 s.
        """
        with _translated(self.url), self._engine.connect() as connection:
            if self._engine.dialect.name == "sqlite":
                connection = connection.execution_options(matchgraph_write=True)
            with connection.begin():
                yield connection

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()


def upsert(
    connection: Connection, table: Table, rows: Sequence[dict[str, Any]], add: Sequence[str] = ()
) -> None:
    """Insert rows; where the primary key exists, overwrite, but columns in `add` are added to what is there."""
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as insert_postgresql

        statement: Any = insert_postgresql(table)
    else:
        from sqlalchemy.dialects.sqlite import insert as insert_sqlite

        statement = insert_sqlite(table)
    keys = [column.name for column in table.primary_key]
    updates = {
        name: table.c[name] + statement.excluded[name] if name in add else statement.excluded[name]
        for name in rows[0]
        if name not in keys
    }
    statement = statement.on_conflict_do_update(index_elements=keys, set_=updates)
    for start in range(0, len(rows), _BATCH):
        connection.execute(statement, list(rows[start : start + _BATCH]))


def read_meta(connection: Connection, key: str) -> str | None:
    """The value kept under a key, or None where there is none."""
    value = connection.execute(select(META.c.value).where(META.c.key == key)).scalar_one_or_none()
    return None if value is None else str(value)


def write_meta(connection: Connection, key: str, value: str) -> None:
    """Keep a value under a key."""
    upsert(connection, META, [{"key": key, "value": value}])


def _engine(url: str) -> Engine:
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _on_sqlite_connect)
        event.listen(engine, "begin", _on_sqlite_begin)
    return engine


def _on_sqlite_connect(raw: Any, _: Any) -> None:
    raw.isolation_level = None  # SQLAlchemy's BEGIN, not the driver's
    cursor = raw.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", f"busy_timeout={_BUSY_MS}", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _on_sqlite_begin(connection: Connection) -> None:
    write = connection.get_execution_options().get("matchgraph_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _migrate(engine: Engine) -> None:
    with engine.connect() as connection:
        known = inspect(connection).has_table("alembic_version")
        current = connection.execute(text("SELECT version_num FROM alembic_version")).scalar() if known else None
    if current == REVISION:
        return
    if current is not None and current > REVISION:
        raise StoreError(f"database {engine.url!r} is of a newer matchgraph (schema {current}): upgrade matchgraph")
    from alembic import command
    from alembic.config import Config
    from filelock import FileLock

    config = Config()
    config.set_main_option("script_location", MIGRATIONS.as_posix().replace("%", "%%"))
    file = engine.url.database if engine.dialect.name == "sqlite" else None
    with FileLock(f"{file}.migrating") if file and file != ":memory:" else _no_lock(), engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


@contextmanager
def _no_lock() -> Iterator[None]:
    yield


@contextmanager
def _translated(url: str) -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        shown = url.rpartition("@")[2]
        raise StoreError(f"database {shown}: {error.orig}: check that it is writable and has room") from error
    except SQLAlchemyError as error:
        raise StoreError(f"database {url.rpartition('@')[2]}: {error}") from error
    except OSError as error:
        raise StoreError(f"database {url.rpartition('@')[2]}: {error}: check the folder's rights") from error
