"""Drawings for the tiny FLUX pipeline: one coloured shape on a dark ground, and the prompts that name it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SIZE = 32
COLOURS = {"red": (215, 45, 40), "green": (50, 170, 70), "blue": (60, 85, 220), "yellow": (235, 205, 50)}
SHAPES = ("circle", "square", "triangle")
PAIRS = [(colour, shape) for colour in COLOURS for shape in SHAPES]
WORDINGS = ("a {colour} {shape}", "a picture of a {colour} {shape}", "a {shape} in {colour}")
_FINE = 4  # sub-pixels on each side of a pixel: edges come out smooth


def draw_shape(colour: str, shape: str, draw: np.random.Generator) -> NDArray[np.uint8]:
    """Return one drawing, shape (32, 32, 3): place, size, tint and ground vary with `draw`."""
    radius = draw.uniform(7.5, 10.5)
    middle_y, middle_x = 15.5 + draw.uniform(-5.0, 5.0, size=2)
    ground = np.full(3, draw.uniform(15, 45))
    ink = np.clip(np.array(COLOURS[colour]) + draw.uniform(-12, 12, size=3), 0, 255)
    fine = (np.arange(SIZE * _FINE) + 0.5) / _FINE - 0.5
    y, x = fine[:, None] - middle_y, fine[None, :] - middle_x
    if shape == "circle":
        inside = y**2 + x**2 <= radius**2
    elif shape == "square":
        inside = (np.abs(y) <= 0.88 * radius) & (np.abs(x) <= 0.88 * radius)
    elif shape == "triangle":  # point up, as wide as high
        inside = (np.abs(y) <= radius) & (np.abs(x) <= (y + radius) / 2)
    else:
        raise ValueError(f"no shape {shape!r}: {', '.join(SHAPES)}")
    covered = inside.reshape(SIZE, _FINE, SIZE, _FINE).mean(axis=(1, 3))[:, :, None]
    return np.round(ground + covered * (ink - ground)).astype(np.uint8)


def draw_many(count: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return drawings, shape (count, 32, 32, 3), and the index into `PAIRS` of each, shape (count,)."""
    draw = np.random.default_rng(seed)
    pairs = draw.permutation(np.arange(count) % len(PAIRS))
    return np.stack([draw_shape(*PAIRS[pair], draw) for pair in pairs]), pairs


def all_prompts() -> list[str]:
    """Return the prompts used in training: each pair in each wording, pairs first."""
    return [wording.format(colour=colour, shape=shape) for colour, shape in PAIRS for wording in WORDINGS]
