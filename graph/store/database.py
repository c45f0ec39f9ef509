"""Opening the database: SQLite in WAL mode by default, another by URL; migrations; error translation."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Dialect, Engine, Table, create_engine, delete, event, inspect, text
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from graph.errors import StoreError
from graph.store.tables import META

REVISION: Final = "0006"
"""The newest migration; an older database is upgraded when opened, a newer one refused."""
MIGRATIONS: Final = Path(__file__).resolve().parents[1] / "migrations"
_BUSY_MS: Final = 30_000
_CACHE_KIB: Final = 65_536
_BATCH: Final = 500
_INSERT_BATCH: Final = 10_000
_WRITER_LOCK: Final = 0x6D617463
UNFOLDED: Final = "unfolded"
"""Key of the number of the first event that the folded tables lack; none where they have all."""
_TRIES: Final = 5
_WRITE_BACK_EVERY: Final = 64
"""After so many commits the write-ahead log of SQLite is written back into the file, on a thread of its own."""
_WAL_MOST_PAGES: Final = 8_192
"""From this size on, whoever commits has to do so."""


def _driver_of(url: str) -> str:
    """What to do where a database's driver is missing."""
    known = url.startswith("postgresql+psycopg:")
    return "pip install 'psycopg[binary]'" if known else "install this database's driver"


class Database:
    """An open database. `reading()` and `writing()` give connections; a write is one transaction.

    The log comes first, the folded tables follow: whoever asks for a connection finds them complete, unless it says
    that it does not look at them.

    Parameters
    ----------
    url : str
        SQLAlchemy's URL of the database.
    fold_rest : callable, optional
        Folds the events that were only appended, in a write transaction; without it nothing may append so.
    """

    def __init__(self, url: str, fold_rest: Callable[[Connection], None] | None = None) -> None:
        self.url, self._fold_rest = url, fold_rest
        self._commits = 0
        self._writing_back: threading.Thread | None = None
        try:
            with _translated(url):
                self._engine = _engine(url)
                _migrate(self._engine)
        except ImportError as error:
            raise StoreError(f"database {_shown(url)}: {error}: {_driver_of(url)}") from error
        except OSError as error:
            raise StoreError(f"database {_shown(url)}: {error}: check the folder's rights") from error

    @contextmanager
    def reading(self, *, folded: bool = True) -> Iterator[Connection]:
        """A connection that sees one consistent state and writes nothing.

        Without `folded`, the folded tables may lack the newest searches.

        Raises
        ------
        StoreError
            The database refuses.
        """
        for _ in range(_TRIES):
            with self._reading() as connection:
                if not folded or not self._lacks_events(connection):
                    yield connection
                    return
            self.fold_rest()
        with self.writing() as connection:  # others append faster than they are folded: keep them out
            yield connection

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with _translated(self.url), self._engine.connect() as connection:
            if self._engine.dialect.name == "postgresql":  # its default shows later statements a later state
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            yield connection

    @contextmanager
    def writing(self, *, wait: bool = True, folded: bool = True) -> Iterator[Connection]:
        """A connection in a write transaction: committed at the end, rolled back on any exception.

        Writers queue up from the start (SQLite: BEGIN IMMEDIATE; PostgreSQL: an advisory lock), because the chains
        need each writer to see the last link of the one before. Without `wait`, a database that another writes to
        refuses at once. Without `folded`, the folded tables may lack the newest searches.

        Raises
        ------
        StoreError
            The database refuses: read-only, full, or locked for 30 s.
        """
        with _translated(self.url), self._engine.connect() as connection:
            if self._engine.dialect.name == "sqlite":
                connection = connection.execution_options(matchgraph_write=True, matchgraph_wait=wait)
            with connection.begin():
                if self._engine.dialect.name == "postgresql":
                    lock = "pg_advisory_xact_lock" if wait else "pg_try_advisory_xact_lock"
                    if connection.execute(text(f"SELECT {lock}({_WRITER_LOCK})")).scalar() is False:
                        raise StoreError(f"database {_shown(self.url)}: another process writes: try again")
                if folded and self._fold_rest is not None and self._lacks_events(connection):
                    self._fold_rest(connection)
                yield connection
        self._write_back_aside()

    def _lacks_events(self, connection: Connection) -> bool:
        return self._fold_rest is not None and read_meta(connection, UNFOLDED) is not None

    def fold_rest(self) -> None:
        """Complete the folded tables.

        Raises
        ------
        StoreError
            The database refuses.
        """
        with self.writing():
            pass

    def overwrite(self) -> None:
        """Write what the log of SQLite still holds back into the file, so that what was removed is nowhere any more.

        Raises
        ------
        StoreError
            The database refuses.
        """
        if self._engine.dialect.name == "sqlite":
            with _translated(self.url), self._engine.connect() as connection:
                raw: Any = connection.connection.driver_connection
                raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # outside any transaction

    def _write_back_aside(self) -> None:
        """Now and then write back on a thread of its own: no commit waits for the disk."""
        self._commits += 1
        is_due = self._commits % _WRITE_BACK_EVERY == 0 and self._engine.dialect.name == "sqlite"
        if is_due and not (self._writing_back and self._writing_back.is_alive()):
            self._writing_back = threading.Thread(target=self._write_back, name="write back", daemon=True)
            self._writing_back.start()

    def _write_back(self) -> None:
        with suppress(SQLAlchemyError, sqlite3.Error), self._engine.connect() as connection:
            raw: Any = connection.connection.driver_connection
            raw.execute("PRAGMA wal_checkpoint(PASSIVE)")  # outside any transaction; waits for nobody

    def close(self) -> None:
        """Complete the folded tables where that is possible, and close all connections."""
        with suppress(StoreError):  # where it is not, whoever opens the database next completes them
            with self._reading() as connection:
                lacking = self._lacks_events(connection)
            if lacking:
                self.fold_rest()
        if self._writing_back:
            self._writing_back.join()
        self._engine.dispose()


