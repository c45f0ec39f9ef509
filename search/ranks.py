"""Ranks of all artifacts, kept up with what they depend on."""

from __future__ import annotations

from graph.constants import SCORES_FRESH_US
from graph.events import now_us
from graph.home import Home
from graph.match_graph import Fold
from graph.rank_table import RankTable
from graph.score_inputs import Known, read_known
from graph.store.stamp import Stamp


class RankCache:
    """Ranks as of the newest event and evidence; decay is at most an hour behind."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._fold: Fold | None = None
        self._as_of_us = 0
        self._known: tuple[tuple[object, ...], Known] | None = None
        self._table: RankTable | None = None

    def read(self, stamp: Stamp, fold: Fold) -> RankTable:
        """The ranks at a stamp, with the fold of then."""
        now, of = now_us(), (stamp.catalogue, stamp.evidence, len(fold.same.pairs))
        if self._known is None or self._known[0] != of:
            with self._home.store.reading() as connection:
                self._known, self._table = (of, read_known(connection, now)), None
        if self._table is None or fold is not self._fold or now - self._as_of_us > SCORES_FRESH_US:
            self._table, self._fold, self._as_of_us = RankTable(self._known[1], fold, now), fold, now
        self._table.follow(fold, now)
        return self._table
