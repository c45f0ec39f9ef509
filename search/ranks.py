"""Ranks of all artifacts, kept up with what they depend on."""

from __future__ import annotations

from dataclasses import replace

from graph.constants import SCORES_FRESH_US
from graph.events import SearchEvent, now_us
from graph.home import Home
from graph.ranks.kept_ranks import Ranks, open_ranks
from graph.store.stamp import Stamp


class RankCache:
    """Ranks as of the newest event and evidence; decay is at most an hour behind."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._ranks: Ranks | None = None
        self._seen: tuple[Stamp, int] | None = None

    def refresh(self, stamp: Stamp) -> Ranks:
        """The ranks at a stamp, or later."""
        now = now_us()
        if self._ranks is None or self._seen is None or self._seen[0] != stamp or now - self._seen[1] > SCORES_FRESH_US:
            self._ranks, self._seen = self._at_newest(now), (stamp, now)
        return self._ranks

    def hear(self, search: SearchEvent, stamp: Stamp) -> None:
        """Take in a search of this process, as of its stamp, so that it need not be read back."""
        if self._ranks is not None and self._seen is not None:
            seen, at_us = self._seen
            if replace(seen, seq=stamp.seq) == stamp and self._ranks.hear(search, stamp.seq):
                self._seen = (stamp, at_us)

    def rank(self, artifact: str, stamp: Stamp) -> float | None:
        """The rank of an artifact, 0 to 100, at a stamp or later; None where it is not ranked, or not known."""
        now = now_us()
        return self.refresh(stamp).table.rank(artifact, now, now - SCORES_FRESH_US)

    def _at_newest(self, now: int) -> Ranks:
        with self._home.store.reading(folded=False) as connection:
            if self._ranks is not None and self._ranks.follow(connection, now):
                return self._ranks
            ranks = open_ranks(connection, now)
        if ranks.is_worth_keeping:
            ranks.keep(self._home.store)
        return ranks
