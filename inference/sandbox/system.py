"""System calls that Python has no function for, with errors as OSError. Linux only, called in the child alone."""

from __future__ import annotations

import ctypes
import functools
import os
import platform
import sys
from typing import Any, Final

PR_SET_PDEATHSIG: Final = 1
PR_SET_SECCOMP: Final = 22
PR_CAPBSET_DROP: Final = 24
PR_SET_CHILD_SUBREAPER: Final = 36
PR_SET_NO_NEW_PRIVS: Final = 38
_PR_CAP_AMBIENT: Final = 47
_PR_CAP_AMBIENT_CLEAR_ALL: Final = 4
_PR_SET_KEEPCAPS: Final = 8
CAP_DAC_OVERRIDE: Final = 1
CAP_DAC_READ_SEARCH: Final = 2
_CAP_VERSION_3: Final = 0x2008_0522


def on_linux() -> bool:
    """Whether this is Linux, on a processor whose system call numbers are known here."""
    return sys.platform == "linux" and platform.machine() in ("x86_64", "aarch64")


@functools.cache
def libc() -> ctypes.CDLL:
    """The C library of this process, errno kept; opened once, because a child makes a hundred calls."""
    return ctypes.CDLL(None, use_errno=True)


def call(name: str, *arguments: Any) -> int:
    """What a function of the C library returns.

    Raises
    ------
    OSError
        It returned -1, or there is no such function.
    """
    function = getattr(libc(), name, None)
    if function is None:
        raise OSError(f"the C library has no {name}")
    ctypes.set_errno(0)
    wide = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    returned = int(function(*wide))
    if returned == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return returned


def system_call(number: int, *arguments: Any) -> int:
    """What a system call without a function of its own returns; raises OSError."""
    return call("syscall", number, *arguments)


def mount(source: str, target: str, kind: str | None, flags: int, options: str | None) -> None:
    """Mount a file system; raises OSError."""
    words = [word.encode() if word is not None else None for word in (source, target, kind, options)]
    call("mount", words[0], words[1], words[2], ctypes.c_ulong(flags), words[3])


def permitted_capabilities() -> int:
    """The capabilities of this process, as a bit mask; raises OSError."""
    head, data = (ctypes.c_uint32 * 2)(_CAP_VERSION_3, 0), (ctypes.c_uint32 * 6)()
    call("capget", head, data)
    return int(data[1]) | int(data[4]) << 32


def keep_capabilities_over_setuid() -> None:
    """Changing the user id no longer takes the capabilities away; raises OSError."""
    call("prctl", _PR_SET_KEEPCAPS, 1, 0, 0, 0)


def drop_bounding_set() -> None:
    """Take all capabilities out of what this process could ever gain; raises OSError where it may not."""
    for number in range(64):
        try:
            call("prctl", PR_CAPBSET_DROP, number, 0, 0, 0)
        except OSError as error:
            if error.errno == 22:  # EINVAL: the system knows no capability of so high a number
                return
            raise


def set_capabilities(mask: int) -> None:
    """Keep exactly these capabilities; raises OSError."""
    call("prctl", _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    head = (ctypes.c_uint32 * 2)(_CAP_VERSION_3, 0)
    low, high = mask & 0xFFFF_FFFF, mask >> 32
    call("capset", head, (ctypes.c_uint32 * 6)(low, low, 0, high, high, 0))
