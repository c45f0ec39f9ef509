"""The worker: a clean process that imports the libraries once and forks one locked-down child per unit of work.

Started by `inference.sandbox.zygote` with a scrubbed environment and one socket. It runs no torch operation itself,
so its one thread can fork safely. Per line of JSON on the socket, it

- `run`: forks a child that owns a process group, locks itself down, runs one probe and writes two lines to the pipe
  that came with the request: the layers that protect it, written before the model is touched, and the answer;
- `reap`: kills the child's group and all that it started, and says how the child ended. Until then its id stays
  taken, so that a kill never hits a stranger.

A worker that was started for one run (`fresh`: a GPU's state does not survive a fork) becomes the child itself.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import importlib
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NoReturn

from inference.sandbox import cgroups, namespaces, system
from inference.sandbox.layers import NOT_CONFINED, confines
from inference.sandbox.lockdown import Room, close_descriptors, die_with, lock_down, system_paths
from inference.sandbox.processes import descriptors, join_pages, reap_orphans, tasks_of_user, threads

_LINE_LIMIT: Final = 1 << 20
_PATIENCE_S: Final = 5.0


@dataclass
class _Worker:
    """What the worker knows from its start, and the child that it has now (0: none)."""

    without: frozenset[str]
    probes: str
    fresh: bool
    cuda: bool
    inherited: list[str] = field(default_factory=list)
    paths: tuple[Path, ...] = ()
    groups: dict[str, Path] = field(default_factory=dict)
    tasks: int = 0
    apart: bool = False
    child: int = 0


def main(descriptor: int, start: dict[str, Any]) -> None:
    """Import the modules, say that it is ready, then serve requests until the socket closes."""
    die_with(os.getppid())  # imports take seconds: a second Ctrl-C must not leave this process behind
    channel = socket.socket(fileno=descriptor)
    strangers = [number for number in descriptors() if number > 2 and number != descriptor]
    if strangers:
        _send(channel, {"ready": False, "what": f"{len(strangers)} descriptors of the caller are open in it"})
        return
    worker = _Worker(frozenset(start["without"]), start["probes"], start["fresh"], start["cuda"])
    _settle(worker)
    started = time.perf_counter()
    try:
        for module in start["modules"]:
            importlib.import_module(module)
        if start["modules"]:
            _probes(worker)
            importlib.import_module("inference.models.pickled")  # or each child pays for it
        _quiet()
    except ImportError as error:
        _send(channel, {"ready": False, "what": _one_line(error)})
        return
    gc.collect()
    if not worker.fresh:
        join_pages()
    gc.freeze()  # or a collection in each child copies the pages of all that was imported
    worker.paths = tuple(system_paths(cuda=worker.cuda))
    if (
        sys.platform == "linux" and not worker.fresh
    ):  # the closing socket tells from here on, whichever thread started us
        system.call("prctl", system.PR_SET_PDEATHSIG, 0, 0, 0, 0)
    groups = [str(folder) for folder in worker.groups.values()]
    imported_s = time.perf_counter() - started
    _send(channel, {"ready": True, "import_s": imported_s, "threads": threads(), "groups": groups})
    while _serve(worker, channel):
        pass
    if worker.child:
        _reap(worker)
    os._exit(0)  # the libraries' own goodbyes take seconds


def _settle(worker: _Worker) -> None:
    """Enter the namespaces, find the control groups, adopt what children leave; before there is any thread."""
    if not system.on_linux():
        return
    with contextlib.suppress(OSError):
        system.call("prctl", system.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    if "cgroups" not in worker.without:
        worker.groups = cgroups.enter_groups(cgroups.divisible_groups())
    worker.tasks = tasks_of_user()
    if "namespaces" not in worker.without:
        worker.inherited = namespaces.enter_namespaces()
        worker.apart = namespaces.can_set_children_apart()


def _serve(worker: _Worker, channel: socket.socket) -> bool:
    """Answer one request; False when there will be no more."""
    try:
        line, pipes, _, _ = socket.recv_fds(channel, _LINE_LIMIT, 1)
        while line and not line.endswith(b"\n"):
            line += channel.recv(_LINE_LIMIT)
    except OSError:
        return False
    request = json.loads(line) if line else {"op": "stop"}
    if request["op"] == "run":
        if worker.fresh:
            channel.close()
            _child(worker, request, pipes[0], os.getppid(), [*worker.inherited, *_bound(worker, request)])
        _fork(worker, request, pipes[0], channel)
        _send(channel, {"pid": worker.child})
    elif request["op"] == "reap":
        _send(channel, {"exit": _reap(worker)})
    else:
        return False
    return True


def _fork(worker: _Worker, request: dict[str, Any], pipe: int, channel: socket.socket) -> None:
    own = os.getpid()
    bounded = _bound(worker, request)
    with namespaces.next_child_apart(wanted=worker.apart) as layers:
        worker.child = os.fork()
        if worker.child == 0:
            channel.close()
            _child(worker, request, pipe, own, [*worker.inherited, *bounded, *layers])
    os.close(pipe)


def _bound(worker: _Worker, request: dict[str, Any]) -> list[str]:
    limits = request["limits"]
    return cgroups.bound_groups(worker.groups, limits["memory_bytes"] + limits["disk_bytes"], limits["processes"])


def _child(worker: _Worker, request: dict[str, Any], pipe: int, parent: int, inherited: list[str]) -> NoReturn:
    """Lock down, run the probe, write the answer, leave; never returns into the worker's loop."""
    try:
        with contextlib.suppress(PermissionError):  # a fresh worker leads its group already
            os.setsid()
        die_with(parent)
        close_descriptors([pipe])
        room = Room(
            scratch=Path(request["scratch"]),
            readable=(*(Path(path) for path in request["readable"]), *worker.paths),
            limits={**request["limits"], "tasks": worker.tasks},
            without=worker.without,
            cuda=worker.cuda,
            worker=parent,
        )
        try:
            layers = sorted([*inherited, *lock_down(room)])
        except OSError as error:
            _write(pipe, {"layers": []})
            _write(pipe, {"failure": "unsafe_refused", "what": f"the sandbox could not be set up: {_one_line(error)}"})
            os._exit(0)
        _write(pipe, {"layers": layers})
        if request["untrusted"] and not confines(layers):
            _write(pipe, {"failure": "unsafe_refused", "what": NOT_CONFINED})
        else:
            _write(pipe, _answer(worker, request))
    except BaseException as error:  # noqa: BLE001 - whatever happens, the copy of the worker must end here
        with contextlib.suppress(OSError):
            _write(pipe, {"failure": "crashed", "what": f"{type(error).__name__}: {_one_line(error)}"})
        os._exit(1)
    os._exit(0)


