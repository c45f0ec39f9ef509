"""The command line: whole commands in and out, exit codes, and what help promises."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from fake_encoder import WordEncoder
from small_catalogue import build_small
from sqlalchemy import update
from typer.testing import CliRunner, Result

import cli.main
import search.engine
import search.reports
from cli.find_commands import measured_words, print_artifact
from cli.main import app
from graph.claims import ClaimReport, Evidence, Interval
from graph.contracts import schemas
from graph.errors import MatchgraphError
from graph.home import Home
from graph.responses import ArtifactReport
from graph.store.tables import FOLD_TIMES

Run = Callable[..., Result]
COMMANDS = (
    ["ingest"], ["verify"], ["build"], ["snapshots"], ["rollback"], ["search"], ["different"], ["compare"], ["show"],
    ["outcome"], ["serve"], ["demo"], ["graph", "stats"], ["graph", "show"], ["graph", "neighbors"],
    ["graph", "explain"], ["graph", "rebuild"], ["evaluate", "search"],
)  # fmt: skip


@pytest.fixture
def run(home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Runs a command in the test's home with the hand-computable encoder."""
    for module in (search.engine, search.reports):
        monkeypatch.setattr(module, "open_encoder", lambda *_, **__: WordEncoder())
    monkeypatch.setenv("MATCHGRAPH_HOME", str(home.path))
    runner = CliRunner()
    yield lambda *words: runner.invoke(app, list(words))


@pytest.fixture
def built(home: Home, run: Run) -> Run:
    build_small(home)
    return run


