"""The command line: parse, one call, print. Errors become one line and an exit code."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import FrameType

import typer

from cli import (
    catalogue_commands,
    evaluate_commands,
    events_commands,
    find_commands,
    graph_commands,
    lint_commands,
    serve_commands,
)

app = typer.Typer(
    name="matchgraph",
    help="Which AI model or tool does X - and is it true? Claims are checked before they enter the index.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
catalogue_commands.register(app)
lint_commands.register(app)
find_commands.register(app)
serve_commands.register(app)
app.add_typer(graph_commands.app, name="graph")
app.add_typer(events_commands.app, name="events")
app.add_typer(evaluate_commands.evaluate_app, name="evaluate")


@app.callback()
def options(
    verbose: bool = typer.Option(False, "--verbose", help="Show the traceback of an error."),
    version: bool = typer.Option(False, "--version", help="Print the version and stop."),
    home: Path | None = typer.Option(None, "--home", help="As --home of a command."),
    db: str | None = typer.Option(None, "--db", help="As --db of a command."),
) -> None:
    """Find models and tools by what they do, with verdicts."""
    if version:
        from importlib.metadata import version as installed

        typer.echo(f"matchgraph {installed('matchgraph')}")
        raise typer.Exit
    if verbose:
        os.environ["MATCHGRAPH_VERBOSE"] = "1"
    for name, given in (("MATCHGRAPH_HOME", home), ("MATCHGRAPH_DATABASE_URL", db)):
        if given is not None:
            os.environ[name] = str(given)


def run() -> None:
    """Run the command line; a matchgraph error is one line on standard error and exit code 1, Ctrl-C is 130."""
    from cli.output import note
    from graph.errors import MatchgraphError

    heard: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        heard.append(number)
        signal.default_int_handler(number, frame)

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, interrupt)
    try:
        app()
    except (Exception, KeyboardInterrupt, SystemExit) as error:
        # Libraries turn an interrupt that reaches their callbacks into errors of their own (pydantic's serializer).
        if heard or isinstance(error, KeyboardInterrupt):
            note("matchgraph: interrupted; what is finished is kept, run it again to go on")
            sys.exit(130)
        if isinstance(error, SystemExit) or os.environ.get("MATCHGRAPH_VERBOSE"):
            raise
        said = " ".join(str(error).split())
        if not isinstance(error, MatchgraphError):
            said = f"internal error: {type(error).__name__}: {said}: run it with --verbose and report it"
        note(f"matchgraph: {said}")
        sys.exit(1)


if __name__ == "__main__":
    run()
