"""One page about one thing: a model card or any Markdown or plain text, with or without metadata before it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from graph.artifacts import Artifact, Capability, Source, slug_of
from graph.errors import SourceError
from graph.taxonomy import OTHER, task_of_label, task_words
from indexer.passages import Markup
from indexer.sources.cards import Card, card_of_text, claims_of_results
from indexer.sources.compare_layout import is_compare_page
from indexer.sources.compare_page import compare_entries
from indexer.sources.described import task_of_description
from indexer.sources.entry import PAGE, Entry, rejected
from indexer.sources.findings import LONGEST_TEXT
from indexer.sources.text_file import TextFile, read_text_file

SUFFIXES: Final = (".md", ".markdown", ".txt")
_README: Final = re.compile(r"(?:readme|index|model_?card)", re.IGNORECASE)
_TITLE_PREFIX: Final = re.compile(r"(?:model|dataset) card (?:for|of)\s+", re.IGNORECASE)
_LONGEST_NAME: Final = 200


def page_files(folder: Path) -> list[Path]:
    """The pages directly in a folder, sorted by name."""
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES and file.is_file())


def read_pages(path: Path) -> Iterator[Entry]:
    """One entry per page of a file or folder; a comparison page gives one per artifact that it compares.

    Raises
    ------
    SourceError
        A single file cannot be read, or a folder holds no page.
    """
    if not path.is_dir():
        yield from _read(path)
        return
    files = page_files(path)
    if not files:
        raise SourceError("no page in it: give a .md or .txt file", file=str(path), code="not_a_page")
    for file in files:
        try:
            yield from _read(file)
        except SourceError as error:
            yield rejected(error)


def _read(path: Path) -> Iterator[Entry]:
    yield from page_entries(read_text_file(path, str(path)), path)


def page_entries(found: TextFile, path: Path) -> Iterator[Entry]:
    """The entries of a page's text; its path names it, and nothing is read there."""
    file = str(path)
    if is_compare_page(found.text):
        yield from compare_entries(found.text, file, found.warnings)
        return
    warnings: list[str] = []
    card = card_of_text(found.text, path.name, warnings)
    markup: Markup = "plain" if path.suffix.lower() == ".txt" else "markdown"
    said = (*found.warnings, *(f"{file}: {warning}" for warning in warnings))
    yield Entry(artifact_of_page(card, path), PAGE, 0, None, said, (), card.passage(file, markup))


def artifact_of_page(card: Card, path: Path) -> Artifact:
    """The artifact that a page is about, named by its metadata, its title, its folder (a README) or its file."""
    name = _TITLE_PREFIX.sub("", card.title or "")[:_LONGEST_NAME].strip()
    name = name or (path.resolve().parent.name if _README.fullmatch(path.stem) else path.stem) or "page"
    task = card.task or task_of_label(*card.tags)
    if task == OTHER:
        task = task_of_description(card.description)
    description = card.description[:LONGEST_TEXT]
    words = task_words(task) if task != OTHER else name
    capability = Capability(id="main", name=words, task=task, description=description, tags=card.tags)
    return Artifact(
        id=name, slug=slug_of(name), name=name, type="finetune" if card.base_model else "model",
        description=description, license=card.license, library=card.library, base_model=card.base_model,
        has_card=True, capabilities=(capability,), claims=claims_of_results(name, card.results, "main"),
        source=Source(kind="page", file=str(path), line=1),
    )  # fmt: skip
