"""Probes that misbehave, for tests of the sandbox alone: each tries one thing and says what came of it.

The worker loads this table only where a test names it (`Zygote(probes=...)`). `settings` say what to try.
"""

# ruff: noqa: PTH101, PTH102, PTH109, PTH115, PTH123, PTH208
from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from inference.probes.base import RunTask


def tried(action: Callable[[], Any]) -> dict[str, Any]:
    """Whether an action succeeded, and what it gave or raised."""
    try:
        return {"done": True, "got": str(action())[:400]}
    except (OSError, RuntimeError, MemoryError) as error:
        return {"done": False, "got": f"{type(error).__name__}: {error}"[:400]}


def target(task: RunTask) -> str:
    return str(task.settings["target"])


def fork_and(action: Callable[[], Any]) -> int:
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            action()
        os._exit(0)
    return child


def read(task: RunTask) -> dict[str, Any]:
    return tried(lambda: Path(target(task)).read_text(encoding="utf-8"))


def list_folder(task: RunTask) -> dict[str, Any]:
    return tried(lambda: sorted(os.listdir(target(task))))


def write(task: RunTask) -> dict[str, Any]:
    return tried(lambda: Path(target(task)).write_text("was here", encoding="utf-8"))


def write_own(task: RunTask) -> dict[str, Any]:
    def fill() -> str:
        Path("deep/er").mkdir(parents=True)
        Path("deep/er/file").write_text("mine", encoding="utf-8")
        Path("deep/link").symlink_to("er/file")
        return Path("deep/link").read_text(encoding="utf-8")

    return tried(fill)


def link_out(task: RunTask) -> dict[str, Any]:
    """Writes through a symlink, and through a hard link, that lead out of the scratch folder."""
    Path("soft").symlink_to(target(task))
    soft = tried(lambda: Path("soft").write_text("was here", encoding="utf-8"))
    hard = tried(lambda: os.link(target(task), "hard"))
    if hard["done"]:
        hard = tried(lambda: Path("hard").write_text("was here", encoding="utf-8"))
    return {"done": soft["done"] or hard["done"], "got": f"{soft['got']} | {hard['got']}"}


def truncate(task: RunTask) -> dict[str, Any]:
    """Empties a file without ever opening it for writing."""
    by_name = tried(lambda: os.truncate(target(task), 0))
    by_open = tried(lambda: os.close(os.open(target(task), os.O_RDONLY | os.O_TRUNC)))
    return {"done": by_name["done"] or by_open["done"], "got": f"{by_name['got']} | {by_open['got']}"}


def chmod(task: RunTask) -> dict[str, Any]:
    return tried(lambda: os.chmod(target(task), 0o777))


def touch(task: RunTask) -> dict[str, Any]:
    return tried(lambda: os.utime(target(task), (0, 0)))


def tcp(task: RunTask) -> dict[str, Any]:
    return tried(lambda: socket.create_connection(("127.0.0.1", int(target(task))), timeout=2).recv(4))


def unix(task: RunTask) -> dict[str, Any]:
    def connect() -> bytes:
        with socket.socket(socket.AF_UNIX) as plug:
            plug.settimeout(2)
            plug.connect(target(task).replace("@", "\0"))
            return plug.recv(4)

    return tried(connect)


def paired(task: RunTask) -> dict[str, Any]:
    """A datagram socket of a pair can be connected anew, to any path."""

    def send() -> int:
        one, _ = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        one.connect(target(task))
        return one.send(b"hey")

    return tried(send)


def udp(task: RunTask) -> dict[str, Any]:
    def ask() -> int:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plug:
            return plug.sendto(b"hey", ("127.0.0.1", int(target(task))))

    return tried(ask)


def run_shell(task: RunTask) -> dict[str, Any]:
    """Replaces this process by a shell that writes the answer which the parent would take for ours."""
    pipe = max(int(name) for name in os.listdir("/proc/self/fd") if _open(int(name))) if sys.platform == "linux" else 3
    os.set_inheritable(pipe, True)
    script = f'echo \'{{"raw": {{"done": true, "got": "shell"}}}}\' >&{pipe}'
    return tried(lambda: os.execv("/bin/sh", ["sh", "-c", script]))


def _open(descriptor: int) -> bool:
    with contextlib.suppress(OSError):
        os.fstat(descriptor)
        return True
    return False


def fork(task: RunTask) -> dict[str, Any]:
    return tried(lambda: os.waitpid(fork_and(lambda: None), 0)[1])


def fork_bomb(task: RunTask) -> dict[str, Any]:
    """As many processes as the system gives, up to 2,000; each sleeps and would outlive us."""

    def fill() -> int:
        for made in range(2_000):
            try:
                fork_and(lambda: time.sleep(600))
            except OSError:
                return made
        return 2_000

    return tried(lambda: fill())


