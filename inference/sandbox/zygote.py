"""The executor's side of the worker: start it, hand it units of work, enforce the time limit, read what comes back."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from graph.errors import ModelError
from inference.probes.base import FailureCode

ANSWER_BYTES: Final = 16 << 20
"""A child that writes more is taken for crashed."""
START_S: Final = 180.0
STOP_S: Final = 0.5
"""An idle worker leaves at once; one that still imports does not hear, and is killed."""
_ROOT: Final = Path(__file__).resolve().parents[2]
_START: Final = (
    "import sys; sys.path.insert(0, {root!r}); from inference.sandbox.worker import main; "
    "main(int(sys.argv[1]), sys.argv[2:])"
)


@dataclass(frozen=True)
class Limits:
    """What a child may use: extra address space, CPU seconds, bytes of one written file, open files."""

    memory_bytes: int
    cpu_s: int
    file_bytes: int = 64 << 20
    files: int = 256


@dataclass(frozen=True)
class Answer:
    """How a unit ended: the probe's raw answer (JSON), or the reason code of its failure and one line about it."""

    raw: bytes | None
    failure: FailureCode | None
    what: str
    layers: tuple[str, ...]
    duration_s: float


class _Reply(BaseModel):
    """The child's last line: an answer or a failure. Its word is not trusted, so its shape is checked."""

    model_config = ConfigDict(extra="forbid")

    raw: dict[str, Any] | None = None
    failure: FailureCode | None = None
    what: str = Field(default="", max_length=2_000)
    duration_s: float = 0.0


class _Preamble(BaseModel):
    model_config = ConfigDict(extra="forbid")

    layers: list[str] = Field(max_length=20)


class Zygote:
    """A running worker. Use it as a context manager: leaving it ends the worker and its child."""

    def __init__(self, modules: Sequence[str]) -> None:
        self._modules = list(modules)
        self._scratch = tempfile.TemporaryDirectory(prefix="matchgraph-")
        self.scratch = Path(self._scratch.name).resolve()
        self.import_s = 0.0
        self.threads = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._child = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._scratch.cleanup()

    def run(self, probe: str, folder: Path, items: Path | None, limits: Limits, timeout_s: float, seed: int) -> Answer:
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

        Raises
        ------
        ModelError
            The worker cannot be started.
        """
        self._start()
        started = time.perf_counter()
        reader, writer = os.pipe()
        request = {
            "op": "run", "probe": probe, "folder": str(folder), "items": str(items) if items else None, "seed": seed,
            "limits": {"memory_bytes": limits.memory_bytes, "cpu_s": limits.cpu_s,
                       "file_bytes": limits.file_bytes, "files": limits.files},
        }  # fmt: skip
        try:
            with contextlib.ExitStack() as stack:
                stack.callback(os.close, reader)
                try:
                    self._ask(request, writer)
                finally:
                    os.close(writer)
                self._child = int(self._reply(START_S)["pid"])
                data, timed_out = _read(reader, started + timeout_s, self._child)
            exit_code = int(self._ask_reap())
        except (OSError, EOFError):
            self.stop()
            return Answer(None, "oom", "the worker was lost: probably out of memory", (), time.perf_counter() - started)
        return _judge(data, timed_out, exit_code, time.perf_counter() - started, timeout_s)

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

    def _start(self) -> None:
        if self._process is not None and self._process.poll() is None:
            return
        self.stop()
        self._channel, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own module, no shell
                [
                    sys.executable,
                    "-I",
                    "-B",
                    "-c",
                    _START.format(root=str(_ROOT)),
                    str(theirs.fileno()),
                    *self._modules,
                ],
                env=scrubbed_environment(self.scratch),
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
            raise ModelError("the worker that runs models did not start: run `matchgraph doctor`") from error
        if not ready["ready"]:
            self.stop()
            raise ModelError(f"the worker that runs models did not start: {ready['what']}: reinstall matchgraph")
        self.import_s, self.threads = float(ready["import_s"]), int(ready["threads"])

    def _ask(self, request: dict[str, Any], descriptor: int) -> None:
        assert self._channel is not None  # noqa: S101 - _start has run
        socket.send_fds(self._channel, [json.dumps(request).encode() + b"\n"], [descriptor])

    def _ask_reap(self) -> int:
        assert self._channel is not None  # noqa: S101 - _start has run
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


def scrubbed_environment(scratch: Path) -> dict[str, str]:
    """All variables that the worker sees: no PATH, no secret, no network, one thread."""
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
        "CUDA_VISIBLE_DEVICES": "",
        "LC_ALL": "C.UTF-8",
    }


def _read(reader: int, deadline: float, child: int) -> tuple[bytes, bool]:
    """All that the child writes until it closes its pipe, and whether time ran out; it is killed then."""
    data = b""
    while len(data) <= ANSWER_BYTES:
        left = deadline - time.perf_counter()
        if left <= 0 or not select.select([reader], [], [], left)[0]:
            for kill in (os.killpg, os.kill):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    kill(child, signal.SIGKILL)
            return data, True
        piece = os.read(reader, 1 << 16)
        if not piece:
            break
        data += piece
    return data, False


def _judge(data: bytes, timed_out: bool, exit_code: int, duration_s: float, timeout_s: float) -> Answer:
    """What the child's bytes and its end amount to."""
    first, _, second = data.partition(b"\n")
    layers: tuple[str, ...] = ()
    with contextlib.suppress(ValidationError):
        layers = tuple(sorted(_Preamble.model_validate_json(first).layers))

    def failed(code: FailureCode, what: str) -> Answer:
        return Answer(None, code, what, layers, duration_s)

    if timed_out:
        return failed("timeout", f"not finished after {timeout_s:g} s")
    if len(data) > ANSWER_BYTES:
        return failed("crashed", f"answered more than {ANSWER_BYTES >> 20} MiB")
    if not second:
        if exit_code == -signal.SIGXCPU:
            return failed("timeout", "its processor time ran out")
        if exit_code == -signal.SIGKILL:
            return failed("oom", "killed by the system: probably out of memory")
        ended = f"signal {signal.Signals(-exit_code).name}" if exit_code < 0 else f"exit code {exit_code}"
        return failed("crashed", f"ended by {ended} without an answer")
    try:
        reply = _Reply.model_validate_json(second)
    except ValidationError:
        return failed("crashed", "its answer is not what a probe answers")
    if reply.failure is not None or reply.raw is None:
        return failed(reply.failure or "crashed", reply.what)
    return Answer(json.dumps(reply.raw).encode(), None, "", layers, duration_s)
