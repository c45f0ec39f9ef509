"""What a process sees of itself and of its children: descriptors, threads, orphans."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import Final

from inference.sandbox.system import call, on_linux

_LARGE_BYTES: Final = 2 << 20
_COLLAPSE: Final = 25
_OWN_MEMORY: Final = ("", "[heap]")


def join_pages() -> int:
    """How many large pages this process's own memory was joined to; a fork copies one entry for each, not 512.

    With torch and its like imported that halves what a fork and its end take. Source: madvise(2), MADV_COLLAPSE, from
    Linux 6.1; older kernels, and other systems, leave all pages as they are.
    """
    joined = 0
    if not on_linux():
        return 0
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace").splitlines():
            fields = line.split(maxsplit=5)
            if fields[1] != "rw-p" or (fields[5] if len(fields) > 5 else "") not in _OWN_MEMORY:
                continue
            first, last = (int(bound, 16) for bound in fields[0].split("-"))
            for start in range(-(-first // _LARGE_BYTES) * _LARGE_BYTES, last - _LARGE_BYTES + 1, _LARGE_BYTES):
                with contextlib.suppress(OSError):  # hardly used, no memory for it, or an older kernel
                    call("madvise", start, _LARGE_BYTES, _COLLAPSE)
                    joined += 1
    return joined


def reap_orphans() -> bool:
    """Kill what has been handed to us because its parent died; whether there was anything."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
        for orphan in _children():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(orphan, signal.SIGKILL)
        time.sleep(0.002)
        return True
    return False


def _children() -> list[int]:
    """The processes whose parent we are; empty where the system does not tell."""
    found = []
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc"):  # noqa: PTH208 - names are enough
            with contextlib.suppress(OSError, ValueError):
                stat = Path(f"/proc/{int(name)}/stat").read_text(encoding="utf-8", errors="replace")
                if int(stat.rpartition(")")[2].split()[1]) == os.getpid():
                    found.append(int(name))
    return found


def tasks_of_user() -> int:
    """Threads of this user now, as the limit on processes counts them; 0 where the system does not tell."""
    count = 0
    with contextlib.suppress(OSError):
        for folder in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if folder.name.isdigit() and folder.stat().st_uid == os.geteuid():
                    count += len(list((folder / "task").iterdir()))
    return count


def descriptors() -> list[int]:
    """The open descriptors of this process; empty where the system does not tell."""
    for folder in ("/proc/self/fd", "/dev/fd"):
        with contextlib.suppress(OSError):
            return [int(name) for name in os.listdir(folder) if _is_open(int(name))]  # noqa: PTH208
    return []


def _is_open(descriptor: int) -> bool:
    """Whether it is still open: the one with which the folder was listed is not."""
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def threads() -> int:
    """Threads of this process; 0 where the system does not tell."""
    try:
        return len(list(Path("/proc/self/task").iterdir()))
    except OSError:
        return 0
