"""ingest, build, snapshots, rollback."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import note, print_json, print_table, progress, say, shorten
from cli.session import DatabaseOption, HomeOption, JsonOption, opened
from cli.verify_commands import BudgetOption, print_counts, verify

if TYPE_CHECKING:
    from graph.work_responses import BuildResponse, IngestResponse

EXIT_PARTLY = 4


def register(app: typer.Typer) -> None:
    """Add these commands to an app."""
    for command in (ingest, verify, build, snapshots, rollback):
        app.command()(command)


def ingest(
    sources: Annotated[list[Path], typer.Argument(help="Manifests, model folders, a model cache, catalogues.")],
    kind: Annotated[str | None, typer.Option("--kind", help="Kind of source, where it is not detected.")] = None,
    json_: JsonOption = False, home: HomeOption = None, db: DatabaseOption = None,
) -> None:  # fmt: skip
    """Read sources into the catalogue; ends with an inventory that adds up.

    Example: matchgraph ingest examples/artifacts ~/.cache/huggingface/hub
    """
    from search.reports import ingest_response

    with opened(home, db) as found, progress() as tell:
        answer = ingest_response(found, sources, kind, tell)
    if json_:
        print_json(answer)
    else:
        print_ingest(answer)
    if answer.rejected or answer.left_out:
        raise typer.Exit(EXIT_PARTLY if answer.accepted else 1)


def build(
    policy: Annotated[str, typer.Option("--policy", help="open, default, production, strict, or a file.")] = "default",
    report: Annotated[bool, typer.Option("--report", help="List what was kept out, and why.")] = False,
    budget_s: BudgetOption = None,
    no_probes: Annotated[bool, typer.Option("--no-probes", help="Run no model.")] = False,
    json_: JsonOption = False, home: HomeOption = None, db: DatabaseOption = None,
) -> None:  # fmt: skip
    """Check, gate, embed what is new, and switch to a fresh snapshot of the index.

    Example: matchgraph build --policy production --report
    """
    from search.reports import build_response

    with opened(home, db) as found, progress() as tell:
        answer = build_response(found, policy, probe=not no_probes, budget_s=budget_s, on_progress=tell)
    if json_:
        print_json(answer)
    else:
        print_build(answer, report=report)


def snapshots(json_: JsonOption = False, home: HomeOption = None, db: DatabaseOption = None) -> None:
    """List the snapshots; * marks the live one.

    Example: matchgraph snapshots
    """
    from search.reports import snapshot_infos

    with opened(home, db) as found:
        infos = snapshot_infos(found)
    if json_:
        print_json(infos)
        return
    print_table(
        ["", "snapshot", "made (UTC)", "artifacts", "rows", "policy"],
        [
            ("*" if s.current else "", s.id, _date(s.created_us), s.artifacts, s.rows, s.problem or s.policy)
            for s in infos
        ],
        right=(3, 4),
    )


def rollback(
    snapshot: Annotated[str | None, typer.Argument(help="Which; default the one before the live one.")] = None,
    json_: JsonOption = False, home: HomeOption = None, db: DatabaseOption = None,
) -> None:  # fmt: skip
    """Make an earlier snapshot the live one.

    Example: matchgraph rollback
    """
    from indexer.snapshot import roll_back

    with opened(home, db) as found:
        live = roll_back(found.snapshots, snapshot)
    print_json({"snapshot": live}) if json_ else say(f"live: {live}")


# Printing -----------------------------------------------------------------------------------------------
def print_ingest(answer: IngestResponse) -> None:
    """Print the answer of `ingest`; refusals to standard error, each with file and line."""
    from indexer.sources import render_inventory

    for word, problems in (("rejected", answer.rejected), ("left out", answer.left_out)):
        for problem in problems:
            where = f"{problem.file}:{problem.line}" if problem.line is not None else problem.file
            note(f"{word} {where}: {problem.what}")
    for warning in answer.warnings[:20]:
        note(f"warning: {warning}")
    if len(answer.warnings) > 20:
        note(f"… and {len(answer.warnings) - 20} more warnings (--json lists all)")
    say(render_inventory(answer.inventory, answer.size_bytes))
    say(f"{answer.added} new, {answer.changed} changed, {answer.unchanged} as before, {len(answer.rejected)} rejected")
    if answer.accepted:
        note("next: matchgraph build")


def print_build(answer: BuildResponse, *, report: bool) -> None:
    """Print the answer of `build`."""
    state = "unchanged" if answer.unchanged else "live"
    say(f"snapshot {answer.snapshot} ({state}, policy {answer.policy})")
    say(f"{answer.artifacts} artifacts, {answer.capabilities} capabilities, {answer.rows} rows, "
        f"{answer.embedded} texts embedded")  # fmt: skip
    print_counts(answer.claims)
    if answer.refused:
        say(f"{len(answer.refused)} kept out" + ("" if report else " (--report lists them)"))
    if report and answer.refused:
        rows = [(r.artifact, shorten(r.what, 60), r.reason) for r in answer.refused]
        print_table(["artifact", "what", "why"], rows)
    note('next: matchgraph search "what it should do"')


def _date(time_us: int | None) -> str | None:
    if time_us is None:
        return None
    from datetime import UTC, datetime

    return datetime.fromtimestamp(time_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M")
