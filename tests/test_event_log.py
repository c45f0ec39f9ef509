"""The event log: counts as it grows equal counts folded anew; nothing acknowledged is lost; alteration is named."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from factories import DAY_0_US, make_log, make_outcome, make_page, make_search
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, text

from graph.digest import digest_of
from graph.errors import StoreError, TokenRefused
from graph.events import CatalogueEvent, Tombstone
from graph.home import Home, open_home
from graph.match_graph import Fold
from graph.settings import Settings
from graph.store import log
from graph.store.tables import EVENTS, FOLD_TABLES, OUTCOMES_ONCE, PACKED_VOTES, UNPACKED_SEARCHES


def append(home: Home, *events: log.AnyEvent) -> int:
    with home.store.writing() as connection:
        return log.append_events(connection, events)


def stored_fold(home: Home) -> Fold:
    with home.store.reading() as connection:
        return log.read_fold(connection)


@pytest.fixture(scope="module")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    opened = open_home(Settings(home=tmp_path_factory.mktemp("log")))
    yield opened
    opened.close()


def test_the_digest_that_stays_of_a_forgotten_event_confirms_no_guess(home: Home) -> None:
    search, vote = make_search(["a"], query="my illness"), make_outcome("se_1", "a")
    with home.store.writing() as connection:
        log.append_events(connection, [search, vote])
        salts = {event.salt for event in log.read_events(connection)}
        assert len(salts) == 2 and all(len(salt) == 32 for salt in salts)
        kept = connection.execute(EVENTS.select().where(EVENTS.c.id == search.id)).one().payload_digest
        assert kept != digest_of(search.model_dump(mode="json"))  # all that a guesser could know
        log.erase_events(connection, Tombstone(id="ts", time_us=DAY_0_US, erased=(search.id, vote.id), reason="asked"))
        left = " ".join(str(row) for row in connection.execute(EVENTS.select()))
    assert not any(salt in left for salt in salts)


# Folding ------------------------------------------------------------------------------------------------
@given(st.integers(0, 10_000), st.integers(0, 10), st.integers(1, 9))
def test_growing_in_parts_and_any_order_is_folding_anew(shared_home: Home, seed: int, size: int, part: int) -> None:
    with shared_home.store.writing() as connection:
        for table in (EVENTS, *FOLD_TABLES, PACKED_VOTES, UNPACKED_SEARCHES):
            connection.execute(delete(table))
        events = make_log(seed, size)
        shuffled = random.Random(seed).sample(events, len(events))
        for start in range(0, len(shuffled), part):
            log.append_events(connection, shuffled[start : start + part])
        grown = log.read_fold(connection)
        assert grown == log.refold(connection)
        assert log.is_fold_equal(connection)
        log.rebuild(connection)
        assert grown == log.read_fold(connection)
        assert [event.model_copy(update={"salt": ""}) for event in log.read_events(connection)] == shuffled
        assert log.check_event_chain(connection) == len(events)


def test_times_matched_is_exact_over_pages_repeats_abstention_and_bots(home: Home) -> None:
    first = make_search(["a", "b"])
    second = make_page(first, [("b", True), ("c", False)])
    assert append(home, first) == 1
    with home.store.reading() as connection:
        assert log.delivered_before(connection, first.id) == {"a", "b"}
    append(home, second, make_search(["a"], actor="ann"), make_search(["a"], abstained=True))
    append(home, make_search(["a"], synthetic=True))
    counts = stored_fold(home)
    assert counts.times == {"a": 2, "b": 1, "c": 1}
    assert counts.intents.total() == 2
    with home.store.reading() as connection:
        assert log.delivered_before(connection, first.id) == {"a", "b", "c"}
        assert log.delivered_before(connection, "se_unknown") == frozenset()


def test_a_throw_away_home_counts_synthetic_events_and_keeps_its_mark(throw_away_home: Home) -> None:
    append(throw_away_home, make_search(["a"], synthetic=True))
    again = open_home(throw_away_home.settings, throw_away=False)
    append(again, make_search(["a"], synthetic=True))
    assert stored_fold(again).times == {"a": 2}
    again.close()


# Erasing ------------------------------------------------------------------------------------------------
def test_forgotten_events_leave_the_counts_and_the_file_but_not_the_chain(home: Home) -> None:
    mine = make_search(["a", "b"], actor="ann", query="my very secret wish")
    vote = make_outcome(mine, "a")
    append(home, make_search(["a"]), mine, vote, make_search([], abstained=True))
    with home.store.writing() as connection:
        log.erase_events(connection, Tombstone(id="ts", time_us=DAY_0_US, erased=(mine.id, vote.id), reason="asked"))
    counts = stored_fold(home)
    assert (counts.times, counts.votes) == ({"a": 1}, {})
    assert "ann" not in {actor for _, actor in counts.actors}
    with home.store.reading() as connection:
        assert log.read_event(connection, mine.id) is None
        assert log.check_event_chain(connection) == 5
        assert log.refold(connection) == counts
        assert [event.kind for event in log.read_events(connection)] == ["search", "search", "tombstone"]
    home.close()
    left = [file.name for file in home.path.iterdir() if b"my very secret wish" in file.read_bytes()]
    assert left == []


# Alteration ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "alteration",
    [
        "UPDATE events SET payload = replace(payload, 'wish 3', 'wisH 3') WHERE seq = 3",
        "UPDATE events SET payload_digest = replace(payload_digest, substr(payload_digest, 1, 1), 'x') WHERE seq = 3",
        "UPDATE events SET chain = '0' WHERE seq = 3",
        "UPDATE events SET id = 'se_3x' WHERE seq = 3",
        "UPDATE events SET actor = 'bob' WHERE seq = 3",
        "UPDATE events SET synthetic = 1 WHERE seq = 3",
        "UPDATE events SET time_us = time_us + 1 WHERE seq = 3",
        "DELETE FROM events WHERE seq = 2",
    ],
)
def test_one_altered_byte_of_an_event_is_named(home: Home, alteration: str) -> None:
    append(home, *(make_search(["a"], id=f"se_{i}", query=f"wish {i}") for i in range(1, 6)))
    with home.store.writing() as connection:
        assert log.check_event_chain(connection) == 5
        assert connection.execute(text(alteration)).rowcount == 1
    with home.store.reading() as connection, pytest.raises(StoreError, match=r"event se_3x? \(number 3\)"):
        log.check_event_chain(connection)


def test_altered_counts_differ_from_the_log_and_are_mended(home: Home) -> None:
    append(home, make_search(["a"]))
    with home.store.writing() as connection:
        connection.execute(text("UPDATE fold_times SET searches = 1000"))
        assert log.read_fold(connection) != log.refold(connection)
        log.rebuild(connection)
        assert log.read_fold(connection) == log.refold(connection)


def test_an_event_is_appended_once_and_only_if_json_can_hold_it(home: Home) -> None:
    search = make_search(["a"])
    append(home, search)
    with pytest.raises(StoreError, match="stored already"):
        append(home, search)
    with pytest.raises(StoreError, match=r"event ce_1: .*leave this value out"):
        append(home, CatalogueEvent(id="ce_1", time_us=1, action="artifact_added", subject="a", detail={"n": 2**60}))
    assert stored_fold(home).times == {"a": 1}


# Outcomes -----------------------------------------------------------------------------------------------
def test_each_outcome_is_taken_once_and_success_excludes_failure(home: Home) -> None:
    search = make_search(["a", "b"])
    append(home, search)

    def record(kind: str, artifact: str = "a") -> None:
        event = make_outcome(search, artifact, kind)
        with home.store.writing() as connection:
            log.claim_outcome(connection, event)
            log.append_events(connection, [event])

    record("click")
    record("success")
    record("failure", "b")
    for kind, artifact, reason in (
        ("click", "a", "reused"), ("success", "a", "reused"), ("failure", "a", "contradicts"),
        ("success", "b", "contradicts"),
    ):  # fmt: skip
        with pytest.raises(TokenRefused) as caught:
            record(kind, artifact)
        assert caught.value.reason == reason
    with home.store.reading() as connection:
        assert log.last_seq(connection) == 4
        assert len(connection.execute(OUTCOMES_ONCE.select()).all()) == 3


# Several writers, and a writer that dies ------------------------------------------------------------------
WRITER = """
import sys
from pathlib import Path
from graph.home import open_home
from graph.settings import Settings
from graph.store.log import append_events
from factories import make_outcome, make_search
home = open_home(Settings(home=Path(sys.argv[1])))
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[2])):
    search = make_search(["a", f"b{number % 7}"], actor=sys.argv[3])
    with home.store.writing() as connection:
        append_events(connection, [search, make_outcome(search, "a")])
    print(search.id, flush=True)
