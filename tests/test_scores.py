"""Components and ranks: formulas against second implementations, an independent recomputation, laws."""

from __future__ import annotations

import json
import math
import random
from dataclasses import replace

import numpy as np
import pytest
from factories import DAY_0_US
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from graph.constants import DAY_US, RANK_WEIGHTS
from graph.ranks.scores import Decided, Score, ScoreInput, score_all, wilson_lower

NOW = DAY_0_US
KNOWN = ScoreInput(
    "known", "model", downloads=1_000, decided=(Decided("c", "runs", True, "artifact"),), formats=1, has_files=True,
    voters=1, flow=1.0, times_matched=3, released_us=NOW,
)  # fmt: skip


def one(given: ScoreInput, *others: ScoreInput) -> Score:
    return score_all([given, *others], NOW)[given.artifact]


def value(given: ScoreInput, component: str, *others: ScoreInput) -> float | None:
    return one(given, *others).components[component].value


counts = st.none() | st.integers(0, 10**9)
verdicts = st.builds(
    Decided, st.sampled_from(["", "c1", "c2"]), st.sampled_from(["runs", "accuracy"]), st.booleans(),
    st.sampled_from(["artifact", "architecture", "text"]),
)  # fmt: skip
anything = st.lists(
    st.builds(
        ScoreInput, st.uuids().map(str), st.sampled_from(["model", "tool"]),
        downloads=counts, likes=counts, stars=counts,
        times_matched=st.integers(0, 50), selecting_actors=st.floats(0, 50), voters=st.integers(0, 9),
        flow=st.floats(0, 100), decided=st.lists(verdicts, max_size=6).map(tuple), formats=st.integers(0, 4),
        libraries=st.integers(0, 1), derivatives=st.integers(0, 30), shared_capabilities=st.integers(0, 9),
        has_files=st.booleans(), has_card=st.booleans(),
        released_us=st.none() | st.integers(0, 2 * NOW), evidence_us=st.none() | st.integers(0, NOW),
    ),
    min_size=1, max_size=8, unique_by=lambda each: each.artifact,
)  # fmt: skip


