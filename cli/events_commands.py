"""events import, export, forget, demand."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import note, print_json, print_table, progress, say, say_wrapped, shorten
from cli.session import DatabaseOption, HomeOption, JsonOption, opened

if TYPE_CHECKING:
    from graph.event_responses import DemandResponse, ForgetResponse, ImportResponse

EXIT_PARTLY = 4
app = typer.Typer(help="The event log: bring a log in, take one out, and see what is asked for.", no_args_is_help=True)
LINES_SHOWN = 20
REASONS = {
    "already_imported": "imported before", "bot": "of bots", "synthetic": "marked as no user's",
    "ignored_event": "neither search nor outcome", "duplicate": "the same row again",
    "repeated_outcome": "an outcome that is recorded already", "contradicting_outcome": "success against failure",
}  # fmt: skip


@app.command("import")
def import_(
    files: Annotated[list[Path], typer.Argument(help="Logs, JSON Lines or CSV; several are read as one.")],
    map_: Annotated[
        list[str] | None, typer.Option("--map", metavar="FIELD=COLUMN", help="Where a field is (docs/replay.md).")
    ] = None,
    event: Annotated[
        list[str] | None, typer.Option("--event", metavar="WORD=KIND", help="What the log's word for an event means.")
    ] = None,
    trust: Annotated[float, typer.Option("--trust", help="Weight of an outcome, 0 to 1; with a token it is 1.")] = 0.5,
    zone: Annotated[str, typer.Option("--zone", help="Time zone of times that name none.")] = "UTC",
    time_format: Annotated[str | None, typer.Option("--time-format", help="strptime format of the times.")] = None,
    first_position: Annotated[int, typer.Option("--first-position", help="Position of a first result, 0 or 1.")] = 1,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing; say what would be written.")] = False,
    json_: JsonOption = False, home: HomeOption = None, db: DatabaseOption = None,
) -> None:  # fmt: skip
    """Read a directory's own log; what is imported already is not counted again.

    Example: matchgraph events import log.csv --map query=term --map time=when --dry-run
    """
    from search.replay.run import ImportOptions, import_events

    options = ImportOptions(map_ or (), event or (), trust, zone, time_format, first_position, dry_run)
    with opened(home, db) as found, progress() as tell:
        answer = import_events(found, files, options, on_progress=tell)
    if json_:
        print_json(answer)
    else:
        print_import(answer)
    if answer.rejected or answer.unknown_results:
        raise typer.Exit(EXIT_PARTLY if answer.rows > sum(answer.rejected.values()) else 1)


@app.command()
def export(
    file: Annotated[Path | None, typer.Argument(help="Where to; default standard output.")] = None,
    since: Annotated[str | None, typer.Option("--since", help="From this time on, such as 2026-11-01.")] = None,
    until: Annotated[str | None, typer.Option("--until", help="Before this time.")] = None,
    kind: Annotated[str | None, typer.Option("--kind", help="search, outcome, catalogue or tombstone.")] = None,
    batch: Annotated[str | None, typer.Option("--batch", help="Of this import.")] = None,
    json_: JsonOption = False, home: HomeOption = None, db: DatabaseOption = None,
) -> None:  # fmt: skip
    """Write the events as JSON Lines, as they are stored; `events import` reads them.

    Example: matchgraph events export november.jsonl --since 2026-11-01
    """
    from search.event_log import export_events, read_slice

    chosen = read_slice(since, until, kind, batch)
    if json_ and file is None:
        raise typer.BadParameter("with --json give a FILE: the events themselves go to standard output")
    with opened(home, db) as found:
        answer = export_events(found, file, sys.stdout, chosen)
    if json_:
        print_json(answer)
    else:
        note(f"{answer.events} events" + (f" in {answer.file}" if answer.file else ""))


@app.command()
def forget(
    actor: Annotated[str | None, typer.Argument(help="An actor's id in the log, or who it is.")] = None,
    batch: Annotated[str | None, typer.Option("--batch", help="Take this import back instead.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Remove nothing; only count.")] = False,
    json_: JsonOption = False, home: HomeOption = None, db: DatabaseOption = None,
) -> None:  # fmt: skip
    """Remove what an actor searched and said, or an import, for good.

    Example: matchgraph events forget visitor-4711
    """
    from search.event_log import forget_actor, take_back

    if (actor is None) == (batch is None):
        raise typer.BadParameter("give ACTOR, or --batch DIGEST")
    with opened(home, db) as found:
        if batch is not None:
            answer = take_back(found, batch, dry_run=dry_run)
        else:
            answer = forget_actor(found, str(actor), dry_run=dry_run)
    print_json(answer) if json_ else print_forgotten(answer)


@app.command()
def demand(
    days: Annotated[int, typer.Option("--days", min=1, max=3_650, help="How many days, against as many before.")] = 28,
    until: Annotated[str | None, typer.Option("--until", help="The end of these days; default now.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1_000, help="Lines of each list.")] = 10,
    json_: JsonOption = False, home: HomeOption = None, db: DatabaseOption = None,
) -> None:  # fmt: skip
    """Report what is asked for, what rises, what finds no answer, and what is never chosen.

    Example: matchgraph events demand --days 7
    """
    from search.demand import demand_report
    from search.event_log import read_moment

    end = None if until is None else read_moment(until)
    with opened(home, db) as found:
        answer = demand_report(found, days=days, until_us=end, limit=limit)
    print_json(answer) if json_ else print_demand(answer)


# Printing -----------------------------------------------------------------------------------------------
def print_import(answer: ImportResponse) -> None:
    """Print the answer of `events import`; refusals to standard error, each with file and line."""
    for problem in answer.problems[:LINES_SHOWN]:
        note(f"rejected {problem.file}:{problem.line}: {problem.what}")
    rejected = sum(answer.rejected.values())
    if rejected > LINES_SHOWN:
        note(f"… and {rejected - LINES_SHOWN} more rejected rows (--json lists the first 1,000)")
    for unknown in answer.unknown_names:
        meant = f"; did you mean {', '.join(unknown.suggestions)}?" if unknown.suggestions else ""
        note(f"left out {unknown.first}: no artifact {unknown.name!r} ({unknown.results} results){meant}")
    columns = ", ".join(f"{field}: {column}" for field, column in answer.columns.items())
    say_wrapped(f"read {columns or 'no column that is known'}")
    if answer.unused_columns:
        say_wrapped(f"not read: {', '.join(answer.unused_columns)}")
    rows = [("accepted", answer.accepted)]
    rows += [(f"skipped: {REASONS.get(s.reason, s.reason)}", s.rows) for s in answer.skipped]
    rows += [(f"rejected: {code.replace('_', ' ')}", n) for code, n in answer.rejected.items()]
    print_table(["rows", ""], [*rows, ("together", answer.rows)], right=(1,))
    say()
    for line in _import_words(answer):
        say_wrapped(line)
    for text in answer.notes:
        note(f"note: {text}")


def _import_words(answer: ImportResponse) -> list[str]:
    would = "would be written" if answer.dry_run else "written"
    outcomes = ", ".join(f"{n} {kind}" for kind, n in answer.outcomes.items()) or "no outcomes"
    lines = [
        f"{answer.searches} searches ({answer.implied} known from outcomes alone), {answer.pages} further pages, "
        f"{outcomes} {would}",
    ]
    if answer.intents is not None:
        lines.append(f"of {answer.actors} actors, in {answer.intents} intents, {answer.new_intents} of them new")
    if answer.alone:
        lines.append(f"{answer.alone} outcomes belong to no search: they speak for their artifact, not for an intent")
    if answer.backwards:
        lines.append(f"{answer.backwards} rows are earlier than the row before: the order is by time, none is lost")
    if not answer.dry_run and answer.accepted:
        lines.append(f"take it back: matchgraph events forget --batch {answer.batch[:12]}")
    return lines


def print_forgotten(answer: ForgetResponse) -> None:
    """Print the answer of `events forget`."""
    done = "would be removed" if answer.dry_run else "removed"
    say(f"{answer.searches} searches and {answer.outcomes} outcomes {done}; what others did stays")


def print_demand(answer: DemandResponse) -> None:
    """Print the answer of `events demand`."""
    from cli.output import day_words

    say(f"{day_words(answer.since_us)} to {day_words(answer.until_us)}: {answer.searches:,} searches in "
        f"{answer.intents:,} intents, {answer.unanswered_searches:,} without an answer")  # fmt: skip
    _section("most asked for", ["intent", "searches", "actors", "no answer", "chosen"],
             [(i.label, i.searches, i.actors, i.unanswered, i.chosen) for i in answer.top])  # fmt: skip
    rising = [
        (i.label, i.searches, i.before, "new" if i.growth is None else f"{i.growth:.2g}x", f"{i.at_least:.2g}x")
        for i in answer.rising
    ]
    _section("rising", ["intent", "searches", "before", "share grew", "at least"], rising, answer.message)
    _section("without an answer", ["intent", "searches", "of", "actors", "last"],
             [(i.label, i.searches, i.of, i.actors, day_words(i.last_us)) for i in answer.no_answer])  # fmt: skip
    unchosen = [
        (i.slug, i.shown, i.best_position, f"{i.expected:.1f}", f"{i.at_most:.1%}", i.refused)
        for i in answer.never_chosen
    ]
    _section("shown, never chosen", ["artifact", "shown", "best place", "expected", "at most", "refused"], unchosen)
    left = answer.artifacts_never_chosen - len(unchosen)
    if left > 0:
        say(f"… and {left} more of {answer.artifacts_shown} artifacts shown (--limit, --json)")


def _section(title: str, headers: list[str], rows: Sequence[Sequence[object]], empty: str = "") -> None:
    say()
    if not rows:
        say_wrapped(f"{title}: {empty or 'nothing'}")
        return
    say(title)
    cut = [(shorten(str(row[0]), 34), *row[1:]) for row in rows]
    print_table(headers, cut, right=tuple(range(1, len(headers))))
