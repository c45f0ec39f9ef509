"""The HTTP face: the real application through its test client, and one real server."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient
from small_catalogue import build_small

import search.api
from graph.home import Home
from graph.responses import ArtifactReport, SearchResponse
from inference.embedder import Encoder
from search.api import Service, create_app
from search.engine import LOCAL, Engine
from search.inspection.inspect_graph import graph_stats
from search.memory import SearchRequest


@pytest.fixture
def engine(home: Home) -> Engine:
    return build_small(home)


@pytest.fixture
def client(engine: Engine) -> Iterator[TestClient]:
    with TestClient(create_app(engine.home, engine.encoder), headers={"user-agent": "a person"}) as client:
        yield client


def test_the_same_answer_as_python(client: TestClient, engine: Engine) -> None:
    answer = client.get("/api/v1/search", params={"q": "classify photos", "limit": 3})
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    web = SearchResponse.model_validate(answer.json())
    python = engine.search(SearchRequest("classify photos", LOCAL, limit=3))
    assert [(r.artifact, r.score, r.parts) for r in web.results] == [
        (r.artifact, r.score, r.parts) for r in python.results
    ]


def test_outcomes_need_their_token_and_count_once(client: TestClient, engine: Engine) -> None:
    result = client.get("/api/v1/search", params={"q": "classify photos"}).json()["results"][1]
    recorded = client.post("/api/v1/outcomes", json={"token": result["token"], "kind": "success"})
    assert recorded.status_code == 201
    assert recorded.json()["artifact"] == result["artifact"]
    again = client.post("/api/v1/outcomes", json={"token": result["token"], "kind": "success"})
    assert (again.status_code, again.json()["reason"]) == (403, "reused")
    forged = client.post("/api/v1/outcomes", json={"token": result["token"][:-2] + "xx", "kind": "success"})
    assert (forged.status_code, forged.json()["reason"]) == (403, "forged")
    assert graph_stats(engine.home).outcomes == 1


def test_artifacts_and_what_is_unknown(client: TestClient) -> None:
    found = client.get("/api/v1/artifacts/ann--painter")
    assert ArtifactReport.model_validate(found.json()).artifact == "ann/painter"
    missing = client.get("/api/v1/artifacts/ann--paintr")
    assert missing.status_code == 404
    assert missing.headers["content-type"] == "application/problem+json"
    assert "ann--painter" in missing.json()["suggestions"]


@pytest.mark.parametrize(
    ("path", "params", "status"),
    [
        ("/api/v1/search", {}, 422), ("/api/v1/search", {"q": ""}, 400),
        ("/api/v1/search", {"q": "x", "limit": 0}, 400),
        ("/api/v1/search", {"q": "x", "limit": "many"}, 422), ("/api/v1/search", {"q": "x", "offset": -1}, 400),
        ("/api/v1/search", {"q": "x", "where": "params<"}, 400), ("/api/v1/search", {"q": "x", "type": "car"}, 400),
        ("/api/v1/search", {"q": "x", "policy": "lax"}, 400), ("/api/v1/search", {"q": "x", "policy": "./a.yml"}, 400),
        ("/api/v1/search", {"q": "x", "search_id": "se_none"}, 400), ("/api/v1/search", {"q": "y" * 20_001}, 422),
        ("/api/v1/nothing", {}, 404), ("/api/v1/outcomes", {}, 405),
    ],
)  # fmt: skip
def test_bad_input_is_a_problem_document(
    client: TestClient, engine: Engine, path: str, params: dict[str, str], status: int
) -> None:
    answer = client.get(path, params=params)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["detail"]
    assert graph_stats(engine.home).searches == 0


@pytest.mark.parametrize("body", ["", "[]", "{", '{"token": 3}', '{"token": "x", "kind": "success", "more": 1}'])
def test_bad_bodies(client: TestClient, body: str) -> None:
    assert client.post("/api/v1/outcomes", content=body).status_code in (403, 422)


def test_head_is_get_without_a_body_and_counts_nothing(client: TestClient, engine: Engine) -> None:
    for path in ("/healthz", "/api/v1/artifacts/ann--painter", "/api/v1/search?q=photos"):
        answer = client.head(path)
        assert (answer.status_code, answer.content) == (200, b"")
        assert int(answer.headers["content-length"]) > 0
    assert client.head("/nothing").status_code == 404
    assert graph_stats(engine.home).searches == 0


@pytest.mark.parametrize("chunked", [False, True])
def test_huge_bodies_are_refused_as_they_come(client: TestClient, chunked: bool) -> None:
    parts = [b" " * 10_000] * 20
    answer = client.post("/api/v1/outcomes", content=iter(parts) if chunked else b"".join(parts))
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"


def test_405_says_what_is_allowed(client: TestClient) -> None:
    answer = client.delete("/api/v1/outcomes")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_a_policy_is_asked_for_by_name(client: TestClient) -> None:
    answer = client.get("/api/v1/search", params={"q": "classify photos", "policy": "production"})
    assert (answer.json()["abstained"], answer.json()["results"]) == (True, [])


def test_many_first_requests_open_one_engine(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []

    def slowly(home: Home, encoder: Encoder | None) -> Engine:
        opened.append(home)
        time.sleep(0.05)
        return Engine(home, encoder)

    monkeypatch.setattr(search.api, "open_engine", slowly)
    service = Service(engine.home, engine.encoder)
    with ThreadPoolExecutor(8) as pool:
        engines = list(pool.map(lambda _: service.engine(), range(8)))
    assert len(opened) == 1
    assert len(set(map(id, engines))) == 1


def test_a_long_query_is_cut_not_refused(client: TestClient) -> None:
    answer = client.get("/api/v1/search", params={"q": "photos " * 1_500})
    assert answer.status_code == 200
    assert answer.json()["understood"]["cut"]


@pytest.mark.parametrize(
    "headers",
    [{"matchgraph-synthetic": "1"}, {"user-agent": "ExampleBot/1.0"}, {"sec-purpose": "prefetch;prerender"}],
)
def test_bots_prefetch_and_marked_calls_count_nothing(
    client: TestClient, engine: Engine, headers: dict[str, str]
) -> None:
    assert client.get("/api/v1/search", params={"q": "photos"}, headers=headers).json()["results"]
    assert graph_stats(engine.home).searches == 0


def test_health_before_and_after_the_first_build(client: TestClient, home: Home, engine: Engine) -> None:
    assert client.get("/healthz").json()["status"] == "ok"
    assert client.get("/readyz").json()["snapshot"] == engine.snapshot.id
    (home.snapshots / "current").unlink()
    bare = TestClient(create_app(home, engine.encoder))
    assert bare.get("/healthz").status_code == 200
    assert bare.get("/readyz").status_code == 503
    assert bare.get("/api/v1/search", params={"q": "photos"}).status_code == 503


def test_hostile_names_stay_data(client: TestClient) -> None:
    answer = client.get("/api/v1/artifacts/%3Cscript%3Ealert(1)%3C%2Fscript%3E")
    assert answer.status_code == 404
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_real_server_answers_and_stops(home: Home, engine: Engine) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "MATCHGRAPH_HOME": str(home.path)}
    command = [sys.executable, "-m", "cli.main", "serve", "--port", str(port)]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) as server:
        try:
            assert _healthy(port)["status"] == "ok"
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(timeout=20)
    assert server.returncode in (0, 130)


def _healthy(port: int) -> dict[str, str]:
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
                found: dict[str, str] = json.load(answer)
                return found
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
