"""What a claim's conditions name: device, runtime, number format, loader, batch, steps, size.

Words of prose, read with small fixed lists.
"""

from __future__ import annotations

import re
from typing import Final

from graph.claims import Claim, Scope

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
    "8bit": "int8", "8-bit": "int8", "4bit": "int4", "4-bit": "int4",
}  # fmt: skip
_AGAINST: Final = re.compile(
    r"\b(?:from|than|against|over|vs\.?|versus|relative to|compared (?:to|with))\s+(?:the\s+)?"
    r"(?P<name>fp32|float32|f32|fp16|float16|f16|half|bf16|bfloat16)\b",
    re.IGNORECASE,
)
_BATCHES: Final = re.compile(r"\bbatch(?:[ _-]?size)?(?:[ _-]of)?\s*[=:]?[ _-]?(?P<count>\d{1,5})\b", re.IGNORECASE)
_STEPS: Final = re.compile(r"(?<![\d.\u2013-])(?<!\d to )(?P<count>\d{1,4})[ -]?steps?\b", re.IGNORECASE)
_SEVERAL_STEPS: Final = re.compile(r"\b\d{1,4} ?(?:-|\u2013|to|or|and) ?\d{1,4}[ -]?steps?\b", re.IGNORECASE)
_MOST_STEPS: Final = 1_000
_SIZES: Final = re.compile(r"\b(?P<width>\d{2,5})\s?[x×]\s?(?P<height>\d{2,5})\b", re.IGNORECASE)
_RUNTIMES: Final = re.compile(
    r"\b(?:onnx[ _-]?runtime|onnxrt|ort|onnx|core[ _-]?ml|tf[ _-]?lite|tensorflow(?: lite)?|litert|tensor[ _-]?rt|"
    r"open[ _-]?vino|executorch|llama\.cpp|ggml|mlx|vllm|webnn|transformers\.js|tf\.?js|jax|flax|pytorch|torch)\b",
    re.IGNORECASE,
)
_PLAIN_RUNTIMES: Final = {
    "onnx": "onnxruntime", "onnxrt": "onnxruntime", "ort": "onnxruntime", "pytorch": "torch", "litert": "tflite",
    "tensorflowlite": "tflite", "tf.js": "tfjs", "transformers": "torch", "diffusers": "torch",
    "sentence-transformers": "torch", "sentence_transformers": "torch",
}  # fmt: skip
_BESIDE_TOP_1: Final = re.compile(r"\btop[- ]?(?:[2-9]|\d\d+)\b", re.IGNORECASE)
_LOADERS: Final = re.compile(r"\b(?P<name>sentence[-_ ]transformers|transformers|diffusers)\b", re.IGNORECASE)
RUNTIMES_AT_HAND: Final = frozenset({"torch", "onnxruntime"})
"""By their plain names."""


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


def is_same_device(stated: str, at_hand: str) -> bool:
    """Whether the device that a claim names is the one at hand: of its kind where it names a kind, else by its name.

    Examples
    --------
    >>> is_same_device("cpu", "cpu (Intel Xeon)"), is_same_device("gpu", "cuda (NVIDIA H200)")
    (True, True)
    >>> is_same_device("h100", "cuda (NVIDIA H200)"), is_same_device("xeon", "cpu (Intel Xeon)")
    (False, True)
    """
    kind = at_hand.partition(" ")[0].lower()
    if is_unnamed_processor(stated):
        return kind == "cpu" if stated.startswith("cpu") else kind == "cuda"
    return re.search(rf"\b{re.escape(stated)}\b", at_hand, re.IGNORECASE) is not None


def is_unnamed_processor(device: str) -> bool:
    """Whether a device is just "a CPU" or "a GPU": its kind is named, but not which one."""
    return device in ("cpu", "cpus", "cpu:0", "gpu", "gpus", "cuda", "cuda:0", "nvidia")


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
    return plain_precision(found["name"])


def named_loader(scope: Scope) -> str | None:
    """The library that a scope says the model is loaded with; None where it names none."""
    found = _LOADERS.search(scope.loader or "") or _LOADERS.search(scope.note or "")
    return re.sub(r"[_ ]", "-", found["name"].lower()) if found else None


def named_batch_size(scope: Scope) -> int | None:
    """The batch size that a scope names.

    Examples
    --------
    >>> named_batch_size(Scope(note="batch 8 against 8 single images")), named_batch_size(Scope(note="a batch of 4"))
    (8, 4)
    """
    return scope.batch_size or _count(_BATCHES.search(scope.note or ""))


