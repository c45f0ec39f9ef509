"""Labelled sets that come with the program: scans of handwritten digits, and prompts for drawings."""

from __future__ import annotations

import functools
from typing import Final

from graph.errors import SourceError
from inference.data import drawings
from inference.data.labelled import LabelledSet, digests_of, finished

DIGITS: Final = "sklearn-digits"
BUILT_IN: Final = {DIGITS: tuple("0123456789"), drawings.NAME: drawings.LABELS}
"""Built-in sets with their labels, known before they are loaded."""


@functools.cache
def built_in(name: str) -> LabelledSet:
    """The built-in set of this name.

    `sklearn-digits`: 540 held-out scans of handwritten digits, the split
    `train_test_split(test_size=540, random_state=0, stratify=target)`; an item is an 8x8 RGB picture. `drawings`:
    prompts for one coloured shape, labelled with what the picture has to show.

    Raises
    ------
    SourceError
        There is none of this name.
    """
    if name not in BUILT_IN:
        raise SourceError(f"no built-in labelled set {name!r}: there is {', '.join(BUILT_IN)}")
    return _digits() if name == DIGITS else _drawings()


def _drawings() -> LabelledSet:
    asked, labels = drawings.prompts()
    return finished(drawings.NAME, "prompt", asked, labels, digests_of(prompt.encode() for prompt in asked))


def _digits() -> LabelledSet:
    from PIL import Image
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    scans = load_digits()
    rows = range(len(scans.target))
    _, held_out = train_test_split(rows, test_size=540, random_state=0, stratify=scans.target)
    pictures = [Image.fromarray((scans.images[row] / 16 * 255).astype("uint8")).convert("RGB") for row in held_out]
    labels = tuple(str(int(scans.target[row])) for row in held_out)
    return finished(DIGITS, "image", pictures, labels, digests_of(picture.tobytes() for picture in pictures))
