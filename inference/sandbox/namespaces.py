"""Namespaces: a network, processes, messages and mounts of one's own. For root, or where the system lets users."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from inference.sandbox.system import call, mount

_NEW_MOUNTS: Final = 0x0002_0000
_NEW_MESSAGES: Final = 0x0800_0000
_NEW_USERS: Final = 0x1000_0000
_NEW_PROCESSES: Final = 0x2000_0000
_NEW_NETWORK: Final = 0x4000_0000
_NO_SUID_DEVICES_PROGRAMS: Final = 2 | 4 | 8
_PRIVATE_BELOW: Final = 0x4000 | 1 << 18


def enter_namespaces() -> list[str]:
    """The namespaces that the worker now lives in, for itself and all its children; called before it has threads.

    A user other than root first needs a user namespace, in which it keeps its own id. The network namespace is empty:
    there is no interface in it that is up, not even the machine's own.
    """
    entered = []
    if os.geteuid() != 0:
        user, group = os.geteuid(), os.getegid()
        with contextlib.suppress(OSError):
            call("unshare", _NEW_USERS)
            Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
            Path("/proc/self/uid_map").write_text(f"{user} {user} 1", encoding="ascii")
            Path("/proc/self/gid_map").write_text(f"{group} {group} 1", encoding="ascii")
            entered.append("user_namespace")
    with contextlib.suppress(OSError):
        call("unshare", _NEW_NETWORK)
        entered.append("net_namespace")
    return entered


def can_set_children_apart() -> bool:
    """Whether a process namespace can be had for a child, and the way back to our own; tried out in a fork.

    An ordinary user can make one but has no way back, and its second child could not be started.
    """
    trial = os.fork()
    if trial == 0:
        try:
            with next_child_apart() as layers:
                pass
            os._exit(0 if layers else 1)
        except BaseException:  # noqa: BLE001 - the fork must end here
            os._exit(1)
    return os.waitpid(trial, 0)[1] == 0


@contextlib.contextmanager
def next_child_apart(*, wanted: bool = True) -> Iterator[list[str]]:
    """Inside, the next fork gives the first process of a new process namespace; yields its layer, none where refused.

    A child that sees no other process can signal none, and with it ends all that it may have started.
    """
    if not wanted:
        yield []
        return
    try:
        home = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        yield []
        return
    try:
        call("unshare", _NEW_PROCESSES)
    except OSError:
        os.close(home)
        yield []
        return
    worker = os.getpid()
    try:
        yield ["pid_namespace"]
    finally:
        if os.getpid() == worker:
            call("setns", home, _NEW_PROCESSES)
        os.close(home)


def hide_messages_and_scratch(scratch: Path, size_bytes: int, user: int) -> list[str]:
    """The layers that are now active: messages of one's own, and a bounded scratch folder in memory, gone at the end.

    Parameters
    ----------
    scratch : Path
        An empty folder; what is written to it never reaches the disk.
    size_bytes : int
        How much may be written to it.
    user : int
        Whose it is.
    """
    active = []
    with contextlib.suppress(OSError):
        call("unshare", _NEW_MESSAGES)
        active.append("ipc_namespace")
    with contextlib.suppress(OSError):
        call("unshare", _NEW_MOUNTS)
        mount("none", "/", None, _PRIVATE_BELOW, None)  # nothing mounted here shows outside
        options = f"size={size_bytes},nr_inodes=20000,mode=700,uid={user},gid={user}"
        if user == os.geteuid():
            options = f"size={size_bytes},nr_inodes=20000,mode=700"
        mount("scratch", str(scratch), "tmpfs", _NO_SUID_DEVICES_PROGRAMS, options)
        active.append("private_scratch")
    return active
