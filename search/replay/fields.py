"""The values of a log's fields: words, truths, lists, times, positions; what is wrong with one that is not."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Any, Final

from graph.constants import DAY_US
from search.replay.times import read_time

_TRUE: Final = frozenset({"1", "true", "yes", "y", "t"})
_FALSE: Final = frozenset({"0", "false", "no", "n", "f", "none", "null", "-", ""})
_EARLIEST_US: Final = 25 * 365 * DAY_US
"""1995: what is earlier is a clock that was never set."""
_SKEW_US: Final = 300 * 1_000_000
_MOST_POSITION: Final = 1_000_000
_LONGEST_WORD: Final = 10_000
_NAMES: Final = ("artifact", "artifact_id", "id", "slug", "url", "href", "name")


class Wrong(Exception):
    """A field is wrong: a stable code, and what to do."""

    def __init__(self, code: str, what: str) -> None:
        super().__init__(what)
        self.code, self.what = code, what


@dataclass(frozen=True)
class Reading:
    """How the rows of a log are read.

    Attributes
    ----------
    now_us : int
        The moment after which nothing can have happened, microseconds since 1970 UTC.
    events : mapping
        Kinds of the log's own event words.
    zone : tzinfo
        Of times that name none.
    time_format : str or None
        `strptime` format of the times; None for the usual ones.
    first_position : int
        0 or 1: the position of a first result.
    """

    now_us: int
    events: Mapping[str, str] = field(default_factory=dict)
    zone: tzinfo = UTC
    time_format: str | None = None
    first_position: int = 1


def plain_word(word: str) -> str:
    """A word in lower case, its blanks and hyphens underscores."""
    return re.sub(r"[\s-]+", "_", word.strip().lower())


def word_of(said: Mapping[str, Any], name: str) -> str:
    """A field as a text of bounded length, of an object its id; "" where it is missing or a list."""
    value = said.get(name, "")
    if isinstance(value, Mapping):
        value = value.get("id", "")
    return "" if isinstance(value, list | bool) or value is None else str(value).strip()[:_LONGEST_WORD]


def truth_of(value: Any) -> bool | None:
    """Yes, no, or None where a value is neither; nothing is no."""
    if value is None or isinstance(value, bool):
        return bool(value)
    word = str(value).strip().lower() if isinstance(value, str | int) else "?"
    return True if word in _TRUE else False if word in _FALSE else None


def items_of(value: Any) -> list[Any]:
    """The items of a list, of a JSON list in a text, or of a text divided by | or ; or , or blanks.

    Raises
    ------
    Wrong
        It begins like a JSON list and is none.
    """
    if isinstance(value, list):
        return value
    text = str(value).strip()
    if text.startswith("["):
        try:
            read = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise Wrong("bad_results", "its list of results is not valid JSON: mend it") from error
        return list(read)
    divider = next((sign for sign in "|;," if sign in text), None)
    return [part.strip() for part in text.split(divider) if part.strip()]


def name_of(value: Any) -> str:
    """What an item of a list calls its artifact: itself, or its id, slug, address or name."""
    if isinstance(value, Mapping):
        value = next((value[key] for key in _NAMES if value.get(key)), "")
    return str(value).strip()[:_LONGEST_WORD]


def time_of(said: Mapping[str, Any], reading: Reading) -> int:
    """When it happened, in microseconds since 1970 UTC.

    Raises
    ------
    Wrong
        The time is missing, not understood, before 1995 or still to come.
    """
    if "time" not in said:
        raise Wrong("no_time", "it has no time: map it with --map time=COLUMN")
    shown = repr(str(said["time"])[:40])
    try:
        time_us = read_time(said["time"], reading.zone, reading.time_format)
    except (ValueError, OverflowError) as error:
        raise Wrong("bad_time", f"time {shown} is not understood: say --time-format") from error
    if time_us < _EARLIEST_US:
        raise Wrong("bad_time", f"time {shown} is before 1995: say --time-format")
    if time_us > reading.now_us + _SKEW_US:
        raise Wrong("future_time", f"time {shown} is still to come: mend the clock, or say --zone")
    return time_us


def position_of(value: Any, reading: Reading) -> int | None:
    """A 1-based position; None where the log does not say.

    Raises
    ------
    Wrong
        It is no whole number, or below the first.
    """
    text = "" if value is None else str(value).strip().removesuffix(".0")
    if not text:
        return None
    if not re.fullmatch(r"-?[0-9]{1,9}", text):
        raise Wrong("bad_position", f"position {text[:40]!r} is no whole number: mend it, or map another column")
    position = int(text) + 1 - reading.first_position
    if not 1 <= position <= _MOST_POSITION:
        raise Wrong("bad_position", f"position {text}: they count from 1, or from 0 with --first-position 0")
    return position


def count_of(said: Mapping[str, Any], name: str) -> int | None:
    """A whole number from 0; None where the log does not say.

    Raises
    ------
    Wrong
        It is none.
    """
    text = word_of(said, name).removesuffix(".0")
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise Wrong(f"bad_{name}", f"{name} {text[:40]!r} is no whole number from 0: mend it, or map another column")
    return min(int(text), _MOST_POSITION)


def score_of(value: Any) -> float:
    """A result's score; 0 where the log has none that is a number."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and abs(value) < 1e12 else 0.0
