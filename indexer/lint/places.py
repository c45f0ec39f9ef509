"""Places in the files that findings stand in: lines, columns, and the words around them."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from graph.errors import SourceError
from indexer.sources.text_file import read_text_file

_LARGEST_BYTES: Final = 64_000_000
_LINE_END: Final = re.compile(r"\r\n|\n|\r")
_ASTRAL: Final = re.compile("[\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Place:
    """A place of a text: 1-based line; 1-based column in characters, and in UTF-16 code units."""

    line: int
    column: int
    utf16_column: int


@dataclass(frozen=True)
class Text:
    """A file's text, as the sources read it: offsets count characters behind a byte order mark."""

    text: str = ""

    @cached_property
    def _starts(self) -> tuple[int, ...]:
        return (0, *(found.end() for found in _LINE_END.finditer(self.text)))

    @cached_property
    def _astral(self) -> tuple[int, ...]:
        """Offsets of the characters that take two code units."""
        return tuple(found.start() for found in _ASTRAL.finditer(self.text))

    def place(self, offset: int) -> Place:
        """The line and the columns of an offset; one behind the end counts as the end."""
        offset = max(0, min(offset, len(self.text)))
        line = bisect_right(self._starts, offset)
        start = self._starts[line - 1]
        pairs = bisect_left(self._astral, offset) - bisect_left(self._astral, start)
        return Place(line, offset - start + 1, offset - start + 1 + pairs)


def open_text(file: str) -> Text:
    """The text of a file; an empty one where it cannot be read as text."""
    try:
        return Text(read_text_file(Path(file), file, most=_LARGEST_BYTES).text)
    except SourceError:
        return Text()
