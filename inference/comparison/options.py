"""What the user asks of a comparison: options, the set, and the command that makes it again."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from graph.errors import InputError
from graph.taxonomy import full_task
from inference.comparison.labels import LabelMap
from inference.data.sets import BUILT_IN, LabelledSet, built_in, open_data

DEVICES: Final = ("cpu",)


@dataclass(frozen=True)
class CompareOptions:
    """How to compare: a task (None: what the models' files say), label map, part of the set, trust, budget."""

    task: str | None = None
    labels: LabelMap = field(default_factory=LabelMap)
    limit: int | None = None
    seed: int = 0
    trust: tuple[str, ...] = ()
    budget_s: float | None = None
    device: str = "cpu"

    def full_task(self) -> str | None:
        """The task as `domain.task`, None where none is given.

        Raises
        ------
        InputError
            The task is unknown, or the device is not at hand.
        """
        if self.device not in DEVICES:
            raise InputError(f"device {self.device!r}: this version compares models on {', '.join(DEVICES)} only")
        full = full_task(self.task) if self.task is not None else None
        if self.task is not None and full is None:
            raise InputError(f"--task {self.task}: no such task: image-classification, text-classification, …")
        return full


def open_source(source: Path) -> LabelledSet:
    """The set in a file or folder, called by its name; or a built-in one.

    Raises
    ------
    SourceError
        It cannot be read.
    """
    if not source.exists() and str(source) in BUILT_IN:
        return built_in(str(source))
    return open_data(source.stem or source.resolve().name, source)


def repeat_command(names: Sequence[str], source: Path, options: CompareOptions) -> str:
    """The command that makes the same comparison again, with folders and files by their last name only."""
    words = ["matchgraph", "evaluate", "models", *(Path(name).name or name for name in names), "--data", source.name]
    for option, value in (("--task", options.task), ("--limit", options.limit), ("--seed", options.seed or None)):
        words += [option, str(value)] if value is not None else []
    words += [word for ours, theirs in options.labels.pairs for word in ("--map", f"{ours}={theirs}")]
    words += [word for name in options.trust for word in ("--trust", Path(name).name)]
    return shlex.join(words)