"""


def start_writer(home: Home, repository: Path, count: int, actor: str) -> subprocess.Popen[str]:
    command, pipe = [sys.executable, "-c", WRITER, str(home.path), str(count), actor], subprocess.PIPE
    writer = subprocess.Popen(command, cwd=repository / "tests", stdin=pipe, stdout=pipe, stderr=pipe, text=True)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "ready\n"
    return writer


def let_go(writer: subprocess.Popen[str]) -> None:
    assert writer.stdin is not None
    writer.stdin.write("go\n")
    writer.stdin.flush()


def test_two_writers_at_once_lose_nothing_and_keep_one_chain(home: Home, repository: Path) -> None:
    writers = [start_writer(home, repository, 60, actor) for actor in ("ann", "bob")]
    for writer in writers:
        let_go(writer)
    answers = [writer.communicate(timeout=60) for writer in writers]
    assert [error for _, error in answers] == ["", ""]
    counts = stored_fold(home)
    assert counts.times["a"] == 120
    assert counts.actors["a", "ann"] == counts.actors["a", "bob"] == len(counts.votes_on("a")) // 2 == 60
    with home.store.reading() as connection:
        assert log.check_event_chain(connection) == 240
        assert log.refold(connection) == counts


def test_a_killed_writer_loses_nothing_that_it_acknowledged(home: Home, repository: Path) -> None:
    writer = start_writer(home, repository, 1_000_000, "ann")
    let_go(writer)
    assert writer.stdout is not None
    acknowledged = [writer.stdout.readline().strip() for _ in range(40)]
    writer.send_signal(signal.SIGKILL)
    acknowledged += [line.strip() for line in writer.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
    assert writer.wait(timeout=30) == -signal.SIGKILL
    counts = stored_fold(home)
    with home.store.reading() as connection:
        kept = {event.id for event in log.read_events(connection, kind="search")}
        assert set(acknowledged) <= kept
        assert log.check_event_chain(connection) == 2 * len(kept)  # a search and its outcome: both or none
        assert log.refold(connection) == counts
    append(home, make_search(["a"]))  # and the log goes on


def test_applying_an_event_costs_at_most_a_millisecond_beyond_its_durable_write(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def seconds(event: log.AnyEvent, *, fold: bool) -> float:
        with monkeypatch.context() as patched:
            if not fold:
                patched.setattr(log, "_fold_in", lambda *_: None)
            began = time.perf_counter()
            append(home, event)
            return time.perf_counter() - began

    names = [f"a{i}" for i in range(10)]
    pairs = [(make_search(names), make_search(names)) for _ in range(150)]
    pairs += [(make_outcome(one, "a3"), make_outcome(other, "a3")) for one, other in pairs]
    times = [(seconds(one, fold=True), seconds(other, fold=False)) for one, other in pairs]  # both sides interleaved
    for part in (times[:150], times[150:]):
        folded, bare = (sorted(side)[15] for side in zip(*part, strict=True))
        assert folded - bare <= 0.001  # tenth percentiles: what other processes take is not our cost


def test_a_full_disk_is_one_clear_line_and_loses_nothing(home: Home) -> None:
    append(home, make_search(["a"]))
    with home.store.reading() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreError, match="full: check that it is writable and has room"):
        append(home, *(make_search([f"a{n}"], query="long " * 300) for n in range(400)))
    with home.store.reading() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
        assert (log.last_seq(connection), log.check_event_chain(connection)) == (1, 1)
        assert log.read_fold(connection) == log.refold(connection)
    assert append(home, make_search(["a"])) == 2  # and the log goes on


def test_a_clock_that_goes_back_changes_nothing_but_ages(home: Home) -> None:
    search = make_search(["a"], time_us=DAY_0_US)
    late = make_outcome(search, "a", "select", time_us=DAY_0_US - 5_000_000)  # before the search itself
    append(home, search, late)
    append(home, make_outcome(search, "a", "success", time_us=DAY_0_US - 9_000_000))
    counts = stored_fold(home)
    assert [vote.outcome for vote in counts.votes.values()] == ["success"]
    with home.store.reading() as connection:
        assert log.refold(connection) == counts
        assert log.check_event_chain(connection) == 3
