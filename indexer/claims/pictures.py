"""Sizes of pictures in prose, and shapes of tensors, which are none. Every repetition is bounded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_I: Final = re.IGNORECASE
_SHAPES: Final = re.compile(
    r"@ ?\[? ?(?:IoU ?= ?)?\d?\.\d{1,3}(?: ?[:-] ?\d?\.\d{1,3}){0,2}(?: ?IoU)?\]?|"
    r"IoU ?[=@] ?\d?\.\d{1,3}(?: ?[:-] ?\d?\.\d{1,3}){0,2}|"
    r"[\[(]\s*\d{1,5}(?:\.\d{1,6})?(?:\s*[,x×]\s*-?\d{1,5}(?:\.\d{1,6})?){1,6}\s*[\])]|"
    r"(?<![\d.])\d{1,5}(?:\s*,\s+\d{1,5}){2,6}(?![\d%])|"
    r"(?<![\w.])\d{1,5}(?:\s?[x×]\s?\d{1,5}){2,6}|(?:mean|scale|std|std\.?|shape|"
    r"channel)[\w ]{0,20}(?:values?|factors?)?\s*[-:=]?\s*[\[(]?\d[\d., ]{0,40}",
    _I,
)
_SIZES: Final = re.compile(
    r"(?<![\w.×-])(\d{2,5})\s?(?:[x×]|\\times)\s?(\d{2,5})(?:\s?[x×]\s?3|px\b)?(?![\w×]|\s?[x×]\s?\d)"
)
_SIZE_OTHER: Final = re.compile(
    r"(?:kernel|patch(?:es)?(?: size)?|conv|filter|grid|stride|window|cells?|matrix|map)\w*[\s\w(,]{0,25}$", _I
)
_SIZE_OTHER_BEHIND: Final = re.compile(
    r"\s*(?:conv|kernel|patch|filter|grid|cells?|max|pool|feature|anchors?|px patch|x\b)", _I
)
_LEAST_SIZE: Final = re.compile(
    r"(?:bigger|larger|smaller|less|more|at least|min(?:imum|imal)?(?: \w+)?)(?: than)?\s*$", _I
)


def shapes(sentence: str) -> list[tuple[int, int]]:
    """Where a sentence prints shapes of tensors and lists of channel values: no number there claims anything."""
    return [found.span() for found in _SHAPES.finditer(sentence)]


def sizes(sentence: str) -> Iterator[tuple[int, int, str]]:
    """Sizes of pictures as (start, end, "256x256")."""
    outside = [found.span() for found in _SHAPES.finditer(sentence)]
    for found in _SIZES.finditer(sentence):
        if any(a <= found.start() < b for a, b in outside):
            continue
        if _LEAST_SIZE.search(sentence[: found.start()][-30:]):
            continue
        if _SIZE_OTHER.search(sentence[: found.start()][-40:]) or _SIZE_OTHER_BEHIND.match(sentence, found.end()):
            continue
        yield found.start(), found.end(), f"{int(found[1])}x{int(found[2])}"
