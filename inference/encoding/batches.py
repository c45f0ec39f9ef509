"""What both runtimes share: texts in batches of similar length, and vectors of length 1 or an error."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from graph.errors import ModelError
from inference.encoder_recipe import EncoderInfo


def length_batches(texts: Sequence[str], size: int) -> list[list[int]]:
    """Positions of the texts in batches of at most `size`, longest first: little padding, and memory fails early."""
    order = sorted(range(len(texts)), key=lambda row: (-len(texts[row]), row))
    return [order[start : start + size] for start in range(0, len(order), size)]


def readable(text: str) -> str:
    """A text as a tokenizer takes it: a lone surrogate becomes "?"."""
    return text.encode("utf-8", "replace").decode()


def unit_vectors(raw: object, info: EncoderInfo) -> NDArray[np.float32]:
    """Vectors of length 1, float32 (n, dimension).

    Raises
    ------
    ModelError
        They are of another dimension, zero, or not finite.
    """
    vectors = np.asarray(raw, np.float32)
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    if vectors.shape[1:] != (info.dimension,) or not np.isfinite(vectors).all() or not lengths.all():
        raise ModelError(
            f"encoder {info.name}: vectors of shape {vectors.shape} that are not finite, are zero, or are "
            f"not of {info.dimension} dimensions: its weights are damaged"
        )
    unit: NDArray[np.float32] = vectors / lengths
    return unit


def one_line(error: BaseException) -> str:
    """What a library's error says, on one line of at most 200 characters."""
    return " ".join(str(error).split())[:200] or type(error).__name__
