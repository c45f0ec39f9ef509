"""What may stand between a number, the name of its metric, and whoever it is about. Every repetition is bounded."""

from __future__ import annotations

import re
from typing import Final

_I: Final = re.IGNORECASE
BETWEEN_NUMBER_AND_NAME: Final = re.compile(
    r"[\s\"'*(-]{0,3}(?:(?!and\b|or\b|of\b|on\b|in\b|with\b|vs\b|for\b|to\b|at\b|than\b|over\b|is\b|"
    r"the\b)[\w@.+/'-]{1,20}[\s-]{1,2}){0,3}",
    _I,
)
_VERB: Final = (
    r"(?:of|is|was|are|were|at|to|by|reach(?:es|ed|ing)?|achiev(?:es|ed|ing)|obtain(?:s|ed)?|gets?|around|"
    r"about|approximately|approx\.?|over|under|than|"
    r"above|equals?|from|nearly|almost|only|up|more|less|better|least|scores?|values?|rates?|results?|"
    r"measured|reported|=|:|~|@)"
)
BETWEEN_NAME_AND_NUMBER: Final = re.compile(
    rf"[\s\"'*:=({{\[~|\])}},/-]*|"
    rf"(?:[\s\"'*(\[{{),:@-]{{1,3}}[^;!?\n]{{0,70}}?)?(?:[\s\"'*):]{{0,3}}{_VERB}[\s\"'*:=({{\[~<>≤≥]{{1,4}}){{1,3}}",
    _I,
)
ONLY_LIST: Final = re.compile(r"\s*(?:,|/|and|or|&|,\s*and|%\s*/|\+/-|±)\s*", _I)
OTHER_NOUN: Final = re.compile(
    r"\s+(?!(?:on|in|for|with|and|at|by|when|using|while|vs|over|than|compared|across|after|under|or|as|from|the|to|is|was)\b)"
    r"[a-z]{4,}",
    _I,
)
AND_ON: Final = re.compile(r"\s*%?\s*(?:on|for) [^,.;()\d]{1,40}?,? and (?=[\d.]+\s?%?\s?(?:on|for)\b)", _I)
SLASH: Final = re.compile(r"\s?%?\s?/\s?")
AGAINST: Final = re.compile(
    r"\s*(?:vs\.?|versus|compared (?:to|with)|against|→|->|to|down to|up to|drops? to|falls? to)\s*(?:only |just )?", _I
)
VERSUS: Final = re.compile(r"[^.;()]{0,25}?\s*(?:vs\.?|versus|compared (?:to|with)|against)\s*(?:only |just )?", _I)
LISTED: Final = re.compile(r"\s*(?:,|/|and|or|&|vs\.?|versus|to|,\s*(?:and|or))\s*(?:a |the )?", _I)
FOR_NAME: Final = re.compile(r"[^.;,()\d]{0,25}?(?<!and )\b(?:for|of|by|with the|from)\s+(?:the )?", _I)
FOR_COMPARISON: Final = re.compile(r"\s*(?:for comparison|compared (?:to|with)|versus|vs\.?)\b", _I)
ANOTHER: Final = re.compile(r"\b(?P<name>original|teacher|uncompressed|full-size)\s$", _I)
DIFFERENCE: Final = re.compile(
    r"[\s)]{0,2}(?:top-?\s?\d )?(?:accuracy |absolute |relative )?(?:improvements?|gains?|increases?|"
    r"boosts?|higher|better|more|worse|lower)\b|\s?top-?\d\) than",
    _I,
)
DIFFERENT: Final = re.compile(
    r"(?:more accurate|better|improv\w+|increas\w+|drawback|higher|boost\w*|gain\w*)(?: by| of)? ?\(?[~<>]?\s?$", _I
)
VARIABLE: Final = re.compile(r"(?<!\w)[A-Za-z]\s?=\s?$")
KEPT: Final = re.compile(r"(?:preserv|retain|keep|maintain)\w*(?: \w{1,10}){0,2}\s$", _I)
KEPT_OF: Final = re.compile(r"\s(?:of|from) [^.;]{0,60}?(?:performance|accuracy|quality|capabilit|understanding)", _I)
NAME_HAS: Final = re.compile(
    r"(?:'s)?\s*(?:\w{1,12} ){0,1}(?:has|have|with|achiev(?:es|ed)|reach(?:es|ed)|gets|scores?|at|is|=|:|"
    r"only|,)?\s*(?:only |a |an |top-1 |accuracy |of ){0,3}",
    _I,
)
BRACKET_OF_NAME: Final = re.compile(r"[A-Z][\w.+-]{1,40} \(\s?[~<>]?\s?$")
BRACKETS_APART: Final = re.compile(r"\)[^()]{0,80}\(")
NOTHING_MORE: Final = re.compile(r"\s?[,)]")
TRAINING_LOSS: Final = re.compile(r"\b(?:training|train|validation|evaluation|eval|test) loss\b", _I)
_COMPARATIVE: Final = re.compile(

        r"\b(?P<less>lighter|smaller|fewer|less|lower|shorter|cheaper)\b|\b(?P<more>larger|bigger|more|higher|"
        r"heavier|better|superior|outperform(?:s|ed|ing)?|beats?|"

    r"exceeds?|surpass(?:es|ed)?|faster)\b", _I
)  # fmt: skip
_SIZES_OF: Final = frozenset({"parameters", "size_bytes", "flops", "memory_bytes", "latency_s"})
_GOODNESS: Final = frozenset({"accuracy", "f1", "precision", "recall", "average_precision", "mean_iou", "throughput"})


def open_bracket(sentence: str, position: int) -> int | None:
    """Where the bracket opens in which a place stands; None where it stands in none."""
    opened = sentence.rfind("(", 0, position)
    return opened if opened >= 0 and ")" not in sentence[opened:position] else None


def comparative(before: str, metric: str, rival: str) -> int | None:
    """+1 where the artifact is said to have more of a metric than a rival named at the end of `before`, -1 less."""
    place = before.rfind(rival.split()[0]) if rival else -1
    if place < 0 or len(before) - place > len(rival) + 30:
        return None
    said = list(_COMPARATIVE.finditer(before, max(0, place - 45), place))
    if not said or re.search(r"[;,]", before[said[-1].end() : place]):
        return None
    words = said[-1].group().lower()
    less = said[-1]["less"] is not None
    if metric in _SIZES_OF:
        if words in ("lighter", "smaller", "fewer", "less", "lower", "cheaper", "shorter"):
            return -1
        if words == "faster" and metric == "latency_s":
            return -1
        return 1 if words in ("larger", "bigger", "more", "heavier") else None
    if metric in _GOODNESS:
        return -1 if less and words in ("lower", "less") else None if less else 1
    if metric == "error_rate":
        return -1 if less or words.startswith(("outperform", "better", "superior", "beat", "surpass")) else None
    return None
