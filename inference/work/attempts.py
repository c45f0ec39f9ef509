"""Further attempts at a claim: each is numbered, and two that came out opposite leave it open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from graph.attempts import DIFFER, attempts_before, contradicts, decide
from graph.claims import Evidence
from inference.work.records import sealed

METHOD, METHOD_VERSION = "attempts", "1"
_OF_THE_PAIR: Final[dict[str, object]] = {
    "kind": "check", "verdict": "inconclusive", "reason_code": None, "method": METHOD,
    "method_version": METHOD_VERSION, "flags": (DIFFER,), "interval": None, "measured": None, "successes": None,
    "control": None,
}  # fmt: skip


def as_attempt(record: Evidence, earlier: Sequence[Evidence]) -> list[Evidence]:
    """The record, numbered and sealed; behind it the one that says so where it is the opposite of what decides.

    Parameters
    ----------
    record : Evidence
        About a claim, not sealed yet.
    earlier : sequence of Evidence
        All records about that claim, in the order they were made.
    """
    kept = sealed(record.model_copy(update={"attempt": 1 + attempts_before(record, earlier)}))
    deciding = decide(earlier)
    if deciding is None or not contradicts(deciding, kept):
        return [kept]
    told = _OF_THE_PAIR | {
        "pooled": (deciding.id, kept.id), "time_us": kept.time_us + 1,
        "reason": f"one attempt verified and one refuted it: {deciding.id} and {kept.id}",
    }  # fmt: skip
    return [kept, sealed(Evidence.model_validate({**kept.model_dump(), **told, "id": ""}))]
