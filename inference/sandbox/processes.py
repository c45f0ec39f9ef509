"""What a process sees of itself and of its children: descriptors, threads, orphans."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path


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
