"""Ranks of all artifacts, computed when something they depend on has changed."""

from __future__ import annotations

from typing import Final

from graph.events import now_us
from graph.home import Home
from graph.match_graph import Fold
from graph.score_inputs import Known, join_inputs, read_known
from graph.scores import Score, score_all
from graph.store.stamp import Stamp
from graph.walks import walk_votes

_FRESH_US: Final = 3_600 * 1_000_000


class RankCache:
    """Scores by artifact id, as of the newest event and evidence; decay is at most an hour behind."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._stamp: tuple[object, ...] | None = None
        self._as_of_us = 0
        self._known: Known | None = None
        self._known_stamp: tuple[object, ...] | None = None
        self._scores: dict[str, Score] = {}

    def read(self, stamp: Stamp, fold: Fold) -> dict[str, Score]:
        """All scores at a stamp, with the fold of then."""
        # A search changes ranks only where it delivers an artifact for the first time.
        now, now_stamp = now_us(), (stamp.votes, stamp.catalogue, stamp.evidence, len(fold.times))
        if now_stamp != self._stamp or now - self._as_of_us > _FRESH_US:
            known = self._read_known(stamp, len(fold.same.pairs), now)
            self._scores = score_all(join_inputs(known, walk_votes(fold, now), fold.times), now)
            self._stamp, self._as_of_us = now_stamp, now
        return self._scores

    def _read_known(self, stamp: Stamp, merges: int, as_of_us: int) -> Known:
        now_stamp = (stamp.catalogue, stamp.evidence, merges)
        if self._known is None or now_stamp != self._known_stamp:
            with self._home.store.reading() as connection:
                self._known, self._known_stamp = read_known(connection, as_of_us), now_stamp
        return self._known
