"""Speed of the match graph: PageRank beside bare scipy, an event applied, a million events rebuilt, nodes looked at.

    python benchmarks/match_graph/speed.py [--events 1000000] [--write]

Both sides of a ratio run interleaved in this one process; the smallest of the repetitions counts, because other
processes only ever add. The log is synthetic and seeded: intents have a candidate list each (searches for the same
thing deliver about the same artifacts), popularity follows a power law, a fifth of the events are outcomes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).parent)]

from explaining import measure_explaining  # noqa: E402
from hubs import measure_hubs, measure_log_hubs  # noqa: E402

from graph.artifacts import Artifact, Source, slug_of  # noqa: E402
from graph.constants import PAGERANK_DAMPING, PAGERANK_TOLERANCE  # noqa: E402
from graph.digest import GENESIS, link  # noqa: E402
from graph.events import Actor, Delivered, OutcomeEvent, SearchEvent  # noqa: E402
from graph.explain import explain_artifact  # noqa: E402
from graph.home import Home, open_home  # noqa: E402
from graph.match_graph import Fold, Vote  # noqa: E402
from graph.pagerank import personalised_pagerank  # noqa: E402
from graph.settings import Settings  # noqa: E402
from graph.statistics import Node, build_match_graph, read_match_graph  # noqa: E402
from graph.store import log  # noqa: E402
from graph.store.catalogue import save_artifacts  # noqa: E402
from graph.store.database import insert_rows  # noqa: E402
from graph.store.packed_votes import replace_packed  # noqa: E402
from graph.store.tables import (  # noqa: E402
    EVENTS,
    FOLD_ACTORS,
    FOLD_ARTIFACT_EDGES,
    FOLD_EDGES,
    FOLD_INTENT_EDGES,
    FOLD_INTENTS,
    FOLD_TIMES,
    FOLD_VOTES,
)
from graph.walks import KINDS as NODE_KINDS  # noqa: E402
from search.inspection.inspect_graph import explain_rank, list_neighbours  # noqa: E402

RESULT = Path(__file__).with_name("speed.json")
START_US = 1_750_000_000_000_000
KINDS = ("click", "select", "success", "failure", "dismiss")
LIMITS = {
    "pagerank_ratio": 1.2, "event_applied_ms": 1.0, "rebuild_s": 60.0, "rebuild_peak_mib": 2048.0,
    "explain_ms": 50.0, "neighbours_ms": 50.0, "stored_explain_ms": 50.0, "stored_neighbours_ms": 50.0,
    "stored_neighbours_of_hubs_ms": 50.0,
    "explain_after_outcome_ms": 50.0, "explain_fresh_process_ms": 50.0,
}  # fmt: skip


def best(run: Callable[[], object], repetitions: int) -> float:
    """Seconds of the fastest repetition."""
    times = []
    for _ in range(repetitions):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return min(times)


# PageRank -----------------------------------------------------------------------------------------------
def bare_pagerank(start: Any, sources: Any, targets: Any, weights: Any) -> Any:
    """Power iteration as one writes it with scipy, from the same arrays to the same tolerance."""
    from scipy.sparse import csr_array

    nodes = len(start)
    forward = csr_array((weights, (sources, targets)), shape=(nodes, nodes))
    leaving = np.asarray(forward.sum(axis=1)).ravel()
    scale = np.divide(1.0, leaving, out=np.zeros(nodes), where=leaving > 0)
    step = csr_array(forward.multiply(scale[:, None]).T)
    dangling, begin = leaving <= 0, start / start.sum()
    rank = begin
    for _ in range(1_000):
        following = PAGERANK_DAMPING * (step @ rank + rank[dangling].sum() * begin) + (1 - PAGERANK_DAMPING) * begin
        if np.abs(following - rank).sum() < PAGERANK_TOLERANCE:
            return following
        rank = following
    return rank


def measure_pagerank(edges: int = 1_100_000) -> dict[str, float]:
    """Both power iterations on a random tripartite graph of so many edges."""
    draw = np.random.default_rng(0)
    sizes = (60_000, 20_000, 40_000)
    offsets = (0, sizes[0], sizes[0] + sizes[1])
    parts = [
        (draw.integers(0, sizes[a], edges // 3) + offsets[a], draw.integers(0, sizes[b], edges // 3) + offsets[b])
        for a, b in ((0, 1), (1, 2), (2, 0))
    ]
    sources, targets = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
    weights, start = draw.random(len(sources)) + 0.01, np.zeros(sum(sizes))
    start[: sizes[0]] = draw.random(sizes[0])
    given = (start, sources, targets, weights)
    ours, bare = [], []
    for _ in range(5):
        ours.append(best(lambda: personalised_pagerank(*given), 1))
        bare.append(best(lambda: bare_pagerank(*given), 1))
    differ = float(np.abs(personalised_pagerank(*given) - bare_pagerank(*given)).sum())
    return {"edges": len(sources), "pagerank_s": min(ours), "bare_scipy_s": min(bare),
            "pagerank_ratio": min(ours) / min(bare), "difference": differ}  # fmt: skip


# The log ------------------------------------------------------------------------------------------------
def made_events(count: int, seed: int = 0) -> Iterator[SearchEvent | OutcomeEvent]:
    """Searches with ten results each, and for every four of them an outcome of one."""
    draw = np.random.default_rng(seed)
    intents, artifacts, actors = 20_000, 10_000, 5_000
    candidates = (draw.zipf(1.3, (intents, 12)) + draw.integers(0, artifacts, (intents, 1))) % artifacts
    made = 0
    while made < count:
        intent = int(draw.zipf(1.2)) % intents
        picked = sorted({int(a) for a in draw.permutation(candidates[intent])[:10]})
        actor, time_us = Actor(id=f"ac_{int(draw.integers(actors)):024x}", key_id="k1"), START_US + made * 10_000_000
        name = f"se_{made:032x}"
        results = tuple(
            Delivered(artifact=f"owner{a % 97}/model-{a}", uri=f"capability://text.task.job-{a % 2_000}", position=i,
                      score=1 - i / 16)
            for i, a in enumerate(picked, start=1)
        )  # fmt: skip
        yield SearchEvent(
            id=name, root=name, time_us=time_us, operation="search", origin="api", actor=actor,
            query=f"do job {intent} wording {made % 7}", intent=f"in_{intent:016x}", limit=10, results=results,
        )  # fmt: skip
        made += 1
        if made % 5 == 4 and made < count:
            chosen = results[int(draw.integers(len(results)))]
            yield OutcomeEvent(
                id=f"oc_{made:032x}", time_us=time_us + 1, search=name, artifact=chosen.artifact, actor=actor,
                outcome=KINDS[int(draw.integers(5))], origin="api", intent=f"in_{intent:016x}", uri=chosen.uri,
                position=chosen.position,
            )  # fmt: skip
            made += 1


def write_log(home: Home, count: int) -> None:
    """The events in the log, chained as `append_events` does, but not folded."""
    chain = GENESIS

    def rows() -> Iterator[tuple[Any, ...]]:
        nonlocal chain
        for seq, event in enumerate(made_events(count), start=1):
            payload = json.dumps(event.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
            digest = hashlib.sha256(payload.encode()).hexdigest()
            chain = link(chain, digest)
            row = {"seq": seq, "id": event.id, "time_us": event.time_us, "kind": event.kind, "actor": event.actor.id,
                   "synthetic": False, "root": None, "payload": payload, "payload_digest": digest,
                   "chain": chain}  # fmt: skip
            yield tuple(row[column.name] for column in EVENTS.columns)

    with home.store.writing() as connection:
        insert_rows(connection, EVENTS, rows())


def rebuild_alone(folder: Path) -> None:
    """Rebuild in a process of its own, so that its peak memory is its own; prints JSON."""
    home = open_home(Settings(home=folder))
    began, cpu = time.perf_counter(), time.process_time()
    with home.store.writing() as connection:
        log.rebuild(connection)
    took, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    status = Path("/proc/self/status").read_text(encoding="ascii")  # getrusage would tell of the parent process too
    peak = int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024
    began = time.perf_counter()
    with home.store.reading() as connection:
        equal = log.is_fold_equal(connection)
    print(json.dumps({"rebuild_s": took, "rebuild_cpu_s": cpu_s, "rebuild_peak_mib": peak, "check_equal": equal,
                      "check_s": time.perf_counter() - began}))  # fmt: skip


def measure_rebuild(folder: Path, count: int) -> dict[str, Any]:
    """Seconds and peak memory of folding a log of so many events anew."""
    home = open_home(Settings(home=folder))
    write_log(home, count)
    home.close()
    command = [sys.executable, __file__, "--rebuild-alone", str(folder)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    return {"events": count, **json.loads(answer.stdout)}


def measure_applying(home: Home, count: int = 400) -> dict[str, float]:
    """Milliseconds that folding adds to appending one event, to a log that is large already; sides interleaved."""
    fold_in, sides = log._fold_in, {"folded": [], "bare": []}
    events = list(made_events(2 * count, seed=1))
    for number, event in enumerate(events):
        side = "folded" if number % 2 else "bare"
        fresh = event.model_copy(update={"id": f"{event.id[:3]}f{number:031x}"})
        log._fold_in = fold_in if side == "folded" else lambda *_: None
        began = time.perf_counter()
        with home.store.writing() as connection:
            log.append_events(connection, [fresh])
        sides[side].append(time.perf_counter() - began)
    log._fold_in = fold_in
    quartile = {side: 1e3 * sorted(times)[len(times) // 4] for side, times in sides.items()}
    middle = {side: 1e3 * sorted(times)[len(times) // 2] for side, times in sides.items()}
    return {
        "event_applied_ms": quartile["folded"] - quartile["bare"], "event_with_fold_ms": quartile["folded"],
        "event_without_fold_ms": quartile["bare"], "event_applied_median_ms": middle["folded"] - middle["bare"],
    }  # fmt: skip


# Looking ------------------------------------------------------------------------------------------------
def made_fold(paths: int = 700_000, votes: int = 200_000) -> Fold:
    """A fold of more than a million edges, with votes."""
    draw, counts = np.random.default_rng(0), Fold()
    while len(counts.edges) < paths:
        for i, u, a in zip(draw.integers(0, 60_000, 100_000), draw.zipf(1.2, 100_000) % 20_000,
                           draw.integers(0, 40_000, 100_000), strict=True):  # fmt: skip
            counts.edges[f"in_{i:016x}", f"capability://text.task.job-{u}", f"owner/model-{a}"] += 1
    known = list(counts.edges)
    for number, place in enumerate(draw.integers(0, len(known), votes)):
        intent, uri, artifact = known[place]
        counts.add_vote(
            Vote(f"se_{number}", artifact, f"ac_{number % 30_000}", intent, uri, KINDS[number % 5], 1 + number % 10,
                 1.0, START_US + number, f"oc_{number}")
        )  # fmt: skip
    for intent, _, artifact in known:
        counts.intents[intent] += 1
        counts.times[artifact] += 1
        counts.actors[artifact, f"ac_{len(artifact)}"] += 1
    return counts


def measure_looking() -> dict[str, float]:
    """Milliseconds of `explain_artifact` and `neighbors` on a graph of more than a million edges; the slowest nodes."""
    counts = made_fold()
    began = time.perf_counter()
    match_graph = build_match_graph(counts, START_US + 10**12)
    edges = len(match_graph.arrays.sources)
    match_graph.neighbors(match_graph.nodes[0].key)
    explain_artifact(match_graph, match_graph.nodes[0].id)
    first = time.perf_counter() - began
    busy = sorted(
        ((Node(kind, id_), len(paths)) for kind, ids in match_graph._through.items() for id_, paths in ids.items()),
        key=lambda pair: -pair[1],
    )
    artifacts = [node for node, _ in busy if node.kind == "artifact"][:50]
    others = [node for node, _ in busy if node.kind != "artifact"]
    sample = [*artifacts, *others[50 : len(others) : len(others) // 200]]
    explain = [best(lambda node=node: explain_artifact(match_graph, node.id), 3) for node in artifacts]
    near = [best(lambda node=node: match_graph.neighbors(node.key), 3) for node in sample]
    hub = best(lambda: match_graph.neighbors(others[0].key), 3)
    return {
        "looked_at_edges": edges, "first_look_s": first, "explain_ms": 1e3 * max(explain),
        "neighbours_ms": 1e3 * max(near), "neighbours_of_largest_hub_ms": 1e3 * hub,
        "largest_hub_paths": busy[0][1], **measure_stored(counts),
    }  # fmt: skip


def write_fold(home: Home, counts: Fold) -> None:
    """The counts in the folded tables, and an entry in the catalogue for each artifact."""
    votes = [(v.search, v.artifact, v.actor, v.level, v.intent, v.uri, v.outcome, v.position, v.trust, v.time_us,
              v.event) for v in counts.outcomes.values()]  # fmt: skip
    tables: dict[Any, Iterator[tuple[Any, ...]]] = {
        FOLD_TIMES: ((artifact, n, START_US) for artifact, n in counts.times.items()),
        FOLD_ACTORS: ((*pair, n) for pair, n in counts.actors.items()),
        FOLD_INTENTS: iter(counts.intents.items()),
        FOLD_EDGES: ((*path, n) for path, n in counts.edges.items()),
        FOLD_INTENT_EDGES: ((*edge, n) for edge, n in _edges(counts, 1, 0).items()),
        FOLD_ARTIFACT_EDGES: ((*edge, n) for edge, n in _edges(counts, 1, 2).items()),
        FOLD_VOTES: iter(votes),
    }  # fmt: skip
    entry = Artifact(id="x", slug="x", name="x", type="model", source=Source(kind="manifest", file="made"))
    with home.store.writing() as connection:
        for table, rows in tables.items():
            insert_rows(connection, table, sorted(rows))
        replace_packed(connection, votes)
        save_artifacts(connection, [entry.model_copy(update={"id": a, "slug": slug_of(a), "name": a})
                                    for a in sorted(counts.times)])  # fmt: skip


def _edges(counts: Fold, source: int, target: int) -> Counter[tuple[str, str]]:
    edges: Counter[tuple[str, str]] = Counter()
    for path, searches in counts.edges.items():
        edges[path[source], path[target]] += searches
    return edges


def measure_stored(counts: Fold) -> dict[str, float]:
    """Milliseconds of whole answers of `graph neighbors` and `graph explain` from the store, by nodes' paths and votes.

    Of the artifacts and of the other nodes the busiest fifty and two hundred between them and the least; the slowest.
    """
    with tempfile.TemporaryDirectory() as folder:
        home = open_home(Settings(home=Path(folder)))
        write_fold(home, counts)
        paths = {kind: Counter(path[place] for path in counts.edges) for place, kind in enumerate(NODE_KINDS)}
        busy = {kind: [id_ for id_, _ in each.most_common()] for kind, each in paths.items()}
        artifacts = sample(busy["artifact"])
        found = measure_explaining(home, artifacts)
        explain = [best(lambda name=name: explain_rank(home, name), 3) for name in artifacts]
        near = [best(lambda name=name: list_neighbours(home, name, 50), 3)
                for name in [*artifacts, *sample(busy["intent"]), *sample(busy["capability"][200:])]]  # fmt: skip
        hubs = measure_hubs(home, busy["capability"][:200], counts, LIMITS["stored_neighbours_ms"])
        home.close()
    return {
        "stored_explain_ms": 1e3 * max(explain), **found, "stored_neighbours_ms": 1e3 * max(near), **hubs,
    }  # fmt: skip


def sample(ids: Sequence[str]) -> list[str]:
    """The first fifty, and two hundred of the others, evenly."""
    return [*ids[:50], *ids[50 :: max(1, (len(ids) - 50) // 200)]]


def measure_log(events: int) -> dict[str, Any]:
    """What is measured on a log of so many events: folding it anew, one event more, the whole graph read."""
    with tempfile.TemporaryDirectory() as folder:
        found = measure_rebuild(Path(folder), events)
        home = open_home(Settings(home=Path(folder)))
        found |= measure_log_hubs(home) | measure_applying(home)
        began = time.perf_counter()
        with home.store.reading() as connection:
            stats = read_match_graph(connection, START_US + 10**13).stats()
        found |= {"read_whole_graph_s": time.perf_counter() - began, "stats": stats}
        home.close()
    return found


def main() -> None:
    """Measure, print, and with --write keep the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--parts", default="pagerank,looking,log", help="which of them, by commas")
    parser.add_argument("--write", action="store_true", help="keep the result; parts left out stay as they are")
    parser.add_argument("--rebuild-alone", type=Path)
    options = parser.parse_args()
    if options.rebuild_alone:
        rebuild_alone(options.rebuild_alone)
        return
    found: dict[str, Any] = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else {}
    parts = {"pagerank": measure_pagerank, "looking": measure_looking, "log": lambda: measure_log(options.events)}
    for name in options.parts.split(","):
        found |= {f"{name}_load": os.getloadavg()[0], **parts[name]()}
        print(found, file=sys.stderr)
    found = {name: round(value, 4) if isinstance(value, float) else value for name, value in found.items()}
    found["within_limits"] = {name: found[name] <= limit for name, limit in LIMITS.items() if name in found}
    print(json.dumps(found, indent=1))
    if options.write:
        RESULT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
