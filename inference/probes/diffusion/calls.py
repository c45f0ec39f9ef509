"""What a pipeline does when it draws: denoising steps, calls spent on guidance, seeds, and the sizes it can make."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Final

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from graph.claims import Interval, Scope
from inference.data.sets import LabelledSet
from inference.probes.base import Measured, Measurement, ProbeFailure, ProbeInfo, RunTask, Subject
from inference.probes.diffusion.pipes import (
    MODULES,
    TASK,
    Size,
    asked_size,
    asked_steps,
    draw,
    drawing_seconds,
    draws,
    load_pipeline,
    takes,
)
from inference.probes.diffusion.whole import MADE_UP
from inference.verdicts.intervals import LARGEST_TRIED

_FEW: Final = 2
"""Steps for what does not depend on how many there are."""
_LARGEST_TRY: Final = 256 * 256
"""Pixels of the largest picture that is tried beyond the pipeline's own size."""
_NO_PICTURE_IS_LARGER: Final = 1e12
_TRUE_GUIDANCE: Final = 4.0
_OTHER_GUIDANCE: Final = 7.5

Side = Annotated[int, Field(ge=0, le=1 << 20)]
Count = Annotated[int, Field(ge=0, le=1_000_000)]


class _Counted(BaseModel):
    """Steps of the scheduler, and pictures that went through the denoiser, in one call for one picture."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: Count
    rows: Count


class _Tried(BaseModel):
    """A size asked for (height, width) and the size that came, 0 x 0 where it was refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    asked: tuple[Side, Side]
    got: tuple[Side, Side]
    constant: bool


class _Raw(BaseModel):
    """The child's answer; None where the pipeline has no such parameter."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    asked: int = Field(ge=1, le=10_000)
    stated: bool
    plain: _Counted
    guided: _Counted | None
    same_seed: bool
    other_seed: bool
    guidance_matters: bool | None
    sizes: list[_Tried] = Field(min_length=1, max_length=16)


class CallsProbe:
    """Counts with a hook on the denoiser, and compares pictures bit by bit."""

    info = ProbeInfo(
        name="diffusion-calls",
        version="1",
        metrics=("steps", "guidance_calls", "max_pixels"),
        tasks=(TASK,),
        modules=MODULES,
        control="guidance with a negative prompt, where the pipeline has it, must cost one more call a step",
        settings=("steps", "size"),
    )

    def cost_s(self, subject: Subject, data: LabelledSet | None) -> float | None:
        """Seconds to load and to draw about a dozen pictures; None where it does not draw from text."""
        return drawing_seconds(subject, 2 * 28 + 100 * _FEW) if draws(subject) else None

    def run(self, task: RunTask) -> dict[str, Any]:
        """The raw answer: what was counted and compared."""
        pipe, _ = load_pipeline(task.folder)
        steps, size, seed = asked_steps(task, pipe), asked_size(task, pipe), task.seed
        plain, first = counted(pipe, seed, steps, size)
        again = draw(pipe, [MADE_UP], [seed], steps=steps, size=size)
        other = draw(pipe, [MADE_UP], [seed + 1], steps=steps, size=size)
        guided = None
        if takes(pipe, "true_cfg_scale") and takes(pipe, "negative_prompt"):
            more = {"true_cfg_scale": _TRUE_GUIDANCE, "negative_prompt": "a blue square"}
            guided, _ = counted(pipe, seed, _FEW, size, **more)
        matters = None
        if takes(pipe, "guidance_scale"):
            one, two = (draw(pipe, [MADE_UP], [seed], steps=_FEW, size=size, guidance_scale=scale)
                        for scale in (_OTHER_GUIDANCE / 2, _OTHER_GUIDANCE))  # fmt: skip
            matters = not np.array_equal(one, two)
        return {
            "asked": steps,
            "stated": "steps" in task.settings,
            "plain": plain,
            "guided": guided,
            "same_seed": bool(np.array_equal(first, again)),
            "other_seed": not np.array_equal(first, other),
            "guidance_matters": matters,
            "sizes": [try_size(pipe, seed, asked) for asked in sizes_to_try(size)],
        }

    def score(self, raw: bytes, data: LabelledSet | None) -> Measured:
        """Steps and guidance calls, the largest size that came as asked, and what pictures depend on."""
        answer = _Raw.model_validate_json(raw)
        return Measured(loads=True, finite=True, flags=_flags(answer), measurements=tuple(_measurements(answer)))


def counted(pipe: Any, seed: int, steps: int, size: Size, **more: Any) -> tuple[dict[str, int], Any]:
    """How many scheduler steps and denoiser rows one picture took, and the picture.

    Rows and not calls are counted: some pipelines put the guided and the unguided half into one call.

    Raises
    ------
    ProbeFailure
        The pipeline has no denoiser that can be watched.
    """
    denoiser = getattr(pipe, "transformer", None) or getattr(pipe, "unet", None)
    if denoiser is None:
        raise ProbeFailure("missing_dependency", "the pipeline has neither a transformer nor a unet to watch")
    count = {"steps": 0, "rows": 0}

    def see_call(_: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        shown = next((named[key] for key in ("hidden_states", "sample") if key in named), None)
        count["rows"] += int((shown if shown is not None else arguments[0]).shape[0])

    whole_step = pipe.scheduler.step

    def see_step(*arguments: Any, **named: Any) -> Any:
        count["steps"] += 1
        return whole_step(*arguments, **named)

    hook = denoiser.register_forward_pre_hook(see_call, with_kwargs=True)
    pipe.scheduler.step = see_step
    try:
        picture = draw(pipe, [MADE_UP], [seed], steps=steps, size=size, **more)
    finally:
        hook.remove()
        del pipe.scheduler.step
    return count, picture


def sizes_to_try(size: Size) -> list[Size]:
    """The pipeline's own size, an odd one beside it, and twice and four times each side while that stays small."""
    height, width = size
    larger = [(height * factor, width * factor) for factor in (2, 4)]
    return [size, (height + 1, width + 3), *(one for one in larger if one[0] * one[1] <= _LARGEST_TRY)]


