"""serve, demo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.session import DatabaseOption, HomeOption, JsonOption, opened


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
