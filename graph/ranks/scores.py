"""Components and rank of every artifact, by the published table: `docs/formulas.md`. Prose and price change nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist, median
from typing import Any, Final

import numpy as np

from graph.constants import (
    ADOPTION_FLOOR,
    ADOPTION_PERCENTILE,
    DAY_US,
    ECOSYSTEM_SCALE,
    FRESHNESS_EVIDENCE_DAYS,
    FRESHNESS_REVISION_DAYS,
    QUALITY_CONFIDENCE,
    QUALITY_TIER_WEIGHT,
    RANK_LEAST_KNOWN,
    RANK_PRIOR,
    RANK_WEIGHTS,
    SHRINK_ACTORS,
)
from graph.ranks.score_inputs import Decided, ScoreInput, score_inputs
from graph.weights import exact_sum

__all__ = ["Component", "Decided", "Score", "ScoreInput", "score_all", "score_inputs", "wilson_lower"]

ADOPTION_PARTS: Final = ("selecting_actors", "downloads", "likes", "stars")
Detail = dict[str, float | int | str | None]
Value = tuple[float | None, Detail]
"""A component's value, None where unknown, and the inputs behind it."""


@dataclass(frozen=True)
class Component:
    """One component of a rank, 0 to 1. `value` None is unknown: `used` is then the prior, and is said to be one.

    `contribution` = `weight` · `used`; `detail` holds the inputs.
    """

    value: float | None
    used: float
    weight: float
    contribution: float
    known: bool
    detail: Detail


@dataclass(frozen=True)
class Score:
    """Rank (0 to 100) and components of an artifact; contributions add up to the rank; None is "not ranked"."""

    artifact: str
    rank: float | None
    known_weight: float
    components: dict[str, Component]

    @property
    def words(self) -> str:
        """The rank for people."""
        if self.rank is not None:
            return f"{self.rank:.1f}"
        return f"not ranked ({self.known_weight:g} of {sum(RANK_WEIGHTS.values()):g} known)"

    def to_json(self) -> dict[str, Any]:
        """The score as plain JSON values."""
        return asdict(self)


def score_all(inputs: Sequence[ScoreInput], as_of_us: int) -> dict[str, Score]:
    """The score of every artifact, by id. Pure: the same inputs in any order give the same scores.

    Parameters
    ----------
    inputs : sequence of ScoreInput
        All artifacts of the catalogue: percentiles and priors are those of an artifact's type among them.
    as_of_us : int
        The moment at which ages are taken, microseconds since 1970 UTC.
    """
    scales = scales_of(inputs)
    values = {each.artifact: component_values(each, scales, as_of_us) for each in inputs}
    priors = _priors(inputs, values)
    return {each.artifact: score_with(each, values[each.artifact], priors) for each in inputs}


def component_values(given: ScoreInput, scales: Scales, as_of_us: int) -> dict[str, Value]:
    """The value of each component, None where unknown, and the inputs behind it."""
    return {
        "adoption": _adoption(given, scales), "quality": _quality(given), "ecosystem": _ecosystem(given),
        "match_graph": _match_graph(given, scales), "freshness": _freshness(given, as_of_us),
    }  # fmt: skip


def score_with(given: ScoreInput, values: Mapping[str, Value], priors: Mapping[tuple[str, str], float]) -> Score:
    """The score that component values give; unknown ones count as the prior of the artifact's (type, component)."""
    components = {}
    for name, weight in RANK_WEIGHTS.items():
        value, detail = values[name]
        used = priors[given.type, name] if value is None else value
        components[name] = Component(value, used, weight, weight * used, value is not None, detail)
    known = exact_sum(part.weight for part in components.values() if part.known)
    total = exact_sum(part.contribution for part in components.values())
    return Score(given.artifact, total if known >= RANK_LEAST_KNOWN else None, known, components)


def _priors(inputs: Sequence[ScoreInput], values: Mapping[str, Mapping[str, Value]]) -> dict[tuple[str, str], float]:
    """The median of the known values of each type and component; where none is known, `RANK_PRIOR`."""
    known: dict[tuple[str, str], list[float]] = {}
    for each in inputs:
        for name in RANK_WEIGHTS:
            value = values[each.artifact][name][0]
            known.setdefault((each.type, name), []).extend([] if value is None else [value])
    return {key: median(each) if each else RANK_PRIOR for key, each in known.items()}


@dataclass(frozen=True)
class Scales:
    """What counts are measured against: by (type, name of the count), the 95th percentile of its known values."""

    tops: Mapping[tuple[str, str], float]

    def share(self, type_: str, name: str, count: float) -> float:
        """A count on the log scale of its type, 0 to 1; a percentile below `ADOPTION_FLOOR` counts as that."""
        top = max(ADOPTION_FLOOR, self.tops.get((type_, name), 0.0))
        return min(1.0, math.log1p(count) / math.log1p(top))


