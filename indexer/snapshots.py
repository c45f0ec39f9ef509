"""The folder of snapshots (`home.snapshots`): sealed manifests, the live one by name, rollback, and what is kept.

A snapshot is written under a temporary name, flushed to disk, and renamed; then the file `current` is replaced. An
interrupted build therefore leaves the live snapshot as it was, and a leftover that the next build removes.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import rfc8785
from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, Field

from graph.digest import digest_of, file_digest
from graph.errors import SnapshotError
from inference.encoder_recipe import EncoderInfo

FORMAT: Final = 1
KEEP: Final = 5
"""How many of the newest snapshots stay, besides the live one."""
HASH_AT_OPEN_MAX_BYTES: Final = 64 << 20
"""Larger files are hashed only by a deep check; sizes are always compared."""
MANIFEST: Final = "manifest.json"
CURRENT: Final = "current"
_TEMPORARY: Final = ".building-"
_ID: Final = re.compile(r"^s[0-9]{8}t[0-9]{12}-[0-9a-f]{8}$")
_AGAIN: Final = "run `matchgraph rollback` or `matchgraph build`"


class Seal(BaseModel):
    """What a file of a snapshot must be."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size_bytes: int = Field(ge=0)
    sha256: str


class Kept(BaseModel):
    """One entry of what the gate kept out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    artifact: str
    capability: str | None
    what: str
    reason: str


class Manifest(BaseModel):
    """What a snapshot is.

    `content` is the digest of format, encoder, policy and rows: two snapshots with the same content answer alike.
    `policy` is the policy's name and `rules` all of it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = FORMAT
    id: str
    created_us: int
    content: str
    encoder: EncoderInfo
    policy: str
    rules: dict[str, Any]
    catalogue: str
    counts: dict[str, int]
    files: dict[str, Seal]
    refused: tuple[Kept, ...]


@dataclass(frozen=True)
class Listed:
    """One snapshot of a home; `manifest` is None where it cannot be read, and `problem` says why."""

    id: str
    is_current: bool
    manifest: Manifest | None
    problem: str = ""


def current_id(folder: Path) -> str | None:
    """The id of the live snapshot, or None where nothing was built yet.

    Raises
    ------
    SnapshotError
        The file `current` is unreadable or names no snapshot.
    """
    file = folder / CURRENT
    try:
        name = file.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise SnapshotError(f"{file}: cannot be read: {_AGAIN}") from error
    if not _ID.match(name):
        raise SnapshotError(f"{file}: names no snapshot: {_AGAIN}")
    return name


def current_folder(folder: Path) -> Path:
    """The folder of the live snapshot.

    Raises
    ------
    SnapshotError
        Nothing was built yet.
    """
    name = current_id(folder)
    if name is None:
        raise SnapshotError(f"{folder}: no snapshot yet: run `matchgraph ingest`, then `matchgraph build`")
    return folder / name


def is_snapshot(folder: Path) -> bool:
    """Whether this is the folder of one snapshot, by its name."""
    return _ID.match(folder.name) is not None


def list_snapshots(folder: Path) -> list[Listed]:
    """All snapshots of a home, newest first, damaged ones with their problem; empty before the first build."""
    live = current_id(folder)
    found = []
    for name in _names(folder):
        try:
            found.append(Listed(name, name == live, read_manifest(folder / name)))
        except SnapshotError as error:
            found.append(Listed(name, name == live, None, str(error)))
    return found


def roll_back(folder: Path, snapshot: str | None = None) -> str:
    """The id of the snapshot that is live from now on: the one named, else the one before the live one.

    Every byte of it is checked first.

    Raises
    ------
    SnapshotError
        There is no such snapshot, or none before the live one, or it is damaged.
    """
    with build_lock(folder):
        names = _names(folder)
        if snapshot is None:
            live = current_id(folder)
            older = names[names.index(live) + 1 :] if live in names else names
            if not older:
                raise SnapshotError(f"{folder}: no older snapshot: see `matchgraph snapshots`")
            snapshot = older[0]
        if snapshot not in names:
            raise SnapshotError(f"no snapshot {snapshot[:80]!r}: see `matchgraph snapshots`")
        check_files(folder / snapshot, deep=True)
        make_current(folder, snapshot)
    return snapshot


