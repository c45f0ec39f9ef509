"""CSV, read row by row and bounded: delimiter and encoding are found out, each cell knows where it stands."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO

from graph.errors import SourceError
from indexer.passages import Passage
from indexer.placing import csv_pieces, placed_passage, plain_pieces
from indexer.sources.text_file import encoding_of

SUFFIXES: Final = (".csv", ".tsv")
LONGEST_LINE: Final = 1_000_000
MOST_COLUMNS: Final = 1_000
_SNIFFED: Final = 4_096
_DELIMITERS: Final = ",;\t|"


@dataclass(frozen=True)
class CsvRow:
    """A row: 1-based line and character offset of its beginning, its cells, and its text as it is in the file."""

    line: int
    start: int
    cells: tuple[str, ...]
    raw: str
    delimiter: str

    def place(self, column: int) -> tuple[int, int]:
        """Character offsets [start, end) of a cell in the file, without its quotes."""
        start, end, _ = _places(self.raw, self.delimiter)[column]
        return self.start + start, self.start + end

    def passage(self, column: int, file: str, capability: str | None = None) -> Passage:
        """A cell's text as a passage."""
        start, end, quoted = _places(self.raw, self.delimiter)[column]
        if quoted:
            return placed_passage(csv_pieces(self.raw, start, end, self.start), file, capability=capability)
        pieces = ((text, self.start + place) for text, place in plain_pieces(self.raw, start, end))
        return placed_passage(pieces, file, capability=capability)


@dataclass(frozen=True)
class CsvFile:
    """A file of rows: its columns, in order, and what was odd about its encoding."""

    path: Path
    file: str
    encoding: str
    delimiter: str
    columns: tuple[str, ...]
    warnings: tuple[str, ...] = ()

    def rows(self) -> Iterator[CsvRow | SourceError]:
        """Each row behind the header; a row with other than one cell per column, or broken quotes, is its error."""
        with self.path.open(encoding=self.encoding, newline="") as stream:
            records = _records(stream, self.file, self.delimiter)
            next(records, None)
            for row in records:
                if isinstance(row, CsvRow) and len(row.cells) != len(self.columns):
                    what = f"the row has {len(row.cells)} cells, the header {len(self.columns)}: mend its delimiters"
                    yield SourceError(what, file=self.file, line=row.line, code="ragged_row")
                else:
                    yield row


def open_csv(path: Path) -> CsvFile:
    """A file of rows with its header read.

    Raises
    ------
    SourceError
        It cannot be read, is empty or no text, or its header is broken.
    """
    file = str(path)
    encoding, guess = encoding_of(path, file)
    try:
        with path.open(encoding=encoding, newline="") as stream:
            head = stream.read(_SNIFFED)
            delimiter = "\t" if path.suffix.lower() == ".tsv" else _delimiter(head)
            stream.seek(0)
            header = next(_records(stream, file, delimiter), None)
    except OSError as error:
        raise SourceError(f"{error.strerror or error}: give a readable file", file=file) from error
    if header is None:
        raise SourceError("no line in it: the first names the columns", file=file, line=1, code="empty")
    if isinstance(header, SourceError):
        raise header
    columns = tuple(name.strip() or f"column {number}" for number, name in enumerate(header.cells, 1))
    twice = next((name for name in columns if columns.count(name) > 1), None) if len(columns) <= MOST_COLUMNS else None
    if len(columns) > MOST_COLUMNS or twice is not None:
        what = f"column {(twice or '')[:80]!r} is there twice" if twice else f"more than {MOST_COLUMNS:,} columns"
        raise SourceError(f"{what}: mend the header", file=file, line=header.line, code="bad_header")
    return CsvFile(path, file, encoding, delimiter, columns, (f"{file}: {guess}",) if guess else ())


def _delimiter(head: str) -> str:
    """What separates the cells, by the standard library's guess; else what is most frequent in the header."""
    header = next(iter(head.lstrip("\r\n").splitlines()), "")
    try:
        guess = csv.Sniffer().sniff(head[: max(_SNIFFED // 4, len(header))], _DELIMITERS).delimiter
    except csv.Error:
        guess = ""
    if guess and guess in header:
        return guess
    return max(_DELIMITERS, key=lambda delimiter: (header.count(delimiter), -_DELIMITERS.index(delimiter)))


class _Lines:
    """The lines of a stream for one record at a time; those of a broken record can be given back."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._back = stream, deque[str]()
        self.taken: list[str] = []
        self.line, self.start = 1, 0

    def begin(self) -> None:
        self.line += len(self.taken)
        self.start += sum(map(len, self.taken))
        self.taken = []

    def give_back(self) -> None:
        """All lines but the first of this record go back to be read again."""
        self._back.extendleft(reversed(self.taken[1:]))
        del self.taken[1:]

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._back.popleft() if self._back else self._stream.readline(LONGEST_LINE)
        if not line:
            raise StopIteration
        self.taken.append(line)
        return line


def _records(stream: TextIO, file: str, delimiter: str) -> Iterator[CsvRow | SourceError]:
    """Every record that is not blank; after a broken one, reading goes on in the line behind its first."""
    lines = _Lines(stream)
    while True:
        lines.begin()
        try:
            cells = next(csv.reader(lines, delimiter=delimiter, strict=True))
        except StopIteration:
            return
        except csv.Error as error:
            lines.give_back()
            what = "a quote is opened and not closed" if "end of data" in str(error) else str(error)
            yield SourceError(f"broken row, {what}: mend it", file=file, line=lines.line, code="syntax")
            continue
        if any(cell.strip() for cell in cells):
            yield CsvRow(lines.line, lines.start, tuple(cells), "".join(lines.taken), delimiter)


def _places(raw: str, delimiter: str) -> list[tuple[int, int, bool]]:
    """Where each cell of a record begins and ends, and whether it is quoted."""
    raw = raw.rstrip("\r\n")
    places: list[tuple[int, int, bool]] = []
    start = 0
    while start <= len(raw):
        if raw.startswith('"', start):
            end = raw.find('"', start + 1)
            while end >= 0 and raw.startswith('"', end + 1):
                end = raw.find('"', end + 2)
            places.append((start + 1, end, True))
            start = end + 2
        else:
            end = raw.find(delimiter, start)
            end = end if end >= 0 else len(raw)
            places.append((start, end, False))
            start = end + 1
    return places
