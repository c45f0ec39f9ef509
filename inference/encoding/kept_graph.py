"""The encoder's ONNX graph: made from the weights once, compared with torch, kept in the home."""

from __future__ import annotations

import io
import json
import os
import secrets
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import numpy as np
from filelock import FileLock
from pydantic import TypeAdapter, ValidationError

from graph.digest import digest_of
from graph.errors import ModelError
from inference.encoding.batches import one_line
from inference.encoding.by_onnx import INPUTS, OUTPUT, OnnxEncoder
from inference.encoding.by_torch import TorchEncoder
from inference.models.digests import FileDigests

EXPORT_VERSION: Final = "1"
"""Counts up when graphs are made differently; older ones are made again."""
LARGEST_DIFFERENCE: Final = 1e-5
"""Largest difference of any number of a vector from torch's."""
SAMPLE: Final = (
    "", " ", ".", "a", "image", "gpt-4o-mini", "Estimate depth from one image.",
    "a model that classifies images of plants on a phone, offline and under 10M parameters",
    "Übersetzt Deutsch ↔ 日本語 und العربية, mit Zeitstempeln", "e\u0301te\u0301 naïve ﬁne ½ ™ \u200b\u202e x",
    "😀 😃 👩‍👩‍👧 🇩🇪 emoji only? 🤖", "\x00 \ud800 control\tand\nbroken characters \ufffd",
    "https://example.org/a/b?c=d#e {\"json\": [1, 2.5, null]} <b>html</b> `code_like_this()` C++ C# .NET",
    "Pneumonoultramicroscopicsilicovolcanoconiosis" * 20, "word " * 120, "cat " * 254 + "dog", "0123456789 " * 400,
    "Sentence embeddings for semantic search, clustering and paraphrase mining over long documents. " * 12,
)  # fmt: skip
"""Texts whose vectors are compared: nothing, one word, several languages, broken characters, beyond the limit."""


class NotExportable(Exception):
    """Why there is no graph that could be used in place of torch, in one line."""


@dataclass(frozen=True)
class KeptGraph:
    """What `made.json` of an encoder's folder says.

    `key` covers everything the graph depends on; `graph` and `tokenizer` are names of files, which hold their own
    SHA-256. `difference` is the largest from torch's vectors; `refused` says why it is not used, else it is empty.
    """

    key: str
    graph: str = ""
    tokenizer: str = ""
    difference: float = 0.0
    refused: str = ""


def find_or_make(encoder: TorchEncoder, graphs: Path, digests: FileDigests, threads: int) -> tuple[OnnxEncoder, float]:
    """The encoder in onnxruntime and the largest difference of its vectors from torch's.

    The graph is read from the folder of graphs; where it is missing, damaged, or of other versions, it is made there.
    Several processes at once make it once.

    Raises
    ------
    NotExportable
        There is none that gives torch's vectors, or it cannot be kept.
    ModelError
        The encoder itself cannot be loaded.
    """
    folder, key = graphs / encoder.info.digest[:16], _key(encoder.info.digest)
    kept = _read(folder, key, digests)
    if kept is None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with FileLock(folder / "lock"):
                kept = _read(folder, key, digests) or _make(encoder, folder, key, digests)
        except OSError as error:
            raise NotExportable(f"its ONNX graph cannot be kept: {error.strerror or error}") from error
    digests.save()
    if kept.refused:
        raise NotExportable(kept.refused)
    try:
        tokenizer = (folder / kept.tokenizer).read_text(encoding="utf-8")
        return OnnxEncoder(encoder.info, folder / kept.graph, tokenizer, threads), kept.difference
    except (OSError, ModelError) as error:
        raise NotExportable(one_line(error)) from error


def _key(encoder: str) -> str:
    """The key of an encoder's graph: another exporter or runtime makes and checks it anew."""
    return digest_of([encoder, EXPORT_VERSION, *(version(name) for name in ("torch", "onnxruntime", "tokenizers"))])


def missing_package() -> str:
    """The package without which there is no graph; empty where all are installed."""
    for name in ("onnxruntime", "tokenizers", "onnx"):
        try:
            version(name)
        except PackageNotFoundError:
            return name
    return ""


