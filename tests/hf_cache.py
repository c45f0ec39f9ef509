"""Synthetic Hugging Face caches in huggingface_hub 2.4's own layout, made by its own functions where it has some.

`add_model` puts one repository into a cache; `build_cache` makes a cache of 200 with everything that goes wrong in
real ones. Used by tests and benchmarks.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from huggingface_hub.file_download import _create_symlink, repo_folder_name
from huggingface_hub.utils import _shared_blobs
from safetensors.numpy import save

LARGE_SUFFIXES = (".safetensors", ".bin", ".gguf", ".onnx", ".h5", ".ckpt")
"""What the hub keeps as a large file, whose blob is named by SHA-256; all else is named by git's blob SHA-1."""


def git_sha1(data: bytes) -> str:
    """Git's id of a blob, which names small files in a cache."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def blob_name(name: str, data: bytes) -> str:
    """The name of a file's blob in a cache."""
    return hashlib.sha256(data).hexdigest() if name.endswith(LARGE_SUFFIXES) else git_sha1(data)


def revision_of(text: str) -> str:
    """A commit's id, 40 hex digits, made from a text."""
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def add_model(
    cache: Path,
    repository: str,
    files: Mapping[str, bytes],
    *,
    revision: str = "1",
    shared: bool = False,
    main: bool = True,
    kind: str = "model",
) -> Path:
    """The folder of a repository, after one revision of it was put into a cache as the library would.

    Parameters
    ----------
    cache
        The cache's folder.
    repository
        `owner/name`.
    files
        Contents by name.
    revision
        Any text: the commit's id is made from it.
    shared
        True puts large files into the cache-wide blob store.
    main
        True makes it the revision that `refs/main` names.
    kind
        model, dataset or space.
    """
    folder = cache / repo_folder_name(repo_id=repository, repo_type=kind)
    commit = revision_of(f"{repository} {revision}")
    (folder / "blobs").mkdir(parents=True, exist_ok=True)
    snapshot = folder / "snapshots" / commit
    snapshot.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        blob = folder / "blobs" / blob_name(name, data)
        if not blob.exists():
            blob.write_bytes(data)
            if shared and name.endswith(LARGE_SUFFIXES):
                xet = hashlib.sha256(b"xet" + data).hexdigest()
                size = len(data)
                assert _shared_blobs.publish_blob_to_shared_store(
                    blob_path=str(blob), xet_hash=xet, cache_dir=cache, expected_size=size
                )
        pointer = snapshot / name
        pointer.parent.mkdir(parents=True, exist_ok=True)
        _create_symlink(str(blob), str(pointer))
    if main:
        (folder / "refs").mkdir(exist_ok=True)
        (folder / "refs" / "main").write_text(commit)
    return folder


def tensors(rows: int = 8, columns: int = 16, seed: int = 0) -> bytes:
    """A safetensors file with one matrix and one buffer."""
    weight = np.random.default_rng(seed).standard_normal((rows, columns)).astype(np.float32)
    return save({"classifier.weight": weight, "embeddings.position_ids": np.arange(4, dtype=np.int64)})


def gguf_bytes(name: str = "tiny") -> bytes:
    """A GGUF file of version 3: three fields, a vocabulary of two, one 4 x 8 matrix."""

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value.encode())) + value.encode()

    fields = [
        text("general.architecture") + struct.pack("<I", 8) + text("llama"),
        text("general.name") + struct.pack("<I", 8) + text(name),
        text("llama.context_length") + struct.pack("<II", 4, 2048),
        text("tokenizer.ggml.tokens") + struct.pack("<IIQ", 9, 8, 2) + text("a") + text("b"),
    ]
    tensor = text("token_embd.weight") + struct.pack("<IQQIQ", 2, 8, 4, 0, 0)
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, len(fields)) + b"".join(fields) + tensor
    return head + bytes(-len(head) % 32) + bytes(4 * 4 * 8)


def config(architecture: str = "BertForSequenceClassification", model_type: str = "bert", **fields: object) -> bytes:
    """A configuration of transformers."""
    labels = {str(number): name for number, name in enumerate(["negative", "positive"])}
    document = {"architectures": [architecture], "model_type": model_type, "id2label": labels, **fields}
    return json.dumps(document).encode()


CARD = """---
license: apache-2.0
pipeline_tag: text-classification
tags: [sentiment]
model-index:
- name: tiny
  results:
  - task: {type: text-classification}
    dataset: {type: imdb, name: IMDb, split: test}
    metrics: [{type: accuracy, value: 0.912}, {type: wer, value: 3.0}]
---
# Tiny

Says whether a film review is kind.
"""


@dataclass
class Expected:
    """What a built cache holds: the bucket of each model, and the number of what is no model."""

    buckets: dict[str, str] = field(default_factory=dict)
    others: int = 0
    altered_blob: str = ""
    escaping: str = ""


