"""From a phrase such as "but smaller and not by google" to differences, conditions, and the words that are left."""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass
from typing import Final

from search.different.differences import (
    CHEAPER,
    FASTER,
    FREE,
    LARGER,
    LESS_MEMORY,
    MORE_ACCURATE,
    OFFLINE,
    OTHER,
    OTHER_MODALITY,
    PERMISSIVE,
    SMALLER,
    VERIFIED,
    Difference,
    of_modality,
)
from search.query.conditions import Where
from search.query.fields import modality
from search.query.understand import Read, tidied, understand

_THAN: Final = r"(?!\s+than\s+[\d.])(?:\s+(?:than\s+(?:this|that|it|the\s+\w+)|model|version|variant|alternative|one))?"
_ELSE: Final = r"(?:another|other|different|some\s+other|a\s+different|any\s+other|distinct)"


def _different(words: str) -> str:
    """The ways of asking for another value of an attribute: "another family", "not the same family"."""
    return (
        rf"(?:(?:from|by|with|of|in|using|under)\s+)?(?:an?\s+|some\s+)?{_ELSE}(?:\s+\w+)?\s+(?:{words})|"
        rf"(?:not|never)\s+(?:from|by|with|of|in|using)?\s*(?:the\s+)?same\s+(?:{words})|"
        rf"(?:from\s+|by\s+)?(?:someone|somebody)\s+else(?:'s)?\s+(?:{words})|"
        rf"(?:{words})\s+(?:is|must\s+be|should\s+be)\s+different|"
        rf"(?:{words})\s+other\s+than\s+(?:this|its)(?:\s+one)?|"
        rf"outside\s+(?:this|its|the\s+same)\s+(?:{words})"
    )


_WORDS: Final = (
    (rf"(?:much\s+|a\s+lot\s+|way\s+)?(?:smaller|lighter(?:[\s-]weight)?|fewer\s+parameters|less\s+parameters|more\s+compact|"
     rf"more\s+lightweight|tinier|slimmer|not\s+(?:so|as)\s+(?:big|large)){_THAN}|"
     rf"(?:that\s+is\s+)?(?:light[\s-]?weight|compact)", SMALLER),
    (rf"(?:much\s+|a\s+lot\s+)?(?:larger|bigger|heavier|more\s+parameters|higher[\s-]capacity|"
     rf"not\s+(?:so|as)\s+small){_THAN}", LARGER),
    (r"offline|self[\s-]host(?:ed|able)|open[\s-]weights?|(?:runs?\s+|running\s+)?local(?:ly)?|downloadable|on[\s-]prem(?:ises?)?|"
     r"on\s+my\s+own\s+(?:machine|hardware|computer)|without\s+(?:an\s+)?(?:internet|api)", OFFLINE),
    (rf"(?:cheaper|less\s+expensive|less\s+costly|lower\s+(?:price|cost)s?){_THAN}", CHEAPER),
    (r"free(?:\s+of\s+charge|\s+to\s+use)?|no\s+cost|costs?\s+nothing", FREE),
    (rf"(?:much\s+)?(?:faster|quicker|lower[\s-]latency|speedier|less\s+latency){_THAN}", FASTER),
    (rf"(?:less|lower|smaller)\s+memory(?:\s+footprint|\s+use)?{_THAN}", LESS_MEMORY),
    (rf"(?:more\s+accurate|higher\s+accuracy|better\s+accuracy){_THAN}", MORE_ACCURATE),
    (r"(?:that\s+is\s+|which\s+is\s+)?verified(?:\s+to\s+(?:run|work))?|proven", VERIFIED),
    (r"(?:more\s+)?permissive(?:ly)?(?:[\s-]licen[cs]ed?|\s+licen[cs]e)", PERMISSIVE),
    (_different(r"modalit(?:y|ies)|inputs?|outputs?"), OTHER_MODALITY),
    (_different(r"famil(?:y|ies)|architectures?|model\s+family|kind\s+of\s+model|backbones?|model\s+types?"),
     OTHER["family"]),
    (_different(r"librar(?:y|ies)|frameworks?|toolkits?"), OTHER["library"]),
    (_different(r"licen[cs]es?(?:\s+terms)?|licen[cs]ing"), OTHER["license"]),
    (_different(r"organi[sz]ations?|compan(?:y|ies)|publishers?|providers?|vendors?|authors?|owners?|orgs?|labs?|teams?|"
                r"creators?|developers?|users?") + r"|(?:by|from)\s+(?:someone|somebody|anyone)\s+else",
     OTHER["organization"]),
    (_different(r"maintainers?"), OTHER["maintainer"]),
    (_different(r"types?"), OTHER["type"]),
)  # fmt: skip
_PATTERNS: Final = tuple(
    (re.compile(rf"(?<![\w-])(?:{pattern})(?![\w-])", re.IGNORECASE), difference) for pattern, difference in _WORDS
)
_FOR_MODALITY: Final = re.compile(
    r"\bbut\s+(?:for|with|of|on)\s+(?P<what>images?|pictures?|photos?|videos?|texts?|audio|speech|documents?|tables?)\b",
    re.IGNORECASE,
)
_FILLER: Final = re.compile(
    r"\b(?:but|and|also|just|like|it|one|ones|something|anything|somewhat|with|that|which|is|are|be|should|must|has|"
    r"have|a|an|the|of|from|than|this|in|by|to|same|similar|instead|please|want|need|give|me|i|alternatives?)\b",
    re.IGNORECASE,
)
_COMPARATIVE: Final = re.compile(
    r"\b((?:more|less|better|worse|newer|older|safer|easier|simpler|stronger|nicer|cleaner|smarter)\b(?:\s+\w+)?)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Wish:
    """What a phrase asks for: differences, conditions, words that steer the order, and what no fact can judge."""

    differences: tuple[Difference, ...] = ()
    read: tuple[Read, ...] = ()
    words: str = ""
    notes: tuple[str, ...] = ()

    @property
    def where(self) -> tuple[Where, ...]:
        """The conditions, each once."""
        return tuple(dict.fromkeys(each.where for each in self.read))


def read_wish(phrase: str, owners: Container[str] = frozenset()) -> Wish:
    """What a phrase asks for.

    Limits and negations are read as in a search ("under 10M parameters", "not by google"), then the differences;
    what is left are words for the order, and a comparison among them ("more robust") is said to be nobody's fact.

    Parameters
    ----------
    phrase
        Such as "but smaller and offline".
    owners
        Publishers in the index, squeezed.
    """
    rest, found = phrase, []
    for pattern, difference in _PATTERNS:
        rest, hits = pattern.subn(" ", rest)
        if hits:
            found.append(difference)
    understanding = understand(rest, owners)
    rest = understanding.words
    match = _FOR_MODALITY.search(rest)
    if match:
        found.append(of_modality(modality(match["what"])))
        rest = rest.replace(match[0], " ")
    words = " ".join(_FILLER.sub(" ", re.sub(r"[^\w-]+", " ", rest)).split())
    words = words if any(char.isalnum() for char in words) else ""
    return Wish(
        tuple(found), understanding.read, tidied(words) if words else "", (*understanding.notes, *_unjudged(rest))
    )


def _unjudged(rest: str) -> tuple[str, ...]:
    return tuple(
        f"{' '.join(match[1].split())!r} is no stored fact, so nothing is left out for it: it only steers the order"
        for match in _COMPARATIVE.finditer(rest)
    )
