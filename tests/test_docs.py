"""Documents are true: schemas and the command reference are generated, README commands exist, links lead somewhere."""

from __future__ import annotations

import json
import os
import pkgutil
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import jsonschema
import pytest
import typer

from cli.main import app
from cli.reference import REFERENCE, command_names, render_reference
from graph.claims import REASON_CODES, VERDICTS, Evidence
from graph.contracts import schemas
from inference.probes import PROBES
from inference.probes.reference import REFERENCE as PROBES_PAGE
from inference.probes.reference import render_probes
from search.query.fields import FIELDS

DOCUMENTS = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "docs/architecture.md",
    "docs/decisions/README.md",
    "docs/formulas.md",
    "docs/probes.md",
    "docs/replay.md",
    "docs/sandbox.md",
    "docs/verification.md",
    "benchmarks/README.md",
    "benchmarks/claims/README.md",
    "examples/README.md",
    "examples/data/README.md",
    "examples/train/README.md",
)


def test_committed_schemas_are_the_generated_ones(repository: Path) -> None:
    committed = {file.stem: json.loads(file.read_text()) for file in (repository / "docs" / "schemas").glob("*.json")}
    assert committed == schemas(), "run `make schemas`"


@pytest.mark.parametrize("name", sorted(schemas()))
def test_schemas_are_valid_and_closed(name: str) -> None:
    schema = schemas()[name]
    jsonschema.Draft202012Validator.check_schema(schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"surprise": 1}, schema)


def test_committed_baselines_follow_their_schema(repository: Path) -> None:
    file = repository / "benchmarks" / "retrieval" / "results" / "baselines.json"
    documents = json.loads(file.read_text(encoding="utf-8"))
    assert len(documents) >= 3
    for document in documents.values():
        jsonschema.validate(document, schemas()["evaluate-search"])
        document["sets"]["dense"]["all"]["recall@3"] = 1
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(document, schemas()["evaluate-search"])


def test_the_command_reference_is_the_generated_one() -> None:
    assert REFERENCE.read_text(encoding="utf-8") == render_reference(), "run `python -m cli.reference`"


def test_the_page_of_the_probes_is_the_generated_one() -> None:
    page = render_probes()
    assert PROBES_PAGE.read_text(encoding="utf-8") == page, "run `make schemas`"
    for name, probe in PROBES.items():
        assert f"| `{name}` {probe.info.version} |" in page
        assert f"| `{name}` | {probe.info.declared or '–'} | {probe.info.control} |" in page


def test_the_page_of_verification_names_every_code_and_real_fields(repository: Path) -> None:
    text = (repository / "docs" / "verification.md").read_text(encoding="utf-8")
    codes = text.partition("| reason code |")[2].partition("\n\n")[0]
    first_cells = " ".join(line.split("|")[1] for line in codes.splitlines() if line.startswith("| `"))
    assert sorted(re.findall(r"`(\w+)`", first_cells)) == sorted(REASON_CODES)
    assert set(re.findall(r"(?m)^\| (\w+) \|", text)) >= set(VERDICTS)
    fields = text.partition("| fields | they say |")[2].partition("\n\n")[0]
    named = " ".join(line.split("|")[1] for line in fields.splitlines() if line.startswith("| `"))
    assert set(re.findall(r"`(\w+)`", named)) <= set(Evidence.model_fields)


def test_decisions_are_numbered_without_gap_and_listed(repository: Path) -> None:
    folder = repository / "docs" / "decisions"
    index = (folder / "README.md").read_text(encoding="utf-8")
    files = sorted(folder.glob("0*.md"))
    assert [int(file.name[:4]) for file in files] == list(range(1, len(files) + 1))
    rows = []
    for file in files:
        first = file.read_text(encoding="utf-8").splitlines()[0]
        number, title = re.fullmatch(r"# (\d+)\. (.+)", first).groups()  # type: ignore[union-attr]
        assert int(number) == int(file.name[:4])
        rows.append(f"| {number} | [{title}]({file.name}) |")
    assert re.findall(r"(?m)^\| \d+ \|.*$", index) == rows


