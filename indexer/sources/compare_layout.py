"""The layout of a directory's comparison page: table, capabilities by artifact, statements; each with its place.

A vs B
<statements>
| Feature | A | B |
|---|---|---|
| Adoption | 1 | 1 |
A Capabilities
<description>
Unique: …
vs alternatives: …
+5 more capabilities
Verdict
<statements>
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from graph.errors import SourceError

_MARKUP: Final = r"[\s>*_#-]{0,8}"
_UNIQUE: Final = re.compile(rf"{_MARKUP}unique[*_]{{0,3}}\s?:[*_]{{0,3}}\s*", re.IGNORECASE)
_VERSUS: Final = re.compile(rf"{_MARKUP}vs\.? alternatives[*_]{{0,3}}\s?:[*_]{{0,3}}\s*", re.IGNORECASE)
_MORE: Final = re.compile(r"\+\s?(\d{1,5}) more capabilit", re.IGNORECASE)
_CELL: Final = re.compile(r"(?:[^|\\]|\\.)*", re.DOTALL)
_DELIMITER: Final = re.compile(r":?-+:?")
_LINK: Final = re.compile(r"\[([^\]]{0,300})\]\([^)]{0,500}\)")
_SECTION: Final = " capabilities"
_END: Final = "need something different"
_LONGEST_NAME: Final = 200
_LONGEST_TITLE: Final = 1_000
MOST_ARTIFACTS: Final = 4
MOST_CAPABILITIES: Final = 1_000


@dataclass(frozen=True)
class Stretch:
    """A stretch of the page: its text, character offsets [start, end), and 1-based line."""

    text: str
    start: int
    end: int
    line: int


@dataclass(frozen=True)
class TableRow:
    """A row of the table: its name, and one cell per artifact."""

    name: str
    cells: tuple[Stretch, ...]


@dataclass
class Described:
    """A capability as the page describes it: up to three stretches, and a heading where it has one."""

    description: Stretch
    heading: str | None = None
    unique: Stretch | None = None
    vs_alternatives: Stretch | None = None

    @property
    def stretches(self) -> dict[str, Stretch]:
        """Description, what is unique, and the comparison with alternatives, by field, as far as given."""
        found = {"description": self.description, "unique": self.unique, "vs_alternatives": self.vs_alternatives}
        return {field: stretch for field, stretch in found.items() if stretch is not None}


@dataclass
class ComparePage:
    """A page, taken apart: `sections` by artifact, with how many capabilities each says are not shown."""

    names: tuple[str, ...]
    rows: list[TableRow] = field(default_factory=list)
    sections: dict[str, list[Described]] = field(default_factory=dict)
    more: dict[str, int] = field(default_factory=dict)
    statements: list[Stretch] = field(default_factory=list)
    problems: list[SourceError] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def is_compare_page(text: str) -> bool:
    """True if a text is titled "A vs B" and has a table with these columns, or sections of their capabilities."""
    lines = list(_lines(text[:100_000]))
    names = next((names for line in lines if (names := _header_names(line))), ())
    if not names:
        return False
    titled = {_plain(line.text) for line in lines[:20]}
    return " vs ".join(map(_plain, names)) in titled or any(_section_of(line, names) is not None for line in lines)


def parse_compare_page(text: str, file: str) -> ComparePage:
    """The page, taken apart; broken rows are among its problems.

    Raises
    ------
    SourceError
        It is no such page: there is no table with a column per artifact.
    """
    lines = list(_lines(text))
    header = next((number for number, line in enumerate(lines) if _header_names(line)), None)
    if header is None:
        what = "no comparison page: it needs a table | Feature | A | B |, and sections 'A Capabilities'"
        raise SourceError(what, file=file, line=1, code="not_a_compare_page")
    page = ComparePage(_header_names(lines[header]))
    if len(set(map(_plain, page.names))) < len(page.names) or len(page.names) > MOST_ARTIFACTS:
        what = f"the table must name 2 to {MOST_ARTIFACTS} different artifacts"
        raise SourceError(what, file=file, line=lines[header].line, code="not_a_compare_page")
    title = _plain(lines[0].text)
    page.statements = [line for line in lines[1:header] if line.text.strip()]
    if " vs " in title and title != " vs ".join(map(_plain, page.names)):
        page.warnings.append(f"{file}:{lines[0].line}: the title names others than the table, whose columns are read")
    body = _read_table(page, lines, header + 1, file)
    _read_body(page, lines[body:], file)
    return page


def _lines(text: str) -> Iterator[Stretch]:
    """The lines of a text from the first that is not blank, without their line ends."""
    start, begun = 0, False
    for number, raw in enumerate(re.split(r"(?<=\n)|(?<=\r)(?!\n)", text), 1):
        line = raw.rstrip("\r\n")
        begun = begun or bool(line.strip())
        if begun:
            yield Stretch(line, start, start + len(line), number)
        start += len(raw)


def _plain(text: str) -> str:
    """A line without markup, in lower case; of a long one its beginning."""
    text = text[:_LONGEST_TITLE]
    return " ".join((_LINK.sub(r"\1", text) if "[" in text else text).strip(" \t#*_>-").split()).casefold()


def _header_names(line: Stretch) -> tuple[str, ...]:
    """The artifacts that a table's header names behind its first column; () where it is no such header."""
    if not line.text.lstrip().startswith("|"):
        return ()
    cells = _cells(line)[: MOST_ARTIFACTS + 2]
    first, *names = [_LINK.sub(r"\1", cell.text[:_LONGEST_TITLE]).strip(" *_`") for cell in cells] or [""]
    fits = len(names) >= 2 and all(0 < len(name) <= _LONGEST_NAME for name in names)
    return tuple(names) if first.casefold() in ("feature", "") and fits else ()


