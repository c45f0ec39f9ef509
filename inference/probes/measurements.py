"""What probes find: one number or fact each, with its scope; how it is judged follows from what it carries."""

from __future__ import annotations

import math
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, model_validator

from graph.claims import Interval, Scope
from graph.metrics import METRICS

OBSERVED_UNITS: Final = {
    "load_s": "seconds",
    "seconds_per_item": "seconds",
    "peak_memory_bytes": "bytes",
    "formats": "none",
    "balanced_accuracy": "percent",
}
"""Observations beyond the metric table: seconds to load, seconds an item of a labelled set, peak bytes above the bare
libraries, formats of the weight files, the mean share of right answers over the labels."""


class Measurement(BaseModel):
    """One number or fact that a probe found, in the metric's unit, with the scope under which it holds.

    How it is judged follows from what it carries: `holds` a fact (`value` names what was tried); `successes` and `n`
    a share of right answers (for `runs` with `chance`, 0..1; its `value` is a share too, that of others in percent);
    `interval` a sampled number; nothing of these an exact one. A metric that is not in `graph.metrics` is only
    observed, and brings its `unit` with it unless OBSERVED_UNITS names it. The most ordinary scope comes first.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: str
    value: float | str
    holds: bool | None = None
    successes: int | None = Field(default=None, ge=0)
    n: int | None = Field(default=None, ge=1)
    chance: float | None = Field(default=None, ge=0, le=1)
    interval: Interval | None = None
    scope: Scope = Scope()
    control: dict[str, Any] | None = None
    flags: tuple[str, ...] = ()
    detail: str = Field(default="", max_length=500)
    unit: str = ""

    @model_validator(mode="after")
    def _is_whole(self) -> Measurement:
        if not (self.unit or self.metric in METRICS or self.metric in OBSERVED_UNITS):
            raise ValueError(f"metric {self.metric!r} is in no table: give its unit")
        if self.successes is not None and (self.n is None or self.successes > self.n):
            raise ValueError(f"{self.metric}: {self.successes} of {self.n} is no share")
        if self.metric == "runs" and self.successes is not None and self.chance is None:
            raise ValueError("runs: a share of right answers says nothing without what guessing gives")
        if self.holds is None and isinstance(self.value, str) and self.metric in METRICS:
            raise ValueError(f"{self.metric}: {self.value!r} is no number, and nothing says whether it holds")
        if isinstance(self.value, float) and not math.isfinite(self.value):
            raise ValueError(f"{self.metric}: its value is not finite")
        return self

    @property
    def shown_unit(self) -> str:
        """The unit of the value."""
        return self.unit or (METRICS[self.metric].unit if self.metric in METRICS else OBSERVED_UNITS[self.metric])


class Measured(BaseModel):
    """What a probe found out, as the executor scored it; kept with the finished unit.

    `loads` and `finite` say whether the model came out whole (None: not tried), `detail` what was wrong with it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    loads: bool | None = None
    finite: bool | None = None
    detail: str = Field(default="", max_length=500)
    flags: tuple[str, ...] = ()
    measurements: tuple[Measurement, ...] = ()

    def all_of(self, metric: str) -> list[Measurement]:
        """The measurements of a metric, the most ordinary scope first."""
        return [found for found in self.measurements if found.metric == metric]
