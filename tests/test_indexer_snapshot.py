"""Snapshots: whole or not at all, every byte sealed, rolled back, pruned, refused to another encoder."""

from __future__ import annotations

import json
import multiprocessing
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_encoder import WordEncoder

from graph.errors import EncoderMismatch, SnapshotError
from indexer import snapshots
from indexer.gate import Refused
from indexer.snapshot import Draft, Row, live_capabilities, open_snapshot, write_snapshot
from indexer.snapshots import (
    build_lock,
    check_files,
    current_folder,
    current_id,
    list_snapshots,
    make_current,
    new_id,
    read_manifest,
    roll_back,
)

ENCODER = WordEncoder()
TEXTS = ["reads digits", "translates german", "reads letters"]


def make_draft(texts: list[str] = TEXTS, **fields: Any) -> Draft:
    rows = [Row(f"a{n}", f"a{n}", f"A{n}", "model", "c", None, "main", text) for n, text in enumerate(texts)]
    defaults: dict[str, Any] = {
        "encoder": ENCODER.info, "policy": "open", "rules": {"name": "open"}, "catalogue": "0", "rows": rows,
        "texts": texts, "vectors": ENCODER.encode(texts), "counts": {"rows": len(texts)},
        "refused": [Refused("ann/x", None, "artifact", "no capabilities")],
    }  # fmt: skip
    return Draft(**(defaults | fields))


def test_a_snapshot_gives_back_what_it_was_made_of(tmp_path: Path) -> None:
    draft = make_draft()
    manifest = write_snapshot(tmp_path, draft)
    snapshot = open_snapshot(tmp_path, encoder=ENCODER.info)
    assert snapshot.id == manifest.id == current_id(tmp_path)
    assert snapshot.rows == draft.rows
    np.testing.assert_array_equal(snapshot.vectors_of([2, 0]), draft.vectors[[2, 0]])
    rows, cosines = snapshot.dense(draft.vectors[1], 1)
    assert (rows.tolist(), cosines.tolist()) == ([1], [pytest.approx(1)])
    assert snapshot.cosines(draft.vectors[0]).tolist() == [pytest.approx(1), 0, pytest.approx(0.5)]
    assert (snapshot.lexical("letters") > 0).tolist() == [False, False, True]
    assert snapshot.manifest.refused[0].reason == "no capabilities"
    assert snapshot.manifest.policy == "open"
    assert live_capabilities(tmp_path, "a1") == {"c"}
    assert live_capabilities(tmp_path, "a") == frozenset()
    assert json.loads((tmp_path / snapshot.id / "manifest.json").read_text())["encoder"]["name"] == "words"


def test_an_empty_snapshot_answers_nothing(tmp_path: Path) -> None:
    write_snapshot(tmp_path, make_draft([]))
    snapshot = open_snapshot(tmp_path, encoder=ENCODER.info)
    assert snapshot.rows == []
    assert len(snapshot.dense(ENCODER.encode(["x"])[0], 5)[0]) == 0
    assert snapshot.lexical("x").shape == snapshot.cosines(ENCODER.encode(["x"])[0]).shape == (0,)


