"""In-painting with a text-to-image pipeline's own parts: is the masked half drawn anew and the other half kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from graph.claims import Scope
from inference.data import drawings
from inference.data.sets import LabelledSet
from inference.probes.base import Measured, Measurement, ProbeInfo, RunTask, Subject
from inference.probes.diffusion.drawing import judged
from inference.probes.diffusion.editing import COUNT, Chosen, drawn_sources, edited_by, rotated, same_size
from inference.probes.diffusion.pictures import Bytes8, PackedPictures, pack
from inference.probes.diffusion.pipes import (
    MODULES,
    Pictures,
    default_steps,
    drawing_seconds,
    draws,
    load_pipeline,
)

TASK: Final = "vision.inpainting"
_ALLOWANCE: Final = 2.0
"""So many times the autoencoder's own error and as many levels are no change."""
_SPREADS: Final = 3.0
"""Standard deviations above chance from which colours follow the prompts."""
_BORDER: Final = 1 / 8
"""Part of the width on both sides of the mask's edge that is looked at on neither side: the autoencoder blurs there."""


class _Raw(BaseModel):
    """The child's answer: pictures, what the autoencoder alone makes of them, with half a mask and with no mask."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    chosen: Chosen
    sources: PackedPictures
    round_trip: PackedPictures
    half: PackedPictures
    nothing: PackedPictures
    steps: int = Field(ge=1, le=10_000)
    size: str = Field(max_length=20)


class InpaintingProbe:
    """Masks the left half of pictures that the pipeline drew itself and asks for something else there.

    Right is a picture whose right half lies nearer to that of its own source than to that of any other, and whose left
    half is further from its source than the autoencoder's own error explains. (The kept half may differ by more than
    that error: a decoder's normalisation carries the new half over into it.)
    """

    info = ProbeInfo(
        name="inpainting",
        version="2",
        metrics=("runs",),
        tasks=(TASK,),
        needs="prompt",
        modules=MODULES,
        control="with an empty mask nothing may change; the colours in the masked halves must follow the prompts more "
        f"often than by chance, by {_SPREADS:g} standard deviations",
        declared=f"runs: the kept half nearest to its own source's, the masked half changed by more than "
        f"{_ALLOWANCE:g} times the autoencoder's error and {_ALLOWANCE:g} levels; chance is one in so many pictures",
    )

    def cost_s(self, subject: Subject, data: LabelledSet | None) -> float | None:
        """Seconds to load, to draw the pictures and to fill each twice; None where it does not fit."""
        if not draws(subject) or not judged(data):
            return None
        return drawing_seconds(subject, 28 * COUNT * 3)

    def run(self, task: RunTask) -> dict[str, Any]:
        """The raw answer: pictures, before and after."""
        pipe, _ = load_pipeline(task.folder)
        chosen, prompts, sources = drawn_sources(task, pipe)
        fill = edited_by(pipe, "AutoPipelineForInpainting")
        mask = np.zeros((*sources.shape[:3], 1), np.float32)
        nothing = fill(rotated(prompts), task.seed + 1, image=sources, mask_image=mask, strength=1.0)
        mask[:, :, : mask.shape[2] // 2] = 1
        half = fill(rotated(prompts), task.seed + 1, image=sources, mask_image=mask, strength=1.0)
        return {
            "chosen": {"items": chosen},
            "sources": pack(sources),
            "round_trip": pack(round_trip(pipe, sources)),
            "half": pack(half),
            "nothing": pack(nothing),
            "steps": default_steps(pipe),
            "size": f"{sources.shape[2]}x{sources.shape[1]}",
        }

    def score(self, raw: bytes, data: LabelledSet | None) -> Measured:
        """The share of pictures that kept one half and changed the other."""
        if data is None or not judged(data):
            raise ValueError("a prompt set is needed whose labels the judge knows")
        answer = _Raw.model_validate_json(raw)
        own, wanted = answer.chosen.labels(data)
        given = (answer.round_trip, answer.half, answer.nothing)
        sources, (trip, half, nothing) = same_size(answer.sources, given, len(own))
        right = keeps(sources, trip, half)
        changed, kept = errors(sources, half, *sides(sources))
        still = errors(sources, nothing, *sides(sources)).max(axis=0) <= allowed(sources, trip)
        n, scope = len(right), Scope(steps=answer.steps, size=answer.size)
        hits, needed = follows_prompts(half[:, :, sides(half)[0]], wanted)
        passed = bool(still.mean() >= 0.75 and hits >= needed)
        control = {"kind": "empty_mask", "successes": int((~still).sum()), "n": n, "colours": hits,
                   "colours_needed": round(needed, 3), "passed": passed}  # fmt: skip
        error = float(errors(sources, trip, *sides(sources)).mean())
        numbers = {"inpaint_outside_error": float(kept.mean()), "inpaint_inside_change": float(changed.mean()),
                   "autoencoder_error": error}  # fmt: skip
        return Measured(
            loads=True,
            finite=True,
            measurements=(
                Measurement(metric="runs", value=float(right.mean()), successes=int(right.sum()), n=n, chance=1 / n,
                            scope=scope, control=control),
                *(Measurement(metric=metric, value=value, n=n, unit="levels", scope=scope)
                  for metric, value in numbers.items()),
            ),
        )  # fmt: skip


def keeps(sources: Bytes8, trip: Bytes8, half: Bytes8) -> NDArray[np.bool_]:
    """Which pictures kept the right half of their source and changed the left one; shape (count,)."""
    inside, outside = sides(sources)
    changed = errors(sources, half, inside)[0] > allowed(sources, trip)
    kept = sources[:, :, outside].astype(np.float64)
    apart = np.abs(half[:, None, :, outside].astype(np.float64) - kept[None]).mean(axis=(2, 3, 4))
    found: NDArray[np.bool_] = changed & (apart.argmin(axis=1) == np.arange(len(apart)))
    return found


def follows_prompts(parts: Bytes8, wanted: Sequence[str]) -> tuple[int, float]:
    """How many parts of pictures have the colour that their prompt asks for, and how many are more than chance.

    A pipeline that fills the mask with anything changes it too; only one that reads the prompt gets its colour. Chance
    is Σ parts of colour c · prompts for c / n, its variance at most n·p(1 − p).
    """
    shown, asked = [drawings.colour(part) for part in parts], [label.partition(" ")[0] for label in wanted]
    said, meant, n = Counter(shown), Counter(asked), len(asked)
    expected = sum(said[name] * meant[name] for name in sorted(meant)) / n
    hits = sum(one == other for one, other in zip(shown, asked, strict=True))
    return hits, expected + _SPREADS * max(expected * (1 - expected / n), 0.25) ** 0.5


def sides(pictures: Bytes8) -> tuple[slice, slice]:
    """Columns of the left and of the right half, without the border between them."""
    width = pictures.shape[2]
    border = max(1, round(width * _BORDER))
    return slice(0, max(1, width // 2 - border)), slice(width // 2 + border, width)


def errors(one: Bytes8, other: Bytes8, *columns: slice) -> NDArray[np.float64]:
    """Mean absolute difference in each of these columns, in levels; shape (parts, count)."""
    apart = np.abs(one.astype(np.float64) - other.astype(np.float64))
    return np.stack([apart[:, :, part].mean(axis=(1, 2, 3)) for part in columns])


def allowed(sources: Bytes8, trip: Bytes8) -> NDArray[np.float64]:
    """How far a kept half of each picture may differ, in levels; shape (count,)."""
    limit: NDArray[np.float64] = _ALLOWANCE * errors(sources, trip, *sides(sources)).max(axis=0) + _ALLOWANCE
    return limit


def round_trip(pipe: Any, pictures: Pictures) -> Pictures:
    """The pictures through the autoencoder and back; the same shape, 0..1."""
    import torch

    with torch.inference_mode():
        pixels = torch.from_numpy(pictures).permute(0, 3, 1, 2) * 2 - 1
        encoded = pipe.vae.encode(pixels)
        latents = encoded.latent_dist.mode() if hasattr(encoded, "latent_dist") else encoded.latents
        decoded = pipe.vae.decode(latents).sample
    return np.asarray((decoded / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1), np.float32)
