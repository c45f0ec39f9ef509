"""Claims from data inside a text: JSON or YAML fields, where the names of the fields say the metric."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from graph.claims import Scope
from graph.errors import SourceError
from indexer.claims.entities import datasets_in
from indexer.claims.metric_words import Named, metric_of_header
from indexer.claims.prose import Around, read_sentence
from indexer.claims.quantities import quantities
from indexer.claims.stated import Statement
from indexer.claims.tables import value_of

if TYPE_CHECKING:
    from indexer.sources.nodes import Node

_DATA_FIELDS: Final = ("dataset", "data", "datasets", "benchmark", "name")
_EMPTY: Final = re.compile(
    r"\W*(?:n/?a|none|null|not (?:provided|specified|available|applicable)|unknown)?\W*", re.IGNORECASE
)
_LOSS: Final = re.compile(r"\bloss\b", re.IGNORECASE)
_LONE: Final = re.compile(r"[~≈<>]?=?\s?[\d.,]+\s?[%A-Za-z]{0,8}(?:\s?(?:\+/-|±)\s?[\d.]+\s?%?)?\+?")


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


def _of_node(node: Node, path: tuple[str, ...], dataset: str | None, text: str, around: Around) -> Iterator[Statement]:
    if node.fields is not None:
        own = next(
            (child.raw for name, child in node.fields.items() if name.lower() in _DATA_FIELDS and child.raw), None
        )
        for name, child in node.fields.items():
            if name.lower() not in _DATA_FIELDS or not child.is_scalar:
                yield from _of_node(child, (*path, name), own or dataset, text, around)
    elif node.items is not None:
        for item in node.items:
            yield from _of_node(item, path, dataset, text, around)
    elif not _EMPTY.fullmatch(node.raw):
        yield from _of_value(node, path, dataset, text, around)


def _of_value(node: Node, path: tuple[str, ...], dataset: str | None, text: str, around: Around) -> Iterator[Statement]:
    """A lone number by the innermost name that is a metric's; anything longer is prose."""
    written = text[node.start : node.end]
    start = node.start + (1 if written[:1] in "\"'" else 0)
    if not _LONE.fullmatch(node.raw.strip()):
        yield from read_sentence(
            node.raw[:2_000], start, Around(around.names, dataset or around.dataset, around.passage)
        )
        return
    named = _metric(path)
    found = quantities(node.raw)
    value = value_of(named, found[0], " ".join(path)) if named is not None and found else None
    if named is None or not found:
        return
    if value is None and named.metric == "accuracy" and found[0].value > 100:
        named, value = Named("score", None, 0, 0), found[0].value
    if value is None or (named.metric in ("parameters", "flops") and value < 1_000):  # its scale is not printed
        return
    inner = path[-1].replace("_", " ")
    note = named.note or (inner if metric_of_header(inner) is None else None)
    own = next((name for _, _, name in datasets_in(inner)), None)
    quality = named.metric not in ("parameters", "flops", "size_bytes", "resolution", "labels", "dimensions")
    scope = Scope(dataset=(own or dataset) if quality else None, note=note)
    said: float | str = str(int(value)) if named.metric == "resolution" else value
    yield Statement(
        named.metric, said, start + found[0].start, start + found[0].end, f"{'. '.join(path)}: {node.raw}",
        found[0].comparator, scope,
    )  # fmt: skip


def _metric(path: tuple[str, ...]) -> Named | None:
    if _LOSS.search(path[-1].replace("_", " ")):
        return Named("score", path[-1].replace("_", " "), 0, 0)
    return next((named for name in reversed(path) if (named := metric_of_header(name.replace("_", " ")))), None)
