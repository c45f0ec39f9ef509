"""Ratios in words: "4x smaller", "40 % less memory". Fixed lists; every repetition is bounded."""

from __future__ import annotations

import re
from typing import Final

from indexer.claims.quantities import Quantity

_I: Final = re.IGNORECASE
RATIOS: Final = frozenset({"speedup", "size_ratio", "memory_ratio"})
_SIZE: Final = (
    r"(?:smaller|lighter|compress(?:ion|ed)?|model size|size|fewer param(?:eter)?s|less param(?:eter)?s|"
    r"(?:size|parameter) reduction)"
)
_MEMORY: Final = (
    r"(?:(?:less|lower|smaller|reduced|fewer)?\s?(?:peak |gpu |v?ram )?memory|memory (?:reduction|"
    r"savings?|footprint|overhead))"
)
_SPEED: Final = (
    r"(?:faster|speed-?ups?|quicker|throughput|(?:higher|better|more|improved) throughput|lower latency|"
    r"less time|speed\b)"
)
_RATIO_BEHIND: Final = tuple(
    (metric, re.compile(rf"\s*(?:times )?(?:more |better |inference |model )?{words}", _I))
    for metric, words in (("memory_ratio", _MEMORY), ("size_ratio", _SIZE), ("speedup", _SPEED))
)
_RATIO_BEFORE: Final = tuple(
    (metric, re.compile(words, _I))
    for metric, words in (
        ("memory_ratio", r"memory(?: (?!with|and|while|at)\w{1,12}){0,3}(?: by| of)?\s{0,2}$"),
        (
            "size_ratio",
            r"(?:compress(?:ion|ed|es)?|(?:model )?size|param(?:eter)?s)(?: (?!with|and|while|"
            r"at)\w{1,12}){0,5}?(?: by| of)?\s{0,2}$",
        ),
        (
            "speedup",
            r"(?:speed-?ups?|throughput|faster|latency|inference time)(?: (?!with|and|while|"
            r"at)\w{1,12}){0,2}(?: by| of)?\s{0,2}$",
        ),
    )
)
_LESS: Final = re.compile(r"reduc|less|lower|fewer|smaller|lighter|decreas|sav(?:es?|ing)|cut|shrink|compress", _I)
_OTHER_RATIO: Final = re.compile(
    r"\s*(?:fewer|less|more|lower|higher)\s(?:training|data|steps|comput|flops|energy|errors?|labels?|examples)", _I
)
QUANTIZED: Final = re.compile(r"quanti[sz]|int8|int4|8-bit|4-bit|compress", _I)


def ratio(
    before: str, after: str, q: Quantity, *, metric: str | None = None, like: float | None = None
) -> tuple[str, float] | None:
    """The ratio that "4x smaller" or "40 % less memory" states, as (metric, ratio); None where it states none."""
    if metric is not None:
        less = like is not None and q.value < 100 and like > 1 + q.value / 100
        return metric, _of_percent(q.value, less=less)
    if _OTHER_RATIO.match(after):
        return None
    found = next((name for name, pattern in _RATIO_BEHIND if pattern.match(after)), None)
    found = found or next((name for name, pattern in _RATIO_BEFORE if pattern.search(before[-60:])), None)
    if found is None:
        return None
    if q.unit == "ratio":
        return found, q.value
    said = after[:30] if any(pattern.match(after) for _, pattern in _RATIO_BEHIND) else before[-60:]
    less = _LESS.search(said) is not None
    if not less and not re.search(r"faster|speed-?up|higher|more|improv|increas", said, _I):
        return None
    return found, _of_percent(q.value, less=less)


def _of_percent(value: float, *, less: bool) -> float:
    return round(1 / (1 - value / 100), 6) if less and value < 100 else round(1 + value / 100, 6)
