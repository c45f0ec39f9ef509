"""What the log says of the artifacts of one index: kept up event by event, asked by every search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from graph.constants import DAY_US
from graph.match_graph import Fold
from indexer.vectors import inner_products
from search.votes.columns import Column
from search.votes.log_score import Asked, AskedWord, log_part
from search.votes.searches import Searches
from search.votes.voices import Spoken, Voices, spoken_of

_Floats = NDArray[np.float64]
_MOST_WORDS = 1_000
"""Who said a word is kept for so many words at most."""


class Confirmed:
    """The voices on an index's artifacts, and the searches they were given in.

    Parameters
    ----------
    numbers : mapping
        The number of each artifact of the index, from 0.
    own : ndarray
        Shape (artifacts, dimension), float32, normalised: the vector of each artifact's main text.
    """

    def __init__(self, numbers: Mapping[str, int], own: NDArray[np.float32]) -> None:
        self._numbers, self._own = numbers, np.ascontiguousarray(own, np.float32)
        self.searches = Searches([], np.zeros((0, own.shape[1]), np.float32))
        self._fold = Fold()
        self._voices = self._no_voices()
        self._day_us = -1
        self._newest_us = 0
        self._touched: set[str] = set()
        self._means: tuple[int, NDArray[np.float32], _Floats, _Floats] | None = None
        self._known: tuple[Voices, tuple[int, int], NDArray[np.int64], _Floats] | None = None
        self._places = Column(np.int64)
        self._said_by: dict[str, tuple[Voices, tuple[int, int], NDArray[np.int64]]] = {}

    def load(self, fold: Fold, intents: Sequence[str], vectors: NDArray[np.float32]) -> None:
        """Take a whole fold and its intents, vectors float32 (intents, dimension), sorted by id, as they are."""
        self.searches = Searches(intents, vectors if intents else np.zeros((0, self._own.shape[1]), np.float32))
        resolve = fold.same.resolve
        self.searches.hear((resolve("intent", i), text, resolve("actor", actor)) for i, text, actor in fold.queries)
        self._fold, self._day_us = fold, -1
        self._means = self._known = None
        self._places = Column(np.int64)
        self._said_by.clear()
        self._touched.clear()

    def _no_voices(self) -> Voices:
        return Voices(len(self._numbers), self.searches.pairs)

    def touch(self, artifact: str, time_us: int) -> None:
        """Weigh an artifact's outcomes anew before the next search: one came in, of this time."""
        self._touched.add(artifact)
        self._newest_us = max(self._newest_us, time_us)

    def part(self, vector: NDArray[np.float32], cosines: NDArray[np.float32], text: str, as_of_us: int) -> _Floats:
        """What the log adds to the score of each artifact, float64 (artifacts,), as of a moment.

        Parameters
        ----------
        vector : ndarray
            Shape (dimension,), float32, normalised: the query's.
        cosines : ndarray
            Shape (artifacts,), float32: the query's with each artifact's main text.
        text : str
            The query's words; may be empty.
        as_of_us : int
            The time at which outcomes are weighed.
        """
        voices = self._as_of(as_of_us)
        if not len(voices):
            return np.zeros(len(self._numbers))
        return log_part(voices, self._asked(voices, vector, cosines.astype(np.float64), text))

    def _as_of(self, as_of_us: int) -> Voices:
        end_of_day = -(-as_of_us // DAY_US) * DAY_US
        if end_of_day != self._day_us:
            voted = [artifact for artifact in self._fold.voted_on() if artifact in self._numbers]
            times = [vote.time_us for artifact in voted for vote in self._fold.votes_on(artifact)]
            self._newest_us = max(times, default=0)
            self._voices = self._weighed(self._no_voices(), voted, max(as_of_us, self._newest_us), end_of_day)
            self._day_us = end_of_day
        elif self._touched:
            voted = [artifact for artifact in self._touched if artifact in self._numbers]
            self._weighed(self._voices, voted, max(as_of_us, self._newest_us), end_of_day)
        self._touched.clear()
        if as_of_us >= self._newest_us:
            return self._voices
        voted = [artifact for artifact in self._fold.voted_on() if artifact in self._numbers]
        return self._weighed(self._no_voices(), voted, as_of_us, end_of_day)

    def _weighed(self, voices: Voices, artifacts: Sequence[str], until_us: int, end_of_day_us: int) -> Voices:
        voices.replace({self._numbers[a]: self._spoken(a, until_us, end_of_day_us) for a in artifacts})
        return voices

    def _spoken(self, artifact: str, until_us: int, end_of_day_us: int) -> list[tuple[Spoken, float]]:
        known = [s for s in spoken_of(self._fold, artifact, until_us, end_of_day_us) if s.intent in self.searches]
        if not known:
            return []
        vectors = self.searches.vectors[self.searches.places(s.intent for s in known)]
        own = np.einsum("ij,j->i", vectors.astype(np.float64), self._own[self._numbers[artifact]].astype(np.float64))
        return list(zip(known, own.tolist(), strict=True))

    def _asked(self, voices: Voices, vector: NDArray[np.float32], cosines: _Floats, text: str) -> Asked:
        mean, of_searches, _ = self._mean()
        cosine = self.searches.cosines(vector).astype(np.float64)
        with_mean, square = float(vector @ mean), float(mean @ mean)
        lengths = np.sqrt(_positive(1.0 - 2.0 * of_searches + square) * _positive(1.0 - 2.0 * with_mean + square))
        centred = (cosine - with_mean - of_searches + square) / lengths
        search, beside = self._beside(voices)
        return Asked(
            cosine=cosine, centred=centred, search=search,
            turned=cosine[search] - with_mean - cosines[voices.artifact] * beside,
            words=[AskedWord(share, base, self._said(voices, w)) for w, share, base in self.searches.words_of(text)],
        )  # fmt: skip

    def _said(self, voices: Voices, stem: str) -> NDArray[np.int64]:
        """The places of the voices whose actors used a word in their intent; kept until one more did, or spoke."""
        pairs = self.searches.said(stem)
        state, kept = (voices.version, len(pairs)), self._said_by.get(stem)
        if kept is None or kept[0] is not voices or kept[1] != state:
            said = np.zeros(len(self.searches.pairs), np.bool_)
            said[pairs] = True
            if len(self._said_by) >= _MOST_WORDS:
                self._said_by.clear()
            kept = self._said_by[stem] = (voices, state, np.flatnonzero(said[voices.pair]))
        return kept[2]

    def _mean(self) -> tuple[NDArray[np.float32], _Floats, _Floats]:
        """The mean search, and its inner products with searches and with artifacts."""
        searches, kept = self.searches, self._means
        if kept is None or kept[0] != searches.version:
            mean = searches.mean()
            with_searches, with_artifacts = inner_products(searches.vectors, mean), inner_products(self._own, mean)
            kept = (searches.version, mean, with_searches.astype(np.float64), with_artifacts.astype(np.float64))
        elif len(kept[2]) < len(searches):
            new = inner_products(searches.vectors[len(kept[2]) :], kept[1])
            kept = (kept[0], kept[1], np.concatenate([kept[2], new.astype(np.float64)]), kept[3])
        self._means = kept
        return kept[1:]

    def _beside(self, voices: Voices) -> tuple[NDArray[np.int64], _Floats]:
        """The place of each voice's search, and its inner product with the artifact's vector, mean search taken off."""
        state, known = (voices.version, self.searches.version), self._known
        if known is None or known[0] is not voices or known[1] != state:
            search = self._searches_of_pairs()[voices.pair]
            known = self._known = (voices, state, search, voices.own - self._mean()[2][voices.artifact])
        return known[2], known[3]

    def _searches_of_pairs(self) -> NDArray[np.int64]:
        """The place of the search of each (intent, actor), int64 (pairs,); only those of new pairs are looked up."""
        pairs = self.searches.pairs
        new = list(islice(reversed(pairs), len(pairs) - len(self._places)))
        for place in self.searches.places(intent for intent, _ in reversed(new)):
            self._places.append(place)
        return self._places.values


def _positive(values: _Floats | float) -> _Floats | float:
    return np.maximum(values, 1e-12)
