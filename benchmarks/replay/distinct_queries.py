"""An import of so many distinct queries, without an encoder: how long, and of which parts; results are compared.

    python benchmarks/replay/distinct_queries.py [--queries 20000,60000] [--more 110000] [--write]

Queries are made vectors of 384 dimensions around topics, some of which are as near as paraphrases; encoding is not
part of it. Each is one search with one click, of a log in JSON Lines. Result: distinct_queries.json.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "tests")]

from directory_log import directory_artifacts  # noqa: E402
from small_catalogue import build_small  # noqa: E402

from graph.home import open_home  # noqa: E402
from graph.settings import Settings  # noqa: E402
from graph.store import catalogue  # noqa: E402
from inference.encoder_recipe import EncoderInfo  # noqa: E402
from search.replay import meaning  # noqa: E402
from search.replay.run import ImportOptions, import_events  # noqa: E402
from search.votes import intents  # noqa: E402

RESULT = Path(__file__).with_suffix(".json")
DIMENSION = 384


def made_vectors(count: int, seed: int = 0) -> np.ndarray:
    """Normalised vectors, float32 (count, 384): three in four on topics, at cosines of 0.5 to 0.95 with each other."""
    draw = np.random.default_rng(seed)
    topics = draw.standard_normal((count // 20, DIMENSION), np.float32)
    spread = draw.uniform(0.25, 1.0, (count, 1)).astype(np.float32)
    made = topics[draw.integers(0, len(topics), count)] * (draw.random((count, 1)) < 0.75)
    made += spread * draw.standard_normal((count, DIMENSION), np.float32)
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


class MadeEncoder:
    """Gives each text `query N` its made vector."""

    def __init__(self, vectors: np.ndarray) -> None:
        self.info = EncoderInfo("made", f"made-{len(vectors)}", DIMENSION, 256)
        self._vectors = vectors

    def encode(self, texts: Sequence[str], on_done: Callable[[int], None] | None = None) -> np.ndarray:
        """The vectors of texts that end in their number."""
        return self._vectors[[int(text.rpartition(" ")[2]) for text in texts]]


def write_log(path: Path, count: int) -> None:
    """As many searches of different queries, each with a click on one of three results."""
    names = [artifact.id for artifact in directory_artifacts()]
    with path.open("w", encoding="utf-8") as stream:
        for number in range(count):
            shown = [names[(number + step) % len(names)] for step in range(3)]
            row = {"time": 1_750_000_000 + number, "actor": f"visitor {number % 5_000}", "query": f"query {number}",
                   "results": shown, "clicked": shown[number % 3]}  # fmt: skip
            stream.write(json.dumps(row) + "\n")


def plain_near(queries: np.ndarray, vectors: np.ndarray) -> list[np.ndarray]:
    """What `near_intents` gives, as one writes it first: a fresh matrix of products for each block."""
    least = intents._least(queries.shape[1])
    found: list[list[np.ndarray]] = [[] for _ in queries]
    for start in range(0, len(vectors), 8_192):
        near, rows = np.nonzero(queries @ vectors[start : start + 8_192].T >= least)
        for query in np.unique(near):
            found[query].append(rows[near == query] + start)
    return [np.concatenate(each) if each else np.zeros(0, np.int64) for each in found]


def measure_import(count: int, near: Callable[..., Any], *, again: bool) -> dict[str, Any]:
    """Seconds of an import: in all, of its stages, of comparing queries, and of importing the same log again."""
    stages: dict[str, float] = {}
    compared = 0.0
    last = 0.0

    def hear(progress: Any) -> None:
        nonlocal last
        now = time.perf_counter()
        stages[progress.stage] = stages.get(progress.stage, 0.0) + now - last
        last = now

    def timed(*given: np.ndarray) -> Any:
        nonlocal compared
        began = time.perf_counter()
        answer = near(*given)
        compared += time.perf_counter() - began
        return answer

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.jsonl"
        write_log(path, count)
        home = open_home(Settings(home=Path(folder) / "home"))
        encoder = MadeEncoder(made_vectors(count))
        build_small(home, directory_artifacts())
        meaning.near_intents = timed
        last = began = time.perf_counter()
        told = import_events(home, [path], ImportOptions(), encoder, hear)
        found = {"queries": count, "import_s": time.perf_counter() - began, "comparing_s": compared}
        found |= {f"{stage.replace(' ', '_')}_s": took for stage, took in stages.items()}
        with home.store.reading() as connection:
            ids, _ = catalogue.intent_vectors(connection, encoder.info.digest)
        found |= {"intents": told.intents, "intents_digest": hashlib.sha256("".join(ids).encode()).hexdigest()[:16]}
        if again:
            compared, began = 0.0, time.perf_counter()
            second = import_events(home, [path], ImportOptions(), encoder)
            found |= {"again_s": time.perf_counter() - began, "again_comparing_s": compared,
                      "again_searches": second.searches}  # fmt: skip
        home.close()
    return {name: round(value, 2) if isinstance(value, float) else value for name, value in found.items()}


def main() -> int:
    """Import each number of queries, both ways of comparing where asked for; exit code 1 where they differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", default="20000,60000", help="both ways of comparing")
    parser.add_argument("--more", default="110000", help="only as it is")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    result: dict[str, Any] = {"load": round(os.getloadavg()[0], 2), "imports": []}
    differ = 0
    for count in map(int, given.queries.split(",")):
        plain = measure_import(count, plain_near, again=False)
        blocked = measure_import(count, intents.near_intents, again=True)
        differ += plain["intents_digest"] != blocked["intents_digest"]
        result["imports"] += [{"comparing": "plain", **plain}, {"comparing": "blocked", **blocked}]
        print(result["imports"][-2:], file=sys.stderr)
    for count in map(int, filter(None, given.more.split(","))):
        again = measure_import(count, intents.near_intents, again=True)
        result["imports"].append({"comparing": "blocked", **again})
    print(json.dumps(result, indent=1))
    if given.write:
        RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
