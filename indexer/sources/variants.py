"""Which product a text speaks of, where it is another one of the same family: "FLUX.2 generates …" under FLUX.1 Pro.

No list of products: a family is the word that a name begins with, and what follows it tells its members apart, a
version ("FLUX.2"), a variant behind a dash ("FLUX.1-dev"), in brackets ("FLUX.2 [klein]") or with a capital
("FLUX.1 Schnell").
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_STEM: Final = re.compile(r"[^\W\d_]{2,40}")
_PLAIN_WORDS: Final = frozenset({
    "all", "any", "audio", "cross", "end", "face", "few", "fine", "general", "high", "image", "large", "low", "multi",
    "new", "non", "one", "open", "person", "post", "pre", "real", "self", "semi", "single", "small", "speech", "state",
    "text", "two", "video", "zero",
})  # fmt: skip
"""Words that English itself joins with a dash ("all-in-one"): they name no family."""
_VERSION: Final = r"(?:[-.\s]?(?P<version>v?\d[\d.]*\d|v?\d)(?!\w))?"
_VARIANT: Final = (
    r"(?:\s?\[(?P<bracket>[\w.-]{1,30})\]"
    r"|[-_](?P<dash>[^\W_][\w.]{0,30}(?:[-_][\w.]{1,30}){0,8})"
    r"|\s(?P<size>\d{1,4}(?:\.\d{1,3})?[BMKT])\b"
    r"|\s(?P<capital>[A-Z][\w.]{0,30})(?=[\s,;:'’)]|\.?$)"
    r"|\s(?P<lower>[a-z][\w.]{0,30})(?=\s+variants?\b))?"
)
_SENTENCE: Final = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9\"'(\[])")
_LEAD: Final = re.compile(r"(?:(?:the|this|our)\s+)?", re.IGNORECASE)
_AND: Final = re.compile(r"\s*(?:,|,?\s(?:and|or)\b|/|&)\s*(?:the\s+)?")
_LONGEST: Final = 20_000


@dataclass(frozen=True)
class Member:
    """A member of a family as a text names it: `name` as written, version "" and no variant words where it has none."""

    name: str
    version: str
    variant: frozenset[str]


@dataclass(frozen=True)
class Family:
    """The family of one artifact: the pattern of its members' names, and the artifact itself."""

    pattern: re.Pattern[str]
    own: Member
    capitals: bool


def other_subject(text: str, own: str) -> str:
    """The product of `own`'s family that a text is about, as the text names it; "" where it is `own`, or says neither.

    A text is about another one where its first sentence has that as its subject, or more than half of its sentences
    do; a mention in passing changes nothing, and neither does the family's bare name.

    Parameters
    ----------
    text
        Prose about one thing.
    own
        Name of the artifact under which it stands.

    Examples
    --------
    >>> other_subject("FLUX.2 generates 4MP pictures. Their size is configurable.", "FLUX.1 Pro")
    'FLUX.2'
    >>> other_subject("Generates pictures, as FLUX.2 does.", "FLUX.1 Pro")
    ''
    """
    family = family_of(own)
    if family is None:
        return ""
    sentences = _SENTENCE.split(text[:_LONGEST].strip())
    subjects = [_subject(sentence, family) for sentence in sentences]
    if subjects[0]:
        return subjects[0]
    others = [subject for subject in subjects if subject]
    return max(sorted(set(others)), key=others.count) if len(others) * 2 > len(sentences) else ""


def others_named(text: str, own: str) -> tuple[Member, ...]:
    """Every other member of `own`'s family that a text names, in order."""
    family = family_of(own)
    if family is None:
        return ()
    found = (_member(match, family.capitals) for match in family.pattern.finditer(text[:_LONGEST]))
    return tuple(member for member in found if _is_other(member, family.own))


def family_of(own: str) -> Family | None:
    """The family of an artifact's name; None where it begins with no word of its own, or nothing follows that."""
    name = own.strip().rpartition("/")[2]
    stem = _STEM.match(name)
    if stem is None or stem.end() == len(name) or stem[0].lower() in _PLAIN_WORDS:
        return None
    word = stem[0] if stem[0].isupper() else f"(?i:{re.escape(stem[0])})"
    version = re.match(_VERSION, name[stem.end() :])
    rest = name[stem.end() + (version.end() if version else 0) :]
    itself = Member(name, _plain_version(version["version"] if version else None), _words(rest))
    return Family(
        re.compile(rf"(?<![\w.-]){word}{_VERSION}{_VARIANT}(?![\w-])"), itself, bool(re.match(r" [A-Z]", rest))
    )


def _is_other(member: Member, own: Member) -> bool:
    """True if a named member is not the artifact itself: its version, or a word of its variant, is another one."""
    if member.version != own.version:
        return bool(member.version)
    return not member.variant <= own.variant


def _member(match: re.Match[str], capitals: bool) -> Member:
    """A member named in a text; a word with a capital tells it apart only behind a version, or where `own` has one."""
    version = _plain_version(match["version"])
    variant = match["bracket"] or match["dash"] or match["size"] or match["lower"]
    if match["capital"]:
        if not version and not capitals:
            return Member(match[0][: match.start("capital") - match.start()].rstrip(), version, frozenset())
        variant = match["capital"]
    return Member(match[0], version, _words(variant or ""))


def _plain_version(version: str | None) -> str:
    return (version or "").lower().lstrip("v")


def _words(variant: str) -> frozenset[str]:
    return frozenset(re.findall(r"[^\W_]+", variant.lower()))


def _subject(sentence: str, family: Family) -> str:
    """The other member that a sentence begins with; "" where `own` is among those that it begins with."""
    named = []
    lead = _LEAD.match(sentence)
    place = lead.end() if lead else 0
    while (match := family.pattern.match(sentence, place)) is not None:
        named.append(_member(match, family.capitals))
        joint = _AND.match(sentence, match.end())
        if joint is None:
            break
        place = joint.end()
    others = [member for member in named if _is_other(member, family.own)]
    return others[0].name if others and len(others) == len(named) else ""
