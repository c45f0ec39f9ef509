"""Ranks of earlier moments are what they were then, and the causes of a change add up to it."""

from __future__ import annotations

import random

import pytest
from factories import DAY_0_US, make_artifact, make_evidence, make_outcome, make_search

from graph.artifacts import Artifact, Signals
from graph.claims import Claim
from graph.constants import DAY_US, HALF_LIFE_DAYS
from graph.events import CatalogueEvent
from graph.history import explain_change, happenings, rank_history, standing_outcomes
from graph.home import Home
from graph.past import read_past, times_matched_until
from graph.ranks.score_inputs import score_facts, score_inputs
from graph.ranks.scores import score_all
from graph.store import catalogue, log
from graph.store.evidence import append_evidence

DAY = [DAY_0_US + n * DAY_US for n in range(400)]


def enter(home: Home, time_us: int, *artifacts: Artifact) -> None:
    """Save entries and tell the log, as ingest does, at a given time."""
    with home.store.writing() as connection:
        saved = catalogue.save_artifacts(connection, artifacts)
        events = [
            CatalogueEvent(
                id=f"ce_{time_us}_{a.id}", time_us=time_us, subject=a.id, detail={"name": a.name, **score_facts(a)},
                action="artifact_added" if a.id in saved.added else "artifact_changed",
            )
            for a in artifacts if a.id not in saved.unchanged
        ]  # fmt: skip
        log.append_events(connection, events)


def entry(name: str, **fields: object) -> Artifact:
    claims = (Claim(id=f"cl_{name}", artifact=name, capability="classify", metric="runs"),)
    return make_artifact(name, claims=claims, has_card=True, released="2025-06-01", **fields)


def fill(home: Home) -> list[dict[str, object]]:
    """A year of a small home; the scores of each of its days, computed on that day."""
    draw, seen = random.Random(7), []
    enter(home, DAY[0], entry("ann/a", signals=Signals(downloads=5)), entry("bob/b"), entry("cy/c"))
    for day in range(1, 40):
        with home.store.writing() as connection:
            search = make_search(
                draw.sample(["ann/a", "bob/b", "cy/c"], 2), actor=f"actor {day % 7}", intent=f"in_{day % 3}",
                time_us=DAY[day] - 9,
            )  # fmt: skip
            log.append_events(connection, [search])
            for result in search.results:
                kinds = draw.sample(["click", "select", "success", "failure"], draw.randint(0, 2))
                log.append_events(
                    connection,
                    [make_outcome(search, result.artifact, k, time_us=DAY[day] - draw.randint(0, 8)) for k in kinds],
                )
            if day in (5, 17):
                record = make_evidence(
                    "ann/a", "verified" if day == 5 else "refuted", claim="cl_ann/a", time_us=DAY[day] - 1
                )
                append_evidence(connection, [record])
        if day == 11:
            enter(home, DAY[day] - 1, entry("ann/a", signals=Signals(downloads=5_000), formats=("onnx", "gguf")))
        if day == 23:
            enter(home, DAY[day] - 1, entry("di/d", base_model="ann/a"))
        with home.store.reading() as connection:
            seen.append({"scores": score_all(score_inputs(connection, DAY[day]), DAY[day]), "day": day})
    return seen


def test_a_rank_of_an_earlier_day_is_what_was_computed_on_that_day(home: Home) -> None:
    seen = fill(home)
    with home.store.reading() as connection:
        past = read_past(connection)
    for each in seen:
        moment = DAY[each["day"]]
        again = score_all(past.inputs(moment), moment)
        assert set(again) == set(each["scores"])
        for name, score in each["scores"].items():
            assert (again[name].rank, again[name].known_weight) == (score.rank, score.known_weight)  # bit for bit
            assert {n: p.contribution for n, p in again[name].components.items()} == {
                n: p.contribution for n, p in score.components.items()
            }
    history = rank_history(past, "di/d", [DAY[22], DAY[30], DAY[23]])
    assert [at.as_of_us for at in history] == [DAY[23], DAY[30]]  # it was not there before


