"""Right or wrong item by item: from a child's answer and the probe that scored it, and kept with the finished unit."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from inference.comparison.statistics import Answers
from inference.data import drawings
from inference.data.sets import LabelledSet
from inference.judging.results import UnitResult
from inference.probes.base import ANSWER_LIMIT, Measured, Measurement, same_label
from inference.probes.embedding import shown_triples
from inference.verdicts.label_scores import macro_f1

COMPARED: Final = ("accuracy", "adherence", "perplexity")
"""What a probe has to measure for its models to be compared, the first that it does."""
BITS: Final = "bits_per_byte"
"""What language models are compared by: a perplexity counts tokens, which each tokenizer makes its own way."""


class Outcome(BaseModel):
    """What a model did with the items: the unit's result, and per item right or wrong (as hex bits) or a loss.

    `f1`, in percent, is the macro F1 over the labels, or that of whole entities; None where labels mean nothing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    result: UnitResult
    metric: str
    items: int = Field(ge=0, le=ANSWER_LIMIT)
    right: str = ""
    losses: tuple[FiniteFloat, ...] = Field(default=(), max_length=ANSWER_LIMIT)
    f1: FiniteFloat | None = None

    def answers(self, name: str) -> Answers:
        """The same item by item, under a model's name."""
        return Answers(name, unpack_bits(self.right, self.items) if self.right else (), self.losses)

    def measurement(self, metric: str) -> Measurement | None:
        """The first measurement of a metric; None where the probe has none."""
        measured = self.result.measured
        found = measured.all_of(metric) if measured is not None else []
        return found[0] if found else None

    def value(self, metric: str) -> float | None:
        """The value of that measurement where it is a number."""
        found = self.measurement(metric)
        return float(found.value) if found is not None and not isinstance(found.value, str) else None


def outcome_of(result: UnitResult, raw: bytes | None, data: LabelledSet) -> Outcome:
    """What a model did, item by item; without items where the unit failed.

    Raises
    ------
    ValueError
        The probe measures nothing that can be compared item by item.
    """
    if raw is None or result.measured is None:
        return Outcome(result=result, metric="", items=0)
    metric = next((name for name in COMPARED if result.measured.all_of(name)), None)
    if metric is None:
        raise ValueError("it gave nothing to compare: its tokenizer loses too much of the text, or too few items")
    n = len(data.items)
    content = json.loads(raw)
    if metric == "perplexity":
        return Outcome(result=result, metric=BITS, items=n, losses=_bits_per_byte(content, data))
    right = _right(content, data)
    if len(right) != n:
        raise ValueError(f"the probe {result.probe} does not say which of the {n} items were right")
    f1 = _f1(result.measured, content, data)
    return Outcome(result=result, metric=metric, items=n, right=pack_bits(right), f1=f1)


def _f1(measured: Measured, raw: dict[str, Any], data: LabelledSet) -> float | None:
    """F1 in percent: as the probe has it (of entities, say), or macro over the labels of the items."""
    stated = measured.all_of("f1")
    if stated and not isinstance(stated[0].value, str):
        return float(stated[0].value)
    given = raw.get("answers")
    if not data.labels or given is None:
        return None
    return 100 * macro_f1([same_label(one) for one in given], [same_label(label) for label in data.labels])


def _right(raw: dict[str, Any], data: LabelledSet) -> list[bool]:
    """Right or wrong per item, from an answer that its probe has taken.

    A sentence of tags has to be all right; of pictures the first of each prompt is judged.
    """
    if "tags" in raw:
        return [tags == label.split(" ") for tags, label in zip(raw["tags"], data.labels, strict=True)]
    if "pictures" in raw:
        return [found == drawings.plain(label) for found, label in zip(_shown(raw, data), data.labels, strict=True)]
    labels = shown_triples(data)[1] if data.kind == "triples" else data.labels
    given = raw.get("answers", [])
    return [same_label(one) == same_label(other) for one, other in zip(given, labels, strict=True)]


def _shown(raw: dict[str, Any], data: LabelledSet) -> list[str]:
    """What the first picture of each prompt shows."""
    from inference.probes.diffusion.pictures import PackedPictures

    pictures = PackedPictures.model_validate(raw["pictures"]).unpack()
    return [drawings.judge(picture) for picture in pictures[: len(data.items)]]


def _bits_per_byte(raw: dict[str, Any], data: LabelledSet) -> tuple[float, ...]:
    """Bits that a model needs for each passage, by its bytes in UTF-8."""
    bits = []
    for number, (passage, item) in enumerate(zip(raw["passages"], data.items, strict=True), 1):
        if not passage["tokens"]:
            raise ValueError(f"passage {number} is one token for this model: remove it, or the model")
        bits.append(passage["loss"] / math.log(2) / len(str(item).encode("utf-8", "surrogatepass")))
    return tuple(bits)


def pack_bits(right: Sequence[bool]) -> str:
    """Right or wrong as hex digits, the first item in the highest bit.

    Examples
    --------
    >>> pack_bits([True, False, False, False, True])
    '88'
    """
    import numpy as np

    return np.packbits(np.array(right, np.bool_)).tobytes().hex()


def unpack_bits(bits: str, n: int) -> tuple[bool, ...]:
    """The first n of what `pack_bits` packed."""
    import numpy as np

    packed = np.frombuffer(bytes.fromhex(bits), np.uint8)
    return tuple(bool(bit) for bit in np.unpackbits(packed)[:n])