def test_every_altered_byte_is_found_and_its_file_named(tmp_path: Path) -> None:
    name = write_snapshot(tmp_path, make_draft()).id
    files = sorted(path for path in (tmp_path / name).rglob("*") if path.is_file())
    assert {file.name for file in files} >= {"manifest.json", "rows.jsonl", "vectors.faiss", "vocab.index.json"}
    for file in files:
        whole = file.read_bytes()
        for place in {0, len(whole) // 3, len(whole) - 1}:
            file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
            with pytest.raises(SnapshotError, match=file.name) as caught:
                open_snapshot(tmp_path, encoder=ENCODER.info)
            assert "\n" not in str(caught.value)
        file.write_bytes(whole + b"\n")
        with pytest.raises(SnapshotError, match=file.name):
            open_snapshot(tmp_path, encoder=ENCODER.info)
        file.unlink()
        with pytest.raises(SnapshotError, match=file.name):
            open_snapshot(tmp_path, encoder=ENCODER.info)
        file.write_bytes(whole)
    open_snapshot(tmp_path, encoder=ENCODER.info)


def test_large_files_are_hashed_only_by_a_deep_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = write_snapshot(tmp_path, make_draft()).id
    monkeypatch.setattr(snapshots, "HASH_AT_OPEN_MAX_BYTES", 0)
    file = tmp_path / name / "rows.jsonl"
    file.write_bytes(file.read_bytes().replace(b"digits", b"tigids").replace(b"main", b"niam"))
    assert check_files(tmp_path / name).id == name
    with pytest.raises(SnapshotError, match=r"rows\.jsonl"):
        check_files(tmp_path / name, deep=True)
    file.write_bytes(file.read_bytes() + b"\n")
    with pytest.raises(SnapshotError, match=r"rows\.jsonl"):
        check_files(tmp_path / name)


def test_an_index_of_another_encoder_is_refused(tmp_path: Path) -> None:
    write_snapshot(tmp_path, make_draft())
    with pytest.raises(EncoderMismatch, match=r"built with encoder words .* not others"):
        open_snapshot(tmp_path, encoder=WordEncoder("others").info)
    assert open_snapshot(tmp_path, encoder=None).rows


def test_nothing_built_yet(tmp_path: Path) -> None:
    assert current_id(tmp_path / "none") is None
    assert list_snapshots(tmp_path / "none") == []
    assert live_capabilities(tmp_path / "none", "a") == frozenset()
    with pytest.raises(SnapshotError, match="no snapshot yet"):
        open_snapshot(tmp_path / "none", encoder=None)
    with pytest.raises(SnapshotError, match="no older snapshot"):
        roll_back(tmp_path)


@pytest.mark.parametrize("content", ["../../etc", "", "s20250101t000000000000-deadbeef/..", "é"])
def test_a_wrong_current_is_refused(tmp_path: Path, content: str) -> None:
    write_snapshot(tmp_path, make_draft())
    (tmp_path / "current").write_text(content)
    with pytest.raises(SnapshotError, match="current"):
        current_folder(tmp_path)


def test_rolling_back_and_forth(tmp_path: Path) -> None:
    first, second, third = (write_snapshot(tmp_path, make_draft(TEXTS[:n])).id for n in (1, 2, 3))
    assert [listed.id for listed in list_snapshots(tmp_path)] == [third, second, first]
    assert [listed.is_current for listed in list_snapshots(tmp_path)] == [True, False, False]
    assert roll_back(tmp_path) == current_id(tmp_path) == second
    assert len(open_snapshot(tmp_path, encoder=ENCODER.info).rows) == 2
    assert roll_back(tmp_path) == first
    with pytest.raises(SnapshotError, match="no older"):
        roll_back(tmp_path)
    assert roll_back(tmp_path, third) == current_id(tmp_path) == third
    for absent in ("s20250101t000000000000-deadbeef", "../x", ""):
        with pytest.raises(SnapshotError, match="no snapshot"):
            roll_back(tmp_path, absent)


def test_a_damaged_snapshot_is_listed_with_its_problem_and_never_rolled_back_to(tmp_path: Path) -> None:
    first, second = (write_snapshot(tmp_path, make_draft(TEXTS[:n])).id for n in (1, 2))
    (tmp_path / first / "vectors.faiss").write_bytes(b"x")
    with pytest.raises(SnapshotError, match=r"vectors\.faiss"):
        roll_back(tmp_path)
    assert current_id(tmp_path) == second
    (tmp_path / first / "manifest.json").write_text("{}")
    assert [(x.id, x.manifest is None, "manifest.json" in x.problem) for x in list_snapshots(tmp_path)] == [
        (second, False, False), (first, True, True),
    ]  # fmt: skip


def test_five_and_the_live_one_are_kept(tmp_path: Path) -> None:
    names = [write_snapshot(tmp_path, make_draft(TEXTS[: n % 3 + 1])).id for n in range(6)]
    assert [listed.id for listed in list_snapshots(tmp_path)] == names[:0:-1]
    roll_back(tmp_path, names[1])
    seventh = new_id(tmp_path, 0, "0" * 64)[0]
    with snapshots.new_snapshot(tmp_path, seventh) as place:
        (place / "x").write_text("x")
    assert snapshots.prune(tmp_path) == []  # the sixth oldest is live
    make_current(tmp_path, names[5])
    assert snapshots.prune(tmp_path) == [names[1]]


def test_ids_sort_by_age_even_where_the_clock_goes_back(tmp_path: Path) -> None:
    at_us = 1_760_000_000_123_456
    name, created_us = new_id(tmp_path, at_us, "abcdef" * 12)
    assert (name, created_us) == ("s20251009t085320123456-abcdefab", at_us)
    (tmp_path / name).mkdir()
    later, later_us = new_id(tmp_path, at_us - 10_000_000, "00000000")
    assert later > name
    assert later_us == at_us + 1


@pytest.mark.parametrize("call", [1, 2], ids=["the folder's rename", "the switch"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")], ids=["ctrl-c", "full"])
def test_a_crash_leaves_the_live_snapshot_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: int, error: Any
) -> None:
    first = write_snapshot(tmp_path, make_draft(TEXTS[:1])).id
    real, calls = os.replace, []

    def interrupted(*paths: Any) -> None:
        calls.append(paths)
        if len(calls) == call:
            raise error
        real(*paths)

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt if error is KeyboardInterrupt else SnapshotError):
        write_snapshot(tmp_path, make_draft())
    monkeypatch.undo()
    assert not [path for path in tmp_path.glob(".building-*") if path.is_dir()]
    assert current_id(tmp_path) == first
    assert len(open_snapshot(tmp_path, encoder=ENCODER.info).rows) == 1
    with build_lock(tmp_path):
        third = write_snapshot(tmp_path, make_draft()).id
    assert current_id(tmp_path) == third
    assert not list(tmp_path.glob(".building-*"))


def test_leftovers_of_a_killed_build_are_removed_by_the_next(tmp_path: Path) -> None:
    (tmp_path / ".building-dead").mkdir()
    (tmp_path / ".building-dead" / "vectors.faiss").write_text("half")
    (tmp_path / ".building-file").write_text("half")
    assert list_snapshots(tmp_path) == []
    with build_lock(tmp_path):
        pass
    assert not list(tmp_path.glob(".building-*"))


def hold(folder: Path, ready: Any, done: Any) -> None:
    with build_lock(folder):
        ready.set()
        done.wait(30)


def test_two_builds_at_once_are_refused(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready, done = context.Event(), context.Event()
    process = context.Process(target=hold, args=(tmp_path, ready, done))
    process.start()
    assert ready.wait(30)
    with pytest.raises(SnapshotError, match="another build is running"), build_lock(tmp_path):
        raise AssertionError("the lock was given twice")
    done.set()
    process.join(30)
    with build_lock(tmp_path):
        pass


def test_an_open_snapshot_outlives_its_files(tmp_path: Path) -> None:
    write_snapshot(tmp_path, make_draft())
    snapshot = open_snapshot(tmp_path, encoder=ENCODER.info)
    for file in (tmp_path / snapshot.id).rglob("*"):
        if file.is_file():
            file.unlink()
    assert snapshot.lexical("letters").argmax() == 2
    assert snapshot.dense(ENCODER.encode(["translates german"])[0], 1)[0].tolist() == [1]


def test_the_content_says_whether_two_snapshots_answer_alike(tmp_path: Path) -> None:
    one, two = make_draft(), make_draft(catalogue="1", refused=[], counts={})
    assert one.content == two.content
    others = [
        make_draft(TEXTS[:2]),
        make_draft(encoder=WordEncoder("others").info),
        make_draft(rules={"name": "open", "least_n": 3}),
    ]
    assert len({one.content, *(other.content for other in others)}) == 4
    assert read_manifest(tmp_path / write_snapshot(tmp_path, one).id).content == one.content
