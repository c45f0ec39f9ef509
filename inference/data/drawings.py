"""Drawings of one coloured shape: the built-in prompt set `drawings`, and the rule that names what a picture shows.

The judge is a rule on pixels and knows nothing of any model: it finds the one coloured region before a grey ground,
names its colour by hue and its shape by which of three outlines it covers best, and names nothing where the picture
holds something else.
"""

from __future__ import annotations

import colorsys
from typing import Final

import numpy as np
from numpy.typing import NDArray

NAME: Final = "drawings"
COLOURS: Final = ("red", "green", "blue", "yellow")
SHAPES: Final = ("circle", "square", "triangle")
LABELS: Final = tuple(f"{colour} {shape}" for colour in COLOURS for shape in SHAPES)
WORDINGS: Final = (
    "a {colour} {shape}",
    "a picture of a {colour} {shape}",
    "a {shape} in {colour}",
    "a picture of a {shape} in {colour}",
)
JUDGE: Final = "coloured-shape/1"
SMALLEST, LARGEST = 8, 2048
"""Sides in pixels of the pictures that the judge looks at."""
_HUES: Final = {"red": (-25.0, 20.0), "yellow": (35.0, 75.0), "green": (90.0, 165.0), "blue": (205.0, 265.0)}
_COLOURED: Final = 0.25
"""Least chroma (largest minus smallest channel, 0..1) of a pixel that counts as coloured."""
_COVERED: Final = (0.04, 0.80)
"""Share of the picture that the shape covers, at least and at most."""
_ONE_REGION: Final = 0.85
"""Share of all coloured pixels that the largest region holds, at least."""
_ONE_COLOUR: Final = 0.85
"""Share of the region's pixels that have its colour, at least."""
_OVERLAP: Final = 0.80
"""Intersection over union of region and outline, at least."""
_CIRCLES: Final = (2.0, 2.4)
_SQUARES: Final = (64.0, 8.0, 5.0)
"""Powers of the superellipses that pass for a circle and for a square: plain, and a little rounded."""
_WORN_TIPS: Final = (0.0, 0.1, 0.2, 0.3)
"""Parts of a triangle's height that may be missing at its tip."""
_WORN_SIDES: Final = (0.0, 0.1, 0.2)
"""Parts of its width that may be missing at its other corners."""
_APART: Final = 0.02
"""How much better the best outline fits than the next, at least."""


def prompts() -> tuple[list[str], tuple[str, ...]]:
    """The built-in set: 48 prompts and their labels ("red circle"), each pair in each wording, wordings first."""
    asked = [
        (wording.format(colour=colour, shape=shape), f"{colour} {shape}")
        for wording in WORDINGS
        for colour in COLOURS
        for shape in SHAPES
    ]
    return [prompt for prompt, _ in asked], tuple(label for _, label in asked)


def knows(label: str) -> bool:
    """Whether the judge has a name for what this label says."""
    return plain(label) in LABELS


def plain(label: str) -> str:
    """A label as the judge writes it: lower case, single blanks."""
    return " ".join(label.casefold().split())


def judge(picture: NDArray[np.uint8]) -> str:
    """The label of what a picture shows, as "red circle"; "" where it shows no such thing plainly.

    Parameters
    ----------
    picture : array of uint8
        Shape (height, width, 3), RGB, 8 to 2048 pixels a side.

    Raises
    ------
    ValueError
        It has another shape or type.
    """
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise ValueError(f"a picture is uint8 of shape (height, width, 3), not {picture.dtype} {picture.shape}")
    if not all(SMALLEST <= side <= LARGEST for side in picture.shape[:2]):
        raise ValueError(f"a picture has {SMALLEST} to {LARGEST} pixels a side, not {picture.shape[:2]}")
    scaled = picture.astype(np.float64) / 255
    region = _region(scaled)
    if region is None:
        return ""
    colour, shape = _colour(scaled[region]), _shape(region)
    return f"{colour} {shape}" if colour and shape else ""


