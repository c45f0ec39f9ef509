"""What a claim's conditions name: device, number format, loader. Words of prose, read with small fixed lists."""

from __future__ import annotations

import re
from typing import Final

from graph.claims import Scope

_DEVICES: Final = re.compile(
    r"\b(?:i?phones?|ipad|ios|android|pixel \d+|galaxy|snapdragon|mobile|smartphone|edge tpu|coral|jetson|"
    r"raspberry(?: pi)?|micro-?controller|browser|webgpu|tpu|npu|gpus?|cuda|nvidia|rtx ?\d*|gtx ?\d*|geforce|"
    r"[avht]100|l40s?|t4|h200|apple silicon|m[1-4](?: pro| max| ultra)?|arm|cpus?|xeon|epyc|ryzen|intel core)\b",
    re.IGNORECASE,
)
_PRECISIONS: Final = re.compile(
    r"\b(?P<name>fp32|float32|f32|fp16|float16|f16|half|bf16|bfloat16|fp8|int8|8-?bit|int4|4-?bit|q[2-8](?:_\w+)?)\b",
    re.IGNORECASE,
)
_FORMATS: Final = {
    "fp32": "float32", "f32": "float32", "fp16": "float16", "f16": "float16", "half": "float16", "bf16": "bfloat16",
}  # fmt: skip
_LOADERS: Final = re.compile(r"\b(?P<name>sentence[-_ ]transformers|transformers|diffusers)\b", re.IGNORECASE)
_RUNTIMES_AT_HAND: Final = frozenset({"torch", "pytorch", "transformers", "sentence-transformers"})


def named_device(scope: Scope) -> str | None:
    """The device that a scope names, lower case; None where it names none.

    Examples
    --------
    >>> named_device(Scope(note="INT8, phone"))
    'phone'
    >>> named_device(Scope(note="batch 8 against 8 single images")) is None
    True
    """
    if scope.device:
        return scope.device.strip().lower()
    found = _DEVICES.search(scope.note or "")
    return found.group().lower() if found else None


def is_unnamed_processor(device: str) -> bool:
    """Whether a device is just "a CPU": named, but not which one."""
    return device in ("cpu", "cpus", "cpu:0")


def named_precision(scope: Scope) -> str | None:
    """The number format that a scope names, by its plain name where it has one; None where none.

    Examples
    --------
    >>> named_precision(Scope(note="INT8, phone")), named_precision(Scope(precision="fp16"))
    ('int8', 'float16')
    """
    found = _PRECISIONS.search(scope.precision or "") or _PRECISIONS.search(scope.note or "")
    if found is None:
        return scope.precision.lower() if scope.precision else None
    return _FORMATS.get(found["name"].lower(), found["name"].lower())


def named_loader(scope: Scope) -> str | None:
    """The library that a scope says the model is loaded with; None where it names none."""
    found = _LOADERS.search(scope.loader or "") or _LOADERS.search(scope.note or "")
    return re.sub(r"[_ ]", "-", found["name"].lower()) if found else None


def foreign_runtime(scope: Scope) -> str | None:
    """The runtime that a scope names where it is none that this version runs; else None."""
    runtime = (scope.runtime or "").strip().lower()
    return runtime if runtime and runtime not in _RUNTIMES_AT_HAND else None
