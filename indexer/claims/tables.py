"""Claims from tables: which header names the metric, and what the other one adds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from graph.claims import Scope
from indexer.claims.blocks import Cell, Table
from indexer.claims.conditions import only_format
from indexer.claims.entities import Names, datasets_in, names_in
from indexer.claims.metric_words import PERCENT, Named, metric_of_header
from indexer.claims.quantities import Quantity, quantities
from indexer.claims.stated import Statement

_SIZE: Final = re.compile(r"(?<![\w.])(\d{2,5})\s?[x×]\s?(\d{2,5})(?![\w.])")
_VALUE_HEADS: Final = re.compile(
    r"values?|result|score|number|original model|converted model|.{0,40}model", re.IGNORECASE
)
_SPREAD: Final = re.compile(r"\b(?:std|standard deviation|variance|spread)\b", re.IGNORECASE)
_LIKE_A_MODEL: Final = re.compile(r"[A-Za-z]{2}.*\d|[a-z][A-Z]|\w-\w")
_LARGEST_SHARE: Final = 1.0
_SCALED: Final = {"count": 1.0, "operations": 1.0, "bytes": 1.0, "seconds": 1.0, "throughput": 1.0}


def read_table(table: Table, names: Names, context: str) -> Iterator[Statement]:
    """The statements of a table, row by row.

    Parameters
    ----------
    table
        Header and rows.
    names
        The artifact's own names; a row named otherwise is about another artifact.
    context
        The words of its section before it, which may name the data set.
    """
    if _is_confusion(table):
        yield from _diagonal(table, context)
        return
    by_row = _metrics_stand_in_rows(table)
    section = next((name for _, _, name in reversed(datasets_in(context))), None)
    for row in table.rows:
        if not row:
            continue
        for place, cell in enumerate(row[1:], 1):
            column = table.header[place] if place < len(table.header) else Cell("", cell.start)
            head, other = (row[0], column) if by_row else (column, row[0])
            named = metric_of_header(head.text) or (metric_of_header(other.text) if by_row else None)
            if named is not None:
                yield from _of_cell(cell, named, head, other, names, section, by_row=by_row)


def _is_confusion(table: Table) -> bool:
    """Whether a table holds answers against truth: the same labels above and beside, at the same places."""
    columns = [cell.text.lower() for cell in table.header[1:]]
    rows = [row[0].text.lower() for row in table.rows if row]
    same = sum(column == row for column, row in zip(columns, rows, strict=False))
    return len(columns) == len(rows) >= 3 and same >= len(rows) - 1


def _diagonal(table: Table, context: str) -> Iterator[Statement]:
    """The shares of right answers of a table of answers against truth, in percent."""
    section = next((name for _, _, name in reversed(datasets_in(context))), None)
    for place, row in enumerate(table.rows, 1):
        if place < len(row) and (found := quantities(row[place].text)):
            value = value_of(Named("accuracy", None, 0, 0), found[0])
            start = row[place].start + found[0].start
            if value is not None:
                text, scope = f"{row[0].text} {row[place].text}", Scope(dataset=section, note=row[0].text[:100])
                yield Statement("accuracy", value, start, start + found[0].end - found[0].start, text, scope=scope)


def _metrics_stand_in_rows(table: Table) -> bool:
    """Whether the first column names the metrics, and not the header: whichever names more."""
    rows = sum(metric_of_header(row[0].text) is not None for row in table.rows if row)
    columns = sum(metric_of_header(cell.text) is not None for cell in table.header[1:])
    return rows > 0 and (columns == 0 or rows >= len(table.rows) / 2)


def _of_cell(
    cell: Cell, named: Named, head: Cell, other: Cell, names: Names, section: str | None, *, by_row: bool
) -> Iterator[Statement]:  # fmt: skip
    text = f"{head.text} {other.text} {cell.text}" if not by_row else f"{head.text} {cell.text}"
    if named.metric == "resolution":
        for size in _SIZE.finditer(cell.text):
            shown = f"{int(size[1])}x{int(size[2])}"
            yield Statement("resolution", shown, cell.start + size.start(), cell.start + size.end(), text)
        return
    subject = "" if by_row else _rival(other.text, names)
    if _SPREAD.search(other.text):
        return
    for quantity in quantities(cell.text)[:1]:
        value = value_of(named, quantity, head.text + " " + other.text)
        if value is None or cell.text[: quantity.start].strip(" ~<>≈≤≥(±"):
            continue
        yield Statement(
            named.metric, value, cell.start + quantity.start, cell.start + quantity.end, text, quantity.comparator,
            _scope(named, head, other, section, by_row=by_row), subject,
        )  # fmt: skip


def _scope(named: Named, head: Cell, other: Cell, section: str | None, *, by_row: bool) -> Scope:
    own = next((name for _, _, name in datasets_in(head.text)), None)
    note = ", ".join(filter(None, (named.note, other.text if by_row and not _is_plain_head(other.text) else None)))
    quality = named.metric in PERCENT or named.metric in ("score", "perplexity")
    beside = next((name for _, _, name in datasets_in(other.text)), None)
    return Scope(
        dataset=(own or beside or section) if quality else None,
        precision=only_format(f"{head.text} {other.text}"),
        note=note[:200] or None,
    )


def _is_plain_head(text: str) -> bool:
    return re.fullmatch(r"(?:values?|results?|scores?|)", text.strip(), re.IGNORECASE) is not None


def _rival(label: str, names: Names) -> str:
    """The name of a row that is another model's; "" for the artifact's own, or where the label is no name."""
    found = names_in(label)
    return (
        label[:100]
        if found and _LIKE_A_MODEL.search(label) and not names.is_own(label) and not names.is_own(found[0][2])
        else ""
    )


def value_of(named: Named, quantity: Quantity, heads: str = "") -> float | None:
    """A printed number in the unit of its metric; None where its own unit is another's.

    A share of at most 1 without a percent sign is percent times a hundred. A plain number takes the header's factor.
    """
    metric = named.metric
    if metric in PERCENT:
        if quantity.unit == "percent":
            return quantity.value
        if quantity.unit != "plain":
            return None
        is_share = quantity.value <= _LARGEST_SHARE and "%" not in heads
        value = quantity.value * 100 if is_share else quantity.value
        return round(value, 10) if value <= 100 else None
    if metric in ("score", "perplexity"):
        return quantity.value if quantity.unit in ("plain", "percent", "points") else None
    expected = {"parameters": "count", "flops": "operations", "size_bytes": "bytes", "memory_bytes": "bytes",
                "latency_s": "seconds", "throughput": "throughput"}.get(metric)  # fmt: skip
    if quantity.unit == expected:
        return quantity.value
    if metric == "flops" and quantity.unit == "count":
        return quantity.value
    if quantity.unit != "plain":
        return None
    return float(Decimal(quantity.digits.replace(",", "")) * Decimal(repr(named.factor)))