def upsert(
    connection: Connection,
    table: Table,
    rows: Sequence[dict[str, Any]],
    add: Sequence[str] = (),
    least: Sequence[str] = (),
) -> None:
    """Insert rows; where the primary key exists, overwrite.

    Columns in `add` are added to what is there instead, of those in `least` the smaller stays.
    """
    if rows:
        statement = _upsert_statement(connection.dialect, table, tuple(rows[0]), tuple(add), tuple(least))
        for start in range(0, len(rows), _BATCH):
            run_many(connection, statement, [tuple(row.values()) for row in rows[start : start + _BATCH]])


def insert_new(connection: Connection, table: Table, row: dict[str, Any]) -> None:
    """Insert a row whose primary key does not exist; otherwise leave what is there."""
    statement = _insert_statement(connection.dialect, table, tuple(row))
    run_many(connection, f"{statement} ON CONFLICT DO NOTHING", [tuple(row.values())])


def insert_rows(connection: Connection, table: Table, rows: Iterable[tuple[Any, ...]]) -> None:
    """Insert many rows, each with a value per column of the table, as fast as the driver takes them."""
    statement = _insert_statement(connection.dialect, table, tuple(column.name for column in table.columns))
    given = iter(rows)
    while chunk := list(islice(given, _INSERT_BATCH)):
        run_many(connection, statement, chunk)


