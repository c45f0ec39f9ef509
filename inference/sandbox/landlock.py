"""Landlock: which files a process may touch from now on, and no way back. Needs no privilege.

Source: https://docs.kernel.org/userspace-api/landlock.html. An older kernel (a lower ABI) knows fewer rights; what it
cannot refuse (opening to truncate, abstract sockets, signals) the system call filter refuses.
"""

from __future__ import annotations

import ctypes
import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from inference.sandbox.system import on_linux, system_call

_CREATE_RULESET: Final = 444
_ADD_RULE: Final = 445
_RESTRICT_SELF: Final = 446
_ASK_VERSION: Final = 1
_BENEATH: Final = 1

_WRITE_FILE: Final = 1 << 1
_READ_FILE: Final = 1 << 2
_READ_DIR: Final = 1 << 3
_CHANGE: Final = sum(1 << bit for bit in (4, 5, 7, 8, 12))
"""Remove folders and files, make folders, files and symlinks; never devices, sockets and pipes."""
_REFER: Final = 1 << 13
_TRUNCATE: Final = 1 << 14
_IOCTL_DEVICE: Final = 1 << 15
_FILE_RIGHTS: Final = 1 | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEVICE

_READ: Final = _READ_FILE | _READ_DIR
_WRITE: Final = _READ | _WRITE_FILE | _CHANGE | _REFER | _TRUNCATE
_DEVICE: Final = _READ_FILE | _WRITE_FILE | _IOCTL_DEVICE


class _Ruleset(ctypes.Structure):
    _fields_ = [("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64)]


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32)]


def landlock_abi() -> int:
    """The version that the kernel speaks; 0 where it has none."""
    if not on_linux():
        return 0
    try:
        return system_call(_CREATE_RULESET, None, 0, _ASK_VERSION)
    except OSError:
        return 0


def restrict_files(readable: Iterable[Path], writable: Iterable[Path], devices: Iterable[Path]) -> int:
    """Confine this process to these files and folders, for good; the ABI in use.

    Nothing may be executed, no TCP port bound or connected to, no abstract socket outside reached, and no process
    outside signalled, as far as the kernel's ABI goes (4 for TCP, 6 for sockets and signals).

    Parameters
    ----------
    readable : iterable of Path
        Files, and folders with all that is in them; what does not exist or cannot be reached anyway is left out.
    writable : iterable of Path
        Folders in which everything may be made, changed and removed, but no device, socket or pipe.
    devices : iterable of Path
        Device files to read, write and control.

    Raises
    ------
    OSError
        The kernel refuses.
    """
    abi = landlock_abi()
    if abi < 1:
        raise OSError("no landlock")
    handled = _handled_rights(abi)
    asked = _Ruleset(handled, 0b11 if abi >= 4 else 0, 0b11 if abi >= 6 else 0)
    size = 8 if abi < 4 else 16 if abi < 6 else 24
    ruleset = system_call(_CREATE_RULESET, ctypes.byref(asked), size, 0)
    try:
        for rights, paths in ((_READ, readable), (_WRITE, writable), (_DEVICE, devices)):
            for path in paths:
                with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
                    _allow(ruleset, path, rights & handled)
        system_call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
    return abi


def _handled_rights(abi: int) -> int:
    """All file rights that an ABI knows: what is handled and not allowed is refused."""
    bits = 13 if abi < 2 else 14 if abi < 3 else 15 if abi < 5 else 16
    return (1 << bits) - 1


def _allow(ruleset: int, path: Path, rights: int) -> None:
    opened = os.open(path, os.O_PATH | os.O_CLOEXEC)  # type: ignore[attr-defined,unused-ignore]
    try:
        if not stat.S_ISDIR(os.fstat(opened).st_mode):
            rights &= _FILE_RIGHTS
        system_call(_ADD_RULE, ruleset, _BENEATH, ctypes.byref(_Beneath(rights, opened)), 0)
    finally:
        os.close(opened)
