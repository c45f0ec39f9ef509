"""Catalogues, JSON Lines or CSV: one artifact a row, its own words kept as they are.

`{id, name, description, type?, task?, domain?, functionality?, library?, organization?, family?, params?, license?,
url?, variants?: [{name?, domain?, functionality?, description?}]}`, the format that `evaluate search` reads too.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final

from graph.artifacts import ARTIFACT_TYPES, Artifact, Capability, Source, Wording, slug_of
from graph.errors import SourceError
from graph.taxonomy import OTHER, full_task, task_of_label, task_words
from indexer.passages import Passage
from indexer.sources.csv_rows import SUFFIXES as CSV_SUFFIXES
from indexer.sources.csv_rows import CsvFile, open_csv
from indexer.sources.entry import CATALOGUE_ENTRY, Entry, rejected
from indexer.sources.field_map import check_columns, mapped, whole_map
from indexer.sources.findings import LONGEST_LINE, LONGEST_TEXT, clean_text, nearest, parse_count
from indexer.sources.lines import JsonLine, read_placed_lines, text_passages

FIELDS: Final = (
    "id", "name", "description", "type", "task", "domain", "functionality", "library", "organization", "family",
    "params", "license", "url", "variants",
)  # fmt: skip
CSV_FIELDS: Final = tuple(field for field in FIELDS if field != "variants")
MOST_VARIANTS: Final = 10_000
_LOOKED_AT: Final = 1_000
"""Lines of JSON in which the columns of a map are looked for."""
_MOST_SHOWN: Final = 20
_LINES: Final = ("library", "organization", "family", "license")


@dataclass(frozen=True)
class CatalogueRow:
    """A row with its 1-based line: its fields, or what is wrong with it, and the passages of its texts."""

    line: int
    fields: Mapping[str, Any] | SourceError
    passages: tuple[Passage, ...] = ()
    warnings: tuple[str, ...] = ()


def read_catalogue(path: Path, mapping: Mapping[str, str] | None = None) -> Iterator[Entry]:
    """One entry per row of a catalogue: JSON Lines, or CSV.

    A field that is not part of the format is kept out, with one warning a file. The second row of the same id is
    rejected.

    Parameters
    ----------
    path
        The file.
    mapping
        Column by field, where columns have other names than the fields.

    Raises
    ------
    SourceError
        The file itself cannot be read, is empty, or lacks a column of the map.
    """
    read = _csv_rows if path.suffix.lower() in CSV_SUFFIXES else _json_rows
    rows = read(path, mapping or {})
    first = next(rows, None)
    if first is None:
        raise SourceError("no row in it: write one artifact a line", file=str(path), code="empty")
    yield from catalogue_entries(chain([first], rows), str(path), "catalogue")


def _json_rows(path: Path, mapping: Mapping[str, str]) -> Iterator[CatalogueRow]:
    file = str(path)
    lines = read_placed_lines(path, file)
    if mapping:
        first = list(islice(lines, _LOOKED_AT))
        values = [line.value for line in first if not isinstance(line.value, SourceError)]
        columns = list(dict.fromkeys(name for value in values for name in value))
        check_columns(mapping, columns, file)
        mapping, lines = whole_map(mapping, columns, FIELDS), chain(first, lines)
        yield from _with_unmapped(_json_row(lines, file, mapping), columns, mapping, file)
    else:
        yield from _json_row(lines, file, {})


def _json_row(lines: Iterable[JsonLine], file: str, mapping: Mapping[str, str]) -> Iterator[CatalogueRow]:
    column = mapping.get("description", "description")
    for line in lines:
        if isinstance(line.value, SourceError):
            yield CatalogueRow(line.number, line.value)
        else:
            fields = mapped(line.value, mapping) if mapping else line.value
            yield CatalogueRow(line.number, fields, text_passages(line, column, file, "main"))


def _csv_rows(path: Path, mapping: Mapping[str, str]) -> Iterator[CatalogueRow]:
    table = open_csv(path)
    check_columns(mapping, table.columns, table.file)
    mapping = whole_map(mapping, table.columns, CSV_FIELDS)
    if "id" not in mapping:
        what = f"no column for id: say --map id=COLUMN; it has {', '.join(name[:40] for name in table.columns[:12])}"
        raise SourceError(what, file=table.file, line=1, code="unknown_column")
    yield from _with_unmapped(_csv_row(table, mapping), table.columns, mapping, table.file, table.warnings)


def _csv_row(table: CsvFile, mapping: Mapping[str, str]) -> Iterator[CatalogueRow]:
    described = table.columns.index(mapping["description"]) if "description" in mapping else None
    for row in table.rows():
        if isinstance(row, SourceError):
            yield CatalogueRow(row.line or 1, row)
            continue
        fields = mapped(dict(zip(table.columns, row.cells, strict=True)), mapping)
        said = described is not None and row.cells[described].strip()
        passages = (row.passage(described, table.file, "main"),) if said and described is not None else ()
        yield CatalogueRow(row.line, fields, passages)


def _with_unmapped(
    rows: Iterator[CatalogueRow], columns: Collection[str], mapping: Mapping[str, str], file: str,
    warnings: tuple[str, ...] = (),
) -> Iterator[CatalogueRow]:  # fmt: skip
    """The rows, the first with warnings about the file and the columns that are kept out."""
    unused = [name for name in columns if name not in mapping.values()]
    if unused:
        shown = ", ".join(name[:40] for name in unused[:_MOST_SHOWN]) + (", …" if len(unused) > _MOST_SHOWN else "")
        warnings = (*warnings, f"{file}: columns that are not mapped and were kept out: {shown}")
    for row in rows:
        yield replace(row, warnings=warnings)
        warnings = ()


def catalogue_entries(rows: Iterable[CatalogueRow], file: str, kind: str) -> Iterator[Entry]:
    """One entry per row; `kind` is the kind of source that the artifacts remember."""
    lines: dict[str, int] = {}
    warned: set[str] = set()
    for row in rows:
        if isinstance(row.fields, SourceError):
            yield replace(rejected(row.fields), warnings=row.warnings)
            continue
        try:
            artifact, warnings = artifact_of_row(row.fields, Source(kind=kind, file=file, line=row.line), warned)
            if artifact.id in lines:
                what = f"id {artifact.id[:80]!r} is in line {lines[artifact.id]} already: make one row of them"
                raise SourceError(what, file=file, line=row.line, code="duplicate_id")
        except SourceError as error:
            yield replace(rejected(error), warnings=row.warnings)
            continue
        lines[artifact.id] = row.line
        said = (*row.warnings, *(f"{file}:{row.line}: {text}" for text in warnings))
        yield Entry(artifact, CATALOGUE_ENTRY, 0, None, said, (), row.passages)


def artifact_of_row(row: Mapping[str, Any], source: Source, warned: set[str]) -> tuple[Artifact, list[str]]:
    """The artifact of a row with one capability, `main`, and what is odd about the row.

    `warned` holds the unknown fields that were warned about before, and takes those of this row.

    Raises
    ------
    SourceError
        A field is missing or of the wrong kind.
    """
    warnings = []
    for name in row:
        if name not in FIELDS and name not in warned:
            warned.add(name)
            warnings.append(f"field {name[:80]!r} is not part of a catalogue and was kept out, here and below")
    identity = _required(row, "id", source)
    main = _wording(row, source, warnings, _required(row, "name", source))
    variants = row.get("variants") or []
    if not isinstance(variants, list) or len(variants) > MOST_VARIANTS:
        raise _wrong("variants", f"a list of at most {MOST_VARIANTS} rows", source)
    wordings = []
    for variant in variants:
        if not isinstance(variant, Mapping):
            raise _wrong("variants", "a list of {name, domain, functionality, description}", source)
        wording = _wording(variant, source, warnings, main.name)
        if wording != main and wording not in wordings:
            wordings.append(wording)
    task = _task(row, main, source, warnings)
    name = main.functionality or ("" if task == OTHER else task_words(task)) or main.name
    capability = Capability(
        id="main", name=name, task=task, description=main.description, domain=main.domain,
        functionality=main.functionality, wordings=tuple(wordings),
    )  # fmt: skip
    artifact = Artifact(
        id=identity, slug=slug_of(identity), name=main.name, type=_type(row, source), description=main.description,
        **{key: _line(row, key, source, warnings) for key in _LINES}, url=_address(row, source, warnings),
        params=_params(row, source), capabilities=(capability,), source=source,
    )  # fmt: skip
    return artifact, warnings


def _wording(row: Mapping[str, Any], source: Source, warnings: list[str], name: str) -> Wording:
    return Wording(
        name=_line(row, "name", source, warnings) or name,
        domain=_line(row, "domain", source, warnings),
        functionality=_line(row, "functionality", source, warnings),
        description=_line(row, "description", source, warnings, LONGEST_TEXT) or "",
    )


def _required(row: Mapping[str, Any], name: str, source: Source) -> str:
    value = row.get(name)
    text = clean_text(value) if isinstance(value, str) else ""
    if not text or len(text) > LONGEST_LINE:
        raise _wrong(name, f"a text of 1 to {LONGEST_LINE} characters", source)
    return text


def _line(
    row: Mapping[str, Any], name: str, source: Source, warnings: list[str], most: int = LONGEST_LINE
) -> str | None:
    """The text of a field, a list of texts joined by ", "; None where it is missing; cut where it is too long."""
    value = row.get(name)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        value = ", ".join(value)
    if value is None:
        return None
    if not isinstance(value, str):
        raise _wrong(name, "a text", source)
    text = clean_text(value)
    if len(text) > most:
        warnings.append(f"{name} has {len(text)} characters and was cut after {most}")
    return text[:most].strip() or None


def _type(row: Mapping[str, Any], source: Source) -> Any:
    value = row.get("type")
    if value is None:
        return "model"
    if not isinstance(value, str) or value not in ARTIFACT_TYPES:
        hint = nearest(str(value), ARTIFACT_TYPES)
        what = f"type {str(value)[:80]!r} is not known{hint}: use one of {', '.join(ARTIFACT_TYPES)}"
        raise SourceError(what, file=source.file, line=source.line, code="unknown_type")
    return value


def _task(row: Mapping[str, Any], main: Wording, source: Source, warnings: list[str]) -> str:
    """The row's task; where it names none that is known, the task that its own labels name."""
    written = _line(row, "task", source, warnings)
    task = full_task(written) if written else None
    if written and task is None:
        warnings.append(f"task {written[:80]!r} is not known; its labels decide")
    return task or task_of_label(main.domain, main.functionality)


def _params(row: Mapping[str, Any], source: Source) -> int | None:
    value = row.get("params")
    count = parse_count(value)
    if value is not None and count is None:
        raise _wrong("params", "a whole number, or a text such as 22.7M", source)
    return count


def _address(row: Mapping[str, Any], source: Source, warnings: list[str]) -> str | None:
    text = _line(row, "url", source, warnings)
    if text is not None and not re.fullmatch(r"https?://[^\s\"'<>\\]{1,490}", text):
        warnings.append("url is no http(s) address and was kept out")
        return None
    return text


def _wrong(name: str, wanted: str, source: Source) -> SourceError:
    return SourceError(f"{name} must be {wanted}", file=source.file, line=source.line, code=f"bad_{name}")
