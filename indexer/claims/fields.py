"""Claims from data inside a text: JSON or YAML fields, where the names of the fields say the metric."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from graph.claims import Comparator, Scope
from graph.errors import SourceError
from indexer.claims.entities import Names, datasets_in
from indexer.claims.metric_words import Named, metric_of_header
from indexer.claims.prose import Around, read_sentence
from indexer.claims.quantities import Quantity, quantities
from indexer.claims.stated import Statement
from indexer.claims.tables import value_of

if TYPE_CHECKING:
    from indexer.sources.nodes import Node

_DATA_FIELDS: Final = ("dataset", "data", "datasets", "benchmark", "name")
_OF_THE_MODEL: Final = frozenset({"parameters", "flops", "size_bytes", "resolution", "labels", "dimensions"})
_EMPTY: Final = re.compile(
    r"\W*(?:n/?a|none|null|not (?:provided|specified|available|applicable)|unknown)?\W*", re.IGNORECASE
)
_LOSS: Final = re.compile(r"\bloss\b", re.IGNORECASE)
_NUMBER: Final = r"[~≈<>]?=?\s?[-−]?[\d.,]+\s?[%A-Za-z]{0,8}(?:\s?(?:\+/-|±)\s?[\d.]+\s?%?)?\+?"
_LONE: Final = re.compile(rf"{_NUMBER}(?:\s?(?:/|-|–|\bto\b)\s?{_NUMBER}){{0,3}}")
_SPREAD: Final = re.compile(r"\s?(?:\+/-|±).*")
_ON_SET: Final = re.compile(r"(?P<number>\d[\d.]{0,9}\s?%?) on (?P<set>[A-Za-z][\w ./-]{0,40}?)(?=,|;| and |$)")
_ON_SETS: Final = re.compile(
    rf"(?:{_ON_SET.pattern.replace('?P<number>', '?:').replace('?P<set>', '?:')}(?:[,;]? (?:and )?)?){{1,8}}"
)
_OWN_PERCENT: Final = re.compile(r"(?P<name>[A-Za-z][\w -]{0,20}?)\s?\(?%\)?")
"""A field with a metric of its own, in percent: "Miss%"."""
_UNIT_WORD: Final = re.compile(r"[\d.,%]\s?(?P<word>[A-Za-z]{2,8})\s*$")


def is_data(text: str) -> bool:
    """Whether a text is a JSON object or list."""
    stripped = text.strip()
    return stripped[:1] + stripped[-1:] in ("{}", "[]") and '"' in stripped


def read_fields(text: str, around: Around) -> Iterator[Statement] | None:
    """The statements of a JSON text, by the names of its fields; None where it is not well formed."""
    from indexer.sources.nodes import read_documents

    document = next(read_documents(text, "", is_json=True), None)
    if document is None or isinstance(document, SourceError):
        return None
    return _of_node(document, (), around.dataset, text, around)


def _of_node(
    node: Node, path: tuple[str, ...], dataset: str | None, text: str, around: Around, subject: str = ""
) -> Iterator[Statement]:
    if node.fields is not None:
        own = next(
            (child.raw for name, child in node.fields.items() if name.lower() in _DATA_FIELDS and child.raw), None
        )
        variants = _variants(node.fields, around.names)
        for name, child in node.fields.items():
            if name.lower() in _DATA_FIELDS and child.is_scalar:
                continue
            whose = name if name in variants and not around.names.is_exactly(name) else subject
            is_set = (
                bool(path) and path[-1].lower() in _DATA_FIELDS and not child.is_scalar and _metric((name,)) is None
            )
            yield from _of_node(child, (*path, name), name if is_set else own or dataset, text, around, whose)
    elif node.items is not None:
        for item in node.items:
            yield from _of_node(item, path, dataset, text, around, subject)
    elif not _EMPTY.fullmatch(node.raw):
        for statement in _of_value(node, path, dataset, text, around):
            yield replace(statement, subject=subject) if subject and not statement.subject else statement


def _variants(fields: Mapping[str, Node], names: Names) -> frozenset[str]:
    """The names of fields that are those of the artifact's siblings: they begin as its own, and hold fields."""
    found = [name for name, child in fields.items() if child.fields is not None and names.is_sibling(name)]
    return frozenset(found) if len(found) > 1 else frozenset()


