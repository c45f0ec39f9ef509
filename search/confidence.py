"""How sure the engine is that something fits, whether it abstains, and what to say then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from graph.constants import ABSTAIN_BELOW, ABSTAIN_CONFIDENCE
from indexer.calibration.fit import Calibration
from search.query.names import Named
from search.ranking import Ranking, Scored

UNCALIBRATED = (
    f"this snapshot has no calibration: abstaining below a cosine of {ABSTAIN_BELOW}, without a confidence; run "
    "`matchgraph build` if it is from before calibrations, else what it holds is not told from what no model does"
)


@dataclass(frozen=True)
class Fit:
    """Whether something fits, and the probability that it does; None where nothing tells."""

    fits: bool
    confidence: float | None


@dataclass(frozen=True)
class Judge:
    """Says whether something fits one query.

    What counts is the largest cosine: nothing that the log says, so that nobody's clicks make a query fit, and the
    calibration holds with a log too. An artifact's own name is certain; a corrected spelling never abstains.

    Attributes
    ----------
    calibration
        That of the snapshot; None falls back on the published constant, without a confidence.
    named
        What the query names.
    """

    calibration: Calibration | None
    named: Named

    def of_all(self, ranking: Ranking) -> Fit:
        """The fit of a query in everything that was scored; at least one artifact."""
        return self._fit(float(ranking.parts["dense"].max()), is_named=bool(ranking.parts["name"].any()))

    def of(self, scored: Sequence[Scored]) -> Fit:
        """The fit of a query in these; nothing fits among none."""
        if not scored:
            return Fit(False, 0.0 if self.calibration else None)
        cosine = max(each.parts["dense"] for each in scored)
        return self._fit(cosine, is_named=any(each.parts["name"] for each in scored))

    def fits(self, scored: Scored) -> bool:
        """Whether one result fits by itself."""
        return scored.parts["dense"] >= self._least or bool(scored.parts["name"])

    @cached_property
    def _least(self) -> float:
        return ABSTAIN_BELOW if self.calibration is None else self.calibration.abstains_below

    def _fit(self, cosine: float, *, is_named: bool) -> Fit:
        if self.calibration is None:
            return Fit(is_named or cosine >= ABSTAIN_BELOW, None)
        confidence = self.calibration.confidence(cosine)
        if is_named:
            confidence = 1.0 if self.named.is_exact else max(confidence, ABSTAIN_CONFIDENCE)
        return Fit(confidence >= ABSTAIN_CONFIDENCE, confidence)


def nothing_fits(nearest: str) -> str:
    """One line where nothing fits: the slug of what comes nearest all the same, and how to widen."""
    return f"nothing here fits: use other words, or ingest more sources; nearest, but far, is {nearest}"


def nothing_left(asked: str, *, is_fit: bool, drops: Sequence[tuple[str, int, str]], fallback: str) -> str:
    """One line where nothing satisfies what was asked, or what does so does not fit: which limit to drop.

    Parameters
    ----------
    asked
        The conditions and the policy, in words.
    is_fit
        False where artifacts satisfy it all, but none of them fits the words.
    drops
        (limit, how many fit without it, slug of the best of them), the most helpful first.
    fallback
        Slug of the best that fits the words, whatever it satisfies; empty for none.
    """
    what = f"no artifact satisfies {asked}" if is_fit else f"nothing that satisfies {asked} fits"
    if drops:
        limit, count, best = drops[0]
        return f"{what}: to widen, drop {limit}: {count} {'fit' if count > 1 else 'fits'} without it, best {best}"
    if fallback:
        return f"{what}: to widen, drop more than one of them, or use other words; what fits best is {fallback}"
    return f"{what}: widen what you ask for, or use other words"