def _read(folder: Path, key: str, digests: FileDigests) -> KeptGraph | None:
    """What is kept under this key and undamaged; None where it must be made."""
    try:
        kept = TypeAdapter(KeptGraph).validate_json((folder / "made.json").read_bytes())
        if kept.key != key:
            return None
        if kept.refused or all(digests.of(folder / name) == _digest(name) for name in (kept.graph, kept.tokenizer)):
            return kept
    except (OSError, ValidationError, ModelError):
        return None
    return None


# Made ---------------------------------------------------------------------------------------------------
def _make(encoder: TorchEncoder, folder: Path, key: str, digests: FileDigests) -> KeptGraph:
    """A graph made, compared and kept, or the reason why none is used, which is kept too."""
    try:
        graph, tokenizer = export(encoder)
        difference = compare(OnnxEncoder(encoder.info, graph, tokenizer, threads=1), encoder)
        if not difference <= LARGEST_DIFFERENCE:
            raise NotExportable(f"its ONNX graph differs from torch by {difference:.1e}, not {LARGEST_DIFFERENCE:.0e}")
    except NotExportable as error:
        kept = KeptGraph(key, refused=str(error))
    else:
        kept = KeptGraph(
            key, _write(folder, "graph", ".onnx", graph), _write(folder, "tokenizer", ".json", tokenizer.encode()),
            difference,
        )  # fmt: skip
        digests.of(folder / kept.graph)  # remembered, so that the next process need not read it twice
    draft = folder / f"made.{secrets.token_hex(4)}"
    draft.write_text(json.dumps(asdict(kept), sort_keys=True), encoding="utf-8")
    draft.replace(folder / "made.json")
    for old in folder.iterdir():
        if old.name not in ("made.json", "lock", kept.graph, kept.tokenizer):
            old.unlink()
    return kept


def export(encoder: TorchEncoder) -> tuple[bytes, str]:
    """The whole encoder, pooling and all, as an ONNX file with its weights inside, and its tokenizer as JSON.

    Raises
    ------
    NotExportable
        The exporter cannot write it, or it reads texts in a way of its own.
    ModelError
        The encoder cannot be loaded.
    """
    import torch

    model = encoder.model()
    if model.prompts.get(model.default_prompt_name):
        raise NotExportable("it puts a prompt before each text")
    written = io.BytesIO()
    axes = {name: {0: "texts", 1: "tokens"} for name in INPUTS} | {OUTPUT: {0: "texts"}}
    try:
        given = model.preprocess(["a cat", "dogs run over the meadow"])  # sets the tokenizer's truncation and padding
        tokenizer = str(model.tokenizer.backend_tokenizer.to_str())
        own = model[0].model.config._attn_implementation
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            try:
                model[0].model.set_attn_implementation("eager")  # fewer and faster operations in the graph
                torch.onnx.export(
                    _vectors_of(model), tuple(given[name] for name in INPUTS), written, dynamo=False,
                    dynamic_axes=axes, input_names=list(INPUTS), output_names=[OUTPUT],
                )  # fmt: skip
            finally:
                model[0].model.set_attn_implementation(own)
    except MemoryError:
        raise
    except Exception as error:  # the exporter raises anything where it has no translation
        raise NotExportable(f"it cannot be exported to ONNX: {type(error).__name__}: {one_line(error)}") from error
    return written.getvalue(), tokenizer


def _vectors_of(model: Any) -> Any:
    """The model as a module from token ids and mask to vectors."""
    import torch

    class Vectors(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *inputs: Any) -> Any:
            return self.model(dict(zip(INPUTS, inputs, strict=True)))["sentence_embedding"]

    return Vectors().eval()


def compare(one: OnnxEncoder, other: TorchEncoder, texts: Sequence[str] = SAMPLE) -> float:
    """The largest difference between any two numbers of their vectors, texts together and one by one."""
    right = other.encode(texts)
    try:
        together, alone = one.encode(texts), np.concatenate([one.encode([text]) for text in texts])
    except ModelError as error:
        raise NotExportable(one_line(error)) from error
    return float(max(np.abs(together - right).max(), np.abs(alone - right).max()))


def _write(folder: Path, name: str, ending: str, content: bytes) -> str:
    """The name of a file with this content, which appears whole or not at all."""
    draft = folder / f"{name}.{secrets.token_hex(4)}"
    with draft.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    final = f"{name}-{sha256(content).hexdigest()}{ending}"
    draft.replace(folder / final)
    return final


def _digest(name: str) -> str:
    """The SHA-256 in a file's own name."""
    return Path(name).stem.rpartition("-")[2]
