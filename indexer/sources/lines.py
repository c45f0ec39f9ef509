"""JSON Lines, read line by line and bounded: one value or one error a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from graph.errors import SourceError

LONGEST_LINE_BYTES: Final = 1_000_000


def read_json_lines(path: Path, file: str) -> Iterator[tuple[int, dict[str, Any] | SourceError]]:
    """The 1-based number of each line that is not blank, and its JSON object, or what is wrong with it.

    A line of more than a million bytes is skipped without being held in memory.

    Raises
    ------
    SourceError
        The file itself cannot be read.
    """
    try:
        with path.open("rb") as stream:
            number = 0
            while line := stream.readline(LONGEST_LINE_BYTES + 1):
                number += 1
                if len(line) > LONGEST_LINE_BYTES:
                    while line and not line.endswith(b"\n"):
                        line = stream.readline(LONGEST_LINE_BYTES)
                    what = f"the line has more than {LONGEST_LINE_BYTES:,} bytes: shorten it"
                    yield number, SourceError(what, file=file, line=number, code="too_long")
                elif line.strip():
                    yield number, parse_object(line, file, number)
    except OSError as error:
        raise SourceError(f"{error.strerror or error}: give a readable file", file=file) from error


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
