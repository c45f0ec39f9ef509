"""events and graph on the command line: whole commands in and out, their documents, exit codes, 80 columns."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import networkx
import pytest
from directory_log import END_S, MAPPED, WINDOW, DirectoryLog, directory_artifacts
from fake_encoder import WordEncoder
from small_catalogue import build_small
from typer.testing import CliRunner, Result

import inference.embedder
import search.engine
import search.reports
from cli.main import app
from graph.contracts import schemas
from graph.errors import MatchgraphError
from graph.export import from_graphml, from_json, same_graph
from graph.home import Home, open_home
from graph.settings import Settings
from search.replay.run import ImportOptions, import_events

Run = Callable[..., Result]
SCHEMAS = schemas()
COMMANDS = (
    ["events", "import"], ["events", "export"], ["events", "forget"], ["events", "demand"], ["graph", "stats"],
    ["graph", "top"], ["graph", "show"], ["graph", "neighbors"], ["graph", "path"], ["graph", "explain"],
    ["graph", "history"], ["graph", "export"], ["graph", "rebuild"],
)  # fmt: skip


@pytest.fixture
def run(home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    for module in (search.engine, search.reports, inference.embedder):
        monkeypatch.setattr(module, "open_encoder", lambda *_, **__: WordEncoder())
    monkeypatch.setenv("MATCHGRAPH_HOME", str(home.path))
    monkeypatch.setenv("COLUMNS", "80")
    runner = CliRunner()
    yield lambda *words: runner.invoke(app, list(words))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a home that has a directory's artifacts, the same with its log imported, and the log."""
    folder = tmp_path_factory.mktemp("prepared")
    home = open_home(Settings(home=folder / "built"))
    build_small(home, directory_artifacts())
    home.close()
    DirectoryLog(3, 400).write_lines(folder / "log.jsonl")
    shutil.copytree(folder / "built", folder / "imported")
    home = open_home(Settings(home=folder / "imported"))
    import_events(home, [folder / "log.jsonl"], ImportOptions(MAPPED), WordEncoder())
    home.close()
    return folder


