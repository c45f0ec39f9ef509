"""What a unit of work came to, as it is kept with the finished unit."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from graph.claims import DataUsed
from graph.constants import INTERVAL_LEVEL
from inference.probes.base import FailureCode, Measured

LASTING: Final = (None, "load_failed", "crashed", "non_finite")
"""How a unit may end so that it is not run again: time and memory may suffice another day, trust may come."""


class UnitResult(BaseModel):
    """What a unit of work came to; kept as JSON with the finished unit, so that later claims need no new run.

    `level` is that of its intervals, and of those by which its claims are judged.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    unit: str
    probe: str
    version: str
    failure: FailureCode | None = None
    what: str = Field(default="", max_length=2_000)
    measured: Measured | None = None
    data: DataUsed | None = None
    seed: int = 0
    device: str = "cpu"
    libraries: dict[str, str] = Field(default_factory=dict)
    layers: tuple[str, ...] = ()
    duration_s: float = 0.0
    level: float = Field(default=INTERVAL_LEVEL, gt=0, lt=1)

    @property
    def lasting(self) -> bool:
        """Whether the unit is finished for good."""
        return self.failure in LASTING

    @property
    def usable(self) -> bool:
        """Whether the model came out whole: loaded, and its numbers finite as far as they were tried."""
        measured = self.measured
        return measured is not None and measured.loads is not False and measured.finite is not False
