"""n searches, times matched n: over CLI, API and replay; crawls, fuzzing and refused tokens leave counts alone."""

from __future__ import annotations

import json
import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_encoder import WordEncoder
from fastapi.testclient import TestClient
from small_catalogue import build_small
from sqlalchemy import update
from typer.testing import CliRunner

import search.engine
from cli.main import app
from graph.constants import DAY_US, TOKEN_LIFE_DAYS
from graph.events import SearchEvent, now_us
from graph.home import Home, open_home
from graph.settings import Settings
from graph.store import log
from search.api import create_app
from search.inspection.inspect_graph import check_graph, graph_stats
from search.replay.run import ImportOptions, import_events
from search.show import show_artifact

QUERY = "estimate depth from one image"
ARTIFACT = "cat/depth"


@pytest.fixture
def client(home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """The API of a small home that the command line uses too."""
    engine = build_small(home)
    monkeypatch.setattr(search.engine, "open_encoder", lambda *_, **__: WordEncoder())
    monkeypatch.setenv("MATCHGRAPH_HOME", str(home.path))
    with TestClient(create_app(home, engine.encoder), headers={"user-agent": "a person"}) as client:
        yield client


def _state(home: Home) -> tuple[object, int, int]:
    shown = show_artifact(home, ARTIFACT)
    return graph_stats(home).model_dump(), shown.times_matched, shown.distinct_actors


def test_n_searches_are_n_over_cli_api_and_replay(client: TestClient, home: Home, tmp_path: Path) -> None:
    for n in range(1, 4):
        assert CliRunner().invoke(app, ["search", QUERY]).exit_code == 0
        assert show_artifact(home, ARTIFACT).times_matched == n
    for n in range(4, 9):
        assert client.get("/api/v1/search", params={"q": QUERY}).json()["results"][0]["artifact"] == ARTIFACT
        assert show_artifact(home, ARTIFACT).times_matched == n
    rows = [
        {"time": 1_790_000_000 + 3_600 * n, "user": f"u{n}", "query": QUERY, "results": [ARTIFACT]} for n in range(7)
    ]
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    import_events(home, [path], ImportOptions(), WordEncoder())
    shown = show_artifact(home, ARTIFACT)
    assert (shown.times_matched, shown.distinct_actors) == (3 + 5 + 7, 1 + 1 + 7)
    assert graph_stats(home).searches == 15
    assert check_graph(home)["equal"]


def test_a_crawl_of_every_link_counts_nothing(client: TestClient, home: Home) -> None:
    client.get("/api/v1/search", params={"q": QUERY})
    before = _state(home)
    paths = [path for path, methods in client.get("/openapi.json").json()["paths"].items() if "get" in methods]
    assert len(paths) >= 4
    for path in paths:
        link = path.replace("{slug}", "cat--depth") + f"?q={QUERY}"
        for headers in ({"user-agent": "ExampleBot/1.0"}, {"purpose": "prefetch"}, {"matchgraph-synthetic": "1"}):
            client.get(link, headers=headers)
        client.head(link)
    assert _state(home) == before


@pytest.mark.parametrize("query", ["x" * 3_000, "'; DROP", "\x00", "🙂", "a \u202e", QUERY], ids=range(6))
def test_fuzzing_sent_as_synthetic_counts_nothing(client: TestClient, home: Home, query: str) -> None:
    client.get("/api/v1/search", params={"q": QUERY})
    before = _state(home)
    for parameters in ({}, {"limit": "-1"}, {"offset": "9" * 30}, {"where": "params<"}, {"search_id": "se_x"}):
        sent = {"q": query.encode("utf-8", "replace").decode(), **parameters}
        assert client.get("/api/v1/search", params=sent, headers={"matchgraph-synthetic": "1"}).status_code < 500
    assert _state(home) == before


def test_tokens_that_are_forged_reused_expired_or_foreign_change_nothing_and_say_why(
    client: TestClient, home: Home, tmp_path: Path
) -> None:
    token = client.get("/api/v1/search", params={"q": QUERY}).json()["results"][0]["token"]

    def send(sent: str, kind: str = "success") -> tuple[int, str]:
        answer = client.post("/api/v1/outcomes", json={"token": sent, "kind": kind})
        return answer.status_code, answer.json().get("reason", "")

    assert send(token) == (201, "")
    before = _state(home)
    forged = token[:-1] + ("A" if token[-1] != "A" else "B")
    assert send(token) == (403, "reused")
    assert send(token, "failure") == (403, "contradicts")
    assert send(forged) == (403, "forged")
    other = open_home(Settings(home=tmp_path / "other"))
    foreign = TestClient(create_app(other, build_small(other).encoder), headers={"user-agent": "a person"})
    theirs = foreign.get("/api/v1/search", params={"q": QUERY}).json()["results"][0]["token"]
    other.close()
    assert send(theirs)[0] == 403
    late = _late_token(client, home)
    before_late = _state(home)
    assert send(late) == (403, "expired")
    assert _state(home) == before_late
    assert before_late[0]["outcomes"] == before[0]["outcomes"] == 1  # type: ignore[index]


def _late_token(client: TestClient, home: Home) -> str:
    """The token of a search that is older than tokens live; the log is made to say so."""
    from graph.store.tables import EVENTS

    answer = client.get("/api/v1/search", params={"q": QUERY}).json()
    with home.store.writing() as connection:
        event = log.read_event(connection, answer["search_id"])
        assert isinstance(event, SearchEvent)
        old = event.model_copy(update={"time_us": now_us() - (TOKEN_LIFE_DAYS + 1) * DAY_US})
        changed = update(EVENTS).where(EVENTS.c.id == event.id)
        connection.execute(changed.values(payload=old.model_dump_json(), time_us=old.time_us))
    return str(answer["results"][0]["token"])


def test_the_worked_example_runs_and_its_pagerank_is_ours(
    client: TestClient, home: Home, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = client.get("/api/v1/search", params={"q": QUERY}).json()["results"][0]
    client.post("/api/v1/outcomes", json={"token": result["token"], "kind": "success"})
    runpy.run_path(str(repository / "examples" / "match_graph.py"))
    said = capsys.readouterr().out.splitlines()
    assert said[0] == str(graph_stats(home).model_dump())
    difference = float(next(line for line in said if line.startswith("largest difference")).partition(": ")[2])
    assert difference < 1e-9
    assert any(ARTIFACT not in line and "->" in line for line in said)