def build_cache(cache: Path, real_models: Sequence[Path] = ()) -> Expected:
    """A cache of 200 models of all kinds, two data sets and a space.

    131 are loadable (75 without a card, 15 in the shared store, 6 with several revisions, 3 pipelines of diffusers), 41
    have only pickles; one blob is altered, one link leads out of the cache.

    Parameters
    ----------
    cache
        The folder to make.
    real_models
        Folders of real models, whose files the loadable ones get in turn; without them they are shells that have
        the right files and cannot run.
    """
    cache.mkdir(parents=True)
    (cache / "CACHEDIR.TAG").write_text("Signature: 8a477f597d28d172789f06886806bc55\n")
    (cache / ".locks" / "models--loadable--m000").mkdir(parents=True)
    expected = Expected()
    for name, bucket, files, options in _plan(real_models):
        add_model(cache, name, files, **options)  # type: ignore[arg-type]
        expected.buckets[name] = bucket
    _break_some(cache, expected)
    for name in ("squad", "glue"):
        add_model(cache, f"data/{name}", {"train.csv": b"text,label\n"}, kind="dataset")
    add_model(cache, "demo/app", {"app.py": b"print(1)\n"}, kind="space")
    expected.others = 3
    return expected


def _plan(real_models: Sequence[Path]) -> Iterator[tuple[str, str, dict[str, bytes], dict[str, object]]]:
    """Name, bucket, files and options of all that need no breaking."""
    for number in range(128):
        files = {"config.json": config(), "model.safetensors": tensors(seed=number)}
        if real_models:
            files = _files_of(real_models[number % len(real_models)])
            files.pop("README.md", None)
        if number < 56:
            files["README.md"] = CARD.encode()
        if 64 <= number < 70:
            yield f"loadable/m{number:03}", "loadable", {**files, "old.txt": b"old"}, {"revision": "0", "main": False}
        if number % 10 == 9:
            files["pytorch_model.bin"] = b"a pickle beside safetensors"
        yield f"loadable/m{number:03}", "loadable", files, {"shared": 70 <= number < 85}
    for number in range(3):
        yield f"loadable/pipeline{number}", "loadable", pipeline_files(number), {}
    for number in range(41):
        data = {"config.json": config(), "pytorch_model.bin": f"pickle {number}".encode()}
        yield f"pickled/p{number:02}", "pickle only", data, {}
    for number in range(8):
        yield f"quantized/g{number}-GGUF", "gguf", {f"g{number}.Q4_0.gguf": gguf_bytes(str(number))}, {}
    for number in range(6):
        adapter = json.dumps({"base_model_name_or_path": "loadable/m000", "peft_type": "LORA", "task_type": "SEQ_CLS"})
        files = {"adapter_config.json": adapter.encode(), "adapter_model.safetensors": tensors(2, 2, number)}
        yield f"adapted/a{number}", "adapter", files, {}
    for number in range(3):
        yield f"exported/o{number}", "onnx", {"config.json": config(), "onnx/model.onnx": b"onnx"}, {}
    for number in range(2):
        code = config(auto_map={"AutoModel": "modeling.Mine"})
        files = {"config.json": code, "modeling.py": b"raise SystemExit\n", "model.safetensors": tensors()}
        yield f"own/code{number}", "custom code", files, {}
    for number in range(3):
        yield f"bare/tokenizer{number}", "no weights", {"config.json": config(), "vocab.txt": b"a\nb\n"}, {}


def _break_some(cache: Path, expected: Expected) -> None:
    """Six more that are broken, each in its own way."""
    files = {"config.json": config(), "model.safetensors": tensors()}
    for number in range(2):  # the blob of the weights was deleted by hand
        folder = add_model(cache, f"halved/link{number}", files)
        (folder / "blobs" / blob_name("model.safetensors", files["model.safetensors"])).unlink()
        expected.buckets[f"halved/link{number}"] = "incomplete"
    shards = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    index = json.dumps({"weight_map": shards}).encode()
    half = {"config.json": config(), "model.safetensors.index.json": index, shards["a"]: tensors()}
    add_model(cache, "halved/shard", half)
    expected.buckets["halved/shard"] = "incomplete"
    add_model(cache, "broken/header", {**files, "model.safetensors": tensors()[:-40]})
    expected.buckets["broken/header"] = "broken"
    folder = add_model(cache, "altered/flipped", files)
    blob = folder / "blobs" / blob_name("model.safetensors", files["model.safetensors"])
    data = bytearray(blob.read_bytes())
    data[-1] ^= 1
    blob.write_bytes(data)
    expected.buckets["altered/flipped"], expected.altered_blob = "altered", blob.name
    folder = add_model(cache, "escaping/link", files)
    secret = cache.parent / f"{cache.name}-outside.safetensors"
    secret.write_bytes(tensors())
    link = next(folder.glob("snapshots/*/model.safetensors"))
    link.unlink()
    link.symlink_to(secret)
    expected.buckets["escaping/link"], expected.escaping = "refused", "escaping/link"


def _files_of(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def pipeline_files(number: int = 0) -> dict[str, bytes]:
    """A pipeline of diffusers with a network, a scheduler and an empty safety checker."""
    index = {
        "_class_name": "StableDiffusionPipeline", "_diffusers_version": "0.42.1",
        "unet": ["diffusers", "UNet2DConditionModel"], "scheduler": ["diffusers", "DDIMScheduler"],
        "safety_checker": [None, None],
    }  # fmt: skip
    return {
        "model_index.json": json.dumps(index).encode(),
        "unet/config.json": b"{}",
        "unet/diffusion_pytorch_model.safetensors": tensors(seed=number),
        "scheduler/scheduler_config.json": b"{}",
    }
