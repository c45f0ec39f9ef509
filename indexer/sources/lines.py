"""JSON Lines, read line by line and bounded: one value or one error a line."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from graph.errors import SourceError
from indexer.passages import Passage
from indexer.placing import json_pieces, placed_passage

LONGEST_LINE_BYTES: Final = 1_000_000
_BLANK: Final = re.compile(r"[ \t\n\r]*")
_DECODER: Final = json.JSONDecoder()


@dataclass(frozen=True)
class JsonLine:
    """A line that is not blank: 1-based number, character offset in the file, text, and its object or what is wrong."""

    number: int
    start: int
    text: str
    value: dict[str, Any] | SourceError


def read_json_lines(path: Path, file: str) -> Iterator[tuple[int, dict[str, Any] | SourceError]]:
    """The 1-based number of each line that is not blank, and its JSON object, or what is wrong with it.

    A line of more than a million bytes is skipped without being held in memory.

    Raises
    ------
    SourceError
        The file itself cannot be read.
    """
    return ((line.number, line.value) for line in read_placed_lines(path, file))


def read_placed_lines(path: Path, file: str) -> Iterator[JsonLine]:
    """Each line that is not blank, as `read_json_lines` reads it, with its place.

    Offsets count characters behind a byte order mark at the file's beginning; a byte that is not UTF-8 counts as one.
    """
    try:
        with path.open("rb") as stream:
            number, start = 0, 0
            while line := stream.readline(LONGEST_LINE_BYTES + 1):
                number += 1
                line = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
                length = _characters(line)
                if len(line) > LONGEST_LINE_BYTES:
                    while line and not line.endswith(b"\n"):
                        line = stream.readline(LONGEST_LINE_BYTES)
                        length += _characters(line)
                    what = f"the line has more than {LONGEST_LINE_BYTES:,} bytes: shorten it"
                    yield JsonLine(number, start, "", SourceError(what, file=file, line=number, code="too_long"))
                elif line.strip():
                    yield JsonLine(number, start, line.decode("utf-8", "replace"), parse_object(line, file, number))
                start += length
    except OSError as error:
        raise SourceError(f"{error.strerror or error}: give a readable file", file=file) from error


def field_places(text: str) -> dict[str, tuple[int, int]]:
    """Offsets [start, end) of the value of each field of a JSON object's text, which is known to be well formed."""
    places: dict[str, tuple[int, int]] = {}
    end = _BLANK.match(text, 0).end()  # type: ignore[union-attr]
    while end < len(text) and text[end] in "{,":
        key_start = _BLANK.match(text, end + 1).end()  # type: ignore[union-attr]
        if text[key_start : key_start + 1] != '"':
            break
        key, end = _DECODER.raw_decode(text, key_start)
        start = _BLANK.match(text, _BLANK.match(text, end).end() + 1).end()  # type: ignore[union-attr]
        _, stop = _DECODER.raw_decode(text, start)
        places[key] = (start, stop)
        end = _BLANK.match(text, stop).end()  # type: ignore[union-attr]
    return places


def text_passages(line: JsonLine, field: str, file: str, capability: str) -> tuple[Passage, ...]:
    """The texts of a field as passages: one, or one for each text of a list; other values as they are written."""
    if isinstance(line.value, SourceError) or not line.value.get(field):
        return ()
    start, end = field_places(line.text)[field]
    value = line.value[field]
    if isinstance(value, str):
        pieces = json_pieces(line.text, start + 1, end - 1, line.start)
        return (placed_passage(pieces, file, capability=capability),)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        pieces_of = (json_pieces(line.text, a + 1, b - 1, line.start) for a, b in _texts(line.text, start, end))
        return tuple(placed_passage(pieces, file, capability=capability) for pieces in pieces_of)
    return (Passage(line.text[start:end], file, line.start + start, capability),)


def _texts(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Where the strings of a list of strings begin and end, quotes included."""
    while (start := text.find('"', start + 1, end)) >= 0:
        _, stop = _DECODER.raw_decode(text, start)
        yield start, stop
        start = stop - 1


def _characters(line: bytes) -> int:
    """How many characters a line has, a byte that is not UTF-8 counting as one."""
    return len(line) if line.isascii() else len(line.decode("utf-8", "replace"))


def parse_object(line: bytes, file: str, number: int) -> dict[str, Any] | SourceError:
    """The JSON object in a line, or the error that there is none."""
    try:
        value = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return SourceError("not UTF-8: save the file as UTF-8", file=file, line=number, code="not_utf8")
    except json.JSONDecodeError as error:
        what = f"not valid JSON: {error.msg} at character {error.colno}"
        return SourceError(what, file=file, line=number, code="syntax")
    except (ValueError, RecursionError):
        return SourceError("not valid JSON: too deep, or a number too long", file=file, line=number, code="syntax")
    if not isinstance(value, dict):
        return SourceError("not a JSON object: each line is one {…}", file=file, line=number, code="bad_type")
    return value
