"""lint: check what sources claim, without a model and without a home."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cli.output import note, print_json, progress, say, say_wrapped
from cli.session import JsonOption

if TYPE_CHECKING:
    from indexer.lint import Linted, LintReport

STDIN: Final = "-"
EXIT_ERROR: Final = 1
EXIT_FINDINGS: Final = 3
EXIT_REJECTED: Final = 4


class Format(StrEnum):
    """How findings are written."""

    text = "text"
    json = "json"
    sarif = "sarif"


def lint(
    sources: Annotated[list[Path], typer.Argument(help="Files and folders; - is standard input.")],
    kind: Annotated[str | None, typer.Option("--kind", help="Kind of all sources; default: detected.")] = None,
    format_: Annotated[Format, typer.Option("--format", help="text, json or sarif.")] = Format.text,
    baseline: Annotated[Path | None, typer.Option("--baseline", help="Findings not to tell again.")] = None,
    write: Annotated[Path | None, typer.Option("--write-baseline", help="Write what is found as a baseline.")] = None,
    json_: JsonOption = False,
) -> None:  # fmt: skip
    """Check what sources claim: arithmetic, consistency, files, licences. Nothing is stored, no model runs.

    `-` reads one page from standard input. Exit code 3 where a claim is refuted, 4 where a source was rejected. A
    comment `matchgraph: ignore METRIC_OR_FLAG -- why` sets aside what is found on its own line and the next.

    Example: matchgraph lint README.md --format sarif
    """
    from indexer.lint import lint as run
    from indexer.lint.baseline import read_baseline, write_baseline

    known = read_baseline(baseline) if baseline is not None else frozenset()
    paths = [path for path in sources if str(path) != STDIN]
    stdin = _standard_input() if len(paths) < len(sources) else None
    with progress() as tell:
        report = run(paths, kind=kind, baseline=known, stdin=stdin, on_progress=tell)
    for error in report.rejected:
        note(f"rejected: {error}")
    for warning in report.warnings:
        note(f"warning: {warning}")
    if write is not None:
        note(f"baseline written: {write}, {write_baseline(write, report)} findings")
    _print(report, Format.json if json_ else format_)
    if report.rejected:
        raise typer.Exit(EXIT_REJECTED if report.artifacts else EXIT_ERROR)
    if any(linted.refuted for linted in report.artifacts) and write is None:
        raise typer.Exit(EXIT_FINDINGS)


def _standard_input() -> bytes:
    """A page from standard input, bounded like a page from a file."""
    from indexer.sources.text_file import LARGEST_TEXT_BYTES

    return sys.stdin.buffer.read(LARGEST_TEXT_BYTES + 1)


def _print(report: LintReport, format_: Format) -> None:
    if format_ is Format.json:
        from indexer.lint.document import lint_document

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
    from indexer.lint.summary import lines_of

    say(linted.artifact.id)
    for line in lines_of(linted, report):
        say(f"  {line.place}")  # unbroken, so that terminals and editors can follow it
        say_wrapped(f"{line.what}: {line.reason}", indent=4)
        if line.quote:
            say_wrapped(f"“{line.quote}”", indent=4)
    say()


def _print_counts(report: LintReport) -> None:
    claims, flags = sum(report.counts.values()), report.flags
    shown = ", ".join(f"{count} {name}" for name, count in report.counts.items() if count) or "none"
    say_wrapped(f"{_counted(len(report.artifacts), 'artifact')}, {_counted(claims, 'claim')}: {shown}")
    if flags:
        say_wrapped("flags: " + ", ".join(f"{count} {name}" for name, count in flags.items()))
    if not flags and not report.counts["refuted"]:
        say("nothing found")
    if report.ignored or report.known:
        say(f"set aside: {report.ignored} by comments, {report.known} by the baseline")


def _counted(number: int, word: str) -> str:
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(lint)
