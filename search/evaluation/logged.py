"""A log of confirmed searches made from judged lines: written to a throw-away home, or folded in memory alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graph.digest import text_digest
from graph.events import Actor, Delivered, OutcomeEvent, SearchEvent, new_id
from graph.home import Home
from graph.match_graph import fold
from graph.store import catalogue, log
from search.engine import Engine
from search.query import read_query
from search.votes.intents import assign_intent

_BATCH = 500


@dataclass(frozen=True)
class Judged:
    """One line of a queries, log or different file."""

    qid: str
    text: str
    rel: frozenset[str]
    reject: str | None = None
    phrase: str = ""


@dataclass(frozen=True)
class LoggedLine:
    """The events of one line, their intent, and the key and vector of its query."""

    events: tuple[SearchEvent | OutcomeEvent, ...]
    intent: str
    is_new: bool
    key: str
    vector: NDArray[np.float32]


def log_lines(
    lines: Sequence[Judged], vectors: Mapping[str, NDArray[np.float32]], encoder: str, end_us: int
) -> list[LoggedLine]:
    """Each line as one search by a distinct actor, with a success at position 1, in line order.

    Parameters
    ----------
    lines
        What was asked and what was right.
    vectors
        By text, float32 (dimension,), normalised.
    encoder
        Digest of the encoder.
    end_us
        The lines' times are the microseconds before this one.
    """
    ids: list[str] = []
    known = np.zeros((len(lines), len(next(iter(vectors.values()), ()))), np.float32)
    made = []
    for number, judged in enumerate(lines):
        text = read_query(judged.text).text
        key, vector = catalogue.vector_key(text), vectors[text]
        intent = assign_intent(vector, text_digest(key + encoder), ids, known[: len(ids)])
        if intent.new:
            known[len(ids)] = vector
            ids.append(intent.id)
        events = _confirmed(judged, text, intent.id, end_us - len(lines) + number, number)
        made.append(LoggedLine(tuple(events), intent.id, intent.new, key, vector))
    return made


def write_log(home: Home, encoder: str, lines: Sequence[LoggedLine]) -> None:
    """Append the lines' events to a home, with their intents."""
    for first in range(0, len(lines), _BATCH):
        batch = lines[first : first + _BATCH]
        with home.store.writing() as connection:
            for line in batch:
                if line.is_new:
                    catalogue.save_intent(connection, line.intent, encoder, line.key, line.events[0].time_us)
                    catalogue.save_vectors(connection, encoder, {line.key: line.vector})
            log.append_events(connection, [event for line in batch for event in line.events])


def remember_only(engine: Engine, lines: Sequence[LoggedLine]) -> None:
    """Let an engine remember these lines and nothing else, without writing them down; the same as if they were."""
    with engine.home.store.reading() as connection:
        engine.memory.refresh(connection)  # what is in the store is known, so it is not read again
    engine.memory.fold = fold((event for line in lines for event in line.events), count_synthetic=True)
    founding = sorted((line for line in lines if line.is_new), key=lambda line: line.intent)
    vectors = np.stack([line.vector for line in founding]) if founding else np.zeros((0, 0), np.float32)
    engine.memory.confirmed.load(engine.memory.fold, [line.intent for line in founding], vectors)


def _confirmed(judged: Judged, text: str, intent: str, time_us: int, number: int) -> list[SearchEvent | OutcomeEvent]:
    actor, search = Actor(id=f"log-{number}"), new_id("se")
    delivered = tuple(Delivered(artifact=artifact, position=1, score=0.0) for artifact in sorted(judged.rel))
    made: list[SearchEvent | OutcomeEvent] = [
        SearchEvent(
            id=search, root=search, time_us=time_us, operation="search", origin="import", actor=actor, query=text,
            intent=intent, limit=max(1, len(delivered)), results=delivered,
        )
    ]  # fmt: skip
    made += [
        OutcomeEvent(
            id=new_id("oc"), time_us=time_us, search=search, artifact=result.artifact, outcome="success",
            actor=actor, origin="import", intent=intent, position=1,
        )
        for result in delivered
    ]  # fmt: skip
    return made
