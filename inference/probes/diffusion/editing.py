"""Image to image with a text-to-image pipeline's own parts: does the result follow both the picture and the prompt."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from graph.claims import Scope
from inference.data import drawings
from inference.data.sets import LabelledSet
from inference.probes.base import Measured, Measurement, ProbeFailure, ProbeInfo, RunTask, Subject, loading
from inference.probes.diffusion.drawing import judged, seeds_of, staged_prompts
from inference.probes.diffusion.pictures import Bytes8, PackedPictures, distances, pack
from inference.probes.diffusion.pipes import (
    MODULES,
    Pictures,
    default_steps,
    draw,
    drawing_seconds,
    draws,
    load_pipeline,
    native_size,
    quiet,
)

TASK: Final = "vision.image-to-image"
COUNT: Final = 24
"""Pictures that are edited."""
STRENGTHS: Final = (0.3, 0.6, 0.9)
_OFFSET: Final = 5
"""Each picture gets the prompt of the item so many places further on."""


class Chosen(BaseModel):
    """Which items were drawn as pictures to edit, by place in the set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    items: list[int] = Field(min_length=2, max_length=COUNT)

    def labels(self, data: LabelledSet) -> tuple[list[str], list[str]]:
        """The labels of the pictures, and of the prompts that they are edited with.

        Raises
        ------
        ValueError
            A place is not in the set, or is there twice.
        """
        if len(set(self.items)) != len(self.items) or not all(0 <= item < len(data.labels) for item in self.items):
            raise ValueError("the edited items are not items of the set")
        own = [drawings.plain(data.labels[item]) for item in self.items]
        return own, rotated(own)


