"""One line that says what was found, and adds up."""

from __future__ import annotations

from collections.abc import Mapping

from indexer.sources.entry import (
    BUCKETS,
    CATALOGUE_ENTRY,
    COMPARED,
    MODEL_BUCKETS,
    NOT_A_MODEL,
    REJECTED,
    SOURCE_BUCKETS,
)

_PLURALS = {CATALOGUE_ENTRY: "catalogue entries", COMPARED: COMPARED, "entry": "entries"}


def render_inventory(counts: Mapping[str, int], size_bytes: int) -> str:
    """The inventory in one line; the counts behind the colon add up to the number before it.

    What a cache holds besides models is named after the sum.

    Examples
    --------
    >>> render_inventory({"loadable": 131, "pickle only": 41, "adapter": 28}, 18_000_000_000)
    '200 models: 131 loadable, 41 pickle only, 28 adapter, 18 GB'
    >>> render_inventory({"manifest": 3, "rejected": 1}, 0)
    '4 entries: 3 manifests, 1 rejected'
    """
    found = {bucket: count for bucket, count in counts.items() if count}
    besides = found.pop(NOT_A_MODEL, 0)
    noun = "model" if found and set(found) <= set(MODEL_BUCKETS) else "entry"
    order = {bucket: place for place, bucket in enumerate(BUCKETS)}
    parts = [
        counted(found[bucket], bucket) if bucket in SOURCE_BUCKETS else f"{found[bucket]:,} {bucket}"
        for bucket in sorted(found, key=lambda bucket: (order.get(bucket, order[REJECTED]), bucket))
    ]
    if size_bytes:
        parts.append(readable_bytes(size_bytes))
    line = counted(sum(found.values()), noun) + (": " + ", ".join(parts) if parts else "")
    return line + (f"; besides, {besides:,} not a model" if besides else "")


def counted(count: int, noun: str) -> str:
    """A number with its noun: "1 model", "1,200 models"."""
    return f"{count:,} {noun if count == 1 else _PLURALS.get(noun, noun + 's')}"


def readable_bytes(size_bytes: int) -> str:
    """A size in decimal units with two digits: 950 B, 1.2 MB, 18 GB.

    Examples
    --------
    >>> [readable_bytes(n) for n in (0, 999, 1_234_567, 18_400_000_000)]
    ['0 B', '999 B', '1.2 MB', '18 GB']
    """
    if size_bytes < 1000:
        return f"{size_bytes} B"
    value, units = float(size_bytes), ["kB", "MB", "GB", "TB", "PB"]
    while units:
        value, unit = value / 1000, units.pop(0)
        if value < 999.5 or not units:
            break
    return f"{value:.1f} {unit}" if value < 9.95 else f"{value:.0f} {unit}"