def try_size(pipe: Any, seed: int, asked: Size) -> dict[str, Any]:
    """Which size comes when this one is asked for."""
    try:
        picture = draw(pipe, [MADE_UP], [seed], steps=_FEW, size=asked)
    except (ValueError, RuntimeError):  # what the library says to a size that does not fit
        return {"asked": asked, "got": (0, 0), "constant": False}
    return {"asked": asked, "got": picture.shape[1:3], "constant": bool(picture.std() == 0)}


def _measurements(answer: _Raw) -> Iterator[Measurement]:
    scope = Scope(steps=answer.asked)
    # Without a claim's word the call's default is counted, which is no statement about how few steps would do.
    name, unit = ("steps", "") if answer.stated else ("default_steps", "steps")
    yield Measurement(metric=name, value=float(answer.plain.steps), unit=unit, scope=scope)
    control: dict[str, Any] | None = None
    guided: tuple[Measurement, ...] = ()
    if answer.guided is not None:
        extra, steps = answer.guided.rows - answer.guided.steps, answer.guided.steps
        control = {"kind": "negative_prompt", "calls": extra, "steps": steps, "passed": extra == steps > 0}
        under = Scope(steps=steps, note=f"negative prompt, true_cfg_scale {_TRUE_GUIDANCE:g}")
        guided = (Measurement(metric="guidance_calls", value=float(extra), scope=under),)
    calls = float(answer.plain.rows - answer.plain.steps)
    yield Measurement(metric="guidance_calls", value=calls, scope=scope, control=control)
    yield from guided
    yield from _sizes(answer.sizes)
    yield Measurement(metric="same_seed_same_picture", value=float(answer.same_seed), unit="none")
    yield Measurement(metric="other_seed_other_picture", value=float(answer.other_seed), unit="none")
    if answer.guidance_matters is not None:
        yield Measurement(metric="guidance_scale_matters", value=float(answer.guidance_matters), unit="none")


def _sizes(sizes: list[_Tried]) -> Iterator[Measurement]:
    """The largest size that came as asked; more was not tried, so the interval is open upwards."""
    grid = ", ".join(f"{_shown(one.asked)} gives {_shown(one.got)}" for one in sizes)
    fitting = [one.got for one in sizes if one.got == one.asked and not one.constant]
    if fitting:
        height, width = max(fitting, key=lambda got: got[0] * got[1])
        pixels = float(height * width)
        open_end = Interval(low=pixels, high=_NO_PICTURE_IS_LARGER, level=1.0, method=LARGEST_TRIED)
        scope = Scope(size=_shown((height, width)))
        yield Measurement(metric="max_pixels", value=pixels, interval=open_end, scope=scope, detail=grid)
    yield Measurement(metric="sizes", value=grid, unit="none")


def _shown(size: Size) -> str:
    return f"{size[1]}x{size[0]}" if size[0] else "nothing"


def _flags(answer: _Raw) -> tuple[str, ...]:
    found = {
        "guidance_ignored": answer.guidance_matters is False,
        "size_rounded": any(one.got not in (one.asked, (0, 0)) for one in answer.sizes),
        "constant_output": any(one.constant for one in answer.sizes),
        "seed_ignored": not answer.other_seed,
        "not_deterministic": not answer.same_seed,
    }
    return tuple(sorted(name for name, holds in found.items() if holds))