def test_the_causes_of_a_change_add_up_and_name_what_happened(home: Home) -> None:
    fill(home)
    with home.store.reading() as connection:
        past = read_past(connection)
    for start, end in ((1, 39), (4, 6), (10, 12), (16, 18), (22, 24), (5, 5)):
        change = explain_change(past, "ann/a", DAY[start], DAY[end])
        assert sum(cause.points for cause in change.causes) == pytest.approx(
            change.after.points - change.before.points, abs=1e-9
        )
        for cause in change.causes:
            assert sum(cause.components.values()) == pytest.approx(cause.points, abs=1e-9)
    by_kind = {cause.kind: cause for cause in explain_change(past, "ann/a", DAY[10], DAY[12]).causes}
    assert [(i.name, i.before, i.after) for i in by_kind["entry"].inputs] == [
        ("downloads", 5, 5_000), ("formats", 0, 2), ("has_files", False, True),
    ]  # fmt: skip
    assert by_kind["entry"].components["ecosystem"] > 0
    verified, refuted = (explain_change(past, "ann/a", DAY[d - 1], DAY[d]).causes for d in (5, 17))
    assert next(c for c in verified if c.kind == "evidence").points != 0
    assert {h.kind for h in happenings(past, "ann/a", DAY[4], DAY[5])} >= {"evidence"}
    assert "runs: verified (artifact)" in {h.words for h in happenings(past, "ann/a", DAY[4], DAY[5])}
    assert {c.kind for c in refuted} == {"time", "outcomes", "evidence", "entry", "others"}
    nothing = explain_change(past, "ann/a", DAY[5], DAY[5])
    assert {cause.points for cause in nothing.causes} == {0.0}
    assert nothing.happenings == ()


def test_an_artifact_that_was_not_there_has_no_rank_then(home: Home) -> None:
    fill(home)
    with home.store.reading() as connection:
        past = read_past(connection)
    change = explain_change(past, "di/d", DAY[1], DAY[30])
    assert (change.before, change.causes) == (None, ())
    assert change.after is not None
    assert change.happenings[0].words == "artifact added"
    with pytest.raises(ValueError, match="earlier moment first"):
        explain_change(past, "ann/a", DAY[3], DAY[2])


def test_what_happens_to_another_of_the_type_is_told_as_others(home: Home) -> None:
    enter(home, DAY[0], entry("ann/a", signals=Signals(downloads=50)), entry("bob/b", signals=Signals(downloads=50)))
    enter(home, DAY[2], entry("bob/b", signals=Signals(downloads=1_000_000)))
    with home.store.reading() as connection:
        change = explain_change(read_past(connection), "ann/a", DAY[1], DAY[3])
    points = {cause.kind: cause.points for cause in change.causes}
    assert points["others"] < -1  # the percentile of its type rose
    assert (points["outcomes"], points["evidence"], points["entry"]) == (0.0, 0.0, 0.0)


def test_times_matched_and_votes_of_an_earlier_day(home: Home) -> None:
    with home.store.writing() as connection:
        for day in (1, 2, 3):
            search = make_search(['we"ird/a', "ann/ab"], time_us=DAY[day])
            log.append_events(connection, [search, make_search(["ann/ab"], time_us=DAY[day], synthetic=True)])
        outcomes = [("click", 4), ("success", 6)]
        log.append_events(connection, [make_outcome(search, "ann/ab", kind, time_us=DAY[d]) for kind, d in outcomes])
        assert [times_matched_until(connection, 'we"ird/a', DAY[d]) for d in (0, 1, 2, 9)] == [0, 1, 2, 3]
        assert times_matched_until(connection, "ann/a", DAY[9]) == 0
        past = read_past(connection)
    assert [standing_outcomes(past, "ann/ab", DAY[d]) for d in (3, 5, 6)] == [{}, {"click": 1}, {"success": 1}]


def test_one_half_life_later_every_weight_is_half(home: Home) -> None:
    search = make_search(["ann/a", "bob/b"], time_us=DAY[0])
    with home.store.writing() as connection:
        log.append_events(connection, [search, make_outcome(search, "ann/a", "select", time_us=DAY[0]),
                                       make_outcome(search, "bob/b", "click", time_us=DAY[0])])  # fmt: skip
        past = read_past(connection)
    from graph.statistics import build_match_graph

    now, later = (build_match_graph(past.fold, DAY[d]) for d in (0, int(HALF_LIFE_DAYS)))
    for path, weight in now.walks.weights.items():
        assert later.walks.weights[path] == pytest.approx(weight / 2, rel=1e-12)
    assert later.pagerank == pytest.approx(now.pagerank)  # shares stay
    assert later.walks.flows["ann/a"] == pytest.approx(0.3)
