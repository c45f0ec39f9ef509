"""A Hugging Face cache: every folder of a repository gives exactly one entry, whatever is broken in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from graph.errors import ModelError, ModelRefused, SourceError
from indexer.sources.entry import ALTERED, BROKEN, INCOMPLETE, NO_WEIGHTS, NOT_A_MODEL, REFUSED, Entry, rejected
from indexer.sources.models import read_model, with_warnings
from inference.models.cache import (
    BlobReport,
    Snapshot,
    current_snapshot,
    is_model_folder,
    partial_downloads,
    repository_bytes,
    repository_folders,
    repository_id,
)
from inference.models.cache import check_blobs as blob_report

MOST_NAMED = 3
"""How many altered or odd blobs a message names; it counts the rest."""


def read_cache(
    path: Path, *, check_blobs: bool = True, on_bytes: Callable[[int], None] | None = None
) -> Iterator[Entry]:
    """One entry per repository of a cache, models first by name.

    A model is listed with its facts, or rejected with its reason: no revision, no weights, a link out of the cache,
    a blob whose bytes are not what its name says. Data sets, spaces and kernels are counted and nothing else.

    Parameters
    ----------
    path
        The cache: the folder of the `models--…` folders, or the one that holds it as `hub`.
    check_blobs
        True reads every blob and compares it with its name.
    on_bytes
        Hears how many bytes were read, piece by piece.

    Raises
    ------
    SourceError
        The cache cannot be read.
    """
    cache = cache_folder(path)
    try:
        folders = repository_folders(cache)
    except ModelError as error:
        raise SourceError(str(error), file=str(path)) from error
    counted: set[Path] = set()
    for folder in sorted(folders, key=lambda folder: (not is_model_folder(folder), folder.name)):
        found = repository_bytes(folder)
        size_bytes = sum(size for real, size in found.items() if real not in counted)
        counted.update(found)
        if is_model_folder(folder):
            yield replace(_entry(folder, check_blobs, on_bytes), size_bytes=size_bytes)
        else:
            yield Entry(None, NOT_A_MODEL, size_bytes)


def cache_folder(path: Path) -> Path:
    """The folder of the repositories: the path itself, or its `hub`."""
    return path / "hub" if (path / "hub").is_dir() and not any(path.glob("models--*")) else path


def _entry(folder: Path, check_blobs: bool, on_bytes: Callable[[int], None] | None) -> Entry:
    file, identity = str(folder), repository_id(folder)
    if not identity.strip("/") or not (folder.is_symlink() or folder.is_dir()):
        what = "not a repository's folder: remove it, or fetch the model again"
        return rejected(SourceError(what, file=file, code="not_a_model"), bucket=BROKEN)
    try:
        snapshot = current_snapshot(folder)
    except ModelRefused as error:
        return rejected(SourceError(str(error), file=file, code="escape"), bucket=REFUSED)
    except ModelError as error:
        return rejected(SourceError(str(error), file=file, code="no_snapshot"), bucket=INCOMPLETE)
    entry = read_model(snapshot.path, identity, file, "hf_cache")
    entry = with_warnings(entry, file, list(_odd(snapshot)))
    begun = partial_downloads(folder)
    if entry.bucket == NO_WEIGHTS and begun:
        what = f"no weights yet, {begun} downloads were begun and not finished: fetch the model again"
        return rejected(SourceError(what, file=file, code="no_weights"), bucket=INCOMPLETE)
    if not check_blobs or entry.bucket == REFUSED:
        return entry
    return _checked(entry, folder, snapshot, blob_report(folder, on_bytes))


def _odd(snapshot: Snapshot) -> Iterator[str]:
    yield from snapshot.warnings
    if snapshot.revisions > 1:
        yield f"{snapshot.revisions} revisions; {snapshot.revision[:12]} is read"


def _checked(entry: Entry, folder: Path, snapshot: Snapshot, report: BlobReport) -> Entry:
    """The entry after its blobs were checked: an altered one that the snapshot uses rejects the model."""
    file, used = str(folder), _linked_blobs(snapshot)
    escapes = [f"{used[blob]} (blob {blob})" for blob in report.escapes if blob in used]
    altered = [f"{used[blob]} (blob {blob})" for blob in report.altered if blob in used]
    if escapes:
        what = f"{_named(escapes)} leads out of the cache: refused"
        return rejected(SourceError(what, file=file, code="escape"), bucket=REFUSED)
    if altered:
        what = f"altered bytes in {_named(altered)}, not what the blob's name says: fetch the model again"
        return rejected(SourceError(what, file=file, code="altered_blob"), bucket=ALTERED)
    notes = []
    if report.escapes:
        notes.append(f"leads out of the cache, used by no file of this revision: blob {_named(report.escapes)}")
    if report.altered:
        notes.append(f"altered, used by no file of this revision: blob {_named(report.altered)}")
    if report.not_checkable:
        notes.append(f"not checkable, its name is no digest: blob {_named(report.not_checkable)}")
    return with_warnings(entry, file, notes)


def _linked_blobs(snapshot: Snapshot) -> dict[str, str]:
    """The repository's blobs to which the snapshot's links lead at their first hop, and the name of one such link."""
    links = sorted(link for link in snapshot.path.rglob("*") if link.is_symlink())
    return {link.readlink().name: link.relative_to(snapshot.path).as_posix() for link in links}


def _named(things: Sequence[str]) -> str:
    more = f" and {len(things) - MOST_NAMED} more" if len(things) > MOST_NAMED else ""
    return ", ".join(things[:MOST_NAMED]) + more
