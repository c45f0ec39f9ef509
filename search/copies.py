"""Copies of an artifact: the same model under another owner, quantised, converted, or told in the same words."""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache
from typing import Final

from graph.artifacts import Artifact
from search.query.words import plain_words

_SPLIT: Final = re.compile(r"[^a-z0-9.+]+")
_CONVERSION: Final = re.compile(
    r"gguf|ggml|gptq|awq|exl2|onnx|openvino|ov|tflite|coreml|mlx|torchscript|safetensors|tensorrt|trt|ct2|ctranslate2|"
    r"quantized|quantised|quant|quantization|int[48]|uint8|fp(?:4|8|16|32)|bf16|f(?:16|32)|nf4|bnb|[2-8]-?bits?|"
    r"i?q[2-8](?:[_-]?(?:k|[01]|nl|xs|xxs))?(?:[_-]?[sml])?|w[48]a(?:4|8|16)|k|s|m|l|half|static|dynamic|dq|"
    r"converted|copy|mirror|clone|reupload|hf|pt|pytorch|tf|flax|jax|fork"
)
"""Words of a name that say how a model is stored, never what it is."""
_WEAK: Final = frozenset(["k", "s", "m", "l", "hf", "pt", "tf", "ov"])
"""Conversion words that are too short to be dropped alone: they go only beside a longer one."""
_MOST_DIFFERING: Final = 0.1
"""Descriptions that differ in at most this share of their words say the same, unless a name or number tells more."""
_LEAST_WORDS: Final = 10
"""A shorter description is too little to tell a copy by."""
_MOST_TEXT_CHARS: Final = 2_000


def is_copy(candidate: Artifact, rejected: Artifact) -> bool:
    """Whether one is the other, or a copy or conversion of it.

    By base model, in either direction; by the same name from another owner, but for words of formats and
    quantisation; by near-equal descriptions that no fact tells apart.
    """
    if candidate.id == rejected.id or _made_from(candidate, rejected) or _made_from(rejected, candidate):
        return True
    one, other = name_core(candidate.name), name_core(rejected.name)
    tails = name_core(candidate.id), name_core(rejected.id)
    same_name = (bool(one) and one == other) or (bool(tails[0]) and tails[0] == tails[1])
    return (same_name and not _differ_in_size(candidate, rejected)) or _same_text(candidate, rejected)


def _made_from(candidate: Artifact, other: Artifact) -> bool:
    base = (candidate.base_model or "").strip().lower().removesuffix("/").removeprefix("https://huggingface.co/")
    return base in {other.id.lower(), other.slug, (other.weights.hub_id or other.id).lower()}


@lru_cache(maxsize=65_536)
def name_core(name: str) -> str:
    """What a name says without owner, format and quantisation; empty where nothing is left.

    Examples
    --------
    >>> name_core("TheBloke/Llama-2-7B-GGUF") == name_core("meta-llama/llama-2-7b") == "llama 2 7b"
    True
    >>> name_core("phi-2.Q4_K_M.gguf"), name_core("onnx")
    ('phi 2', '')
    """
    tail = name.lower().strip()
    tail = tail.rpartition("/")[2] if tail.count("/") == 1 else tail
    tail = re.sub(r"(?<=\d)-(?=bits?\b)", "", tail)
    tail = re.sub(r"\.(?=i?q[2-8]|gguf|onnx|safetensors|bin|f16|fp16)", "-", tail)
    words = [word for word in _SPLIT.split(tail) if word]
    if not any(char.isalpha() for char in tail):
        return ""
    converted = [word for word in words if _CONVERSION.fullmatch(word)]
    if not set(converted) - _WEAK:
        return " ".join(words)
    return " ".join(word for word in words if not _CONVERSION.fullmatch(word))


def _differ_in_size(one: Artifact, other: Artifact) -> bool:
    """Whether parameters tell two artifacts of one name apart: by more than a tenth."""
    if one.params is None or other.params is None:
        return False
    return abs(one.params - other.params) > 0.1 * max(one.params, other.params)


def _same_text(one: Artifact, other: Artifact) -> bool:
    """Whether two descriptions say the same: all words but a few, none of which either is named by."""
    words = _told(one), _told(other)
    total = min(words[0].total(), words[1].total())
    if total < _LEAST_WORDS or _differ_in_size(one, other):
        return False
    if None not in (one.family, other.family) and one.family != other.family:
        return False
    differing = (words[0] - words[1]) + (words[1] - words[0])
    if differing.total() > _MOST_DIFFERING * total:
        return False
    named = {*plain_words(one.id), *plain_words(one.name), *plain_words(other.id), *plain_words(other.name)}
    return not any(word in named or any(char.isdigit() for char in word) for word in differing)


def _told(artifact: Artifact) -> Counter[str]:
    """The words of an artifact's descriptions, counted, without its own name."""
    texts = dict.fromkeys([artifact.description, *(c.description for c in artifact.capabilities)])
    joined = " ".join(texts)[:_MOST_TEXT_CHARS].lower()
    for name in sorted({artifact.id, artifact.name, artifact.id.rpartition("/")[2]}, key=len, reverse=True):
        joined = joined.replace(name.lower(), " ")
    return Counter(plain_words(joined))
