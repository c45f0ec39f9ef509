"""The two kinds of query that a calibration asks: what the index holds, in few words, and what no model does."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Final

from graph.artifacts import Artifact
from graph.constants import CALIBRATION_LEAST_WORDS, CALIBRATION_SENTENCES, CALIBRATION_SHARE
from graph.digest import text_digest
from indexer.decompose import why_sentences
from indexer.gate import Admission

_FILE: Final = Path(__file__).with_name("off_domain.json")


@cache
def off_domain() -> dict[str, tuple[str, ...]]:
    """Queries about cooking, law, travel, small talk…, some in other languages, some gibberish, by topic."""
    topics: dict[str, list[str]] = json.loads(_FILE.read_text(encoding="utf-8"))
    return {topic: tuple(queries) for topic, queries in topics.items()}


def is_for_fitting(query: str) -> bool:
    """Which half an off-domain query is in: fitted on, or kept for measuring. Decided by its digest alone."""
    return int(text_digest(query)[-1], 16) % 2 == 0


def fitting_queries() -> list[str]:
    """The off-domain queries that a build asks, in the order of the file."""
    return [query for queries in off_domain().values() for query in queries if is_for_fitting(query)]


def held_back_queries() -> list[str]:
    """The off-domain queries that no build asks: for measuring only."""
    return [query for queries in off_domain().values() for query in queries if not is_for_fitting(query)]


def admitted_sentences(artifacts: Iterable[Artifact], admission: Admission) -> list[str]:
    """What the index may say of its capabilities, sentence by sentence, without what refuted claims take out."""
    return [
        sentence
        for artifact in artifacts
        for capability in artifact.capabilities
        if (artifact.id, capability.id) in admission.admitted
        for sentence in why_sentences(artifact, capability, admission.refuted.get(artifact.id, frozenset()))
    ]


def made_queries(sentences: Iterable[str]) -> list[str]:
    """Queries that something in the index answers: a third of the words of a sentence, in their order.

    People ask in other words than a description uses: words are left out, so that the index's own sentences do not
    look nearer than questions are. Sentences and words are picked by digest: most of the queries stay the same when
    the catalogue changes a little. No sentences give none.
    """
    different = sorted({" ".join(sentence.split()) for sentence in sentences} - {""}, key=text_digest)
    long_ones = [sentence for sentence in different if len(sentence.split()) >= CALIBRATION_LEAST_WORDS]
    pool = (long_ones or different)[:CALIBRATION_SENTENCES]
    return [_some_words(pool[i % len(pool)], i // len(pool)) for i in range(CALIBRATION_SENTENCES if pool else 0)]


def _some_words(sentence: str, turn: int) -> str:
    words: Sequence[str] = sentence.split()
    places = sorted(range(len(words)), key=lambda place: text_digest(f"{turn} {place} {sentence}"))
    kept = sorted(places[: max(1, round(len(words) * CALIBRATION_SHARE))])
    return " ".join(words[place] for place in kept)
