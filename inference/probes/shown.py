"""What a child is shown of a labelled set, file by file: items, names of labels, questions; never a right answer."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any, Final

from inference.data.sets import LabelledSet
from inference.probes.embedding import shown_triples

CHOICES: Final = 4
"""Continuations among which the true one stands."""
CONTROLS: Final = 60
"""At most this many questions are asked once more with a beginning that has nothing to do with them."""
_WORDS: Final = 16
"""Most words of a continuation, and most words of its beginning twice over."""
_FEWEST: Final = 8
"""A passage of fewer words makes no question."""


@dataclass(frozen=True)
class Choices:
    """Questions of a set of passages: beginning, and continuations of which one is true.

    `right` is its place, from 0; `control` says that the beginning belongs to another passage, so that nothing tells
    the true one. All three are in the same, seeded order.
    """

    questions: list[tuple[str, list[str]]]
    right: list[int]
    control: list[bool]


def shown_files(data: LabelledSet) -> dict[str, Any]:
    """What the child sees of a set that is no set of pictures, as JSON by file name.

    `items.json` holds the items; `classes.json` the distinct labels, for probes that are told what to choose from;
    `choices.json` the questions of passages.
    """
    if data.kind == "triples":
        return {"items.json": shown_triples(data)[0]}
    if data.kind == "passages":
        return {"items.json": list(data.items), "choices.json": shown_choices(data).questions}
    return {"items.json": list(data.items), "classes.json": list(data.classes)}


def shown_choices(data: LabelledSet, seed: int = 0) -> Choices:
    """The questions of a set of passages, in an order drawn by seed; none where there are too few long passages.

    Each passage of at least eight words is cut in its middle. Its second half, of at most 16 words, stands among those
    of three others, all cut to the same number of words. Without the beginning the four are exchangeable, which the
    controls show: there the beginning is that of a fifth passage.
    """
    draw = random.Random(f"{seed}:{data.digest}")
    halves = [_halves(str(item)) for item in data.items]
    usable = [pair for pair in halves if pair is not None]
    if len(usable) <= CHOICES:
        return Choices([], [], [])
    rows = []
    for number, (beginning, _) in enumerate(usable):
        others = draw.sample([other for other in range(len(usable)) if other != number], CHOICES)
        shown = [number, *others[: CHOICES - 1]]
        draw.shuffle(shown)
        length = min(len(usable[other][1]) for other in shown)
        endings = [" ".join(usable[other][1][:length]) for other in shown]
        rows.append(((beginning, endings), shown.index(number), False))
        if number < CONTROLS:
            rows.append(((usable[others[-1]][0], endings), shown.index(number), True))
    draw.shuffle(rows)
    return Choices([row for row, _, _ in rows], [right for _, right, _ in rows], [control for _, _, control in rows])


def _halves(passage: str) -> tuple[str, list[str]] | None:
    """The words up to the middle as one text, and those behind it; None for a passage too short."""
    words = passage.split()
    if len(words) < _FEWEST:
        return None
    middle = len(words) // 2
    return " ".join(words[max(0, middle - 2 * _WORDS) : middle]), words[middle : middle + _WORDS]
