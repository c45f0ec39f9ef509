"""The exploration slot: the last place of page one goes to something that nobody has chosen yet."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from graph.constants import EXPLORE_DEPTH, EXPLORE_LEAST_PAGE, EXPLORE_TEMPERATURE
from search.ranking import Scored


@dataclass(frozen=True)
class Slot:
    """What was drawn: its 1-based position over all pages, the artifact, and the chance with which it was drawn."""

    position: int
    artifact: str
    propensity: float


def draw_slot(
    found: Sequence[Scored], limit: int, is_candidate: Callable[[Scored], bool], query: str, snapshot: str
) -> Slot | None:
    """What stands at the last place of page one; None where the page has few places or nothing to choose from.

    Drawn from the candidates in the last place and below it, down to the 50th result, with weight
    exp(-(best candidate's score - score) / 0.1): the most relevant is the most likely. The draw is a function of the
    query and the snapshot alone, so that every face and every process draws the same.

    Parameters
    ----------
    found
        Results in order, filtered; at least 50 where there are so many.
    limit
        Places of page one.
    is_candidate
        Whether a result was never chosen, and fits.
    query
        The text that was searched for.
    snapshot
        Id of the snapshot.
    """
    if limit < EXPLORE_LEAST_PAGE or len(found) <= limit:
        return None
    candidates = [each for each in found[limit - 1 : EXPLORE_DEPTH] if is_candidate(each)]
    if not candidates:
        return None
    scores = np.array([each.score for each in candidates])
    weights = np.exp((scores - scores.max()) / EXPLORE_TEMPERATURE)
    shares = weights / weights.sum()
    ticket = int(hashlib.sha256(f"{snapshot}\n{query}".encode()).hexdigest()[:13], 16) / 16**13
    drawn = min(int(np.searchsorted(np.cumsum(shares), ticket, side="right")), len(candidates) - 1)
    return Slot(limit, candidates[drawn].artifact, float(shares[drawn]))


def with_slot(found: Sequence[Scored], slot: Slot | None) -> list[Scored]:
    """The results with the drawn one at its position; the others keep their order, none is lost or repeated."""
    drawn = next((each for each in found if slot is not None and each.artifact == slot.artifact), None)
    if drawn is None or slot is None:
        return list(found)
    rest = [each for each in found if each.artifact != slot.artifact]
    return [*rest[: slot.position - 1], drawn, *rest[slot.position - 1 :]]
