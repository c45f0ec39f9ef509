"""Tables of measured results: one artifact per model, one claim per measured number, with its cell as its place.

A model that was measured at several input sizes has one row each: they are claims of one artifact under different
conditions, not several artifacts (docs/decisions/0026-measured-tables.md).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final

from graph.artifacts import Artifact, Capability, Source, slug_of
from graph.claims import Claim, Scope, Span, claim_id
from graph.errors import SourceError
from graph.metrics import METRICS
from graph.taxonomy import OTHER, task_words
from indexer.sources.csv_rows import CsvFile, CsvRow, open_csv
from indexer.sources.entry import MEASURED, Entry, rejected
from indexer.sources.findings import LONGEST_LINE, clean_text

MEASURED_TABLE: Final = "measured_table"
MOST_ROWS: Final = 1_000_000
_MODEL: Final = ("model", "modelname", "modelid", "checkpoint")
_SIZE: Final = ("imgsize", "imagesize", "inputsize", "resolution")
_DATASET: Final = ("dataset", "data", "benchmark")


@dataclass(frozen=True)
class Column:
    """What a column measures: metric, what is noted with it, and by what its numbers are multiplied."""

    index: int
    name: str
    metric: str
    note: str | None = None
    scale: int = 1


# The letters and digits of a column's name, lower case: metric, note, scale.
_NAMED: Final[dict[str, tuple[str, str | None, int]]] = {
    **dict.fromkeys(("top1", "acc1", "top1acc", "top1accuracy", "accuracytop1"), ("accuracy", "top-1", 1)),
    **dict.fromkeys(("top5", "acc5", "top5acc", "top5accuracy", "accuracytop5"), ("accuracy", "top-5", 1)),
    **dict.fromkeys(("accuracy", "acc"), ("accuracy", None, 1)),
    **dict.fromkeys(("paramcount", "params", "parameters", "nparams", "numparams"), ("parameters", None, 1)),
    **dict.fromkeys(("paramsm", "mparams", "paramcountm", "parametersm"), ("parameters", None, 10**6)),
    **dict.fromkeys(("gflops", "flopsg"), ("flops", None, 10**9)),
    **dict.fromkeys(("f1", "f1score"), ("f1", None, 1)),
    **dict.fromkeys(("miou", "meaniou"), ("mean_iou", None, 1)),
    **dict.fromkeys(("ap", "map", "averageprecision"), ("average_precision", None, 1)),
    **dict.fromkeys(("perplexity", "ppl"), ("perplexity", None, 1)),
    **dict.fromkeys(("wer", "errorrate"), ("error_rate", None, 1)),
}
_QUALITIES: Final = ("accuracy", "f1", "mean_iou", "average_precision", "perplexity", "error_rate")
_SETS: Final = {
    "imagenet": "ImageNet-1k", "imagenet1k": "ImageNet-1k", "imageneta": "ImageNet-A", "imagenetr": "ImageNet-R",
    "imagenetreal": "ImageNet-ReaL", "sketch": "ImageNet-Sketch",
    "imagenetv2matchedfrequency": "ImageNet-V2 matched-frequency",
}  # fmt: skip
_TABLE_NAME: Final = re.compile(r"^(?:results?|eval(?:uation)?|benchmarks?|scores?)[-_ ]+(.+)$", re.IGNORECASE)
_NUMBER: Final = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d{1,9})?|\d{1,15}(?:\.\d{1,9})?")
_MILLION: Final = 1_000_000


def is_eval_table(columns: tuple[str, ...]) -> bool:
    """True if columns name a model and how good it was."""
    measured = [column.metric for column in _columns(columns)]
    return _index(columns, _MODEL) is not None and any(metric in _QUALITIES for metric in measured)


def read_eval_table(path: Path) -> Iterator[Entry]:
    """One entry per model of a table of results, in the order of their first rows, and one per row that is rejected.

    Raises
    ------
    SourceError
        The file cannot be read, or has no column of models or none of results.
    """
    table = open_csv(path)
    if not is_eval_table(table.columns):
        what = f"no table of results: it needs a column `model` and one such as `top1`; it has {shown(table.columns)}"
        raise SourceError(what, file=table.file, line=1, code="not_an_eval_table")
    rows, problems = _rows(table)
    columns = [_scaled(column, rows) for column in _columns(table.columns)]
    warnings = table.warnings
    for problem in problems:
        yield rejected(problem)
    for name, group in _grouped(table, rows).items():
        try:
            artifact = _artifact(table, columns, name, group)
        except SourceError as error:
            yield rejected(error)
            continue
        yield Entry(artifact, MEASURED, 0, None, warnings)
        warnings = ()


def dataset_of_file(path: Path) -> str | None:
    """The data set that a table's file name names: "results-imagenet.csv" is of ImageNet-1k; None where it names none.

    Examples
    --------
    >>> dataset_of_file(Path("results-imagenet-real.csv")), dataset_of_file(Path("table.csv"))
    ('ImageNet-ReaL', None)
    """
    match = _TABLE_NAME.match(path.stem)
    word = match[1] if match else path.stem
    known = _SETS.get(_plain(word))
    return known or (clean_text(word)[:LONGEST_LINE] if match else None)


def shown(columns: tuple[str, ...]) -> str:
    """The names of columns for a message, at most a dozen."""
    return ", ".join(name[:40] for name in columns[:12]) + (", …" if len(columns) > 12 else "")


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _index(columns: tuple[str, ...], names: tuple[str, ...]) -> int | None:
    return next((number for number, column in enumerate(columns) if _plain(column) in names), None)


def _columns(columns: tuple[str, ...]) -> list[Column]:
    found = ((number, name, _NAMED.get(_plain(name))) for number, name in enumerate(columns))
    return [Column(number, name, *named) for number, name, named in found if named is not None]


def _rows(table: CsvFile) -> tuple[list[CsvRow], list[SourceError]]:
    """The rows that name a model, each model, set and size once; what is wrong with the others."""
    key = [_index(table.columns, names) for names in (_MODEL, _DATASET, _SIZE)]
    rows: list[CsvRow] = []
    problems: list[SourceError] = []
    seen: dict[tuple[str, ...], int] = {}
    for row in table.rows():
        if isinstance(row, SourceError):
            problems.append(row)
            continue
        about = tuple(clean_text(row.cells[index]) if index is not None else "" for index in key)
        if not about[0] or len(about[0]) > LONGEST_LINE:
            what = f"the model must be a text of 1 to {LONGEST_LINE} characters"
            problems.append(SourceError(what, file=table.file, line=row.line, code="bad_model"))
        elif about in seen:
            what = f"{about[0][:80]!r} is in line {seen[about]} already: keep one row"
            problems.append(SourceError(what, file=table.file, line=row.line, code="duplicate_id"))
        elif len(rows) >= MOST_ROWS:
            raise SourceError(
                f"more than {MOST_ROWS:,} rows: split it", file=table.file, line=row.line, code="too_large"
            )
        else:
            seen[about] = row.line
            rows.append(row)
    return rows, problems


def _grouped(table: CsvFile, rows: list[CsvRow]) -> dict[str, list[CsvRow]]:
    column = _index(table.columns, _MODEL)
    groups: dict[str, list[CsvRow]] = {}
    for row in rows:
        groups.setdefault(clean_text(row.cells[column or 0]), []).append(row)
    return groups


def _scaled(column: Column, rows: list[CsvRow]) -> Column:
    """The column with its scale: shares of 1 are percent, and parameters with a fraction are millions."""
    numbers = [number for row in rows if (number := _number(row.cells[column.index])) is not None]
    if column.metric == "parameters" and column.scale == 1:
        in_millions = bool(numbers) and (any(n % 1 for n in numbers) or max(numbers) < 100_000)
        return Column(column.index, column.name, column.metric, column.note, _MILLION if in_millions else 1)
    if METRICS[column.metric].unit == "percent" and numbers and max(numbers) <= 1:
        return Column(column.index, column.name, column.metric, column.note, 100)
    return column


def _number(cell: str) -> Decimal | None:
    text = cell.strip().removesuffix("%").strip()
    try:
        return Decimal(text.replace(",", "")) if _NUMBER.fullmatch(text) else None
    except InvalidOperation:
        return None


def _artifact(table: CsvFile, columns: list[Column], name: str, rows: list[CsvRow]) -> Artifact:
    varies = {column.index: len({row.cells[column.index] for row in rows}) > 1 for column in columns}
    claims: dict[str, Claim] = {}
    for row in rows:
        for column in columns:
            claim = _claim(table, column, name, row, sized=column.metric in _QUALITIES or varies[column.index])
            if claim is not None:
                claims.setdefault(claim.id, claim)
    if not claims:
        what = f"no number for {name[:80]!r} in {shown(tuple(column.name for column in columns))}"
        raise SourceError(what, file=table.file, line=rows[0].line, code="bad_value")
    params = {claim.value for claim in claims.values() if claim.metric == "parameters"}
    task = _task(table, claims)
    words = task_words(task) if task != OTHER else "measured model"
    family = name.partition(".")[0]
    return Artifact(
        id=name, slug=slug_of(name), name=name, family=family if family != name else None,
        params=round(float(params.pop() or 0)) if len(params) == 1 else None,
        capabilities=(Capability(id="main", name=words, task=task),), claims=tuple(claims.values()),
        source=Source(kind="eval_table", file=table.file, line=rows[0].line),
    )  # fmt: skip


def _task(table: CsvFile, claims: dict[str, Claim]) -> str:
    sets = {claim.conditions.dataset or "" for claim in claims.values()}
    return "vision.image-classification" if any(name.startswith("ImageNet") for name in sets) else OTHER


def _claim(table: CsvFile, column: Column, name: str, row: CsvRow, *, sized: bool) -> Claim | None:
    """The claim of a cell; None where it holds no number."""
    cell = row.cells[column.index].strip()
    number = _number(cell)
    if number is None:
        return None
    metric, value = METRICS[column.metric], float(number * column.scale)
    if metric.unit == "percent" and value > 100:
        return None
    scope = Scope(
        dataset=_dataset(table, row) if column.metric in _QUALITIES else None, note=column.note,
        size=_size(table, row) if sized else None,
    )  # fmt: skip
    start, end = row.place(column.index)
    letter = {_MILLION: "M", 10**9: "G", 100: " = " + f"{value:.12g}%"}.get(column.scale, "")
    return Claim(
        id=claim_id(name, "", metric.name, "=", value, metric.unit, scope), artifact=name, capability="main",
        metric=metric.name, value=value, unit=metric.unit, conditions=scope, text=f"{column.name} {cell}{letter}",
        span=Span(file=table.file, start=start, end=end), flags=(MEASURED_TABLE,),
    )  # fmt: skip


def _dataset(table: CsvFile, row: CsvRow) -> str | None:
    index = _index(table.columns, _DATASET)
    written = clean_text(row.cells[index])[:LONGEST_LINE] if index is not None else ""
    return _SETS.get(_plain(written), written) if written else dataset_of_file(table.path)


def _size(table: CsvFile, row: CsvRow) -> str | None:
    index = _index(table.columns, _SIZE)
    match = re.fullmatch(r"(\d{1,5})(?:\s?[x×]\s?(\d{1,5}))?", row.cells[index].strip()) if index is not None else None
    return f"{match[1]}x{match[2] or match[1]}" if match else None
