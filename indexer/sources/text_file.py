"""A text file of any encoding, read bounded: what cannot be text is one error, what was guessed is a warning."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from graph.errors import SourceError

LARGEST_TEXT_BYTES: Final = 2_000_000
_SAMPLE_BYTES: Final = 65_536
_MOST_CONTROLS: Final = 0.05
_MARKS: Final = (  # the longer first: UTF-32's begins with UTF-16's
    (codecs.BOM_UTF8, "UTF-8"), (codecs.BOM_UTF32_LE, "UTF-32-LE"), (codecs.BOM_UTF32_BE, "UTF-32-BE"),
    (codecs.BOM_UTF16_LE, "UTF-16-LE"), (codecs.BOM_UTF16_BE, "UTF-16-BE"),
)  # fmt: skip


@dataclass(frozen=True)
class TextFile:
    """What a file says, and what was odd in reading it; offsets count characters behind a byte order mark."""

    text: str
    warnings: tuple[str, ...] = ()


def read_text_file(path: Path, file: str, most: int = LARGEST_TEXT_BYTES) -> TextFile:
    """The text of a file: its first `most` bytes, line ends as they are.

    UTF-8, or what a byte order mark says; else the encoding is guessed and a warning names it.

    Parameters
    ----------
    path
        The file.
    file
        How messages name it.
    most
        Bytes read at most; that the rest was not read is a warning.

    Raises
    ------
    SourceError
        It cannot be read, is empty, is no text, or is not in the encoding that it says.
    """
    return text_of_bytes(_head(path, file, most + 1), file, most)


def text_of_bytes(data: bytes, file: str, most: int = LARGEST_TEXT_BYTES) -> TextFile:
    """What bytes say, as `read_text_file` reads a file; those behind `most` are left out with a warning.

    Raises
    ------
    SourceError
        They are nothing, no text, or not in the encoding that they say.
    """
    warnings = []
    if len(data) > most:
        data = data[:most]
        warnings.append(f"larger than {most:,} bytes: the rest was not read")
    text, guessed = decode_text(data, file, whole=not warnings)
    if guessed:
        warnings.append(f"not UTF-8: read as {guessed}, which is a guess")
    if not text.strip():
        raise SourceError("nothing in it: give a page with text", file=file, line=1, code="empty")
    return TextFile(text, tuple(f"{file}: {warning}" for warning in warnings))


def decode_text(data: bytes, file: str, *, whole: bool = True) -> tuple[str, str]:
    """The text of these bytes, and the encoding where it was guessed ("" where it was not).

    Raises
    ------
    SourceError
        They are no text, or not in the encoding that their byte order mark says.
    """
    for mark, name in _MARKS:
        if data.startswith(mark):
            try:
                return _decoded(data[len(mark) :], name, whole), ""
            except UnicodeDecodeError as error:
                what = f"its byte order mark says {name}, its bytes are something else: save it as UTF-8"
                raise SourceError(what, file=file, line=_line(data, error.start), code="not_utf8") from error
    if b"\0" in data:
        raise SourceError("not a text: it holds bytes of no text", file=file, code="binary")
    try:
        return _readable(_decoded(data, "UTF-8", whole), file), ""
    except UnicodeDecodeError as error:
        line = _line(data, error.start)
        guess = guess_encoding(data, error.start)
        what = "not UTF-8, and no other encoding fits: save it as UTF-8"
        if guess is None:
            raise SourceError(what, file=file, line=line, code="not_utf8") from error
        try:
            return _readable(_decoded(data, guess, whole), file), guess
        except UnicodeDecodeError:
            raise SourceError(what, file=file, line=line, code="not_utf8") from error


def guess_encoding(data: bytes, near: int = 0) -> str | None:
    """The encoding that fits bytes around this place best; None where none does."""
    from charset_normalizer import from_bytes

    start = max(0, near - _SAMPLE_BYTES // 2)
    best = from_bytes(data[start : start + _SAMPLE_BYTES]).best()
    return best.encoding if best is not None else None


def _head(path: Path, file: str, most: int) -> bytes:
    try:
        if not path.is_file():
            raise SourceError("not a file: give a text file", file=file, code="unreadable")
        with path.open("rb") as stream:
            return stream.read(most)
    except OSError as error:
        raise SourceError(f"{error.strerror or error}: give a readable file", file=file) from error


def _decoded(data: bytes, encoding: str, whole: bool) -> str:
    """Strictly decoded; where the end was cut off, half a character at the end is left out."""
    return codecs.getincrementaldecoder(encoding)().decode(data, final=whole)


def _readable(text: str, file: str) -> str:
    sample = text[:_SAMPLE_BYTES]
    controls = sum(char < " " and char not in "\t\n\r\f\v" for char in sample)
    if controls > _MOST_CONTROLS * max(1, len(sample)):
        raise SourceError("not a text: it is full of control characters", file=file, code="binary")
    return text


def _line(data: bytes, place: int) -> int:
    return data[:place].count(b"\n") + 1


def encoding_of(path: Path, file: str) -> tuple[str, str]:
    """The name of a whole file's encoding, and how it was guessed ("" where it was not); reads it once, in pieces.

    Raises
    ------
    SourceError
        It cannot be read, or its bytes are no text in any encoding.
    """
    head = _head(path, file, _SAMPLE_BYTES)
    for mark, name in _MARKS:
        if head.startswith(mark):
            encoding = "utf-8-sig" if name == "UTF-8" else name.rpartition("-")[0]
            place = _undecodable(path, encoding)
            if place is None:
                return encoding, ""
            what = f"its byte order mark says {name}, its bytes are something else: save it as UTF-8"
            raise SourceError(what, file=file, line=place[0], code="not_utf8")
    decode_text(head, file, whole=False)
    place = _undecodable(path, "utf-8")
    if place is None:
        return "utf-8", ""
    guess = guess_encoding(place[1])
    if guess is None or _undecodable(path, guess) is not None:
        what = "not UTF-8, and no other encoding fits: save it as UTF-8"
        raise SourceError(what, file=file, line=place[0], code="not_utf8")
    return guess, f"not UTF-8: read as {guess}, which is a guess"


def _undecodable(path: Path, encoding: str) -> tuple[int, bytes] | None:
    """The line of the first bytes that an encoding does not know, and the piece that holds them; None if all fit."""
    decoder, line = codecs.getincrementaldecoder(encoding)(), 1
    with path.open("rb") as stream:
        while True:
            piece = stream.read(1 << 20)
            try:
                decoder.decode(piece, final=not piece)
            except UnicodeDecodeError as error:
                start = max(0, min(error.start, len(piece)) - _SAMPLE_BYTES // 2)
                return line + piece[: error.start].count(b"\n"), piece[start : start + _SAMPLE_BYTES]
            if not piece:
                return None
            line += piece.count(b"\n")
