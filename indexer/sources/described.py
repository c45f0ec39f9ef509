"""A short name and a task from a description, for sources that give neither: its first sentence says it, or nothing."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from graph.artifacts import slug_of
from graph.taxonomy import OTHER, full_task
from indexer.sources.task_cues import CUES

_MOST_WORDS: Final = 14
_FEWEST_WORDS: Final = 3
_LONGEST_SENTENCE: Final = 1_000
_LONGEST_ID: Final = 60
_SENTENCE: Final = re.compile(r"[.!?](?=\s+[A-Z0-9\"'(\[]|\s*$)")
_ASIDE: Final = re.compile(r"\s*\([^()]{0,300}\)")
_CLAUSE: Final = re.compile(
    r"\s*[,;:–—]\s|\s+(?:using|through|that|which|by|via|with|without|across|while|so|where|enabling users|enabling)\s"
)
_WORD: Final = re.compile(r"[a-z0-9][a-z0-9-]*")
_LONGEST_TASK: Final = 5

_COMPILED: Final = tuple(
    (task, re.compile(rf"(?<!\w)(?:{pattern})", re.IGNORECASE)) for task, patterns in CUES for pattern in patterns
)


def first_sentence(text: str) -> str:
    """The first sentence of a text without its full stop, at most 1,000 characters.

    Examples
    --------
    >>> first_sentence("Reads FLUX.1 files. Writes others.")
    'Reads FLUX.1 files'
    """
    found = _SENTENCE.search(text, 0, _LONGEST_SENTENCE)
    return text[: found.start() if found else _LONGEST_SENTENCE].strip()


def name_of_description(text: str) -> str:
    """A short name in a description's own words: its first sentence up to the first clause, at most 14 words.

    Examples
    --------
    >>> name_of_description("Performs image classification using a hybrid architecture that is small.")
    'Performs image classification'
    """
    sentence = _ASIDE.sub("", first_sentence(text))
    cut = next(
        (m.start() for m in _CLAUSE.finditer(sentence) if len(sentence[: m.start()].split()) >= _FEWEST_WORDS), None
    )
    words = (sentence[:cut] if cut else sentence).split()
    return " ".join(words[:_MOST_WORDS])[:200].strip(" ,;:") or "unnamed"


def task_of_description(text: str) -> str:
    """The task that a text's first sentence names, by its name or in other words; `other.other` where it names none.

    Examples
    --------
    >>> task_of_description("Performs image classification with a small network.")
    'vision.image-classification'
    >>> task_of_description("Cooks for twelve people.")
    'other.other'
    """
    sentence = first_sentence(text).lower()
    found = [*_named_tasks(sentence), *_cued_tasks(sentence)]
    return min(found)[2] if found else OTHER


def unused_id(name: str, taken: Collection[str]) -> str:
    """A local id made of a name, with a number behind it where it is taken."""
    words = slug_of(name).split("-")
    while len("-".join(words)) > _LONGEST_ID and len(words) > 1:
        words.pop()
    slug = "-".join(words)[:_LONGEST_ID].strip("-._") or "unnamed"
    candidates = (slug if number == 1 else f"{slug}-{number}" for number in range(1, len(taken) + 2))
    return next(candidate for candidate in candidates if candidate not in taken)


def _named_tasks(sentence: str) -> list[tuple[int, int, str]]:
    words = list(_WORD.finditer(sentence))
    found = []
    for first in range(len(words)):
        for last in range(min(len(words), first + _LONGEST_TASK), first, -1):
            task = full_task("-".join(word[0] for word in words[first:last]))
            if task is not None and task != OTHER and "-" in task:
                found.append((words[first].start(), words[first].start() - words[last - 1].end(), task))
                break
    return found


def _cued_tasks(sentence: str) -> list[tuple[int, int, str]]:
    """Place, minus the length, and task of each cue."""
    hits = ((pattern.search(sentence), task) for task, pattern in _COMPILED)
    return [(hit.start(), hit.start() - hit.end(), task) for hit, task in hits if hit is not None]
