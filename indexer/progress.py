"""What long work tells its caller while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """How far a stage is: `done` of `total`, and seconds left; None where they are not known in advance."""

    stage: str
    done: int
    total: int | None = None
    left_s: float | None = None


OnProgress = Callable[[Progress], None]


def silent(_: Progress) -> None:
    """Hear progress and say nothing."""
