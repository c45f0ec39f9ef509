"""Sentences of a block with their offsets, and what in them weakens a statement."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final

LONGEST: Final = 2_000
"""A longer sentence is read in pieces."""
_END: Final = re.compile(r"(?<=[.!?;])(?<!\be\.g\.)(?<!\bi\.e\.)(?<!\bvs\.)(?<!\bca\.)(?<!\bapprox\.)(?<!\bFig\.)"
                         r"(?<!\bal\.)[\"')\]]{0,3}\s+(?=[\"'(\[]{0,3}[A-Z0-9])")  # fmt: skip
HEDGES: Final = re.compile(
    r"\b(?:likely|unlikely|unknown|may|might|could|maybe|perhaps|possibly|probably|presumably|reportedly|allegedly|"
    r"estimated|expected|should|unclear|unconfirmed|unspecified|seems?|appears? to|tbd)\b",
    re.IGNORECASE,
)
_BEFORE: Final = re.compile(r"[;:)\u2013\u2014]|,\s")
"""What a hedge does not reach over; into a bracket it does: "may be lighter than X (5.3M)"."""
_AFTER: Final = re.compile(r"[;:()\u2013\u2014]|,\s")
_NEAR: Final = 60
"""A hedge weakens a number at most so many characters away."""


def sentences_in(text: str) -> list[tuple[int, int]]:
    """The sentences of a block as [start, end) offsets, trimmed, in order; none is longer than `LONGEST`.

    Examples
    --------
    >>> sentences_in("It has 5.6M parameters. It runs, e.g. on phones.")
    [(0, 23), (24, 48)]
    """
    cuts = [0, *(found.end() for found in _END.finditer(text)), len(text)]
    found = []
    for left, right in pairwise(cuts):
        for start in range(left, right, LONGEST):
            piece = text[start : min(right, start + LONGEST)]
            if piece.strip():
                begin = start + len(piece) - len(piece.lstrip())
                found.append((begin, begin + len(piece.strip())))
    return found


def is_hedged(sentence: str, start: int, end: int) -> bool:
    """Whether a hedge stands near [start, end) of a sentence and in its clause.

    Examples
    --------
    >>> is_hedged("it may reach 3x", 13, 15), is_hedged("likely fast; it has 5M parameters", 20, 22)
    (True, False)
    """
    left, right = clause_of(sentence, start, end)
    before, after = sentence[max(left, start - _NEAR) : start], sentence[end : min(right, end + _NEAR)]
    return bool(HEDGES.search(before) or HEDGES.search(after))


def clause_of(sentence: str, start: int, end: int) -> tuple[int, int]:
    """The [start, end) of the clause around a place: up to the next colon, dash, semicolon, comma or bracket's end."""
    left = max((found.end() for found in _BEFORE.finditer(sentence, 0, start)), default=0)
    after = _AFTER.search(sentence, end)
    return left, after.start() if after is not None else len(sentence)
