"""The committed simulation of manipulation, small and with the hand-computable encoder; and its committed result."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from fake_encoder import WordEncoder

from graph.constants import ACTOR_EPSILON


@pytest.fixture(scope="module")
def simulation(repository: Path):
    sys.path.insert(0, str(repository / "benchmarks" / "match_graph"))
    try:
        import manipulation
    finally:
        sys.path.pop(0)
    return manipulation


@pytest.mark.slow
def test_one_actor_moves_no_score_by_more_than_epsilon(
    simulation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulation, "HONEST", 60)
    world = simulation.World(tmp_path, WordEncoder())
    simulation.be_honest(world)
    targets = simulation.closest(world, 3)
    attack = simulation.measured(world, targets, lambda: simulation.repeat(world, "one", targets, "click", 300))
    assert attack.events == 600
    assert 0 < attack.largest_score_change <= ACTOR_EPSILON
    hired = (simulation.shown_at(world, 4),)
    crowd = simulation.measured(world, hired, lambda: simulation.collude(world, hired[0]))
    assert crowd.largest_score_change > ACTOR_EPSILON  # what many do is meant to count: the bound is about one
    world.home.close()


def test_the_committed_result_holds_what_is_promised(repository: Path) -> None:
    found = json.loads((repository / "benchmarks/match_graph/manipulation.json").read_text(encoding="utf-8"))
    assert (found["clicks"]["events"], found["epsilon"]) == (20_000, ACTOR_EPSILON)  # a search and its click
    for name in ("clicks", "clicks_where_it_is_closest", "dismissals"):
        assert found[name]["largest_score_change"] <= ACTOR_EPSILON
        assert found[name]["largest_place_change"] <= 1
    crowd = found["collusion"]["crowd"]
    assert crowd["only_here"] / crowd["voters"] > 0.9 > crowd["only_here_elsewhere"]
    once, often = (found["one_against_ninety"][name] for name in ("1 of 1", "90 of 100"))
    assert all(once[name] < often[name] for name in ("vote_part", "match_graph_points", "success_mean", "success_low"))
