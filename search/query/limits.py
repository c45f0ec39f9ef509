"""Limits in the words of a query: "under 10M parameters", "at least 80 % on ImageNet", "between 1B and 7B".

A pattern is here only where its words leave no doubt: "images under 10 MB" is not about the model. What is not
understood stays a word to search for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from search.query.conditions import Where, read_number

Read = Callable[[Mapping[str, str | None]], list[Where]]


@dataclass(frozen=True)
class Pattern:
    """Words and, from their named groups, the conditions that they state; none leaves the words as they are."""

    words: re.Pattern[str]
    read: Read


def pattern(words: str, read: Read) -> Pattern:
    """A pattern in which case and the number of blanks do not matter."""
    return Pattern(re.compile(words, re.IGNORECASE), read)


_BELOW: Final = (
    r"under|below|less\s+than|fewer\s+than|smaller\s+than|lower\s+than|at\s+most|no\s+more\s+than|not\s+more\s+than|"
    r"not\s+over|up\s+to|a\s+maximum\s+of|max(?:imum)?(?:\s+of)?|within|no\s+larger\s+than|not\s+exceeding|"
    r"faster\s+than|<=?|≤"
)
_ABOVE: Final = (
    r"over|above|more\s+than|greater\s+than|larger\s+than|bigger\s+than|higher\s+than|at\s+least|no\s+less\s+than|"
    r"not\s+less\s+than|not\s+under|a\s+minimum\s+of|min(?:imum)?(?:\s+of)?|exceeding|better\s+than|>=?|≥"
)
_STRICT: Final = re.compile(
    r"under|below|(?:less|fewer|smaller|lower|faster|greater|larger|bigger|higher|better|more)\s+than|over|above|"
    r"exceeding|[<>]", re.IGNORECASE
)  # fmt: skip
_IS_BELOW: Final = re.compile(_BELOW, re.IGNORECASE)
_BEHIND: Final = {"or less": "at most", "or fewer": "at most", "tops": "at most", "or more": "at least"}
"""Comparisons that stand behind their number."""
_AMOUNT: Final = r"\d[\d,]{0,17}(?:\.\d{1,9})?"
_COMPARED: Final = rf"(?P<op>{_BELOW}|{_ABOVE})\s*(?P<amount>{_AMOUNT})"
_NOT_OF_DATA: Final = "".join(
    rf"(?<!{word}\s)"
    for word in ("files", "file", "images", "image", "videos", "video", "clips", "documents", "texts", "dataset",
                 "datasets", "articles", "recordings", "photos", "data", "sales")
)  # fmt: skip
"""Such words before a limit make it one on what is worked on."""
_SCALES: Final = {"thousand": "k", "million": "m", "mio": "m", "billion": "b", "bn": "b"}
_COUNT: Final = r"k|m|b|bn|mio|thousand|million|billion"
_BYTES: Final = r"kib|mib|gib|kb|mb|gb"


def operator_of(words: str) -> str:
    """The operator that a comparison in words stands for.

    Examples
    --------
    >>> operator_of("at most"), operator_of("under"), operator_of("at least"), operator_of("not over")
    ('<=', '<', '>=', '<=')
    """
    said = " ".join(words.lower().split())
    said = _BEHIND.get(said, said)
    return ("<" if _IS_BELOW.fullmatch(said) else ">") + ("" if _STRICT.fullmatch(said) else "=")


def _limit(field: str, factor: float = 1.0) -> Read:
    """Reads one comparison, or both ends of a "between"."""

    def read(said: Mapping[str, str | None]) -> list[Where]:
        unit = said.get("scale") or ""
        if said.get("low") is not None:
            low = _amount(said["low"], said.get("low_scale") or unit) * factor
            return [Where(field, ">=", low), Where(field, "<=", _amount(said["high"], unit) * factor)]
        return [Where(field, operator_of(said["op"] or ""), _amount(said["amount"], unit) * factor)]

    return read


def _amount(number: str | None, scale: str) -> float:
    return read_number((number or "") + _SCALES.get(scale.lower(), scale))


@dataclass(frozen=True)
class _Unit:
    """How a number of a field is written: its unit, a scale before it (optional unless due), words that must follow.

    `is_of_data` is set where the unit is one of data too, so that the words before it matter: "images under 10 MB".
    """

    words: str
    scale: str = ""
    is_scale_due: bool = False
    after: str = ""
    factor: float = 1.0
    is_of_data: bool = False


def _limits(field: str, unit: _Unit) -> list[Pattern]:
    """Between two numbers, with the comparison behind the number, or before it."""
    scale = rf"\s*(?P<scale>{unit.scale}){'' if unit.is_scale_due else '?'}" if unit.scale else ""
    low_scale = rf"\s*(?P<low_scale>{unit.scale})?" if unit.scale else ""
    end = rf"{scale}\s*-?{unit.words}{unit.after}"
    low = rf"\bbetween\s+(?P<low>{_AMOUNT}){low_scale}\s*(?:{unit.words})?"
    behind = r"(?P<op>or\s+less|or\s+fewer|or\s+more|at\s+most|at\s+least|max|min|tops)"
    forms = (
        rf"{low}\s*and\s+(?P<high>{_AMOUNT}){end}",
        rf"(?<![\w.])(?P<amount>{_AMOUNT}){scale}\s*-?{unit.words}\s*{behind}{unit.after}",
        rf"(?<!\w){_COMPARED}{end}",
    )
    before = _NOT_OF_DATA if unit.is_of_data else ""
    return [pattern(before + form, _limit(field, unit.factor)) for form in forms]


# Shares -------------------------------------------------------------------------------------------------
_PERCENT: Final = r"(?P<percent>\s*%|\s*per\s?cent\b)"
_MEASURE: Final = r"(?P<measure>top-1\s+accuracy|accuracy|acc\.?|f1(?:[\s-]?score)?)"
_OF: Final = r"\s+(?:of\s+|is\s+)?"
_DATASET: Final = (
    r"\s+on\s+(?:the\s+)?(?P<dataset>\w[\w.-]{1,40})"
    r"(?:\s+(?:dataset|data\s+set|benchmark|val(?:idation)?(?:\s+set)?|test(?:\s+set)?))?"
)


def _share(said: Mapping[str, str | None]) -> list[Where]:
    """Accuracy or F1, on a data set where one is named; a bare percentage of something unnamed is no limit."""
    measure, dataset = said.get("measure"), said.get("dataset") or ""
    is_a_set = any(char.isupper() or char.isdigit() for char in dataset)
    if not measure and not is_a_set:
        return []
    amount = read_number(said["amount"] or "")
    percent = 100 * amount if amount <= 1 and not said.get("percent") else amount
    field = "f1" if measure and measure.lower().startswith("f1") else "accuracy"
    return [Where(field, operator_of(said["op"] or ""), percent, dataset.lower().strip(".-") if is_a_set else "")]


# All ----------------------------------------------------------------------------------------------------
_OF_TIME: Final = r"(?:latency|inference|per\s+(?:image|item|query|sentence|request)|response(?:\s+time)?)"
_TIME: Final = rf"\b(?:latency|inference(?:\s+time)?|response\s+time){_OF}{_COMPARED}\s*"
_OF_SIZE: Final = r"(?:\s+(?:in\s+size|of\s+weights|on\s+disk|large|big|download))"
_OF_MEMORY: Final = r"(?:\s+(?:of\s+)?(?:v?ram|(?:gpu\s+)?memory))"
_OF_CONTEXT: Final = r"(?:\s+(?:of\s+)?context(?:\s+(?:window|length))?)"
_NOTHING_FOLLOWS: Final = r"(?=\s*(?:$|[,.;)]|and\b|or\b|with\b|that\b|but\b))"
LIMITS: Final = (
    *_limits("params", _Unit(r"(?:trainable\s+)?(?:parameters?|params?)\b(?:\s+in\s+size)?", _COUNT)),
    *_limits("size", _Unit(r"(?:bytes)?\b", _BYTES, is_scale_due=True, after=_OF_SIZE)),
    *_limits("memory", _Unit(r"\b", _BYTES, is_scale_due=True, after=_OF_MEMORY)),
    *_limits("size", _Unit(r"\b", "mib|gib|mb|gb", is_scale_due=True, is_of_data=True)),
    *_limits("latency", _Unit(r"(?:milliseconds?|ms)\b", after=rf"(?:\s+(?:of\s+)?{_OF_TIME})", factor=1e-3)),
    *_limits("latency", _Unit(r"(?:seconds?|s)\b", after=rf"(?:\s+(?:of\s+)?{_OF_TIME})")),
    pattern(rf"{_TIME}(?:milliseconds?|ms)\b", _limit("latency", 1e-3)),
    pattern(rf"{_TIME}(?:seconds?|s)\b", _limit("latency")),
    *_limits("context", _Unit(r"(?:tokens?)?\b", "k", after=_OF_CONTEXT)),
    pattern(rf"\bcontext(?:\s+(?:window|length))?{_OF}{_COMPARED}\s*(?P<scale>k)?\s*(?:tokens?)?\b", _limit("context")),
    *_limits("dimensions", _Unit(r"(?:dimensions?|dims?)\b")),
    *_limits("downloads", _Unit(r"downloads\b", _COUNT)),
    *_limits("likes", _Unit(r"likes\b", _COUNT)),
    *_limits("stars", _Unit(r"(?:github\s+)?stars\b", _COUNT)),
    pattern(rf"(?<!\w)(?:an?\s+)?(?:{_MEASURE}{_OF})?{_COMPARED}{_PERCENT}{_DATASET}", _share),
    pattern(rf"(?<!\w)(?:an?\s+)?{_MEASURE}{_OF}{_COMPARED}{_PERCENT}?(?![\w%])", _share),
    pattern(rf"(?<!\w){_COMPARED}{_PERCENT}\s+{_MEASURE}(?:{_DATASET})?", _share),
    pattern(
        rf"{_NOT_OF_DATA}(?<!\w){_COMPARED}\s*(?P<scale>m|b|million|billion)\b{_NOTHING_FOLLOWS}", _limit("params")
    ),
)  # fmt: skip
"""The more particular ones first."""
MAYBE_LIMIT: Final = re.compile(
    rf"(?:{_BELOW}|{_ABOVE}|\bbetween)\s*\d|\b(?:or\s+(?:less|fewer|more)|at\s+(?:most|least)|max|min|tops)\b",
    re.IGNORECASE,
)
"""Without such words no limit is looked for: most queries have none."""
