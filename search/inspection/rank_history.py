"""The answer of `graph history`: ranks over time, and what changed one between two moments."""

from __future__ import annotations

from dataclasses import asdict

from graph.constants import DAY_US
from graph.errors import QueryError
from graph.events import now_us
from graph.graph_responses import HistoryReport
from graph.history import explain_change, rank_history
from graph.home import Home
from graph.past import read_past
from graph.store import catalogue

DAYS_BACK = 28
"""How far back a history begins where nobody says."""


def show_history(home: Home, name: str, since_us: int | None, until_us: int | None, steps: int = 5) -> HistoryReport:
    """Ranks at evenly spaced moments from one to another, and the causes of the change between the two.

    Raises
    ------
    UnknownArtifact
        There is no such artifact; names the nearest.
    QueryError
        The end is not after the beginning.
    """
    end = now_us() if until_us is None else until_us
    start = end - DAYS_BACK * DAY_US if since_us is None else since_us
    if start >= end:
        raise QueryError("--since is not before --until: give an earlier one")
    with home.store.reading() as connection:
        artifact = catalogue.find_artifact(connection, name)
        past = read_past(connection)
    moments = [start + (end - start) * number // (steps - 1) for number in range(steps)]
    change = explain_change(past, artifact.id, start, end)
    history = [asdict(each) for each in rank_history(past, artifact.id, moments)]
    return HistoryReport.model_validate({**asdict(change), "slug": artifact.slug, "history": history})
