"""What a check finds: the verdict on a claim, or a flag, which decides nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Final

from graph.claims import Claim, Span
from inference.judging.findings import ARITHMETIC, ARITHMETIC_VERSION, Finding
from inference.verdicts.printed import printed_unit
from inference.verdicts.rules import Judgement

FLAGS: Final = {
    "hedged": "weakened by the page's own words",
    "other_artifact": "about another artifact than the one it stands under",
    "ambiguous_scope": "does not say plainly what it is about",
    "rival_conflict": "gives another artifact two values of one metric",
    "contradiction": "cannot be true together with another statement of the page",
    "inconsistent": "the page gives two values of what has one",
    "price_conflict": "called free beside a price",
    "implausible": "above everything in a measured table",
    "corroborated": "the same as in a measured table; that is no verification",
    "truncated": "equal when cut to the printed digits",
}
"""The flags that checks raise, and what each says."""
NO_PROBLEM: Final = frozenset({"corroborated"})
"""The flags that speak for a claim."""


@dataclass(frozen=True)
class Flag:
    """Something suspicious, or corroborated, with the claims that it is about; it decides nothing."""

    code: str
    reason: str
    claims: tuple[str, ...] = ()
    text: str = ""
    span: Span | None = None


@dataclass(frozen=True)
class Verdict:
    """The verdict of a check on a claim."""

    claim: str
    finding: Finding


@dataclass
class Checked:
    """What all checks found on an artifact: verdicts by claim id, and flags in the order of the page."""

    findings: dict[str, Finding] = field(default_factory=dict)
    flags: list[Flag] = field(default_factory=list)

    def add(self, found: Iterable[Verdict | Flag]) -> None:
        """Take in what a check found; a second refutation of a claim adds its reason to the first."""
        for each in found:
            if isinstance(each, Flag):
                self.flags.append(each)
            elif each.claim in self.findings and self.findings[each.claim].judgement.verdict == "refuted":
                self.findings[each.claim] = _with_reason(self.findings[each.claim], each.finding.judgement.reason)
            else:
                self.findings[each.claim] = each.finding

    def flags_of(self, claim: str) -> tuple[str, ...]:
        """The codes of the flags about a claim, sorted."""
        return tuple(sorted({flag.code for flag in self.flags if claim in flag.claims}))


def _with_reason(finding: Finding, reason: str) -> Finding:
    judgement = finding.judgement
    if reason in judgement.reason:
        return finding
    return replace(finding, judgement=replace(judgement, reason=f"{judgement.reason}; {reason}"))


def refuted(claim: Claim, reason: str, measured: float | None = None) -> Verdict:
    """A refutation by what the page says itself."""
    finding = Finding(Judgement("refuted", None, reason), measured, "text", ARITHMETIC, ARITHMETIC_VERSION)
    return Verdict(claim.id, finding)


def own_numbers(claims: Iterable[Claim], metric: str) -> Iterator[Claim]:
    """The plain numbers that an artifact's pages state about itself: no rival's, no comparison, no hedge."""
    for claim in claims:
        is_number = isinstance(claim.value, int | float) and claim.comparator == "="
        if claim.metric == metric and is_number and is_plain(claim) and claim.conditions.reference is None:
            yield claim


def is_plain(claim: Claim) -> bool:
    """Whether a claim is about the artifact itself and not hedged."""
    return not claim.hedged and "other_artifact" not in claim.flags


def number(claim: Claim) -> Decimal:
    """The claim's number, exactly as its digits say.

    Raises
    ------
    ValueError
        It states none.
    """
    if not isinstance(claim.value, int | float):
        raise ValueError(f"claim {claim.id} states no number")
    return Decimal(repr(claim.value))


def half_unit(claim: Claim) -> Decimal:
    """Half a unit of the last digit that a claim prints."""
    return printed_unit(claim) / 2


def words(value: Decimal | float, metric: str) -> str:
    """A number for people, with the unit of its metric: "5.6M", "78.3 %", "5.6 MB"."""
    number = float(value)
    if metric in ("parameters", "flops", "size_bytes", "memory_bytes"):
        scale, letter = next(
            (s, n) for s, n in ((1e9, "B"), (1e6, "M"), (1e3, "K"), (1.0, "")) if number >= s or s == 1.0
        )
        unit = {"B": " GB", "M": " MB", "K": " kB", "": " B"}[letter] if metric.endswith("bytes") else letter
        return f"{number / scale:.4g}{unit}"
    if metric in (
        "accuracy",
        "f1",
        "loss_relative",
        "precision",
        "recall",
        "average_precision",
        "mean_iou",
        "error_rate",
    ):
        return f"{number:.6g} %"
    return f"{number:.6g}"
