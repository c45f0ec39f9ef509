"""What a page says twice, and what cannot be true together. Flags only: which of two is wrong is not known."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from graph.claims import Claim
from inference.checks.base import Flag, Verdict, half_unit, number, own_numbers, words

_HAS_ONE_VALUE: Final = ("parameters", "dimensions", "context")
_TOP: Final = re.compile(r"top[- @]?(\d+)", re.IGNORECASE)


def check_consistency(claims: Sequence[Claim]) -> Iterator[Verdict | Flag]:
    """Flags rivals given two values, two values of what has one, and top-1 above top-5."""
    yield from _rivals(claims)
    yield from _own(claims)
    yield from _top_one_above_top_five(claims)


def _rivals(claims: Sequence[Claim]) -> Iterator[Flag]:
    stated = [
        c for c in claims if "other_artifact" in c.flags and c.comparator == "=" and isinstance(c.value, int | float)
    ]
    named = [claim for claim in stated if claim.metric in ("accuracy", "parameters") and _is_named(claim.subject)]
    for group in _grouped(named, lambda claim: (_plain(claim.subject), claim.metric, _top(claim))):
        values = list(dict.fromkeys(number(claim) for claim in group))
        if len(values) > 1 and len({claim.text for claim in group}) > 1:  # "4B and 9B" in one sentence are options
            shown = " and ".join(words(value, group[0].metric) for value in values)
            reason = f"{group[0].subject} is given {shown} {group[0].metric}: one may be another variant's"
            yield Flag("rival_conflict", reason, tuple(claim.id for claim in group), group[-1].text, group[-1].span)


def _own(claims: Sequence[Claim]) -> Iterator[Flag]:
    for metric in _HAS_ONE_VALUE:
        for group in _grouped(list(own_numbers(claims, metric)), lambda claim: (claim.subject, claim.conditions.note)):
            first = group[0]
            differing = [
                claim for claim in group if abs(number(claim) - number(first)) > half_unit(claim) + half_unit(first)
            ]
            if differing:
                shown = f"{words(number(first), metric)} and {words(number(differing[0]), metric)}"
                ids = (first.id, *(claim.id for claim in differing))
                yield Flag("inconsistent", f"it is given {shown} {metric}", ids, differing[0].text, differing[0].span)


def _top_one_above_top_five(claims: Sequence[Claim]) -> Iterator[Flag]:
    own = list(own_numbers(claims, "accuracy"))
    for group in _grouped(own, lambda claim: (claim.conditions.dataset, claim.conditions.precision, _rest(claim))):
        tops = {_top(claim): claim for claim in reversed(group)}
        first, fifth = tops.get("1"), tops.get("5")
        if first is not None and fifth is not None and number(first) > number(fifth):
            reason = f"top-1 {words(number(first), 'accuracy')} is above top-5 {words(number(fifth), 'accuracy')}"
            yield Flag("contradiction", reason, (first.id, fifth.id), first.text, first.span)


def _grouped(claims: Sequence[Claim], key: Callable[[Claim], object]) -> list[list[Claim]]:
    groups: dict[object, list[Claim]] = {}
    for claim in claims:
        groups.setdefault(key(claim), []).append(claim)
    return [group for group in groups.values() if len(group) > 1]


def _top(claim: Claim) -> str:
    found = _TOP.search(claim.conditions.note or "")
    return found[1] if found else "1"


def _rest(claim: Claim) -> str:
    """What a note says besides the number of answers."""
    return _TOP.sub("", claim.conditions.note or "").strip(" ,").lower()


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _is_named(subject: str) -> bool:
    return bool(re.search(r"[A-Z0-9]", subject)) and len(_plain(subject)) > 2
