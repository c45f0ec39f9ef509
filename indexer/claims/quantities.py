"""Printed numbers with their units, as they stand in prose. Linear in the text: every repetition is bounded."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from graph.claims import Comparator

# Canonical unit, factor, pattern; earlier ones win.
_UNITS: Final = tuple(
    (unit, Decimal(factor), re.compile(rf"(?:{pattern})(?!\w)", 0 if exact else re.IGNORECASE))
    for unit, factor, pattern, exact in (
        ("percent", "1", r"[ ]?(?:%|percent\b|per cent\b|pct\b)(?!age)|[ ]?%(?=\w)", False),
        ("points", "1", r"[ ]?(?:percentage points?|points?|pp|p\.p\.)", False),
        ("throughput", "1", r"[ -]?(?:fps|frames(?: per |/)s(?:ec(?:ond)?)?|(?:images?|samples?|items?|texts?|"
                            r"sentences?|queries|tokens?|pages?|docs?|documents?)(?: ?/ ?| per )s(?:ec(?:ond)?)?|"
                            r"it/s)", False),
        ("operations", "1e12", r"[ ]?T(?:FLOPs?|FLOPS|MACs?|Ops|OPs)", True),
        ("operations", "1e9",
        r"[ ]?(?:G(?:FLOPs?|FLOPS|Flops|MACs?|Ops|OPs|OPS)|B(?:FLOPs?|FLOPS)|billion (?:FLOPs?|operations|"
        r"MACs|"

                              r"multiply-adds))", True),
        ("operations", "1e6", r"[ ]?(?:M(?:FLOPs?|FLOPS|Flops|MACs?|Adds)|"
                               r"million (?:FLOPs?|MACs|multiply-adds))", True),
        ("pixels", "1e6", r"[ -]?(?:MP|[mM]egapixels?)", True),
        ("bytes", "1e3", r"[ ]?[kK]B|[ ]?kilobytes?", True),
        ("bytes", "1e6", r"[ ]?(?:MB|Mb|megabytes?)", True),
        ("bytes", "1e9", r"[ ]?(?:GB|Gb|gigabytes?)", True),
        ("bytes", "1e12", r"[ ]?TB", True),
        ("bytes", str(2**10), r"[ ]?KiB", True),
        ("bytes", str(2**20), r"[ ]?MiB", True),
        ("bytes", str(2**30), r"[ ]?GiB", True),
        ("seconds", "1e-3", r"[ -]?(?:ms|msec|milliseconds?)", False),
        ("seconds", "1e-6", r"[ -]?(?:µs|us|microseconds?)", False),
        ("seconds", "1", r"[ -]?(?:s|sec|secs|seconds?)", True),
        ("plain", "1", r"[ ]?dB", True),
        ("ratio", "1", r"[ -]?(?:x|×|times|fold)", False),
        ("count", "1e3", r"[ -]?thousand|[kK]", True),
        ("count", "1e6", r"[ -]?(?:million|Million|M)|m(?=[ -]param)", True),
        ("count", "1e9", r"[ -]?(?:billion|Billion|B|bn)|b(?=[ -]param)", True),
        ("count", "1e12", r"[ -]?(?:trillion|Trillion|T)", True),
    )
)  # fmt: skip
_DIGITS: Final = r"(?:\d{1,3}(?:,\d{3}){1,5}|\d{1,15})(?:\.\d{1,20})?"
_NUMBER: Final = re.compile(
    rf"(?<![\w.,\\])(?<![A-Za-z./]/)(?:(?<![A-Za-z)\]]-)|(?<=\b[sS]ub-))(?P<sign>[<>≤≥~≈±$€£]=?\s?)?(?P<digits>{_DIGITS})(?![\d,]*\d)"
)
_RANGE: Final = re.compile(rf"\s?(?:-|–|—|\bto\b)\s?(?=(?P<digits>{_DIGITS})(?!\d))")
_BETWEEN: Final = re.compile(r"\bbetween\s{1,2}$", re.IGNORECASE)
_AND: Final = re.compile(rf"\s?(?:-|–|—|\band\b|\bto\b)\s?(?=(?P<digits>{_DIGITS})(?!\d))")
_BEFORE: Final = tuple(
    (comparator, re.compile(rf"(?:{pattern})\s*(?:the |a |an )?[(~$]?\s*$", re.IGNORECASE))
    for comparator, pattern in (
        (">=", r"at least|no (?:less|fewer) than|minimum of|not less than"),
        ("<=", r"at most|no more than|not more than|maximum of|within"),
        ("up_to", r"up to(?: an?)?(?: (?:max(?:imum)? )?length of)?|as (?:much|many|high|fast) as"),
        ("<", r"less than|fewer than|under|below|smaller than|lower than|sub-?"),
        (">", r"more than|over|above|greater than|higher than|larger than|exceed(?:s|ing)?|beyond"),
    )
)  # fmt: skip
_SIGNS: Final[dict[str, Comparator]] = {"<": "<", ">": ">", "≤": "<=", "≥": ">=", "<=": "<=", ">=": ">="}


@dataclass(frozen=True)
class Quantity:
    """A printed number at [start, end) of a text, with its unit; a range has a `low` end too.

    `value` and `low` are in the canonical unit: percent, points, ratio, bytes, seconds, throughput, operations, pixels,
    count (a plain number with its scale) or plain. `digits` is what was printed.
    """

    start: int
    end: int
    value: float
    unit: str
    digits: str
    comparator: Comparator = "="
    low: float | None = None
    sign: str = ""


def quantities(text: str) -> list[Quantity]:
    """The numbers of a text with their units, in order.

    Examples
    --------
    >>> [(q.low, q.value, q.unit, q.comparator) for q in quantities("4-8x smaller at 5.6M, <1 % loss")]
    [(4.0, 8.0, 'ratio', '='), (None, 5600000.0, 'count', '='), (None, 1.0, 'percent', '<')]
    """
    found: list[Quantity] = []
    position = 0
    while (match := _NUMBER.search(text, position)) is not None:
        quantity = _read(text, match)
        position = max(match.end(), quantity.end if quantity is not None else 0)
        if quantity is not None:
            found.append(quantity)
    return found


def _read(text: str, match: re.Match[str]) -> Quantity | None:
    low: Decimal | None = None
    digits, at = match["digits"], match.end()
    unit, factor, end = _unit_at(text, at)
    after_between = _BETWEEN.search(text, max(0, match.start() - 12), match.start()) is not None
    upper = (_AND if after_between else _RANGE).match(text, end)
    if upper is not None and _plain(upper["digits"]) > _plain(digits):
        high_end = upper.end() + len(upper["digits"])
        high_unit, high_factor, high_end = _unit_at(text, high_end)
        if unit in ("plain", high_unit):
            low = _plain(digits) * (high_factor if unit == "plain" else factor)
            digits, unit, factor, end = upper["digits"], high_unit, high_factor, high_end
    if unit == "plain" and re.match(r"\w", text[end : end + 1]):
        return None
    sign = (match["sign"] or "").strip()
    following: Comparator | None = ">=" if text[end : end + 1] == "+" else None
    stated = _SIGNS.get(sign) or following or _comparator(text[max(0, match.start() - 25) : match.start()])
    return Quantity(
        match.start(), end, float(_plain(digits) * factor), unit, digits,
        stated, None if low is None else float(low), sign,
    )  # fmt: skip


def _unit_at(text: str, at: int) -> tuple[str, Decimal, int]:
    for unit, factor, pattern in _UNITS:
        found = pattern.match(text, at)
        if found is not None and found.end() > at:
            return unit, factor, found.end()
    return "plain", Decimal(1), at


def _plain(digits: str) -> Decimal:
    return Decimal(digits.replace(",", ""))


def _comparator(before: str) -> Comparator:
    for comparator, pattern in _BEFORE:
        if pattern.search(before):
            return comparator  # type: ignore[return-value]
    return "="
