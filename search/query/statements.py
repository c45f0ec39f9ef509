"""Facts in the words of a query: licence, open weights, free, verified, format, modalities, type.

As with limits, only what leaves no doubt: "offline reinforcement learning" and "noise-free audio" are jobs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from search.query.conditions import Where
from search.query.fields import modality
from search.query.limits import Pattern, Read, pattern
from search.query.vocabulary import FORMATS, LICENCE_NAMES, TYPES, either
from search.query.words import licence_id, plain

_ENDS: Final = r"(?=\s*(?:$|[,.;:!?)]|and\b|or\b|but\b|with\b|under\b|that\b|which\b))"
_POLITE: Final = (
    r"(?:(?:please|find|show|give|get|recommend|suggest|i\s+(?:need|want)|looking\s+for|which|what|me|us|an?|the|any|"
    r"some|good|best|free)\s+){0,6}"
)
_ASKING: Final = r"(?:(?:find|show|give|i\s+need|i\s+want|looking\s+for)\s+(?:me\s+)?)?(?:an?\s+|any\s+|some\s+)?"
_NOT_FREE: Final = r"text|form|space|speech|throw|of\b|hand|response|will|flow|energy|fall|kick"
_JOBS_OFFLINE: Final = r"reinforcement|rl\b|learning|policy|handwrit|signature|meta|training|evaluation|data|imitation"
_RUNS: Final = (
    r"(?:that\s+|which\s+)?(?:runs?|running|works?|working|usable|available|used)\s+(?:fully\s+|completely\s+)?"
)
_MODALITY: Final = r"(?P<what>images?|pictures?|photos?|videos?|text|audio|speech|documents?|tables?)"


def _is(field: str, value: str) -> Read:
    return lambda _: [Where(field, "=", value)]


def _licence(said: Mapping[str, str | None]) -> list[Where]:
    name = re.sub(r"^([23])-clause\s+bsd$", r"bsd-\1", (said["name"] or "").lower())
    return [Where("license", "=", licence_id(re.sub(r"\s+", "-", name)))]


def _format(said: Mapping[str, str | None]) -> list[Where]:
    return [Where("format", "=", FORMATS[plain(said["format"] or said["other"] or "")])]


def _modality(field: str) -> Read:
    return lambda said: [Where(field, "=", modality(said["what"] or ""))]


def _type(said: Mapping[str, str | None]) -> list[Where]:
    return [Where("type", "=", TYPES[plain(said["type"] or "")])]


_LICENCES: Final = (
    pattern(r"\b(?:(?:under|with)\s+an?\s+)?permissive(?:ly)?[\s-]+licen[cs]e(?:s|d)?\b", _is("permissive", "true")),
    pattern(
        rf"\b(?:licen[cs]ed?\s+(?:under|as|is)|licen[cs]e:?|under)\s+(?:the\s+|an?\s+)?(?P<name>{LICENCE_NAMES})\b"
        rf"(?:\s+licen[cs]e)?{_ENDS}",
        _licence,
    ),
    pattern(rf"\b(?P<name>{LICENCE_NAMES})[\s-]+licen[cs]ed?\b", _licence),
)
_OFFLINE: Final = (
    pattern(r"\b(?:with\s+)?(?:open|downloadable|public)[\s-]weights?\b", _is("offline", "true")),
    pattern(
        r"\b(?:(?:can\s+be\s+)?self[\s-]host(?:ed|able)|on[\s-]prem(?:ises?)?|"
        r"without\s+(?:an\s+)?internet(?:\s+(?:access|connection))?)\b",
        _is("offline", "true"),
    ),
    pattern(
        rf"\b{_RUNS}(?:offline|locally)\b|\b(?:for\s+)?offline\s+use\b|(?:\band|\bbut|,)\s+offline{_ENDS}|"
        r"\boffline(?=\s*[,.!?]?\s*$)",
        _is("offline", "true"),
    ),
    pattern(rf"^{_ASKING}offline\s+(?!{_JOBS_OFFLINE})(?=[\w-]+)", _is("offline", "true")),
)
_FREE: Final = (
    pattern(
        rf"\bfree\s+of\s+charge\b|\bfor\s+free{_ENDS}|\b(?:(?:that|which)\s+is\s+)?free\s+to\s+use\b|"
        rf"\b(?:at\s+)?no\s+cost\b|(?:\band|\bbut|,)\s+free{_ENDS}",
        _is("free", "true"),
    ),
    pattern(rf"^{_ASKING}free\s+(?!{_NOT_FREE})(?=[\w-]+)", _is("free", "true")),
)
STATEMENTS: Final[tuple[Pattern, ...]] = (
    *_LICENCES,
    *_OFFLINE,
    *_FREE,
    pattern(
        r"\b(?:only\s+verified|verified\s+only|(?:that\s+(?:is|are)\s+)?verified\s+to\s+(?:run|work))\b|^verified(?=\s)",
        _is("verified", "true"),
    ),
    pattern(
        rf"\b(?:(?:available\s+|exported\s+|weights\s+)?(?:in|as)\s+(?:the\s+)?(?P<format>{either(FORMATS)})"
        rf"(?:\s+(?:format|weights|files?|model))?{_ENDS}|(?:in\s+)?(?P<other>{either(FORMATS)})\s+(?:format|weights)\b)",
        _format,
    ),
    pattern(rf"\b(?:with|takes|taking|accepts|accepting)\s+(?:an?\s+)?{_MODALITY}\s+inputs?\b", _modality("input")),
    pattern(rf"\b(?:with|gives|giving)\s+(?:an?\s+)?{_MODALITY}\s+outputs?\b", _modality("output")),
    pattern(rf"^{_POLITE}(?P<type>{either(TYPES)})(?=\s+(?:for|of|to|that|which|with|about)\b|\s*$)", _type),
    pattern(r"(?<=\S\s)mcp(?:\s+servers?)?(?=\s*$|\s+for\b)", _is("type", "mcp")),
)
"""Facts in words."""
