"""Comparisons: "lighter than X (5.3M)" against what the page says of the artifact itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from graph.claims import Claim
from inference.checks.base import Flag, Verdict, half_unit, is_plain, number, own_numbers, refuted, words


def check_comparisons(claims: Sequence[Claim]) -> Iterator[Verdict | Flag]:
    """Refutes comparisons that all of the page's own numbers contradict, beyond what printed digits leave open."""
    for claim in claims:
        compares = claim.conditions.reference is not None and claim.comparator in ("<", ">", "<=", ">=")
        if not compares or not is_plain(claim) or not isinstance(claim.value, int | float) or _is_ratio(claim):
            continue
        own = [stated for stated in own_numbers(claims, claim.metric) if _same_scope(stated, claim)]
        if own and all(_contradicts(stated, claim) for stated in own):
            less = claim.comparator in ("<", "<=")
            said = f"its own {words(number(own[0]), claim.metric)} is not {'less' if less else 'more'}"
            yield refuted(
                claim, f"{said} than the {words(number(claim), claim.metric)} of {claim.conditions.reference}",
                float(number(own[0])),
            )  # fmt: skip


def _is_ratio(claim: Claim) -> bool:
    return claim.metric in ("speedup", "size_ratio", "memory_ratio", "loss_points", "loss_relative", "leads")


def _same_scope(stated: Claim, claim: Claim) -> bool:
    """Whether two numbers are of the same thing: format, set and note, where both name one."""
    own, other = stated.conditions, claim.conditions
    same_format = (own.precision or "float32") == (other.precision or "float32")
    same_set = own.dataset is None or other.dataset is None or own.dataset.lower() == other.dataset.lower()
    return same_format and same_set and own.note == other.note


def _contradicts(stated: Claim, claim: Claim) -> bool:
    margin = half_unit(stated) + half_unit(claim)
    if claim.comparator in ("<", "<="):
        return number(stated) - margin > number(claim)
    return number(stated) + margin < number(claim)
