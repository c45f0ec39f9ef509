"""From options and environment to an open home: the one place where the command line reads settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from graph.home import Home
    from graph.settings import Settings

HomeOption = Annotated[
    Path | None, typer.Option("--home", help="Folder of everything kept [MATCHGRAPH_HOME, ~/.matchgraph].")
]
DatabaseOption = Annotated[
    str | None, typer.Option("--db", help="SQLAlchemy URL of the database [MATCHGRAPH_DATABASE_URL].")
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]


def read_settings(home: Path | None, database: str | None = None) -> Settings:
    """The settings: options win over the environment.

    Raises
    ------
    InputError
        A setting in the environment is malformed; names it.
    """
    from pydantic import ValidationError

    from graph.errors import InputError
    from graph.settings import Settings

    given = {"home": home, "database_url": database}
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        name = "MATCHGRAPH_" + "_".join(str(part) for part in first["loc"]).upper()
        raise InputError(f"setting {name}: {first['msg']}: mend it in the environment") from error


@contextmanager
def opened(home: Path | None, database: str | None = None, *, throw_away: bool = False) -> Iterator[Home]:
    """An open home, closed at the end."""
    from graph.home import open_home

    found = open_home(read_settings(home, database), throw_away=throw_away)
    try:
        yield found
    finally:
        found.close()