def scales_of(inputs: Sequence[ScoreInput]) -> Scales:
    """The scales of the types of these artifacts."""
    counts: dict[tuple[str, str], list[float]] = {}
    for each in inputs:
        for name, count in {**adoption_counts(each), "flow": each.flow if each.voters else None}.items():
            if count is not None:
                counts.setdefault((each.type, name), []).append(count)
    return Scales({key: float(np.percentile(known, ADOPTION_PERCENTILE)) for key, known in counts.items()})


def adoption_counts(given: ScoreInput) -> dict[str, float | None]:
    """The counts behind adoption; None is unknown: selections are known from the first delivery on."""
    delivered = given.times_matched >= 1 or given.selecting_actors > 0
    counts = (given.selecting_actors if delivered else None, given.downloads, given.likes, given.stars)
    return dict(zip(ADOPTION_PARTS, counts, strict=True))


def _adoption(given: ScoreInput, scales: Scales) -> Value:
    counts = adoption_counts(given)
    shares = {name: scales.share(given.type, name, n) for name, n in counts.items() if n is not None}
    detail: Detail = {"times_matched": given.times_matched, **counts}
    detail |= {f"{name}_share": share for name, share in shares.items()}
    return (exact_sum(shares.values()) / len(shares) if shares else None), detail


def fixed_components(given: ScoreInput) -> tuple[float | None, float | None]:
    """The components that neither a search nor time changes: quality and ecosystem; None is unknown."""
    return _quality(given)[0], _ecosystem(given)[0]


def _quality(given: ScoreInput) -> Value:
    voices: dict[tuple[str, str], list[Decided]] = {}
    for decided in given.decided:
        voices.setdefault((decided.capability, decided.metric), []).append(decided)
    weights, verified = [], []
    for each in voices.values():
        tiers = [QUALITY_TIER_WEIGHT[decided.tier] for decided in each]
        share = exact_sum(tier for tier, d in zip(tiers, each, strict=True) if d.verified) / exact_sum(tiers)
        weights.append(max(tiers))
        verified.append(max(tiers) * share)
    trials, successes = exact_sum(weights), exact_sum(verified)
    detail: Detail = {
        "verified": sum(d.verified for d in given.decided), "refuted": sum(not d.verified for d in given.decided),
        "voices": len(voices), "weighted_verified": successes, "weighted_voices": trials,
    }  # fmt: skip
    return (wilson_lower(successes, trials) if voices else None), detail


def wilson_lower(successes: float, trials: float, confidence: float = QUALITY_CONFIDENCE) -> float:
    """The one-sided lower bound of a share, 0 to 1; `successes` and `trials` may be fractions.

    Source: Wilson 1927, "Probable Inference, the Law of Succession, and Statistical Inference"; one-sided, so its z is
    the quantile at `confidence` itself (1.645 at 0.95).
    """
    z_squared = NormalDist().inv_cdf(confidence) ** 2
    share = successes / trials
    centre = share + z_squared / (2.0 * trials)
    half = math.sqrt(z_squared * (share * (1.0 - share) + z_squared / (4.0 * trials)) / trials)
    return min(1.0, max(0.0, (centre - half) / (1.0 + z_squared / trials)))


def _ecosystem(given: ScoreInput) -> Value:
    counted = given.formats + given.libraries + given.derivatives + given.shared_capabilities
    detail: Detail = {
        "formats": given.formats, "libraries": given.libraries, "derivatives": given.derivatives,
        "shared_capabilities": given.shared_capabilities,
    }  # fmt: skip
    known = given.has_files or given.has_card
    return (1.0 - math.exp(-counted / ECOSYSTEM_SCALE) if known else None), detail


def _match_graph(given: ScoreInput, scales: Scales) -> Value:
    detail: Detail = {"voters": given.voters, "flow": given.flow, "pagerank": given.pagerank}
    if not given.voters:
        return None, detail
    share, shrink = scales.share(given.type, "flow", given.flow), given.voters / (given.voters + SHRINK_ACTORS)
    return share * shrink, {**detail, "flow_share": share, "shrink": shrink}


def _freshness(given: ScoreInput, as_of_us: int) -> Value:
    halved: list[float] = []
    detail: Detail = {}
    ages = (
        ("revision", given.released_us, FRESHNESS_REVISION_DAYS),
        ("evidence", given.evidence_us, FRESHNESS_EVIDENCE_DAYS),
    )
    for name, since_us, half_life_days in ages:
        known = since_us is not None and since_us <= as_of_us  # a date to come says nothing yet
        age_days = (as_of_us - since_us) / DAY_US if known and since_us is not None else None
        detail[f"{name}_age_days"] = age_days
        if age_days is not None:
            halved.append(float(2.0 ** (-age_days / half_life_days)))
    return (exact_sum(halved) / len(halved) if halved else None), detail
