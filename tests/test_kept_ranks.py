"""Ranks kept in the store are those of the definition, whatever happened since they were kept."""

from __future__ import annotations

import random
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from factories import DAY_0_US, make_artifact, make_evidence, make_outcome, make_search
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, delete, event, select, update

from graph.artifacts import Signals
from graph.claims import Claim
from graph.constants import DAY_US
from graph.errors import StoreError
from graph.events import CatalogueEvent, Tombstone, new_id, now_us
from graph.explain import find_crowd
from graph.home import Home, open_home
from graph.ranks import kept_ranks, packed_ranks
from graph.ranks.kept_ranks import KEEP_AFTER, Ranks, open_ranks
from graph.ranks.score_inputs import score_inputs
from graph.ranks.scores import Score, score_all
from graph.settings import Settings
from graph.store import catalogue, log
from graph.store.evidence import append_evidence
from graph.store.stamp import read_stamp
from graph.store.tables import ARTIFACTS, ASSIGNMENTS, CLAIMS, EVENTS, EVIDENCE, FOLD_TABLES, KEPT_RANKS, META
from graph.walks import Node, walk_votes
from search.compare import compare_artifacts
from search.inspection.inspect_graph import explain_rank
from search.inspection.standings import read_standing
from search.ranks import RankCache

NOW = DAY_0_US + DAY_US
NAMES = [f"o/m{number}" for number in range(9)]
KINDS = ["click", "select", "success", "failure", "dismiss"]
ACTORS = ["ann", "bob", "eve", "anonymous"]
INTENTS = ["in_1", "in_2", "in_3", None]


def catalogue_entry(number: int, downloads: int | None = None) -> Any:
    name = NAMES[number]
    claims = (Claim(id=f"cl_{number}", artifact=name, capability="classify", metric="runs"),)
    return make_artifact(
        name, type="tool" if number % 3 == 2 else "model", claims=claims, has_card=number % 2 == 0,
        released=[None, "2025-05-01"][number % 2], base_model=NAMES[0] if number == 4 else None,
        signals=Signals(downloads=downloads or number * 50, likes=number if number > 3 else None),
    )  # fmt: skip


def clear(home: Home) -> None:
    with home.store.writing() as connection:
        for table in (EVENTS, *FOLD_TABLES, KEPT_RANKS, ARTIFACTS, CLAIMS, ASSIGNMENTS, EVIDENCE):
            connection.execute(delete(table))
        catalogue.save_artifacts(connection, [catalogue_entry(number) for number in range(7)])  # two never are


def happen(connection: Connection, draw: random.Random) -> None:
    """One thing that happens to a home."""
    what = draw.choices(["later", "log", "merge", "forget", "evidence", "entry", "retire", "assign", "rebuild"],
                        [9, 30, 2, 2, 4, 4, 1, 2, 1])[0]  # fmt: skip
    if what == "later":
        log.append_events(connection, [make_search(draw.sample(NAMES, 2))], fold_later=True)
    elif what == "log":
        shown = [(name, draw.choice(["capability://a.b.1", "capability://a.b.2", None]))
                 for name in draw.sample(NAMES, 3)]  # fmt: skip
        search = make_search(
            shown, actor=draw.choice(ACTORS), intent=draw.choice(INTENTS), time_us=NOW - draw.randrange(400) * DAY_US,
            synthetic=draw.random() < 0.1, abstained=draw.random() < 0.1,
        )  # fmt: skip
        found = [make_outcome(search, name, draw.choice(KINDS), trust=draw.choice([0.0, 0.3, 1.0]),
                              actor=draw.choice(ACTORS), position=draw.choice([1, 1, 2, 10]),
                              time_us=NOW + draw.choice([-300, -3, 0, 3]) * DAY_US)
                 for name, _ in draw.sample(shown, draw.randrange(3))]  # fmt: skip
        log.append_events(connection, [search, *found])
    elif what == "merge":
        action, one, other = draw.choice([("artifact_merged", NAMES[8], NAMES[1]), ("actor_merged", "bob", "ann"),
                                          ("capability_aliased", "capability://a.b.2", "capability://a.b.1"),
                                          ("intent_merged", "in_2", "in_1")])  # fmt: skip
        log.append_events(connection, [CatalogueEvent(id=new_id("ce"), time_us=NOW, action=action, subject=one,
                                                      object=other)])  # fmt: skip
    elif what == "forget":
        ids = [e.id for e in log.read_events(connection) if getattr(getattr(e, "actor", None), "id", None) == "eve"]
        log.erase_events(connection, Tombstone(id=new_id("to"), time_us=NOW, erased=tuple(ids), reason="forget"))
    elif what == "evidence":
        number = draw.randrange(7)
        verdict = draw.choice(["verified", "refuted", "error"])
        record = make_evidence(
            NAMES[number],
            verdict,
            claim=f"cl_{number}",
            time_us=NOW + draw.randrange(-1000, 300) * DAY_US // 100 + draw.randrange(10**9),
        )
        append_evidence(connection, [record])
    elif what == "entry":
        catalogue.save_artifacts(connection, [catalogue_entry(draw.randrange(8), draw.randrange(500))])
    elif what == "retire":
        connection.execute(update(ARTIFACTS).where(ARTIFACTS.c.id == NAMES[6]).values(retired=True))
        catalogue.save_artifacts(connection, [catalogue_entry(5, draw.randrange(500))])
    elif what == "assign":
        uri = draw.choice(["capability://x.y.1", "capability://x.y.2"])
        catalogue.save_assignments(connection, {(NAMES[draw.randrange(7)], "classify"): uri})
    else:
        log.rebuild(connection)


