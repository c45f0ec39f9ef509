"""`evaluate search`: the document's shape and numbers, computed by hand on a catalogue of four."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_encoder import WordEncoder
from small_catalogue import build_small

import search.evaluation.evaluate
from graph.errors import SourceError, UnknownArtifact
from graph.events import now_us
from graph.home import Home
from graph.responses import EvaluateResponse
from graph.settings import Settings
from search.engine import open_engine
from search.evaluation.controls import shuffle_labels, without_near_duplicates
from search.evaluation.evaluate import EvaluateFiles, evaluate_search
from search.evaluation.logged import Judged, log_lines, remember_only, write_log
from search.inspection.inspect_graph import graph_stats

CATALOGUE = [
    {"id": "a/depth", "name": "depth", "domain": "vision", "description": "distance from one image", "params": 100},
    {"id": "a/speech", "name": "speech", "domain": "audio", "description": "spoken words to text", "params": 200},
    {"id": "b/speech-tiny", "name": "tiny", "domain": "audio", "description": "spoken words to text", "params": 50},
    {"id": "b/draw", "name": "draw", "domain": "vision", "description": "picture from a sentence"},
]  # fmt: skip
QUERIES = [
    {"qid": "1", "text": "distance from one image", "rel": ["a/depth"]},
    {"qid": "2", "text": "spoken words", "rel": ["b/speech-tiny"]},
]
LOG = [{"qid": f"l{n}", "text": "spoken words please", "rel": ["b/speech-tiny"]} for n in range(8)]
DIFFERENT = [
    {"qid": "d", "text": "spoken words", "reject": "a/speech", "phrase": "but smaller", "rel": ["b/speech-tiny"]}
]


@pytest.fixture(autouse=True)
def _words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Evaluate with the hand-computable encoder: a model directory would do, but takes seconds."""
    monkeypatch.setattr(search.evaluation.evaluate, "open_encoder", lambda *_, **__: WordEncoder())


def _files(folder: Path, **rows: list[dict[str, Any]]) -> EvaluateFiles:
    written = {}
    for name, lines in rows.items():
        file = folder / f"{name}.jsonl"
        file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        written[name] = file
    return EvaluateFiles(**written)  # type: ignore[arg-type]


def test_without_a_log(tmp_path: Path) -> None:
    found = evaluate_search(Settings(home=tmp_path), _files(tmp_path, catalog=CATALOGUE, queries=QUERIES))
    assert set(found["sets"]) == {"dense", "lexical", "hybrid", "graph", "learned", "different"}
    assert found["sets"]["graph"] is found["sets"]["learned"] is found["sets"]["different"] is None
    dense = found["sets"]["dense"]["all"]
    assert dense["n"] == 2
    # Query 1 finds its artifact first; query 2 second, behind the equal text that sorts before it: 1/log2(3).
    assert dense["ndcg@10"]["value"] == pytest.approx((1 + 0.6309297535714575) / 2)
    assert dense["recall@1"]["value"] == 0.5
    assert dense["recall@10"]["value"] == 1.0
    assert dense["ndcg@10"]["low"] <= dense["ndcg@10"]["value"] <= dense["ndcg@10"]["high"]
    assert found["sets"]["dense"]["unseen"]["n"] == 2


def test_a_log_teaches_and_seen_is_told_from_unseen(tmp_path: Path) -> None:
    files = _files(tmp_path, catalog=CATALOGUE, queries=QUERIES, log=LOG, different=DIFFERENT)
    found = evaluate_search(Settings(home=tmp_path / "home"), files)
    assert found["sets"]["graph"]["all"]["ndcg@10"]["value"] == 1.0
    assert found["sets"]["graph"]["seen"]["n"] == found["sets"]["graph"]["unseen"]["n"] == 1
    assert found["paired"]["graph-hybrid"]["seen"]["value"] == pytest.approx(1 - 0.6309297535714575)
    assert found["paired"]["graph-hybrid"]["unseen"]["value"] == 0.0
    different = found["sets"]["different"]["all"]
    assert (different["p@1"]["value"], different["rejected_in_top5"]["value"]) == (1.0, 0.0)
    json.dumps(found, allow_nan=False)


def test_controls_say_what_a_gain_must_not_come_from(tmp_path: Path) -> None:
    log = [*LOG, {"qid": "far", "text": "picture from a sentence", "rel": ["b/draw"]}]
    files = _files(tmp_path, catalog=CATALOGUE, queries=QUERIES, log=log)
    found = evaluate_search(Settings(home=tmp_path / "home"), files, controls=True)
    assert set(found["controls"]) == {"shuffled", "popularity", "without_near_duplicates"}
    of_all = {name: groups["all"]["ndcg@10"]["value"] for name, groups in found["controls"].items()}
    assert of_all["popularity"] == 1.0  # the twin that eight confirmed comes before the one that nobody did
    assert of_all["without_near_duplicates"] == found["sets"]["hybrid"]["all"]["ndcg@10"]["value"]
    assert found["paired"]["popularity-hybrid"]["all"]["value"] == pytest.approx(1 - of_all["without_near_duplicates"])
    json.dumps(found, allow_nan=False)
    EvaluateResponse.model_validate(found)
    assert evaluate_search(Settings(home=tmp_path / "home"), files)["controls"] is None


