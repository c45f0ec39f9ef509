"""What a process remembers of the log is what the store has, whoever wrote it, and however it came to know it."""

from __future__ import annotations

from typing import Any

import pytest
from small_catalogue import build_small

from graph.actors import forget_actor, merge_actors
from graph.events import Actor
from graph.home import Home
from graph.store import log
from graph.store.stamp import read_stamp
from search.engine import Engine, open_engine
from search.memory import SearchRequest
from search.outcomes import Caller, record_outcome

QUERIES = ("estimate depth from one image", "classify photos", "write down spoken words", "draw a picture")


def _asked(engine: Engine, text: str, who: str = "ann") -> Any:
    return engine.search(SearchRequest(text, Caller("api", Actor(id=who))))


def _chosen(home: Home, answer: Any, kind: str = "success", who: str = "ann", position: int = 1) -> None:
    record_outcome(home, answer.results[position - 1].token, kind, Caller("api", Actor(id=who)))


def _refreshed(engine: Engine) -> Engine:
    with engine.home.store.reading() as connection:
        engine.memory.refresh(connection)
    return engine


def _agrees(one: Engine, fresh: Engine) -> None:
    """Both remember the same, and score the same to the last bit."""
    assert one.memory.fold == fresh.memory.fold
    assert one.memory.fold.votes == fresh.memory.fold.votes
    as_of_us = 2_000_000_000_000_000
    for text in QUERIES:
        vector = one.vector_of(text)
        ours, theirs = (list(engine.score(text, vector, as_of_us=as_of_us)) for engine in (one, fresh))
        assert ours == theirs


def test_what_others_wrote_is_taken_in_without_reading_all_anew(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = _refreshed(build_small(home))
    reader = _refreshed(open_engine(home, writer.encoder))
    with monkeypatch.context() as patched:
        patched.setattr(log, "read_heard", lambda _: pytest.fail("read anew"))
        for number, text in enumerate(QUERIES * 2):
            answer = _asked(writer, text, who=f"u{number}")
            _chosen(
                home, answer, ("success", "click", "dismiss")[number % 3], who=f"u{number}", position=1 + number % 2
            )
            if number % 3 == 0:
                _refreshed(reader)
        paraphrase = _asked(reader, "estimate the depth from one image")  # an intent that the other process founded
    with home.store.reading() as connection:
        ids = {event.intent for event in log.read_events(connection, kind="search")}  # type: ignore[union-attr]
    assert len(ids) == len(QUERIES)
    assert paraphrase.results[0].artifact == "cat/depth"
    _agrees(_refreshed(reader), _refreshed(open_engine(home, writer.encoder)))
    assert any(each.parts["graph"] for each in reader.score(QUERIES[0], reader.vector_of(QUERIES[0])))


def test_merges_and_forgetting_are_read_anew(home: Home) -> None:
    engine = build_small(home)
    for number, text in enumerate(QUERIES):
        _chosen(home, _asked(engine, text, who=f"u{number % 2}"), who=f"u{number % 2}")
    with home.store.writing() as connection:
        merge_actors(connection, "u1", "u0")
    _agrees(_refreshed(engine), _refreshed(open_engine(home, engine.encoder)))
    forget_actor(home, "u0")
    _agrees(_refreshed(engine), _refreshed(open_engine(home, engine.encoder)))
    assert not engine.memory.fold.votes


def test_a_rank_follows_an_outcome_at_once(home: Home) -> None:
    engine = build_small(home)
    before = {result.artifact: result.rank for result in _asked(engine, QUERIES[1]).results}
    for who in ("bob", "cy"):
        _chosen(home, _asked(engine, QUERIES[1], who=who), who=who)
    after = {result.artifact: result.rank for result in _asked(engine, QUERIES[1]).results}
    fresh = {result.artifact: result.rank for result in _asked(open_engine(home, engine.encoder), QUERIES[1]).results}
    first = next(iter(before))
    assert before[first] is None  # under half of the weight is known …
    assert after[first] is not None  # … until somebody chose it
    assert after == {name: None if rank is None else pytest.approx(rank, abs=1e-6) for name, rank in fresh.items()}


def test_the_stamp_moves_with_whatever_was_written(home: Home) -> None:
    engine = build_small(home)
    stamps = []
    for step in (lambda: None, lambda: _asked(engine, QUERIES[0]), lambda: _chosen(home, _asked(engine, QUERIES[0]))):
        step()
        with home.store.reading() as connection:
            stamps.append(read_stamp(connection))
    assert stamps[0].seq < stamps[1].seq < stamps[2].seq
    assert stamps[0].votes == stamps[1].votes != stamps[2].votes
    assert stamps[0].catalogue == stamps[2].catalogue is not None
