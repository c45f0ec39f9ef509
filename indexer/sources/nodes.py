"""YAML and JSON as a tree that knows its lines: no objects are built, and size, depth and aliases are bounded."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import yaml

from graph.errors import SourceError

LARGEST_FILE_BYTES: Final = 2_000_000
DEEPEST: Final = 30
MOST_NODES: Final = 100_000
"""Counted after aliases are followed, so that a small file cannot unfold into a large tree."""
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG: Final = "tag:yaml.org,2002:"
_PLAIN_TAGS: Final = frozenset(
    _TAG + name for name in ("str", "int", "float", "bool", "null", "timestamp", "value", "map", "seq")
)
_INTEGER: Final = re.compile(r"[-+]?(?:0|[1-9][0-9_]{0,40})")
_SAVED: Final = len(r"\ud83d\ude00") - len(r"\U0001f600")
"""Characters by which a surrogate pair is longer than what it is read as."""
_SURROGATES: Final = re.compile(r"\\u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})", re.IGNORECASE)

Scalar = str | int | float | bool | None


@dataclass(frozen=True)
class Node:
    """A value with its place: 1-based line, and character offsets [start, end) in the file.

    A mapping has `fields`, a list has `items`, anything else has a `value` and the text `raw` as written.
    """

    line: int
    start: int
    end: int
    value: Scalar = None
    raw: str = ""
    fields: dict[str, Node] | None = None
    items: tuple[Node, ...] | None = None
    field_lines: dict[str, int] = field(default_factory=dict)

    @property
    def is_scalar(self) -> bool:
        """True for a text, number, truth value or nothing."""
        return self.fields is None and self.items is None

    @property
    def is_empty(self) -> bool:
        """True for a null or an empty text."""
        return self.is_scalar and (self.value is None or self.raw.strip() == "")

    def get(self, name: str) -> Node | None:
        """The field of this name, or None where it is missing or null."""
        found = (self.fields or {}).get(name)
        return None if found is None or (found.is_scalar and found.value is None) else found


def read_text(path: Path, file: str) -> str:
    """The text of a small file in UTF-8.

    Raises
    ------
    SourceError
        It cannot be read, is too large or is not UTF-8.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(LARGEST_FILE_BYTES + 1)
    except OSError as error:
        raise SourceError(f"{error.strerror or error}: give a readable file", file=file) from error
    if len(data) > LARGEST_FILE_BYTES:
        raise SourceError(f"larger than {LARGEST_FILE_BYTES} bytes: split it", file=file, code="too_large")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise SourceError("not UTF-8: save it as UTF-8", file=file, line=line, code="not_utf8") from error


def read_documents(text: str, file: str, *, is_json: bool = False) -> Iterator[Node | SourceError]:
    """The documents of a YAML text (a JSON text has one), in order; a malformed one is given as its error.

    After a syntax error nothing more can be read, so that error is the last thing given.
    """
    pairs: list[int] = []
    if is_json:
        # A tab is blank space in JSON and an error in YAML; YAML has no surrogate pairs.
        pairs = [match.end() for match in _SURROGATES.finditer(text)]
        text = _SURROGATES.sub(_joined_surrogates, text.replace("\t", " "))
    try:
        _check_bounds(text, file)
        for root in yaml.compose_all(text, Loader=_LOADER):
            if root is not None:
                document = _document(root, file)
                yield document if isinstance(document, SourceError) else _as_in_file(document, pairs)
    except SourceError as error:
        yield error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        what = getattr(error, "problem", None) or getattr(error, "reason", None) or "malformed"
        line = min(mark.line, text.count("\n")) + 1 if mark else _line_of_position(error, text)
        kind = "JSON" if is_json else "YAML"
        yield SourceError(f"not valid {kind}: {what}", file=file, line=line, code="syntax")
    except (RecursionError, ValueError) as error:  # ValueError: an escape beyond Unicode
        yield SourceError(f"not valid YAML: {error}", file=file, code="syntax")


def has_aliases(text: str) -> bool:
    """True if a YAML text uses aliases; a text with a syntax error counts as one that does."""
    try:
        return any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=_LOADER))
    except yaml.YAMLError:
        return True


