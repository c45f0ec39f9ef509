"""Comparison pages of directories: one artifact per column, its capabilities in the page's own words."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from graph.artifacts import ARTIFACT_TYPES, Artifact, Capability, Pricing, Source, slug_of
from indexer.passages import Passage
from indexer.placing import placed_passage, plain_pieces
from indexer.sources.compare_claims import OTHER_ARTIFACT, claims_of_page
from indexer.sources.compare_layout import ComparePage, Described, Stretch, parse_compare_page
from indexer.sources.described import name_of_description, task_of_description, unused_id
from indexer.sources.entry import COMPARED, Entry
from indexer.sources.findings import LONGEST_LINE, LONGEST_TEXT, clean_text, nearest
from indexer.sources.text_file import read_text_file
from indexer.sources.variants import other_subject

_DECLARED: Final = re.compile(r"(\d{1,5})\b")
_MOST_DECLARED: Final = 10_000
_SAYS_NOTHING: Final = ("", "-", "–", "—", "n/a", "unknown", "none")


def read_compare_page(path: Path) -> Iterator[Entry]:
    """One entry per artifact that a comparison page compares, in the order of its columns.

    Raises
    ------
    SourceError
        The file cannot be read, or is no such page.
    """
    file = str(path)
    found = read_text_file(path, file)
    yield from compare_entries(found.text, file, found.warnings)


def compare_entries(text: str, file: str, warnings: tuple[str, ...] = ()) -> Iterator[Entry]:
    """The entries of a page's text; what is odd about the page as a whole is said with the first.

    Raises
    ------
    SourceError
        It is no such page.
    """
    page = parse_compare_page(text, file)
    warned, problems = [*warnings, *page.warnings], tuple(page.problems)
    for column, name in enumerate(page.names):
        entry = _entry(page, column, name, text, file)
        yield replace(entry, warnings=(*warned, *entry.warnings), left_out=problems)
        warned, problems = [], ()


def _entry(page: ComparePage, column: int, name: str, text: str, file: str) -> Entry:
    facts = {row.name.casefold(): row.cells[column] for row in page.rows}
    warnings: list[str] = []
    capabilities: list[Capability] = []
    passages: list[Passage] = []
    for described in page.sections.get(name, []):
        capability, placed = _capability(described, name, text, file, {known.id for known in capabilities})
        capabilities.append(capability)
        passages += placed
    declared = _declared(page, name, facts.get("capabilities"), len(capabilities), file, warnings)
    if not capabilities:
        warnings.append(f"{file}: no '{name} Capabilities' section: nothing of what it does is known")
    artifact = Artifact(
        id=name, slug=slug_of(name), name=name, type=_type(facts.get("type"), file, warnings),
        license=_word(facts.get("license") or facts.get("licence")), pricing=_pricing(facts.get("pricing")),
        declared_total=declared, capabilities=tuple(capabilities), claims=claims_of_page(page, name, file),
        source=Source(kind="compare_page", file=file, line=1),
    )  # fmt: skip
    return Entry(artifact, COMPARED, 0, None, tuple(warnings), (), tuple(passages))


def _capability(
    described: Described, name: str, text: str, file: str, taken: Collection[str]
) -> tuple[Capability, list[Passage]]:
    """A described capability and the passages of its texts; both say so where it is another product's."""
    description = clean_text(described.description.text)
    title = clean_text(described.heading or name_of_description(description))[:LONGEST_LINE]
    identity, about = unused_id(title, taken), other_subject(description, name)
    texts = {
        field: placed_passage(plain_pieces(text, s.start, s.end), file, capability=identity, subject=about)
        for field, s in described.stretches.items()
    }
    capability = Capability(
        id=identity, name=title, task=task_of_description(description), tags=(OTHER_ARTIFACT,) if about else (),
        **{field: passage.text[:LONGEST_TEXT] for field, passage in texts.items()},
    )  # fmt: skip
    return capability, list(texts.values())


def _declared(
    page: ComparePage, name: str, cell: Stretch | None, listed: int, file: str, warnings: list[str]
) -> int | None:
    """How many capabilities the page declares: in its table, else those it lists and those it says are more."""
    more = page.more.get(name, 0)
    match = _DECLARED.match(cell.text) if cell is not None else None
    if match is None or cell is None:
        return min(listed + more, _MOST_DECLARED) if more else None
    if int(match[1]) != listed + more:
        shown = f"{listed} listed" + (f" and {more} more" if more else "")
        warnings.append(f"{file}:{cell.line}: {name}: {match[1]} capabilities are declared, {shown}")
    return min(int(match[1]), _MOST_DECLARED)


def _type(cell: Stretch | None, file: str, warnings: list[str]) -> Any:
    word = cell.text.casefold() if cell is not None else "model"
    if word in ARTIFACT_TYPES:
        return word
    line = f":{cell.line}" if cell is not None else ""
    warnings.append(f"{file}{line}: type {word[:80]!r} is not known{nearest(word, ARTIFACT_TYPES)}, model is assumed")
    return "model"


def _word(cell: Stretch | None) -> str | None:
    text = clean_text(cell.text)[:LONGEST_LINE] if cell is not None else ""
    return None if text.casefold() in _SAYS_NOTHING else text


def _pricing(cell: Stretch | None) -> Pricing:
    word = _word(cell)
    free = {"free": True, "open source": True, "paid": False}.get(word.casefold()) if word else None
    return Pricing(model=word, free=free)