def is_near(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return one == pytest.approx(other, rel=1e-9, abs=1e-10)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(is_near(one[key], other[key]) for key in one)
    return bool(one == other)


def agree(home: Home, as_of_us: int, ranks: Ranks | None = None) -> Ranks:
    """Ranks, scores and crowds of all are those of the definition at this moment; the ranks."""
    with home.store.reading() as connection:
        found = open_ranks(connection, as_of_us) if ranks is None else ranks
        expected: dict[str, Score] = score_all(score_inputs(connection, as_of_us), as_of_us)
        walks = walk_votes(log.read_votes(connection), as_of_us)
    for name in NAMES:
        rank = found.table.rank(name, as_of_us)
        assert found.table.is_known(name) == (name in expected)
        assert rank == (pytest.approx(expected[name].rank, abs=1e-8) if name in expected else None)
        flow = walks.flows.get(name, 0.0)
        assert found.table.pagerank(flow, as_of_us) == pytest.approx(
            walks.ranks.get(Node("artifact", name), 0.0), abs=1e-11
        )  # fmt: skip
        if name in expected:
            with home.store.reading() as connection:
                artifact = catalogue.find_artifact(connection, name)
                standing = read_standing(connection, found.table, artifact, as_of_us)
            assert is_near(standing.score.to_json(), expected[name].to_json())
            assert standing.crowd == find_crowd(walks, name)
    return found


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None, max_examples=25
)
@given(st.integers(0, 10_000), st.integers(1, 12))
def test_ranks_are_those_of_the_definition_whatever_happened(home: Home, seed: int, steps: int) -> None:
    draw, as_of_us = random.Random(seed), NOW
    clear(home)
    live = agree(home, as_of_us)
    for _ in range(steps):
        with home.store.writing(folded=False) as connection:
            for _ in range(draw.randrange(1, 4)):
                happen(connection, draw)
        as_of_us += draw.choice([0, 1, 5 * DAY_US, 200 * DAY_US])
        if draw.random() < 0.4:
            agree(home, as_of_us).keep(home.store)
        with home.store.reading(folded=False) as connection:
            follows = live.follow(connection, as_of_us)
            began = open_ranks(connection, as_of_us)
        live = agree(home, as_of_us, live if follows else None)  # a process that stayed
        agree(home, as_of_us, began)  # one that just began


def kept(home: Home) -> bytes | None:
    with home.store.reading() as connection:
        found = connection.execute(select(KEPT_RANKS.c.data)).scalar()
    return None if found is None else bytes(found)


def with_log(home: Home, searches: int = 30) -> None:
    """A log of some searches, each with a success."""
    clear(home)
    with home.store.writing() as connection:
        for number in range(searches):
            shown = [NAMES[number % 7], NAMES[(number + 1) % 7]]
            search = make_search(shown, actor=f"u{number}")
            log.append_events(connection, [search, make_outcome(search, shown[0])])


def say(home: Home, name: str, actor: str = "eve") -> None:
    """A success of an artifact."""
    search = make_search([name], actor=actor)
    with home.store.writing() as connection:
        log.append_events(connection, [search, make_outcome(search, name)])