@contextmanager
def build_lock(folder: Path) -> Iterator[None]:
    """Holds the folder of snapshots for one writer, and removes what interrupted builds left behind.

    Raises
    ------
    SnapshotError
        Another build or rollback holds it, or the folder cannot be written.
    """
    lock = FileLock(folder / ".lock", timeout=0)
    with _translated(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire()
        except Timeout as error:
            raise SnapshotError(f"{folder}: another build is running: wait for it to end") from error
    try:
        with _translated(folder):
            for leftover in folder.glob(f"{_TEMPORARY}*"):
                shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        yield
    finally:
        lock.release()


@contextmanager
def new_snapshot(folder: Path, name: str) -> Iterator[Path]:
    """A place to fill; at the end of the block it is flushed and gets its name, on any exception it vanishes.

    Raises
    ------
    SnapshotError
        The folder cannot be written.
    """
    place = folder / f"{_TEMPORARY}{secrets.token_hex(8)}"
    try:
        with _translated(folder):
            place.mkdir()
            yield place
            for path in sorted(place.rglob("*")):
                _flush(path)
            _flush(place)
            os.replace(place, folder / name)  # noqa: PTH105 - tests interrupt the two switches by this name
            _flush(folder)
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise


def make_current(folder: Path, name: str) -> None:
    """Make a finished snapshot the live one, at once or not at all.

    Raises
    ------
    SnapshotError
        The folder cannot be written.
    """
    draft = folder / f"{_TEMPORARY}{secrets.token_hex(8)}"
    with _translated(folder):
        draft.write_text(name + "\n", encoding="ascii")
        _flush(draft)
        os.replace(draft, folder / CURRENT)  # noqa: PTH105
        _flush(folder)


def prune(folder: Path) -> list[str]:
    """Ids of the snapshots removed: all but the five newest and the live one."""
    live = current_id(folder)
    gone = [name for name in _names(folder)[KEEP:] if name != live]
    for name in gone:
        shutil.rmtree(folder / name)
    return gone


def new_id(folder: Path, now_us: int, content: str) -> tuple[str, int]:
    """The id and time of a new snapshot: `sYYYYmmddtHHMMSSffffff-` (UTC) and the start of its content's digest.

    The time is later than that of every snapshot here, even where the clock went back: ids sort by age.
    """
    names = _names(folder)
    created_us = max(now_us, _created_us(names[0]) + 1 if names else 0)
    moment = datetime.fromtimestamp(created_us // 1_000_000, tz=UTC)
    return f"s{moment:%Y%m%dt%H%M%S}{created_us % 1_000_000:06d}-{content[:8]}", created_us


def write_manifest(folder: Path, fields: dict[str, Any]) -> Manifest:
    """Seal every file of a folder and write its manifest, itself sealed by its last field."""
    files = {
        path.relative_to(folder).as_posix(): Seal(size_bytes=path.stat().st_size, sha256=file_digest(path))
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    manifest = Manifest(files=files, **fields)
    (folder / MANIFEST).write_bytes(_sealed(manifest))
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a snapshot, after checking that no byte of it was changed.

    Raises
    ------
    SnapshotError
        It is missing, altered, or of another format; names the file.
    """
    file = folder / MANIFEST
    try:
        content = file.read_bytes()
        fields = json.loads(content)
        fields.pop("seal")
        manifest = Manifest.model_validate(fields)
    except OSError as error:
        raise SnapshotError(f"{file}: {error.strerror or error}: {_AGAIN}") from error
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:  # pydantic's is a ValueError
        raise SnapshotError(f"{file}: altered or of another version: {_AGAIN}") from error
    if content != _sealed(manifest) or manifest.format != FORMAT:
        raise SnapshotError(f"{file}: altered or of another version: {_AGAIN}")
    return manifest


def check_files(folder: Path, *, deep: bool = False) -> Manifest:
    """The manifest, after comparing every file with its seal: sizes always, digests up to 64 MiB or if `deep`.

    Raises
    ------
    SnapshotError
        A file is missing or altered; names the first.
    """
    manifest = read_manifest(folder)
    for name, seal in sorted(manifest.files.items()):
        file = folder / name
        try:
            same = file.stat().st_size == seal.size_bytes
            if same and (deep or seal.size_bytes <= HASH_AT_OPEN_MAX_BYTES):
                same = file_digest(file) == seal.sha256
        except OSError as error:
            raise SnapshotError(f"{file}: {error.strerror or error}: {_AGAIN}") from error
        if not same:
            raise SnapshotError(f"{file}: altered since it was built: {_AGAIN}")
    return manifest


def _sealed(manifest: Manifest) -> bytes:
    """The manifest as it lies on disk: RFC 8785 JSON whose field `seal` is the digest of the others.

    Read back and written again it must give the same bytes, so that any changed byte shows.
    """
    fields = manifest.model_dump(mode="json")
    written: bytes = rfc8785.dumps({**fields, "seal": digest_of(fields)})
    return written + b"\n"


def _names(folder: Path) -> list[str]:
    """Ids of snapshots in a folder, newest first: an id begins with its time."""
    if not folder.is_dir():
        return []
    found = [path.name for path in folder.iterdir() if _ID.match(path.name) and path.is_dir()]
    return sorted(found, reverse=True)


def _created_us(name: str) -> int:
    moment = datetime.strptime(name[1:16], "%Y%m%dt%H%M%S").replace(tzinfo=UTC)
    return int(moment.timestamp()) * 1_000_000 + int(name[16:22])


def _flush(path: Path) -> None:
    """Make sure that a file or folder is on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _translated(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        place = error.filename or folder
        raise SnapshotError(f"{place}: {error.strerror or error}: check the folder's rights and room") from error
