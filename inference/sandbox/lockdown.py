"""Locking down: what a forked child does before it touches a model, layer by layer, each named once it holds."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys
import sysconfig
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from inference.sandbox import system
from inference.sandbox.landlock import landlock_abi, restrict_files
from inference.sandbox.namespaces import hide_messages_and_scratch
from inference.sandbox.seccomp import refuse_calls

OUT_OF_CPU: Final = 24
"""Exit code of a child whose processor time ran out, where a signal could not end it."""
_THREADS: Final = 512
_NOBODY: Final = 65_534
_FIRST_USER: Final = 1_879_048_192
_ROOT: Final = Path(__file__).resolve().parents[2]
_FIXED: Final = (
    "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache", "/etc/localtime",
    "/usr/share/zoneinfo", "/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/sys/vm",
    "/sys/devices/system", "/dev/urandom", "/dev/random", "/dev/zero",
)  # fmt: skip
_GPU_FIXED: Final = ("/proc/driver/nvidia", "/proc/devices", "/sys/bus/pci", "/sys/module/nvidia", "/usr/share/nvidia")


@dataclass(frozen=True)
class Room:
    """What a child may have: its scratch folder, the files it may read, numbers, and what is switched off."""

    scratch: Path
    readable: tuple[Path, ...]
    limits: Mapping[str, int]
    without: frozenset[str]
    cuda: bool
    worker: int


def lock_down(room: Room) -> list[str]:
    """The layers that are now active around this process, sorted; there is no way back.

    The order matters: what needs a privilege comes first, and the system call filter, which refuses the rest, last.

    Raises
    ------
    OSError
        A layer that was begun could not be finished: the child must not go on.
    """
    layers = ["subprocess", "scrubbed_env"]
    linux = system.on_linux()
    if linux:
        _offer_to_the_memory_killer()
        user = _unprivileged_user(room)
        if "namespaces" not in room.without:
            layers += hide_messages_and_scratch(room.scratch, room.limits["disk_bytes"], user)
        if user != os.geteuid() and "private_scratch" not in layers:
            os.chown(room.scratch, user, user)
    _move_in(room.scratch)
    if _set_limits(room):
        layers.append("rlimits")
    if not linux:
        return sorted(layers)
    layers += _drop_privileges(user)
    die_with(room.worker)  # once more: a change of user made the system forget
    if "landlock" not in room.without:
        with contextlib.suppress(OSError):
            layers.append(f"landlock:{restrict_files(room.readable, [room.scratch], _devices(cuda=room.cuda))}")
    if "seccomp" not in room.without and "no_new_privs" in layers:
        with contextlib.suppress(OSError):
            refuse_calls()
            layers.append("seccomp")
    return sorted(layers)


def system_paths(*, cuda: bool = False) -> list[Path]:
    """Files and folders of Python, its packages and the system's libraries, which a child may read.

    Of our own source only the two floors that run in a child: a home may lie anywhere else in a checkout.
    """
    names = sysconfig.get_paths()
    packages = {Path(names[name]).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    prefixes = [Path(each).resolve() for each in (sys.prefix, sys.base_prefix)]
    for entry in sys.path:
        folder = Path(entry).resolve()
        if folder != _ROOT and any(folder.is_relative_to(prefix) for prefix in prefixes):
            packages.add(folder)
    ours = [_ROOT / "graph", _ROOT / "inference"]
    fixed = [Path(name) for name in (*_FIXED, *(_GPU_FIXED if cuda else ()))]
    return [*sorted(packages | _loaded_from()), *ours, *fixed]


def die_with(worker: int) -> None:
    """Have the system kill this process when its parent dies; where it cannot, closed pipe and time limit do it."""
    if sys.platform != "linux":
        return
    system.call("prctl", system.PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    try:  # it may have died before the call; in a process namespace of one's own, getppid() says 0 in any case
        state = Path(f"/proc/{worker}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        os._exit(1)
    except OSError:
        return
    if state in "ZX":
        os._exit(1)


def close_descriptors(kept: Sequence[int]) -> None:
    """Close all descriptors but the three standard ones and these."""
    before = 3
    for descriptor in sorted(kept):
        os.closerange(before, descriptor)
        before = descriptor + 1
    os.closerange(before, max(before, min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], 1 << 20)))


def _move_in(scratch: Path) -> None:
    """Make the scratch folder the place for all that libraries write."""
    os.chdir(scratch)
    for name in ("HOME", "TMPDIR"):
        os.environ[name] = str(scratch)
    tempfile.tempdir = str(scratch)


def _set_limits(room: Room) -> bool:
    """Whether all limits are set; on a system without one of them the layer is not claimed."""
    limits = room.limits
    try:
        memory = resource.RLIMIT_DATA if room.cuda else resource.RLIMIT_AS  # GPU libraries map far more than they use
        used = _used_bytes(cuda=room.cuda)
        if used is not None:
            _limit(memory, used + limits["memory_bytes"])
        _limit(resource.RLIMIT_CPU, limits["cpu_s"], limits["cpu_s"] + 5)  # SIGXCPU at the first, SIGKILL at the second
        _limit(resource.RLIMIT_FSIZE, limits["file_bytes"])
        _limit(resource.RLIMIT_NOFILE, limits["files"])
        _limit(resource.RLIMIT_NPROC, limits["tasks"] + _THREADS)
        _limit(resource.RLIMIT_CORE, 0)
    except (OSError, ValueError):
        return False
    if sys.platform == "linux" and os.getpid() == 1:  # the first process of a namespace ignores what it does not handle
        ending = ctypes.cast(system.libc()._exit, ctypes.c_void_p)  # not Python's handler: it would wait for torch
        system.libc().signal(int(signal.SIGXCPU), ending)
    return True


def _unprivileged_user(room: Room) -> int:
    """The user id that the child takes: for root one that owns nothing, else its own.

    Root's files may be readable for root alone. Without landlock a child that may read them could read all files, and
    one that may not could not read its model: then it stays who it is.
    """
    own = os.geteuid()
    if own != 0 or "setuid" in room.without or "landlock" in room.without or not landlock_abi():
        return own
    if not system.permitted_capabilities() & (1 << 7) or not _reading_capability():
        return own
    user = _FIRST_USER + room.worker % (1 << 20)  # two workers never share one: limits count by user
    mapped = [line.split() for line in Path("/proc/self/uid_map").read_text(encoding="ascii").splitlines()]
    for candidate in (user, _NOBODY):
        if any(int(first) <= candidate < int(first) + int(count) for first, _, count in mapped):
            return candidate
    return own


def _reading_capability() -> int:
    """The capability with which root's files can be read under another user id, as a mask; 0 where there is none."""
    permitted = system.permitted_capabilities()
    for number in (system.CAP_DAC_READ_SEARCH, system.CAP_DAC_OVERRIDE):
        if permitted & (1 << number):
            return 1 << number
    return 0


