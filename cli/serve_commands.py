"""serve, evaluate search, demo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cli.output import note, print_json, print_table, progress, say
from cli.session import DatabaseOption, HomeOption, JsonOption, opened, read_settings

evaluate_app = typer.Typer(help="Measure search against labelled queries.", no_args_is_help=True)
MEASURES = ("ndcg@10", "recall@1", "recall@5", "recall@10", "mrr@10")


def register(app: typer.Typer) -> None:
    """Add these commands to an app."""
    app.command()(serve)
    app.command()(demo)


def serve(
    host: Annotated[str | None, typer.Option("--host", help="Address to listen on [127.0.0.1].")] = None,
    port: Annotated[int | None, typer.Option("--port", help="Port to listen on [8000]; 0 takes a free one.")] = None,
    home: HomeOption = None, db: DatabaseOption = None,
) -> None:  # fmt: skip
    """Serve the HTTP API until interrupted.

    Example: matchgraph serve --port 8000
    """
    import uvicorn

    from search.api import create_app

    with opened(home, db) as found:
        settings = found.settings
        uvicorn.run(
            create_app(found), host=host or settings.host, port=settings.port if port is None else port,
            log_level="warning" if settings.synthetic else "info", access_log=False,  # it would print queries as typed
        )  # fmt: skip


def demo(
    home: Annotated[Path | None, typer.Option("--home", help="Keep the demo's home here; default a new one.")] = None,
    json_: JsonOption = False,
) -> None:  # fmt: skip
    """Show the whole way on real models, in a home of its own that is thrown away.

    Example: matchgraph demo
    """
    from cli.demo import run_demo

    run_demo(home, json_=json_)


@evaluate_app.callback()
def evaluate() -> None:
    """Measure search against labelled queries."""


@evaluate_app.command("search")
def evaluate_search_command(
    catalog: Annotated[Path, typer.Option("--catalog", help="JSON Lines {id, name, description, …}.")],
    queries: Annotated[Path, typer.Option("--queries", help="JSON Lines {qid, text, rel}.")],
    log: Annotated[Path | None, typer.Option("--log", help="JSON Lines {qid, text, rel}: past successes.")] = None,
    different: Annotated[
        Path | None, typer.Option("--different", help="JSON Lines {qid, text, reject, phrase, rel}.")
    ] = None,
    json_: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Rank labelled queries in a throw-away home; nDCG@10 and recall with intervals.

    Example: matchgraph evaluate search --catalog models.jsonl --queries queries.jsonl
    """
    from search.evaluate import EvaluateFiles, evaluate_search

    files = EvaluateFiles(catalog, queries, log, different)
    with progress() as tell:
        answer = evaluate_search(read_settings(home), files, tell)
    if json_:
        print_json(answer)
    else:
        print_evaluation(answer)


def print_evaluation(answer: dict[str, Any]) -> None:
    """Print the answer of `evaluate search`."""
    rows = [
        (name, group, part["n"], _estimate(part["ndcg@10"]), *(f"{part[m]['value']:.3f}" for m in MEASURES[1:]))
        for name, sets in answer["sets"].items()
        if sets
        for group, part in sets.items()
        if part["n"]
    ]
    short = [name.replace("recall", "R").replace("mrr", "MRR") for name in MEASURES[1:]]
    print_table(["set", "queries", "n", "nDCG@10 [95 %]", *short], rows, right=(2,))
    for name, groups in answer["paired"].items():
        for group, part in (groups or {}).items():
            if part["n"]:
                say(f"{name}, {group}: {part['value']:+.3f} [{part['low']:+.3f}, {part['high']:+.3f}], n {part['n']}")
    missing = [name for name, sets in answer["sets"].items() if sets is None]
    if missing:
        note(f"not measured: {', '.join(missing)}")


def _estimate(value: dict[str, float]) -> str:
    return f"{value['value']:.3f} [{value['low']:.3f}, {value['high']:.3f}]"
