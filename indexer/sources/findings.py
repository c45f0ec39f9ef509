"""What a validator found, and the typed reading of fields that finds it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Final, Literal

from graph.errors import SourceError
from indexer.sources.nodes import Node

LONGEST_LINE: Final = 500
LONGEST_TEXT: Final = 20_000
SLUG: Final = re.compile(r"[a-z0-9._-]{1,200}")
_JOINERS: Final = "\u200c\u200d"
"""Zero-width joiners: invisible, but letters of some scripts need them."""
_COUNT: Final = re.compile(r"([0-9][0-9_,]{0,30}(?:\.[0-9]{1,12})?) ?([kKmMbBtT]?)")
_SCALES: Final = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9, "t": 10**12}

# Stable codes of the validator. An error of the header rejects the manifest; one of a capability or a claim
# rejects that alone. A warning rejects nothing.
ERRORS: Final = {
    "not_a_manifest": "the document has no `artifact` mapping",
    "missing_name": "an artifact or capability has no name",
    "unknown_field": "a field is not part of the format",
    "unknown_type": "the artifact's type is none of the known ones",
    "unknown_task": "the capability's task is not in the taxonomy",
    "unknown_metric": "the claim's metric is not in the metric table",
    "unknown_unit": "the claim's unit does not measure its metric",
    "unknown_capability": "the claim names a capability that the manifest does not have",
    "missing_metric": "the claim names no metric",
    "bad_comparator": "the comparator is none of = < <= > >= up_to",
    "bad_value": "the claim's value is missing, not finite or of the wrong kind",
    "bad_slug": "a slug or capability id is not made of a-z 0-9 . _ -",
    "bad_type": "a field holds the wrong kind of value",
    "bad_url": "an address is not http(s)",
    "bad_count": "a count is no whole number, or out of range",
    "bad_scope": "a condition's batch size or threads are no whole numbers above 0",
    "bad_hub_id": "a hub id is not `owner/name`",
    "too_long": "a text is longer than its limit",
    "two_weights": "weights name more than one place",
    "duplicate_id": "two artifacts of one source have the same id",
    "duplicate_capability": "two capabilities have the same id",
    "duplicate_field": "a field is given twice",
    "bad_field": "a field's name is not a word",
    "bad_tag": "a YAML tag asks for an object",
    "syntax": "the file is not valid YAML or JSON",
    "too_large": "the file, its depth or what its aliases unfold into is too large",
    "not_utf8": "the file is not UTF-8",
    "empty": "the file holds no document",
    "unreadable": "the file cannot be read",
}
WARNINGS: Final = {
    "no_license": "the artifact states no licence",
    "no_type": "the artifact states no type; model is assumed",
    "no_capabilities": "no capability is described; one is made from the artifact's own text",
    "no_intents": "a capability names no intents",
    "no_task": "a capability names no task; one is guessed from its name",
    "missing_description": "a capability is not described",
    "missing_weights": "the folder of weights is not there",
    "hedged": "a claim is hedged, which weakens it",
    "bad_date": "the release date is not written as 2024-05-30",
    "declared_too_low": "fewer capabilities are declared than described",
    "unknown_field": "a field of the open format is not known and was kept out",
}


@dataclass(frozen=True)
class Problem:
    """One finding of the validator; `code` is a key of ERRORS or WARNINGS."""

    level: Literal["error", "warning"]
    code: str
    message: str
    file: str
    line: int | None

    def as_error(self) -> SourceError:
        """The finding as an error that names file and line."""
        return SourceError(self.message, file=self.file, line=self.line, code=self.code)

    def as_line(self) -> str:
        """The finding in one line, with file and line."""
        return str(self.as_error())


@dataclass
class Findings:
    """What was found so far in one part of a file."""

    file: str
    problems: list[Problem] = field(default_factory=list)

    def error(self, code: str, at: Node | int | None, message: str) -> None:
        """Note an error at a node or line."""
        self.problems.append(Problem("error", code, message, self.file, at.line if isinstance(at, Node) else at))

    def warn(self, code: str, at: Node | int | None, message: str) -> None:
        """Note a warning at a node or line."""
        self.problems.append(Problem("warning", code, message, self.file, at.line if isinstance(at, Node) else at))

    @property
    def errors(self) -> list[Problem]:
        """The errors, in the order found."""
        return [problem for problem in self.problems if problem.level == "error"]

    @property
    def warnings(self) -> list[Problem]:
        """The warnings, in the order found."""
        return [problem for problem in self.problems if problem.level == "warning"]


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint, "(did you mean X?)" after a blank, for the known word nearest to this one; "" where none is near."""
    from rapidfuzz import process

    hit = process.extractOne(word[:100], list(known), score_cutoff=70)
    return f" (did you mean {hit[0]}?)" if hit else ""


