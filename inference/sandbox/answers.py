"""What a child answered: read with a time limit and a size limit, and checked, because its word is not trusted."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from inference.probes.base import FailureCode
from inference.sandbox.lockdown import OUT_OF_CPU
from inference.sandbox.scratch import holds_more_than

ANSWER_BYTES: Final = 16 << 20
"""A child that writes more is taken for crashed."""
MOST_PARTS: Final = 500_000
"""Lists and objects in an answer; each takes twenty times its bytes when it is read."""
_LOOK_S: Final = 0.5
"""How often the child's scratch folder is looked at while it runs."""


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

    layers: list[str] = Field(max_length=32)


class Watch:
    """Reads what a child writes until it closes its pipe; kills it when time, the answer or the scratch runs over."""

    def __init__(self, reader: int, deadline: float, scratch: Path, disk_bytes: int) -> None:
        self._reader, self._deadline = reader, deadline
        self._scratch, self._disk_bytes = scratch, disk_bytes
        self.data = b""
        self.timed_out = False
        self.full = False

    def read(self, child: int) -> None:
        """All that the child writes, up to its second line, into `data`."""
        pieces: list[bytes] = []
        size, lines, look = 0, 0, time.perf_counter() + _LOOK_S
        waiting = select.poll()  # unlike select(), not bounded to 1,024 open files
        waiting.register(self._reader, select.POLLIN | select.POLLHUP)
        while size <= ANSWER_BYTES:
            now = time.perf_counter()
            self.timed_out = now >= self._deadline
            if now >= look:
                self.full = holds_more_than(self._scratch, self._disk_bytes)
                look = time.perf_counter() + _LOOK_S
            if self.timed_out or self.full:
                break
            if not waiting.poll(1e3 * max(0.0, min(self._deadline, look) - now)):
                continue
            piece = os.read(self._reader, 1 << 16)
            if not piece:
                self.data = b"".join(pieces)
                return
            pieces.append(piece)
            size += len(piece)
            lines += piece.count(b"\n")
            if lines >= 2:  # a process that the child left behind may hold the pipe open
                self.data = b"".join(pieces)
                return
        for kill in (os.killpg, os.kill):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                kill(child, signal.SIGKILL)
        self.data = b"".join(pieces)


def judge(
    data: bytes, timed_out: bool, exit_code: int, duration_s: float, timeout_s: float, *, full: bool = False
) -> Answer:
    """What the child's bytes and its end amount to."""
    first, _, rest = data.partition(b"\n")
    second, ended_line, _ = rest.partition(b"\n")  # whatever comes after the second line counts for nothing
    layers: tuple[str, ...] = ()
    with contextlib.suppress(ValidationError):
        layers = tuple(sorted(_Preamble.model_validate_json(first).layers))

    def failed(code: FailureCode, what: str) -> Answer:
        printable = "".join(letter if letter.isprintable() else " " for letter in what)
        return Answer(None, code, " ".join(printable.split()), layers, duration_s)

    if full:
        return failed("crashed", "wrote more to its scratch folder than a probe may")
    if timed_out:
        return failed("timeout", f"not finished after {timeout_s:g} s")
    if len(data) > ANSWER_BYTES:
        return failed("crashed", f"answered more than {ANSWER_BYTES >> 20} MiB")
    if not (second or ended_line):
        if exit_code in (-signal.SIGXCPU, OUT_OF_CPU):
            return failed("timeout", "its processor time ran out")
        if exit_code == -signal.SIGKILL:
            return failed("oom", "killed by the system: probably out of memory")
        if exit_code == -signal.SIGSYS:
            return failed("crashed", "made a system call of another processor")
        return failed("crashed", f"ended by {_end(exit_code)} without an answer")
    if second.count(b"[") + second.count(b"{") > MOST_PARTS:
        return failed("crashed", f"answered more than {MOST_PARTS} lists")
    try:
        reply = _Reply.model_validate_json(second)
    except ValidationError:
        return failed("crashed", "its answer is not what a probe answers")
    if reply.failure is not None or reply.raw is None:
        return failed(reply.failure or "crashed", reply.what)
    return Answer(json.dumps(reply.raw).encode(), None, "", layers, duration_s)


def _end(exit_code: int) -> str:
    """An exit code in words; signals between the named ones (35..63) have a number alone."""
    if exit_code >= 0:
        return f"exit code {exit_code}"
    named = {int(each): each.name for each in signal.Signals}
    return f"signal {named.get(-exit_code, -exit_code)}"
