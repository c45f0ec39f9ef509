"""Which column of a catalogue holds which field, where its columns have other names: `--map id=model_id,name=Title`."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from graph.errors import InputError, SourceError
from indexer.sources.findings import nearest


def parse_map(texts: Iterable[str], fields: Collection[str]) -> dict[str, str]:
    """Column by field, from texts such as "id=model_id,name=Title"; a column's name with a comma stands in quotes.

    Raises
    ------
    InputError
        A pair is malformed, a field is not known, or is given twice.
    """
    found: dict[str, str] = {}
    for text in texts:
        for pair in next(csv.reader([text], skipinitialspace=True), []):
            field, equals, column = (part.strip() for part in pair.partition("="))
            if not equals or not field or not column:
                raise InputError(f"--map {pair[:80]!r}: write field=column, such as id=model_id,name=Title")
            if field not in fields:
                hint = nearest(field, fields)
                raise InputError(f"--map: no field {field[:80]!r}{hint}: use {', '.join(fields)}")
            if field in found:
                raise InputError(f"--map: field {field} is given twice: keep one")
            found[field] = column
    return found


def check_columns(mapping: Mapping[str, str], columns: Collection[str], file: str) -> None:
    """Raise an error where a column of the map is not there; it names the nearest one.

    Raises
    ------
    SourceError
        A column is missing.
    """
    for field, column in mapping.items():
        if column not in columns:
            shown = ", ".join(name[:40] for name in list(columns)[:12]) + (", …" if len(columns) > 12 else "")
            shown = shown or "none: give a catalogue, in CSV or JSON Lines"
            what = f"no column {column[:80]!r} for {field}{nearest(column, columns)}: it has {shown}"
            raise SourceError(what, file=file, line=1, code="unknown_column")


def whole_map(mapping: Mapping[str, str], columns: Collection[str], fields: Collection[str]) -> dict[str, str]:
    """The map, and the columns that are called like a field that it does not name."""
    named = {name.lower(): name for name in columns}
    taken = set(mapping.values())
    return {**{f: named[f] for f in fields if f in named and named[f] not in taken}, **mapping}


def mapped(row: Mapping[str, Any], mapping: Mapping[str, str]) -> dict[str, Any]:
    """A row by the fields of a catalogue; what is empty is left out, and an id is a name where no other is given."""
    fields = {field: row[column] for field, column in mapping.items() if row.get(column) not in (None, "")}
    if "name" not in fields and "id" in fields:
        fields["name"] = fields["id"]
    return fields
