"""The machine that work runs on: who else is measuring here, and whether a process that held a lease still lives."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import platform
import secrets
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from graph.errors import ModelError

_POLL_S: Final = 0.02


@contextlib.contextmanager
def machine(*, alone: bool, is_over: Callable[[], bool], folder: Path | None = None) -> Iterator[bool]:
    """Whether the machine was had: alone, where time is measured, else together with others of the same kind.

    Two files are locked (`flock`), so that one who waits to be alone lets nobody new in before. All processes of this
    user on this machine meet there, whatever their home.

    Parameters
    ----------
    alone : bool
        Whether nothing else may run meanwhile.
    is_over : callable
        Asked while it waits; True ends the wait, and the machine was not had.
    folder : Path or None
        Where the two files are; None is this user's own folder for temporary files.

    Raises
    ------
    ModelError
        The folder is somebody else's, or cannot be written.
    """
    mode = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
    with contextlib.ExitStack() as stack:
        gate, hall = (stack.enter_context(_opened(folder or lock_folder(), name)) for name in ("gate", "hall"))
        had = _lock(gate, mode, is_over) and _lock(hall, mode, is_over)
        if not alone:
            fcntl.flock(gate, fcntl.LOCK_UN)
        yield had
    if alone:
        time.sleep(2 * _POLL_S)  # whoever waits gets a turn before the next one who wants to be alone


def lock_folder() -> Path:
    """Where the machine's two lock files of this user lie; made where it is missing.

    Raises
    ------
    ModelError
        Somebody else made it first, or it cannot be made.
    """
    folder = Path(tempfile.gettempdir()) / f"matchgraph-machine-{os.getuid()}"
    try:
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        found = folder.lstat()
    except OSError as error:
        raise ModelError(f"{folder}: {error.strerror}: set TMPDIR to a folder that can be written") from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise ModelError(f"{folder}: is not a folder of yours: remove it, or set TMPDIR to another place")
    return folder


@contextlib.contextmanager
def _opened(folder: Path, name: str) -> Iterator[int]:
    try:
        descriptor = os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise ModelError(f"{folder / name}: {error.strerror}: set TMPDIR to a folder that can be written") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _lock(descriptor: int, mode: int, is_over: Callable[[], bool]) -> bool:
    """Whether the lock was had before the wait was over; asks again and again, so that Ctrl-C is heard."""
    while True:
        try:
            fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
        except BlockingIOError:
            if is_over():
                return False
            time.sleep(_POLL_S)
        else:
            return True


# Who holds a lease ---------------------------------------------------------------------------------------
def new_owner() -> str:
    """A name for this process as the holder of leases: machine, process, its start, and a word of its own."""
    return f"{_machine_id()}/{os.getpid()}/{_started(os.getpid())}/{secrets.token_hex(4)}"


def is_gone(owner: str) -> bool:
    """Whether the process of this name ran on this machine and runs no more; False where that cannot be told."""
    place, pid, started, _ = owner.rsplit("/", 3)
    if place != _machine_id() or not pid.isdecimal():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return started != _started(int(pid))
    return started != _started(int(pid))


@functools.cache
def _machine_id() -> str:
    """What tells this machine, its start and its process numbers from others."""
    words = [platform.node()]
    with contextlib.suppress(OSError):
        words.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
        words.append(str(Path("/proc/self/ns/pid").readlink()))
    return " ".join(words)


def _started(pid: int) -> str:
    """When a process started, in the system's own clock ticks; "" where it has ended, or the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        return "" if fields[0] == "Z" else fields[19]
    except (OSError, IndexError):
        return ""
