"""What a directory's page says of its own table: who leads, whether searches stand behind it, and what it costs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from graph.artifacts import Artifact
from graph.claims import Claim
from inference.checks.base import Flag, Verdict, number, refuted


def check_page(artifact: Artifact, claims: Sequence[Claim]) -> Iterator[Verdict | Flag]:
    """Refutes leads that the table does not show and search data that nobody searched; flags Free beside a price."""
    for claim in claims:
        if claim.metric == "leads":
            yield from _leads(claim, claims)
        elif claim.metric == "search_evidence":
            yield from _searched(claim, claims)
    yield from _price(artifact, claims)


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


def _price(artifact: Artifact, claims: Sequence[Claim]) -> Iterator[Flag]:
    """A flag where an artifact that is called free has a price in its own text, the plainest statement first."""
    pricing = artifact.pricing
    if not (pricing.free or (pricing.model or "").strip().lower() == "free"):
        return
    priced = [
        c for c in claims if c.metric == "price" and "other_artifact" not in c.flags and c.value not in (0, "free")
    ]
    if priced:
        first = min(priced, key=lambda claim: claim.value == "paid")
        said = f"{first.value:g} USD" if isinstance(first.value, int | float) else f"“{first.value}”"
        yield Flag("price_conflict", f"called free beside a price: {said}", (first.id,), first.text, first.span)