# Statements as text, on the driver itself: SQLAlchemy's part of an execution costs several times what a row does.
def fetch(connection: Connection, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """The rows of a statement, whose places for values are `?` on every database."""
    cursor = _driver_cursor(connection)
    try:
        cursor.execute(_with_places(connection.dialect, statement), parameters)
        return list(cursor.fetchall())
    except connection.dialect.loaded_dbapi.Error as error:
        raise _as_sqlalchemy(connection, statement, error) from error
    finally:
        cursor.close()


def place_of(dialect: Dialect) -> str:
    """What stands for a value in a statement of `run_many`."""
    return "?" if dialect.paramstyle == "qmark" else "%s"


def run_many(connection: Connection, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Run a statement that gives nothing once per row of values; its places are those of the driver."""
    cursor = _driver_cursor(connection)
    try:
        cursor.executemany(statement, rows)
    except connection.dialect.loaded_dbapi.Error as error:
        raise _as_sqlalchemy(connection, statement, error) from error
    finally:
        cursor.close()


def _driver_cursor(connection: Connection) -> Any:
    """A cursor of the driver in the connection's transaction."""
    if not connection.in_transaction():
        connection.begin()
    return connection.connection.cursor()


def _as_sqlalchemy(connection: Connection, statement: str, error: Exception) -> DBAPIError:
    """An error of the driver as everywhere else."""
    dialect = connection.dialect
    found = DBAPIError.instance(statement, None, error, dialect.loaded_dbapi.Error, dialect=dialect)
    return found if isinstance(found, DBAPIError) else DBAPIError(statement, None, error)


@lru_cache(maxsize=64)
def _with_places(dialect: Dialect, statement: str) -> str:
    return statement if dialect.paramstyle == "qmark" else statement.replace("?", "%s")


@lru_cache(maxsize=64)
def _insert_statement(dialect: Dialect, table: Table, columns: tuple[str, ...]) -> str:
    quote = dialect.identifier_preparer.quote
    place = place_of(dialect)
    names, places = ", ".join(quote(name) for name in columns), ", ".join(place for _ in columns)
    return f"INSERT INTO {quote(table.name)} ({names}) VALUES ({places})"  # noqa: S608


@lru_cache(maxsize=64)
def _upsert_statement(
    dialect: Dialect, table: Table, columns: tuple[str, ...], add: tuple[str, ...], least: tuple[str, ...]
) -> str:
    quote = dialect.identifier_preparer.quote
    smaller = "LEAST" if dialect.name == "postgresql" else "MIN"
    keys = [column.name for column in table.primary_key]
    updates = []
    for name in (quote(column) for column in columns if column not in keys):
        old, new = f"{quote(table.name)}.{name}", f"excluded.{name}"
        updates.append(
            f"{name} = {old} + {new}" if name in add else f"{name} = {smaller}({old}, {new})" if name in least
            else f"{name} = {new}"
        )  # fmt: skip
    do = f"UPDATE SET {', '.join(updates)}" if updates else "NOTHING"
    conflict = f"ON CONFLICT ({', '.join(map(quote, keys))}) DO {do}"
    return f"{_insert_statement(dialect, table, columns)} {conflict}"


def read_meta(connection: Connection, key: str) -> str | None:
    """The value kept under a key, or None where there is none."""
    rows = fetch(connection, "SELECT value FROM meta WHERE meta.key = ?", (key,))
    return str(rows[0][0]) if rows else None


def write_meta(connection: Connection, key: str, value: str) -> None:
    """Keep a value under a key."""
    upsert(connection, META, [{"key": key, "value": value}])


def remove_meta(connection: Connection, key: str) -> None:
    """Keep nothing under a key any more."""
    connection.execute(delete(META).where(META.c.key == key))


def _engine(url: str) -> Engine:
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _on_sqlite_connect)
        event.listen(engine, "begin", _on_sqlite_begin)
    return engine


def _on_sqlite_connect(raw: Any, _: Any) -> None:
    raw.isolation_level = None  # SQLAlchemy's BEGIN, not the driver's
    cursor = raw.cursor()
    # The timeout first, so that it covers the switch to WAL; secure_delete so that what is forgotten is overwritten.
    for pragma in (
        f"busy_timeout={_BUSY_MS}",
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "foreign_keys=ON",
        "secure_delete=ON",
        f"cache_size=-{_CACHE_KIB}",
        f"wal_autocheckpoint={_WAL_MOST_PAGES}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _on_sqlite_begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    wait = options.get("matchgraph_wait", True)
    statement = "BEGIN IMMEDIATE" if options.get("matchgraph_write", False) else "BEGIN"
    raw: Any = connection.connection.driver_connection
    try:
        if not wait:
            raw.execute("PRAGMA busy_timeout=0")
        raw.execute(statement)
    except connection.dialect.loaded_dbapi.Error as error:
        raise _as_sqlalchemy(connection, statement, error) from error
    finally:
        if not wait:
            raw.execute(f"PRAGMA busy_timeout={_BUSY_MS}")


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
    with (
        FileLock(f"{file}.migrating") if file and file != ":memory:" else nullcontext(),
        engine.connect() as connection,
    ):
        config.attributes["connection"] = connection
        if engine.dialect.name == "postgresql":  # whoever comes second finds it done
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_WRITER_LOCK})"))
        command.upgrade(config, "head")
        connection.commit()


@contextmanager
def _translated(url: str) -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        raise StoreError(
            f"database {_shown(url)}: {_first_line(error.orig)}: it is stored already, under this id"
        ) from error
    except DBAPIError as error:
        raise StoreError(
            f"database {_shown(url)}: {_first_line(error.orig)}: check that it is writable and has room"
        ) from error
    except SQLAlchemyError as error:
        raise StoreError(
            f"database {_shown(url)}: {_first_line(error)}: check --db or MATCHGRAPH_DATABASE_URL"
        ) from error


def _first_line(error: object) -> str:
    return str(error).strip().partition("\n")[0]


def _shown(url: str) -> str:
    """A database URL without user, password and options, among which a password may be."""
    return url.partition("?")[0].rpartition("@")[2]