def _of_value(node: Node, path: tuple[str, ...], dataset: str | None, text: str, around: Around) -> Iterator[Statement]:
    """A lone number, range or pair by the innermost name that is a metric's; anything longer is prose."""
    written = text[node.start : node.end]
    start = node.start + (1 if written[:1] in "\"'" else 0)
    if not _LONE.fullmatch(node.raw.strip()):
        yield from _of_words(
            node.raw[:2_000], start, path, Around(around.names, dataset or around.dataset, around.passage)
        )
        return
    unit = _UNIT_WORD.search(node.raw)
    named = (_metric_of_unit(unit["word"]) if unit is not None else None) or _metric(path)
    if named is None:
        return
    inner = path[-1].replace("_", " ")
    note = named.note or (inner if metric_of_header(inner) is None else None)
    own = next((name for _, _, name in datasets_in(inner)), None)
    scope = Scope(dataset=(own or dataset) if named.metric not in _OF_THE_MODEL else None, note=note)
    printed = quantities(_SPREAD.sub("", node.raw))
    both = _two_metrics(inner) if len(printed) == 2 and unit is None else None
    for number, found in enumerate(printed):
        named = both[number] if both is not None else named
        below_zero = re.fullmatch(r"\s*[-−]", node.raw[: found.start]) is not None
        for comparator, quantity in _ends(found):
            metric, value = _below_zero(named, quantity) if below_zero else _valued(named, quantity, " ".join(path))
            if value is None:
                continue
            said: float | str = str(int(value)) if metric == "resolution" else value
            place = (start + found.start - below_zero, start + found.end)
            yield Statement(metric, said, *place, f"{'. '.join(path)}: {node.raw}", comparator, scope)


def _of_words(text: str, start: int, path: tuple[str, ...], around: Around) -> Iterator[Statement]:
    """What a value in words says; "86.9% on SNLI, 78.9% on MultiNLI" takes its metric from the field's name."""
    said = list(read_sentence(text, start, around))
    named = _metric(path)
    if said or named is None or not _ON_SETS.fullmatch(text):
        yield from said
        return
    for part in _ON_SET.finditer(text):
        (found,) = quantities(part["number"])[:1] or (None,)
        value = value_of(named, found) if found is not None else None
        if value is not None:
            place = (start + part.start("number"), start + part.end("number"))
            scope = Scope(dataset=part["set"].strip(), note=named.note)
            yield Statement(named.metric, value, *place, f"{'. '.join(path)}: {text}", scope=scope)


def _two_metrics(name: str) -> tuple[Named, Named] | None:
    """The metrics of a name like "F1/EM"; None where it does not name two."""
    ends = re.search(r"([\w.@-]+)\s?/\s?([\w.@-]+)\s*$", name)
    first, second = (metric_of_header(ends[1]), metric_of_header(ends[2])) if ends is not None else (None, None)
    return (first, second) if first is not None and second is not None else None


def _metric_of_unit(word: str) -> Named | None:
    return Named("score", word, 0, 0) if word == "dB" else metric_of_header(word)


def _ends(found: Quantity) -> list[tuple[Comparator, Quantity]]:
    """A number with its comparator; of a range its two ends."""
    if found.low is None:
        return [(found.comparator, found)]
    return [(">=", replace(found, value=found.low, low=None)), ("up_to", replace(found, low=None))]


def _valued(named: Named, quantity: Quantity, heads: str) -> tuple[str, float | None]:
    """The metric and its value; None where the number cannot be one, or its scale is not printed."""
    value = value_of(named, quantity, heads)
    if value is None and named.metric == "accuracy" and quantity.value > 100:
        return "score", quantity.value
    if value is not None and named.metric in ("parameters", "flops") and value < 1_000:
        return named.metric, None
    return named.metric, value


def _below_zero(named: Named, quantity: Quantity) -> tuple[str, float | None]:
    """A number below zero can only be a score: a reward, a log-likelihood."""
    is_score = named.metric in ("score", "accuracy") and quantity.low is None
    return "score", -quantity.value if is_score else None


def _metric(path: tuple[str, ...]) -> Named | None:
    if _LOSS.search(path[-1].replace("_", " ")):
        return Named("score", path[-1].replace("_", " "), 0, 0)
    named = next((named for name in reversed(path) if (named := metric_of_header(name.replace("_", " ")))), None)
    own = _OWN_PERCENT.fullmatch(path[-1])
    if own is not None and named is not None and metric_of_header(path[-1].replace("_", " ")) is None:
        return Named("score", own["name"], 0, 0)
    return named
