"""Scratch folders: made locked, watched, removed whatever a child left there, and swept when their owner was killed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_PREFIX: Final = "matchgraph-sandbox-"
_STALE_S: Final = 60.0
_MOST_ENTRIES: Final = 2_000
_DEEPEST: Final = 50


def make_scratch() -> tuple[Path, int]:
    """A new scratch folder and the descriptor that holds its lock: while it is open, nobody sweeps the folder."""
    sweep_scratch(Path(tempfile.gettempdir()))
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX)).resolve()
    if os.geteuid() == 0:
        folder.chmod(0o711)  # children run under another user id and pass through
    lock = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return folder, lock


def sweep_scratch(parent: Path) -> None:
    """Remove our own scratch folders whose owner is gone."""
    for folder in parent.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            found = folder.lstat()
            fresh = time.time() - found.st_mtime < _STALE_S  # its owner may just be about to lock it
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or fresh:
                continue
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                remove_folder(folder)
            finally:
                os.close(lock)


def remove_folder(folder: Path) -> None:
    """Remove a folder that a hostile process filled: no link is followed, no depth and no mode stops it.

    Folders inside folders are moved up before they are emptied, so that neither the length of a path nor the depth of
    a recursion matters. What cannot be removed is left for the next sweep.
    """
    with contextlib.suppress(OSError):
        if not stat.S_ISDIR(folder.lstat().st_mode):  # a change of mode would follow a link
            folder.unlink()
            return
        folder.chmod(0o700)
        top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            _empty(top)
        finally:
            os.close(top)
        folder.rmdir()


def _empty(top: int) -> None:
    moved = 0
    while names := os.listdir(top):
        for name in names:
            if not _is_folder(name, top):
                os.unlink(name, dir_fd=top)
                continue
            inner = _opened(name, top)
            try:
                for inside in os.listdir(inner):  # noqa: PTH208 - of a descriptor
                    if _is_folder(inside, inner):
                        os.close(_opened(inside, inner))  # one that cannot be entered cannot be moved either
                        moved += 1
                        os.rename(inside, f".{os.getpid()}-{moved}-{time.time_ns()}", src_dir_fd=inner, dst_dir_fd=top)
                    else:
                        os.unlink(inside, dir_fd=inner)
            finally:
                os.close(inner)
            os.rmdir(name, dir_fd=top)


def _opened(name: str, parent: int) -> int:
    """A descriptor of a folder in a folder; its mode is changed only where it must be, because that follows links."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    with contextlib.suppress(PermissionError):  # never for root, whose change of mode would be worth a race
        found = os.open(name, flags, dir_fd=parent)
        if os.fstat(found).st_mode & stat.S_IRWXU == stat.S_IRWXU or os.geteuid() == 0:
            return found
        os.close(found)
    os.chmod(name, 0o700, dir_fd=parent)
    return os.open(name, flags, dir_fd=parent)


def _is_folder(name: str, parent: int) -> bool:
    return stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)


def holds_more_than(folder: Path, size_bytes: int) -> bool:
    """Whether a folder holds more bytes than this, or more or deeper entries than any probe writes."""
    total = entries = 0
    waiting = [(str(folder), 0)]
    while waiting:
        path, depth = waiting.pop()
        with contextlib.suppress(OSError), os.scandir(path) as found:  # the child may be removing it just now
            for entry in found:
                entries += 1
                if entry.is_dir(follow_symlinks=False):
                    waiting.append((entry.path, depth + 1))
                else:
                    total += entry.stat(follow_symlinks=False).st_blocks * 512
                if total > size_bytes or entries > _MOST_ENTRIES or depth > _DEEPEST:
                    return True
    return False


def linked_files(folders: Sequence[Path]) -> list[Path]:
    """The real files to which the links in staged folders lead, sorted."""
    found = set()
    for folder in folders:
        for parent, _, files in os.walk(folder):
            found |= {each.resolve() for each in (Path(parent) / name for name in files) if each.is_symlink()}
    return sorted(found)
