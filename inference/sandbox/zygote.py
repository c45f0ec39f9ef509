"""The executor's side of the worker: start it, hand it units of work, enforce the time limit, read what comes back."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Final, Self

from graph.errors import ModelError
from inference.sandbox.answers import ANSWER_BYTES, Answer, Watch
from inference.sandbox.answers import judge as _judge
from inference.sandbox.cgroups import remove_groups
from inference.sandbox.scratch import linked_files, make_scratch, remove_folder

__all__ = ["ANSWER_BYTES", "Answer", "Limits", "Zygote", "scrubbed_environment"]

START_S: Final = 180.0
STOP_S: Final = 0.5
"""An idle worker leaves at once; one that still imports does not hear, and is killed."""
_ROOT: Final = Path(__file__).resolve().parents[2]
_START: Final = (
    "import json, sys; sys.path.insert(0, {root!r}); from inference.sandbox.worker import main; "
    "main(int(sys.argv[1]), json.loads(sys.argv[2]))"
)
_PROBES: Final = "inference.probes:PROBES"
_NO_SETTINGS: Final[Mapping[str, str | int]] = MappingProxyType({})


@dataclass(frozen=True)
class Limits:
    """What a child may use: extra address space, CPU seconds, bytes of one written file, open files.

    `disk_bytes` bounds all that it writes to its scratch folder; `processes` its processes and threads, where a
    control group counts them.
    """

    memory_bytes: int
    cpu_s: int
    file_bytes: int = 64 << 20
    files: int = 256
    disk_bytes: int = 2 << 30
    processes: int = 256


class Zygote:
    """A running worker. Use it as a context manager: leaving it ends the worker and its child.

    Parameters
    ----------
    modules : sequence of str
        What the worker imports once, before it forks.
    device : str
        `cpu`, or `cuda`: then each run gets a fresh process, because a GPU's state does not survive a fork.
    fresh : bool
        Have a fresh process for each run on the CPU as well.
    without : collection of str
        Layers to leave out: `inference.sandbox.layers.SWITCHES`.
    probes : str
        Table of probes, `module:name`. For tests alone; never from a user's input.
    """

    def __init__(
        self,
        modules: Sequence[str],
        *,
        device: str = "cpu",
        fresh: bool = False,
        without: Collection[str] = (),
        probes: str = _PROBES,
    ) -> None:
        self._start_with = {"modules": list(modules), "without": sorted(without), "probes": probes,
                            "fresh": fresh or device != "cpu", "cuda": device != "cpu"}  # fmt: skip
        self.fresh = fresh or device != "cpu"
        self.scratch, self._lock = make_scratch()
        self.import_s = 0.0
        self.threads = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._child = 0
        self._runs = 0
        self._groups: list[Path] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        remove_folder(self.scratch)
        os.close(self._lock)

    def run(
        self,
        probe: str,
        folder: Path,
        items: Path | None,
        limits: Limits,
        timeout_s: float,
        seed: int,
        *,
        settings: Mapping[str, str | int] = _NO_SETTINGS,
        initialised: bool = False,
        readable: Sequence[Path] = (),
        untrusted: bool = True,
    ) -> Answer:
        """What one probe answers about the model in a folder; starts the worker where it is not running.

        Parameters
        ----------
        probe : str
            Its name in `inference.probes.PROBES`.
        folder, items : Path
            Staged model and staged items, inside `scratch`.
        limits : Limits
            What the child may use.
        timeout_s : float
            Seconds after which the child's whole process group is killed.
        seed : int
            For whatever the probe draws.
        settings, initialised
            Handed on to the probe: see `RunTask`.
        readable : sequence of Path
            Real files outside `folder` and `items` that the child may read; empty: those to which the links in the
            two lead.
        untrusted : bool
            Whether nobody vouches for the model: then it is refused where the active layers do not confine it.

        Raises
        ------
        ModelError
            The worker cannot be started, or the scratch folder cannot be written.
        """
        shown = [path for path in (folder, items) if path is not None]
        request = {
            "op": "run", "probe": probe, "folder": str(folder), "items": str(items) if items else None, "seed": seed,
            "limits": asdict(limits), "settings": dict(settings), "initialised": initialised, "untrusted": untrusted,
            "readable": [str(path) for path in (*shown, *(readable or linked_files(shown)))],
        }  # fmt: skip
        return self._run(request, limits, timeout_s)

    def layers(self) -> tuple[str, ...]:
        """The layers that a child of this worker gets, found out by locking one down; starts the worker.

        Raises
        ------
        ModelError
            The worker cannot be started, or its child did not answer.
        """
        answer = self._run(
            {"op": "run", "probe": "", "limits": asdict(Limits(1 << 30, 10)), "readable": [], "untrusted": False},
            Limits(1 << 30, 10), 30.0,
        )  # fmt: skip
        if answer.raw is None:
            raise ModelError(f"the sandbox does not work here: {answer.what}: see docs/sandbox.md, MATCHGRAPH_SANDBOX")
        return answer.layers

    def _run(self, request: dict[str, Any], limits: Limits, timeout_s: float) -> Answer:
        self._start()
        started = time.perf_counter()
        self._runs += 1
        own = self.scratch / f"run-{self._runs}"  # all that the child can write to
        try:
            own.mkdir(mode=0o700)
        except OSError as error:
            raise ModelError(f"scratch folder: {error.strerror or error}: check that the disk has room") from error
        reader, writer = os.pipe()
        watch = Watch(reader, started + timeout_s, own, limits.disk_bytes)
        try:
            try:
                self._ask(request | {"scratch": str(own)}, writer)
            finally:
                os.close(writer)
            self._child = self._begun()
            watch.read(self._child)
            exit_code = self._ended()
        except (OSError, EOFError):
            self.stop()
            return Answer(None, "oom", "the worker was lost: probably out of memory", (), time.perf_counter() - started)
        finally:
            os.close(reader)
            remove_folder(own)
        return _judge(watch.data, watch.timed_out, exit_code, time.perf_counter() - started, timeout_s, full=watch.full)

    def stop(self) -> None:
        """End the worker and whatever it runs; harmless where nothing runs."""
        if self._child:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._child, signal.SIGKILL)
            self._child = 0
        if self._channel is not None:
            self._channel.close()  # the worker reaps its child and leaves
            self._channel = None
        if self._process is not None:
            try:
                self._process.wait(timeout=STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        remove_groups(self._groups)
        self._groups = []

    def _start(self) -> None:
        if self._process is not None and self._process.poll() is None:
            return
        self.stop()
        self._channel, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-I", "-B", "-c", _START.format(root=str(_ROOT)), str(theirs.fileno())]
            self._process = subprocess.Popen(  # noqa: S603 - our own module, no shell
                [*command, json.dumps(self._start_with)],
                env=scrubbed_environment(self.scratch, cuda=bool(self._start_with["cuda"])),
                cwd=self.scratch,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        try:
            ready = self._reply(START_S)
        except (OSError, EOFError) as error:
            self.stop()
            raise ModelError("the worker that runs models did not start: check free memory, then reinstall") from error
        if not ready["ready"]:
            self.stop()
            raise ModelError(f"the worker that runs models did not start: {ready['what']}: reinstall matchgraph")
        self.import_s, self.threads = float(ready["import_s"]), int(ready["threads"])
        self._groups = [Path(folder) for folder in ready["groups"]]

    def _ask(self, request: dict[str, Any], descriptor: int) -> None:
        assert self._channel is not None  # noqa: S101 - _start has run
        line = json.dumps(request).encode() + b"\n"
        sent = socket.send_fds(self._channel, [line], [descriptor])
        if sent < len(line):  # a fresh worker that has it all closes its end: even an empty piece would fail
            self._channel.sendall(line[sent:])

    def _begun(self) -> int:
        """The child's process id; a fresh worker is the child itself."""
        if self.fresh:
            assert self._process is not None  # noqa: S101 - _start has run
            return self._process.pid
        return int(self._reply(START_S)["pid"])

    def _ended(self) -> int:
        """How the child ended, after whatever is left of it was killed."""
        assert self._channel is not None  # noqa: S101 - _start has run
        assert self._process is not None  # noqa: S101 - _start has run
        if self.fresh:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._child, signal.SIGKILL)
            code = self._process.wait()
            self._child = 0
            self.stop()
            return code
        self._channel.sendall(b'{"op": "reap"}\n')
        code = int(self._reply(30.0)["exit"])
        self._child = 0
        return code

    def _reply(self, timeout_s: float) -> dict[str, Any]:
        """The worker's next line; EOFError where it has gone, TimeoutError (an OSError) where it does not answer."""
        assert self._channel is not None  # noqa: S101 - _start has run
        self._channel.settimeout(timeout_s)
        line = b""
        while not line.endswith(b"\n"):
            piece = self._channel.recv(4096)
            if not piece:
                raise EOFError
            line += piece
        return dict(json.loads(line))


def scrubbed_environment(scratch: Path, *, cuda: bool = False) -> dict[str, str]:
    """All variables that the worker sees: no PATH, no secret, no network, one thread, a GPU only where it is meant."""
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    return one_thread | {
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "HF_HOME": str(scratch / "hf"),
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "ORT_DISABLE_TELEMETRY": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "JE_ARROW_MALLOC_CONF": "background_thread:false",  # or pyarrow starts a thread of its own
        "USER": "nobody",  # or libraries look the user up, in files that a child cannot read
        "LC_ALL": "C.UTF-8",
        **({} if cuda else {"CUDA_VISIBLE_DEVICES": ""}),
    }
