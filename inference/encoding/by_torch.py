"""The sentence encoder on torch, through sentence-transformers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from graph.errors import ModelError
from inference.encoder_recipe import EncoderInfo
from inference.encoding.batches import length_batches, one_line, readable, unit_vectors
from inference.models.locate import MINILM

BATCH: Final = 32
"""Texts encoded at once, of similar length."""


class TorchEncoder:
    """A sentence-transformers model on the CPU, loaded at the first use; safe to share between threads."""

    def __init__(self, info: EncoderInfo, folder: Path, transformer: Path, threads: int) -> None:
        self.info = info
        self._folder, self._transformer, self._threads = folder, transformer, threads
        self._model: Any = None
        self._lock = threading.Lock()  # the tokenizer's padding is state of its own

    def encode(self, texts: Sequence[str], on_done: Callable[[int], None] | None = None) -> NDArray[np.float32]:
        """L2-normalised vectors, float32 (n, dimension), in the order given; no texts give (0, dimension).

        Parameters
        ----------
        texts : sequence of str
            Texts; what exceeds `info.max_tokens` is cut. A lone surrogate counts as "?".
        on_done : callable or None
            Hears, after each batch, how many texts are finished.

        Raises
        ------
        ModelError
            The model cannot be loaded, lacks tensors, or gives numbers that are not finite.
        """
        vectors = np.zeros((len(texts), self.info.dimension), np.float32)
        done = 0
        for rows in length_batches(texts, BATCH):
            vectors[rows] = self._encode_batch([readable(texts[row]) for row in rows])
            done += len(rows)
            if on_done:
                on_done(done)
        return vectors

    def _encode_batch(self, texts: list[str]) -> NDArray[np.float32]:
        with self._lock:
            model = self._loaded()
            try:
                raw = model.encode(texts, batch_size=BATCH, show_progress_bar=False, convert_to_numpy=True)
            except (RuntimeError, ValueError, IndexError, KeyError) as error:
                raise ModelError(f"encoder {self.info.name}: {one_line(error)}: choose another model") from error
        return unit_vectors(raw, self.info)

    def model(self) -> Any:
        """The loaded sentence-transformers model, in evaluation mode.

        Raises
        ------
        ModelError
            It cannot be loaded, or lacks tensors.
        """
        with self._lock:
            return self._loaded()

    def _loaded(self) -> Any:
        if self._model is None:
            self._model = _load(self._folder, self._transformer, self.info, self._threads)
        return self._model


def _load(folder: Path, transformer: Path, info: EncoderInfo, threads: int) -> Any:
    """The model, after checking that every tensor came from its files and its length is the declared one."""
    import torch
    from safetensors import SafetensorError
    from sentence_transformers import SentenceTransformer
    from transformers import AutoModel
    from transformers.utils import logging

    logging.disable_progress_bar()
    torch.set_num_threads(threads)
    safely = {"use_safetensors": True, "local_files_only": True, "trust_remote_code": False}
    try:
        model = SentenceTransformer(
            str(folder), device="cpu", local_files_only=True, trust_remote_code=False, model_kwargs=safely
        )
        if info.name != MINILM:  # a missing tensor would silently be random
            _, loading = AutoModel.from_pretrained(transformer, output_loading_info=True, **safely)
            missing = sorted(key for key in loading["missing_keys"] if not key.startswith("pooler."))
            if missing:
                raise ModelError(f"encoder {info.name}: no weights for {missing[0]} and {len(missing) - 1} more")
    except (OSError, ValueError, RuntimeError, KeyError, AttributeError, ImportError, SafetensorError) as error:
        raise ModelError(f"encoder {info.name}: cannot be loaded: {one_line(error)}") from error
    if model.max_seq_length != info.max_tokens:
        raise ModelError(
            f"encoder {info.name}: reads {model.max_seq_length} tokens where its files say {info.max_tokens}: "
            "state max_seq_length in its sentence_bert_config.json"
        )
    return model.eval()
