"""Flags that the text raises by itself: what it says that it does not know, and abilities of another product."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from graph.artifacts import Artifact
from indexer.claims.blocks import blocks_of
from indexer.passages import Passage
from inference.checks import Flag

_STRONG_HEDGES: Final = re.compile(
    r"\b(?:unknown|likely|unlikely|unclear|unconfirmed|unspecified|presumably|reportedly|allegedly|tbd)\b",
    re.IGNORECASE,
)
_LONGEST_QUOTE: Final = 200
_LONGEST_SPAN: Final = 80
MOST_HEDGES: Final = 1_000
"""Of one artifact; a text of more is no description."""


def flags_of_text(artifact: Artifact, passages: Iterable[Passage]) -> list[Flag]:
    """A flag for each word by which the text does not know, then one per capability of another product."""
    texts = tuple(passages)
    hedges = [flag for passage in texts for flag in _hedges(passage)]
    return hedges[:MOST_HEDGES] + _of_others(artifact, texts)


def _hedges(passage: Passage) -> Iterator[Flag]:
    found = list(_STRONG_HEDGES.finditer(passage.text))
    blocks = blocks_of(passage) if found else ()
    code = [(block.start, block.start + len(block.text)) for block in blocks if block.kind == "code"]
    for hedge in found[:MOST_HEDGES]:
        if not any(start <= hedge.start() < end for start, end in code):
            reason = f"“{hedge.group().lower()}”: the page does not know"
            yield Flag("hedged", reason, (), _around(passage.text, hedge.start()), passage.span(*hedge.span()))


def _of_others(artifact: Artifact, passages: Iterable[Passage]) -> list[Flag]:
    seen: dict[tuple[str | None, str], Flag] = {}
    for passage in passages:
        if passage.subject:
            reason = f"an ability of {passage.subject} stands under {artifact.name}"
            span = passage.span(0, min(len(passage.text), _LONGEST_SPAN))
            flag = Flag("other_artifact", reason, (), _around(passage.text, 0), span)
            seen.setdefault((passage.capability, passage.subject), flag)
    return list(seen.values())


def _around(text: str, position: int) -> str:
    start = max(0, position - 60)
    return " ".join(text[start : start + _LONGEST_QUOTE].split())
