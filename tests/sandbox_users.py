"""Commands run as an ordinary user, also where Python lies in a folder that only root can enter."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

NOBODY = 65_534


def closed_folder(path: Path) -> Path | None:
    """The outermost folder above a path that others than its owner cannot pass through."""
    closed = [folder for folder in path.parents if not folder.stat().st_mode & 0o001]
    return closed[-1] if closed else None


def as_nobody(command: list[str]) -> list[str] | None:
    """The command that runs another one as nobody; None where that cannot be had (not root, no setpriv).

    Where the interpreter lies below a closed folder, a mount namespace of the command's own shows it as an open one;
    nothing changes outside.
    """
    if os.geteuid() != 0 or shutil.which("setpriv") is None or shutil.which("unshare") is None:
        return None
    dropped = ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups", *command]
    base = Path(sys.base_prefix).resolve()
    closed = closed_folder(base / "bin")
    if closed is None:
        return dropped
    root, python = shlex.quote(str(closed)), shlex.quote(str(base))
    script = (
        f"mount --bind {python} /mnt && mount -t tmpfs -o mode=755 open {root} && mkdir -p {python} "
        f"&& mount --bind /mnt {python} && umount /mnt && exec {shlex.join(dropped)}"
    )
    return ["unshare", "--mount", "sh", "-c", script]
