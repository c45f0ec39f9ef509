"""The worker: a clean process that imports the libraries once and forks one locked-down child per unit of work.

Started by `inference.sandbox.zygote` with a scrubbed environment and one socket. It runs no torch operation itself,
so its one thread can fork safely. Per line of JSON on the socket, it

- `run`: forks a child that owns a process group, limits itself, runs one probe and writes two lines to the pipe that
  came with the request: the layers that protect it, written before the model is touched, and the answer;
- `reap`: kills the child's group and says how the child ended. Until then its id stays taken, so that a kill never
  hits a stranger.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import os
import resource
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any, Final, NoReturn

from inference.probes.base import ProbeFailure, RunTask, is_out_of_memory, one_line

_LINE_LIMIT: Final = 1 << 16
_PR_SET_PDEATHSIG: Final = 1


def main(descriptor: int, modules: list[str]) -> None:
    """Import the modules, say that it is ready, then serve requests until the socket closes."""
    _die_with(os.getppid())  # imports take seconds: a second Ctrl-C must not leave this process behind
    channel = socket.socket(fileno=descriptor)
    started = time.perf_counter()
    try:
        for module in modules:
            importlib.import_module(module)
        _quiet()
    except ImportError as error:
        _send(channel, {"ready": False, "what": one_line(error)})
        return
    _send(channel, {"ready": True, "import_s": time.perf_counter() - started, "threads": _threads()})
    child = 0
    while True:
        try:
            line, descriptors, _, _ = socket.recv_fds(channel, _LINE_LIMIT, 1)
        except OSError:
            line, descriptors = b"", []
        request = json.loads(line) if line else {"op": "stop"}
        if request["op"] == "run":
            worker = os.getpid()
            child = os.fork()
            if child == 0:
                _die_with(worker)
                channel.close()
                _child(request, descriptors[0])
            os.close(descriptors[0])
            _send(channel, {"pid": child})
        elif request["op"] == "reap":
            _send(channel, {"exit": _reap(child)})
            child = 0
        else:
            if child:
                _reap(child)
            os._exit(0)  # the libraries' own goodbyes take seconds


def _child(request: dict[str, Any], pipe: int) -> NoReturn:
    """Lock down, run the probe, write the answer, leave; never returns into the worker's loop."""
    try:
        os.setsid()
        layers = _lock_down(request["limits"])
        _write(pipe, {"layers": layers})
        _write(pipe, _answer(request))
    except BaseException as error:  # noqa: BLE001 - whatever happens, the copy of the worker must end here
        with contextlib.suppress(OSError):
            _write(pipe, {"failure": "crashed", "what": f"{type(error).__name__}: {one_line(error)}"})
        os._exit(1)
    os._exit(0)


def _lock_down(limits: dict[str, int]) -> list[str]:
    """Limit this process before it touches the model; the names of the layers that are now active.

    The one place for further layers (landlock, seccomp, namespaces): each adds its name when it is active.
    """
    layers = ["subprocess", "scrubbed_env"]
    with contextlib.suppress(OSError, ValueError):  # a system without one of the limits: the layer is not claimed
        used = _address_space_bytes()
        if used is not None:
            _limit(resource.RLIMIT_AS, used + limits["memory_bytes"])
        _limit(resource.RLIMIT_CPU, limits["cpu_s"], limits["cpu_s"] + 5)  # SIGXCPU at the first, SIGKILL at the second
        _limit(resource.RLIMIT_FSIZE, limits["file_bytes"])
        _limit(resource.RLIMIT_NOFILE, limits["files"])
        _limit(resource.RLIMIT_CORE, 0)
        layers.append("rlimits")
    return sorted(layers)


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    """The probe's raw answer, or the reason code of its failure."""
    from inference.probes import PROBES

    task = RunTask(Path(request["folder"]), Path(request["items"]) if request["items"] else None, request["seed"])
    started = time.perf_counter()
    try:
        raw = PROBES[request["probe"]].run(task)
    except ProbeFailure as failure:
        return {"failure": failure.code, "what": failure.what}
    except MemoryError:
        return {"failure": "oom", "what": "out of memory"}
    except Exception as error:  # noqa: BLE001 - a model can make the libraries raise anything
        message = one_line(error)
        code = "oom" if is_out_of_memory(message) else "crashed"
        return {"failure": code, "what": f"{type(error).__name__}: {message}"}
    return {"raw": raw, "duration_s": time.perf_counter() - started}


def _limit(which: int, soft: int, hard: int | None = None) -> None:
    """Set a limit that cannot be lifted again; never above the one that already holds."""
    before = resource.getrlimit(which)[1]
    wanted = soft if hard is None else hard
    capped = wanted if before == resource.RLIM_INFINITY else min(wanted, before)
    resource.setrlimit(which, (min(soft, capped), capped))


def _die_with(parent: int) -> None:
    """Have the system kill this process when its parent dies; where it cannot, closed pipe and time limit do it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
        if os.getppid() != parent:  # it died before the call
            os._exit(1)


def _address_space_bytes() -> int | None:
    """Bytes of address space in use; None where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    except OSError:
        return None


def _reap(child: int) -> int:
    """Kill the child's group and wait for it; its exit code, or minus the signal that ended it."""
    for kill in (os.killpg, os.kill):  # a child that died before it had a group of its own has only its id
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _write(pipe: int, content: dict[str, Any]) -> None:
    data = json.dumps(content).encode() + b"\n"
    while data:
        data = data[os.write(pipe, data) :]


def _send(channel: socket.socket, content: dict[str, Any]) -> None:
    channel.sendall(json.dumps(content).encode() + b"\n")


def _threads() -> int:
    """Threads of this process; 0 where the system does not tell."""
    try:
        return len(list(Path("/proc/self/task").iterdir()))
    except OSError:
        return 0


def _quiet() -> None:
    """No progress bars and no notes from the libraries: nobody reads them."""
    logging = sys.modules.get("transformers.utils.logging")
    if logging is not None:
        logging.disable_progress_bar()
        logging.set_verbosity_error()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
