"""From the passages of an artifact to its claims."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from graph.artifacts import Artifact
from graph.claims import Claim
from indexer.claims.blocks import Block, blocks_of
from indexer.claims.entities import Names
from indexer.claims.facts import read_code, read_facts
from indexer.claims.fields import is_data, read_fields
from indexer.claims.prose import Around, dataset_of, read_sentence
from indexer.claims.sentences import sentences_in
from indexer.claims.stated import Statement, claim_of
from indexer.claims.tables import read_table
from indexer.passages import Passage

MOST_CLAIMS: Final = 20_000
"""Of one artifact; what states more is data, not a description."""
_PART: Final = re.compile(
    r"(?:the )?(?:(?P<named>[A-Za-z][\w.]*(?:[-_][\w.]+)+)(?: \(?\w+\)?)? (?:models? )?|"
    r"(?P<part>(?!composite|original|converted|the )[A-Za-z][\w -]{2,60}?) (?:models?|part|network|stage) )"
    r"(?:specifications?|details)\b",
    re.IGNORECASE,
)
_LONGEST_BESIDE: Final = 50_000


def read_claims(artifact: Artifact, passages: Iterable[Passage]) -> tuple[Claim, ...]:
    """The claims that passages about an artifact state, in the order of the text, each place once.

    Claims that say the same at several places share an id; each is given, for each has its span. Linear in the text.
    """
    names = Names(artifact)
    found: list[Claim] = []
    texts = tuple(passages)
    for passage in texts:
        seen: set[tuple[str, int, str, str]] = set()
        for statement in _statements(passage, names, _beside(passage, texts)):
            key = (statement.metric, statement.start, statement.comparator, str(statement.value))
            if key not in seen:
                seen.add(key)
                found.append(claim_of(statement, artifact, passage))
            if len(found) >= MOST_CLAIMS:
                return tuple(found)
    return tuple(found)


def with_claims(artifact: Artifact, passages: Sequence[Passage]) -> Artifact:
    """The artifact with the claims of its text behind its own, each id once; the first place counts."""
    known = {claim.id for claim in artifact.claims}
    added: dict[str, Claim] = {}
    for claim in read_claims(artifact, passages):
        if claim.id not in known:
            added.setdefault(claim.id, claim)
    return artifact.model_copy(update={"claims": (*artifact.claims, *added.values())}) if added else artifact


def _beside(passage: Passage, all_of_them: Sequence[Passage]) -> str:
    """The texts about the same capability, or the passage alone where it is about the whole artifact; bounded."""
    if passage.capability is None:
        return passage.text[:_LONGEST_BESIDE]
    return " ".join(other.text for other in all_of_them if other.capability == passage.capability)[:_LONGEST_BESIDE]


def _statements(passage: Passage, names: Names, beside: str) -> Iterator[Statement]:
    data = read_fields(passage.text, Around(names, passage=beside)) if is_data(passage.text) else None
    if data is not None:
        yield from data
        return
    section: list[str] = []
    for block in blocks_of(passage):
        if block.kind == "heading":
            section = [block.text]
        elif block.kind == "code":
            yield from read_code(block.text, block.start)
        elif block.kind == "table" and block.table is not None:
            part = _part_named(section, names)
            for statement in read_table(block.table, names, " ".join(section)):
                yield replace(statement, subject=part) if part and not statement.subject else statement
        else:
            yield from _of_prose(block, names, section, beside)
            section = [*section[-4:], block.text]


def _part_named(section: list[str], names: Names) -> str:
    """The part of a composite model that a section's heading names before "specification" or "model"; else ""."""
    found = _PART.match(section[0]) if section else None
    name = (found["named"] or found["part"]) if found is not None else ""
    return "" if names.is_exactly(name) else name


def _of_prose(block: Block, names: Names, section: list[str], beside: str) -> Iterator[Statement]:
    dataset: str | None = None
    around = Around(names, dataset_of(" ".join(section)) if section else None, beside)
    for start, end in sentences_in(block.text):
        sentence = block.text[start:end]
        here = Around(names, dataset or around.dataset, beside)
        yield from read_sentence(sentence, block.start + start, here)
        yield from read_facts(sentence, block.start + start)
        dataset = dataset_of(sentence) or dataset
