"""How large a lie is: its distance from what was measured, in detectable differences at the level of the run."""

from __future__ import annotations

from graph.claims import Claim, Evidence
from graph.constants import MARGIN_POINTS, PREPROCESSING_POINTS
from graph.metrics import METRICS
from inference.verdicts.power import detectable_difference, detectable_points
from inference.verdicts.printed import printed_unit
from inference.verdicts.rules import IN_POINTS, stated_number


def in_detectable(claim: Claim, record: Evidence | None, level: float) -> float | None:
    """How far off a claim is from what was measured, in detectable differences; below 0 on the safe side.

    None where nothing was measured, or where the claim is a fact, which is true or not.
    The detectable difference is δ for a counted number, δ and the tolerance for preprocessing for a share of a whole
    known set, and otherwise the smallest wrong claim that 80 % of such samples would refute at this level.
    """
    if record is None or not isinstance(record.measured, int | float) or record.interval is None:
        return _in_units(claim, record)
    measured, n = float(record.measured), record.n or 0
    if claim.metric == "runs":
        threshold = record.threshold or 0.0
        return (threshold - measured) / (detectable_points(measured, n, 0.0, upward=True, level=level) / 100)
    off, downward = _off(claim, measured)
    margin = MARGIN_POINTS if claim.metric in IN_POINTS else float(printed_unit(claim)) / 2
    if record.interval.method == "whole-set":
        return off / (margin + PREPROCESSING_POINTS)
    if record.successes is not None:
        return off / detectable_points(measured / 100, n, margin, upward=not downward, level=level)
    return off / detectable_difference(measured, record.interval, margin, downward=downward)


def _in_units(claim: Claim, record: Evidence | None) -> float | None:
    """The same of a counted number: half a unit of the last printed digit can be told."""
    if record is None or not isinstance(record.measured, int | float) or not isinstance(claim.value, int | float):
        return None
    return _off(claim, float(record.measured))[0] / (float(printed_unit(claim)) / 2)


def _off(claim: Claim, measured: float) -> tuple[float, bool]:
    """How far a claim is off on its wrong side, and whether that side is below."""
    side = METRICS[claim.metric].direction if claim.comparator == "=" else claim.comparator
    gap = stated_number(claim) - measured
    if side == "exact":
        return abs(gap), False
    downward = side in ("down", "<", "<=")
    return (-gap if downward else gap), downward
