"""Labelled sets from files: CSV, parquet, or a folder of pictures by label. Whatever is wrong is one line."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from inference.data.columns import Rows, Where, kind_of
from inference.data.labelled import LARGEST_ITEMS, LARGEST_TEXT_CHARS, LabelledSet
from inference.data.pictures import read_pictures

if TYPE_CHECKING:
    from pyarrow import RecordBatch, Schema
    from pyarrow.parquet import ParquetFile

LARGEST_FILE_BYTES: Final = 1 << 30
_PARQUET_ROWS: Final = 1_024
"""Rows of a parquet file that are in memory as words at a time."""


def open_data(name: str, path: Path) -> LabelledSet:
    """The labelled set in a CSV file, a parquet file or a folder of pictures by label; the suffix may be left out.

    CSV and parquet have the columns `text` and `label`; or `prompt` and `label`; or `tokens` and `tags`, each
    separated by blanks; or `anchor`, `paraphrase` and `unrelated`; or `text` alone. A folder has one subfolder a label.

    Raises
    ------
    SourceError
        It cannot be read, lacks a column, is empty, has one label only, or is too large; with file and line.
    """
    beside = (path.with_name(path.name + suffix) for suffix in ("", ".csv", ".parquet"))
    path = next((file for file in beside if file.exists()), path)
    where = Where(name, str(path))
    if path.is_dir():
        return read_pictures(where, path)
    if not path.is_file():
        what = "not a regular file" if path.exists() else "no such file or folder"
        where.refuse(f"{what}: check what --data names", "unreadable")
    if path.stat().st_size > LARGEST_FILE_BYTES:
        where.refuse("larger than 1 GiB: take a part of it", "too_large")
    readers: dict[str, Callable[[Where, Path], LabelledSet]] = {".csv": _from_csv, ".parquet": _from_parquet}
    if path.suffix.lower() not in readers:
        where.refuse("neither .csv, .parquet nor a folder of pictures: save it as one of these", "unknown_format")
    return readers[path.suffix.lower()](where, path)


def _from_csv(where: Where, path: Path) -> LabelledSet:
    limit_before = csv.field_size_limit(LARGEST_TEXT_CHARS)
    line = 1
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.reader(stream, strict=True)
            header = next(reader, None)
            if header is None:
                where.refuse("empty file: it needs a header and rows", "empty")
            if any("\0" in column for column in header):
                where.refuse("NUL bytes: it may be UTF-16: save it as UTF-8", "encoding", 1)
            kind, columns = kind_of(where, [column.strip() for column in header])
            rows = Rows(where, kind, columns)
            places = [[column.strip() for column in header].index(column) for column in columns]
            for row in reader:
                line = reader.line_num
                if not row:
                    continue
                if len(row) != len(header):
                    where.refuse(f"{len(row)} fields where the header has {len(header)}", "malformed", line)
                rows.add([row[place] for place in places], line)
    except csv.Error as error:
        where.refuse(f"{error}: mend the file", "malformed", reader.line_num, error)
    except UnicodeDecodeError as error:
        where.refuse("not UTF-8: save it as UTF-8", "encoding", _first_bad_line(path), error)
    except OSError as error:
        where.refuse(f"{error.strerror}: check the file's rights", "unreadable", cause=error)
    finally:
        csv.field_size_limit(limit_before)  # the limit is the whole process's
    return rows.finish()


def _first_bad_line(path: Path) -> int | None:
    """The 1-based number of the first line that is not UTF-8."""
    with path.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                return number
    return None


def _from_parquet(where: Where, path: Path) -> LabelledSet:
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as table:
            kind, columns = kind_of(where, table.schema_arrow.names)
            _check_parquet(where, table, columns)
        # A dictionary stays one: a long text that is repeated by reference is never written out.
        with parquet.ParquetFile(path, read_dictionary=list(columns)) as table:
            rows = Rows(where, kind, columns)
            words = _class_names(table.schema_arrow)
            for number, row in enumerate(_parquet_rows(where, table, columns), 1):
                rows.add([words.get(column, {}).get(value, value) for column, value in
                          zip(columns, row, strict=True)], number)  # fmt: skip
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError, KeyError, MemoryError) as error:
        said = " ".join(str(error).split())[:160]
        where.refuse(f"not a parquet file that can be read: {said}: write it anew", "unreadable", cause=error)
    return rows.finish()


def _check_parquet(where: Where, table: ParquetFile, columns: tuple[str, ...]) -> None:
    """Refuse nested columns, too many rows, and too many bytes, by what the file says of itself."""
    from pyarrow import types

    for column in columns:
        kind: Any = table.schema_arrow.field(column).type
        value = kind.value_type if types.is_dictionary(kind) else kind
        words = types.is_string(value) or types.is_large_string(value) or types.is_string_view(value)
        if not (words or types.is_integer(value) or types.is_boolean(value)):
            what = f"the column {column!r} holds {str(value)[:40]}: only words and whole numbers are read"
            where.refuse(what, "malformed", 1)
    if table.metadata.num_rows > LARGEST_ITEMS:
        where.refuse(f"more than {LARGEST_ITEMS:,} items: take a part", "too_large")
    groups = [table.metadata.row_group(number) for number in range(table.metadata.num_row_groups)]
    if sum(group.total_byte_size for group in groups) > LARGEST_FILE_BYTES:
        where.refuse("more than 1 GiB when unpacked: take a part of it", "too_large")


def _parquet_rows(where: Where, table: ParquetFile, columns: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """All rows as words, in order; an absent value is a blank word."""
    for batch in table.iter_batches(batch_size=_PARQUET_ROWS, columns=list(columns)):
        listed = [_words(where, batch, column) for column in columns]
        yield from zip(*listed, strict=True)


def _words(where: Where, batch: RecordBatch, column: str) -> list[str]:
    """A column of a batch as words, after a look at how long the longest is."""
    import pyarrow.compute as compute

    values: Any = batch.column(column)
    distinct = values.dictionary if hasattr(values, "dictionary") else values
    if "string" in str(distinct.type) and len(distinct):
        longest = compute.max(compute.binary_length(distinct)).as_py() or 0
        if longest > 4 * LARGEST_TEXT_CHARS:  # four bytes a character at most
            what = f"{column!r} is longer than {LARGEST_TEXT_CHARS:,} characters in some row: cut it"
            where.refuse(what, "too_large")
    return ["" if value is None else str(value) for value in values.to_pylist()]


def _class_names(schema: Schema) -> dict[str, dict[str, str]]:
    """Names of numbered labels by column and number, where Hugging Face's `datasets` wrote them into the file."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        named = {column: part["names"] for column, part in features.items() if part.get("_type") == "ClassLabel"}
        return {column: {str(place): str(name) for place, name in enumerate(names)} for column, names in named.items()}
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError):  # nothing of the kind is there
        return {}
