"""What a query says: the conditions in its words, what is left to search for, and what could not be understood."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from graph.errors import QueryError
from graph.policy import POLICIES
from search.query.conditions import Where, contradiction, read_condition
from search.query.fields import FIELDS
from search.query.language import language_note
from search.query.limits import LIMITS, MAYBE_LIMIT, Pattern
from search.query.statements import STATEMENTS
from search.query.vocabulary import FAMILIES, FORMATS, LIBRARIES, either
from search.query.words import squeezed

_OPERATOR: Final = re.compile(
    r"(?<![\w@])(?P<minus>-)?(?P<field>[a-z_][a-z_0-9]{1,40})(?:@(?P<dataset>[\w.-]{1,80}))?"
    r"(?:(?P<op>\s?(?:<=|>=|!=|=|<|>|~)\s?)|:(?=\S))(?P<value>\"[^\"]{1,100}\"|[^\s,;]{1,100})",
    re.IGNORECASE,
)
_POLICY: Final = re.compile(
    r"\b(?:policy[\s:=]+(?P<one>\w+)|(?:under\s+the\s+)?(?P<other>\w+)\s+policy)\b", re.IGNORECASE
)
_NEGATION: Final = re.compile(
    r"(?:,\s*)?\b(?:(?:but|and|that\s+is|which\s+is|that\s+are)\s+)?(?:not|no|without|except(?:\s+for)?|excluding|"
    r"other\s+than|anything\s+but|is\s?n[o'’]t|does\s?n[o'’]t\s+use|not\s+using|never)\s+"
    r"(?:(?:any|an?|the|from|by|using|with|based\s+on|need(?:ing)?|made\s+by)\s+){0,3}"
    r"(?P<what>[\w.+/-]{2,60}(?:\s[\w.+-]{2,30})?)",
    re.IGNORECASE,
)
_LIBRARY: Final = re.compile(
    r"\b(?:in|with|using|for|via|on\s+top\s+of|built\s+(?:on|with)|based\s+on|compatible\s+with)\s+(?:the\s+)?"
    rf"(?:hugging\s?face(?:'s)?\s+)?(?P<library>{either(LIBRARIES)})(?:\s+(?:library|framework))?(?![\w-])",
    re.IGNORECASE,
)
_EDGES: Final = re.compile(
    r"^(?:[\s,;:.&-]|(?:and|but|or|with|that|which|is|are|has|have|of|for)\b)+|"
    r"(?:[\s,;:&-]|\b(?:and|but|or|with|that|which|is|are|has|have|a|an|the|of|by|from|in|under|only|fits))+$",
    re.IGNORECASE,
)
_FORMAT_VALUES: Final = frozenset(FORMATS)
_FAMILIES: Final = {squeezed(name): name for name in FAMILIES}
_LIBRARIES: Final = {squeezed(name): name for name in LIBRARIES}


@dataclass(frozen=True)
class Read:
    """A condition and the words of the query that state it."""

    words: str
    where: Where


@dataclass(frozen=True)
class Understanding:
    """What was understood of a query.

    `words` are what is left to search for, `policy` the policy that it names, `notes` what people should know of how
    it was read.
    """

    words: str
    read: tuple[Read, ...] = ()
    policy: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def where(self) -> tuple[Where, ...]:
        """The conditions, each once, in the order read."""
        return tuple(dict.fromkeys(each.where for each in self.read))


@dataclass
class _Reader:
    """The text that is left, and what was read from it so far."""

    text: str
    read: list[Read] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    policy: str | None = None

    def take(self, match: re.Match[str], conditions: Iterable[Where]) -> str:
        found = [Read(" ".join(match[0].split()).strip(" ,"), where) for where in conditions]
        if not found:
            return match[0]
        self.read += found
        return " "


def understand(text: str, owners: Container[str] = frozenset()) -> Understanding:
    """What a query says, read from left to right of the list of patterns; the rest are words to search for.

    Parameters
    ----------
    text
        The redacted query.
    owners
        Publishers in the index, squeezed: "not by google" is understood where google publishes something.
    """
    reader = _Reader(text)
    _read_operators(reader)
    _read_policy(reader)
    _read_negations(reader, owners)
    if any(char.isdigit() for char in reader.text) and MAYBE_LIMIT.search(reader.text):
        for pattern in LIMITS:
            _read_pattern(reader, pattern)
    for pattern in STATEMENTS:
        _read_pattern(reader, pattern)
    _read_libraries(reader)
    note = language_note(text)
    notes = (*dict.fromkeys(reader.notes), *((note,) if note else ()))
    if not reader.read and reader.policy is None:
        return Understanding(text, notes=notes)
    return Understanding(tidied(reader.text), tuple(reader.read), reader.policy, notes)


def tidied(text: str) -> str:
    """A text without what is left hanging where words were taken out of it."""
    joined = re.sub(r"\s+([,.;:!?])", r"\1", " ".join(text.split()))
    joined = re.sub(r"([,;:])(?:\s*[,;:])+", r"\1", joined)
    before = None
    while before != joined:
        before, joined = joined, _EDGES.sub("", joined).strip()
    return joined if any(char.isalnum() for char in joined) else ""


def conflict(conditions: Sequence[Where]) -> str:
    """One line about two conditions that contradict each other; empty where none do."""
    found = contradiction(conditions)
    return f"{found[0]} and {found[1]} contradict each other: nothing can satisfy both; drop one" if found else ""


def _read_operators(reader: _Reader) -> None:
    """`params<10M`, `license:mit`, `-family:bert`: the operators of `--where` inside a query."""

    def replace(match: re.Match[str]) -> str:
        op = (match["op"] or "=").strip()
        dataset = f"@{match['dataset']}" if match["dataset"] else ""
        value = match["value"].strip('"').rstrip(".)?!")
        try:
            where = read_condition(f"{match['field']}{dataset}{op}{value}")
        except QueryError as error:
            if match["op"] and match["field"].lower() in FIELDS:
                reader.notes.append(f"{match[0].strip()[:60]!r} is not understood, so it is searched as words: {error}")
            return match[0]
        if match["minus"]:
            where = Where(where.field, "!=", where.value, where.dataset)
        return reader.take(match, [where])

    reader.text = _OPERATOR.sub(replace, reader.text)


def _read_policy(reader: _Reader) -> None:
    def replace(match: re.Match[str]) -> str:
        name = (match["one"] or match["other"]).lower()
        if name not in POLICIES or reader.policy:
            return match[0]
        reader.policy = name
        return " "

    reader.text = _POLICY.sub(replace, reader.text)


def _read_negations(reader: _Reader, owners: Container[str]) -> None:
    """What is not wanted, where a fact can tell: a library, family, format or publisher. The rest stays as it is."""

    def replace(match: re.Match[str]) -> str:
        words = match["what"].rstrip(".,;:!?").split()
        for count in (2, 1):
            named = " ".join(words[:count])
            where = negated(named, owners) if len(words) >= count else None
            if where is not None:
                reader.take(match, [where])
                return " " + " ".join(words[count:])
        return match[0]

    reader.text = _NEGATION.sub(replace, reader.text)


def negated(name: str, owners: Container[str] = frozenset()) -> Where | None:
    """The condition that keeps out what a name stands for; None where no fact could tell."""
    key = squeezed(name)
    if key in _LIBRARIES:
        return Where("library", "!=", _LIBRARIES[key])
    if name.lower() in _FORMAT_VALUES:
        return Where("format", "!=", FORMATS[name.lower()])
    if key in _FAMILIES:
        return Where("word", "!=", _FAMILIES[key])
    return Where("organization", "!=", name.lower()) if key in owners and len(key) > 2 else None


def _read_pattern(reader: _Reader, pattern: Pattern) -> None:
    reader.text = pattern.words.sub(lambda match: reader.take(match, pattern.read(match.groupdict())), reader.text)


def _read_libraries(reader: _Reader) -> None:
    def replace(match: re.Match[str]) -> str:
        return reader.take(match, [Where("library", "=", match["library"].lower())])

    reader.text = _LIBRARY.sub(replace, reader.text)
