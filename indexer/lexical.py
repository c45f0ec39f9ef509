"""BM25 over the same rows as the vectors: bm25s with Lucene's formula, English stems and stop words."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from graph.errors import SnapshotError

METHOD: Final = "lucene"
K1: Final = 1.5
B: Final = 0.75
_COUNT: Final = "rows.json"
_TEXTS_KEPT: Final = 1_024


def tokenize(texts: Sequence[str]) -> list[list[str]]:
    """Stems of the words of each text, lower case, without English stop words; one-letter words are left out.

    Corpus and queries go through this one function.
    """
    import bm25s

    logging.getLogger("bm25s").setLevel(logging.WARNING)
    found: list[list[str]] = bm25s.tokenize(
        list(texts), stopwords="en", stemmer=_stemmer(), return_ids=False, show_progress=False
    )
    return found


@lru_cache(maxsize=_TEXTS_KEPT)
def stems_of(text: str) -> tuple[str, ...]:
    """The stems of one text, as `tokenize` gives them; those of the texts asked last are remembered."""
    return tuple(tokenize([text])[0])


class Lexical:
    """BM25 scores of rows; `None` inside stands for a corpus without a single word."""

    def __init__(self, rows: int, index: Any | None) -> None:
        self.rows = rows
        self._index = index

    @classmethod
    def of(cls, texts: Sequence[str]) -> Lexical:
        """The lexical index of texts, row by row; no texts, or none with a word, are fine."""
        import bm25s

        tokens = tokenize(texts)
        vocabulary = {word: number for number, word in enumerate(sorted({word for row in tokens for word in row}))}
        if not vocabulary:
            return cls(len(texts), None)
        index = bm25s.BM25(method=METHOD, k1=K1, b=B)
        # Numbers by sorted words: bm25s' own come from a set, and the same texts would give other files each time.
        numbered = [[vocabulary[word] for word in row] for row in tokens]
        index.index((numbered, vocabulary), create_empty_token=False, show_progress=False)
        return cls(len(texts), index)

    @classmethod
    def open(cls, folder: Path) -> Lexical:
        """The lexical index of a folder, its arrays mapped into memory.

        Raises
        ------
        SnapshotError
            Files are missing or malformed; names the folder.
        """
        import bm25s

        try:
            stated = json.loads((folder / _COUNT).read_text(encoding="utf-8"))
            rows, is_empty = int(stated["rows"]), bool(stated["empty"])
            index = None if is_empty else bm25s.BM25.load(folder, mmap=True, show_progress=False)
        except (OSError, ValueError, KeyError, TypeError) as error:
            problem = "cannot be read as a lexical index"
            raise SnapshotError(f"{folder}: {problem}: run `matchgraph rollback` or `matchgraph build`") from error
        if index is not None:  # still mapped, but a view of numpy's own is sliced in a third of the time
            index.scores |= {name: np.asarray(index.scores[name]) for name in ("data", "indices", "indptr")}
        return cls(rows, index)

    def save(self, folder: Path) -> None:
        """Write the index into a folder, which is made.

        Raises
        ------
        SnapshotError
            The folder cannot be written; names it.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            stated = json.dumps({"rows": self.rows, "empty": self._index is None})
            (folder / _COUNT).write_text(stated, encoding="utf-8")
            if self._index is not None:
                self._index.save(folder, show_progress=False)
        except OSError as error:
            raise SnapshotError(f"{folder}: {error.strerror or error}: check the folder's rights and room") from error

    def words(self) -> frozenset[str]:
        """The stems that the index knows."""
        return frozenset() if self._index is None else frozenset(self._index.vocab_dict)

    def knows(self, text: str) -> bool:
        """Whether any row has a word of a text: then `scores` are not all zero."""
        return self._index is not None and any(word in self._index.vocab_dict for word in stems_of(text))

    def scores(self, query: str) -> NDArray[np.float32]:
        """BM25 of every row for a query, float32 (rows,); words that no row has count nothing."""
        known: list[int] = []
        if self._index is not None:
            known = self._index.get_tokens_ids(list(stems_of(query)))
        if not known or self._index is None:
            return np.zeros(self.rows, np.float32)
        return np.asarray(self._index.get_scores_from_ids(known), np.float32)


@cache
def _stemmer() -> Any:
    import Stemmer

    return Stemmer.Stemmer("english")
