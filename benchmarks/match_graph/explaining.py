"""How long an explain takes before anything is kept, right after an outcome, and in a process that just began.

A part of `speed.py`, which makes the home; run alone, with a home and an artifact, it is that process.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import scipy.special  # noqa: F401  loading it is the start of a process

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]

from graph.events import Actor, OutcomeEvent, now_us  # noqa: E402
from graph.explain import find_crowd  # noqa: E402
from graph.home import Home, open_home  # noqa: E402
from graph.ranks.kept_ranks import open_ranks  # noqa: E402
from graph.ranks.scores import score_all, score_inputs  # noqa: E402
from graph.settings import Settings  # noqa: E402
from graph.store import log  # noqa: E402
from graph.store.stamp import read_stamp  # noqa: E402
from graph.walks import walk_votes  # noqa: E402
from search.inspection.inspect_graph import explain_rank  # noqa: E402
from search.ranks import RankCache  # noqa: E402


def measure_explaining(home: Home, artifacts: Sequence[str]) -> dict[str, float]:
    """What an explain costs before anything is kept, right after an outcome of the artifact, and in a fresh process.

    Beside it what it cost before: the scores of all artifacts by their definition, and who stands behind their votes.
    """
    began = time.perf_counter()
    explain_rank(home, artifacts[0])
    first = time.perf_counter() - began
    with home.store.reading() as connection:
        now = now_us()
        table = open_ranks(connection, now).table
        began = time.perf_counter()
        inputs = score_inputs(connection, now)
        walks = walk_votes(log.read_votes(connection), now)
        expected = score_all(inputs, now)
        for each in inputs:
            find_crowd(walks, each.artifact)
        all_scores_s = time.perf_counter() - began
    pairs = [(table.rank(name, now), score.rank) for name, score in expected.items()]
    differ = max(abs(rank - other) for rank, other in pairs if rank is not None and other is not None)
    differ = differ if all((rank is None) == (other is None) for rank, other in pairs) else float("inf")
    after, fresh, cache = [], [], []
    for number, name in enumerate(artifacts[::3]):
        vote_for(home, name, number)
        began = time.perf_counter()
        explain_rank(home, name)
        after.append(time.perf_counter() - began)
    for number, name in enumerate(artifacts[:10]):
        vote_for(home, name, 1_000 + number)
        command = [sys.executable, __file__, str(home.path), name]
        answer = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        fresh.append(answer["explain_s"])
        cache.append(answer["ranks_s"])
    return {
        "all_scores_s": all_scores_s, "explain_first_of_all_s": first,
        "explain_after_outcome_ms": 1e3 * median(after), "explain_after_outcome_slowest_ms": 1e3 * max(after),
        "explain_fresh_process_ms": 1e3 * median(fresh), "explain_fresh_process_slowest_ms": 1e3 * max(fresh),
        "ranks_fresh_process_ms": 1e3 * median(cache), "explain_differs_from_definition": differ,
    }  # fmt: skip


def vote_for(home: Home, artifact: str, number: int) -> None:
    """One success of an artifact, by somebody new."""
    outcome = OutcomeEvent(
        id=f"oc_b{number:031x}", time_us=now_us(), search=f"se_b{number}", artifact=artifact, outcome="success",
        actor=Actor(id=f"ac_b{number}"), origin="api", intent=f"in_{number:016x}", uri="capability://text.task.job-1",
        position=1,
    )  # fmt: skip
    with home.store.writing() as connection:
        log.append_events(connection, [outcome])


def explain_alone(folder: Path, artifact: str) -> None:
    """Seconds of one explain, and of the ranks of a first search, in a process that has done nothing yet; prints JSON.

    Loading libraries and opening the home are the start of a process, and not counted.
    """
    home = open_home(Settings(home=folder))
    with home.store.reading() as connection:
        stamp = read_stamp(connection)
    began = time.perf_counter()
    explain_rank(home, artifact)
    explained = time.perf_counter()
    RankCache(home).rank(artifact, stamp)
    print(json.dumps({"explain_s": explained - began, "ranks_s": time.perf_counter() - explained}))


if __name__ == "__main__":
    explain_alone(Path(sys.argv[1]), sys.argv[2])
