"""lint: check what sources claim, without a model and without a home."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cli.output import note, print_json, progress, say, say_wrapped, shorten
from cli.session import JsonOption

if TYPE_CHECKING:
    from indexer.lint import Linted, LintReport

EXIT_ERROR: Final = 1
EXIT_FINDINGS: Final = 3
EXIT_REJECTED: Final = 4


class Format(StrEnum):
    """How findings are written."""

    text = "text"
    json = "json"
    sarif = "sarif"


def lint(
    sources: Annotated[list[Path], typer.Argument(help="Files and folders.")],
    kind: Annotated[str | None, typer.Option("--kind", help="Kind of all sources; default: detected.")] = None,
    format_: Annotated[Format, typer.Option("--format", help="text, json or sarif.")] = Format.text,
    baseline: Annotated[Path | None, typer.Option("--baseline", help="Findings in this file are not told again.")] = None,
    write: Annotated[Path | None, typer.Option("--write-baseline", help="Write what is found as a baseline.")] = None,
    json_: JsonOption = False,
) -> None:  # fmt: skip
    """Check what sources claim: arithmetic, consistency, files, licences. Nothing is stored, no model runs.

    Exit code 3 where a claim is refuted, 4 where a source was rejected. A comment `matchgraph: ignore METRIC -- why`
    sets aside what it finds on its own line and the next.

    Example: matchgraph lint README.md --format sarif
    """
    from indexer.lint import lint as run
    from indexer.lint.suppress import read_baseline, write_baseline

    known = read_baseline(baseline) if baseline is not None else frozenset()
    with progress() as tell:
        report = run(sources, kind=kind, baseline=known, on_progress=tell)
    for error in report.rejected:
        note(f"rejected: {error}")
    for warning in report.warnings:
        note(f"warning: {warning}")
    if write is not None:
        from indexer.lint.baseline import rows_of

        write_baseline(write, rows_of(report))
        note(f"baseline written: {write}")
    _print(report, Format.json if json_ else format_)
    if report.rejected:
        raise typer.Exit(EXIT_REJECTED if report.artifacts else EXIT_ERROR)
    if any(linted.refuted for linted in report.artifacts) and write is None:
        raise typer.Exit(EXIT_FINDINGS)


def _print(report: LintReport, format_: Format) -> None:
    from indexer.lint.document import lint_document

    if format_ is Format.json:
        print_json(lint_document(report))
    elif format_ is Format.sarif:
        from importlib.metadata import version

        from indexer.lint.sarif import sarif_document

        print_json(sarif_document(report, version("matchgraph")))
    else:
        print_text(report)


def print_text(report: LintReport) -> None:
    """Print findings by artifact, refuted claims first, and a line that counts everything."""
    for linted in report.artifacts:
        if linted.refuted or linted.flags:
            _print_artifact(linted, report)
    _print_counts(report)


def _print_artifact(linted: Linted, report: LintReport) -> None:
    say(f"{linted.artifact.id} ({linted.artifact.source.file})")
    for claim in linted.refuted:
        line = f"{report.place(claim.span.file, claim.span.start)[0]}" if claim.span is not None else "–"
        say(f"  line {line}: refuted ({claim.tier}), {claim.metric.replace('_', ' ')}")
        say_wrapped(claim.reason, indent=4)
        say_wrapped(f"“{shorten(claim.text, 150)}”", indent=4)
    for flag in linted.flags:
        line = f"{report.place(flag.span.file, flag.span.start)[0]}" if flag.span is not None else "–"
        say_wrapped(f"line {line}: flag {flag.code}: {flag.reason}", indent=2)
    say()


def _print_counts(report: LintReport) -> None:
    from indexer.lint.document import lint_document

    answer = lint_document(report)
    claims = sum(answer.counts.values())
    shown = ", ".join(f"{count} {name}" for name, count in answer.counts.items() if count) or "none"
    say(f"{len(answer.artifacts)} artifacts, {claims} claims: {shown}")
    if answer.flags:
        say_wrapped("flags: " + ", ".join(f"{count} {name}" for name, count in answer.flags.items()))
    if answer.ignored or answer.known:
        say(f"set aside: {answer.ignored} by comments, {answer.known} by the baseline")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(lint)
