"""What a lie and its twin are made from: statements as in a manifest, and changes of a model's files."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Alter = Callable[[Path], None]


@dataclass(frozen=True)
class Stated:
    """What a card states, as in a manifest; `text` holds the number as it is printed."""

    metric: str
    comparator: str = "="
    value: float | str | None = None
    text: str = ""
    dataset: str | None = None
    conditions: dict[str, Any] = field(default_factory=dict)

    def as_manifest(self) -> dict[str, Any]:
        fields = {"metric": self.metric, "comparator": self.comparator, "value": self.value, "text": self.text,
                  "dataset": self.dataset, "conditions": self.conditions or None}  # fmt: skip
        return {name: given for name, given in fields.items() if given not in (None, "")}


@dataclass(frozen=True)
class Change:
    """Two copies of a model whose files were changed: `spoil` changes what it answers, `twin` only how it is written.

    `states` is the statement that is made about both; None is what the model's card says.
    """

    name: str
    model: str
    spoil: Alter
    twin: Alter
    states: Stated | None = None

    def write(self, original: Path, folder: Path, *, is_lie: bool) -> None:
        """Copy the model and change the copy."""
        shutil.copytree(original, folder, ignore=shutil.ignore_patterns("README.md"), copy_function=shutil.copyfile)
        (self.spoil if is_lie else self.twin)(folder)


def exact(metric: str, honest: str, lie: str, comparator: str = "=", **conditions: Any) -> tuple[Stated, Stated]:
    """Two statements of a counted number, each printed as given: "242,810" or "0.24 M"."""
    return tuple(Stated(metric, comparator, number_of(text), f"{text} {metric}", conditions=conditions)
                 for text in (honest, lie))  # type: ignore[return-value]  # fmt: skip


def sampled(
    metric: str, honest: float, lie: float, comparator: str, dataset: str | None = None, **conditions: Any
) -> tuple[Stated, Stated]:
    """Two statements of a measured number."""
    return tuple(Stated(metric, comparator, value, f"{metric} {comparator} {value:g}", dataset, conditions)
                 for value in (honest, lie))  # type: ignore[return-value]  # fmt: skip


def number_of(text: str) -> float:
    """The number that a text prints, with its scale: k, M or MB."""
    digits, _, scale = text.partition(" ")
    factor = {"": 1, "k": 10**3, "M": 10**6, "MB": 10**6}[scale]
    return round(float(digits.replace(",", "")) * factor, 6)
