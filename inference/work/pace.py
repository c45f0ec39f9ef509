"""How long the rest will take: estimates of the probes, set right by how long they took so far."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from inference.work.units import Unit

_TRUSTED_AFTER_S: Final = 5.0
"""Seconds of estimated work after which what was measured counts as much as the estimates themselves."""


class Pace:
    """Estimated and measured seconds by probe; starts from what earlier runs measured in this home."""

    def __init__(self, measured: Mapping[str, tuple[float, float]]) -> None:
        self._estimated_s = {probe: estimated for probe, (estimated, _) in measured.items()}
        self._took_s = {probe: took for probe, (_, took) in measured.items()}

    def add(self, unit: Unit, took_s: float) -> None:
        """Take in how long a unit took, in seconds."""
        self._estimated_s[unit.probe] = self._estimated_s.get(unit.probe, 0.0) + unit.cost_s
        self._took_s[unit.probe] = self._took_s.get(unit.probe, 0.0) + took_s

    def cost_s(self, unit: Unit) -> float:
        """Seconds that a unit will take: the probe's estimate times how far its estimates were off until now."""
        own = self._ratio(self._estimated_s.get(unit.probe, 0.0), self._took_s.get(unit.probe, 0.0), self._overall())
        return unit.cost_s * own

    def left_s(self, units: Iterable[Unit], jobs: int) -> float:
        """Seconds until these units are done by so many at once; those that are alone on the machine one by one."""
        together = alone = 0.0
        for unit in units:
            if unit.alone:
                alone += self.cost_s(unit)
            else:
                together += self.cost_s(unit)
        return together / max(jobs, 1) + alone

    def _overall(self) -> float:
        return self._ratio(sum(self._estimated_s.values()), sum(self._took_s.values()), 1.0)

    @staticmethod
    def _ratio(estimated_s: float, took_s: float, before: float) -> float:
        """Seconds taken per second estimated, drawn towards what was believed before while little is known."""
        return (took_s + before * _TRUSTED_AFTER_S) / (estimated_s + _TRUSTED_AFTER_S)
