"""The level of the intervals that a run decides by: one for everything that is scored and judged within it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from graph.constants import INTERVAL_LEVEL

_RUN: Final = ContextVar("level", default=INTERVAL_LEVEL)


def level_or_run(level: float | None) -> float:
    """The level as given, or where None is given that of the run: INTERVAL_LEVEL outside `deciding_at`."""
    return _RUN.get() if level is None else level


@contextmanager
def deciding_at(level: float) -> Iterator[None]:
    """Takes intervals at this two-sided level, 0..1, where none is asked for by name; in this thread, until it ends.

    Probes score their answers without knowing the level, as `decimal` sums up without knowing the precision.
    """
    token = _RUN.set(level)
    try:
        yield
    finally:
        _RUN.reset(token)
