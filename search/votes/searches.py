"""The searches of a log as a process remembers them: intents, their vectors and mean, and the words that were used."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from graph.constants import MEAN_SEARCHES, SHRINK_ACTORS
from indexer.lexical import stems_of, tokenize
from search.votes.columns import Column
from search.votes.intents import KnownIntents

_EXACT = float(2**24)
"""Vectors are added up in whole steps of one over this: a sum without rounding, whatever the order."""


class Searches(KnownIntents):
    """Intents with their vectors, the mean of these, and the words that their queries use.

    Attributes
    ----------
    version : int
        Another one whenever the mean is another.
    pairs : mapping
        The number of each (intent, actor) who searched, or spoke, in the order they were met.
    """

    def __init__(self, ids: Sequence[str], vectors: NDArray[np.float32]) -> None:
        self.version = 0
        self._words: dict[str, set[str]] = {}
        self.pairs: dict[tuple[str, str], int] = {}
        self._said: dict[str, Column] = {}
        self._heard: set[tuple[int, str]] = set()
        self._stems: dict[str, frozenset[str]] = {}
        self._limit, self._counted = 2**32, 0
        self._sum: NDArray[np.int64] = np.zeros(vectors.shape[1], np.int64)
        super().__init__(ids, vectors)

    def add(self, intent: str, vector: NDArray[np.float32]) -> None:
        """Take in a new intent, if it is not known."""
        if intent not in self:
            super().add(intent, vector)
            self._count(len(self) - 1)
            if self._counted > MEAN_SEARCHES:
                self._limit //= 2
                self._counted, self._sum = 0, np.zeros_like(self._sum)
                for place in range(len(self)):
                    self._count(place)

    def _count(self, place: int) -> None:
        if crc32(self.ids[place].encode()) < self._limit:
            self._sum = self._sum + np.round(self.vectors[place] * _EXACT).astype(np.int64)
            self._counted += 1
            self.version += 1

    def mean(self) -> NDArray[np.float32]:
        """The mean search, shrunk to nothing where there are few, float32 (dimension,).

        Of many, a sample is taken by a hash of their ids, so that the mean of a long log is not another after every
        search, and is the same in whatever order they came.
        """
        return np.asarray(self._sum / _EXACT / (self._counted + SHRINK_ACTORS), np.float32)

    def hear(self, queries: Iterable[tuple[str, str, str]]) -> None:
        """Take in queries: (intent, text, actor) each."""
        given = [query for query in queries if query[0] in self]
        self._tokenize({text for _, text, _ in given})
        for intent, text, actor in given:
            pair = self.pairs.setdefault((intent, actor), len(self.pairs))
            if (pair, text) not in self._heard:
                self._heard.add((pair, text))
                for word in self._stems[text]:
                    self._words.setdefault(word, set()).add(intent)
                    self._said.setdefault(word, Column(np.int64)).append(pair)

    def _tokenize(self, texts: set[str]) -> None:
        new = sorted(text for text in texts if text not in self._stems)
        if len(new) == 1:  # a query that was just asked: its stems are known
            self._stems[new[0]] = frozenset(stems_of(new[0]))
        elif new:
            self._stems |= {text: frozenset(stems) for text, stems in zip(new, tokenize(new), strict=True)}

    def words_of(self, text: str) -> list[tuple[str, float, float]]:
        """The words of a query that searches have: stem, its share of the query by rarity, share of searches with it.

        Rarity is the inverse document frequency of BM25 over intents; the shares of all words of the query add up to
        1. Sorted by word.
        """
        stems = sorted(set(stems_of(text)))
        count = len(self.ids)
        having = {stem: len(self._words.get(stem, ())) for stem in stems}
        rarity = {stem: math.log1p((count - n + 0.5) / (n + 0.5)) for stem, n in having.items()}
        total = math.fsum(rarity.values())
        return [(s, rarity[s] / total, having[s] / (count + SHRINK_ACTORS)) for s in stems if having[s]]

    def said(self, stem: str) -> NDArray[np.int64]:
        """The numbers of the pairs whose queries have a word, int64; one may be there twice."""
        return self._said[stem].values if stem in self._said else np.zeros(0, np.int64)
