"""Who used which word: the voices whose actors had it in a query of their intent, kept up without looking at all."""

from __future__ import annotations

from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from search.columns import Column
from search.searches import Searches
from search.voices import Voices

_MOST_WORDS: Final = 1_000


class _Word:
    """Which pairs, by number, used a word: so many uses and pairs were taken in; and the voices of these."""

    def __init__(self) -> None:
        self.uses = 0
        self.pairs = Column(np.bool_)
        self.version = -1
        self.voices = np.zeros(0, np.int64)


class Speakers:
    """For the voices of one index and the searches of one log, both of which only grow."""

    def __init__(self, voices: Voices, searches: Searches) -> None:
        self.voices, self._searches = voices, searches
        self._words: dict[str, _Word] = {}
        self._places = Column(np.int64)

    def searches(self) -> NDArray[np.int64]:
        """The place of each pair's search, int64 (pairs,)."""
        new = self._searches.places(intent for intent, _ in islice(self.voices.pairs, len(self._places), None))
        for place in new.tolist():
            self._places.append(place)
        return self._places.values

    def of(self, stem: str) -> NDArray[np.int64]:
        """The places of the voices whose actors used a word in their intent, int64, ascending."""
        word = self._words.get(stem)
        if word is None:
            if len(self._words) >= _MOST_WORDS:
                self._words.clear()
            word = self._words[stem] = _Word()
        if self._take(word, stem) or word.version != self.voices.version:
            word.voices = np.flatnonzero(word.pairs.values[self.voices.pair])
            word.version = self.voices.version
        return word.voices

    def _take(self, word: _Word, stem: str) -> bool:
        """Whether another pair that was known before has used the word since."""
        said, known = self._searches.said(stem), len(word.pairs)
        for pair in islice(self.voices.pairs, known, None):
            word.pairs.append(pair in said)
        later = [self.voices.pairs.get(pair, known) for pair in islice(said, word.uses, None)]
        word.uses = len(said)
        used = [number for number in later if number < known]
        word.pairs.values[used] = True
        return bool(used)
