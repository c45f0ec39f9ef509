"""The answer of `evaluate models` for people: cells of its tables, and a markdown report to keep."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cli.output import clean, shorten, show_value
from graph.errors import InputError
from graph.model_comparison import ComparedModel, ComparedPair, EvaluateModelsResponse

_MARKDOWN: Final = re.compile(r"([\\\\|`<>*])")
_LONGEST_CELL: Final = 1_000
"""Characters of a name or a reason in the report; --json has all."""


def about_data(answer: EvaluateModelsResponse) -> str:
    """A sentence on the items that were asked."""
    data = answer.data
    part = f"{data.items} of {data.of_items} items (seed {data.seed})" if data.items < data.of_items else ""
    labels = f", {len(data.labels)} labels" if data.labels else ""
    guess = ""
    if data.majority_label:
        guess = f"; guessing {shorten(data.majority_label, 60)!r} gets {100 * data.majority:.2f} %"
    return f"{data.name}: {part or f'{data.items} items'}{labels}, labels declared by {data.declared_by}{guess}"


def model_headers(answer: EvaluateModelsResponse) -> list[str]:
    """Headers of the models' table."""
    score = f"{answer.metric} %" if answer.unit == "percent" else answer.metric
    return ["model", score, "95 %", "F1 %", "ms/item", "load s", "MB", "params"]


def model_row(model: ComparedModel) -> list[str]:
    """A model's cells, in the order of the headers."""
    interval = model.interval
    return [
        model.name,
        _number(model.score, 2),
        f"{interval.low:.3g}-{interval.high:.3g}" if interval is not None else "–",
        _number(model.f1, 2),
        _number(model.seconds_per_item and 1_000 * model.seconds_per_item, 1),
        _number(model.load_s, 2),
        _number(model.size_bytes and model.size_bytes / 1e6, 1),
        _count(model.parameters),
    ]


def pair_headers(answer: EvaluateModelsResponse) -> list[str]:
    """Headers of the pairs' table; the level is that of each interval."""
    return ["pair", "difference", f"{100 * answer.pair_level:.4g} %", "only 1st/2nd", "McNemar p"]


def pair_row(pair: ComparedPair) -> list[str]:
    """A pair's cells, in the order of the headers; p is adjusted by Holm and decides nothing."""
    only = f"{pair.only_first}/{pair.only_second}" if pair.only_first is not None else "–"
    return [
        f"{pair.first} − {pair.second}",
        f"{pair.difference:+.2f}",
        f"{pair.interval.low:+.2f} to {pair.interval.high:+.2f}",
        only,
        f"{pair.p_holm:.2g}" if pair.p_holm is not None else "–",
    ]


def write_report(answer: EvaluateModelsResponse, file: Path) -> None:
    """Write the answer as markdown.

    Raises
    ------
    InputError
        The file cannot be written.
    """
    try:
        file.write_text(report_text(answer), encoding="utf-8")
    except OSError as error:
        raise InputError(f"--report {file}: {error.strerror or error}: name a file that can be written") from error


def report_text(answer: EvaluateModelsResponse) -> str:
    """The answer as markdown: the sentence, both tables, what failed, and how to repeat it."""
    measured = [model for model in answer.models if model.score is not None]
    parts = [f"# Models on {_cell(answer.data.name)}", f"**{_cell(answer.verdict)}.**", f"{_cell(about_data(answer))}."]
    parts += [f"- {_cell(warning)}" for warning in answer.data.warnings]
    if measured:
        parts.append(_table(model_headers(answer), [model_row(model) for model in measured]))
    if answer.pairs:
        parts.append(_table(pair_headers(answer), [pair_row(pair) for pair in answer.pairs]))
        parts.append(
            f"Each interval has the level {100 * answer.pair_level:.4g} %, so that all hold together at "
            f"{100 * answer.level:g} % (Bonferroni). A model is ahead where the interval excludes 0. "
            "McNemar's p (exact, Holm-adjusted) is for information."
        )
    failed = [model for model in answer.models if model.score is None]
    parts += [f"- {_cell(model.name)}: {model.reason_code}: {_cell(model.reason)}" for model in failed]
    parts.append(f"Data digest `{answer.data.digest}`. Times are of one run on this machine ({answer.device}).")
    parts.append(f"    {clean(' '.join(answer.repeat.split()))}")
    return "\n\n".join(parts) + "\n"


def _table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [" | ".join(map(_cell, row)) for row in (headers, *rows)]
    rule = "|".join(" --- " for _ in headers)
    return "\n".join(f"| {line} |" for line in lines[:1]) + f"\n|{rule}|\n" + "\n".join(f"| {x} |" for x in lines[1:])


def _cell(text: str) -> str:
    """Untrusted text on one line, with what markdown would take for a cell's end, code, a tag or a link escaped."""
    line = _MARKDOWN.sub(r"\\\1", clean(" ".join(text.split())))
    return shorten(line.replace("](", "]\\("), _LONGEST_CELL)


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _count(value: int | None) -> str:
    if value is None:
        return "–"
    for unit, size in (("B", 10**9), ("M", 10**6), ("k", 10**3)):
        if value >= size:
            return f"{value / size:.3g}{unit}"
    return show_value(value)