def test_what_is_kept_is_used_and_followed_not_computed_anew(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    with_log(home)
    agree(home, NOW).keep(home.store)
    say(home, NAMES[3])
    monkeypatch.setattr(kept_ranks, "compute_ranks", None)
    followed = agree(home, NOW + 9 * DAY_US)
    assert not followed.is_worth_keeping
    for _ in range(KEEP_AFTER // 2):
        say(home, NAMES[3], "ann")
    assert agree(home, NOW + 9 * DAY_US).is_worth_keeping


def test_what_is_to_come_comes_at_its_time(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    clear(home)
    search = make_search(NAMES[:3])
    with home.store.writing() as connection:
        log.append_events(connection, [search, make_outcome(search, NAMES[1], time_us=NOW + 3 * DAY_US)])
        append_evidence(connection, [make_evidence(NAMES[2], "verified", claim="cl_2", time_us=NOW + 5 * DAY_US)])
    agree(home, NOW).keep(home.store)
    with monkeypatch.context() as patched:
        patched.setattr(kept_ranks, "compute_ranks", None)
        followed = agree(home, NOW + 4 * DAY_US)
    assert followed.table.crowd(NAMES[1]) == (1, 1, 1)
    assert agree(home, NOW + 6 * DAY_US).is_worth_keeping  # evidence: computed anew


def test_a_merge_of_intents_is_not_missed(home: Home) -> None:
    clear(home)
    one, other = make_search(NAMES[:1], intent="in_1"), make_search(NAMES[:1], intent="in_2")
    with home.store.writing() as connection:
        log.append_events(
            connection, [one, other, make_outcome(one, NAMES[0]), make_outcome(other, NAMES[0], "failure")]
        )
    agree(home, NOW).keep(home.store)
    with home.store.writing() as connection:
        merge = CatalogueEvent(id=new_id("ce"), time_us=NOW, action="intent_merged", subject="in_2", object="in_1")
        log.append_events(connection, [merge])
    assert agree(home, NOW).is_worth_keeping


def test_searches_that_are_not_folded_yet_deliver(home: Home) -> None:
    with_log(home, 3)
    with home.store.writing(folded=False) as connection:
        log.append_events(connection, [make_outcome("se_elsewhere", NAMES[6], "dismiss")])  # ranked, not delivered
        log.append_events(connection, [make_search([NAMES[6]])], fold_later=True)
    with home.store.reading(folded=False) as connection:
        ranks = open_ranks(connection, NOW)
    agree(home, NOW, ranks)


def test_a_search_of_this_process_is_heard_not_read_back(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    with_log(home, 3)
    with home.store.writing() as connection:
        merge = CatalogueEvent(
            id=new_id("ce"), time_us=NOW, action="artifact_merged", subject=NAMES[4], object=NAMES[3]
        )
        log.append_events(connection, [merge])
    cache = RankCache(home)
    with home.store.reading() as connection:
        cache.refresh(read_stamp(connection))
    for delivered, is_heard in (([NAMES[5]], True), ([NAMES[4]], False), ([NAMES[8]], False), ([NAMES[6]], False)):
        search = make_search(delivered, synthetic=delivered == [NAMES[6]])
        with home.store.writing(folded=False) as connection:
            log.append_events(connection, [search], fold_later=True)
            stamp = read_stamp(connection)
        cache.hear(search, stamp)
        with monkeypatch.context() as patched:
            patched.setattr(RankCache, "_at_newest", lambda *_: None)
            assert (cache.refresh(stamp) is not None) == is_heard
        cache = cache if is_heard else RankCache(home)
        agree(home, now_us(), cache.refresh(stamp))


def test_what_counts_nothing_delivers_nothing(home: Home) -> None:
    with_log(home, 3)
    agree(home, NOW).keep(home.store)
    with home.store.writing() as connection:
        log.append_events(
            connection, [make_search([NAMES[6]], synthetic=True), make_search([NAMES[5]], abstained=True)]
        )
    agree(home, NOW)


def test_an_explain_after_an_outcome_reads_the_votes_of_its_artifact_alone(home: Home) -> None:
    with_log(home, 300)
    explain_rank(home, NAMES[0])
    say(home, NAMES[0])
    read: list[tuple[str, int]] = []

    def hear(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        read.append((statement, 0))

    counted = home.store._engine
    event.listen(counted, "before_cursor_execute", hear)
    try:
        explain_rank(home, NAMES[0])
    finally:
        event.remove(counted, "before_cursor_execute", hear)
    votes = [statement for statement, _ in read if "fold_votes" in statement]
    assert votes and all("fold_votes.artifact" in statement.split("WHERE")[-1] for statement in votes)
    assert len(read) < 40
    assert not any("FROM fold_times" in statement and "WHERE" not in statement for statement, _ in read)


@pytest.mark.parametrize("spoil", [
    lambda data: data[:-9] + b"\0\0\0\0\0\0\xf0\x3f\0", lambda data: data[:-1], lambda _: b"", lambda _: b"\0" * 4,
    lambda data: data[:99] + bytes([data[99] ^ 1]) + data[100:],
    lambda _: zlib.crc32(b"\x80").to_bytes(4, "little") + b"\x80",
])  # fmt: skip
def test_damaged_ranks_are_computed_anew(home: Home, spoil: Callable[[bytes], bytes]) -> None:
    with_log(home)
    agree(home, NOW).keep(home.store)
    before = kept(home)
    with home.store.writing() as connection:
        connection.execute(update(KEPT_RANKS).values(data=spoil(before or b"")))
    again = agree(home, NOW)
    assert again.is_worth_keeping
    again.keep(home.store)
    assert kept(home) == before


def test_ranks_of_other_constants_are_computed_anew(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    with_log(home)
    agree(home, NOW).keep(home.store)
    assert not agree(home, NOW).is_worth_keeping
    monkeypatch.setattr(packed_ranks, "_FORMULAS", "another version")
    assert agree(home, NOW).is_worth_keeping


def test_ranks_of_a_clock_that_went_back_are_computed_anew(home: Home) -> None:
    with_log(home)
    agree(home, NOW + DAY_US).keep(home.store)
    assert agree(home, NOW).is_worth_keeping


def test_what_was_forgotten_is_in_no_kept_rank(home: Home) -> None:
    with_log(home)
    say(home, NAMES[0], "someone-to-forget")
    before = agree(home, NOW)
    before.keep(home.store)
    assert b"someone-to-forget" in (kept(home) or b"")
    with home.store.writing() as connection:
        ids = [e.id for e in log.read_events(connection) if "someone-to-forget" in e.model_dump_json()]
        log.erase_events(connection, Tombstone(id=new_id("to"), time_us=NOW, erased=tuple(ids), reason="forget"))
    assert kept(home) is None
    before.keep(home.store)  # another process that had computed them before
    assert kept(home) is None
    agree(home, NOW)


def test_explain_does_not_wait_to_keep_and_the_next_one_keeps(home: Home) -> None:
    with_log(home)
    with home.store.writing() as connection:
        connection.execute(update(META).where(META.c.key == "nothing").values(value="x"))
        began = time.monotonic()
        explain_rank(home, NAMES[0])
        assert time.monotonic() - began < 10
        with pytest.raises(StoreError, match=r"locked|another process"), home.store.writing(wait=False):
            pass
    assert kept(home) is None
    explain_rank(home, NAMES[0])
    assert kept(home) is not None


def test_a_home_that_cannot_be_written_is_read_all_the_same(home: Home) -> None:
    with_log(home)
    expected = explain_rank(home, NAMES[0])
    with home.store.writing() as connection:
        connection.execute(delete(KEPT_RANKS))

    def refuse(connection: Any, *_: Any) -> None:
        connection.connection.driver_connection.execute("PRAGMA query_only=ON")

    event.listen(home.store._engine, "begin", refuse)
    found = explain_rank(home, NAMES[0])
    event.remove(home.store._engine, "begin", refuse)
    assert kept(home) is None
    assert found["rank"] == pytest.approx(expected["rank"], abs=1e-3)


def test_two_processes_follow_each_other(home: Home) -> None:
    with_log(home)
    other = open_home(Settings(home=home.path))
    caches = [(RankCache(each), each) for each in (home, other)]
    for number in range(6):
        say([home, other][number % 2], NAMES[number], f"v{number}")
        found = []
        for cache, each in caches:
            with each.store.reading() as connection:
                stamp = read_stamp(connection)
            found.append([cache.rank(name, stamp) for name in NAMES])
        with home.store.reading() as connection:
            as_of_us = now_us()
            expected = score_all(score_inputs(connection, as_of_us), as_of_us)
        for ranks in found:
            assert ranks == [pytest.approx(expected[name].rank, abs=1e-6) if name in expected else None
                             for name in NAMES]  # fmt: skip
    other.close()


def test_threads_explain_while_others_vote(home: Home) -> None:
    with_log(home, 10)
    explain_rank(home, NAMES[0])

    def explain(number: int) -> dict[str, Any]:
        if number % 3 == 0:
            say(home, NAMES[number % 5], f"t{number}")
        return explain_rank(home, NAMES[number % 5])

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(explain, range(60)))
    for answer in answers:
        parts = answer["components"].values()
        assert answer["rank"] == pytest.approx(sum(part["contribution"] for part in parts), abs=1e-6)
        crowd = answer["match_graph"]["crowd"]
        assert crowd["only_here"] <= crowd["voters"] == answer["match_graph"]["voters"]
    agree(home, now_us())


def test_compare_and_explain_say_the_same(home: Home) -> None:
    with_log(home)
    rows = {row.name: row.values for row in compare_artifacts(home, NAMES[:2]).rows}
    ranks = [explain_rank(home, name)["rank"] for name in NAMES[:2]]
    assert list(rows["UnfragileRank"]) == pytest.approx(ranks, abs=1e-3)
