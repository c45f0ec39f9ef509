"""Control groups, version 1 and 2: how many processes and how much memory a child may have, and a sure end of it.

Only where the group in which we run is ours to divide: the root of what we see, or one that was delegated to us. A
group that another manager keeps is left alone.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

_PREFIX: Final = "matchgraph-"
_STALE_S: Final = 60.0
_WANTED: Final = ("memory", "pids")
_MEMORY: Final = {"memory.max": "memory.current", "memory.limit_in_bytes": "memory.usage_in_bytes"}
"""The bound and the count of memory, in version 2 and in version 1."""


def own_groups(mounts: str, groups: str) -> dict[str, Path]:
    """The folder of the group in which we run, by controller, with "" for version 2.

    Parameters
    ----------
    mounts, groups : str
        The texts of /proc/self/mountinfo and /proc/self/cgroup.
    """
    places: dict[str, tuple[str, str]] = {}
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        fields, kind = before.split(), after.split()
        if len(fields) > 4 and len(kind) > 2 and kind[0] in ("cgroup", "cgroup2"):
            names = [""] if kind[0] == "cgroup2" else [name for name in kind[2].split(",") if name in _WANTED]
            places.update(dict.fromkeys(names, (fields[3], fields[4])))
    found = {}
    for line in groups.splitlines():
        _, _, rest = line.partition(":")
        names_of, _, path = rest.partition(":")
        for name in names_of.split(","):
            if name in places:
                root, mounted = places[name]
                inside = path.removeprefix(root.rstrip("/")) if path.startswith(root) else path
                found[name] = Path(mounted) / inside.lstrip("/")
    return found


def divisible_groups() -> dict[str, Path]:
    """Where groups for children may be made, by controller (memory, pids); left-overs of dead workers are removed."""
    try:
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8")
        groups = Path("/proc/self/cgroup").read_text(encoding="utf-8")
    except OSError:
        return {}
    mounted = {line.partition(" - ")[0].split()[4] for line in mounts.splitlines() if " - cgroup" in line}
    usable = {}
    for name, folder in own_groups(mounts, groups).items():
        if not (str(folder) in mounted or _delegated(folder)):
            continue
        if name:
            usable[name] = folder
        else:
            usable.update({controller: folder for controller in _enabled(folder) if controller not in usable})
    usable = {name: folder for name, folder in usable.items() if os.access(folder, os.W_OK)}
    for folder in set(usable.values()):
        _sweep(folder)
    return usable


def enter_groups(parents: Mapping[str, Path]) -> dict[str, Path]:
    """The new groups in which this process now is, by the layer that they are; its children start in them.

    Entering costs 10 ms, which is why the worker does it once, and not each child.
    """
    name = f"{_PREFIX}{os.getpid()}-{secrets.token_hex(4)}"
    entered: dict[str, Path] = {}
    for controller, parent in parents.items():
        folder = parent / name
        with contextlib.suppress(OSError):
            folder.mkdir(exist_ok=True)
            if any((folder / limit).exists() for limit in (*_MEMORY, "pids.max")):
                (folder / "cgroup.procs").write_text("0", encoding="ascii")
                entered[f"cgroup_{controller}"] = folder
    return entered


def bound_groups(groups: Mapping[str, Path], memory_bytes: int, tasks: int) -> list[str]:
    """The layers whose bounds now hold for the next child: memory on top of what is in use, processes and threads."""
    bounded = []
    for layer, folder in groups.items():
        with contextlib.suppress(OSError, StopIteration):
            if layer == "cgroup_pids":
                (folder / "pids.max").write_text(str(tasks + 1), encoding="ascii")
            else:
                limit, usage = next(pair for pair in _MEMORY.items() if (folder / pair[0]).exists())
                used = int((folder / usage).read_text(encoding="ascii"))
                (folder / limit).write_text(str(used + memory_bytes), encoding="ascii")
                with contextlib.suppress(OSError):
                    (folder / "memory.swap.max").write_text("0", encoding="ascii")
            bounded.append(layer)
    return bounded


def clear_groups(groups: Mapping[str, Path], patience_s: float = 5.0) -> None:
    """Kill whatever is in the groups besides this process."""
    deadline = time.monotonic() + patience_s
    for folder in set(groups.values()):
        while time.monotonic() < deadline:
            others = _members(folder) - {os.getpid()}
            if not others:
                break
            with contextlib.suppress(OSError):
                (folder / "pids.max").write_text("0", encoding="ascii")  # or a fork bomb runs ahead of the signals
            for process in others:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(process, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            time.sleep(0.002)


def remove_groups(folders: Iterable[Path], patience_s: float = 1.0) -> None:
    """Remove groups in which nothing runs any more; what is still ending is waited for, then left to the next sweep."""
    deadline = time.monotonic() + patience_s
    for folder in folders:
        while folder.exists() and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                folder.rmdir()
                break
            time.sleep(0.005)


def _members(folder: Path) -> set[int]:
    with contextlib.suppress(OSError):
        return {int(process) for process in (folder / "cgroup.procs").read_text(encoding="ascii").split()}
    return set()


def _delegated(folder: Path) -> bool:
    """Whether the service manager gave this group to us to divide (systemd: Delegate=yes)."""
    with contextlib.suppress(OSError):
        if os.geteuid() != 0 and folder.stat().st_uid == os.geteuid():
            return True
    for attribute in ("trusted.delegate", "user.delegate"):
        with contextlib.suppress(OSError, AttributeError):
            if os.getxattr(folder, attribute) == b"1":  # type: ignore[attr-defined,unused-ignore]
                return True
    return False


def _enabled(folder: Path) -> list[str]:
    """The controllers that children of a version 2 group get, switched on where the kernel lets us."""
    with contextlib.suppress(OSError):
        offered = (folder / "cgroup.controllers").read_text(encoding="ascii").split()
        control = folder / "cgroup.subtree_control"
        for name in set(_WANTED) & set(offered) - set(control.read_text(encoding="ascii").split()):
            with contextlib.suppress(OSError):  # busy: processes live in this very group
                control.write_text(f"+{name}", encoding="ascii")
        return sorted(set(_WANTED) & set(control.read_text(encoding="ascii").split()))
    return []


def _sweep(folder: Path) -> None:
    """Remove the empty groups that workers left which were killed; one that is in use refuses."""
    for left in folder.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_ctime > _STALE_S:
                left.rmdir()