def test_controls_change_what_they_say_they_change() -> None:
    lines = [Judged(str(n), f"words {n}", frozenset({f"m{n % 7}"})) for n in range(40)]
    shuffled = shuffle_labels(lines)
    assert [line.text for line in shuffled] == [line.text for line in lines]
    assert sorted(map(sorted, (line.rel for line in shuffled))) == sorted(map(sorted, (line.rel for line in lines)))
    assert [line.rel for line in shuffled] != [line.rel for line in lines]
    vectors = {"a": np.array([1, 0], np.float32), "b": np.array([0.8, 0.6], np.float32),
               "c": np.array([0.79, 0.6131], np.float32)}  # fmt: skip
    a, b, c = (Judged(text, text, frozenset()) for text in "abc")
    assert without_near_duplicates([b, c], [a], vectors) == [c]
    assert without_near_duplicates([b, c], [], vectors) == [b, c]


def test_a_log_that_is_only_remembered_scores_like_one_that_was_written(home: Home) -> None:
    engine = build_small(home)
    lines = [
        Judged(str(n), f"photos of {what}", frozenset({"ben/large-eyes"})) for n, what in enumerate(["cats", "dogs"])
    ]
    texts = [*(line.text for line in lines), "classify photos"]
    vectors = dict(zip(texts, engine.encoder.encode(texts), strict=True))
    made, now = log_lines(lines, vectors, engine.encoder.info.digest, now_us()), now_us()
    remember_only(engine, made)
    remembered = engine.score("classify photos", vectors["classify photos"], as_of_us=now)
    write_log(home, engine.encoder.info.digest, made)
    other = open_engine(home, engine.encoder)
    with home.store.reading() as connection:
        other.memory.refresh(connection)
    written = other.score("classify photos", vectors["classify photos"], as_of_us=now)
    assert written.parts["graph"].any()
    assert remembered.total.tolist() == written.total.tolist()


def test_equal_scores_are_ranked_in_the_order_of_the_file(tmp_path: Path) -> None:
    unknown = [{"qid": "z", "text": "zebra", "rel": ["b/draw"]}]
    values = []
    for rows in (CATALOGUE, CATALOGUE[::-1]):
        found = evaluate_search(Settings(home=tmp_path), _files(tmp_path, catalog=rows, queries=unknown))
        values.append(found["sets"]["lexical"]["all"]["mrr@10"]["value"])
    assert values == [1 / 4, 1.0]


def test_no_home_of_the_user_is_touched(tmp_path: Path, home: Home) -> None:
    evaluate_search(home.settings, _files(tmp_path, catalog=CATALOGUE, queries=QUERIES, log=LOG))
    assert graph_stats(home).searches == 0
    assert graph_stats(home).outcomes == 0


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        '{"qid": 1}',
        '{"qid": 1, "text": "x", "rel": 3}',
        "null",
        '{"qid": 1, "text": "x", "rel": "a/x"}',
        '{"qid": 1, "text": " ", "rel": []}',
    ],
)
def test_malformed_lines_name_file_and_line(tmp_path: Path, line: str) -> None:
    files = _files(tmp_path, catalog=CATALOGUE, queries=QUERIES)
    files.queries.write_text(json.dumps(QUERIES[0]) + "\n\n" + line + "\n", encoding="utf-8")
    with pytest.raises(SourceError, match=r"queries\.jsonl:3"):
        evaluate_search(Settings(home=tmp_path), files)


def test_what_is_no_text_is_named(tmp_path: Path) -> None:
    files = _files(tmp_path, catalog=CATALOGUE, queries=QUERIES)
    files.queries.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SourceError, match=r"queries\.jsonl: not UTF-8"):
        evaluate_search(Settings(home=tmp_path), files)


def test_missing_files_and_unknown_rejects(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="check the path"):
        evaluate_search(Settings(), EvaluateFiles(tmp_path / "no.jsonl", tmp_path / "none.jsonl"))
    files = _files(tmp_path, catalog=CATALOGUE, queries=QUERIES, different=[{**DIFFERENT[0], "reject": "a/speach"}])
    with pytest.raises(UnknownArtifact, match="a--speech"):
        evaluate_search(Settings(), files)
