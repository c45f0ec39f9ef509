"""Understanding a query: what is searched for, and what must hold of every result."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from graph.artifacts import ARTIFACT_TYPES, Artifact
from graph.constants import LIMIT_MAX, QUERY_MAX_CHARS
from graph.errors import QueryError
from graph.redact import redact

_NUMBER_FIELDS: Final = ("params", "downloads", "likes", "stars")
_TEXT_FIELDS: Final = ("type", "license", "library", "family", "organization", "maintainer", "task", "name", "free")
_SUFFIX: Final = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
_WHERE: Final = re.compile(r"\s*([a-z_]{1,40})\s*(<=|>=|!=|=|<|>|~)\s*(\S.{0,199})\s*", re.DOTALL | re.IGNORECASE)
_NUMBER: Final = re.compile(r"(\d{1,18}(?:\.\d{1,9})?)\s*([a-z]{0,3})", re.IGNORECASE)


@dataclass(frozen=True)
class Query:
    """A query ready to be searched: the redacted text, and what was done to it."""

    text: str
    redacted: tuple[str, ...]
    cut: bool


@dataclass(frozen=True)
class Where:
    """One condition `field op value` that every result satisfies as a known fact."""

    field: str
    op: str
    value: str | float

    def __str__(self) -> str:
        value = f"{self.value:g}" if isinstance(self.value, float) else self.value
        return f"{self.field}{self.op}{value}"


def read_query(text: str) -> Query:
    """The query, redacted, on one line, and cut to `QUERY_MAX_CHARS` characters.

    Raises
    ------
    QueryError
        There is no word in it.
    """
    bounded = text[: 5 * QUERY_MAX_CHARS]
    cleaned = redact(bounded)
    shortened = cleaned.text[:QUERY_MAX_CHARS]
    if not any(char.isalnum() for char in shortened):
        raise QueryError("the query is empty: say in a few words what the model or tool should do")
    return Query(shortened, cleaned.kinds, cut=len(cleaned.text) > QUERY_MAX_CHARS or len(text) > len(bounded))


def read_limits(limit: int, offset: int) -> None:
    """Check limit and offset.

    Raises
    ------
    QueryError
        `limit` is outside 1 to 100 or `offset` outside 0 to 10,000.
    """
    if not 1 <= limit <= LIMIT_MAX:
        raise QueryError(f"limit {limit}: give 1 to {LIMIT_MAX}")
    if not 0 <= offset <= 10_000:
        raise QueryError(f"offset {offset}: give 0 to 10000")


def read_where(conditions: Sequence[str], type_name: str | None = None) -> tuple[Where, ...]:
    """Conditions such as `params<10M` or `license=mit`, and the type as one more.

    Raises
    ------
    QueryError
        A condition, field, number or type is not understood.
    """
    found = [_read_condition(condition) for condition in conditions]
    if type_name is not None:
        found.append(_checked(Where("type", "=", type_name.strip().lower())))
    return tuple(found)


def _read_condition(condition: str) -> Where:
    match = _WHERE.fullmatch(condition)
    fields = ", ".join((*_NUMBER_FIELDS, *_TEXT_FIELDS))
    if match is None:
        raise QueryError(f"condition {condition[:80]!r}: write it as field, one of = != < <= > >= ~, value: params<10M")
    field, op, value = match[1].lower(), match[2], match[3].strip()
    if field in _NUMBER_FIELDS:
        if op == "~":
            raise QueryError(f"condition {condition!r}: ~ compares words, {field} is a number")
        return Where(field, op, read_number(value))
    if field not in _TEXT_FIELDS:
        raise QueryError(f"condition {condition!r}: no field {field!r}: choose from {fields}")
    if op not in ("=", "!=", "~"):
        raise QueryError(f"condition {condition!r}: {field} is a word: compare with =, != or ~")
    return _checked(Where(field, op, value.lower()))


def _checked(where: Where) -> Where:
    if where.field == "type" and where.op == "=" and where.value not in ARTIFACT_TYPES:
        raise QueryError(f"no type {where.value!r}: choose from {', '.join(ARTIFACT_TYPES)}")
    if where.field == "free" and where.value not in ("true", "false"):
        raise QueryError(f"condition free{where.op}{str(where.value)[:40]}: write free=true or free=false")
    return where


def read_number(text: str) -> float:
    """A number with an optional suffix: K, M, B are decimal, KiB, MiB, GiB binary.

    Raises
    ------
    QueryError
        It is not a number.
    """
    match = _NUMBER.fullmatch(text.strip().replace(",", ""))
    if match is None or match[2].lower() not in _SUFFIX:
        raise QueryError(f"number {text[:40]!r}: write it as 10M, 4.5B, 300K or 2GiB")
    return float(match[1]) * _SUFFIX[match[2].lower()]


def holds(where: Where, artifact: Artifact) -> bool | None:
    """Whether a condition holds of an artifact; None where the artifact's source does not say."""
    values = _values(where.field, artifact)
    if not values:
        return None
    return any(_compare(value, where) for value in values)


def _values(field: str, artifact: Artifact) -> list[str | float]:
    if field in ("downloads", "likes", "stars"):
        number = getattr(artifact.signals, field)
        return [] if number is None else [float(number)]
    if field == "params":
        return [] if artifact.params is None else [float(artifact.params)]
    if field == "task":
        return sorted({capability.task for capability in artifact.capabilities})
    if field == "free":
        return [] if artifact.pricing.free is None else ["true" if artifact.pricing.free else "false"]
    value = getattr(artifact, field)
    return [] if value is None else [str(value).lower()]


def _compare(value: str | float, where: Where) -> bool:
    wanted = where.value
    if isinstance(value, float) and isinstance(wanted, float):
        return {
            "=": value == wanted, "!=": value != wanted, "<": value < wanted,
            "<=": value <= wanted, ">": value > wanted, ">=": value >= wanted,
        }[where.op]  # fmt: skip
    text, sought = str(value), str(wanted)
    if where.op == "~":
        return sought in text
    equal = text == sought or (where.field == "task" and text.partition(".")[2] == sought)
    return equal if where.op == "=" else not equal
