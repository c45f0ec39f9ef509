"""`verify` on the command line: what it prints, what its JSON holds, how it is interrupted."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from shared_work import RuledWorker
from test_plan import make_classifier
from typer.testing import CliRunner, Result

import inference.work.shared
from cli.main import app
from cli.output import seconds_words
from graph.artifacts import Artifact
from graph.contracts import schemas
from graph.errors import MatchgraphError
from graph.home import Home
from graph.store.catalogue import save_artifacts
from graph.store.jobs import lease_owners

Run = Callable[..., Result]


@pytest.fixture
def models(home: Home, tmp_path: Path) -> list[Artifact]:
    """Two text classifiers that claim an accuracy on `letters`, and one on `elsewhere`."""
    made = [
        make_classifier(tmp_path / "models", "one", ("a", "b"), "letters"),
        make_classifier(tmp_path / "models", "two", ("a", "b"), "letters", "elsewhere"),
    ]
    with home.store.writing() as connection:
        save_artifacts(connection, made)
    return made


@pytest.fixture
def run(home: Home, models: list[Artifact], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Runs `verify` with a worker that answers by rule; both models are trusted."""

    class Ruled(RuledWorker):
        def __init__(self, modules: object, device: str = "cpu", without: frozenset[str] = frozenset()) -> None:
            super().__init__(tmp_path / "log")

        def __enter__(self) -> Ruled:
            return self

        def __exit__(self, *_: object) -> None:
            return None

    monkeypatch.setattr(inference.work.shared, "Zygote", Ruled)
    monkeypatch.setenv("MATCHGRAPH_HOME", str(home.path))
    runner = CliRunner()
    yield lambda *words: runner.invoke(app, ["verify", "--trust", "one", "--trust", "two", *words])


def document(result: Result, contract: str) -> Any:
    assert result.exit_code == 0, result.output
    parsed = json.loads(result.stdout)
    jsonschema.validate(parsed, schemas()[contract])
    return parsed


def test_the_plan_names_the_best_set_first_and_adds_up(run: Run) -> None:
    result = run("--plan")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    start = lines.index("which data set would give how many claims something to be tried on:")
    assert [line.rstrip() for line in lines[start + 1 : start + 5]] == [
        "--data NAME=      claims   what it holds",
        "─" * 44,
        "letters        at most 4   text, labels a, b",
        "elsewhere      at most 3   text, labels a, b",
    ]
    assert "5 claims: 0 need no run, 0 wait for the units above, 5 would be left without" in result.stdout
    plan = document(run("--plan", "--json"), "plan")
    assert plan["claims"] == plan["settled"] + plan["waiting"] + plan["without_data"] == 5
    assert plan["cost_s"] == pytest.approx(sum(probe["cost_s"] for probe in plan["probes"]))
    assert [wanted["name"] for wanted in plan["data"]] == ["letters", "elsewhere"]


def test_after_the_run_verdicts_and_reasons_sum_to_all_claims(run: Run, tmp_path: Path) -> None:
    letters = tmp_path / "letters.csv"
    letters.write_text("text,label\n" + "".join(f"{'ab'[i % 2]} {i},{'ab'[i % 2]}\n" for i in range(60)))
    shown = run("--data", f"letters={letters}").stdout
    lines = [line.split() for line in shown.splitlines()]
    assert ["unverifiable", "no_data", "1"] in lines
    assert ["verified", "–", "4"] in lines
    assert ["all", "–", "5"] in lines
    assert any(line[:2] == ["loading", "2"] for line in lines)  # time by probe
    answer = document(run("--data", f"letters={letters}", "--json"), "verify")
    assert sum(answer["counts"].values()) == sum(reason["claims"] for reason in answer["reasons"]) == 5
    assert (answer["units_run"], answer["units_left"], answer["left"]) == (0, 0, [])
    assert answer["units_resumed"] > 0


def test_a_budget_too_small_says_what_was_left(run: Run) -> None:
    shown = run("--budget-s", "0.1").stdout
    assert "0 units run, 0 finished before" in shown
    assert "left: loading of " in shown
    assert "run it again with a larger --budget-s" in " ".join(shown.split())
    assert ["claimed", "budget", "2"] in [line.split() for line in shown.splitlines()]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--jobs", "0"), 2, "--jobs"),
        (("--device", "tpu"), 1, "cpu or cuda"),
        (("--reproduce", "ev_1", "--plan"), 2, "--reproduce"),
        (("--reproduce", "ev_nowhere"), 1, "ev_nowhere"),
        (("nobody",), 1, "nobody"),
        (("--data", "letters=/nowhere.csv"), 1, "no such file"),
    ],
)
def test_wrong_options_are_one_line(run: Run, words: tuple[str, ...], code: int, said: str) -> None:
    result = run(*words)
    if code == 2:
        assert result.exit_code == 2
        assert said in result.output
    else:  # the entry point turns our errors into one line and exit code 1
        assert isinstance(result.exception, MatchgraphError)
        assert said in str(result.exception)
        assert "\n" not in str(result.exception)


def test_a_record_is_made_again_and_a_difference_is_a_finding(
    run: Run, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    import search.reports
    from graph.store.evidence import all_evidence
    from inference.work.reproduce import Reproduction

    run()
    with home.store.reading() as connection:
        record = next(each for each in all_evidence(connection) if each.verdict is not None)
    for agrees, code in ((True, 0), (False, 3)):
        made = Reproduction(record, record, agrees, "verified then, verified now", ("torch 2.12 then, 2.13 now",))
        monkeypatch.setattr(search.reports, "reproduce", lambda *_, made=made: made)
        result = run("--reproduce", record.id)
        assert result.exit_code == code
        assert ("it differs: " in result.stdout) is not agrees
        assert "other than then: torch 2.12 then, 2.13 now" in result.stdout


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (125, "2 min 05 s"), (3720, "1 h 02 min")],
)
def test_seconds_for_people(seconds: float, words: str) -> None:
    assert seconds_words(seconds) == words


@pytest.mark.slow
def test_ctrl_c_is_130_and_the_next_run_goes_on(home: Home, repository: Path) -> None:
    command = [sys.executable, "-m", "cli.main", "--home", str(home.path)]
    manifest = repository / "examples" / "artifacts" / "local-code-or-prose.yml"
    subprocess.run([*command, "ingest", str(manifest)], cwd=repository, check=True, capture_output=True)
    process = subprocess.Popen([*command, "verify", "--jobs", "2"], cwd=repository, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:  # until it holds the first unit
        with home.store.reading() as connection:
            if lease_owners(connection):
                break
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "what is finished is kept, run it again to go on" in said
    assert "Traceback" not in said
    with home.store.reading() as connection:
        assert lease_owners(connection) == frozenset()
