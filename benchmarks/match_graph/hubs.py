"""Neighbours of hubs: the busiest capabilities of a graph, from packed votes and row by row. Part of `speed.py`."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from graph.events import now_us
from graph.explain import Crowd, shorten
from graph.home import Home
from graph.match_graph import Fold
from graph.nodes.stored_nodes import read_explanation, read_neighbours, read_page
from graph.store.database import fetch
from graph.store.packed_votes import MOST_UNPACKED, note_unpacked
from graph.walks import Node
from search.inspection.inspect_graph import list_neighbours


def median(run: Callable[[], object], repetitions: int = 5) -> float:
    """Milliseconds of the repetition in the middle."""
    times = []
    for _ in range(repetitions):
        began = time.perf_counter()
        run()
        times.append(1e3 * (time.perf_counter() - began))
    return sorted(times)[repetitions // 2]


def measure_hubs(home: Home, busiest: Sequence[str], counts: Fold, limit_ms: float) -> dict[str, Any]:
    """Milliseconds of `graph neighbors` on the busiest capabilities, each the median of five.

    Beside the largest: what it takes row by row, whether that says the same, and its answer with as many searches
    noted since votes were packed as there may be.
    """
    took = [median(lambda name=name: list_neighbours(home, name, 50)) for name in busiest]
    hub, now, votes = Node("capability", busiest[0]), now_us(), list(counts.outcomes.values())
    with home.store.reading() as connection:
        by_row = median(lambda: read_neighbours(connection, hub, now), 3)
        page, whole = read_page(connection, hub, now, 50), read_neighbours(connection, hub, now)
    with home.store.writing() as connection:
        note_unpacked(connection, [vote.search for vote in votes[:MOST_UNPACKED]])
    return {
        "stored_neighbours_of_hubs_ms": max(took), "stored_neighbours_of_largest_hub_ms": took[0],
        "stored_hubs_of_200_within_limit": sum(each <= limit_ms for each in took),
        "largest_hub_votes": Counter(vote.uri for vote in votes)[hub.id],
        "stored_neighbours_of_largest_hub_by_row_ms": by_row,
        "largest_hub_equal_by_row": (page.of, page.neighbours) == (len(whole), whole[:50]),
        "stored_neighbours_of_largest_hub_noted_ms": median(lambda: list_neighbours(home, hub.id, 50)),
    }  # fmt: skip


def measure_log_hubs(home: Home) -> dict[str, Any]:
    """Of a home's busiest artifact, intent and capability by outcomes: neighbours, packed and row by row.

    Of the artifact its explanation too, apart from what depends on all artifacts; the first 50 votes and paths.
    """
    now, found = now_us(), {}
    given: dict[str, Any] = {"pagerank": 0.0, "flow": 0.0, "crowd": Crowd(0, 0, None, None, 0, 0.0)}
    with home.store.reading() as connection:
        for kind, column in (("artifact", "artifact"), ("intent", "intent"), ("capability", "uri")):
            busiest = f"SELECT {column}, count(*) FROM fold_votes GROUP BY 1 ORDER BY 2 DESC LIMIT 1"
            ((id_, votes),) = fetch(connection, busiest)
            node = Node(kind, id_)
            page, whole = read_page(connection, node, now, 50), read_neighbours(connection, node, now)
            found |= {
                f"hub_{kind}_votes": votes,
                f"hub_{kind}_neighbours_ms": median(lambda node=node: read_page(connection, node, now, 50)),
                f"hub_{kind}_neighbours_by_row_ms": median(lambda node=node: read_neighbours(connection, node, now), 3),
                f"hub_{kind}_equal_by_row": (page.of, page.neighbours) == (len(whole), whole[:50]),
            }
        busiest = fetch(connection, "SELECT artifact FROM fold_votes GROUP BY 1 ORDER BY count(*) DESC LIMIT 1")[0][0]
        hub = Node("artifact", busiest)
        short, _ = read_explanation(connection, hub, now, 50, **given)
        whole, _ = read_explanation(connection, hub, now, None, **given)
        found |= {
            "hub_artifact_explain_ms": median(lambda: read_explanation(connection, hub, now, 50, **given)),
            "hub_artifact_explain_by_row_ms": median(lambda: read_explanation(connection, hub, now, None, **given), 3),
            "hub_artifact_explain_equal": short == shorten(whole, 50),
        }
    return found
