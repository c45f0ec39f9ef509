"""Measure a saved tiny FLUX pipeline, called as its users call it, and write its model card."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import binomtest

from inference.data import drawings

if TYPE_CHECKING:
    from numpy.typing import NDArray

STEPS = (1, 2, 4, 8, 20)
SEEDS = 5
BATCH = 24


def write_card(output: Path) -> None:
    """Draw every prompt of the set `drawings` with five seeds at each number of steps, judge, write README.md."""
    from diffusers import FluxPipeline

    pipe = FluxPipeline.from_pretrained(output, local_files_only=True, use_safetensors=True)
    pipe.set_progress_bar_config(disable=True)
    prompts, labels = drawings.prompts()
    rows, shown = [], {}
    for steps in STEPS:
        started = time.process_time()
        shown[steps] = judged(pipe, prompts * SEEDS, steps)
        per_picture_ms = 1000 * (time.process_time() - started) / len(prompts) / SEEDS
        right = matches(shown[steps], labels)
        rows.append(f"| {steps} | {share(right)} | {per_picture_ms:.0f} |")
        print(rows[-1], flush=True)
    last = len(labels) // len(drawings.WORDINGS)
    unseen = [ok for place, ok in enumerate(matches(shown[20], labels)) if place % len(labels) >= len(labels) - last]
    shuffled = matches(shown[20], [labels[(place + 5) % len(labels)] for place in range(len(labels))])
    empty = matches(judged(pipe, [""] * len(labels), 20), labels)
    networks = (pipe.text_encoder, pipe.text_encoder_2, pipe.transformer, pipe.vae)
    card = CARD.format(
        parameters=sum(weight.numel() for network in networks for weight in network.parameters()),
        rows="\n".join(rows),
        pictures=len(prompts) * SEEDS,
        unseen=share(unseen),
        shuffled=share(shuffled),
        empty=share(empty),
    )
    (output / "README.md").write_text(card, encoding="utf-8")


def judged(pipe: Any, prompts: Sequence[str], steps: int) -> list[str]:
    """Return what the judge names in one picture of each prompt; picture k is drawn with seed k."""
    import torch

    pictures: list[NDArray[np.float32]] = []
    for start in range(0, len(prompts), BATCH):
        part = list(prompts[start : start + BATCH])
        generator = [torch.Generator().manual_seed(start + place) for place in range(len(part))]
        pictures.extend(
            pipe(part, height=32, width=32, num_inference_steps=steps, max_sequence_length=16, generator=generator,
                 output_type="np").images
        )  # fmt: skip
    return [drawings.judge(np.round(255 * picture).astype(np.uint8)) for picture in pictures]


def matches(shown: Sequence[str], labels: Sequence[str]) -> list[bool]:
    """Return for each picture whether it shows its label; the labels are repeated as often as needed."""
    return [one == labels[place % len(labels)] for place, one in enumerate(shown)]


def share(right: Sequence[bool]) -> str:
    """Return a share in percent with its exact 95 % interval."""
    interval = binomtest(sum(right), len(right)).proportion_ci(0.95, method="exact")
    percent = 100 * sum(right) / len(right)
    return f"{percent:.1f} % [{100 * interval.low:.1f}, {100 * interval.high:.1f}] ({sum(right)} of {len(right)})"


CARD = """\
---
license: apache-2.0
library_name: diffusers
pipeline_tag: text-to-image
tags:
- flux
- flow-matching
- tiny
---

# tiny-flux-shapes

Draws a red, green, blue or yellow circle, square or triangle on a dark ground, 32 by 32 pixels.

```python
from diffusers import FluxPipeline

pipe = FluxPipeline.from_pretrained("examples/models/tiny-flux-shapes")
pipe("a red circle", height=32, width=32, num_inference_steps=4, max_sequence_length=16).images[0]
```

It is a FLUX pipeline in every part (flow matching transformer without guidance embedding, autoencoder, CLIP and T5
text encoders), cut down to {parameters:,} parameters in all, so that it trains on one processor core.

## How it was made

`examples/train/tiny_flux_shapes.py`, seed 0: 6000 drawings made by `examples/train/tiny_flux_shapes_data.py`, each
with one of three wordings. First the autoencoder, then transformer and text encoders together.

## How good it is

Pictures in which a rule on pixels (`inference/data/drawings.py`; right on every one of 600 real drawings) names both
the colour and the shape of the prompt, {pictures} at each number of steps, with the exact 95 % interval. Milliseconds
are processor time of one core for one picture in a batch of 24.

| steps | colour and shape right | ms |
|---|---|---|
{rows}

At 20 steps: prompts in a wording that was not used in training {unseen}; pictures held against other prompts
{shuffled}; pictures of the empty prompt against the same labels {empty}. Chance is 8.3 %.

## Limits

Four colours, three shapes, one of them at a time. Text is cut after 16 tokens; without `max_sequence_length=16` the
call pads to 512, which the model never saw. Sizes that are no multiple of 4 are rounded by the library.
`guidance_scale` does nothing: there is no guidance embedding.
"""
