"""The home folder: everything matchgraph keeps lies in it, and nothing anywhere else."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from filelock import FileLock

from graph.errors import HomeError
from graph.settings import Settings
from graph.store.database import Database, read_meta, write_meta
from graph.store.log import fold_rest, is_fold_current, rebuild


@dataclass(frozen=True)
class Home:
    """An open home: its folder, its database, its settings and the keys that sign tokens and hide actors.

    `keys` are all keys by id, oldest first; the newest signs, older ones still recognise what they signed.
    """

    path: Path
    store: Database
    settings: Settings
    keys: dict[str, bytes] = field(repr=False)

    @property
    def key_id(self) -> str:
        """The id of the newest key."""
        return next(reversed(self.keys))

    @property
    def key(self) -> bytes:
        """The newest key."""
        return self.keys[self.key_id]

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
        keys = _read_keys(path / "key")
    except OSError as error:
        hint = "choose another with --home or MATCHGRAPH_HOME"
        raise HomeError(f"home {path}: {error.strerror or error}: {hint}") from error
    store = Database(settings.database_url or f"sqlite:///{path / 'matchgraph.db'}", fold_rest)
    with store.reading() as connection:
        marked, current = read_meta(connection, "throw_away"), is_fold_current(connection)
    if marked is None or not current:
        with store.writing() as connection:
            if marked is None:
                write_meta(connection, "throw_away", "yes" if throw_away else "no")
            if not is_fold_current(connection):  # folded by an older version
                rebuild(connection)
    return Home(path, store, settings, keys)


def rotate_key(home: Home) -> Home:
    """The same home with a new key, of which the older ones are kept: nobody becomes a second actor by it.

    Raises
    ------
    HomeError
        The key file cannot be written.
    """
    file = home.path / "key"
    try:
        with FileLock(file.with_name("key.lock")):
            lines = [*file.read_text(encoding="ascii").split(), secrets.token_hex(32)]
            draft = _draft(file, lines)
            draft.replace(file)
            return replace(home, keys=_read_keys(file))
    except OSError as error:
        raise HomeError(f"{file}: {error.strerror or error}: check the folder's rights") from error


def _read_keys(file: Path) -> dict[str, bytes]:
    """The home's 32-byte keys, oldest first; the first is made here, and two makers at once agree on it."""
    if not file.exists():
        draft = _draft(file, [secrets.token_hex(32)])
        with contextlib.suppress(FileExistsError):
            os.link(draft, file)  # appears whole or not at all
        draft.unlink()
    lines = file.read_text(encoding="ascii").split()
    return {f"k{number}": bytes.fromhex(line) for number, line in enumerate(lines, start=1)}


def _draft(file: Path, lines: Sequence[str]) -> Path:
    draft = file.with_name(f"key.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as stream:
        stream.write("\n".join(lines))
    return draft