def colour(picture: NDArray[np.uint8]) -> str:
    """The colour of nearly all coloured pixels of a part of a drawing, whatever their shape; "" where there is none.

    `picture` has the shape (height, width, 3).
    """
    scaled = picture.astype(np.float64) / 255
    coloured = scaled.max(axis=2) - scaled.min(axis=2) >= _threshold(scaled)
    return _colour(scaled[coloured]) if float(coloured.mean()) >= _COVERED[0] else ""


def _region(picture: NDArray[np.float64]) -> NDArray[np.bool_] | None:
    """The pixels of the one coloured region, shape (height, width); None where there is not one."""
    from scipy import ndimage

    coloured = picture.max(axis=2) - picture.min(axis=2) >= _threshold(picture)
    regions, count = ndimage.label(coloured)
    if not count:
        return None
    sizes = np.bincount(regions.ravel())[1:]
    region: NDArray[np.bool_] = regions == 1 + int(sizes.argmax())
    covered = float(region.mean())
    whole = sizes.max() / sizes.sum() >= _ONE_REGION
    return region if whole and _COVERED[0] <= covered <= _COVERED[1] else None


def _threshold(picture: NDArray[np.float64]) -> float:
    """The chroma from which a pixel is coloured: half of the strongest, so that soft edges are cut in the middle."""
    chroma = picture.max(axis=2) - picture.min(axis=2)
    return max(_COLOURED, float(np.quantile(chroma, 0.98)) / 2)


def _colour(pixels: NDArray[np.float64]) -> str:
    """The colour of most of the pixels, shape (n, 3); "" where none is that of nearly all."""
    names = [_hue_name(*pixel) for pixel in pixels.tolist()]
    best = max(COLOURS, key=names.count)
    return best if names.count(best) >= _ONE_COLOUR * len(names) else ""


def _hue_name(red: float, green: float, blue: float) -> str:
    """The colour that a hue belongs to; "" between two."""
    degrees = 360 * colorsys.rgb_to_hsv(red, green, blue)[0]
    for name, (low, high) in _HUES.items():
        if low <= degrees <= high or low <= degrees - 360 <= high:
            return name
    return ""


def _shape(region: NDArray[np.bool_]) -> str:
    """The shape whose outline, drawn into the region's own box, covers the region best; "" where none does well."""
    rows, columns = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
    inner = region[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = inner.shape
    if not 0.7 <= height / width <= 1 / 0.7:
        return ""
    fits = {name: max(_overlap(inner, outline) for outline in _outlines(name, height, width)) for name in SHAPES}
    first, second = sorted(fits.values(), reverse=True)[:2]
    return max(fits, key=lambda name: fits[name]) if first >= _OVERLAP and first - second >= _APART else ""


def _outlines(shape: str, height: int, width: int) -> list[NDArray[np.bool_]]:
    """A shape that fills a box of this size, plain and with its corners worn off as soft edges leave them."""
    y = ((np.arange(height) + 0.5) / height)[:, None]
    x = np.abs(2 * ((np.arange(width) + 0.5) / width) - 1)[None, :]
    if shape == "circle":
        return [_rounded(y, x, power) for power in _CIRCLES]
    if shape == "square":
        return [_rounded(y, x, power) for power in _SQUARES]
    return [x <= (1 + side) * (y + tip) / (1 + tip) for tip in _WORN_TIPS for side in _WORN_SIDES]


def _rounded(y: NDArray[np.float64], x: NDArray[np.float64], power: float) -> NDArray[np.bool_]:
    """The superellipse of this power: 2 is a circle, a high one a square with its corners rounded."""
    inside: NDArray[np.bool_] = np.abs(2 * y - 1) ** power + x**power <= 1
    return inside


def _overlap(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Intersection over union of two masks."""
    return float((one & other).sum() / (one | other).sum())
