"""What a directory's page says of its own table: who leads, whether searches stand behind it, and what it costs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from graph.artifacts import Artifact
from graph.claims import Claim
from inference.checks.base import Flag, Verdict, number, refuted

_UNIT: Final = (
    r"(?:image|request|call|token|minute|second|hour|month|seat|user|1k|1m|million|megapixel|run|generation)s?"
)
_PRICED: Final = re.compile(
    rf"[^.]{{0,120}}?\b(?:(?:pric|bill|cost|charg|fee)\w{{0,6}}\b[^.]{{0,40}}?\bper[- ]{_UNIT}|per[- ]{_UNIT}[- ](?:pric|bill|cost|charg|fee)\w{{0,6}}|"
    rf"[$€£]\s?\d[\d.,]*\s?(?:/|per )\s?{_UNIT}|paid (?:api|tiers?|plans?|access|only))\b[^.]{{0,120}}",
    re.IGNORECASE,
)


def check_page(artifact: Artifact, claims: Sequence[Claim]) -> Iterator[Verdict | Flag]:
    """Refutes leads that the table does not show and search data that nobody searched; flags Free beside a price."""
    for claim in claims:
        if claim.metric == "leads":
            yield from _leads(claim, claims)
        elif claim.metric == "search_evidence":
            yield from _searched(claim, claims)
    yield from _price(artifact)


def _leads(claim: Claim, claims: Sequence[Claim]) -> Iterator[Verdict]:
    component, rival = claim.subject, claim.conditions.reference
    scores = [
        c for c in claims if c.metric == "page_score" and c.subject == component and isinstance(c.value, int | float)
    ]
    own = [score for score in scores if score.conditions.reference is None]
    other = [score for score in scores if score.conditions.reference == rival]
    if own and other and number(own[0]) <= number(other[0]):
        is_tie = number(own[0]) == number(other[0])
        said = "a tie" if is_tie else f"behind {rival}"
        yield refuted(
            claim, f"{component} is {own[0].value:g} against {other[0].value:g}: {said}", float(number(own[0]))
        )


def _searched(claim: Claim, claims: Sequence[Claim]) -> Iterator[Verdict]:
    matched = [c for c in claims if c.metric == "times_matched" and isinstance(c.value, int | float)]
    if matched and not any(number(each) > 0 for each in matched):
        yield refuted(claim, "times matched is 0 on the same page: no search stands behind it", 0.0)


def _price(artifact: Artifact) -> Iterator[Flag]:
    pricing = artifact.pricing
    if not (pricing.free or (pricing.model or "").strip().lower() == "free"):
        return
    for capability in artifact.capabilities:
        for text in (capability.description, capability.unique or "", capability.vs_alternatives or ""):
            found = _PRICED.search(text)
            if found is not None:
                said = " ".join(found.group().split())
                yield Flag("price_conflict", f"called free, but {capability.name} says: {said[:200]}", (), said[:500])
                return
