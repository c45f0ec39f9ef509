"""The benchmark of txtai beside our search: what is made of its rows, what is said without it, the committed result."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def beside(repository: Path):
    sys.path.insert(0, str(repository / "benchmarks" / "retrieval"))
    try:
        import txtai_beside
    finally:
        sys.path.pop(0)
    return txtai_beside


def test_a_model_is_where_its_best_row_is(beside) -> None:
    assert beside.best_first([3, 0, 2, 1], ["a", "a", "b", "b"]) == ["b", "a"]
    assert beside.best_first([], ["a"]) == []


def test_rows_are_asked_for_until_they_hold_ten_models(beside) -> None:
    owners = [f"m{row // 4}" for row in range(100)]  # four rows a model: 37 rows hold ten
    asked = []

    def search(text: str, limit: int) -> list[int]:
        asked.append(limit)
        return list(range(limit))

    assert beside.until_ten(search, "q", owners) == [f"m{n}" for n in range(10)]
    assert asked == [10, 20, 40]
    assert beside.until_ten(lambda text, limit: [4, 0][:limit], "q", owners) == ["m1", "m0"]  # it has no more


@pytest.mark.skipif(find_spec("txtai") is not None, reason="txtai is installed here")
def test_without_txtai_one_line_says_how_to_install_it(repository: Path, beside) -> None:
    command = [sys.executable, "benchmarks/retrieval/txtai_beside.py", "nowhere"]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", beside.MISSING + "\n")
    assert "\n" not in beside.MISSING and f"txtai[graph]=={beside.VERSION}" in beside.MISSING


def test_the_published_tables_are_the_committed_result(repository: Path, beside) -> None:
    found = json.loads(beside.RESULTS.read_text(encoding="utf-8"))
    published = (repository / "benchmarks" / "README.md").read_text(encoding="utf-8")
    assert "\n".join(beside.table(found["hubs"])) in published
    assert found["conditions"]["txtai"] == beside.VERSION
    baselines = json.loads((beside.RESULTS.parent / "baselines.json").read_text(encoding="utf-8"))
    for hub, document in found["hubs"].items():
        same = document["minus"]["our dense - txtai dense"]
        assert max(abs(same["low"]), abs(same["high"])) < 0.005  # the same vectors: ties alone may differ
        for kind in ("dense", "hybrid"):  # the same hubs and queries as the baselines
            baseline = baselines[hub]["sets"][kind]["all"]["ndcg@10"]["value"]
            assert document["ndcg@10"][f"our {kind}"]["value"] == pytest.approx(baseline, abs=0.002)
