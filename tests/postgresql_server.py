"""A PostgreSQL server of the tests' own, in a folder of its own, reached by its socket alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NOBODY = 65_534
DEBIAN = Path("/usr/lib/postgresql")
WITHOUT_WAITING = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c listen_addresses="


def server_programs() -> Path | None:
    """The folder of `initdb` and `pg_ctl`, the newest where there are several; None where there is none."""
    found = shutil.which("pg_ctl")
    if found is not None:
        return Path(found).parent
    return max((file.parent for file in DEBIAN.glob("*/bin/pg_ctl")), key=lambda p: float(p.parent.name), default=None)


@contextmanager
def running_server(programs: Path) -> Iterator[str]:
    """The URL of a fresh server, without a database's name; gone at the end.

    It sorts texts by the rules of a language, not by code point, as most servers do: what relies on an order shows.
    The server refuses to run as root: root runs it as nobody.
    """
    root = os.geteuid() == 0
    dropped = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"] if root else []
    folder = Path(tempfile.mkdtemp(prefix="mg-pg-", dir="/tmp"))  # a socket's path is short
    try:
        if root:
            os.chown(folder, NOBODY, NOBODY)
        data = folder / "data"
        locale = ["--encoding=UTF8", "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en"]
        _run([*dropped, str(programs / "initdb"), "-D", str(data), "-U", "postgres", "--auth=trust", *locale], folder)
        control = [*dropped, str(programs / "pg_ctl"), "-D", str(data), "-w"]
        _run([*control, "-l", str(folder / "log"), "-o", f"{WITHOUT_WAITING} -k {folder}", "start"], folder)
        try:
            yield f"postgresql+psycopg://postgres@/{{database}}?host={folder}"
        finally:
            _run([*control, "-m", "immediate", "stop"], folder)
    finally:
        shutil.rmtree(folder)


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True, timeout=60)  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{command[-1]}: {done.stderr}")


def fresh_database(server: str, name: str) -> str:
    """The URL of a database of this name, made now, empty."""
    from sqlalchemy import create_engine

    engine = create_engine(server.format(database="postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f'CREATE DATABASE "{name}"')
    engine.dispose()
    return server.format(database=name)
