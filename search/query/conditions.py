"""Conditions `field op value`: read, checked against each other, and held against facts."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from graph.artifacts import ARTIFACT_TYPES, Artifact
from graph.errors import QueryError
from search.query.fields import FIELDS, Candidate, Value, modality, values_of
from search.query.words import licence_id, squeezed, word_runs

_SUFFIX: Final = {
    "": 1, "k": 10**3, "m": 10**6, "b": 10**9, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12,
    "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40, "s": 1, "ms": 1e-3, "us": 1e-6,
}  # fmt: skip
_WHERE: Final = re.compile(
    r"\s*([a-z_0-9]{1,40})(?:@([\w.-]{1,80}))?\s*(<=|>=|!=|=|<|>|~)\s*(\S.{0,199})\s*", re.DOTALL | re.IGNORECASE
)
_NUMBER: Final = re.compile(r"(\d{1,18}(?:\.\d{1,9})?)\s*([a-z]{0,3}|%)", re.IGNORECASE)
_DATE: Final = re.compile(r"\d{4}(?:-\d{2}){0,2}")
_ALIASES: Final = {
    "licence": "license", "parameters": "params", "organisation": "organization", "publisher": "organization",
    "size_bytes": "size", "latency_s": "latency", "memory_bytes": "memory", "org": "organization", "tags": "tag",
}  # fmt: skip
_SAME_AS: Final[dict[str, Callable[[str], str]]] = {
    "license": licence_id, "input": modality, "output": modality, "word": squeezed,
}  # fmt: skip
_ONE_VALUE: Final = frozenset({"type", "license", "library", "family", "organization", "maintainer", "id"})
"""Word fields of which an artifact has at most one value, so that two different ones contradict."""
_COMPARE: Final[dict[str, Callable[[float, float], bool]]] = {
    "=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


@dataclass(frozen=True)
class Where:
    """One condition `field op value` that every result satisfies as a known fact.

    `dataset` narrows a metric's field to one data set: `accuracy@imagenet>=80`.
    """

    field: str
    op: str
    value: str | float
    dataset: str = ""

    def __str__(self) -> str:
        value = repr(self.value).removesuffix(".0") if isinstance(self.value, float) else self.value
        return f"{self.field}{'@' if self.dataset else ''}{self.dataset}{self.op}{value}"


def read_where(conditions: Sequence[str], type_name: str | None = None) -> tuple[Where, ...]:
    """Conditions such as `params<10M` or `license=mit`, and the type as one more.

    Raises
    ------
    QueryError
        A condition, field, number or type is not understood.
    """
    found = [read_condition(condition) for condition in conditions]
    if type_name is not None:
        found.append(_checked(Where("type", "=", type_name.strip().lower())))
    return tuple(found)


def read_condition(condition: str) -> Where:
    """One condition.

    Raises
    ------
    QueryError
        Its form, field, operator or value is not understood; says what to write.
    """
    match = _WHERE.fullmatch(condition)
    if match is None:
        raise QueryError(f"condition {condition[:80]!r}: write it as field, one of = != < <= > >= ~, value: params<10M")
    name, op, value = match[1].lower(), match[3], match[4].strip()
    name, dataset = _ALIASES.get(name, name), (match[2] or "").lower()
    if name not in FIELDS:
        raise QueryError(f"condition {condition[:80]!r}: no field {name!r}: choose from {', '.join(FIELDS)}")
    kind = FIELDS[name].kind
    if dataset and kind != "number":
        raise QueryError(f"condition {condition[:80]!r}: only a metric is measured on a data set, {name} is none")
    if kind == "number":
        if op == "~":
            raise QueryError(f"condition {condition[:80]!r}: ~ compares words, {name} is a number")
        return Where(name, op, read_number(value), dataset)
    if kind == "date" and not _DATE.fullmatch(value):
        raise QueryError(f"condition {condition[:80]!r}: write a date as 2024, 2024-06 or 2024-06-30")
    if kind != "date" and op not in ("=", "!=", "~"):
        raise QueryError(f"condition {condition[:80]!r}: {name} is a word: compare with =, != or ~")
    same = _SAME_AS.get(name, str) if op != "~" else str
    return _checked(Where(name, op, same(value.lower())))


def _checked(where: Where) -> Where:
    if where.field == "type" and where.op == "=" and where.value not in ARTIFACT_TYPES:
        raise QueryError(f"no type {where.value!r}: choose from {', '.join(ARTIFACT_TYPES)}")
    if FIELDS[where.field].kind == "flag" and (where.value not in ("true", "false") or where.op == "~"):
        name = where.field
        raise QueryError(f"condition {name}{where.op}{str(where.value)[:40]}: write {name}=true or {name}=false")
    return where


def read_number(text: str) -> float:
    """A number with an optional suffix: K, M, B are decimal, KiB, MiB, GiB binary, ms are thousandths of a second.

    Raises
    ------
    QueryError
        It is not a number.
    """
    match = _NUMBER.fullmatch(text.strip().replace(",", ""))
    suffix = match[2].lower().rstrip("%") if match else ""
    if match is None or suffix not in _SUFFIX:
        raise QueryError(f"number {text[:40]!r}: write it as 10M, 4.5B, 300K or 2GiB")
    return float(match[1]) * _SUFFIX[suffix]


def holds(where: Where, artifact: Artifact | Candidate) -> bool | None:
    """Whether a condition holds of an artifact; None where nobody knows.

    It holds where one of the known values satisfies it; `!=` where all of them do.
    """
    candidate = artifact if isinstance(artifact, Candidate) else Candidate(artifact)
    values = values_of(where.field, where.dataset, candidate)
    if not values:
        return None
    answers = (_compare(value, where) for value in values)
    return all(answers) if where.op == "!=" else any(answers)


def _compare(value: Value, where: Where) -> bool:
    wanted = where.value
    if isinstance(value, float) and isinstance(wanted, float):
        return _COMPARE[where.op](value, wanted)
    text, sought = str(value), str(wanted)
    if where.op == "~":
        return sought in text
    if FIELDS[where.field].kind == "date":
        return _compare_dates(text, where.op, sought)
    return _is_same(where.field, text, sought) is (where.op == "=")


def _is_same(field: str, value: str, sought: str) -> bool:
    """Whether a word is the one that is asked for: a task with or without its domain, a library by a whole word."""
    if field == "task":
        return sought.replace(" ", "-") in (value, value.partition(".")[2])
    if field == "library":
        return squeezed(sought) in word_runs(value)
    return value == sought or squeezed(value) == squeezed(sought) != ""


def _compare_dates(value: str, op: str, wanted: str) -> bool:
    """Dates are compared as far as both go: 2024-06-30 is in 2024, and neither before nor after it."""
    length = min(len(value), len(wanted))
    one, other = value[:length], wanted[:length]
    return {"=": one == other, "!=": one != other, "<": one < other, ">": one > other,
            "<=": one <= other, ">=": one >= other}[op]  # fmt: skip


def contradiction(conditions: Sequence[Where]) -> tuple[Where, Where] | None:
    """Two conditions that no artifact can satisfy together; None where there are none.

    Only of fields with one value: of several accuracies, one may be above and another below.
    """
    for place, one in enumerate(conditions):
        for other in conditions[place + 1 :]:
            if (one.field, one.dataset) == (other.field, other.dataset) and _contradict(one, other):
                return one, other
    return None


def _contradict(one: Where, other: Where) -> bool:
    kind = FIELDS[one.field].kind
    if kind == "number" and one.field in ("params", "downloads", "likes", "stars"):
        return _numbers_contradict(one, other) or _numbers_contradict(other, one)
    if one.field not in _ONE_VALUE and kind != "flag":
        return False
    ops = {one.op, other.op}
    return (ops == {"="} and one.value != other.value) or (ops == {"=", "!="} and one.value == other.value)


def _numbers_contradict(one: Where, other: Where) -> bool:
    """Whether what `one` asks from above leaves nothing of what `other` asks from below."""
    upper, lower = float(one.value), float(other.value)
    if one.op == "=":
        return not _COMPARE[other.op](upper, lower)
    if one.op in ("<", "<=") and other.op in (">", ">="):
        return upper < lower or (upper == lower and {one.op, other.op} != {"<=", ">="})
    return False
