"""What became of each row of a log: accepted, skipped or rejected; the three add up to the rows."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from graph.errors import SourceError
from graph.event_responses import SkippedRows, UnknownName

MOST_PROBLEMS: Final = 1_000
"""Rejections that a report lists; it counts all."""
_EXAMPLES: Final = 3


class Tally:
    """The rows of an import, numbered over all its files."""

    def __init__(self) -> None:
        self._files: list[tuple[int, str]] = []
        self._lines = array("q")
        self._accepted: set[int] = set()
        self._skipped: dict[int, str] = {}
        self.rejected: Counter[str] = Counter()
        self.problems: list[SourceError] = []
        self._unknown: Counter[str] = Counter()
        self._first_unknown: dict[str, int] = {}

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self._lines)

    @property
    def accepted(self) -> int:
        """How many rows became events."""
        return len(self._accepted)

    def open(self, path: Path) -> None:
        """The rows that follow are of this file."""
        self._files.append((self.rows, str(path)))

    def add(self, line: int) -> int:
        """The number of a new row, which is in this line of its file."""
        self._lines.append(line)
        return self.rows - 1

    def place(self, row: int) -> tuple[str, int]:
        """File and line of a row."""
        file = next(file for first, file in reversed(self._files) if first <= row)
        return file, self._lines[row]

    def reject(self, problem: SourceError) -> None:
        """A row is wrong."""
        self.rejected[problem.code] += 1
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(problem)

    def accept(self, rows: Iterable[int]) -> None:
        """Rows became an event."""
        self._accepted.update(rows)

    def skip(self, rows: Iterable[int], reason: str) -> None:
        """Rows became none; the first reason stays, unless something else of the row is accepted."""
        for row in rows:
            self._skipped.setdefault(row, reason)

    def unknown(self, row: int, names: Iterable[str]) -> None:
        """An accepted row names artifacts that nobody knows."""
        for name in names:
            self._unknown[name] += 1
            self._first_unknown.setdefault(name, row)

    def skipped(self) -> tuple[SkippedRows, ...]:
        """The skipped rows by reason, the most first, with where the first ones are."""
        rows: dict[str, list[int]] = {}
        for row, reason in sorted(self._skipped.items()):
            if row not in self._accepted:
                rows.setdefault(reason, []).append(row)
        return tuple(
            SkippedRows(reason=reason, rows=len(each), examples=tuple(self._written(row) for row in each[:_EXAMPLES]))
            for reason, each in sorted(rows.items(), key=lambda item: (-len(item[1]), item[0]))
        )

    def unknown_names(self, limit: int) -> tuple[UnknownName, ...]:
        """The names that no artifact has and that most results had, with where each is first."""
        most = sorted(self._unknown.items(), key=lambda item: (-item[1], item[0]))[:limit]
        return tuple(UnknownName(name=name[:200], results=n, first=self._written(self._first_unknown[name]))
                     for name, n in most)  # fmt: skip

    @property
    def unknown_results(self) -> int:
        """How many results and clicks of accepted rows name no artifact."""
        return self._unknown.total()

    def _written(self, row: int) -> str:
        file, line = self.place(row)
        return f"{file}:{line}"