def named_steps(scope: Scope) -> int | None:
    """The denoising steps that a scope names; None for a range, which names no one number.

    Examples
    --------
    >>> named_steps(Scope(note="at 4 steps")), named_steps(Scope(note="1-4 steps")), named_steps(Scope(note="1-step"))
    (4, None, 1)
    """
    return scope.steps or _count(_STEPS.search(scope.note or ""))


def several_steps(scope: Scope) -> str | None:
    """The words of a scope that name more than one number of steps; None where none do.

    Examples
    --------
    >>> several_steps(Scope(note="draws in 1-4 steps")), several_steps(Scope(note="1-4 steps", steps=4))
    ('1-4 steps', None)
    """
    found = _SEVERAL_STEPS.search(scope.note or "") if scope.steps is None else None
    return found.group() if found else None


def named_size(scope: Scope) -> str | None:
    """The picture size that a scope names, as "256x256"."""
    found = _SIZES.search(scope.size or "") or _SIZES.search(scope.note or "")
    return f"{int(found['width'])}x{int(found['height'])}" if found else scope.size


def named_runtime(scope: Scope) -> str | None:
    """The runtime that a scope names, by its plain name (torch, onnxruntime, coreml, tflite…); None where none.

    Examples
    --------
    >>> named_runtime(Scope(note="iPhone, Core ML")), named_runtime(Scope(runtime="ONNX Runtime"))
    ('coreml', 'onnxruntime')
    """
    stated = (scope.runtime or "").strip().lower()
    found = _RUNTIMES.search(stated) or _RUNTIMES.search(scope.note or "")
    if found is None:
        return _PLAIN_RUNTIMES.get(stated, stated) or None
    word = re.sub(r"[\s_-]", "", found.group().lower())
    return _PLAIN_RUNTIMES.get(word, word)


def named_reference(scope: Scope, text: str = "") -> str | None:
    """The number format that a ratio or a loss is taken against, where the scope or the claim's text names one.

    Examples
    --------
    >>> named_reference(Scope(note="INT8"), "INT8 at least 4x smaller than FP32")
    'float32'
    """
    if scope.reference:
        found = _PRECISIONS.search(scope.reference)
        return plain_precision(found["name"]) if found else scope.reference.strip().lower()
    against = _AGAINST.search(scope.note or "") or _AGAINST.search(text)
    return plain_precision(against["name"]) if against else None


def foreign_runtime(scope: Scope) -> str | None:
    """The runtime that a scope names where it is none that this version runs; else None."""
    runtime = named_runtime(scope)
    return runtime if runtime is not None and runtime not in RUNTIMES_AT_HAND else None


def plain_precision(name: str) -> str:
    """A number format by its plain name: fp16 and half are float16."""
    lowered = name.strip().lower()
    return _FORMATS.get(lowered, lowered)


def stated_scope(claim: Claim) -> Scope:
    """All that a claim says about its conditions: the fields given, and what its note names, each by its plain name.

    The note itself is left out. A claim about steps is tried with as many as it states, where its scope names none.
    """
    given = claim.conditions
    return Scope(
        dataset=given.dataset,
        device=named_device(given),
        runtime=named_runtime(given),
        precision=named_precision(given),
        batch_size=named_batch_size(given),
        threads=given.threads,
        loader=named_loader(given),
        steps=_own_steps(claim) if claim.metric == "steps" and given.steps is None else named_steps(given),
        size=None if claim.metric == "max_pixels" and given.size is None else named_size(given),
        reference=named_reference(given),
    )


def plain_scope(scope: Scope) -> Scope:
    """A scope that was measured, each field by its plain name, as `stated_scope` has it."""
    return stated_scope(Claim(id="", artifact="", metric="", conditions=scope.model_copy(update={"note": None})))


def _own_steps(claim: Claim) -> int | None:
    """The steps that a claim about steps is to be tried with: its value, where that is a number of steps it allows."""
    value = claim.value
    allows = isinstance(value, int | float) and claim.comparator not in ("<", ">")
    return int(value) if allows and value in range(1, _MOST_STEPS + 1) else None  # type: ignore[arg-type]


def _count(found: re.Match[str] | None) -> int | None:
    return int(found["count"]) if found and int(found["count"]) > 0 else None


def is_top_1(claim: Claim) -> bool:
    """Whether a claim is about the first answer alone, and not about the best five or so."""
    return not _BESIDE_TOP_1.search(" ".join((claim.conditions.note or "", claim.text)))
