"""ingest, build, snapshots, rollback."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import note, print_json, print_table, progress, say, shorten
from cli.session import DatabaseOption, HomeOption, JsonOption, opened
from cli.verify_commands import BudgetOption, print_counts, verify

if TYPE_CHECKING:
    from graph.artifacts import Artifact
    from graph.work_responses import BuildResponse, EncoderUsed, IngestResponse

EXIT_PARTLY = 4


def register(app: typer.Typer) -> None:
    """Add these commands to an app."""
    for command in (ingest, verify, build, snapshots, rollback):
        app.command()(command)


def ingest(
    sources: Annotated[
        list[Path],
        typer.Argument(help="Manifests, models, a model cache, pages, catalogues, tables of results, MCP manifests."),
    ],
    kind: Annotated[str | None, typer.Option("--kind", help="Kind of source, where it is not detected.")] = None,
    map_: Annotated[
        list[str] | None,
        typer.Option("--map", help="field=column,… of a CSV or JSON Lines catalogue whose columns have other names."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be read; store nothing.")] = False,
    json_: JsonOption = False, home: HomeOption = None, db: DatabaseOption = None,
) -> None:  # fmt: skip
    """Read sources into the catalogue; ends with an inventory that adds up.

    Example: matchgraph ingest examples/artifacts ~/.cache/huggingface/hub

    Example: matchgraph ingest models.csv --map id=model_id,description=Summary --dry-run
    """
    from search.reports import ingest_response

    mapping = _mapping(map_)
    with nullcontext() if dry_run else opened(home, db) as found, progress() as tell:
        answer = ingest_response(found, sources, kind, tell, mapping)
    if json_:
        print_json(answer)
    else:
        print_ingest(answer)
    if answer.rejected or answer.left_out:
        raise typer.Exit(EXIT_PARTLY if answer.accepted else 1)


def _mapping(texts: list[str] | None) -> dict[str, str] | None:
    """Column by field; a malformed map is a mistake in the command's use."""
    if not texts:
        return None
    from graph.errors import InputError
    from indexer.sources import CSV_FIELDS, parse_map

    try:
        return parse_map(texts, CSV_FIELDS)
    except InputError as error:
        raise typer.BadParameter(str(error)) from error


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
    for artifact in answer.preview:
        print_preview(artifact)
    say(render_inventory(answer.inventory, answer.size_bytes))
    if answer.dry_run:
        say(f"a dry run: nothing was stored, {len(answer.rejected)} rejected")
        return
    say(f"{answer.added} new, {answer.changed} changed, {answer.unchanged} as before, {len(answer.rejected)} rejected")
    if answer.accepted:
        note("next: matchgraph build")


def print_preview(artifact: Artifact) -> None:
    """Print an artifact as it would be stored: what was read into which field."""
    given = {
        "type": artifact.type, "license": artifact.license, "library": artifact.library, "family": artifact.family,
        "params": f"{artifact.params:,}" if artifact.params is not None else None, "url": artifact.url,
        "tasks": ", ".join(dict.fromkeys(capability.task for capability in artifact.capabilities)),
        "capabilities": len(artifact.capabilities),
        "claims": sum(claim.metric != "runs" for claim in artifact.claims), "description": artifact.description,
    }  # fmt: skip
    say(shorten(f"{artifact.id} ({artifact.name})" if artifact.name != artifact.id else artifact.id, 80))
    for name, value in given.items():
        if value not in (None, ""):
            say(f"  {name:<13}{shorten(str(value), 64)}")


def print_build(answer: BuildResponse, *, report: bool) -> None:
    """Print the answer of `build`."""
    state = "unchanged" if answer.unchanged else "live"
    say(f"snapshot {answer.snapshot} ({state}, policy {answer.policy})")
    say(f"{answer.artifacts} artifacts, {answer.capabilities} capabilities, {answer.rows} rows, "
        f"{answer.embedded} texts embedded")  # fmt: skip
    say(_encoder_line(answer.encoder))
    print_counts(answer.claims)
    if answer.refused:
        say(f"{len(answer.refused)} kept out" + ("" if report else " (--report lists them)"))
    if report and answer.refused:
        rows = [(r.artifact, shorten(r.what, 60), r.reason) for r in answer.refused]
        print_table(["artifact", "what", "why"], rows)
    note('next: matchgraph search "what it should do"')


def _encoder_line(used: EncoderUsed) -> str:
    """One line: which encoder, what it ran on, and why not on what is faster."""
    ran = f" in {used.runtime}" if used.runtime else ""
    near = f", at most {used.difference:.0e} from torch" if used.difference is not None else ""
    return f"encoder {used.name}{ran}{near}" + (f" ({used.note})" if used.note else "")


def _date(time_us: int | None) -> str | None:
    if time_us is None:
        return None
    from datetime import UTC, datetime

    return datetime.fromtimestamp(time_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M")
