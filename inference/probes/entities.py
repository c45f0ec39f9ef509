"""Entities in tagged sentences: which words belong together, and how many were found whole. Pure functions."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

OUTSIDE: Final = "O"
Tags = Sequence[str]
Span = tuple[int, int, str]


def spans_of(tags: Tags) -> set[Span]:
    """The entities in BIO tags: start, end (after the last word) and kind.

    As in CoNLL-2003's evaluation, I- after another kind or outside starts a new entity. Source: E. F. Tjong Kim Sang
    and F. De Meulder, Proceedings of CoNLL-2003, 142-147.

    Examples
    --------
    >>> sorted(spans_of(["B-A", "I-A", "I-B", "O", "B-A", "B-A"]))
    [(0, 2, 'A'), (2, 3, 'B'), (4, 5, 'A'), (5, 6, 'A')]
    """
    found, start, kind = set(), 0, ""
    for place, tag in enumerate([*tags, OUTSIDE]):
        letter, _, named = tag.partition("-")
        if letter == "I" and named and named == kind:
            continue
        if kind:
            found.add((start, place, kind))
        start, kind = place, named if letter in ("B", "I") else ""
    return found


def entity_counts(given: Sequence[Tags], right: Sequence[Tags]) -> list[tuple[int, int, int]]:
    """By sentence: entities found whole (kind and both ends), entities given, entities that there are."""
    rows = []
    for one, other in zip(given, right, strict=True):
        found, wanted = spans_of(one), spans_of(other)
        rows.append((len(found & wanted), len(found), len(wanted)))
    return rows


def entity_f1(given: Sequence[Tags], right: Sequence[Tags]) -> float:
    """Micro F1, 0..1, of whole entities; 0 where there are none at all."""
    counts = entity_counts(given, right)
    both = sum(one + other for _, one, other in counts)
    return 2 * sum(hits for hits, _, _ in counts) / both if both else 0.0


def dealt_tags(right: Sequence[Tags], seed: int = 0) -> list[list[str]]:
    """The same tags dealt out anew over the words of all sentences, each sentence as long as before."""
    flat = [tag for tags in right for tag in tags]
    random.Random(seed).shuffle(flat)
    pile = iter(flat)
    return [[next(pile) for _ in tags] for tags in right]


def drawn_words(right: Sequence[Tags], seed: int = 0) -> list[tuple[int, int]]:
    """Sentence and word of one word inside an entity, drawn from each sentence that has one."""
    draw = random.Random(seed)
    inside = [[word for word, tag in enumerate(tags) if tag != OUTSIDE] for tags in right]
    return [(row, draw.choice(words)) for row, words in enumerate(inside) if words]


def dealt_control(given: Sequence[Tags], right: Sequence[Tags], seed: int = 0) -> dict[str, Any]:
    """The same entities against tags that were dealt out anew: what is found whole then is found by chance.

    Chance is at most that both sides start an entity of the same kind at the same word, Σ given · dealt / words over
    the kinds; `passed` says that no more is found than this and five of its standard deviations.
    """
    dealt = dealt_tags(right, seed)
    hits = sum(found for found, _, _ in entity_counts(given, dealt))
    ours, theirs = _kinds(given), _kinds(dealt)
    most = sum(ours[kind] * theirs[kind] for kind in sorted(ours)) / max(sum(map(len, right)), 1)
    passed = hits <= most + 5 * math.sqrt(max(most, 0.25))
    return {"kind": "dealt_tags", "seed": seed, "found": hits, "expected_at_most": round(most, 6), "passed": passed}


def _kinds(sentences: Sequence[Tags]) -> Counter[str]:
    """How many entities there are of each kind."""
    return Counter(kind for tags in sentences for _, _, kind in spans_of(tags))
