"""Which column of a log holds what: by name where it is usual, by `--map FIELD=COLUMN` where it is not."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from graph.errors import QueryError

FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "time": ("time", "time_us", "timestamp", "ts", "datetime", "event_time", "created_at", "date", "@timestamp"),
    "event": ("event", "event_type", "event_name", "kind", "action", "type"),
    "query": ("query", "q", "search_query", "search_term", "term", "terms", "keywords", "text"),
    "actor": (
        "actor", "user", "user_id", "visitor", "visitor_id", "session", "session_id", "client_id", "anonymous_id", "ip",
    ),
    "search": ("search", "search_id", "root", "query_id", "qid", "request_id"),
    "artifact": (
        "artifact", "artifact_id", "item", "item_id", "model", "model_id", "tool", "url", "target", "href", "link",
        "clicked_url", "result", "doc_id",
    ),
    "results": ("results", "result_ids", "shown", "impressions", "items", "hits", "urls"),
    "clicked": ("clicked", "clicks", "click", "chosen", "is_click"),
    "outcome": ("outcome", "feedback"),
    "position": ("position", "rank", "pos"),
    "offset": ("offset", "start"),
    "abstained": ("abstained", "no_results", "zero_results"),
    "id": ("id", "event_id", "uuid"),
    "user_agent": ("user_agent", "useragent", "ua", "agent"),
    "bot": ("bot", "is_bot", "synthetic"),
    "operation": ("operation",),
    "partial": ("partial",),
    "count": ("count", "result_count", "results_count", "num_results", "n_results", "total_results"),
}  # fmt: skip
"""The fields that are read, and the columns that they are looked for in; the first that says something counts."""
_NOTHING: Final = frozenset({"null", "NULL", "None", "\\N", "-"})
"""How tables write that a cell holds nothing, apart from leaving it empty."""
_HUMPS: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class Columns:
    """Reads fields out of rows, and remembers which columns it found them in and which it passed over.

    Raises
    ------
    QueryError
        An entry of `given` is not FIELD=COLUMN, or its field is none of `FIELDS`.
    """

    def __init__(self, given: Sequence[str] = ()) -> None:
        self._given = dict(_read_entry(entry) for entry in given)
        self._plans: dict[tuple[str, ...], dict[str, tuple[str, ...]]] = {}
        self.found: Counter[tuple[str, str]] = Counter()

    def read(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The fields of a row that are there: neither null nor empty; an empty cell of results means that none were."""
        names = tuple(row)
        if names not in self._plans:
            self._plans[names] = self._plan(names)
        said = {}
        for field, columns in self._plans[names].items():
            for column in columns:
                value = _value(row, column)
                if _says_something(value) or (value == "" and field == "results"):
                    said[field] = value
                    self.found[field, column] += 1
                    break
        return said

    def _plan(self, names: Iterable[str]) -> dict[str, tuple[str, ...]]:
        usual = {plain_name(name): name for name in reversed(list(names))}
        plan = {field: tuple(usual[name] for name in columns if name in usual) for field, columns in FIELDS.items()}
        return plan | {field: (column,) if column else () for field, column in self._given.items()}

    @property
    def used(self) -> dict[str, str]:
        """The columns that each field was found in, joined by a comma where rows differ."""
        found: dict[str, list[str]] = {}
        for field, column in sorted(self.found):
            found.setdefault(field, []).append(column)
        return {field: ", ".join(found[field]) for field in FIELDS if field in found}

    @property
    def unused(self) -> tuple[str, ...]:
        """Columns that no field was read from, sorted."""
        used = {column.partition(".")[0] for _, column in self.found} | {column for _, column in self.found}
        return tuple(sorted({name for names in self._plans for name in names} - used))

    @property
    def missing(self) -> tuple[str, ...]:
        """Columns named by `--map` that no row had."""
        had = {column for _, column in self.found}
        return tuple(sorted(column for column in self._given.values() if column and column not in had))


def plain_name(name: str) -> str:
    """A column's name in snake case, so that `searchId`, `Search-ID` and `search id` are one.

    Examples
    --------
    >>> plain_name("searchId"), plain_name("User Agent")
    ('search_id', 'user_agent')
    """
    return re.sub(r"[\s-]+", "_", _HUMPS.sub("_", name.strip())).lower()


def _read_entry(entry: str) -> tuple[str, str]:
    field, sign, column = entry.partition("=")
    if not sign or field.strip() not in FIELDS:
        raise QueryError(f"--map {entry[:80]!r}: write FIELD=COLUMN, FIELD one of {', '.join(FIELDS)}")
    return field.strip(), column.strip()


def _says_something(value: Any) -> bool:
    return value is not None and value != "" and not (isinstance(value, str) and value in _NOTHING)


def _value(row: Mapping[str, Any], column: str) -> Any:
    """The value of a column, or at a dotted path below it."""
    if column in row:
        return row[column]
    value: Any = row
    for name in column.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