@pytest.fixture
def log(run: Run, prepared: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A generated log; commands run in a home that has its artifacts."""
    shutil.copytree(prepared / "built", tmp_path / "own")
    monkeypatch.setenv("MATCHGRAPH_HOME", str(tmp_path / "own"))
    return prepared / "log.jsonl"


@pytest.fixture
def imported(run: Run, prepared: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs a command in a home that has imported the log."""
    shutil.copytree(prepared / "imported", tmp_path / "own")
    monkeypatch.setenv("MATCHGRAPH_HOME", str(tmp_path / "own"))
    return run


def _mapped() -> list[str]:
    return [word for entry in MAPPED for word in ("--map", entry)]


def _json(result: Result, contract: str, *codes: int) -> Any:
    assert result.exit_code in (codes or (0,)), result.output
    document = json.loads(result.stdout)
    jsonschema.validate(document, SCHEMAS[contract])
    return document


def _narrow(result: Result) -> str:
    assert result.exit_code in (0, 4), result.output
    assert max(map(len, result.stdout.splitlines())) <= 80, result.stdout
    return result.stdout


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_help_shows_an_example(run: Run, command: list[str]) -> None:
    result = run(*command, "--help")
    assert result.exit_code == 0
    assert "Example: matchgraph" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


# events -------------------------------------------------------------------------------------------------
def test_import_ends_with_4_where_rows_were_rejected_and_says_where(run: Run, log: Path) -> None:
    result = run("events", "import", str(log), *_mapped(), "--dry-run")
    assert result.exit_code == 4
    assert f"rejected {log}:400: the file ends in the middle" in result.stderr
    assert "would be written" in _narrow(result)
    wet = run("events", "import", str(log), *_mapped(), "--json")
    document = _json(wet, "events-import", 4)
    assert document["rows"] == 400
    again = _json(run("events", "import", str(log), *_mapped(), "--json"), "events-import", 4)
    assert (again["accepted"], again["searches"], again["outcomes"]) == (0, 0, {})
    assert {s["reason"]: s["rows"] for s in again["skipped"]}["already_imported"] == document["accepted"]


def test_import_exit_codes(run: Run, home: Home, tmp_path: Path) -> None:
    build_small(home)
    good = '{"time": 1790000000, "query": "classify photos", "user": "a", "results": ["ann/small-eyes"]}\n'
    path = tmp_path / "log.jsonl"
    path.write_text(good, encoding="utf-8")
    assert run("events", "import", str(path)).exit_code == 0
    assert run("events", "import", str(path)).exit_code == 0
    path.write_text("{broken\n", encoding="utf-8")
    assert run("events", "import", str(path)).exit_code == 1
    path.write_text(good.replace("ann/small-eyes", "nobody"), encoding="utf-8")
    result = run("events", "import", str(path))
    assert result.exit_code == 4
    assert "no artifact 'nobody'" in result.stderr
    assert run("events", "import").exit_code == 2


def test_what_is_exported_is_an_event_a_line(imported: Run, tmp_path: Path) -> None:
    target = tmp_path / "events.jsonl"
    document = _json(imported("events", "export", str(target), "--json"), "events-export")
    lines = target.read_text(encoding="utf-8").splitlines()
    assert len(lines) == document["events"]
    for line in lines[:: max(1, len(lines) // 10)]:
        jsonschema.validate(json.loads(line), SCHEMAS["event"])
    shown = imported("events", "export", "--kind", "outcome")
    assert {json.loads(line)["kind"] for line in shown.stdout.splitlines()} == {"outcome"}
    assert len(list(tmp_path.glob(".events*"))) == 0


def test_forget_and_take_back(imported: Run, prepared: Path) -> None:
    log = prepared / "log.jsonl"
    rows = [json.loads(line) for line in log.read_bytes().splitlines()[:50]]
    visitor = next(row["visitor"] for row in rows if row["what"] == "search" and "ExampleBot" not in row["browser"])
    planned = _json(imported("events", "forget", visitor, "--dry-run", "--json"), "events-forget")
    assert planned["searches"] >= 1
    assert imported("events", "forget", visitor).stdout.startswith(f"{planned['searches']} searches")
    with pytest.raises(MatchgraphError, match="no actor"):
        raise imported("events", "forget", visitor).exception or AssertionError
    batch = json.loads(imported("events", "import", str(log), *_mapped(), "--json").stdout)["batch"]
    back = _json(imported("events", "forget", "--batch", batch, "--json"), "events-forget")
    assert back["searches"] > 50
    assert _json(imported("graph", "stats", "--json"), "graph-stats")["searches"] == 0
    assert imported("events", "forget").exit_code == imported("events", "forget", "a", "--batch", "b").exit_code == 2


def test_the_demand_report(imported: Run) -> None:
    until = ("--until", str(END_S))
    words = ("events", "demand", "--days", str(WINDOW), *until)
    document = _json(imported(*words, "--json", "--limit", "3"), "events-demand")
    assert len(document["top"]) == 3
    assert document["searches"] > document["unanswered_searches"] > 0
    shown = _narrow(imported(*words))
    for title in ("most asked for", "rising", "without an answer", "shown, never chosen"):
        assert title in shown
    early = _narrow(imported("events", "demand", "--until", "2020-01-01"))
    assert "0 searches" in early
    assert imported("events", "demand", "--days", "0").exit_code == 2


# graph --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("words", "contract"),
    [
        (["stats"], "graph-stats"), (["top"], "graph-top"), (["top", "capabilities", "--by", "weight"], "graph-top"),
        (["top", "artifact", "--by", "pagerank", "--limit", "3"], "graph-top"),
        (["show", "north/t00-first"], "graph-show"), (["show", "clone a voice"], "graph-show"),
        (["neighbors", "north--t00-first"], "graph-neighbors"), (["explain", "north/t00-first"], "graph-explain"),
        (["path", "clone a voice", "north/t17-first"], "graph-path"), (["rebuild", "--check"], "graph-rebuild"),
        (["rebuild"], "graph-rebuild"), (["export"], "graph-export"),
        (["history", "north/t00-first", "--since", "2026-09-10"], "graph-history"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)  # fmt: skip
def test_graph_commands_print_their_documents_and_narrow_tables(imported: Run, words: list[str], contract: str) -> None:
    _json(imported("graph", *words, "--json"), contract)
    if words != ["export"]:
        _narrow(imported("graph", *words))


def test_top_is_sorted_and_cut(imported: Run) -> None:
    for by in ("searches", "actors", "weight", "pagerank"):
        document = _json(imported("graph", "top", "artifact", "--by", by, "--limit", "7", "--json"), "graph-top")
        values = [node[by] for node in document["nodes"]]
        assert values == sorted(values, reverse=True)
        assert (len(values), document["of"]) == (7, 60)


def test_paths_join_and_their_chances_are_products(imported: Run) -> None:
    document = _json(imported("graph", "path", "clone a voice", "north/t17-first", "--json"), "graph-path")
    for way in document["paths"]:
        chance = 1.0
        for step in way["steps"]:
            chance *= step["share"]
        assert way["chance"] == pytest.approx(chance)
        assert way["steps"][0]["source"]["label"] == document["source"]["label"]
        assert way["steps"][-1]["target"]["id"] == "north/t17-first"
    same = _json(imported("graph", "path", "north/t17-first", "north/t17-first", "--json"), "graph-path")
    assert same["paths"] == [{"chance": 1.0, "steps": []}]


def test_an_export_comes_back_equal_in_both_forms(imported: Run, tmp_path: Path) -> None:
    graphs = []
    for name, read in (("g.json", from_json), ("g.graphml", from_graphml)):
        file = tmp_path / name
        report = _json(imported("graph", "export", str(file), "--json"), "graph-export-report")
        G = read(file.read_text(encoding="utf-8"))
        assert (G.number_of_nodes(), G.number_of_edges()) == (report["nodes"], report["edges"])
        graphs.append(G)
    stats = _json(imported("graph", "stats", "--json"), "graph-stats")
    assert graphs[0].number_of_edges() == graphs[1].number_of_edges() == stats["edges"]
    assert set(graphs[0]) == set(graphs[1])
    assert not same_graph(graphs[0], graphs[1])  # they were taken at two moments
    assert isinstance(networkx.read_graphml(tmp_path / "g.graphml"), networkx.DiGraph)


def test_success_and_what_was_chosen_instead_are_shown(imported: Run) -> None:
    shown = _json(imported("graph", "show", "north/t00-first", "--json"), "graph-show")
    assert shown["times_matched"] > 0
    assert shown["success"]["low"] < shown["success"]["mean"] < shown["success"]["high"]
    intent = _json(imported("graph", "show", "clone a voice", "--json"), "graph-show")
    assert sum(each["searches"] for each in intent["queries"]) == intent["searches"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["graph", "show", "clone a voise"], "clone a voice"),
        (["graph", "neighbors", "north--t00-frist"], "t00-first"),
        (["graph", "path", "clone a voice", "nothing at all"], "no node"),
        (["graph", "explain", "nobody"], "no artifact"),
        (["graph", "top", "planet"], "choose from"), (["graph", "top", "--by", "luck"], "choose from"),
        (["graph", "export", "--format", "svg"], "choose from"),
        (["graph", "export", "/nowhere/at/all.json"], "/nowhere/at/all.json"),
        (["events", "export", "/nowhere/at/all.jsonl"], "/nowhere/at/all.jsonl"),
        (["events", "export", "--kind", "rumour"], "choose from"),
        (["events", "export", "--since", "soon"], "2026-11-28"),
        (["events", "import", "/nowhere/log.csv"], "/nowhere/log.csv"),
        (["events", "import", "/nowhere/log.csv", "--trust", "2"], "--trust"),
        (["events", "forget", "--batch", "x"], "digest"), (["events", "demand", "--until", "soon"], "2026-11-28"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_of_ours(imported: Run, words: list[str], said: str) -> None:
    error = imported(*words).exception
    assert isinstance(error, MatchgraphError), error
    assert said in str(error)
    assert "\n" not in str(error)
