"""The rows of a log, JSON Lines or CSV: numbered, bounded, each one a row or what is wrong with it."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from graph.errors import SourceError
from indexer.sources.lines import LONGEST_LINE_BYTES, read_json_lines

RECORD_LINES: Final = 64
"""A quoted cell may hold line breaks, but a record has at most this many lines: a stray quote then costs one line."""
_DELIMITERS: Final = ",;\t|"
_GZIP: Final = b"\x1f\x8b"
Row = tuple[int, dict[str, Any] | SourceError]
Line = tuple[int, str | SourceError]


def read_rows(path: Path) -> Iterator[Row]:
    """The 1-based number of each row's first line, and its fields by name, or what is wrong with it.

    Files ending in .csv and .tsv are CSV, .jsonl, .ndjson and .json JSON Lines; of others the first byte decides. CSV
    has a header; its delimiter is the one of `, ; tab |` that the header has most of. Blank lines are no rows. What
    ends without a line break in the middle of a row is `truncated`.

    Raises
    ------
    SourceError
        The file as a whole cannot be read: missing, empty, compressed, a JSON array, without a header.
    """
    file = str(path)
    try:
        with path.open("rb") as stream:
            start = stream.read(4_096)
    except OSError as error:
        raise SourceError(f"{error.strerror or error}: give a readable log", file=file) from error
    if start.startswith(_GZIP):
        raise SourceError("this is compressed: unpack it first, with gunzip", file=file, code="compressed")
    if not start.strip():
        raise SourceError("no line in it: give a log of searches and outcomes", file=file, code="empty")
    if path.suffix.lower() in (".csv", ".tsv"):
        return _csv_rows(path)
    first = start.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if path.suffix.lower() in (".jsonl", ".ndjson", ".json") or first in b"{[":
        if first == b"[":
            raise SourceError("a JSON array: write one object a line, as `jq -c '.[]'` does", file=file, code="array")
        return _json_rows(path)
    return _csv_rows(path)


def _json_rows(path: Path) -> Iterator[Row]:
    whole, last = _ends_whole(path), None
    for row in read_json_lines(path, str(path)):
        if last is not None:
            yield last
        last = row
    if last is not None:
        number, found = last
        cut = isinstance(found, SourceError) and found.code == "syntax" and not whole
        yield (number, _truncated(path, number)) if cut else last


def _ends_whole(path: Path) -> bool:
    """Whether a file that is not empty ends with a line break."""
    with path.open("rb") as stream:
        stream.seek(-1, 2)
        return stream.read(1) == b"\n"


def _truncated(path: Path, number: int) -> SourceError:
    what = "the file ends in the middle of this row: copy the log again"
    return SourceError(what, file=str(path), line=number, code="truncated")


# CSV ----------------------------------------------------------------------------------------------------
def _csv_rows(path: Path) -> Iterator[Row]:
    lines = _Lines(_decoded(path))
    number, header = next(lines, (1, ""))
    if isinstance(header, SourceError):
        raise header
    text = header.removeprefix("\ufeff")
    delimiter = max(_DELIMITERS, key=text.count)
    names = [name.strip() for name in next(csv.reader([text], delimiter=delimiter), [])]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if len(names) < 2 or repeated:
        what = f"column {repeated[0]!r} is there twice" if repeated else "no header with at least two columns"
        raise SourceError(f"{what}: begin with a line of column names", file=str(path), line=number, code="header")
    return _records(path, lines, names, delimiter)


def _decoded(path: Path) -> Iterator[Line]:
    """Each line that is not blank with its number; its text with the line break, or what is wrong with it."""
    file = str(path)
    with path.open("rb") as stream:
        number = 0
        while line := stream.readline(LONGEST_LINE_BYTES + 1):
            number += 1
            if len(line) > LONGEST_LINE_BYTES:
                while line and not line.endswith(b"\n"):
                    line = stream.readline(LONGEST_LINE_BYTES)
                what = f"the line has more than {LONGEST_LINE_BYTES:,} bytes: shorten it"
                yield number, SourceError(what, file=file, line=number, code="too_long")
                continue
            try:
                yield number, line.decode("utf-8")
            except UnicodeDecodeError:
                what = "not UTF-8: save the file as UTF-8"
                yield number, SourceError(what, file=file, line=number, code="not_utf8")


class _Lines:
    """Numbered lines that can be given back."""

    def __init__(self, lines: Iterator[Line]) -> None:
        self._lines, self._given_back = lines, deque[Line]()

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> Line:
        return self._given_back.popleft() if self._given_back else next(self._lines)

    def give_back(self, lines: Sequence[Line]) -> None:
        """Put lines in front of those that are left."""
        self._given_back.extendleft(reversed(lines))


def _records(path: Path, lines: _Lines, names: Sequence[str], delimiter: str) -> Iterator[Row]:
    for number, first in lines:
        if isinstance(first, SourceError):
            yield number, first
            continue
        if not first.strip():
            continue
        taken: list[Line] = [(number, first)]
        try:
            cells = next(csv.reader(_record_lines(taken, lines), delimiter=delimiter, strict=True))
        except (csv.Error, StopIteration):
            cells = []
        if len(cells) == len(names):
            yield number, dict(zip(names, cells, strict=True))
            continue
        lines.give_back(taken[1:])  # a quote without its end: only the line that has it is lost
        if not first.endswith(("\n", "\r")):
            yield number, _truncated(path, number)
        else:
            said = f"{len(cells)} cells" if len(taken) == 1 and cells else "a quote without its end"
            what = f"{said} where the header has {len(names)}: mend this line"
            yield number, SourceError(what, file=str(path), line=number, code="cells")


def _record_lines(taken: list[Line], lines: _Lines) -> Iterator[str]:
    """The lines of a record as the CSV reader asks for them, remembered in `taken`."""
    yield str(taken[0][1])
    for line in lines:
        taken.append(line)
        if isinstance(line[1], SourceError) or len(taken) > RECORD_LINES:
            return
        yield line[1]