# An independent recomputation -------------------------------------------------------------------------------
def recompute(scores: dict[str, dict], types: dict[str, str]) -> dict[str, float | None]:
    """Every rank from the printed parts alone: components' details, types and the published weights."""

    def scale(kind: str, name: str, detail: str, component: str) -> float:
        seen = [s["components"][component]["detail"][detail] for key, s in scores.items() if types[key] == kind]
        if component == "match_graph":
            seen = [
                s["components"][component]["detail"][detail]
                for key, s in scores.items()
                if types[key] == kind and s["components"][component]["detail"]["voters"]
            ]
        known = sorted(x for x in seen if x is not None)
        place = 0.95 * (len(known) - 1)
        low, high = known[math.floor(place)], known[math.ceil(place)]
        return math.log(1 + max(20.0, low + (high - low) * (place - math.floor(place))))

    values: dict[str, dict[str, float | None]] = {}
    for key, s in scores.items():
        parts, kind = {name: part["detail"] for name, part in s["components"].items()}, types[key]
        adoption = [
            min(1.0, math.log(1 + parts["adoption"][name]) / scale(kind, name, name, "adoption"))
            for name in ("selecting_actors", "downloads", "likes", "stars")
            if parts["adoption"][name] is not None
        ]
        n, k = parts["quality"]["weighted_voices"], parts["quality"]["weighted_verified"]
        e = sum(parts["ecosystem"].values())
        voters = parts["match_graph"]["voters"]
        ages = [(parts["freshness"]["revision_age_days"], 365), (parts["freshness"]["evidence_age_days"], 180)]
        halved = [2 ** (-age / days) for age, days in ages if age is not None]
        values[key] = {
            "adoption": sum(adoption) / len(adoption) if adoption else None,
            "quality": wilson(k, n) if n else None,
            "ecosystem": 1 - math.exp(-e / 5) if s["components"]["ecosystem"]["known"] else None,
            "match_graph": min(1.0, math.log(1 + parts["match_graph"]["flow"]) / scale(kind, "", "flow", "match_graph"))
            * voters / (voters + 4) if voters else None,
            "freshness": sum(halved) / len(halved) if halved else None,
        }  # fmt: skip
    ranks: dict[str, float | None] = {}
    for key in scores:
        rank, known = 0.0, 0.0
        for name, weight in {
            "adoption": 25,
            "quality": 25,
            "ecosystem": 10,
            "match_graph": 30,
            "freshness": 10,
        }.items():
            peers = sorted(v for k, each in values.items() if types[k] == types[key] and (v := each[name]) is not None)
            prior = (peers[len(peers) // 2] + peers[(len(peers) - 1) // 2]) / 2 if peers else 0.5
            rank += weight * (values[key][name] if values[key][name] is not None else prior)
            known += weight * (values[key][name] is not None)
        ranks[key] = rank if known >= 50 else None
    return ranks


def wilson(successes: float, trials: float) -> float:
    """The lower root of (p̂ - p)² = z² p (1 - p) / n, solved by bisection."""
    share, low, high = successes / trials, 0.0, successes / trials
    for _ in range(200):
        middle = (low + high) / 2
        outside = (share - middle) ** 2 * trials > 1.6448536269514722**2 * middle * (1 - middle)
        low, high = (middle, high) if outside else (low, middle)
    return low


@given(anything)
def test_ranks_follow_from_the_printed_parts(inputs: list[ScoreInput]) -> None:
    printed = json.loads(json.dumps({key: score.to_json() for key, score in score_all(inputs, NOW).items()}))
    expected = recompute(printed, {each.artifact: each.type for each in inputs})
    for key, score in printed.items():
        assert score["rank"] == (None if expected[key] is None else pytest.approx(expected[key], abs=1e-6))


# Laws -----------------------------------------------------------------------------------------------------
@given(anything, st.integers(0, 99))
def test_contributions_add_up_and_order_does_not_matter(inputs: list[ScoreInput], seed: int) -> None:
    scores = score_all(inputs, NOW)
    assert score_all(random.Random(seed).sample(inputs, len(inputs)), NOW) == scores
    for score in scores.values():
        parts = score.components
        total = sum(part.contribution for part in parts.values())
        assert list(parts) == list(RANK_WEIGHTS)
        assert all(part.contribution == part.weight * part.used and 0 <= part.used <= 1 for part in parts.values())
        assert all(part.known == (part.value is not None) for part in parts.values())
        assert all(part.used == part.value for part in parts.values() if part.known)
        assert score.known_weight == sum(part.weight for part in parts.values() if part.known)
        if score.known_weight >= 50:
            assert score.rank == pytest.approx(total, abs=1e-6)
            assert 0 <= score.rank <= 100
        else:
            assert score.rank is None
            assert score.words == f"not ranked ({score.known_weight:g} of 100 known)"


def test_under_half_known_is_not_ranked_and_half_is() -> None:
    fresh = ScoreInput("a", "model", released_us=NOW)
    assert one(fresh).words == "not ranked (10 of 100 known)"
    graded = replace(fresh, downloads=5, decided=KNOWN.decided, released_us=None)
    assert one(graded).known_weight == 50
    assert one(graded).rank is not None
    assert one(ScoreInput("a", "model")).words == "not ranked (0 of 100 known)"


def test_an_unknown_component_counts_as_its_types_median_else_half() -> None:
    others = [replace(KNOWN, artifact=f"m{i}", released_us=NOW - i * 365 * DAY_US) for i in range(3)]  # 1, 1/2, 1/4
    tool = replace(KNOWN, artifact="tool", type="tool", released_us=NOW - 730 * DAY_US)
    unknown = one(replace(KNOWN, released_us=None), *others, tool).components["freshness"]
    assert (unknown.value, unknown.used, unknown.contribution, unknown.known) == (None, 0.5, 5.0, False)
    assert one(replace(KNOWN, released_us=None), others[0], tool).components["freshness"].used == 1.0
    assert one(replace(KNOWN, released_us=None), tool).components["freshness"].used == 0.5  # the prior


# Components -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("verified", "decided"), [(0, 1), (1, 1), (3, 4), (17, 40), (100, 100)])
def test_wilson_is_scipys(verified: int, decided: int) -> None:
    expected = binomtest(verified, decided).proportion_ci(confidence_level=0.9, method="wilson").low
    assert wilson_lower(verified, decided) == pytest.approx(expected, abs=1e-12)


def test_adoption_by_hand() -> None:
    assert value(ScoreInput("a", "model"), "adoption") is None
    assert value(ScoreInput("a", "model", times_matched=1), "adoption") == 0.0
    assert value(ScoreInput("a", "model", downloads=0), "adoption") == 0.0
    assert value(ScoreInput("a", "model", likes=4), "adoption") == pytest.approx(math.log(5) / math.log(21))
    small, large = ScoreInput("a", "model", stars=20), [ScoreInput(f"b{i}", "model", stars=1_000) for i in range(30)]
    assert value(small, "adoption") == 1.0
    assert value(small, "adoption", *large) == pytest.approx(math.log(21) / math.log(1_001))
    assert value(small, "adoption", *(replace(each, type="tool") for each in large)) == 1.0
    both = ScoreInput("a", "model", times_matched=5, selecting_actors=4.0, downloads=20)
    assert value(both, "adoption") == pytest.approx((math.log(5) / math.log(21) + 1) / 2)


def test_the_percentile_is_numpys() -> None:
    inputs = [ScoreInput(f"a{i}", "model", downloads=i * 100) for i in range(50)]
    top = float(np.percentile([i * 100 for i in range(50)], 95))
    assert score_all(inputs, NOW)["a7"].components["adoption"].value == pytest.approx(math.log(701) / math.log1p(top))


def test_quality_has_one_voice_per_capability_and_metric_and_weighs_tiers() -> None:
    def quality(*decided: Decided) -> float | None:
        return value(ScoreInput("a", "model", decided=decided), "quality")

    good, bad = Decided("c", "runs", True, "artifact"), Decided("c", "runs", False, "artifact")
    assert quality() is None
    assert quality(good) == quality(good, good, good) == pytest.approx(wilson_lower(1, 1))  # repeating adds nothing
    assert quality(good, bad) == pytest.approx(wilson_lower(0.5, 1))
    assert quality(good, replace(bad, metric="accuracy")) == pytest.approx(wilson_lower(1, 2))
    assert quality(replace(good, tier="text")) == pytest.approx(wilson_lower(0.25, 0.25))
    assert quality(replace(good, tier="architecture"), bad) == pytest.approx(wilson_lower(1 / 3, 1))
    assert quality(bad) == 0.0
    assert quality(*(replace(good, metric=f"m{i}") for i in range(30))) > 0.9


def test_ecosystem_match_graph_and_freshness_by_hand() -> None:
    rich = ScoreInput("a", "model", formats=2, libraries=1, derivatives=1, shared_capabilities=1)
    assert value(rich, "ecosystem") is None  # no files, no card: nothing is known
    assert value(replace(rich, has_card=True), "ecosystem") == pytest.approx(1 - math.exp(-1))
    assert value(ScoreInput("a", "model", has_files=True), "ecosystem") == 0.0
    assert value(ScoreInput("a", "model", flow=3.0), "match_graph") is None
    assert value(ScoreInput("a", "model", flow=3.0, voters=4), "match_graph") == pytest.approx(
        math.log(4) / math.log(21) / 2
    )
    assert value(ScoreInput("a", "model", voters=4), "match_graph") == 0.0
    dated = ScoreInput("a", "model", released_us=NOW - 365 * DAY_US, evidence_us=NOW - 360 * DAY_US)
    assert value(dated, "freshness") == pytest.approx((0.5 + 0.25) / 2)
    assert value(replace(dated, released_us=NOW + 1), "freshness") == pytest.approx(0.25)  # a date to come says nothing
    assert value(ScoreInput("a", "model"), "freshness") is None