def check_fields(node: Node, known: Collection[str], where: str, found: Findings) -> None:
    """Note every field of a mapping that is not known."""
    for name in node.fields or {}:
        if name not in known:
            hint = nearest(name, known)
            line = node.field_lines.get(name, node.line)
            found.error("unknown_field", line, f"{where} has no field {name[:80]!r}{hint}: correct or remove it")


def read_mapping(parent: Node, name: str, found: Findings) -> Node | None:
    """The mapping in a field; None where it is missing, or where it is none (an error is noted)."""
    node = parent.get(name)
    if node is None or node.fields is not None:
        return node
    found.error("bad_type", node, f"{name} must hold fields, such as {name}: {{…}}")
    return None


def read_items(parent: Node, name: str, found: Findings) -> tuple[Node, ...]:
    """The items of a list in a field; () where it is missing, or where it is none (an error is noted)."""
    node = parent.get(name)
    if node is None:
        return ()
    if node.items is None:
        found.error("bad_type", node, f"{name} must be a list")
        return ()
    return node.items


def read_line(parent: Node, name: str, found: Findings, most: int = LONGEST_LINE) -> str | None:
    """The text in a field, as written, without line breaks; None where it is missing or empty."""
    node = parent.get(name)
    return None if node is None else text_of(node, name, found, most)


def read_text_field(parent: Node, name: str, found: Findings) -> str | None:
    """A long text in a field; None where it is missing or empty."""
    return read_line(parent, name, found, LONGEST_TEXT)


def text_of(node: Node, name: str, found: Findings, most: int = LONGEST_LINE) -> str | None:
    """The text of a scalar, blanks and control characters joined to one blank each; None where it is empty."""
    if not node.is_scalar:
        found.error("bad_type", node, f"{name} must be a text")
        return None
    text = clean_text(node.raw)
    if len(text) > most:
        found.error("too_long", node, f"{name} has {len(text)} characters; at most {most} are allowed")
        return None
    return text or None


def clean_text(text: str) -> str:
    """A text in one line: runs of blanks, line breaks and control characters become one blank each."""
    return " ".join("".join(char if char.isprintable() or char in _JOINERS else " " for char in text).split())


def read_lines(parent: Node, name: str, found: Findings) -> tuple[str, ...]:
    """The texts of a list in a field, empty ones left out; a single text counts as a list of one."""
    node = parent.get(name)
    if node is None:
        return ()
    items = (node,) if node.is_scalar else node.items
    if items is None:
        found.error("bad_type", node, f"{name} must be a list of texts")
        return ()
    texts = (text_of(item, name, found) for item in items)
    return tuple(dict.fromkeys(text for text in texts if text))


def read_flag(parent: Node, name: str, found: Findings) -> bool | None:
    """A yes or no in a field; None where it is missing."""
    node = parent.get(name)
    if node is None or isinstance(node.value, bool):
        return node.value if node is not None and isinstance(node.value, bool) else None
    found.error("bad_type", node, f"{name} must be true or false")
    return None


def read_count(parent: Node, name: str, found: Findings, most: int = 2**53 - 1) -> int | None:
    """A count in a field: a whole number, or one with K, M, B or T; None where it is missing."""
    node = parent.get(name)
    if node is None:
        return None
    count = parse_count(node.value if node.is_scalar else None)
    if count is None or count > most:
        found.error("bad_count", node, f"{name} must be a whole number from 0 to {most:,}, such as 22713216 or 22.7M")
        return None
    return count


def parse_count(value: object) -> int | None:
    """A count from a number or a text such as "22.7M" or "1,200"; None where it is none.

    Examples
    --------
    >>> parse_count("5.6M"), parse_count("1,200"), parse_count(7), parse_count("many"), parse_count(1.5)
    (5600000, 1200, 7, None, None)
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if 0 <= value < 2**53 else None
    if isinstance(value, float):
        return int(value) if value.is_integer() and 0 <= value < 2**53 else None
    match = _COUNT.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        return None
    from decimal import Decimal

    scaled = Decimal(match[1].replace(",", "").replace("_", "")) * _SCALES[match[2].lower()]
    return int(scaled) if scaled == scaled.to_integral_value() and scaled < 2**53 else None


def read_address(parent: Node, name: str, found: Findings) -> str | None:
    """A web address in a field; None where it is missing."""
    text = read_line(parent, name, found)
    if text is not None and not re.fullmatch(r"https?://[^\s\"'<>\\]{1,490}", text):
        found.error("bad_url", parent.get(name), f"{name} must be an address that begins with https:// or http://")
        return None
    return text