def _as_in_file(node: Node, pairs: list[int]) -> Node:
    """The tree with offsets in the file, where a surrogate pair (they end at `pairs`) is two characters longer."""
    if not pairs:
        return node
    read = [end - _SAVED * number for number, end in enumerate(pairs, 1)]

    def moved(node: Node) -> Node:
        fields = {name: moved(child) for name, child in node.fields.items()} if node.fields is not None else None
        items = tuple(map(moved, node.items)) if node.items is not None else None
        start, end = (place + _SAVED * bisect_right(read, place) for place in (node.start, node.end))
        return replace(node, start=start, end=end, fields=fields, items=items)

    return moved(node)


def _joined_surrogates(pair: re.Match[str]) -> str:
    high, low = int(pair[1], 16), int(pair[2], 16)
    return f"\\U{0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00):08x}"


def _line_of_position(error: yaml.YAMLError, text: str) -> int | None:
    position = getattr(error, "position", None)
    return text.count("\n", 0, position) + 1 if isinstance(position, int) else None


def _check_bounds(text: str, file: str) -> None:
    """Refuse what is too deep or too large before a tree is built; syntax errors are left to the reader proper."""
    depth, count = 0, 0
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            count += 1
            if depth > DEEPEST or count > 2 * MOST_NODES:
                what = f"nested deeper than {DEEPEST}" if depth > DEEPEST else f"more than {MOST_NODES} values"
                line = event.start_mark.line + 1 if event.start_mark else None
                raise SourceError(f"{what}: simplify it", file=file, line=line, code="too_large")
    except yaml.YAMLError:
        return


def _document(root: yaml.Node, file: str) -> Node | SourceError:
    budget = [MOST_NODES]
    try:
        return _convert(root, file, budget, 0)
    except SourceError as error:
        return error


def _convert(node: yaml.Node, file: str, budget: list[int], depth: int) -> Node:
    line, start, end = node.start_mark.line + 1, node.start_mark.index, node.end_mark.index
    budget[0] -= 1
    if budget[0] < 0 or depth > DEEPEST:
        raise SourceError("its aliases unfold into too much: write it out", file=file, line=line, code="too_large")
    if node.tag not in _PLAIN_TAGS:
        raise SourceError(f"tag {node.tag[-80:]!r} is not read: use plain values", file=file, line=line, code="bad_tag")
    if isinstance(node, yaml.SequenceNode):
        items = tuple(_convert(item, file, budget, depth + 1) for item in node.value)
        return Node(line, start, end, items=items)
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, file, budget, depth)
    return Node(line, start, end, _scalar(node.tag, node.value), node.value)


def _mapping(node: yaml.MappingNode, file: str, budget: list[int], depth: int) -> Node:
    fields: dict[str, Node] = {}
    lines: dict[str, int] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise SourceError("a field's name must be a word", file=file, line=line, code="bad_field")
        if key.value in fields:
            what = f"field {key.value[:80]!r} is given twice (first in line {lines[key.value]}): keep one"
            raise SourceError(what, file=file, line=line, code="duplicate_field")
        fields[key.value], lines[key.value] = _convert(value, file, budget, depth + 1), line
    return Node(node.start_mark.line + 1, node.start_mark.index, node.end_mark.index, fields=fields, field_lines=lines)


def _scalar(tag: str, raw: str) -> Scalar:
    """The value of a scalar; what YAML 1.1 reads oddly (dates, 1:30 as 90, 010 as 8) stays the text as written."""
    kind = tag.removeprefix(_TAG)
    if kind == "null":
        return None
    if kind == "bool":
        return raw.lower() in ("true", "yes", "on")
    if kind == "int" and _INTEGER.fullmatch(raw):
        return int(raw.replace("_", ""))
    if kind == "float" and ":" not in raw:
        return _float(raw)
    return raw


def _float(raw: str) -> float | str:
    lowered = raw.lower().replace("_", "")
    if lowered.lstrip("+-") in (".inf", ".nan"):
        return math.nan if "nan" in lowered else math.inf
    try:
        return float(lowered)
    except ValueError:
        return raw