def test_files_named_in_the_architecture_exist(repository: Path) -> None:
    text = (repository / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([\w/]+\.py|[\w/]+/)`", text))
    places = (repository, repository / "inference", repository / "graph")
    missing = [name for name in named if not any((place / name).exists() for place in places)]
    assert missing == [] and len(named) > 12
    rooms = {f"{path.parent.name}/" for path in (repository / "inference").glob("*/__init__.py")}
    assert rooms <= named


def _commands(text: str) -> list[list[str]]:
    lines = re.findall(r"```console\n(.*?)```", text, re.DOTALL) + re.findall(r"`(matchgraph [^`]+)`", text)
    found = []
    for line in "\n".join(lines).splitlines():
        command = line.split("  #")[0].strip()
        if command.startswith("matchgraph "):
            found.append(shlex.split(command)[1:])
    return found


def test_every_command_of_the_readme_exists(repository: Path) -> None:
    known = {words for words in command_names() if words}
    commands = _commands((repository / "README.md").read_text(encoding="utf-8"))
    assert len(commands) > 10
    for command in commands:
        words = tuple(command[:2]) if command[0] in ("graph", "evaluate", "events") else (command[0],)
        assert words in known, command
        options = {word.partition("=")[0] for word in command if word.startswith("--")}
        assert options <= _options(words), command


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_commands_of_the_readme_work_one_after_another(repository: Path, tmp_path: Path) -> None:
    """As written, in a fresh home, from the root of a clone."""
    blocks = re.findall(r"```console\n(.*?)```", (repository / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    environment = {**os.environ, "MATCHGRAPH_HOME": str(tmp_path / "home"), "COLUMNS": "80"}
    said = {}
    for command in _commands(f"```console\n{blocks[1]}```"):
        done = subprocess.run(
            [sys.executable, "-m", "cli.main", *command],
            cwd=repository, env=environment, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (command, done.stderr[-1_000:])
        said[command[0]] = said.get(command[0], "") + "".join(done.stdout.split())  # tables break names into lines
    assert set(said) >= {"ingest", "verify", "show", "build", "search", "outcome", "evaluate"}
    assert "67of144=46.53" in said["show"] and "runsrefutedattierartifact" in said["build"]
    assert "digits-mobilevitisahead" in said["evaluate"]
    assert "1.code-or-prose(model)" in said["search"]


def _options(words: tuple[str, ...]) -> set[str]:
    command: object = typer.main.get_command(app)
    for word in words:
        command = command.commands[word]  # type: ignore[attr-defined]
    return {name for parameter in command.params for name in parameter.opts}  # type: ignore[attr-defined]


def test_the_readme_starts_with_exactly_two_commands(repository: Path) -> None:
    first = re.search(r"```console\n(.*?)```", (repository / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert first is not None
    assert [line.split("#")[0].strip() for line in first[1].strip().splitlines()] == ["make demo", "make test"]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(repository: Path, document: str) -> None:
    file = repository / document
    for target in re.findall(r"\]\(([^)#\s]+)", file.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (file.parent / target).exists(), f"{document} links to {target}"


def test_the_architecture_names_what_exists(repository: Path) -> None:
    text = (repository / "docs" / "architecture.md").read_text(encoding="utf-8")
    steps = re.findall(r"\*\*(cli|search|inference|indexer|graph)\*\* `([\w.]+)`", text)
    assert {floor for floor, _ in steps} == {"cli", "search", "inference", "indexer", "graph"}
    for floor, name in steps:
        assert pkgutil.resolve_name(f"{floor}.{name}") is not None


def test_each_dependency_has_its_reason(repository: Path) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [
        *project["dependencies"],
        *(r for extra in ("minilm", "postgresql") for r in project["optional-dependencies"][extra]),
    ]
    names = {re.split(r"[^\w.-]", requirement)[0] for requirement in wanted}
    text = (repository / "docs" / "dependencies.md").read_text(encoding="utf-8")
    cells = re.findall(r"(?m)^\| (?!package|-)([^|]+) \|", text)
    told = {name.split(" (")[0] for cell in cells for name in cell.split(", ")}
    assert told == names
    pinned = {line.partition("==")[0].lower() for line in (repository / "constraints.txt").read_text().splitlines()}
    assert {name.lower() for name in names} <= pinned


def test_every_field_of_a_condition_is_documented(repository: Path) -> None:
    text = (repository / "docs" / "search.md").read_text(encoding="utf-8")
    table = text.partition("<!-- fields: begin -->")[2].partition("<!-- fields: end -->")[0]
    rows = [f"| `{row.name}` | {row.kind} | {row.meaning} |" for row in FIELDS.values()]
    assert [line for line in table.splitlines() if line.startswith("| `")] == rows