def daemon(task: RunTask) -> dict[str, Any]:
    """Leaves a process in a session of its own, whose parent is dead."""

    def leave() -> None:
        os.setsid()
        fork_and(lambda: time.sleep(600))

    def start() -> str:
        os.waitpid(fork_and(leave), 0)
        return "left"

    return tried(start)


def thread(task: RunTask) -> dict[str, Any]:
    def count() -> int:
        heard: list[int] = []
        threads = [threading.Thread(target=lambda: heard.append(1)) for _ in range(4)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        return len(heard)

    return tried(count)


def signal_other(task: RunTask) -> dict[str, Any]:
    return tried(lambda: os.kill(int(target(task)), signal.SIGTERM))


def trace_other(task: RunTask) -> dict[str, Any]:
    libc = ctypes.CDLL(None, use_errno=True)

    def attach() -> int:
        if libc.ptrace(16, int(target(task)), None, None) == -1:
            raise OSError(ctypes.get_errno(), "ptrace")
        libc.ptrace(17, int(target(task)), None, None)
        return 0

    return tried(attach)


def forget_parent(task: RunTask) -> dict[str, Any]:
    """Would outlive the death of its parent."""
    libc = ctypes.CDLL(None, use_errno=True)

    def clear() -> int:
        if libc.prctl(1, 0, 0, 0, 0) == -1:
            raise OSError(ctypes.get_errno(), "prctl")
        return 0

    return tried(clear)


def memory(task: RunTask) -> dict[str, Any]:
    return {"done": True, "got": len(b"x" * int(target(task)))}


def open_files(task: RunTask) -> dict[str, Any]:
    return tried(lambda: len([open("/dev/null", "rb") for _ in range(5_000)]))


def huge_file(task: RunTask) -> dict[str, Any]:
    def fill() -> int:
        with open("huge", "wb", buffering=0) as stream:
            while True:
                stream.write(bytes(1 << 20))

    return tried(fill)


def many_files(task: RunTask) -> dict[str, Any]:
    def fill() -> int:
        for number in range(100_000):
            Path(f"f{number}").write_bytes(bytes(1 << 20))
        return 100_000

    result = tried(fill)
    if result["done"]:
        time.sleep(5)
    return result


def deep_folders(task: RunTask) -> dict[str, Any]:
    def dig() -> int:
        for _ in range(1_200):
            os.mkdir("d", 0o700)
            os.chdir("d")
        return 1_200

    return tried(dig)


def hang(task: RunTask) -> dict[str, Any]:
    time.sleep(600)
    return {}


def spin(task: RunTask) -> dict[str, Any]:
    while True:
        pass


def crash(task: RunTask) -> dict[str, Any]:
    ctypes.string_at(0)
    return {}


def talk(task: RunTask) -> dict[str, Any]:
    return {"answers": ["x" * 1_000] * 40_000}


def nest(task: RunTask) -> dict[str, Any]:
    nested: Any = 0
    for _ in range(900):
        nested = [nested]
    return {"answers": nested}


def forge(task: RunTask) -> dict[str, Any]:
    """Claims another first line, and other layers, once it runs."""
    for descriptor in range(3, 10):
        with contextlib.suppress(OSError):
            os.write(descriptor, b'{"layers": ["landlock:99", "forged"]}\n')
    return {"done": True}


def see(task: RunTask) -> dict[str, Any]:
    """All that the process has: variables, descriptors, arguments, ids, processes."""
    links = {}
    for descriptor in range(64):
        if _open(descriptor):
            links[str(descriptor)] = os.readlink(f"/proc/self/fd/{descriptor}")
    return {
        "environment": dict(os.environ),
        "descriptors": links,
        "folder": os.getcwd(),
        "user": os.getuid(),
        "settings": dict(task.settings),
        "initialised": task.initialised,
        "memory": any(str(task.settings.get("needle", "")).encode()[::-1] in each for each in _memory()),
    }


def _memory() -> list[bytes]:
    """All that this process can read of its own heap and stack."""
    found = []
    with open("/proc/self/maps", encoding="utf-8") as maps, open("/proc/self/mem", "rb", buffering=0) as memory:
        for line in maps:
            if "rw-p" in line:
                first, _, last = line.split()[0].partition("-")
                with contextlib.suppress(OSError, ValueError, OverflowError):
                    memory.seek(int(first, 16))
                    found.append(memory.read(int(last, 16) - int(first, 16)))
    return found


def load(task: RunTask) -> dict[str, Any]:
    return tried(lambda: (task.folder / "config.json").read_text(encoding="utf-8"))


_ALL = (
    read, list_folder, write, write_own, link_out, truncate, chmod, touch, tcp, unix, paired, udp, run_shell, fork,
    fork_bomb, daemon, thread, signal_other, trace_other, forget_parent, memory, open_files, huge_file, many_files,
    deep_folders, hang, spin, crash, talk, nest, forge, see, load,
)  # fmt: skip
PROBES: dict[str, Any] = {each.__name__: SimpleNamespace(run=each) for each in _ALL}
