"""What a child is shown of a labelled set, file by file: items, names of labels, questions; never a right answer."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any, Final

from inference.data.sets import LabelledSet
from inference.probes.embedding import shown_triples

CHOICES: Final = 4
"""Endings of a question, of which one is true."""
CONTROLS: Final = 60
"""At most this many passages make one more question, in which no ending is true."""
_BEGINNING_WORDS: Final = 32
_ENDING_WORDS: Final = 12
_FEWEST_WORDS: Final = 12
"""A passage of fewer words makes no question."""


@dataclass(frozen=True)
class Choices:
    """Questions of a set of passages: a beginning, and endings of which one is true.

    `right` is its place, from 0; `control` says that no ending is true and its place was only drawn. All three are in
    the same, seeded order.
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
    """The questions of a set of passages, in an order drawn by seed; none where no passage is long enough.

    Each passage of at least twelve words is cut in its middle. The twelve words behind it, as they stand and in three
    other orders, are the endings: the same words, so that only a model of the language tells the true one. The
    controls have four other orders.
    """
    draw = random.Random(f"{seed}:{data.digest}")
    rows: list[tuple[tuple[str, list[str]], int, bool]] = []
    for number, item in enumerate(data.items):
        words = str(item).split()
        middle = len(words) // 2
        beginning = " ".join(words[max(0, middle - _BEGINNING_WORDS) : middle])
        ending = words[middle : middle + _ENDING_WORDS]
        orders = _other_orders(ending, draw) if len(words) >= _FEWEST_WORDS else []
        if not orders:
            continue
        right = draw.randrange(CHOICES)
        shown = orders[: CHOICES - 1]
        rows.append(((beginning, [*shown[:right], " ".join(ending), *shown[right:]]), right, False))
        if number < CONTROLS:
            rows.append(((beginning, orders), draw.randrange(CHOICES), True))
    draw.shuffle(rows)
    return Choices([row for row, _, _ in rows], [right for _, right, _ in rows], [control for _, _, control in rows])


def _other_orders(words: list[str], draw: random.Random) -> list[str]:
    """CHOICES texts of these words, all different and none as they stand; empty where repeated words leave too few."""
    found: dict[str, None] = {}
    for _ in range(10 * CHOICES):
        order = " ".join(draw.sample(words, len(words)))
        if order != " ".join(words):
            found.setdefault(order)
        if len(found) == CHOICES:
            return list(found)
    return []
