"""An encoder that can be computed by hand: one dimension per word of a small vocabulary, counted and normalised."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from inference.encoder_recipe import EncoderInfo


class WordEncoder:
    """Counts words into `dimension` buckets by their SHA-256; `encoded` remembers every text that was asked."""

    def __init__(self, name: str = "words", dimension: int = 512, stop_after: int | None = None) -> None:
        self.info = EncoderInfo(name, hashlib.sha256(name.encode()).hexdigest(), dimension, 256)
        self.encoded: list[str] = []
        self.stop_after = stop_after

    def encode(self, texts: Sequence[str], on_done: Callable[[int], None] | None = None) -> NDArray[np.float32]:
        if self.stop_after is not None and len(self.encoded) + len(texts) > self.stop_after:
            raise KeyboardInterrupt
        self.encoded += texts
        vectors = np.zeros((len(texts), self.info.dimension), np.float32)
        for row, text in enumerate(texts):
            for word in re.findall(r"\w+", text.lower()) or [""]:
                vectors[row, int(hashlib.sha256(word.encode()).hexdigest(), 16) % self.info.dimension] += 1
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