def _answer(worker: _Worker, request: dict[str, Any]) -> dict[str, Any]:
    """The probe's raw answer, or the reason code of its failure."""
    started = time.perf_counter()
    if not request["probe"]:  # only the layers were asked for
        return {"raw": {}, "duration_s": 0.0}
    from inference.models.pickled import unpickled
    from inference.probes.base import ProbeFailure, RunTask, is_out_of_memory

    task = RunTask(
        folder=Path(request["folder"]),
        items=Path(request["items"]) if request["items"] else None,
        seed=request["seed"],
        settings=request["settings"],
        initialised=request["initialised"],
    )
    try:
        task = dataclasses.replace(task, folder=unpickled(task.folder, Path.cwd()))
        raw = _probes(worker)[request["probe"]].run(task)
    except ProbeFailure as failure:
        return {"failure": failure.code, "what": failure.what}
    except MemoryError:
        return {"failure": "oom", "what": "out of memory"}
    except Exception as error:  # noqa: BLE001 - a model can make the libraries raise anything
        message = _one_line(error)
        code = "oom" if is_out_of_memory(message) else "crashed"
        return {"failure": code, "what": f"{type(error).__name__}: {message}"}
    return {"raw": raw, "duration_s": time.perf_counter() - started}


def _probes(worker: _Worker) -> Mapping[str, Any]:
    """The table of probes: ours, or the one that a test has named when it made the `Zygote`."""
    module, _, name = worker.probes.partition(":")
    table: Mapping[str, Any] = getattr(importlib.import_module(module), name)
    return table


def _reap(worker: _Worker) -> int:
    """Kill the child and all that it left, and wait for it; its exit code, or minus the signal that ended it."""
    child, worker.child = worker.child, 0
    for kill in (os.killpg, os.kill):  # a child that died before it had a group of its own has only its id
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    cgroups.clear_groups(worker.groups)
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline and reap_orphans():
        pass
    return code


def _write(pipe: int, content: dict[str, Any]) -> None:
    data = json.dumps(content).encode() + b"\n"
    while data:
        data = data[os.write(pipe, data) :]


def _send(channel: socket.socket, content: dict[str, Any]) -> None:
    channel.sendall(json.dumps(content).encode() + b"\n")


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


def _quiet() -> None:
    """No progress bars and no notes from the libraries: nobody reads them."""
    logging = sys.modules.get("transformers.utils.logging")
    if logging is not None:
        logging.disable_progress_bar()
        logging.set_verbosity_error()


if __name__ == "__main__":
    main(int(sys.argv[1]), json.loads(sys.argv[2]))
