"""Text files of any encoding: what is read, what is guessed and said, what is refused; and never too much."""

from __future__ import annotations

import codecs
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from graph.errors import SourceError
from indexer.sources import read_source
from indexer.sources.text_file import read_text_file

TEXT = "Größe: 5,6 Mio. Parameter — für Geräte mit wenig Speicher, schön und schnell übertragen.\r\nZweite Zeile.\n"


def read(folder: Path, data: bytes, most: int = 10_000) -> tuple[str, tuple[str, ...]]:
    file = folder / "page.txt"
    file.write_bytes(data)
    found = read_text_file(file, "page.txt", most)
    return found.text, found.warnings


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(),
        codecs.BOM_UTF8 + TEXT.encode(),
        codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"),
        codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
        codecs.BOM_UTF32_LE + TEXT.encode("utf-32-le"),
    ],
)
def test_encodings_that_a_file_says_are_read_without_a_word(tmp_path: Path, data: bytes) -> None:
    assert read(tmp_path, data) == (TEXT, ())


def test_other_encodings_are_guessed_and_the_guess_is_said(tmp_path: Path) -> None:
    text, (warning,) = read(tmp_path, TEXT.encode("cp1252") * 5)
    assert text.startswith("Größe: 5,6 Mio. Parameter")
    assert warning.startswith("page.txt: not UTF-8: read as cp1") and "guess" in warning


@pytest.mark.parametrize(
    ("data", "code", "line"),
    [
        (b"", "empty", 1),
        (b" \n\t\n", "empty", 1),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "binary", None),
        (b"\x01\x02\x03\x04\x05\x06" * 100, "binary", None),
        (codecs.BOM_UTF8 + b"fine\nnot \xff\xfe fine", "not_utf8", 2),
        (codecs.BOM_UTF16_LE + b"\x00\xd8\x41", "not_utf8", 1),
    ],
)
def test_what_is_no_text_is_one_error(tmp_path: Path, data: bytes, code: str, line: int | None) -> None:
    with pytest.raises(SourceError) as caught:
        read(tmp_path, data)
    assert (caught.value.code, caught.value.line) == (code, line)
    assert "\n" not in str(caught.value) and str(caught.value).startswith("page.txt")


def test_large_file_is_cut_between_characters_and_says_so(tmp_path: Path) -> None:
    text, (warning,) = read(tmp_path, "é".encode() * 10_000, most=1_001)
    assert text == "é" * 500
    assert "larger than 1,001 bytes: the rest was not read" in warning


def test_unreadable_files_are_errors(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent.txt"):
        with pytest.raises(SourceError):
            read_text_file(path, "x")


@contextmanager
def as_nobody() -> Iterator[None]:
    """Without root's right to read everything."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65_534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def problems_of(path: Path, kind: str | None) -> list[SourceError]:
    try:
        return [entry.problem for entry in read_source(path, kind) if entry.problem is not None]
    except SourceError as error:
        return [error]


def test_what_may_not_be_read_is_one_error_each() -> None:
    with tempfile.TemporaryDirectory() as made:  # pytest's own folders are closed to others
        top = Path(made)
        top.chmod(0o755)
        for name in ("closed.md", "closed.csv", "closed.txt", "closed.yaml", "closed.jsonl"):
            (top / name).write_text("text")
            (top / name).chmod(0)
        (top / "closed").mkdir(mode=0)
        (top / "zoo" / "a").mkdir(parents=True)
        (top / "zoo" / "closed").mkdir(mode=0)
        (top / "zoo" / "a" / "model.yml").write_text("description: A model.\n")
        for path, kind in (
            (top, None),
            (top / "zoo", None),
            (top / "closed", "mcp"),
            *((f, None) for f in top.iterdir()),
        ):
            problems_of(path, kind)  # imports what another user may not
        kinds = {"closed": [None, "manifest", "model", "page", "mcp", "open_model_zoo", "apibench"]}
        for path in sorted(top.glob("closed*")):
            for kind in kinds.get(path.name, [None]):
                with as_nobody():
                    problems = problems_of(path, kind)
                assert len(problems) == 1 and "\n" not in str(problems[0]), (path, kind)
                assert str(path) in str(problems[0])
        with as_nobody():
            good, bad = read_source(top / "zoo")
        assert good.artifact is not None and bad.problem is not None and bad.problem.file == str(top / "zoo" / "closed")
        for folder in (top / "closed", top / "zoo" / "closed"):
            folder.chmod(0o755)
