"""System calls that reach past files and sockets: messages, flags, watches, other processes. For tests alone.

Each attack says whether it succeeded. Ids and paths that it needs come in `settings`; numbers of system calls from the
filter's own table, so that the same attacks run on every processor that the filter knows.
"""

# ruff: noqa: PTH211
from __future__ import annotations

import ctypes
import fcntl
import os
import platform
import socket
import struct
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from inference.probes.base import RunTask
from inference.sandbox.seccomp import NUMBERS
from inference.sandbox.system import system_call
from tests.hostile_probes import tried

_COLUMN = 0 if platform.machine() == "x86_64" else 1
_GET_FLAGS, _SET_FLAGS, _NO_DUMP = 0x8008_6601, 0x4008_6602, 0x40
_REMOVE = 0
_FAMILIES = {"unix": 1, "internet": 2, "internet 6": 10, "netlink": 16}


def raw(name: str, *arguments: Any) -> int:
    """A system call by name; raises OSError."""
    number = NUMBERS[name][_COLUMN]
    assert number is not None
    return system_call(number, *arguments)


def calls(task: RunTask) -> dict[str, Any]:
    """Every attack by name with what came of it."""
    at = {key: int(value) for key, value in task.settings.items() if key in ("queue", "memory", "lock", "worker")}
    world, text = str(task.settings["world"]), ctypes.create_string_buffer(64)
    attacks: dict[str, Callable[[], Any]] = {
        "receive another's message": lambda: raw("msgrcv", at["queue"], text, 48, 0, 0o4000),
        "send a message": lambda: raw("msgsnd", at["queue"], struct.pack("l", 1) + b"hi", 2, 0o4000),
        "take a lock": lambda: raw("semop", at["lock"], struct.pack("Hhh", 0, 1, 0), 1),
        "remove a queue": lambda: raw("msgctl", at["queue"], _REMOVE, None),
        "remove a lock": lambda: raw("semctl", at["lock"], 0, _REMOVE, None),
        "remove shared memory": lambda: raw("shmctl", at["memory"], _REMOVE, None),
        "remove a named queue": lambda: raw("mq_unlink", str(task.settings["named"]).encode()),
        "watch a folder": lambda: watch(world),
        "set flags of a file": lambda: set_flags(f"{world}/file"),
        "lease a file": lambda: fcntl.fcntl(os.open(f"{world}/file", os.O_RDONLY), 1024, fcntl.F_RDLCK),
        "asynchronous files": lambda: raw("io_setup", 1, ctypes.byref(ctypes.c_long(0))),
        "anonymous file": lambda: raw("memfd_create", b"x", 0),
        "kernel keys": lambda: raw("keyctl", 0, -3, 1),
        "io_uring": lambda: raw("io_uring_setup", 2, ctypes.create_string_buffer(120)),
        "memory of the worker": lambda: os.open(f"/proc/{at['worker']}/environ", os.O_RDONLY),
        "shared memory by name": lambda: os.open("/dev/shm/matchgraph-test", os.O_CREAT),
        "namespaces": lambda: raw("unshare", 0x1000_0000),
    }
    for name, family in _FAMILIES.items():
        attacks[f"socket of {name}"] = partial(socket.socket, family, socket.SOCK_DGRAM)
    return {name: tried(action)["done"] for name, action in attacks.items()}


def watch(folder: str) -> int:
    """Hears the names of what others make in a folder."""
    return raw("inotify_add_watch", raw("inotify_init1", 0), folder.encode(), 0x100)


def set_flags(path: str) -> int:
    """Changes what the file system does with a file that is open for reading alone."""
    opened, flags = os.open(path, os.O_RDONLY), ctypes.c_long(0)
    raw("ioctl", opened, _GET_FLAGS, ctypes.byref(flags))
    flags.value ^= _NO_DUMP
    return raw("ioctl", opened, _SET_FLAGS, ctypes.byref(flags))


def end_by_signal(task: RunTask) -> dict[str, Any]:
    """Ends itself by a signal that has no name."""
    os.kill(os.getpid(), 40)
    time.sleep(1)
    return {}


def stop(task: RunTask) -> dict[str, Any]:
    """Stops, and neither answers nor ends."""
    os.kill(os.getpid(), 19)
    time.sleep(600)
    return {}


def close_and_hang(task: RunTask) -> dict[str, Any]:
    """Closes the pipe of its answer and stays."""
    os.closerange(3, 64)
    time.sleep(600)
    return {}


def write_lines(task: RunTask) -> dict[str, Any]:
    """Writes the line that it was told to in the place of an answer."""
    line = str(task.settings["line"]).encode("latin-1")
    for descriptor in range(3, 10):
        tried(partial(os.write, descriptor, line + b"\n"))
    return {}


def leave_links(task: RunTask) -> dict[str, Any]:
    """Fills its scratch with links to another's folder, under names that move a terminal's cursor."""
    world = str(task.settings["world"])
    Path("a\nb/c").mkdir(parents=True)
    for name in ("link", "a\nb/link", "a\nb/c/\x1b[2J"):
        os.symlink(world, name)
    os.symlink("/proc/self", "a\nb/self")
    return {}


_ALL = (calls, end_by_signal, stop, close_and_hang, write_lines, leave_links)
PROBES: dict[str, Any] = {each.__name__: SimpleNamespace(run=each) for each in _ALL}
