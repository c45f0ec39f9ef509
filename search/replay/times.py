"""Times as logs write them: epochs of any unit, ISO 8601, web servers' and mail's; one moment comes out."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from email.utils import parsedate_to_datetime
from typing import Any, Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER: Final = re.compile(r"[0-9]{1,19}(\.[0-9]{1,9})?")
_SERVER: Final = "%d/%b/%Y:%H:%M:%S %z"
_UNITS: Final = ((10**11, 10**6), (10**14, 10**3), (10**17, 1))
"""An epoch below the first number has this many microseconds a unit: seconds, milliseconds, microseconds."""


def read_time(value: Any, zone: tzinfo = UTC, form: str | None = None) -> int:
    """The moment in microseconds since 1970 UTC.

    Parameters
    ----------
    value
        A number since 1970 (seconds, milli-, micro- or nanoseconds, told apart by size), or a text: the same, ISO 8601,
        `28/Nov/2026:10:00:00 +0000`, `Sat, 28 Nov 2026 10:00:00 GMT`.
    zone : tzinfo
        Of times that name none.
    form : str, optional
        A `strptime` format; nothing else is then understood.

    Raises
    ------
    ValueError
        It is no such time.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("no time")
    text = str(value).strip()
    if form is not None:
        return _microseconds(datetime.strptime(text, form), zone)
    if isinstance(value, int | float) or _NUMBER.fullmatch(text):
        return _from_epoch(text)
    return _microseconds(_parsed(text), zone)


def _from_epoch(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise ValueError("no epoch")
    whole, _, part = text.partition(".")
    for below, unit in _UNITS:
        if int(whole) < below:
            return int(whole) * unit + int(float(f"0.{part or 0}") * unit)
    return int(whole) // 1_000


def _parsed(text: str) -> datetime:
    for read in (datetime.fromisoformat, lambda t: datetime.strptime(t, _SERVER), parsedate_to_datetime):
        try:
            return read(text.strip("[]").removesuffix(" UTC"))
        except (ValueError, TypeError, IndexError):
            continue
    raise ValueError("no time that is known")


def _microseconds(moment: datetime, zone: tzinfo) -> int:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=zone)
    return (aware - _EPOCH) // timedelta(microseconds=1)
