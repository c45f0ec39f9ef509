"""What imported queries mean: their intents, and the capability through which each result was delivered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, func, select

from graph.digest import text_digest
from graph.home import Home
from graph.store import catalogue
from graph.store.folded import read_identities
from graph.store.tables import INTENTS
from inference.embedder import Encoder
from search.votes.intents import AssignedIntent, assign_intent, near_intents

CHUNK: Final = 256
"""Texts encoded and kept at a time: what Ctrl-C leaves is not encoded again."""


def query_vectors(
    home: Home, encoder: Encoder, texts: Iterable[str], on_done: Callable[[int], None]
) -> dict[str, NDArray[np.float32]]:
    """The vector of each text, float32 of shape (dimension,), normalised; kept ones are not encoded again."""
    keys = {catalogue.vector_key(text): text for text in sorted(set(texts))}
    digest = encoder.info.digest
    with home.store.reading() as connection:
        kept = catalogue.load_vectors(connection, digest, list(keys))
    missing = [key for key in keys if key not in kept]
    for start in range(0, len(missing), CHUNK):
        chunk = missing[start : start + CHUNK]
        made = dict(zip(chunk, encoder.encode([keys[key] for key in chunk]), strict=True))
        with home.store.writing() as connection:
            catalogue.save_vectors(connection, digest, made)
        kept |= made
        on_done(len(kept))
    return {text: kept[key] for key, text in keys.items()}


class Intents:
    """The intents of an encoder, and those that imported queries found; assigned as the engine does, one by one."""

    def __init__(self, encoder: str, vectors: Mapping[str, NDArray[np.float32]]) -> None:
        self._encoder, self._query_vectors = encoder, vectors
        self._assigned: dict[str, AssignedIntent] = {}
        self._ids: list[str] = []
        self._rows = np.zeros((0, 0), np.float32)
        self._new: dict[str, str] = {}
        self._expect({})

    def refresh(self, connection: Connection) -> None:
        """Take in what others founded meanwhile."""
        known = select(func.count()).select_from(INTENTS).where(INTENTS.c.encoder == self._encoder)
        if connection.execute(known).scalar_one() != len(self._ids):
            self._ids, self._rows = catalogue.intent_vectors(connection, self._encoder)
            self._assigned.clear()
            self._expect({})

    def expect(self, texts: Iterable[str]) -> None:
        """Compare queries that are to be assigned next with all known intents, and with each other, at once."""
        wanted = [text for text in dict.fromkeys(texts) if text not in self._assigned]
        self._expect({})
        if wanted:
            queries = np.stack([self._query_vectors[text] for text in wanted])
            known = self._rows[: len(self._ids)] if self._ids else queries[:0]
            self._expect(dict(zip(wanted, near_intents(queries, known), strict=True)))
            for text, rows in zip(wanted, near_intents(queries, queries), strict=True):
                self._beside[text] = [wanted[row] for row in rows]

    def _expect(self, near: dict[str, NDArray[np.int64]]) -> None:
        self._expected = near
        self._beside: dict[str, list[str]] = {}
        self._founded: dict[str, int] = {}

    def _rows_near(self, text: str) -> NDArray[np.int64] | None:
        """Those of the comparison, and what was founded since; None where the query was not expected."""
        if text not in self._expected:
            return None
        since = [self._founded[other] for other in self._beside[text] if other in self._founded]
        since += [row for other, row in self._founded.items() if other not in self._expected]
        return np.concatenate([self._expected[text], np.array(sorted(since), np.int64)])

    def assign(self, text: str) -> tuple[str, str]:
        """The intent of a query, and the key of its vector."""
        key = text_digest(catalogue.vector_key(text) + self._encoder)
        if text not in self._assigned:
            vector = self._query_vectors[text]
            intent = assign_intent(vector, key, self._ids, self._rows[: len(self._ids)], self._rows_near(text))
            if intent.new:
                self._founded[text] = len(self._ids)
                self._found(intent.id, vector)
                self._new[intent.id] = text
            self._assigned[text] = intent
        return self._assigned[text].id, key

    def _found(self, intent: str, vector: NDArray[np.float32]) -> None:
        count = len(self._ids)
        if count >= len(self._rows):  # doubled, so that many are founded in linear time
            grown = np.zeros((max(64, 2 * count), len(vector)), np.float32)
            grown[:count] = self._rows[:count] if count else 0
            self._rows = grown
        self._rows[count] = vector
        self._ids.append(intent)

    def keep(self, connection: Connection, times_us: Mapping[str, int]) -> int:
        """Keep the intents that were founded since the last time; how many. `times_us` says when, by intent."""
        new = [(intent, catalogue.vector_key(text), times_us[intent]) for intent, text in self._new.items()]
        catalogue.save_intents(connection, self._encoder, new)
        founded = len(self._new)
        self._new.clear()
        return founded


class Deliveries:
    """Through which canonical capability an artifact answers a query: the nearest of those that it has."""

    def __init__(self, connection: Connection, encoder: str, vectors: Mapping[str, NDArray[np.float32]]) -> None:
        same = read_identities(connection)
        self._query_vectors = vectors
        self._uris: dict[str, Sequence[str]] = {}
        found: dict[str, set[str]] = {}
        for (artifact, _), uri in catalogue.assignments(connection).items():
            found.setdefault(artifact, set()).add(same.resolve("capability", uri))
        self._uris = {artifact: sorted(uris) for artifact, uris in found.items()}
        shared = {uri for uris in self._uris.values() if len(uris) > 1 for uri in uris}
        keys = {c.uri: c.vector_key for c in catalogue.all_canonical(connection) if c.uri in shared}
        kept = catalogue.load_vectors(connection, encoder, sorted(set(keys.values())))
        self._vectors = {uri: kept[key] for uri, key in keys.items() if key in kept}

    @property
    def are_known(self) -> bool:
        """Whether any artifact has a canonical capability."""
        return bool(self._uris)

    def uri(self, artifact: str, query: str) -> str | None:
        """The URI; None where the artifact has none. Ties, and capabilities without a vector: the first by URI."""
        uris = self._uris.get(artifact, ())
        if len(uris) < 2 or query not in self._query_vectors:
            return uris[0] if uris else None
        vector = self._query_vectors[query]
        near = {uri: float(self._vectors[uri] @ vector) if uri in self._vectors else -1.0 for uri in uris}
        return max(uris, key=lambda uri: near[uri])
