"""The conditions that a sentence or a table sets for a number: set, device, number format, batch, reference."""

from __future__ import annotations

import functools
import re
from typing import Any, Final

from graph.claims import Scope
from inference.judging.scopes import (
    named_batch_size,
    named_device,
    named_reference,
    named_runtime,
    named_size,
    named_steps,
    plain_precision,
)

_FORMATS: Final = re.compile(
    r"(?<![\w-])(?P<name>fp32|float32|fp16|float16|bf16|bfloat16|fp8|int8|8-?bits?|int4|4-?bits?)(?![\w])",
    re.IGNORECASE,
)
_TIMED: Final = frozenset({"latency_s", "throughput", "speedup", "memory_bytes", "memory_ratio"})
_OF_A_FORMAT: Final = frozenset({"size_bytes", "size_ratio", "loss_points", "loss_relative", "accuracy"}) | _TIMED
_SINGLE: Final = re.compile(
    r"(?:compared (?:to|with)|against|than|over|versus|vs\.?) (?:naive |single[- ])", re.IGNORECASE
)
_AGAINST_FORMAT: Final = re.compile(
    r"\b(?:than|over|against|versus|vs\.?|compared (?:to|with)) (?:[a-z-]{1,15} ){0,3}(?:fp|float|bf)-?\d\d\b",
    re.IGNORECASE,
)
"""The format that something is compared with, which is not its own."""
_BITS: Final = {"int4": 4, "int8": 8, "fp8": 8, "float16": 16, "bfloat16": 16, "float32": 32}
_NO_PART: Final = frozenset({"those", "that", "these", "it", "model", "models", "stored", "run", "runs", "results"})
_MIXED: Final = re.compile(
    r"(?P<part>[A-Za-z]{3,20}(?: [a-z]{3,20})?) (?:layers? |weights? |blocks? )?in (?P<name>fp16|float16|"
    r"bf16|bfloat16|fp32|float32)\b",
    re.IGNORECASE,
)


def scope_of(
    metric: str, sentence: str, *, dataset: str | None = None, note: str | None = None, size: str | None = None,
    reference: str | None = None,
) -> Scope:  # fmt: skip
    """The conditions that a sentence sets for a number of this metric, each as a field of the scope."""
    words = Scope(note=sentence[:500])
    fields: dict[str, Any] = {"dataset": dataset, "note": note, "size": size, "reference": reference}
    if metric in _TIMED:
        fields |= {"device": named_device(words), "runtime": named_runtime(words)}
        fields["batch_size"] = named_batch_size(words)
        if reference is None:
            fields["reference"] = "batch 1" if _SINGLE.search(sentence) else named_reference(words)
    if metric in ("adherence",):
        fields |= {"steps": named_steps(words), "size": size or named_size(words)}
    if metric in _OF_A_FORMAT:
        fields["precision"] = (
            smallest_format(_AGAINST_FORMAT.sub(" ", sentence))
            if metric in ("size_ratio", "speedup")
            else only_format(sentence)
        )
    return Scope(**fields)


def formats_in(text: str) -> list[str]:
    """The number formats that a text names, by plain name, in order."""
    names = (re.sub(r"s$", "", found["name"].lower()) for found in _FORMATS.finditer(text))
    return [plain_precision(name) for name in names]


def only_format(text: str) -> str | None:
    """The one number format that a text names; None where it names none or several."""
    found = set(formats_in(text))
    return found.pop() if len(found) == 1 else None


@functools.lru_cache(maxsize=256)
def smallest_format(text: str) -> str | None:
    """The number format of fewest bits that a text names: what a ratio of sizes can reach at best."""
    found = [name for name in formats_in(text) if name in _BITS]
    return min(found, key=lambda name: (_BITS[name], name)) if found else None


def kept_wider(text: str) -> str | None:
    """Words of a part that a text says stays in a wider format: "attention in float16"; None where none does.

    Examples
    --------
    >>> kept_wider("keeping transformer attention in FP16 (low tolerance)")
    'attention in float16'
    """
    found = _MIXED.search(text)
    if found is None:
        return None
    part = found["part"].split()[-1].lower()
    return None if part in _NO_PART else f"{part} in {plain_precision(found['name'])}"
