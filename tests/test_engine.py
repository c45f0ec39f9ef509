"""The one path of every search: order, filters, abstention, recording, pages, and what outcomes change."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import pytest
from factories import make_evidence
from small_catalogue import ARTIFACTS, build_small

from graph.claims import Claim
from graph.constants import ACTOR_EPSILON, LOG_SHRINK, TURN_CAP, TURN_WEIGHT
from graph.errors import EncoderMismatch, QueryError, SnapshotError
from graph.events import Actor, SearchEvent, now_us
from graph.home import Home
from graph.policy import POLICIES
from graph.store import catalogue, log
from graph.store.evidence import append_evidence
from search.engine import LOCAL, Engine, open_engine
from search.inspection.inspect_graph import check_graph, graph_stats
from search.memory import SearchRequest
from search.outcomes import Caller, record_last, record_outcome
from search.query import read_where
from search.show import show_artifact


@pytest.fixture
def engine(home: Home) -> Engine:
    return build_small(home)


def _ask(text: str, **fields: object) -> SearchRequest:
    return SearchRequest(text, LOCAL, **fields)  # type: ignore[arg-type]


def test_the_right_one_comes_first_and_parts_add_up(engine: Engine) -> None:
    answer = engine.search(_ask("estimate depth from one image"))
    assert answer.results[0].artifact == "cat/depth"
    assert [r.position for r in answer.results] == list(range(1, len(answer.results) + 1))
    assert not answer.abstained
    for result in answer.results:
        assert sum(result.parts.values()) == pytest.approx(result.score, abs=1e-9)
    assert [r.score for r in answer.results] == sorted((r.score for r in answer.results), reverse=True)


def test_an_exact_name_comes_first(engine: Engine) -> None:
    for name in ("ann/painter", "ann--painter", "  Painter "):
        answer = engine.search(_ask(name))
        assert answer.results[0].artifact == "ann/painter"
        assert answer.understood.name == "ann/painter"


def test_times_matched_is_exactly_the_number_of_searches(engine: Engine) -> None:
    for _ in range(7):
        engine.search(_ask("classify photos", limit=2))
    first = engine.search(_ask("classify photos", limit=2)).results[0]
    report = show_artifact(engine.home, first.artifact)
    assert (report.times_matched, report.distinct_actors) == (8, 1)
    assert graph_stats(engine.home).searches == 8
    assert check_graph(engine.home)["equal"]


def test_a_further_page_continues_its_search(engine: Engine) -> None:
    first = engine.search(_ask("photos", limit=3))
    second = engine.search(_ask("photos", limit=3, offset=3, parent=first.search_id))
    again = engine.search(_ask("photos", limit=3, offset=0, parent=first.search_id))
    assert [r.position for r in second.results] == [4, 5, 6]
    assert not {r.artifact for r in first.results} & {r.artifact for r in second.results}
    assert {r.artifact for r in again.results} == {r.artifact for r in first.results}
    for result in (*first.results, *second.results):
        assert show_artifact(engine.home, result.artifact).times_matched == 1
    assert graph_stats(engine.home).searches == 1
    with pytest.raises(QueryError, match="no search"):
        engine.search(_ask("photos", offset=3, parent="se_unknown"))


def test_synthetic_searches_count_nothing(engine: Engine) -> None:
    request = SearchRequest("classify photos", Caller("api", Actor(), synthetic=True))
    answer = engine.search(request)
    record_outcome(engine.home, answer.results[0].token or "", "success", request.caller)
    assert graph_stats(engine.home).model_dump() == dict.fromkeys(graph_stats(engine.home).model_dump(), 0)
    with engine.home.store.reading() as connection:
        assert log.last_seq(connection) > 0


def test_conditions_hold_of_every_result_and_what_is_unknown_is_said(engine: Engine) -> None:
    where = read_where(["params<10M"])
    answer = engine.search(_ask("classify photos", where=where))
    assert [r.artifact for r in answer.results] == ["ann/small-eyes"]
    assert answer.dropped_unknown == sum(artifact.params is None for artifact in ARTIFACTS)
    none = engine.search(_ask("classify photos", where=read_where(["params<10"])))
    assert none.abstained
    assert none.results == ()
    assert "widen" in none.message


def test_filters_do_not_starve_the_page(engine: Engine) -> None:
    assert engine.search(_ask("classify photos on a phone", limit=1)).results[0].artifact == "ann/small-eyes"
    answer = engine.search(_ask("classify photos on a phone", limit=1, where=read_where(["family=vit"])))
    assert [r.artifact for r in answer.results] == ["ben/large-eyes"]


def test_what_the_filters_leave_must_fit_too(engine: Engine) -> None:
    answer = engine.search(_ask("classify photos", where=read_where([], "tool")))
    assert answer.abstained
    assert "nothing that satisfies the conditions (type=tool) fits: to widen, drop type=tool: 3 fit" in answer.message


def test_abstention_is_recorded_but_counts_nothing(engine: Engine) -> None:
    answer = engine.search(_ask("quantum chromodynamics lagrangian"))
    assert answer.abstained
    assert answer.results == ()
    assert graph_stats(engine.home).searches == 0
    with engine.home.store.reading() as connection:
        (event,) = [e for e in log.read_events(connection, kind="search") if isinstance(e, SearchEvent)]
    assert event.abstained


def test_one_outcome_changes_the_next_search_by_at_most_epsilon(engine: Engine) -> None:
    before = engine.search(_ask("classify photos"))
    second = before.results[1]
    record_outcome(engine.home, second.token or "", "success", LOCAL)
    after = {r.artifact: r for r in engine.search(_ask("classify photos")).results}
    gained = after[second.artifact].score - second.score
    assert TURN_WEIGHT * TURN_CAP / (1 + LOG_SHRINK) <= gained <= ACTOR_EPSILON
    for result in before.results:
        if result.artifact != second.artifact:
            assert after[result.artifact].score == pytest.approx(result.score)


def test_another_process_feels_an_outcome(engine: Engine) -> None:
    other = open_engine(engine.home, engine.encoder)
    before = other.search(_ask("classify photos"))
    engine.search(_ask("classify photos"))
    record_last(engine.home, 2, "success", LOCAL)
    after = {r.artifact: r.parts["graph"] for r in other.search(_ask("classify photos")).results}
    assert after[before.results[1].artifact] > 0


def test_paraphrases_share_an_intent_and_other_questions_do_not(engine: Engine) -> None:
    for text in ("classify photos", "photos classify", "Classify  photos!", "estimate depth"):
        engine.search(_ask(text))
    assert graph_stats(engine.home).intents == 2


def test_the_log_says_which_events_the_scores_knew(engine: Engine) -> None:
    first, second = (engine.search(_ask("classify photos")) for _ in range(2))
    with engine.home.store.reading() as connection:
        events = [e for e in log.read_events(connection, kind="search") if isinstance(e, SearchEvent)]
    assert [e.id for e in events] == [first.search_id, second.search_id]
    assert events[1].seen_seq == first.event_seq
    assert {e.operation for e in events} == {"search"}


def test_what_is_personal_is_stored_redacted(engine: Engine) -> None:
    engine.search(_ask("classify photos for ann@example.org"))
    with engine.home.store.reading() as connection:
        (event,) = [e for e in log.read_events(connection, kind="search") if isinstance(e, SearchEvent)]
    assert event.query == "classify photos for [email]"
    assert b"ann@example" not in (engine.home.path / "matchgraph.db").read_bytes()


def test_threads_share_an_engine(engine: Engine) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: engine.search(_ask("classify photos")), range(20)))
    assert len({answer.search_id for answer in answers}) == 20
    assert graph_stats(engine.home).searches == 20
    assert check_graph(engine.home)["equal"]


def test_the_same_state_gives_the_same_answer(engine: Engine) -> None:
    first, second = (engine.search(_ask("photos")) for _ in range(2))
    same = [(r.artifact, r.score, r.parts) for r in first.results]
    assert same == [(r.artifact, r.score, r.parts) for r in second.results]


def test_another_encoder_is_refused(engine: Engine) -> None:
    other = type(engine.encoder)("other words")
    with pytest.raises(EncoderMismatch, match="encoder"):
        open_engine(engine.home, other)


def test_nothing_built_yet(home: Home) -> None:
    with pytest.raises(SnapshotError, match="build"):
        build_small(home)
        for file in home.snapshots.glob("current"):
            file.unlink()
        open_engine(home, build_small.__globals__["WordEncoder"]())


def test_an_empty_catalogue_abstains(home: Home) -> None:
    answer = build_small(home, ()).search(_ask("anything"))
    assert answer.abstained
    assert "empty" in answer.message


def test_a_token_belongs_to_its_result(engine: Engine) -> None:
    answer = engine.search(_ask("classify photos"))
    for result in answer.results:
        recorded = record_outcome(engine.home, result.token or "", "select", LOCAL)
        assert recorded.artifact == result.artifact
    assert dataclasses.asdict(LOCAL)["face"] == "cli"


def test_a_stricter_policy_leaves_out_what_it_objects_to(engine: Engine) -> None:
    (runs,) = (claim for claim in _claims(engine, "ben/large-eyes") if claim.metric == "runs")
    with engine.home.store.writing() as connection:
        append_evidence(connection, [make_evidence("ben/large-eyes", claim=runs.id, time_us=now_us())])
    everything = engine.search(_ask("classify photos"))
    assert len(everything.results) > 1
    strict = engine.search(_ask("classify photos", policy=POLICIES["production"], limit=1))
    assert [r.artifact for r in strict.results] == ["ben/large-eyes"]  # never starved, though it is not the first
    assert everything.results[0].artifact != "ben/large-eyes"
    event = _last_search(engine)
    assert (event.policy, [r.artifact for r in event.results]) == ("production", ["ben/large-eyes"])
    none = engine.search(_ask("classify photos", policy=POLICIES["production"], where=read_where(["params<10M"])))
    assert none.abstained
    assert "policy production" in none.message
    engine.search(_ask("classify photos"))
    assert _last_search(engine).policy == "open"  # the index's own


def test_last_finds_a_position_on_an_earlier_page(engine: Engine) -> None:
    first = engine.search(_ask("photos", limit=2))
    engine.search(_ask("photos", limit=2, offset=2, parent=first.search_id))
    assert record_last(engine.home, 1, "success", LOCAL).artifact == first.results[0].artifact
    with pytest.raises(QueryError, match="no position 9"):
        record_last(engine.home, 9, "success", LOCAL)


def _claims(engine: Engine, artifact: str) -> list[Claim]:
    with engine.home.store.reading() as connection:
        return catalogue.stated_claims(connection, artifact)


def _last_search(engine: Engine) -> SearchEvent:
    with engine.home.store.reading() as connection:
        found = [e for e in log.read_events(connection, kind="search") if isinstance(e, SearchEvent)]
    return found[-1]


def test_verified_comes_before_claimed_where_scores_print_alike(home: Home) -> None:
    twins = [ARTIFACTS[0].model_copy(update={"id": f"t{n}/eyes", "slug": f"t{n}--eyes"}) for n in range(3)]
    engine = build_small(home, (*ARTIFACTS, *twins))
    ask = _ask("names what is on a photo, on a phone", limit=2, explore=False)
    before = [r.artifact for r in engine.search(ask).results]
    (runs,) = (claim for claim in _claims(engine, "t2/eyes") if claim.metric == "runs")
    with home.store.writing() as connection:
        append_evidence(connection, [make_evidence("t2/eyes", claim=runs.id, time_us=now_us())])
    after = engine.search(ask).results
    assert [r.artifact for r in after] == ["t2/eyes", before[0]]
    assert f"{after[0].score:.3f}" == f"{after[1].score:.3f}"
    further = engine.search(_ask("names what is on a photo, on a phone", limit=2, offset=2, explore=False)).results
    assert not {r.artifact for r in after} & {r.artifact for r in further}
    assert further[0].artifact == before[1]


def test_a_fresh_process_gives_the_same_bits(engine: Engine) -> None:
    for text in ("classify photos", "draw pictures", "photos of animals", "write down speech"):
        answer = engine.search(_ask(text))
        if answer.results:
            record_outcome(engine.home, answer.results[-1].token or "", "success", LOCAL)
    fresh, now = open_engine(engine.home, engine.encoder), now_us()
    for text in ("classify photos", "animals on photos"):
        found = []
        for each in (engine, fresh):
            with each.home.store.reading() as connection:
                each.memory.refresh(connection)
            found.append(each.score(text, each.encoder.encode([text])[0], as_of_us=now))
        assert found[0].parts["graph"].any()
        assert found[0].total.tolist() == found[1].total.tolist()


def test_a_warm_engine_answers_the_same_and_stops_when_told(home: Home) -> None:
    engine = build_small(home)
    asked: list[bool] = []

    def is_wanted() -> bool:
        asked.append(True)
        return False

    engine.warm(is_wanted)
    assert asked == [True]
    cold = open_engine(home, engine.encoder)
    engine.warm()
    both = [each.search(SearchRequest("classify photos", LOCAL)) for each in (engine, cold)]
    assert [(r.artifact, r.score, r.rank, r.why, r.verdicts) for r in both[0].results] == [
        (r.artifact, r.score, r.rank, r.why, r.verdicts) for r in both[1].results
    ]


def test_one_thread_answers_what_several_do(home: Home) -> None:
    engine = build_small(home)
    alone = open_engine(
        dataclasses.replace(home, settings=home.settings.model_copy(update={"threads": 1})), engine.encoder
    )
    answers = [each.search(SearchRequest("write down spoken words", LOCAL)) for each in (alone, engine)]
    assert [(r.artifact, r.score) for r in answers[0].results] == [(r.artifact, r.score) for r in answers[1].results]
