"""The vector cache: a text is embedded once per encoder, kept batch by batch, and never again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from graph.errors import ModelError, StoreError
from graph.home import Home
from graph.store.catalogue import load_vectors, save_vectors, vector_key
from indexer.progress import OnProgress, Progress, silent

if TYPE_CHECKING:
    from inference.embedder import Encoder

BATCH: Final = 256
"""Texts embedded and kept at a time: what an interrupted build loses at most."""
_LOOK_UP: Final = 5_000


def embed_missing(home: Home, encoder: Encoder, texts: Iterable[str], on_progress: OnProgress = silent) -> int:
    """How many texts were embedded: those without a vector under this encoder, each different one once.

    Kept in the store after every 256 texts, shortest first, so that an interrupted call resumes where it stopped.

    Raises
    ------
    ModelError
        The encoder gave vectors of another shape than it says, or numbers that are not finite.
    """
    wanted = {vector_key(text): text for text in texts}
    known = _known_keys(home, encoder.info.digest, list(wanted))
    missing = sorted((text for key, text in wanted.items() if key not in known), key=lambda text: (len(text), text))
    for start in range(0, len(missing), BATCH):
        on_progress(Progress("embed", start, len(missing)))
        batch = missing[start : start + BATCH]
        vectors = _encoded(encoder, batch)
        with home.store.writing() as connection:
            pairs = {vector_key(text): vector for text, vector in zip(batch, vectors, strict=True)}
            save_vectors(connection, encoder.info.digest, pairs)
    on_progress(Progress("embed", len(missing), len(missing)))
    return len(missing)


def read_vectors(home: Home, encoder: Encoder, texts: Sequence[str]) -> NDArray[np.float32]:
    """Kept vectors of texts, float32 of shape (texts, dimension), in the order given; (0, dimension) for none.

    Raises
    ------
    StoreError
        A text has no vector: call `embed_missing` first.
    """
    keys = [vector_key(text) for text in texts]
    vectors = np.empty((len(keys), encoder.info.dimension), np.float32)
    with home.store.reading() as connection:
        for start in range(0, len(keys), _LOOK_UP):
            chunk = keys[start : start + _LOOK_UP]
            found = load_vectors(connection, encoder.info.digest, sorted(set(chunk)))
            for row, key in enumerate(chunk, start):
                if key not in found or found[key].shape != (encoder.info.dimension,):
                    raise StoreError(f"no vector of {encoder.info.name} for text {key[:12]}: run `matchgraph build`")
                vectors[row] = found[key]
    return vectors


def _known_keys(home: Home, encoder: str, keys: Sequence[str]) -> set[str]:
    known: set[str] = set()
    with home.store.reading() as connection:
        for start in range(0, len(keys), _LOOK_UP):  # in parts: vectors are larger than their keys
            known |= load_vectors(connection, encoder, keys[start : start + _LOOK_UP]).keys()
    return known


def _encoded(encoder: Encoder, batch: Sequence[str]) -> NDArray[np.float32]:
    vectors = np.asarray(encoder.encode(batch), dtype=np.float32)
    expected = (len(batch), encoder.info.dimension)
    if vectors.shape != expected:
        raise ModelError(f"encoder {encoder.info.name} gave shape {vectors.shape}, not {expected}: use another encoder")
    broken = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if broken.size:
        shown = batch[int(broken[0])][:60]
        raise ModelError(f"encoder {encoder.info.name} gave numbers that are not finite for {shown!r}: use another")
    return vectors