def _json(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def _matches(document: Any, contract: str) -> None:
    jsonschema.validate(document, schemas()[contract])


def test_help_is_instant_and_loads_no_heavy_library() -> None:
    heavy = ["torch", "transformers", "sentence_transformers", "faiss", "scipy", "sqlalchemy", "fastapi", "networkx"]
    script = (
        "import sys\nfrom cli.main import app\n"
        "try:\n    app(['--help'])\nexcept SystemExit:\n    pass\n"
        f"print(*(name for name in {heavy} if name in sys.modules), file=sys.stderr)"
    )
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (0, "")
    assert "COMMAND [ARGS]" in done.stdout
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_help_shows_an_example(run: Run, command: list[str]) -> None:
    result = run(*command, "--help")
    assert result.exit_code == 0
    assert "Example: matchgraph" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_search_prints_the_published_document(built: Run) -> None:
    document = _json(built("search", "estimate depth from one image", "--json"))
    _matches(document, "search")
    assert document["results"][0]["artifact"] == "cat/depth"
    lines = built("search", "estimate depth from one image", "--explain").stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert any("= dense" in line for line in lines)


def test_counts_after_n_searches(built: Run) -> None:
    for _ in range(3):
        built("search", "classify photos", "--limit", "2")
    document = _json(built("search", "classify photos", "--limit", "2", "--json"))
    shown = _json(built("show", document["results"][0]["artifact"], "--json"))
    _matches(shown, "artifact-report")
    assert shown["times_matched"] == 4
    _matches(_json(built("graph", "stats", "--json")), "graph-stats")


def test_an_outcome_by_position_and_by_token(built: Run) -> None:
    token = _json(built("search", "classify photos", "--json"))["results"][0]["token"]
    _matches(_json(built("outcome", token, "select", "--json")), "outcome")
    assert built("outcome", "--last", "2", "success").stdout.startswith("recorded: success of")
    assert isinstance(built("outcome", token, "select").exception, MatchgraphError)
    assert built("outcome", token, "success").exit_code == 0
    assert _json(built("graph", "stats", "--json"))["outcomes"] == 3


def test_the_graph_is_inspectable(built: Run) -> None:
    built("search", "classify photos")
    built("outcome", "--last", "1", "success")
    explained = _json(built("graph", "explain", "ann/small-eyes", "--json"))
    total = sum(part["contribution"] for part in explained["components"].values())
    assert explained["rank"] is None or explained["rank"] == pytest.approx(total, abs=1e-6)
    neighbours = _json(built("graph", "neighbors", "ann--small-eyes", "--json"))["neighbors"]
    assert neighbours[0]["kind"] == "capability"
    intent = _json(built("graph", "neighbors", neighbours[0]["id"], "--json"))["neighbors"]
    assert "classify photos" in {n["label"] for n in intent}
    assert _json(built("graph", "show", "ann/small-eyes", "--json"))["times_matched"] == 1
    assert _json(built("graph", "show", "classify photos", "--json"))["searches"] == 1
    for words in (
        ["stats"],
        ["show", "ann/small-eyes"],
        ["neighbors", "ann/small-eyes"],
        ["explain", "ann/small-eyes"],
    ):
        result = built("graph", *words)
        assert result.exit_code == 0
        assert max(map(len, result.stdout.splitlines())) <= 80


def test_rebuild_finds_a_graph_that_does_not_follow_from_the_log(built: Run, home: Home) -> None:
    built("search", "classify photos")
    assert built("graph", "rebuild", "--check").exit_code == 0
    with home.store.writing() as connection:
        connection.execute(update(FOLD_TIMES).values(searches=99))
    assert built("graph", "rebuild", "--check").exit_code == 3
    assert built("graph", "rebuild").exit_code == 0
    assert built("graph", "rebuild", "--check").exit_code == 0


def test_compare_different_and_capability(built: Run) -> None:
    _matches(_json(built("compare", "ann/small-eyes", "ben/large-eyes", "--json")), "compare")
    _matches(_json(built("different", "ben/large-eyes", "but smaller", "--json")), "search")
    uri = _json(built("show", "ann/small-eyes", "--json"))["capabilities"][0]["uri"]
    _matches(_json(built("show", uri, "--json")), "capability-report")
    assert _json(built("show", uri.removeprefix("capability://"), "--json"))["uri"] == uri
    for words in (["compare", "ann/small-eyes", "ben/large-eyes"], ["show", "ann/small-eyes"], ["show", uri]):
        assert max(map(len, built(*words).stdout.splitlines())) <= 80


def test_snapshots_and_rollback(built: Run, home: Home) -> None:
    (first,) = _json(built("snapshots", "--json"))
    _matches(first, "snapshot")
    answer = _json(built("build", "--no-probes", "--policy", "open", "--json"))
    _matches(answer, "build")
    assert (answer["unchanged"], answer["embedded"]) == (True, 0)
    with pytest.raises(MatchgraphError):
        raise built("rollback").exception or AssertionError("one snapshot alone cannot be rolled back")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["search", ""], "empty"), (["search", "x", "--limit", "0"], "limit"),
        (["search", "x", "--where", "a"], "field"),
        (["show", "ben--large-eye"], "ben--large-eyes"), (["show", "capability://vision.x.y"], "no capability"),
        (["different", "nobody-at-all"], "no artifact"), (["compare", "ann/painter"], "compare 2 to 4"),
        (["outcome", "mg1.nonsense", "click"], "forged"), (["outcome", "--last", "1", "click"], "no search"),
        (["graph", "show", "nothing"], "no node"), (["rollback", "s999"], "s999"),
        (["build", "--policy", "lax"], "lax"), (["search", "photos", "--policy", "lax"], "no policy 'lax'"),
        (["search", "photos", "--policy", "./none.yml"], "none.yml"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_of_ours(built: Run, words: list[str], said: str) -> None:
    error = built(*words).exception
    assert isinstance(error, MatchgraphError), error
    assert said in str(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    "words",
    [
        ["search"],
        ["outcome"],
        ["compare"],
        ["search", "x", "--limit", "many"],
        ["nonsense"],
        ["verify", "--budget-s", "-1"],
        ["verify", "--data", "x"],
    ],
)
def test_usage_errors_exit_2(run: Run, words: list[str]) -> None:
    assert run(*words).exit_code == 2


def test_a_set_that_decides_nothing_is_said(built: Run, tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("text,label\na sentence,good\nanother one,bad\n", encoding="utf-8")
    result = built("verify", "ann/small-eyes", "--data", f"mine={labels}", "--json")
    document = _json(result)
    _matches(document, "verify")
    assert document["unused_data"] == ["mine"]
    assert sum(document["counts"].values()) == len(document["artifacts"][0]["claims"]) == 1


def test_good_entries_are_kept_beside_bad_ones(run: Run, tmp_path: Path) -> None:
    source = tmp_path / "catalogue.jsonl"
    good = '{"id": "a/x", "name": "x", "description": "does x"}'
    source.write_text(f"{good}\n{{broken\n", encoding="utf-8")
    result = run("ingest", str(source), "--json")
    assert result.exit_code == 4
    document = json.loads(result.stdout)
    _matches(document, "ingest")
    assert (document["accepted"], document["added"]) == (1, 1)
    assert (document["rejected"][0]["file"], document["rejected"][0]["line"]) == (str(source), 2)
    source.write_text("{broken\n", encoding="utf-8")
    assert run("ingest", str(source)).exit_code == 1
    assert run("ingest", str(tmp_path / "missing")).exit_code == 1


def _matchgraph(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cli.main", *words]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **environment}, timeout=120
    )


def test_errors_are_one_line_and_a_traceback_only_when_asked(tmp_path: Path) -> None:
    home = {"MATCHGRAPH_HOME": str(tmp_path)}
    done = _matchgraph("show", "nobody", **home)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("matchgraph: no artifact 'nobody'")
    assert "Traceback" in _matchgraph("--verbose", "show", "nobody", **home).stderr


def test_a_home_that_cannot_be_written(tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.write_text("not a folder")
    done = _matchgraph("graph", "stats", MATCHGRAPH_HOME=str(place))
    assert done.returncode == 1
    assert str(place) in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_home_may_be_named_before_the_command(tmp_path: Path) -> None:
    done = _matchgraph("--home", str(tmp_path / "one"), "graph", "stats", MATCHGRAPH_HOME=str(tmp_path / "two"))
    assert done.returncode == 0
    assert [entry.name for entry in tmp_path.iterdir()] == ["one"]


def test_a_malformed_setting_is_named() -> None:
    done = _matchgraph("graph", "stats", MATCHGRAPH_THREADS="many")
    assert done.returncode == 1
    assert "MATCHGRAPH_THREADS" in done.stderr


def _has_artifacts(database: Path) -> bool:
    """Whether a batch was written already."""
    if not database.exists():
        return False
    with contextlib.closing(sqlite3.connect(database)) as connection, contextlib.suppress(sqlite3.OperationalError):
        return bool(connection.execute("SELECT count(*) FROM artifacts").fetchone()[0])
    return False


def test_ctrl_c_in_ingest_exits_130_and_resumes(tmp_path: Path) -> None:
    source = tmp_path / "catalogue.jsonl"
    rows = (json.dumps({"id": f"a/{n}", "name": f"n{n}", "description": "does it"}) for n in range(12_000))
    source.write_text("\n".join(rows), encoding="utf-8")
    command = [sys.executable, "-m", "cli.main", "ingest", str(source)]
    environment = {**os.environ, "MATCHGRAPH_HOME": str(tmp_path / "home")}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        deadline = time.monotonic() + 60
        while not _has_artifacts(tmp_path / "home" / "matchgraph.db") and time.monotonic() < deadline:
            time.sleep(0.02)
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=60)
    assert child.returncode == 130
    assert "Traceback" not in errors
    assert "matchgraph: interrupted; what is finished is kept" in errors
    done = _matchgraph("ingest", str(source), "--json", MATCHGRAPH_HOME=str(tmp_path / "home"))
    document = json.loads(done.stdout)
    assert document["accepted"] == 12_000
    assert document["unchanged"] > 0
    assert document["added"] + document["unchanged"] == 12_000


def test_an_interrupt_that_a_library_hides_is_still_130() -> None:
    script = (
        "import os, signal, cli.main\n"
        "def app():\n"
        "    try:\n        os.kill(os.getpid(), signal.SIGINT)\n        os.getpid()\n"
        "    except KeyboardInterrupt as error:\n        raise ValueError('serializing') from error\n"
        "cli.main.app = app\ncli.main.run()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (130, 1)


@pytest.mark.slow
def test_the_demo_shows_what_it_promises(tmp_path: Path) -> None:
    own = tmp_path / "own"
    done = _demo(tmp_path / "base", own)
    assert done.returncode == 0, done.stderr
    for said in ("verified (artifact)", "refuted (artifact)", "inconclusive", "unverifiable", "NEXT"):
        assert said in done.stdout
    assert "place 3 -> 2" in done.stdout
    lines = done.stdout.splitlines()
    assert len(lines) <= 4 * 24
    assert max(map(len, lines)) <= 80
    assert not own.exists()
    again = _demo(tmp_path / "base", own)
    assert again.stdout == done.stdout


def _demo(base: Path, own: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cli.main", "demo", "--home", str(base)]
    environment = {**os.environ, "MATCHGRAPH_HOME": str(own)}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=290)


@pytest.mark.parametrize(("method", "said"), [("whole-set", "whole set ["), ("clopper-pearson", "95% [")])
def test_an_interval_says_what_kind_it_is(method: str, said: str) -> None:
    interval = Interval(low=96.9, high=97.9, level=1.0 if method == "whole-set" else 0.95, method=method)
    claim = ClaimReport(id="cl", artifact="a", metric="accuracy", measured=97.4, interval=interval, n=540)
    assert said in (measured_words(claim) or "")


def test_the_largest_that_was_tried_is_shown_without_a_made_up_end() -> None:
    interval = Interval(low=16_384, high=1e12, level=1.0, method="largest tried")
    claim = ClaimReport(id="cl", artifact="a", metric="max_pixels", measured=16_384.0, interval=interval, n=None)
    assert measured_words(claim) == "16,384, largest tried"


def test_what_a_model_wrote_is_shown_on_one_short_line(capsys: pytest.CaptureFixture[str]) -> None:
    said = "\x1b[2Jfine\nverdict: verified\x07 " + 50 * "again "
    observed = Evidence(
        id="ev", kind="observation", artifact="a", metric="sample", measured=said, method="generation",
        method_version="1", time_us=0,
    )  # fmt: skip
    report = ArtifactReport(
        artifact="a", slug="a", name="a", type="model", capabilities=(), observations=(observed,), times_matched=0,
        distinct_actors=0, rank=None, known_weight=0, components={}, source="",
    )  # fmt: skip
    print_artifact(report, json_=False)
    shown = capsys.readouterr().out
    assert not {"\x1b", "\x07"} & set(shown)
    assert max(map(len, shown.splitlines())) <= 80
    assert not any(line.startswith("verdict: verified") for line in shown.splitlines())
    assert shown.count("again") < 40


def test_an_error_of_our_own_is_one_line_that_asks_for_a_report(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> None:
        raise ZeroDivisionError("division\nby zero")

    monkeypatch.setattr(cli.main, "app", broken)
    with pytest.raises(SystemExit) as stopped:
        cli.main.run()
    assert stopped.value.code == 1
    errors = capsys.readouterr().err
    assert errors.count("\n") == 1
    assert "internal error: ZeroDivisionError: division by zero" in errors
    assert "--verbose" in errors
