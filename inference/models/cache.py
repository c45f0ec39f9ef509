"""A Hugging Face cache as huggingface_hub 2.4 keeps it: `models--owner--name/{refs,snapshots,blobs}`, a shared store.

The library's own `scan_cache_dir` gives up on a repository at the first broken link; here every folder of a model
is looked at by itself, and what is wrong with one is said of that one.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from graph.errors import ModelError, ModelRefused
from inference.models.files import Bounds, ModelFile, resolve_file, shared_store

BlobState = Literal["good", "altered", "not_checkable", "escape"]
_MODEL: Final = "models--"
_OTHERS: Final = ("datasets--", "spaces--", "kernels--")
_REVISION: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,99}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_SHA1: Final = re.compile(r"[0-9a-f]{40}")
_PIECE_BYTES: Final = 1 << 20


@dataclass(frozen=True)
class Snapshot:
    """The revision of a cached model that counts, where it lies, how many revisions lie there, and what is odd."""

    revision: str
    path: Path
    revisions: int
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class BlobReport:
    """Which of a repository's blobs hold the bytes that their names promise; names sorted."""

    good: int
    altered: tuple[str, ...] = ()
    not_checkable: tuple[str, ...] = ()
    escapes: tuple[str, ...] = ()


def is_cache(path: Path) -> bool:
    """True if a folder is a Hugging Face cache: it holds a repository's folder."""
    try:
        return any(entry.name.startswith((_MODEL, *_OTHERS)) for entry in path.iterdir())
    except OSError:
        return False


def repository_folders(cache: Path) -> list[Path]:
    """Everything in a cache that is named like a repository (model, data set, space, kernel), sorted by name.

    Raises
    ------
    ModelError
        The cache cannot be read.
    """
    try:
        return sorted(entry for entry in cache.iterdir() if entry.name.startswith((_MODEL, *_OTHERS)))
    except OSError as error:
        raise ModelError(f"{cache}: {error.strerror or error}: give a readable cache") from error


def is_model_folder(folder: Path) -> bool:
    """True if a folder of a cache is named as a model's."""
    return folder.name.startswith(_MODEL)


def repository_id(folder: Path) -> str:
    """The hub id of a cache folder.

    Examples
    --------
    >>> repository_id(Path("models--apple--mobilevit-small"))
    'apple/mobilevit-small'
    """
    return folder.name.partition("--")[2].replace("--", "/")


def current_snapshot(folder: Path) -> Snapshot:
    """The snapshot that `refs/main` names; the newest (ties by name) where it names none that is there.

    Raises
    ------
    ModelRefused
        The folder, or one of its parts, is a link that leads out of the cache.
    ModelError
        There is no snapshot.
    """
    _refuse_links(folder)
    try:
        found = sorted(entry.name for entry in os.scandir(folder / "snapshots") if entry.is_dir(follow_symlinks=False))
    except OSError as error:
        raise ModelError("no snapshots folder: fetch the model again") from error
    names = [name for name in found if _REVISION.fullmatch(name)]
    if not names:
        raise ModelError("no revision was fetched: fetch the model again")
    wanted = _main_revision(folder / "refs" / "main")
    if wanted in names:
        return Snapshot(wanted, folder / "snapshots" / wanted, len(names))
    newest = min(names, key=lambda name: (-(folder / "snapshots" / name).stat().st_mtime_ns, name))
    odd = f"refs/main names a revision that is not here; {newest[:12]} is used" if wanted else ""
    return Snapshot(newest, folder / "snapshots" / newest, len(names), (odd,) if odd else ())


def _refuse_links(folder: Path) -> None:
    """Parts of a repository's folder are real folders: the library never makes them links."""
    for part in (folder, folder / "snapshots", folder / "blobs", folder / "refs"):
        if part.is_symlink():
            raise ModelRefused(f"{part.name} is a link, which the library never makes: refused")


def _main_revision(reference: Path) -> str:
    """The revision that a reference names, or "" where it is missing or no revision's name."""
    try:
        if reference.is_symlink():
            return ""
        with reference.open("rb") as stream:
            text = stream.read(200).decode("ascii", "replace").strip()
    except OSError:
        return ""
    return text if _REVISION.fullmatch(text) else ""


def blob_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Name and path of each finished blob of a repository, sorted by name; partial downloads are left out."""
    try:
        entries = sorted(os.scandir(folder / "blobs"), key=lambda entry: entry.name)
    except OSError:
        return  # no blobs folder: the snapshots hold the files themselves, as on systems without links
    for entry in entries:
        if not entry.name.startswith(".") and not entry.name.endswith((".incomplete", ".lock")):
            yield entry.name, Path(entry.path)


def check_blobs(folder: Path, on_bytes: Callable[[int], None] | None = None) -> BlobReport:
    """Which blobs of a repository are what their names say.

    A name of 64 hex digits is the SHA-256 of the bytes, one of 40 is git's blob SHA-1 (over `blob SIZE`, a zero byte
    and the bytes); any other name cannot be checked. A blob that is a link into the cache-wide store is checked by
    its name in the repository; the store's own names are Xet hashes and are never compared.

    Parameters
    ----------
    folder
        A `models--…` folder.
    on_bytes
        Hears how many bytes were read, piece by piece.
    """
    bounds = Bounds((Path(os.path.realpath(folder)),), shared_store(folder.parent))
    states: dict[BlobState, list[str]] = {"good": [], "altered": [], "not_checkable": [], "escape": []}
    for name, path in blob_files(folder):
        states[_blob_state(name, path, bounds, on_bytes)].append(name)
    return BlobReport(
        len(states["good"]), tuple(states["altered"]), tuple(states["not_checkable"]), tuple(states["escape"])
    )


def _blob_state(name: str, path: Path, bounds: Bounds, on_bytes: Callable[[int], None] | None) -> BlobState:
    found = resolve_file(path, name, bounds)
    if not isinstance(found, ModelFile):
        return "escape" if found.code == "escape" else "not_checkable"
    if _SHA256.fullmatch(name):
        digest = hashlib.sha256()
    elif _SHA1.fullmatch(name):
        digest = hashlib.sha1(b"blob %d\0" % found.size_bytes, usedforsecurity=False)
    else:
        return "not_checkable"
    try:
        with found.path.open("rb") as stream:
            while piece := stream.read(_PIECE_BYTES):
                digest.update(piece)
                if on_bytes:
                    on_bytes(len(piece))
    except OSError:
        return "not_checkable"
    return "good" if digest.hexdigest() == name else "altered"


def repository_bytes(folder: Path) -> dict[Path, int]:
    """Real path and size of every file that a repository keeps.

    Those are its blobs, its snapshots' own files, and what its blobs hold in the shared store. A file that two
    repositories share is in the answer of both.
    """
    bounds = Bounds((Path(os.path.realpath(folder)),), shared_store(folder.parent))
    found: dict[Path, int] = {}
    if folder.is_symlink():
        return found
    for part in ("blobs", "snapshots"):
        for parent, _, names in os.walk(folder / part):
            for name in names:
                file = resolve_file(Path(parent) / name, name, bounds)
                if isinstance(file, ModelFile):
                    found[file.path] = file.size_bytes
    return found


def partial_downloads(folder: Path) -> int:
    """How many downloads of a repository were begun and not finished."""
    return sum(1 for _ in (folder / "blobs").glob("*.incomplete"))
