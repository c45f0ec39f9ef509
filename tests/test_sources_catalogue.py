"""Catalogue JSON Lines: what is kept word for word, what is rejected with its line, and nothing held in memory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from graph.errors import SourceError
from indexer.decompose import texts_of
from indexer.sources import Entry, read_source
from indexer.sources.lines import LONGEST_LINE_BYTES

ROW = {
    "id": "google/yamnet/1", "name": "google yamnet 1", "description": "Hears what makes a sound.",
    "domain": "Audio Classification", "functionality": "Audio event classification", "library": "TensorFlow Hub",
}  # fmt: skip


def read(folder: Path, *lines: object) -> list[Entry]:
    """The entries of a catalogue with these lines: objects as JSON, bytes as they are."""
    file = folder / "catalogue.jsonl"
    file.write_bytes(
        b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines)
    )
    return list(read_source(file))


def test_row_becomes_one_artifact_with_one_capability(tmp_path: Path) -> None:
    (entry,) = read(tmp_path, ROW)
    artifact = entry.artifact
    assert artifact is not None and entry.warnings == ()
    assert (artifact.id, artifact.slug, artifact.type) == ("google/yamnet/1", "google--yamnet--1", "model")
    (capability,) = artifact.capabilities
    assert (capability.id, capability.name, capability.task) == (
        "main", "Audio event classification", "audio.audio-classification",
    )  # fmt: skip
    assert (capability.domain, capability.functionality) == (ROW["domain"], ROW["functionality"])
    assert artifact.source.line == 1


def test_row_is_indexed_as_the_one_text_of_the_baselines(tmp_path: Path) -> None:
    (entry,) = read(tmp_path, ROW)
    assert entry.artifact is not None
    wanted = f"{ROW['name']}. {ROW['domain']}. {ROW['functionality']}. {ROW['description']}"
    assert [text.text for text in texts_of(entry.artifact)] == [wanted]


def test_variants_are_wordings_without_repeats(tmp_path: Path) -> None:
    other = {"functionality": "Embeds sound", "description": "A vector for a sound."}
    same = {key: ROW[key] for key in ("name", "domain", "functionality", "description")}
    (entry,) = read(tmp_path, ROW | {"variants": [same, other, other]})
    assert entry.artifact is not None
    (wording,) = entry.artifact.capabilities[0].wordings
    assert (wording.name, wording.functionality) == ("google yamnet 1", "Embeds sound")


def test_task_field_wins_over_labels_and_an_unknown_one_only_warns(tmp_path: Path) -> None:
    known, unknown = read(tmp_path, ROW | {"task": "text-to-speech"}, ROW | {"id": "b", "task": "singing"})
    assert known.artifact is not None and known.artifact.capabilities[0].task == "audio.text-to-speech"
    assert unknown.artifact is not None and unknown.artifact.capabilities[0].task == "audio.audio-classification"
    assert "'singing' is not known" in unknown.warnings[0] and ":2: " in unknown.warnings[0]


def test_unknown_field_warns_once_a_file(tmp_path: Path) -> None:
    entries = read(tmp_path, ROW | {"stars": 3}, ROW | {"id": "b", "stars": 4}, ROW | {"id": "c", "mood": 1})
    assert [len(entry.warnings) for entry in entries] == [1, 0, 1]
    assert "'stars'" in entries[0].warnings[0]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"{", "syntax"),
        (b"[1]", "bad_type"),
        (b'{"id": "\xff"}', "not_utf8"),
        (b"[" * 50_000, "syntax"),
        (b'{"id": ' + b"1" * 5_000 + b"}", "syntax"),
        (b'{"id": "' + b"x" * LONGEST_LINE_BYTES + b'"}', "too_long"),
        ({"name": "no id", "description": ""}, "bad_id"),
        ({"id": "x"}, "bad_name"),
        (ROW | {"id": 7}, "bad_id"),
        (ROW | {"id": "y" * 501}, "bad_id"),
        (ROW | {"domain": {"a": 1}}, "bad_domain"),
        (ROW | {"type": "robot"}, "unknown_type"),
        (ROW | {"params": "lots"}, "bad_params"),
        (ROW | {"variants": "none"}, "bad_variants"),
        (ROW | {"variants": [3]}, "bad_variants"),
        (ROW, "duplicate_id"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)  # fmt: skip
def test_bad_line_is_rejected_with_its_number_and_the_good_ones_are_kept(
    tmp_path: Path, line: object, code: str
) -> None:
    first, bad, last = read(tmp_path, ROW, line, ROW | {"id": "last"})
    assert first.artifact is not None and last.artifact is not None
    assert bad.artifact is None and bad.problem is not None
    assert (bad.problem.code, bad.problem.line, bad.bucket) == (code, 2, "rejected")


def test_blank_lines_and_a_byte_order_mark_are_no_errors(tmp_path: Path) -> None:
    entries = read(tmp_path, b"\xef\xbb\xbf" + json.dumps(ROW).encode(), b"   ", b"")
    assert [entry.problem for entry in entries] == [None]


@pytest.mark.parametrize("content", [b"", b"\n  \n"])
def test_catalogue_without_a_line_is_no_catalogue(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "empty.jsonl").write_bytes(content)
    with pytest.raises(SourceError) as caught:
        list(read_source(tmp_path / "empty.jsonl"))
    assert caught.value.code == "empty"


def test_untrusted_text_is_one_line_and_an_unsafe_address_is_kept_out(tmp_path: Path) -> None:
    (entry,) = read(tmp_path, ROW | {"name": "a\n\u202eb\x00", "url": "javascript:alert(1)", "params": "22.7M"})
    assert entry.artifact is not None
    assert (entry.artifact.name, entry.artifact.url, entry.artifact.params) == ("a b", None, 22_700_000)
    assert "url" in entry.warnings[0]


def test_long_label_is_cut_and_said(tmp_path: Path) -> None:
    (entry,) = read(tmp_path, ROW | {"functionality": "f" * 600})
    assert entry.artifact is not None
    assert entry.artifact.capabilities[0].functionality == "f" * 500
    assert "cut after 500" in entry.warnings[0]
