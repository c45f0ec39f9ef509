"""The searches of a log as a process remembers them: intents, their vectors and mean, and the words that were used."""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from graph.constants import SHRINK_ACTORS
from indexer.lexical import tokenize

_EXACT = float(2**24)
"""Vectors are added up in whole steps of one over this: a sum without rounding, whatever the order."""


class Searches:
    """Intents sorted by id, with their vectors, float32 (intents, dimension), normalised."""

    def __init__(self, ids: Sequence[str], vectors: NDArray[np.float32]) -> None:
        self.ids, self.vectors = list(ids), vectors
        self._places = {intent: place for place, intent in enumerate(self.ids)}
        self._sum = np.round(vectors * _EXACT).astype(np.int64).sum(axis=0)
        self._words: dict[str, set[str]] = {}
        self._said: dict[str, set[tuple[str, str]]] = {}
        self._stems: dict[str, frozenset[str]] = {}

    def __len__(self) -> int:
        return len(self.ids)

    def add(self, intent: str, vector: NDArray[np.float32]) -> None:
        """Take in a new intent in its place."""
        place = bisect.bisect_left(self.ids, intent)
        known = self.vectors if len(self.ids) else np.zeros((0, len(vector)), np.float32)
        self.ids.insert(place, intent)
        self.vectors = np.insert(known, place, vector, axis=0)
        self._places = {intent: place for place, intent in enumerate(self.ids)}
        self._sum = self._sum + np.round(vector * _EXACT).astype(np.int64)

    def has(self, intent: str) -> bool:
        """Whether the intent's vector is known."""
        return intent in self._places

    def places(self, intents: Iterable[str]) -> NDArray[np.int64]:
        """The places of known intents, int64."""
        return np.array([self._places[intent] for intent in intents], np.int64)

    def mean(self) -> NDArray[np.float32]:
        """The mean search, shrunk to nothing where there are few, float32 (dimension,)."""
        return np.asarray(self._sum / _EXACT / (len(self.ids) + SHRINK_ACTORS), np.float32)

    def hear(self, queries: Iterable[tuple[str, str, str]]) -> None:
        """Take in queries: (intent, text, actor) each."""
        given = [query for query in queries if query[0] in self._places]
        self._tokenize({text for _, text, _ in given})
        for intent, text, actor in given:
            for word in self._stems[text]:
                self._words.setdefault(word, set()).add(intent)
                self._said.setdefault(word, set()).add((intent, actor))

    def _tokenize(self, texts: set[str]) -> None:
        new = sorted(texts - self._stems.keys())
        if new:
            self._stems |= {text: frozenset(stems) for text, stems in zip(new, tokenize(new), strict=True)}

    def words_of(self, text: str) -> list[tuple[str, float, float]]:
        """The words of a query that searches have: stem, its share of the query by rarity, share of searches with it.

        Rarity is the inverse document frequency of BM25 over intents; the shares of all words of the query add up to
        1. Sorted by word.
        """
        stems = sorted(set(tokenize([text])[0])) if text.strip() else []
        count = len(self.ids)
        having = {stem: len(self._words.get(stem, ())) for stem in stems}
        rarity = {stem: math.log1p((count - n + 0.5) / (n + 0.5)) for stem, n in having.items()}
        total = math.fsum(rarity.values())
        return [(s, rarity[s] / total, having[s] / (count + SHRINK_ACTORS)) for s in stems if having[s]]

    def said(self, stem: str) -> set[tuple[str, str]]:
        """The (intent, actor) whose queries have a word."""
        return self._said.get(stem, set())
