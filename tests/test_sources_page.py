"""Pages about one thing: whose they are, what their metadata says, and that their text stands where it says."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from graph.errors import SourceError
from indexer.sources import Entry, detect_kind, read_source
from indexer.sources.licenses import spdx_of, words_of_address

FRONT = """---
license: apache-2.0
pipeline_tag: text-classification
base_model: acme/wren
tags: [birds]
model-index:
- name: wren-birds
  results:
  - task: {type: text-classification}
    dataset: {name: Birds, type: birds}
    metrics: [{type: accuracy, value: 0.91}]
---
"""
BODY = (
    "# **Wren** for [birds](https://example.org)\n\nTells wrens from larks.\n\n| a | b |\n|---|---|\n| Top 1 | 91 % |\n"
)


def read(folder: Path, text: str | bytes, name: str = "README.md") -> Entry:
    file = folder / name
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    (entry,) = read_source(file)
    return entry


def test_page_with_metadata(tmp_path: Path) -> None:
    entry = read(tmp_path, FRONT + BODY)
    artifact = entry.artifact
    assert artifact is not None and entry.bucket == "page" and entry.warnings == ()
    assert (artifact.id, artifact.type, artifact.license) == ("wren-birds", "finetune", "apache-2.0")
    assert artifact.description == "Tells wrens from larks."
    assert artifact.capabilities[0].task == "text.text-classification"
    assert [(claim.metric, claim.value) for claim in artifact.claims] == [("accuracy", 91.0)]
    (passage,) = entry.passages
    assert (passage.text, passage.start, passage.markup, passage.capability) == (BODY, len(FRONT), "markdown", None)


def test_name_is_the_title_then_the_folder_then_the_file(tmp_path: Path) -> None:
    folder = tmp_path / "wren-small"
    folder.mkdir()
    for text, name, wanted in (
        (BODY, "README.md", "Wren for birds"),
        ("Model Card for X\n===\n\nprose", "README.md", "X"),
        ("Only prose here.", "README.md", "wren-small"),
        ("Only prose here.", "lark.md", "lark"),
    ):
        artifact = read(folder, text, name).artifact
        assert artifact is not None and artifact.id == wanted


def test_plain_text_is_no_markdown(tmp_path: Path) -> None:
    (passage,) = read(tmp_path, "Translates | letters |.\r\n", "note.txt").passages
    assert (passage.markup, passage.text, passage.start) == ("plain", "Translates | letters |.\r\n", 0)


def test_folder_of_pages_keeps_the_good_ones(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("Sums numbers.")
    (tmp_path / "b.md").write_bytes(b"\0\1")
    (tmp_path / "c.txt").write_text("")
    assert detect_kind(tmp_path) == "page"
    first, *others = read_source(tmp_path)
    assert first.artifact is not None and first.artifact.id == "a"
    assert [(entry.problem.code, Path(entry.problem.file).name) for entry in others if entry.problem] == [
        ("binary", "b.md"), ("empty", "c.txt"),
    ]  # fmt: skip


def test_broken_metadata_is_a_warning_and_the_text_is_kept(tmp_path: Path) -> None:
    entry = read(tmp_path, "---\nlicense: [\n---\nTells wrens from larks.\n")
    assert entry.artifact is not None and entry.passages[0].text == "Tells wrens from larks.\n"
    assert "its metadata cannot be read" in entry.warnings[0]


PIECES = (
    "#", "# ", "# a ", "|", "| ", "|---|", "|---| ", "[", "[a](", "](", "*", "`", "<", "\\", " ", "-", "=", "a. ",
    "A vs B\n",
    "| Feature | A | B |\n", "Unique: ", "backed by ", "apache ", "general public license ", "generates a ", "A-1 and ",
    "\n", "\r", "---\n", "+1 more capabilities\n", '"', "😀",
)  # fmt: skip


@pytest.mark.parametrize("piece", PIECES)
def test_text_that_repeats_itself_is_read_in_linear_time(tmp_path: Path, piece: str) -> None:
    begun = time.perf_counter()
    for head in ("", "A vs B\n| Feature | A | B |\n|---|---|---|\nA Capabilities\n"):
        file = tmp_path / "page.md"
        file.write_text(head + "x " + piece * (200_000 // len(piece)) + "x")
        list(read_source(file))
    assert time.perf_counter() - begun < 20  # a quadratic one takes minutes


def test_folder_without_pages_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no page in it"):
        list(read_source(tmp_path, "page"))


@pytest.mark.parametrize(
    ("text", "spdx"),
    [
        ("Licensed under the Apache License, Version 2.0.", "Apache-2.0"),
        ("http://www.apache.org/licenses/LICENSE-2.0", "Apache-2.0"),
        ("MIT License", "MIT"),
        ("BSD 3-Clause License", "BSD-3-Clause"),
        ("GNU General Public License version 3", "GPL-3.0"),
        ("GNU Lesser General Public License version 3", None),
        ("GNU Affero General Public License", "AGPL-3.0"),
        ("MIT License or Apache License 2.0", None),
        ("https://raw.githubusercontent.com/acme/wren/master/LICENSE", None),
        ("permit license", None),
    ],
)
def test_licences_named_plainly(text: str, spdx: str | None) -> None:
    assert spdx_of(text) == spdx


def test_address_of_a_licence_in_words() -> None:
    assert words_of_address("https://github.com/acme/wren/blob/main/LICENSE.txt") == "acme/wren LICENSE.txt"
    assert words_of_address("free") == "free"
