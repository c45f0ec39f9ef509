"""Replay: the report equals the known truth; each row once, however often it comes; nothing is lost in silence."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from directory_log import (
    END_S,
    MAPPED,
    WINDOW,
    DirectoryLog,
    Truth,
    demand_differences,
    differences,
    directory_artifacts,
)
from factories import make_artifact
from fake_encoder import WordEncoder
from small_catalogue import build_small

from graph.errors import QueryError, SourceError, UnknownArtifact
from graph.event_responses import ImportResponse
from graph.events import OutcomeEvent, SearchEvent, now_us
from graph.home import Home, open_home
from graph.settings import Settings
from graph.store import catalogue, log
from search.demand import demand_report
from search.event_log import Slice, event_lines, export_events, forget_actor, take_back
from search.inspection.inspect_graph import check_graph, graph_stats
from search.replay import meaning
from search.replay.run import ImportOptions, import_events
from search.show import distinct_actors, show_artifact, times_matched

T0 = "2026-10-01T10:00:00Z"


@pytest.fixture
def small(home: Home) -> Home:
    build_small(home)
    return home


def _log(home: Home, *rows: dict[str, Any], name: str = "log.jsonl") -> Path:
    path = home.path.parent / name
    path.write_text("".join(json.dumps({"time": T0, "actor": "v1", **row}) + "\n" for row in rows), encoding="utf-8")
    return path


def _import(home: Home, *paths: Path, **options: Any) -> ImportResponse:
    answer = import_events(home, paths, ImportOptions(**options), WordEncoder())
    assert answer.rows == answer.accepted + sum(s.rows for s in answer.skipped) + sum(answer.rejected.values())
    return answer


def _skipped(answer: ImportResponse) -> dict[str, int]:
    return {skipped.reason: skipped.rows for skipped in answer.skipped}


def _events(home: Home) -> list[SearchEvent | OutcomeEvent]:
    with home.store.reading() as connection:
        return [e for e in log.read_events(connection) if isinstance(e, SearchEvent | OutcomeEvent)]


def _times(home: Home, artifact: str) -> int:
    return show_artifact(home, artifact).times_matched


# The known truth ------------------------------------------------------------------------------------------
def _replayed(home: Home, seed: int, rows: int, form: str) -> Truth:
    """A generated log is imported, and everything that it planted is found again."""
    build_small(home, directory_artifacts())
    written = DirectoryLog(seed, rows)
    path = home.path.parent / f"log.{form}"
    (written.write_lines if form == "jsonl" else written.write_csv)(path)
    told = _import(home, path, columns=MAPPED)
    assert differences(written.truth, told) == []
    report = demand_report(home, days=WINDOW, until_us=END_S * 1_000_000, limit=1_000)
    assert demand_differences(written.truth, report) == []
    with home.store.reading() as connection:
        for artifact in (each.id for each in directory_artifacts()):
            assert times_matched(connection, artifact) == written.truth.times[artifact]
            assert distinct_actors(connection, artifact) == len(written.truth.actors.get(artifact, ()))
    assert check_graph(home)["equal"]
    return written.truth


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_the_report_equals_the_known_truth(home: Home, form: str) -> None:
    truth = _replayed(home, seed=3, rows=2_000, form=form)
    assert len(truth.rejected) == 9
    assert set(truth.skipped) == {"bot", "synthetic", "duplicate", "repeated_outcome", "contradicting_outcome"}


@pytest.mark.slow
@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_ten_thousand_rows(home: Home, form: str) -> None:
    assert _replayed(home, seed=7, rows=10_000, form=form).rows == 10_000


def test_a_report_that_is_not_the_truth_is_noticed(home: Home) -> None:
    build_small(home, directory_artifacts())
    written = DirectoryLog(3, 300)
    path = home.path.parent / "log.jsonl"
    written.write_lines(path)
    told = _import(home, path, columns=MAPPED)
    written.truth.implied += 1
    assert differences(written.truth, told) == [
        f"implied: planted {written.truth.implied}, reported {written.truth.implied - 1}"
    ]


# Once -----------------------------------------------------------------------------------------------------
def test_a_dry_run_says_the_same_and_writes_nothing(small: Home) -> None:
    written = DirectoryLog(5, 300)
    path = small.path.parent / "log.jsonl"
    written.write_lines(path)
    before = graph_stats(small)
    dry = _import(small, path, columns=MAPPED, dry_run=True)
    assert graph_stats(small) == before
    wet = _import(small, path, columns=MAPPED)
    unlike = {"dry_run", "intents", "new_intents", "event_seq"}
    assert dry.model_dump(exclude=unlike) == wet.model_dump(exclude=unlike)
    assert (dry.dry_run, dry.intents) == (True, None)


def test_a_second_import_counts_nothing_and_a_grown_log_counts_what_is_new(
    small: Home, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    compared: list[int] = []
    real = meaning.near_intents

    def counted(queries: Any, known: Any) -> Any:
        compared.append(len(queries))
        return real(queries, known)

    monkeypatch.setattr(meaning, "near_intents", counted)
    rows = [
        {"query": "classify photos", "search_id": "1", "results": ["ann/small-eyes"]},
        {"event": "click", "search_id": "1", "artifact": "ann/small-eyes", "time": "2026-10-01T10:01:00Z"},
    ]
    path = _log(small, *rows)
    assert _import(small, path).accepted == 2 and compared
    compared.clear()
    again = _import(small, path)
    assert not compared
    assert (again.accepted, _skipped(again)) == (0, {"already_imported": 2})
    grown = _log(
        small, *rows, {"query": "classify photos", "results": ["ann/small-eyes"], "time": "2026-10-02T10:00:00Z"}
    )
    answer = _import(small, grown)
    assert (answer.accepted, answer.searches, _skipped(answer)) == (1, 1, {"already_imported": 2})
    assert _times(small, "ann/small-eyes") == 2
    assert graph_stats(small).outcomes == 1


def test_an_outcome_finds_its_search_in_an_earlier_import(small: Home) -> None:
    monday = _log(
        small, {"query": "classify photos", "search_id": "1", "results": ["ben/large-eyes", "ann/small-eyes"]}
    )
    tuesday = _log(
        small,
        {"event": "success", "search_id": "1", "artifact": "ann/small-eyes", "time": "2026-10-02T10:00:00Z"},
        {"event": "success", "search_id": "2", "artifact": "ann/small-eyes", "time": "2026-10-02T10:00:00Z"},
        name="tuesday.jsonl",
    )
    _import(small, monday)
    answer = _import(small, tuesday)
    assert (answer.searches, answer.alone) == (0, 1)
    search, *outcomes = _events(small)
    found = next(each for each in outcomes if isinstance(each, OutcomeEvent) and each.search == search.id)
    assert (found.position, found.intent) == (2, search.intent)


def test_several_files_are_one_log(small: Home) -> None:
    searches = _log(
        small, {"query": "classify photos", "search_id": "1", "results": ["ann/small-eyes"]}, name="a.jsonl"
    )
    clicks = small.path.parent / "b.csv"
    clicks.write_text(f"time,search_id,url,actor\n{T0},1,ann/small-eyes,v1\n", encoding="utf-8")
    answer = _import(small, clicks, searches)
    assert (answer.accepted, answer.searches, answer.implied, answer.alone) == (2, 1, 0, 0)


def test_two_imports_of_one_log_at_once_count_it_once(small: Home) -> None:
    written = DirectoryLog(11, 400)
    build_small(small, directory_artifacts())
    path = small.path.parent / "log.jsonl"
    written.write_lines(path)
    homes = [open_home(small.settings) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda each: _import(each, path, columns=MAPPED), homes))
    for each in homes:
        each.close()
    assert sum(answer.searches for answer in answers) == written.truth.searches
    assert sum(sum(answer.outcomes.values()) for answer in answers) == written.truth.outcomes.total()
    assert check_graph(small)["equal"]
    for artifact in ("north/t00-first", "south/t03-second"):
        assert _times(small, artifact) == written.truth.times[artifact]


def test_what_an_interrupted_import_left_out_comes_with_the_next(small: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    build_small(small, directory_artifacts())
    written = DirectoryLog(11, 300)
    path = small.path.parent / "log.jsonl"
    written.write_lines(path)
    monkeypatch.setattr("search.replay.writing.BATCH", 50)
    real, calls = log.append_events, []

    def interrupted(*arguments: Any) -> int:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(log, "append_events", interrupted)
    with pytest.raises(KeyboardInterrupt):
        _import(small, path, columns=MAPPED)
    monkeypatch.setattr(log, "append_events", real)
    assert 0 < len(_events(small)) <= 100
    assert _skipped(_import(small, path, columns=MAPPED))["already_imported"] > 0
    assert graph_stats(small).outcomes == written.truth.outcomes.total()
    for artifact in (each.id for each in directory_artifacts()):
        assert _times(small, artifact) == written.truth.times[artifact]


def test_a_full_disk_is_one_line_and_loses_nothing(home: Home) -> None:
    """The database may not grow beyond a limit that the process itself is given: a real refusal of the system."""
    build_small(home, directory_artifacts())
    written = DirectoryLog(11, 2_000)
    path = home.path.parent / "log.jsonl"
    written.write_lines(path)
    size = max(file.stat().st_size for file in home.path.glob("matchgraph.db*"))
    script = (
        "import sys; sys.path[:0] = ['tests']\n"
        "from pathlib import Path\nfrom fake_encoder import WordEncoder\nfrom directory_log import MAPPED\n"
        "from graph.errors import MatchgraphError\nfrom graph.home import open_home\n"
        "from graph.settings import Settings\n"
        "from search.replay.run import ImportOptions, import_events\n"
        "home = open_home(Settings(home=Path(sys.argv[1])))\n"
        "try:\n    import_events(home, [Path(sys.argv[2])], ImportOptions(MAPPED), WordEncoder())\n"
        "except MatchgraphError as error:\n    print('refused:', error)\n"
    )

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 500_000, size + 500_000))

    done = subprocess.run(
        [sys.executable, "-c", script, str(home.path), str(path)],
        capture_output=True, text=True, check=False, preexec_fn=limit, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2_000:]
    assert done.stdout.count("\n") == 1
    assert "has room" in done.stdout
    assert check_graph(home)["equal"]
    _import(home, path, columns=MAPPED)
    assert graph_stats(home).outcomes == written.truth.outcomes.total()
    assert _times(home, "north/t00-first") == written.truth.times["north/t00-first"]


# What is meant --------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "name",
    [
        "cat/depth", "CAT/Depth", "cat--depth", "depth", "https://huggingface.co/cat/depth/tree/main?x=1#readme",
        "https://directory.example/tools/cat--depth/", "//directory.example/t/cat--depth.html", "/tools/cat%2Fdepth",
        "https://directory.example/item?id=cat/depth&utm=1",
    ],
)  # fmt: skip
def test_an_artifact_is_found_by_what_logs_call_it(small: Home, name: str) -> None:
    assert _import(small, _log(small, {"event": "click", "url": name})).outcomes == {"click": 1}
    assert _events(small)[0].artifact == "cat/depth"  # type: ignore[union-attr]


def test_what_may_be_two_artifacts_is_rejected(small: Home) -> None:
    answer = _import(small, _log(small, {"event": "click", "artifact": "large-eyes"}))
    assert answer.rejected == {"ambiguous_artifact": 1}
    assert "ben/large-eyes, eve/large-eyes" in answer.problems[0].what


def test_actors_are_hashed_and_queries_redacted(small: Home) -> None:
    _import(
        small, _log(small, {"query": "classify photos for ann@example.org", "user": "ann@example.org", "actor": None})
    )
    (search,) = _events(small)
    assert isinstance(search, SearchEvent)
    assert search.query == "classify photos for [email]"
    assert search.actor.id.startswith("ac_")
    stored = b"".join(file.read_bytes() for file in small.path.glob("matchgraph.db*"))
    assert b"ann@example" not in stored


def test_without_an_actor_all_are_one_and_equal_rows_are_not_one(small: Home) -> None:
    row = {"query": "classify photos", "results": ["ann/small-eyes"], "actor": None}
    answer = _import(small, _log(small, row, row))
    assert (answer.searches, answer.actors) == (2, 1)
    assert any("anonymous" in note for note in answer.notes)
    assert _times(small, "ann/small-eyes") == 2
    assert _skipped(_import(small, _log(small, row, row))) == {"already_imported": 2}


def test_a_click_belongs_to_a_search_of_its_session_only(small: Home) -> None:
    answer = _import(small, _log(
        small,
        {"query": "classify photos", "results": ["ann/small-eyes"]},
        {"event": "click", "artifact": "ann/small-eyes", "time": "2026-10-01T10:29:00Z"},
        {"event": "click", "artifact": "ann/painter", "time": "2026-10-01T10:29:00Z"},  # it was not delivered
        {"event": "click", "artifact": "ann/small-eyes", "time": "2026-10-01T10:31:00Z"},  # too late
        {"event": "click", "artifact": "ann/small-eyes", "actor": "v2"},  # somebody else
    ))  # fmt: skip
    assert (answer.searches, answer.outcomes, answer.alone) == (1, {"click": 4}, 3)


def test_clocks_that_go_back_lose_nothing(small: Home) -> None:
    answer = _import(small, _log(
        small,
        {"event": "click", "search_id": "1", "artifact": "ann/small-eyes", "time": "2026-10-01T09:59:00Z"},
        {"query": "classify photos", "search_id": "1", "results": ["ann/small-eyes"]},
        {"query": "estimate depth", "results": ["cat/depth"], "time": "2026-09-30T10:00:00Z"},
    ))  # fmt: skip
    assert (answer.searches, answer.alone, answer.implied, answer.backwards) == (2, 0, 0, 1)
    assert answer.accepted == 3


def test_results_shown_one_a_row_are_one_search(small: Home) -> None:
    path = small.path.parent / "clicks.csv"
    path.write_text(
        "session,query,url,rank,click,timestamp\n"
        f"s1,classify photos,ann/small-eyes,1,0,{T0}\n"
        f"s1,classify photos,ben/large-eyes,2,1,{T0}\n"
        f"s2,classify photos,ben/large-eyes,1,0,{T0}\n",
        encoding="utf-8",
    )
    answer = _import(small, path)
    assert (answer.accepted, answer.searches, answer.pages, answer.outcomes) == (3, 2, 0, {"click": 1})
    outcome = next(event for event in _events(small) if isinstance(event, OutcomeEvent))
    assert outcome.position == 2
    assert _times(small, "ben/large-eyes") == 2


def test_positions_from_zero(small: Home) -> None:
    path = _log(small, {"query": "photos", "results": [{"id": "ann/small-eyes", "position": 0}]})
    assert _import(small, path).rejected == {"bad_position": 1}
    assert _import(small, path, first_position=0).accepted == 1
    search = _events(small)[0]
    assert isinstance(search, SearchEvent)
    assert search.results[0].position == 1


def test_trust_weighs_outcomes_and_a_click_proves_its_delivery(small: Home) -> None:
    path = _log(small, {"event": "outbound-ad", "query": "classify photos", "artifact": "ann/small-eyes"})
    assert _import(small, path).rejected == {"unknown_event": 1}
    answer = _import(small, path, events=["outbound-ad=click"], trust=0.25)
    assert (answer.implied, answer.outcomes) == (1, {"click": 1})
    search, outcome = _events(small)
    assert isinstance(search, SearchEvent) and isinstance(outcome, OutcomeEvent)
    assert (search.partial, search.origin, outcome.trust, outcome.batch) == (True, "import", 0.25, answer.batch)
    assert (outcome.search, outcome.uri, outcome.intent) == (search.id, search.results[0].uri, search.intent)
    assert _times(small, "ann/small-eyes") == 1


# Taken out again ------------------------------------------------------------------------------------------
def test_an_import_is_taken_back_and_comes_again(small: Home) -> None:
    empty = graph_stats(small)
    rows = [
        {"query": "classify photos", "search_id": "1", "results": ["ann/small-eyes"]},
        {"event": "success", "search_id": "1", "artifact": "ann/small-eyes"},
    ]
    first = _import(small, _log(small, *rows), trust=0.1)
    back = take_back(small, first.batch[:12])
    assert (back.searches, back.outcomes) == (1, 1)
    assert graph_stats(small) == empty
    again = _import(small, _log(small, *rows), trust=0.9)
    assert again.accepted == 2
    assert _skipped(_import(small, _log(small, *rows))) == {"already_imported": 2}
    assert check_graph(small)["equal"]
    with pytest.raises(QueryError, match="digest"):
        take_back(small, "short")
    with pytest.raises(UnknownArtifact, match="no event of an import"):
        take_back(small, "0" * 64)


def test_a_forgotten_actor_does_not_come_back_with_the_next_import(small: Home) -> None:
    rows = [
        {"query": "classify photos", "results": ["ann/small-eyes"], "actor": "ann"},
        {"query": "classify photos", "results": ["ann/small-eyes"], "actor": "ben"},
    ]
    path = _log(small, *rows)
    _import(small, path)
    assert forget_actor(small, "ann", dry_run=True).searches == 1
    assert _times(small, "ann/small-eyes") == 2
    answer = forget_actor(small, "ann")
    assert (answer.searches, answer.outcomes) == (1, 0)
    assert _times(small, "ann/small-eyes") == 1
    assert _skipped(_import(small, path)) == {"already_imported": 2}
    assert _times(small, "ann/small-eyes") == 1
    with pytest.raises(UnknownArtifact, match="no actor"):
        forget_actor(small, "ann")


def test_an_exported_log_replays_to_the_same_counts(home: Home, tmp_path: Path) -> None:
    build_small(home, directory_artifacts())
    written = DirectoryLog(13, 600)
    path = tmp_path / "log.jsonl"
    written.write_lines(path)
    _import(home, path, columns=MAPPED)
    target = tmp_path / "export.jsonl"
    exported = export_events(home, target, sys.stdout, Slice())
    assert exported.events == len(target.read_text(encoding="utf-8").splitlines())
    own = _import(home, target)
    assert set(_skipped(own)) == {"already_imported", "ignored_event"}  # its own events are known by their ids
    other = open_home(Settings(home=tmp_path / "other"))
    build_small(other, directory_artifacts())
    answer = _import(other, target)
    assert (answer.searches, answer.pages) == (written.truth.searches, written.truth.pages)
    assert answer.outcomes == dict(written.truth.outcomes)
    assert graph_stats(other).model_dump() == graph_stats(home).model_dump()
    for artifact in (each.id for each in directory_artifacts()):
        assert _times(other, artifact) == _times(home, artifact)
    other.close()


def test_a_slice_of_the_log(small: Home) -> None:
    first = _import(small, _log(small, {"query": "classify photos", "results": ["ann/small-eyes"]}))
    _import(small, _log(small, {"query": "estimate depth", "time": "2026-10-03T10:00:00Z"}, name="b.jsonl"))

    def lines(**fields: Any) -> list[str]:
        with small.store.reading() as connection:
            return [json.loads(line)["query"] for line in event_lines(connection, Slice(kind="search", **fields))]

    assert lines() == ["classify photos", "estimate depth"]
    assert lines(batch=first.batch[:16]) == ["classify photos"]
    border = 1_790_899_200_000_000  # 2026-10-02
    assert lines(since_us=border) == ["estimate depth"]
    assert lines(until_us=border) == ["classify photos"]


# Bad input ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"columns": ["search"]}, "FIELD=COLUMN"), ({"columns": ["colour=c"]}, "FIELD one of"),
        ({"events": ["view=look"]}, "WORD=KIND"), ({"trust": 1.5}, "--trust 1.5"), ({"trust": -0.1}, "--trust -0.1"),
        ({"zone": "Mars/Olympus"}, "Europe/Berlin"), ({"zone": "../../etc/passwd"}, "--zone"),
        ({"first_position": 2}, "give 0 or 1"),
    ],
)  # fmt: skip
def test_wrong_options_are_said_before_anything_is_read(small: Home, options: dict[str, Any], said: str) -> None:
    with pytest.raises(QueryError) as refused:
        _import(small, small.path / "is not there", **options)
    assert said in str(refused.value)


def test_hostile_rows_are_data(small: Home) -> None:
    deep = "[" * 50_000
    answer = _import(small, _log(
        small,
        {"query": "classify photos\x00\x1b[2J", "results": deep},
        {"query": {"$gt": ""}, "results": []},
        {"query": "photos", "results": [None, 5, {}, ["x"], "'; DROP TABLE events; --"]},
        {"event": ["click"], "artifact": ["ann/painter"]},
        {"query": "photos " * 5_000, "results": ["ann/small-eyes"] * 5_000},
        {"event": "click", "artifact": "ann/painter", "position": 10**30},
        {"event": "click", "artifact": "ann/painter", "time": 10**30},
    ))  # fmt: skip
    assert answer.rejected == {"bad_position": 1, "bad_results": 1, "bad_time": 1, "no_artifact": 1, "no_query": 1}
    searches = [event for event in _events(small) if isinstance(event, SearchEvent)]
    assert max(len(event.query) for event in searches) == 2_000
    assert max(len(event.results) for event in searches) == 1
    assert check_graph(small)["equal"]


def test_the_log_of_a_home_that_is_not_built_is_read_and_that_is_said(home: Home) -> None:
    with home.store.writing() as connection:
        catalogue.save_artifacts(connection, [make_artifact("ann/small-eyes")])
    answer = _import(home, _log(home, {"query": "classify photos", "results": ["ann/small-eyes"]}))
    assert answer.accepted == 1
    assert any("build first" in note for note in answer.notes)


def test_a_missing_file_changes_nothing(small: Home) -> None:
    good = _log(small, {"query": "classify photos", "results": ["ann/small-eyes"]})
    with pytest.raises(SourceError, match="readable log"):
        _import(small, good, small.path / "is not there")
    assert _events(small) == []


def test_times_to_come_are_rejected(small: Home) -> None:
    path = _log(small, {"query": "photos", "time": now_us() + 3_600_000_000}, {"query": "photos", "time": now_us()})
    assert _import(small, path).rejected == {"future_time": 1}
