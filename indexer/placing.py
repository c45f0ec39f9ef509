"""Passages of texts that a file holds escaped or folded: each character knows where it stands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from indexer.passages import Passage

Piece = tuple[str, int]
"""A run of text and the file's offset of its first character; more than one character stand there as they are."""

JOINERS: Final = "\u200c\u200d"
"""Zero-width joiners: invisible, but letters of some scripts need them."""
_JSON: Final = re.compile(
    r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|\\u([0-9a-fA-F]{4})|\\(.)|[^\\]+", re.DOTALL
)
_JSON_WORDS: Final = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_DOUBLE: Final = re.compile(
    r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})"
    r"|\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))|\\(\r\n|.)[ \t]*|[^\\]+",
    re.DOTALL,
)
_DOUBLE_WORDS: Final = _JSON_WORDS | {
    "0": "\0", "a": "\a", "v": "\v", "e": "\x1b", "N": "\x85", "_": "\xa0", "L": "\u2028", "P": "\u2029",
}  # fmt: skip
_PROPERTIES: Final = re.compile(r"(?:[&!]\S*\s+)+")
_BLOCK_HEADER: Final = re.compile(r"[|>][^\n\r\x85\u2028\u2029]*")


def placed_passage(pieces: Iterable[Piece], file: str, **about: Any) -> Passage:
    """The passage of pieces in their order, folded as `clean_text` folds: blanks and control characters to one blank.

    Parameters
    ----------
    pieces
        Runs of text with their offsets, ascending.
    file
        Path as the user gave it.
    about
        Other fields of the passage: capability, markup, subject.
    """
    folded = _Folded()
    for text, offset in pieces:
        folded.add(text, offset)
    if len(folded.pairs) <= 1:
        start = folded.pairs[0][1] if folded.pairs else 0
        return Passage(text="".join(folded.parts), file=file, start=start, **about)
    return Passage("".join(folded.parts), file, folded.pairs[0][1], offsets=tuple(folded.pairs), **about)


class _Folded:
    """Text folded so far, with a pair wherever it leaves the file's own order."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.pairs: list[tuple[int, int]] = []
        self._length = 0
        self._blank: int | None = None

    def add(self, text: str, offset: int) -> None:
        if text.isprintable() and "  " not in text and text[:1] != " " and text[-1:] != " ":
            self._append(text, offset)
            return
        for place, char in enumerate(text, offset):
            if char in JOINERS or (char.isprintable() and not char.isspace()):
                self._append(char, place if len(text) > 1 else offset)
            elif self._blank is None and self._length:
                self._blank = place

    def _append(self, text: str, offset: int) -> None:
        if not text:
            return
        if self._blank is not None:
            blank, self._blank = self._blank, None
            self._append(" ", blank)
        if not self.pairs or self.pairs[-1][1] + self._length - self.pairs[-1][0] != offset:
            self.pairs.append((self._length, offset))
        self.parts.append(text)
        self._length += len(text)


def plain_pieces(text: str, start: int, end: int) -> Iterator[Piece]:
    """A stretch of the file as it is."""
    if start < end:
        yield text[start:end], start


def json_pieces(text: str, start: int, end: int, base: int = 0) -> Iterator[Piece]:
    """The inside of a JSON string `text[start:end]`, quotes excluded, unescaped; `base` is added to each offset."""
    for match in _JSON.finditer(text, start, end):
        offset = base + match.start()
        if match[1]:
            yield _joined(match[1], match[2]), offset
        elif match[3]:
            yield chr(int(match[3], 16)), offset
        elif match[4]:
            yield _JSON_WORDS.get(match[4], match[4]), offset
        else:
            yield match[0], offset


def csv_pieces(text: str, start: int, end: int, base: int = 0) -> Iterator[Piece]:
    """The inside of a quoted CSV cell, quotes excluded: a doubled quote is one."""
    return _doubled(text, start, end, '"', base)


def yaml_pieces(text: str, start: int, end: int) -> Iterator[Piece]:
    """A YAML scalar `text[start:end]` of any style, unescaped; what is folded stays for `placed_passage` to fold."""
    named = _PROPERTIES.match(text, start, end)
    start = named.end() if named else start
    style = text[start : start + 1]
    if style in ("|", ">"):
        header = _BLOCK_HEADER.match(text, start, end)
        yield from plain_pieces(text, header.end() if header else start, end)
    elif style == "'":
        yield from _doubled(text, start + 1, end - 1, "'", 0)
    elif style == '"':
        yield from _double_quoted(text, start + 1, end - 1)
    else:
        yield from plain_pieces(text, start, end)


def _doubled(text: str, start: int, end: int, quote: str, base: int) -> Iterator[Piece]:
    while start < end:
        found = text.find(quote * 2, start, end)
        stop = found + 1 if found >= 0 else end
        yield text[start:stop], base + start
        start = found + 2 if found >= 0 else end


def _double_quoted(text: str, start: int, end: int) -> Iterator[Piece]:
    for match in _DOUBLE.finditer(text, start, end):
        code = match[3] or match[4] or match[5]
        if match[1]:
            yield _joined(match[1], match[2]), match.start()
        elif code:
            yield chr(int(code, 16)), match.start()
        elif match[6] is None:
            yield match[0], match.start()
        elif match[6] not in ("\n", "\r", "\r\n", "\x85", "\u2028", "\u2029"):  # an escaped line break joins the lines
            yield _DOUBLE_WORDS.get(match[6], match[6]), match.start()
            rest = match.end(6)
            yield from plain_pieces(text, rest, match.end())


def _joined(high: str, low: str) -> str:
    return chr(0x10000 + ((int(high, 16) - 0xD800) << 10) + (int(low, 16) - 0xDC00))
