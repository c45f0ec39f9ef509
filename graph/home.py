"""The home folder: everything matchgraph keeps lies in it, and nothing anywhere else."""

from __future__ import annotations

import contextlib
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from graph.errors import HomeError
from graph.settings import Settings
from graph.store.database import Database, read_meta, write_meta
from graph.store.log import is_fold_current, rebuild


@dataclass(frozen=True)
class Home:
    """An open home: its folder, its database, its settings and the key that signs tokens and hides actors."""

    path: Path
    store: Database
    settings: Settings
    key: bytes = field(repr=False)
    key_id: str

    @property
    def snapshots(self) -> Path:
        """Folder of the snapshots."""
        return self.path / "snapshots"

    def close(self) -> None:
        """Close the database."""
        self.store.close()


def open_home(settings: Settings, *, throw_away: bool = False) -> Home:
    """The home of these settings, created where it is missing.

    Parameters
    ----------
    settings : Settings
        Says where the home and the database are.
    throw_away : bool
        Marks a home at its creation: its fold counts synthetic events. A home that exists keeps its mark.

    Raises
    ------
    HomeError
        The folder cannot be made, read or written.
    """
    path = settings.home.expanduser()
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        key = _key(path / "key")
    except OSError as error:
        hint = "choose another with --home or MATCHGRAPH_HOME"
        raise HomeError(f"home {path}: {error.strerror or error}: {hint}") from error
    store = Database(settings.database_url or f"sqlite:///{path / 'matchgraph.db'}")
    with store.reading() as connection:
        marked, current = read_meta(connection, "throw_away"), is_fold_current(connection)
    if marked is None or not current:
        with store.writing() as connection:
            if marked is None:
                write_meta(connection, "throw_away", "yes" if throw_away else "no")
            if not is_fold_current(connection):  # folded by an older version
                rebuild(connection)
    return Home(path, store, settings, key, "k1")


def _key(file: Path) -> bytes:
    """The home's 32-byte key, made at the first call; two first calls at once agree on one."""
    if not file.exists():
        draft = file.with_name(f"key.{secrets.token_hex(8)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            stream.write(secrets.token_hex(32))
        with contextlib.suppress(FileExistsError):
            os.link(draft, file)  # appears whole or not at all
        draft.unlink()
    return bytes.fromhex(file.read_text(encoding="ascii").strip())
