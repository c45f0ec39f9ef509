"""How precisely a number was printed: the unit of its last digit, from a claim's own words or from its value."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from graph.claims import Claim

_SCALES: Final = {
    "": Decimal(1), "%": Decimal(1), "k": Decimal(10**3), "thousand": Decimal(10**3), "m": Decimal(10**6),
    "million": Decimal(10**6), "b": Decimal(10**9), "billion": Decimal(10**9), "t": Decimal(10**12),
    "trillion": Decimal(10**12), "kb": Decimal(10**3), "mb": Decimal(10**6), "gb": Decimal(10**9),
    "tb": Decimal(10**12), "kib": Decimal(2**10), "mib": Decimal(2**20), "gib": Decimal(2**30),
    "tib": Decimal(2**40), "ms": Decimal("1e-3"), "us": Decimal("1e-6"), "µs": Decimal("1e-6"), "s": Decimal(1),
}  # fmt: skip
_NUMBER: Final = re.compile(
    r"(?<![\w.,])(?P<whole>\d{1,3}(?:[,_\u202f\u00a0]\d{3}){1,6}|\d{1,18})(?P<rest>\.\d{1,12})?"
    r"(?P<exponent>[eE][+-]?\d{1,2})?[ \u202f\u00a0-]?(?P<scale>[A-Za-zµ%]{1,8})?"
)
_COUNTED: Final = frozenset({"labels", "dimensions", "context", "max_tokens", "steps", "guidance_calls"})
"""Small counts are printed in full: "1000 labels" means 1000, not 1000 ± 500."""


def printed_unit(claim: Claim) -> Decimal:
    """The unit of the last digit that a claim prints: 0.1M for "5.6M parameters", 1 for "22,713,216".

    Looks for the claim's value in its text; where several numbers fit, the most precise counts. A claim without
    text falls back to the digits of its value: small counts are taken in full, others to their last digit that is
    not zero, but never to fewer than two digits (100,000,000 means ± 5,000,000).

    Raises
    ------
    ValueError
        The claim's value is not a number.
    """
    if not isinstance(claim.value, int | float):
        raise ValueError(f"claim {claim.id} states no number")
    value = Decimal(repr(claim.value))
    units = [unit for number, unit in numbers_in(claim.text) if _same(number, value)]
    if units:
        return min(units)
    exponent = int(value.normalize().as_tuple().exponent) if value else 0
    if claim.metric in _COUNTED:
        return Decimal(1).scaleb(min(exponent, 0))
    return Decimal(1).scaleb(min(exponent, value.adjusted() - 1) if value else 0)


def numbers_in(text: str) -> list[tuple[Decimal, Decimal]]:
    """Numbers of a text with the unit of their last printed digit, in order.

    A letter or word after a number scales it: k M B T, thousand million billion trillion, kB MB GB (decimal),
    KiB MiB GiB (binary), ms and us.

    Examples
    --------
    >>> numbers_in("5.6M parameters, 0.1 s")
    [(Decimal('5600000.0'), Decimal('100000.0')), (Decimal('0.1'), Decimal('0.1'))]
    """
    found = []
    for match in _NUMBER.finditer(text[:2_000]):
        digits = re.sub(r"[,_\u202f\u00a0]", "", match["whole"]) + (match["rest"] or "") + (match["exponent"] or "")
        number = Decimal(digits)
        unit = Decimal(1).scaleb(int(number.as_tuple().exponent))
        scale = _SCALES.get((match["scale"] or "").lower(), Decimal(1))
        found.append((number * scale, unit * scale))
    return found


def _same(number: Decimal, value: Decimal) -> bool:
    return abs(number - value) <= abs(value) * Decimal("1e-9")