class _Raw(BaseModel):
    """The child's answer: the pictures that were edited, and the results from the weakest strength to the strongest."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    chosen: Chosen
    sources: PackedPictures
    results: list[PackedPictures] = Field(min_length=len(STRENGTHS), max_length=len(STRENGTHS))
    steps: int = Field(ge=1, le=10_000)
    size: str = Field(max_length=20)


class ImageToImageProbe:
    """Gives pictures that the pipeline drew itself back to it, each with another prompt, at three strengths.

    Right is a picture that at the lowest strength lies nearer to its own source than to any other, at the highest
    further away than at the lowest, and there shows what the new prompt asks. A pipeline that ignores the picture
    fails the first, one that returns it unchanged the others.
    """

    info = ProbeInfo(
        name="image-to-image",
        version="1",
        metrics=("runs",),
        tasks=(TASK,),
        needs="prompt",
        modules=MODULES,
        control="against the other pictures' sources and prompts the same results must not be right",
        declared=f"runs: near its source at strength {STRENGTHS[0]}, further at {STRENGTHS[-1]}, and there what "
        f"{drawings.JUDGE} names is the new prompt; chance is the most frequent label",
    )

    def cost_s(self, subject: Subject, data: LabelledSet | None) -> float | None:
        """Seconds to load, to draw the pictures and to edit each at every strength; None where it does not fit."""
        if not draws(subject) or not judged(data):
            return None
        return drawing_seconds(subject, round(28 * COUNT * (1 + sum(STRENGTHS))))

    def run(self, task: RunTask) -> dict[str, Any]:
        """The raw answer: pictures, before and after."""
        pipe, _ = load_pipeline(task.folder)
        chosen, prompts, sources = drawn_sources(task, pipe)
        edit = edited_by(pipe, "AutoPipelineForImage2Image")
        results = [edit(rotated(prompts), task.seed + 1, image=sources, strength=strength) for strength in STRENGTHS]
        return {
            "chosen": {"items": chosen},
            "sources": pack(sources),
            "results": [pack(result) for result in results],
            "steps": default_steps(pipe),
            "size": f"{sources.shape[2]}x{sources.shape[1]}",
        }

    def score(self, raw: bytes, data: LabelledSet | None) -> Measured:
        """The share of results that follow picture and prompt, and how often distance grows with strength."""
        if data is None or not judged(data):
            raise ValueError("a prompt set is needed whose labels the judge knows")
        answer = _Raw.model_validate_json(raw)
        own, wanted = answer.chosen.labels(data)
        sources, results = same_size(answer.sources, answer.results, len(own))
        told = np.array([one != other for one, other in zip(own, wanted, strict=True)])
        if not told.any():
            raise ValueError("no picture was given another prompt")
        right = follows(sources, results, wanted)[told]
        # Each result against the source and the prompt of its neighbour: right only by accident.
        wrong = follows(np.roll(sources, 1, axis=0), results, rotated(wanted))[told]
        n, scope = len(right), Scope(steps=answer.steps, size=answer.size)
        control = {"kind": "other_sources", "successes": int(wrong.sum()), "n": n,
                   "passed": bool(wrong.mean() <= 0.25)}  # fmt: skip
        chance = max(data.majority, 1 / len(data.classes))
        return Measured(
            loads=True,
            finite=True,
            measurements=(
                Measurement(metric="runs", value=float(right.mean()), successes=int(right.sum()), n=n, chance=chance,
                            scope=scope, control=control),
                Measurement(metric="strength_monotone", value=100 * float(grows(sources, results).mean()),
                            n=len(own), unit="percent", scope=scope),
                *(Measurement(metric="distance_from_source", value=float(distances(sources, result).mean()),
                              n=len(own), unit="levels", scope=scope.model_copy(update={"note": f"strength {at:g}"}))
                  for at, result in zip(STRENGTHS, results, strict=True)),
            ),
        )  # fmt: skip


def follows(sources: Bytes8, results: Sequence[Bytes8], wanted: Sequence[str]) -> NDArray[np.bool_]:
    """Which results follow both their source and their prompt (see `ImageToImageProbe`); shape (count,)."""
    weak, strong = results[0].astype(np.float64), results[-1]
    apart = np.abs(weak[:, None] - sources[None].astype(np.float64)).mean(axis=(2, 3, 4))
    own = np.diag(apart)
    others = np.where(np.eye(len(apart), dtype=bool), np.inf, apart).min(axis=1)
    shown = np.array([drawings.judge(picture) == label for picture, label in zip(strong, wanted, strict=True)])
    found: NDArray[np.bool_] = (own < others) & (distances(sources, strong) > own) & shown
    return found


def grows(sources: Bytes8, results: Sequence[Bytes8]) -> NDArray[np.bool_]:
    """Of which pictures the distance from the source grows with every step of strength; shape (count,)."""
    steps = np.diff(np.stack([distances(sources, result) for result in results]), axis=0)
    found: NDArray[np.bool_] = np.all(steps > 0, axis=0)
    return found


def rotated(words: Sequence[str]) -> list[str]:
    """The words, each in the place of the one `_OFFSET` places before it."""
    shift = _OFFSET % len(words) or 1
    return [*words[shift:], *words[:shift]]


def drawn_sources(task: RunTask, pipe: Any) -> tuple[list[int], list[str], Pictures]:
    """Places and prompts of the items drawn, and the pictures that the pipeline makes of them.

    Items are drawn by seed: their order in a set may follow their labels.
    """
    everything = staged_prompts(task)
    if len(everything) < 2:
        raise ProbeFailure("no_data", "fewer than two prompts: nothing to edit one picture into")
    chosen = random.Random(task.seed).sample(range(len(everything)), min(COUNT, len(everything)))
    prompts = [everything[item] for item in chosen]
    seeds = seeds_of(task.seed, len(prompts))
    return chosen, prompts, draw(pipe, prompts, seeds, steps=default_steps(pipe), size=native_size(pipe))


def edited_by(pipe: Any, kind: str) -> Callable[..., Pictures]:
    """A function that edits pictures with the library's pipeline of this kind, made of the same parts.

    Raises
    ------
    ProbeFailure
        The library has no such pipeline for these parts.
    """
    import diffusers

    try:
        with loading(kind):
            editor = quiet(getattr(diffusers, kind).from_pipe(pipe))
    except ProbeFailure as failure:
        what = f"diffusers makes no such pipeline of {type(pipe).__name__}: {failure.what}"
        raise ProbeFailure("missing_dependency", what) from failure

    def edit(prompts: Sequence[str], seed: int, **more: Any) -> Pictures:
        seeds = seeds_of(seed, len(prompts))
        return draw(editor, prompts, seeds, steps=default_steps(editor), size=native_size(pipe), **more)

    return edit


def same_size(sources: PackedPictures, results: Sequence[PackedPictures], count: int) -> tuple[Bytes8, list[Bytes8]]:
    """The pictures before and after, unpacked.

    Raises
    ------
    ValueError
        They differ in number or size.
    """
    shapes = {(one.count, one.height, one.width) for one in (sources, *results)}
    if shapes != {(count, sources.height, sources.width)}:
        raise ValueError(f"{count} pictures of one size before and after, not {sorted(shapes)}")
    return sources.unpack(), [result.unpack() for result in results]