def _drop_privileges(user: int) -> list[str]:
    """The layers active after root's rights and user id are given up."""
    active = []
    kept = _reading_capability() if os.geteuid() == 0 else 0
    with contextlib.suppress(OSError):
        system.drop_bounding_set()
    if user != os.geteuid():
        system.keep_capabilities_over_setuid()
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
        active.append("unprivileged_user")
    with contextlib.suppress(OSError):
        system.set_capabilities(kept)
        active.append("dropped_capabilities")
    with contextlib.suppress(OSError):
        system.call("prctl", system.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        active.append("no_new_privs")
    return active


def _offer_to_the_memory_killer() -> None:
    """When the machine or the group runs out of memory, this process goes first, and not the worker."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def _devices(*, cuda: bool) -> list[Path]:
    return [Path("/dev/null"), *(sorted(Path("/dev").glob("nvidia*")) if cuda else ())]


def _loaded_from() -> set[Path]:
    """The folders from which this process has loaded libraries."""
    found = set()
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace").splitlines():
            fields = line.split(maxsplit=5)
            if len(fields) == 6 and "x" in fields[1] and fields[5].startswith("/"):
                found.add(Path(fields[5]).parent)
    return found - {Path("/")}


def _used_bytes(*, cuda: bool) -> int | None:
    """Bytes of address space (for a GPU: of data) in use; None where the system does not tell."""
    try:
        fields = Path("/proc/self/statm").read_text(encoding="ascii").split()
    except OSError:
        return None
    return int(fields[5 if cuda else 0]) * resource.getpagesize()


def _limit(which: int, soft: int, hard: int | None = None) -> None:
    """Set a limit that cannot be lifted again; never above the one that already holds."""
    before = resource.getrlimit(which)[1]
    wanted = soft if hard is None else hard
    capped = wanted if before == resource.RLIM_INFINITY else min(wanted, before)
    resource.setrlimit(which, (min(soft, capped), capped))
