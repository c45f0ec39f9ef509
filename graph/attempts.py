"""Which of several attempts at a claim decides it, and which evidence is stale: pure rules over records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from graph.claims import Evidence

DIFFER: Final = "attempts_differ"
"""Flag of a record that says: one attempt verified what another of the same kind refuted."""
_OPPOSITE: Final = {"verified": "refuted", "refuted": "verified"}


@dataclass(frozen=True)
class Present:
    """What evidence would be made with now: versions of libraries, and of checks and probes, by name."""

    libraries: Mapping[str, str] = field(default_factory=dict)
    methods: Mapping[str, str] = field(default_factory=dict)


def decide(attempts: Iterable[Evidence]) -> Evidence | None:
    """The record that decides a claim, of all records about it in the order they were made; None without any.

    The first complete attempt decides: a verdict other than `error` and `unverifiable`. Until there is one, the newest
    record stands; output that nobody could judge (`inconclusive`, `no_data`) is no complete attempt. A decision gives
    way

    - to any record about other weights, and to a complete attempt with another version of the method or of a library
      (the former is stale then);
    - where it was inconclusive, to an attempt on more items, and only to that: trying again on as few until it fits
      decides nothing;
    - to a record that names it in `pooled`: another attempt came out the opposite way.
    """
    deciding: Evidence | None = None
    for record in attempts:
        if record.verdict is None:
            continue
        if deciding is None or _gives_way(deciding, record):
            deciding = record
    return deciding


def _gives_way(before: Evidence, record: Evidence) -> bool:
    if not is_complete(before) or _other_weights(before, record) or before.id in record.pooled:
        return True
    if not is_complete(record):
        return False
    return _other_versions(before, record) or _tells_more(before, record)


def is_complete(record: Evidence) -> bool:
    """Whether a record is of an attempt that came to a judgement."""
    judged = record.verdict not in ("error", "unverifiable")
    return judged and (record.verdict, record.reason_code) != ("inconclusive", "no_data")


def contradicts(one: Evidence, other: Evidence) -> bool:
    """Whether one attempt verified what the other refuted, on the same weights with the same versions."""
    opposite = one.verdict is not None and _OPPOSITE.get(one.verdict) == other.verdict
    return opposite and not _other_weights(one, other) and not _other_versions(one, other)


def attempts_before(record: Evidence, earlier: Sequence[Evidence]) -> int:
    """How many complete attempts at the same claim, weights and versions there were."""
    return sum(
        other.claim == record.claim
        and is_complete(other)
        and not other.pooled
        and not _other_weights(other, record)
        and not _other_versions(other, record)
        for other in earlier
    )


def stale_reasons(record: Evidence, present: Present, digest: str | None = None) -> tuple[str, ...]:
    """Why a record does not speak of what is here now, sorted; () where it does.

    Parameters
    ----------
    record : Evidence
        The record.
    present : Present
        The versions now. A library that is not installed now, or whose version the record does not tell, says nothing.
    digest : str or None
        The digest of the model's files now; None where they are not at hand.
    """
    reasons = []
    if digest is not None and record.model is not None and record.model.digest != digest:
        reasons.append("the model's files have changed")
    version = present.methods.get(record.method)
    if version is not None and version != record.method_version:
        reasons.append(f"{record.method} is version {version} now, was {record.method_version}")
    for name, then in sorted(record.libraries.items()):
        now = present.libraries.get(name)
        if now is not None and _feature_version(now) != _feature_version(then):
            reasons.append(f"{name} is {now} now, was {then}")
    return tuple(sorted(reasons))


def _tells_more(before: Evidence, record: Evidence) -> bool:
    return before.verdict == "inconclusive" and not before.pooled and (record.n or 0) > (before.n or 0)


def _other_weights(before: Evidence, record: Evidence) -> bool:
    return before.model is not None and record.model is not None and before.model.digest != record.model.digest


def _other_versions(before: Evidence, record: Evidence) -> bool:
    if before.method == record.method and before.method_version != record.method_version:
        return True
    common = before.libraries.keys() & record.libraries.keys()
    return any(_feature_version(before.libraries[name]) != _feature_version(record.libraries[name]) for name in common)


def _feature_version(version: str) -> list[str]:
    """Major and minor: a patch release makes nothing stale."""
    return version.split(".")[:2]
