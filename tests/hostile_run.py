"""Runs the hostile probes against a small world of files, sockets and processes; prints as JSON what came of it.

A script of its own, so that it can be run as another user: `python -m tests.hostile_run '{"without": [...]}'`.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from inference.sandbox import system
from inference.sandbox.zygote import Answer, Limits, Zygote

SECRET = "the-key-of-the-home-5c1d"
LIMITS = Limits(memory_bytes=1 << 30, cpu_s=20, file_bytes=8 << 20, disk_bytes=32 << 20)


def described(answer: Answer) -> dict[str, Any]:
    raw = json.loads(answer.raw) if answer.raw is not None else {}
    return {"failure": answer.failure, "what": answer.what, "layers": list(answer.layers), "raw": raw}


@contextlib.contextmanager
def victim() -> Iterator[subprocess.Popen[bytes]]:
    """A process of the same user without any privilege, which the same user may signal and trace."""

    def drop() -> None:
        if os.geteuid() == 0:
            system.drop_bounding_set()
            system.set_capabilities(0)

    with subprocess.Popen(["/bin/sleep", "300"], preexec_fn=drop) as process:
        try:
            yield process
        finally:
            process.kill()


@contextlib.contextmanager
def listening(family: int, address: Any) -> Iterator[socket.socket]:
    """A server that says "open" to whoever connects."""
    with socket.socket(family) as server:
        server.bind(address)
        server.listen()

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    plug, _ = server.accept()
                    plug.sendall(b"open")
                    plug.close()

        threading.Thread(target=serve, daemon=True).start()
        yield server


def run_all(without: list[str], *, untrusted: bool) -> dict[str, Any]:
    """What came of each hostile probe, and what became of the world around it."""
    found: dict[str, Any] = {}
    with contextlib.ExitStack() as stack:
        world = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="world-")))
        for name in ("read", "soft", "emptied", "moded", "touched"):
            (world / name).write_text(SECRET, encoding="utf-8")
            (world / name).chmod(0o600)
        before = {path.name: path.stat() for path in world.iterdir()}
        tcp = stack.enter_context(listening(socket.AF_INET, ("127.0.0.1", 0)))
        stack.enter_context(listening(socket.AF_UNIX, str(world / "unix")))
        stack.enter_context(listening(socket.AF_UNIX, f"\0matchgraph-test-{os.getpid()}"))
        heard = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        heard.bind(("127.0.0.1", 0))
        heard.setblocking(False)
        datagrams = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        datagrams.bind(str(world / "datagrams"))
        killed, traced = stack.enter_context(victim()), stack.enter_context(victim())
        zygote = stack.enter_context(
            Zygote(["tests.hostile_probes"], without=without, probes="tests.hostile_probes:PROBES")
        )
        staged = zygote.scratch / "model"
        staged.mkdir()
        (staged / "config.json").symlink_to(world / "read")
        attacks: list[tuple[str, str, str]] = [
            ("read", "read", str(world / "read")),
            ("list", "list_folder", str(world)),
            ("write", "write", str(world / "made")),
            ("write to the staged model", "write", str(staged / "made")),
            ("write to the scratch of all", "write", str(zygote.scratch / "made")),
            ("links", "link_out", str(world / "soft")),
            ("truncate", "truncate", str(world / "emptied")),
            ("chmod", "chmod", str(world / "moded")),
            ("touch", "touch", str(world / "touched")),
            ("tcp", "tcp", str(tcp.getsockname()[1])),
            ("unix", "unix", str(world / "unix")),
            ("abstract unix", "unix", f"@matchgraph-test-{os.getpid()}"),
            ("socket pair", "paired", str(world / "datagrams")),
            ("udp", "udp", str(heard.getsockname()[1])),
            ("shell", "run_shell", ""),
            ("fork", "fork", ""),
            ("daemon", "daemon", ""),
            ("signal", "signal_other", str(killed.pid)),
            ("trace", "trace_other", str(traced.pid)),
            ("forget the parent", "forget_parent", ""),
            ("read of the caller", "read", f"/proc/{os.getpid()}/environ"),
            ("thread", "thread", ""),
            ("own scratch", "write_own", ""),
            ("many open files", "open_files", ""),
            ("huge file", "huge_file", ""),
            ("deep folders", "deep_folders", ""),
            ("memory", "memory", str(2 << 30)),
            ("forged layers", "forge", ""),
        ]
        if "seccomp" not in without:  # nothing else bounds it for a user without privileges
            attacks.append(("fork bomb", "fork_bomb", ""))
        for name, probe, target in attacks:
            # The staged link leads to the secret: only where it is no attack on it may the child read it.
            readable = [world / "nothing"]
            answer = zygote.run(
                probe, staged, None, LIMITS, 30.0, 0,
                settings={"target": target}, readable=readable, untrusted=untrusted,
            )  # fmt: skip
            found[name] = described(answer)
        found["staged link"] = described(zygote.run("load", staged, None, LIMITS, 30.0, 0, untrusted=untrusted))
        found["world"] = {
            "texts": {name: (world / name).read_text(encoding="utf-8") for name in before},
            "same": {
                name: (status.st_mode, status.st_mtime_ns)
                == ((world / name).stat().st_mode, (world / name).stat().st_mtime_ns)
                for name, status in before.items()
            },
            "names": sorted(path.name for path in world.iterdir()),
            "scratch": sorted(path.name for path in zygote.scratch.iterdir()),
            "udp": _received(heard),
            "killed": killed.poll() is not None,
            "left": _descendants(zygote._process.pid if zygote._process else 0),
        }
    found["world"]["scratch is gone"] = not zygote.scratch.exists()
    return found


def _received(plug: socket.socket) -> str:
    with contextlib.suppress(OSError):
        return plug.recv(10).decode()
    return ""


def _descendants(parent: int) -> list[str]:
    """What runs below a process."""
    left = []
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            stat = (folder / "stat").read_text(encoding="utf-8") if folder.name.isdigit() else ""
            if stat and int(stat.rpartition(")")[2].split()[1]) == parent:
                left.append(stat)
    return left


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    print(json.dumps(run_all(asked["without"], untrusted=asked["untrusted"])))
