"""Ratios of sizes: what a change of the number format can give at most, and what the page's own sizes give."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final

from graph.artifacts import Artifact
from graph.claims import Claim
from inference.checks.base import Flag, Verdict, half_unit, is_plain, number, own_numbers, refuted, words
from inference.judging.scopes import named_precision, named_reference, plain_precision
from inference.models.architecture import known_architectures
from inference.verdicts.printed import printed_unit

BITS: Final = {"float64": 64, "float32": 32, "float16": 16, "bfloat16": 16, "fp8": 8, "int8": 8, "int4": 4}
_WIDER: Final = re.compile(r"(?P<part>[a-z]+) in (?P<name>float16|bfloat16|float32)")


def check_ratios(artifact: Artifact, claims: Sequence[Claim]) -> Iterator[Verdict | Flag]:
    """Refutes size ratios beyond what the number formats give, or beyond the page's own sizes."""
    parameters, sizes = list(own_numbers(claims, "parameters")), list(own_numbers(claims, "size_bytes"))
    has_one_count = len({number(count) for count in parameters}) == 1
    for claim in claims:
        if claim.metric != "size_ratio" or not is_plain(claim) or not isinstance(claim.value, int | float):
            continue
        bound = largest_ratio(claim, artifact)
        if bound is not None and not may_reach(claim, bound[0]):
            yield refuted(claim, f"{bound[1]}, claimed {claim.value:g}", float(bound[0]))
        if has_one_count:
            yield from _against_sizes(claim, parameters[0], sizes)


def largest_ratio(claim: Claim, artifact: Artifact, before: str = "float32") -> tuple[Decimal, str] | None:
    """The most that a change of the number format can shrink a model, and why; None where the claim names no format.

    Parameters
    ----------
    claim
        A size ratio.
    artifact
        Whose; where part of it keeps a wider format, its architecture's table says how much that part weighs.
    before
        The format before, where the claim names none.
    """
    first = named_reference(claim.conditions, claim.text) or before
    after = named_precision(claim.conditions) or ""
    if first not in BITS or after not in BITS:
        return None
    wide, narrow = Decimal(BITS[first]), Decimal(BITS[after])
    kept = _WIDER.search(claim.conditions.note or "")
    share = _share(artifact, kept["part"]) if kept is not None else None
    if kept is not None and share is not None:
        bits = narrow + (BITS[plain_precision(kept["name"])] - narrow) * share
        ratio = wide / bits
        return ratio, (
            f"{after} from {first} with {kept['part']} in {kept['name']} ({float(share):.0%} of the parameters of the "
            f"library's default architecture) is at most {float(ratio):.3g} times smaller"
        )
    return wide / narrow, f"{after} from {first} is at most {float(wide / narrow):g} times smaller"


def may_reach(claim: Claim, bound: Decimal) -> bool:
    """Whether a ratio can be as claimed where it is at most `bound`, at the printed precision."""
    if claim.comparator in ("<", "<="):
        return True
    if claim.comparator == ">":
        return bound > number(claim)
    return bound >= number(claim) - printed_unit(claim) / 2


def _share(artifact: Artifact, part: str) -> Decimal | None:
    """Which share of the parameters a part has, where the artifact's name is that of a known architecture."""
    names = {artifact.weights.hub_id or "", artifact.id, artifact.name}
    for hub_id, architecture in known_architectures().items():
        known = {hub_id, hub_id.rpartition("/")[2]}
        if known & {name.lower() for name in names} and architecture.parameters:
            count = architecture.groups.get(part)
            return Decimal(count) / Decimal(architecture.parameters) if count else None
    return None


def _against_sizes(claim: Claim, parameters: Claim, sizes: Sequence[Claim]) -> Iterator[Verdict | Flag]:
    """The ratio that the page's own parameters and first such bytes give, where it falls short of the claimed one."""
    after = named_precision(claim.conditions)
    if after is None or claim.comparator not in ("=", ">=", ">", "up_to"):
        return
    for size in sizes:
        if named_precision(size.conditions) != after or not number(size):
            continue
        full = 4 * (number(parameters) + half_unit(parameters))
        most = full / (number(size) - half_unit(size)) if number(size) > half_unit(size) else None
        if most is not None and not may_reach(claim, most):
            ratio = 4 * number(parameters) / number(size)
            said = (
                f"the page's own {words(number(size), 'size_bytes')} in {after} "
                f"from {words(number(parameters), 'parameters')} parameters in float32 "
                f"is {float(ratio):.3g} times smaller"
            )
            yield refuted(claim, said, float(ratio))
            yield Flag("contradiction", f"{said}, not {claim.value:g}", (size.id, claim.id), size.text, size.span)
            return
