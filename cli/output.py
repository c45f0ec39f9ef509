"""What the command line prints: data to standard output, messages and progress to standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from indexer.progress import Progress

WIDTH: Final = 80
"""Terminal tables fit this many columns."""
_PLAIN_EVERY_S: Final = 5.0


def print_json(document: Any) -> None:
    """One JSON document on standard output; takes a pydantic model or plain values."""
    import json

    from pydantic import BaseModel

    if isinstance(document, BaseModel):
        text = document.model_dump_json(indent=2)
    elif isinstance(document, list | tuple):
        plain = [d.model_dump(mode="json") if isinstance(d, BaseModel) else d for d in document]
        text = json.dumps(plain, indent=2, ensure_ascii=False)
    else:
        text = json.dumps(document, indent=2, ensure_ascii=False, default=str)
    sys.stdout.write(text + "\n")


def say(text: str = "") -> None:
    """A line of data on standard output, control characters made visible."""
    sys.stdout.write(clean(text) + "\n")


def say_wrapped(text: str, indent: int = 0) -> None:
    """Text on standard output, broken into lines of at most 80 columns."""
    import textwrap

    margin = " " * indent
    for line in textwrap.wrap(clean(text), WIDTH, initial_indent=margin, subsequent_indent=margin):
        say(line)


def note(text: str) -> None:
    """A message on standard error."""
    sys.stderr.write(clean(text) + "\n")
    sys.stderr.flush()


def clean(text: str) -> str:
    """Untrusted text for a terminal: control characters other than newline become U+FFFD."""
    return "".join(char if char == "\n" or char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def print_table(headers: Sequence[str], rows: Sequence[Sequence[object]], *, right: Sequence[int] = ()) -> None:
    """A table on standard output, at most 80 columns wide; long cells wrap.

    `right` names the columns that are aligned to the right, from 0.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for i, header in enumerate(headers):
        table.add_column(header, justify="right" if i in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(clean(show_value(value))) for value in row))
    Console(file=sys.stdout, width=WIDTH, highlight=False).print(table)


def show_value(value: object) -> str:
    """A value for people: unknown is "–", numbers carry at most four significant decimals."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.0f}" if value.is_integer() and abs(value) >= 1_000 else f"{value:.4g}"
    if isinstance(value, int):
        return f"{value:,}"
    return str(value)


def shorten(text: str, width: int, *, keep: bool = False) -> str:
    """The text on one line, cut with "…" where it is wider; `keep` leaves its blanks as they are."""
    line = text if keep else " ".join(text.split())
    return line if len(line) <= width else line[: width - 1].rstrip() + "…"


@contextmanager
def progress() -> Iterator[Callable[[Progress], None]]:
    """A function that hears progress: a bar a stage on a terminal, else a line every few seconds; on standard error."""
    if not sys.stderr.isatty():
        yield _plain_progress()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[left]}"))
    tasks: dict[str, TaskID] = {}
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:

        def tell(heard: Progress) -> None:
            if heard.stage not in tasks:
                tasks[heard.stage] = bars.add_task(clean(heard.stage), total=heard.total, left="")
            bars.update(tasks[heard.stage], completed=heard.done, total=heard.total, left=_left_words(heard))

        yield tell


def _left_words(heard: Progress) -> str:
    return "" if heard.left_s is None else f"about {seconds_words(heard.left_s)} left"


def day_words(time_us: int) -> str:
    """The day of a moment (microseconds since 1970), in UTC: "2026-11-28"."""
    from datetime import UTC, datetime, timedelta

    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time_us)).strftime("%Y-%m-%d")


def seconds_words(seconds: float) -> str:
    """Seconds for people: "8 s", "2 min 05 s", "1 h 02 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60:02} s" if whole < 3600 else f"{whole // 3600} h {whole // 60 % 60:02} min"


def _plain_progress() -> Callable[[Progress], None]:
    last = time.monotonic()

    def tell(heard: Progress) -> None:
        nonlocal last
        if time.monotonic() - last >= _PLAIN_EVERY_S:
            last = time.monotonic()
            of = "" if heard.total is None else f" of {heard.total}"
            left = _left_words(heard)
            note(f"{heard.stage}: {heard.done}{of}{left and f', {left}'}")

    return tell
