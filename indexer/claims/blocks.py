"""The blocks of a text: prose, headings, tables and code, each with its offsets. Markdown is read by markdown-it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from indexer.passages import Passage

MOST_CELLS: Final = 20_000
"""Cells of one passage's tables that are read; a table of more is data, not a page."""
_MASKED: Final = (
    re.compile(r"\]\([^()\s]{1,1000}(?:\([^()\s]{0,200}\)[^()\s]{0,200})?(?: \"[^\"]{0,200}\")?\)"),
    re.compile(r"<?https?://[^\s<>|]{1,1000}>?"),
    re.compile(r"</?[A-Za-z][^<>\n]{0,500}>"),
    re.compile(r"\\[*_#|<>\[\]()~`]"),
    re.compile(r"[*`]{1,3}|(?<!\w)_{1,3}|_{1,3}(?!\w)|^ {0,3}(?:> ?)+", re.MULTILINE),
)
_PARAGRAPHS: Final = re.compile(r"(?:[^\n]+\n?)+")


@dataclass(frozen=True)
class Cell:
    """One cell of a table: its words without markup, at `start` of the passage's text."""

    text: str
    start: int

    @property
    def end(self) -> int:
        """The offset behind its last character."""
        return self.start + len(self.text)


@dataclass(frozen=True)
class Table:
    """A table: header cells and rows of cells, all of one length."""

    header: tuple[Cell, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Block:
    """One block of a passage; `text` begins at `start` and has blanks where markup stood, so that offsets hold."""

    kind: Literal["prose", "heading", "code", "table"]
    text: str
    start: int
    table: Table | None = None


def blocks_of(passage: Passage) -> list[Block]:
    """The blocks of a passage, in order."""
    if passage.markup == "plain":
        return list(_plain_blocks(passage.text))
    return list(_markdown_blocks(passage.text))


def unmarked(text: str) -> str:
    """A text of the same length in which links' targets, tags, escapes and emphasis are blanks."""
    text = _without_comments(text)
    for pattern in _MASKED:
        text = pattern.sub(_blank, text)
    return text


def _without_comments(text: str) -> str:
    """The text with blanks for HTML comments; one that is never closed reaches to the end."""
    pieces, position = [], 0
    while (start := text.find("<!--", position)) >= 0:
        end = text.find("-->", start + 4)
        end = len(text) if end < 0 else end + 3
        pieces += [text[position:start], re.sub(r"[^\n]", " ", text[start:end])]
        position = end
    return "".join([*pieces, text[position:]])


def _blank(found: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", found.group())


def _plain_blocks(text: str) -> Iterator[Block]:
    for found in _PARAGRAPHS.finditer(unmarked(text)):
        yield Block("prose", found.group().replace("\n", " "), found.start())


def _markdown_blocks(text: str) -> Iterator[Block]:
    """Blocks by line: markdown-it says which lines are what, the words are the text's own."""
    starts = _line_starts(text)
    masked = unmarked(text)
    cells = 0
    for token in _block_tokens(text):
        if token.map is None:
            continue
        first, last = token.map
        start, end = starts[first], starts[min(last, len(starts) - 1)]
        if token.type in ("fence", "code_block"):
            yield Block("code", text[start:end], start)
        elif token.type == "heading_open":
            yield Block("heading", masked[start:end].replace("\n", " ").lstrip("# "), start)
        elif token.type == "table_open":
            table = _table(text, masked, starts, first, last)
            cells += sum(len(row) for row in table.rows)
            if cells <= MOST_CELLS:
                yield Block("table", "", start, table)
        elif token.type in ("paragraph_open", "html_block"):
            yield Block("prose", masked[start:end].replace("\n", " "), start)


def _block_tokens(text: str) -> list[Any]:
    """markdown-it's block tokens; inline markup is not parsed, it is masked."""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark").enable("table")
    tokens: list[Any] = []
    parser.block.parse(text, parser, {}, tokens)
    return tokens


def _line_starts(text: str) -> list[int]:
    """Offsets of the lines as markdown-it counts them, and the end of the text."""
    return [0, *(found.end() for found in re.finditer(r"\n", text)), len(text)]


def _table(text: str, masked: str, starts: list[int], first: int, last: int) -> Table:
    lines = [(starts[n], starts[min(n + 1, len(starts) - 1)]) for n in range(first, last)]
    rows = [_cells(text, masked, start, end) for start, end in lines]
    header, body = rows[0], rows[2:]
    return Table(header, tuple(row[: len(header)] for row in body if row))


def _cells(text: str, masked: str, start: int, end: int) -> tuple[Cell, ...]:
    """The cells of a line: what stands between bars that are not escaped."""
    line = text[start:end].rstrip("\r\n")
    bars = [found.start() for found in re.finditer(r"(?<!\\)\|", line)]
    edges = [-1, *bars, len(line)]
    cells = [_trimmed(masked, start + left + 1, start + right) for left, right in pairwise(edges)]
    if bars and not line[: bars[0]].strip():
        cells = cells[1:]
    if bars and len(bars) > 1 and not line[bars[-1] + 1 :].strip():
        cells = cells[:-1]
    return tuple(cells)


def _trimmed(masked: str, start: int, end: int) -> Cell:
    words = masked[start:end]
    left = len(words) - len(words.lstrip())
    return Cell(words.strip(), start + left)
