"""Losses: "0.8 % lost" against the page's own numbers before and after."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final

from graph.claims import Claim
from inference.checks.base import Flag, Verdict, half_unit, is_plain, number, own_numbers, refuted

_FULL: Final = frozenset({None, "float32", "float64"})
Range = tuple[Decimal, Decimal]


def check_losses(claims: Sequence[Claim]) -> Iterator[Verdict | Flag]:
    """Refutes losses that are false in points and as a share, by one accuracy before and one after."""
    pair = _before_and_after(claims)
    if pair is None:
        return
    before, after = pair
    points, share = _lost(before, after)
    for claim in claims:
        if claim.metric not in ("loss_points", "loss_relative") or not is_plain(claim):
            continue
        if not isinstance(claim.value, int | float) or claim.conditions.precision in _FULL:
            continue
        read = [points] if claim.metric == "loss_points" else [points, share]
        if not any(_may_hold(claim, each) for each in read):
            lost = number(before) - number(after)
            relative = 100 * lost / number(before)
            yield refuted(
                claim,
                f"its own {number(before):f} % and {number(after):f} % ({after.conditions.precision}) are "
                f"{lost:.2g} points or {relative:.2g} % apart, "
                f"claimed {claim.comparator.replace('=', '')}{claim.value:g} %",
                float(lost),
            )  # fmt: skip


def _before_and_after(claims: Sequence[Claim]) -> tuple[Claim, Claim] | None:
    """The one top-1 accuracy in full precision and the one in a smaller format; None where there are several."""
    own = [claim for claim in own_numbers(claims, "accuracy") if claim.conditions.note is None]
    before = [claim for claim in own if claim.conditions.precision in _FULL]
    after = [claim for claim in own if claim.conditions.precision not in _FULL]
    if len({claim.value for claim in before}) != 1 or len({claim.value for claim in after}) != 1:
        return None
    sets = {claim.conditions.dataset for claim in (*before, *after)} - {None}
    return (before[0], after[0]) if len(sets) <= 1 and number(before[0]) > 0 else None


def _lost(before: Claim, after: Claim) -> tuple[Range, Range]:
    """Points lost, and percent of what there was, each from least to most at the printed digits."""
    margin = half_unit(before) + half_unit(after)
    lost = number(before) - number(after)
    points = lost - margin, lost + margin
    share = (100 * points[0] / number(before), 100 * points[1] / number(before))
    return points, share


def _may_hold(claim: Claim, lost: Range) -> bool:
    margin = Decimal(0) if claim.comparator in ("<", ">") else half_unit(claim)
    value, (low, high) = number(claim), lost
    if claim.comparator == "<":
        return low < value
    if claim.comparator in ("<=", "up_to"):
        return low <= value + margin
    if claim.comparator == ">":
        return high > value
    if claim.comparator == ">=":
        return high >= value - margin
    return low <= value + margin and high >= value - margin