def _cells(line: Stretch) -> list[Stretch]:
    """The cells of a table's line, trimmed, with their places."""
    begin = len(line.text) - len(line.text.lstrip()) + 1
    end = len(line.text.rstrip())
    cells = []
    while begin <= end:
        match = _CELL.match(line.text, begin, end)
        stop = match.end() if match else end
        raw = line.text[begin:stop]
        if stop < end or raw.strip():
            start = line.start + begin + len(raw) - len(raw.lstrip())
            cells.append(Stretch(raw.strip().replace("\\|", "|"), start, start + len(raw.strip()), line.line))
        begin = stop + 1
    return cells


def _read_table(page: ComparePage, lines: list[Stretch], number: int, file: str) -> int:
    """Read the rows; gives the number of the first line behind the table."""
    seen: dict[str, int] = {}
    while number < len(lines) and lines[number].text.lstrip().startswith("|"):
        line = lines[number]
        number += 1
        first, *cells = _cells(line) or [Stretch("", line.start, line.end, line.line)]
        if all(_DELIMITER.fullmatch(cell.text) for cell in (first, *cells)):
            continue
        name = first.text.strip(" *_`")
        if len(cells) != len(page.names) or not name:
            what = f"the row has {len(cells)} values for {len(page.names)} artifacts: write one for each"
            page.problems.append(SourceError(what, file=file, line=line.line, code="ragged_row"))
        elif name.casefold() in seen:
            what = f"row {name[:80]!r} is in line {seen[name.casefold()]} already: keep one"
            page.problems.append(SourceError(what, file=file, line=line.line, code="duplicate_row"))
        else:
            seen[name.casefold()] = line.line
            page.rows.append(TableRow(name, tuple(cells)))
    return number


def _section_of(line: Stretch, names: tuple[str, ...]) -> str | None:
    title = _plain(line.text)
    if not title.endswith(_SECTION):
        return None
    return next((name for name in names if title == _plain(name) + _SECTION), None)


def _read_body(page: ComparePage, lines: list[Stretch], file: str) -> None:
    """Read sections and verdict: everything behind the table."""
    section: str | None = None
    inside: dict[str, list[Stretch]] = {}
    for line in lines:
        if not line.text.strip():
            inside.get(section or "", []).append(line)
            continue
        title = _plain(line.text)
        named = _section_of(line, page.names)
        if title.startswith(_END):
            break
        if named is not None:
            section = named
            inside.setdefault(named, [])
        elif title == "verdict":
            section = None
        elif section is None:
            page.statements.append(line)
        elif more := _MORE.match(title):
            page.more[section] = page.more.get(section, 0) + int(more[1])
        else:
            inside[section].append(line)
    for name, found in inside.items():
        _read_section(page, name, found, file)


def _read_section(page: ComparePage, name: str, lines: list[Stretch], file: str) -> None:
    described: list[Described] = []
    heading: str | None = None
    for block in _blocks(lines):
        text = block.text
        if (mark := _UNIQUE.match(text) or _VERSUS.match(text)) is not None:
            field_name = "unique" if _UNIQUE.match(text) else "vs_alternatives"
            if not described or getattr(described[-1], field_name) is not None:
                what = f"{text[:20].strip()!r} belongs to no description above it: put it behind one"
                page.problems.append(SourceError(what, file=file, line=block.line, code="stray_text"))
            elif text[mark.end() :].strip():
                setattr(described[-1], field_name, _inner(block, mark.end()))
        elif text.lstrip().startswith("#"):
            heading = text.strip(" #*_") or None
        elif len(described) >= MOST_CAPABILITIES:
            what = f"more than {MOST_CAPABILITIES:,} capabilities: the rest was not read"
            page.problems.append(SourceError(what, file=file, line=block.line, code="too_large"))
            break
        else:
            described.append(Described(_inner(block, 0), heading))
            heading = None
    page.sections[name] = described


def _blocks(lines: list[Stretch]) -> Iterator[Stretch]:
    """Paragraphs: lines up to a blank one, or each line where the section has no blank lines between them.

    A line that begins with a mark of its own (a heading, Unique, vs alternatives) begins a paragraph in any case.
    """
    spoken = [number for number, line in enumerate(lines) if line.text.strip()]
    lines = lines[spoken[0] : spoken[-1] + 1] if spoken else []
    wrapped = len(spoken) < len(lines)
    waiting: list[Stretch] = []
    for line in lines:
        marked = bool(_UNIQUE.match(line.text) or _VERSUS.match(line.text) or line.text.lstrip().startswith("#"))
        if waiting and (not wrapped or marked or not line.text.strip() or waiting[-1].text.lstrip().startswith("#")):
            yield _united(waiting)
            waiting = []
        if line.text.strip():
            waiting.append(line)
    if waiting:
        yield _united(waiting)


def _united(lines: list[Stretch]) -> Stretch:
    return Stretch("\n".join(line.text for line in lines), lines[0].start, lines[-1].end, lines[0].line)


def _inner(block: Stretch, skip: int) -> Stretch:
    """A block from a place in it on, without blanks around it; `text` is only to look at, the place counts."""
    text = block.text[skip:]
    start = block.start + skip + len(text) - len(text.lstrip())
    return Stretch(text.strip(), start, block.end - (len(text) - len(text.rstrip())), block.line)
