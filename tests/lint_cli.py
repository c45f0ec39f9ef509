"""`matchgraph lint` as tests call it: the command itself, in this process or in one of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from cli.main import app

REPOSITORY = Path(__file__).resolve().parents[1]
PAGES = REPOSITORY / "examples" / "pages"


def lint_here(*words: str | Path, stdin: bytes | None = None) -> Result:
    """The command's answer, run in this process."""
    return CliRunner().invoke(app, ["lint", *map(str, words)], input=stdin)


def lint_json(*words: str | Path, stdin: bytes | None = None) -> dict[str, Any]:
    """The command's JSON document."""
    answer = lint_here(*words, "--json", stdin=stdin)
    assert answer.exit_code in (0, 3, 4), answer.output
    return json.loads(answer.stdout)


def lint_alone(
    *words: str | Path, cwd: Path = REPOSITORY, path: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own; modules in the folder `path` come before all others."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, filter(None, (path, REPOSITORY))))}
    return subprocess.run(
        [sys.executable, "-m", "cli.main", "lint", *map(str, words)],
        cwd=cwd, env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def refuted(document: dict[str, Any]) -> list[tuple[str, str, Any]]:
    """(artifact, metric, value) of each refuted claim, in order."""
    return [
        (claim["artifact"], claim["metric"], claim["value"])
        for artifact in document["artifacts"]
        for claim in artifact["claims"]
        if claim["verdict"] == "refuted"
    ]


def flags(document: dict[str, Any]) -> list[tuple[str, str, int | None]]:
    """(artifact, flag, line) of each flag, in order."""
    return [
        (artifact["artifact"], flag["flag"], flag["line"])
        for artifact in document["artifacts"]
        for flag in artifact["flags"]
    ]
