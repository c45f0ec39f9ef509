"""The benchmark of learning from a log: a small sample on TorchHub, and its committed result."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from graph.settings import Settings
from inference.embedder import open_encoder


@pytest.fixture(scope="module")
def learning(repository: Path):
    sys.path.insert(0, str(repository / "benchmarks" / "retrieval"))
    try:
        import learning
    finally:
        sys.path.pop(0)
    return learning


@pytest.mark.slow
def test_torchhub_learns_from_its_log_and_not_from_a_shuffled_one(learning, shared: Path, tmp_path: Path) -> None:
    chosen = Settings(home=tmp_path)
    encoder = open_encoder(chosen.encoder, threads=1)
    hub = learning.Hub(shared / "data" / "apibench", "torchhub", tmp_path, encoder)
    values = {}
    ((new, lines),) = hub.splits()
    assert (len(new), len(lines)) == (186, 837)
    digest = encoder.info.digest
    for name, log in {"none": [], "whole": lines, "shuffled": learning.shuffle_labels(lines)}.items():
        learning.remember_only(hub.engine, learning.log_lines(log, hub.vectors, digest, learning.now_us()))
        values[name] = np.array(
            learning.rank_all(hub.engine, hub.queries, hub.vectors, ["graph"])["graph"].values["ndcg@10"]
        )
    assert learning.mean_with_interval(values["whole"] - values["none"]).low > 0
    assert learning.mean_with_interval(values["shuffled"] - values["none"]).low <= 0
    hub.home.close()


def test_wrong_labels_are_wrong_and_as_many_as_asked(learning) -> None:
    near = SimpleNamespace(top=lambda count: [SimpleNamespace(artifact=f"m{n}") for n in range(count)])
    hub = SimpleNamespace(vectors={"x": None}, engine=SimpleNamespace(score=lambda *_, **__: near))
    lines = [learning.Judged(str(n), "x", frozenset({"m3"})) for n in range(400)]
    changed = learning.Hub.with_wrong_labels(hub, lines, 0.5)
    wrong = [line for line in changed if line.rel != frozenset({"m3"})]
    assert 170 < len(wrong) < 230
    assert {a for line in wrong for a in line.rel} == {f"m{n}" for n in range(11) if n != 3}
    assert learning.Hub.with_wrong_labels(hub, lines, 0.0) == lines


def test_the_committed_result_holds_what_is_promised(repository: Path) -> None:
    found = json.loads((repository / "benchmarks/retrieval/results/learning.json").read_text(encoding="utf-8"))
    least = {"huggingface": (0.305, 0.333), "torchhub": (0.280, 0.346), "tensorflowhub": (0.631, 0.747)}
    for hub, (hybrid, whole) in least.items():
        document = found[hub]
        assert document["hybrid"]["value"] >= hybrid
        assert document["100% of the log"]["all"]["ndcg@10"]["value"] >= whole
        assert document["100% of the log"]["all"]["minus hybrid"]["low"] > 0
        assert document["50% wrong labels"]["all"]["minus hybrid"]["value"] >= -0.02
        assert document["labels shuffled"]["all"]["minus hybrid"]["low"] <= 0
    assert found["huggingface"]["100% of the log"]["unseen"]["minus hybrid"]["value"] >= -0.045
