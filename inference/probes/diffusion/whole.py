"""Does a pipeline load with every tensor of every network, how large is it, and does one picture come out finite."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from graph.claims import Scope
from inference.data.sets import LabelledSet
from inference.probes.base import Measured, Measurement, ProbeInfo, RunTask, Seconds, Subject
from inference.probes.diffusion.pipes import LIBRARY, MODULES, asked_size, default_steps, draw, drawing_seconds
from inference.probes.diffusion.pipes import load_pipeline as load

MADE_UP: Final = "a red circle"
_REPEATS: Final = 3

Name = Annotated[str, StringConstraints(max_length=80)]


class _Raw(BaseModel):
    """The child's answer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    parameters: dict[Name, Annotated[int, Field(ge=0)]] = Field(max_length=20)
    steps: int = Field(ge=1, le=10_000)
    size: Name
    constant: bool
    load_s: Seconds
    picture_s: Annotated[list[Seconds], Field(min_length=_REPEATS, max_length=_REPEATS)]


class PipelineLoadingProbe:
    """Loads every network with the library's report on missing tensors, and draws one picture."""

    info = ProbeInfo(
        name="pipeline-loading",
        version="1",
        metrics=("loads", "parameters"),
        modules=MODULES,
        control="a pipeline without one tensor of a text encoder must not pass as loaded",
    )

    def cost_s(self, subject: Subject, data: LabelledSet | None) -> float | None:
        """Seconds to load and to draw a few pictures; None for what is no pipeline."""
        if subject.library != LIBRARY or subject.tier != "artifact":
            return None
        return drawing_seconds(subject, 28 * (_REPEATS + 1))

    def run(self, task: RunTask) -> dict[str, Any]:
        """The raw answer: parameters by network, seconds to load and to draw."""
        started = time.perf_counter()
        pipe, parameters = load(task.folder)
        load_s = time.perf_counter() - started
        size, steps = asked_size(task, pipe), default_steps(pipe)
        picture_s = []
        for repeat in range(_REPEATS + 1):
            started = time.perf_counter()
            picture = draw(pipe, [MADE_UP], [task.seed + repeat], steps=steps, size=size)
            picture_s.append(time.perf_counter() - started)
        return {
            "parameters": parameters,
            "steps": steps,
            "size": f"{picture.shape[2]}x{picture.shape[1]}",
            "constant": bool(picture.std() == 0),
            "load_s": load_s,
            "picture_s": picture_s[1:],
        }

    def score(self, raw: bytes, data: LabelledSet | None) -> Measured:
        """What loading showed; that it came this far means that no tensor was missing and the picture is finite."""
        answer = _Raw.model_validate_json(raw)
        flags = ("constant_output",) if answer.constant else ()
        return Measured(loads=True, finite=True, flags=flags, measurements=tuple(_measurements(answer)))


def _measurements(answer: _Raw) -> Iterator[Measurement]:
    yield Measurement(metric="loads", value=LIBRARY, holds=True, detail="every tensor of every network is in its files")
    yield Measurement(metric="parameters", value=float(sum(answer.parameters.values())))
    for name, count in sorted(answer.parameters.items()):
        yield Measurement(metric="component_parameters", value=float(count), unit="parameters", scope=Scope(note=name))
    yield Measurement(metric="load_s", value=answer.load_s)
    scope = Scope(batch_size=1, steps=answer.steps, size=answer.size)
    yield Measurement(metric="latency_s", value=sorted(answer.picture_s)[_REPEATS // 2], scope=scope)
