"""Ranks of all artifacts, computed when something they depend on has changed."""

from __future__ import annotations

from sqlalchemy import Connection

from graph.constants import SCORES_FRESH_US
from graph.events import now_us
from graph.home import Home
from graph.score_inputs import score_stamp
from graph.scores import Score, score_all, score_inputs


class RankCache:
    """Scores by artifact id, as of the newest event and evidence; decay is at most an hour behind."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._stamp: tuple[str | int | None, ...] | None = None
        self._as_of_us = 0
        self._scores: dict[str, Score] = {}

    def read(self, connection: Connection, event_seq: int) -> dict[str, Score]:
        """All scores at an event number."""
        stamp, now = score_stamp(connection), now_us()
        if stamp != self._stamp or now - self._as_of_us > SCORES_FRESH_US:
            self._scores = score_all(score_inputs(connection, now), now)
            self._stamp, self._as_of_us = stamp, now
        return self._scores
