"""Does a picture show what its prompt asks: the child draws, a rule on the pixels judges here."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from graph.claims import Scope
from inference.data import drawings
from inference.data.sets import LabelledSet
from inference.probes.base import (
    RUNS_DECLARED,
    Measured,
    Measurement,
    ProbeFailure,
    ProbeInfo,
    RunTask,
    Seconds,
    Subject,
    shuffled_control,
)
from inference.probes.diffusion.pictures import PackedPictures, pack
from inference.probes.diffusion.pipes import (
    MODULES,
    TASK,
    asked_size,
    asked_steps,
    draw,
    drawing_seconds,
    draws,
    load_pipeline,
)

LARGEST_PROMPTS: Final = 300
_FEW_STEPS: Final = 8
_SEEDS_OF_FEW: Final = 3
_EMPTY: Final = 24
"""Pictures of the empty prompt."""


class _Raw(BaseModel):
    """The child's answer: pictures by seed, then by prompt; those of the empty prompt; what was asked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pictures: PackedPictures
    empty: PackedPictures
    steps: int = Field(ge=1, le=10_000)
    stated: bool
    size: str = Field(max_length=20)
    load_s: Seconds
    run_s: Seconds


class TextToImageProbe:
    """Draws every prompt, thrice where few steps are asked, and counts the pictures that show what is asked."""

    info = ProbeInfo(
        name="text-to-image",
        version="1",
        metrics=("adherence", "runs"),
        tasks=(TASK,),
        needs="prompt",
        modules=MODULES,
        control="the same pictures against other prompts' labels must be chance, and so must those of an empty prompt",
        declared=f"a picture is right where {drawings.JUDGE} names colour and shape of the prompt; runs: at the "
        f"pipeline's own number of steps, {RUNS_DECLARED}",
        settings=("steps", "size"),
    )

    def cost_s(self, subject: Subject, data: LabelledSet | None) -> float | None:
        """Seconds to load and to draw every prompt; None where the judge has no names for the labels."""
        if data is None or not draws(subject) or not judged(data):
            return None
        return drawing_seconds(subject, 28 * (len(data.items) + _EMPTY))

    def run(self, task: RunTask) -> dict[str, Any]:
        """The raw answer: the pictures."""
        prompts = staged_prompts(task)
        started = time.perf_counter()
        pipe, _ = load_pipeline(task.folder)
        loaded = time.perf_counter()
        steps, size = asked_steps(task, pipe), asked_size(task, pipe)
        asked = prompts * seeds_at(steps)
        pictures = draw(pipe, asked, seeds_of(task.seed, len(asked)), steps=steps, size=size)
        run_s = time.perf_counter() - loaded
        empty = draw(pipe, [""] * _EMPTY, seeds_of(task.seed + 1, _EMPTY), steps=steps, size=size)
        return {
            "pictures": pack(pictures),
            "empty": pack(empty),
            "steps": steps,
            "stated": "steps" in task.settings,
            "size": f"{pictures.shape[2]}x{pictures.shape[1]}",
            "load_s": loaded - started,
            "run_s": run_s,
        }

    def score(self, raw: bytes, data: LabelledSet | None) -> Measured:
        """The share of pictures that show what is asked, in percent; at the pipeline's own steps also `runs`."""
        if data is None or not judged(data):
            raise ValueError("a prompt set is needed whose labels the judge knows")
        answer = _Raw.model_validate_json(raw)
        wanted = [drawings.plain(label) for label in data.labels] * seeds_at(answer.steps)
        if (answer.pictures.count, answer.empty.count) != (len(wanted), _EMPTY):
            raise ValueError(f"{answer.pictures.count} pictures of {len(wanted)}, {answer.empty.count} of {_EMPTY}")
        shown = [drawings.judge(picture) for picture in answer.pictures.unpack()]
        empty = [drawings.judge(picture) for picture in answer.empty.unpack()]
        chance = max(data.majority, 1 / len(data.classes))
        control = _control(shown, wanted, empty, chance)
        return Measured(loads=True, finite=True, measurements=tuple(_shares(answer, shown, wanted, chance, control)))


def judged(data: LabelledSet | None) -> bool:
    """Whether a set holds prompts whose labels the judge knows all of, not too many to draw."""
    return (
        data is not None
        and data.kind == "prompt"
        and len(data.items) <= LARGEST_PROMPTS
        and all(drawings.knows(label) for label in data.classes)
    )


def misfit(data: LabelledSet) -> str:
    """Why a prompt set cannot be judged, in one line; "" where it can."""
    if len(data.items) > LARGEST_PROMPTS:
        return f"{data.name} has {len(data.items)} prompts: at most {LARGEST_PROMPTS} are drawn, take a part of it"
    unknown = sorted(label for label in data.classes if not drawings.knows(label))
    if not unknown:
        return ""
    known = f"{', '.join(drawings.COLOURS)} with {', '.join(drawings.SHAPES)}"
    return f"the judge of pictures has no rule for the label {unknown[0][:40]!r} of {data.name}: it knows {known}"


def seeds_at(steps: int) -> int:
    """How many pictures are drawn of each prompt: three where steps are few, one where they are many.

    Claims about few steps are cheap to try and so get a narrower interval.
    """
    return _SEEDS_OF_FEW if steps <= _FEW_STEPS else 1


def seeds_of(seed: int, count: int) -> list[int]:
    """A seed for each picture; no two of one unit alike."""
    return [(seed * 1_000_003 + place) % (1 << 62) for place in range(count)]


def staged_prompts(task: RunTask) -> list[str]:
    """The prompts that were staged for the child."""
    if task.items is None:
        raise ProbeFailure("no_data", "no items were staged")
    return [str(item) for item in json.loads((task.items / "items.json").read_text(encoding="utf-8"))]


def _shares(
    answer: _Raw, shown: Sequence[str], wanted: Sequence[str], chance: float, control: dict[str, Any]
) -> Iterator[Measurement]:
    successes, n = sum(one == other for one, other in zip(shown, wanted, strict=True)), len(wanted)
    shared: dict[str, Any] = {"successes": successes, "n": n, "control": control}
    scope = Scope(steps=answer.steps, size=answer.size)
    if not answer.stated:
        yield Measurement(metric="runs", value=successes / n, chance=chance, scope=scope, **shared)
    named = sum(label != "" for label in shown)
    detail = f"{named} of {n} pictures show a shape that the judge can name"
    yield Measurement(metric="adherence", value=100 * successes / n, scope=scope, detail=detail, **shared)
    yield Measurement(metric="load_s", value=answer.load_s)
    yield Measurement(metric="seconds_per_item", value=answer.run_s / n, scope=scope)


def _control(shown: Sequence[str], wanted: Sequence[str], empty: Sequence[str], chance: float) -> dict[str, Any]:
    """Other prompts' labels must fit by chance only, and a picture of no prompt at all must too.

    The empty prompt passes where its hits lie within five standard deviations above chance.
    """
    shuffled = shuffled_control(shown, wanted)
    hits, n = sum(one == other for one, other in zip(empty, wanted, strict=False)), len(empty)
    most = n * chance + 5 * (n * chance * (1 - chance)) ** 0.5
    passed = shuffled["passed"] and hits <= most
    return {**shuffled, "empty_successes": hits, "empty_n": n, "passed": passed}
