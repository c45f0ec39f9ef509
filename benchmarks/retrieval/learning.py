"""What a log of confirmed searches adds to search, on all three APIBench hubs, in one configuration.

    python benchmarks/retrieval/learning.py ../shared/data/apibench [--hub torchhub] [--write]

Every published row of a model is indexed. TorchHub has a log of its own (the official split); the eval queries of the
two other hubs are dealt into five folds, four the log, the fifth new. Each log line is one success of a distinct
actor. The log grows from nothing to all of it; 20 % and 50 % of its answers are replaced by a wrong one from the ten
nearest models, which is where wrong clicks come from; and the controls: labels shuffled, popularity alone, without
logged queries at a cosine of .8 or above to any new one. "Seen" are queries whose model is in that log. Differences
are paired, query by query, against hybrid search without a log; 95 % bootstrap intervals, 10,000 draws, seed 0.
All of it goes through the engine's own `score`; the home is built once a hub and the log alone exchanged.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graph.events import now_us
from graph.home import open_home
from graph.settings import Settings
from indexer.pipeline import build, ingest
from indexer.sources import apibench_catalogue, apibench_queries
from inference.embedder import Encoder, open_encoder
from search.engine import Engine
from search.evaluation.controls import shuffle_labels, without_near_duplicates
from search.evaluation.evaluate import rank_all
from search.evaluation.ir_metrics import mean_with_interval
from search.evaluation.logged import Judged, log_lines, remember_only
from search.query import read_query

QUERIES = {"huggingface": "huggingface_eval", "torchhub": "torchhub_eval", "tensorflowhub": "tensorflow_eval"}
LOGS = {"torchhub": "torchhub_train"}
FOLDS, SEED = 5, 0
GROWTH = (0.1, 0.25, 0.5, 1.0)
NOISE = (0.2, 0.5)
RESULTS = Path(__file__).with_name("results") / "learning.json"
Lines = Sequence[Judged]


class Hub:
    """One hub's engine, queries and log lines."""

    def __init__(
        self, root: Path, hub: str, folder: Path, encoder: Encoder, limit: int | None = None, *,
        with_variants: bool = True,
    ) -> None:  # fmt: skip
        file = folder / "catalogue.jsonl"
        rows = apibench_catalogue(root, hub, with_variants=with_variants)  # type: ignore[arg-type]
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        self.home = open_home(Settings(home=folder / "home"), throw_away=True)
        report = ingest(self.home, [file], kind="catalogue")
        if report.rejected:
            raise report.rejected[0]
        build(self.home, encoder, policy="open", probe=False)
        self.engine = Engine(self.home, encoder)
        self.queries = _judged(root, QUERIES[hub])[:limit]
        self.log = _judged(root, LOGS[hub]) if hub in LOGS else None
        texts = sorted({read_query(judged.text).text for judged in (*self.queries, *(self.log or ()))})
        self.vectors = dict(zip(texts, encoder.encode(texts), strict=True))

    def splits(self) -> Iterator[tuple[list[int], Lines]]:
        """The numbers of the new queries, and the log: once, or fold by fold."""
        count = len(self.queries)
        if self.log is not None:
            yield list(range(count)), self.log
            return
        order = np.random.default_rng(SEED).permutation(count)
        for fold in np.array_split(order, FOLDS):
            new = set(fold.tolist())
            yield fold.tolist(), [self.queries[i] for i in order.tolist() if i not in new]

    def with_wrong_labels(self, lines: Lines, share: float) -> list[Judged]:
        """The lines, a share of them with a wrong one of the ten nearest models as their answer."""
        draw = np.random.default_rng(SEED + 1)
        made = []
        for judged in lines:
            if draw.random() < share:
                text = read_query(judged.text).text
                near = self.engine.score(text, self.vectors[text], parts=("dense",)).top(11)
                wrong = [s.artifact for s in near if s.artifact not in judged.rel][:10]
                made.append(replace(judged, rel=frozenset({wrong[int(draw.integers(len(wrong)))]})))
            else:
                made.append(judged)
        return made


def _judged(root: Path, name: str) -> list[Judged]:
    pairs = apibench_queries(root / "data" / "apibench" / f"{name}.json")
    return [Judged(str(row["qid"]), str(row["text"]), frozenset(row["rel"])) for row in pairs]


def logs_of(hub: Hub) -> dict[str, Callable[[Lines, Lines], Lines]]:
    """By name, what is made of a fold's log before it is remembered; given the log and the new queries."""
    grown = {f"{share:.0%} of the log": lambda lines, _, s=share: lines[: round(s * len(lines))] for share in GROWTH}
    wrong = {f"{s:.0%} wrong labels": lambda lines, _, s=s: hub.with_wrong_labels(lines, s) for s in NOISE}
    return {
        **grown, **wrong,
        "labels shuffled": lambda lines, _: shuffle_labels(lines, SEED + 2),
        "without near-duplicates": lambda lines, new: without_near_duplicates(lines, new, hub.vectors),
        "popularity alone": lambda lines, _: lines,
    }  # fmt: skip


def measure(hub: Hub) -> dict[str, Any]:
    """The document of one hub: hybrid without a log, and every log against it."""
    count = len(hub.queries)
    hybrid = np.array(rank_all(hub.engine, hub.queries, hub.vectors, ["hybrid"])["hybrid"].values["ndcg@10"])
    found: dict[str, Any] = {"n": count, "hybrid": _estimate(hybrid)}
    for name, change in logs_of(hub).items():
        values, seen, lines_used = np.zeros(count), np.zeros(count, bool), []
        for new, whole in hub.splits():
            asked = [hub.queries[i] for i in new]
            lines = change(whole, asked)
            lines_used.append(len(lines))
            known = frozenset().union(*(line.rel for line in lines))
            seen[new] = [bool(judged.rel & known) for judged in asked]
            if name == "popularity alone":
                scores = rank_all(hub.engine, asked, hub.vectors, ["hybrid"], popularity=lines)["hybrid"]
            else:
                remember_only(hub.engine, log_lines(lines, hub.vectors, hub.engine.encoder.info.digest, now_us()))
                scores = rank_all(hub.engine, asked, hub.vectors, ["graph"])["graph"]
            values[new] = scores.values["ndcg@10"]
        groups = {"all": np.ones(count, bool), "seen": seen, "unseen": ~seen}
        found[name] = {
            "lines": lines_used,
            **{g: {"n": int(m.sum()), "ndcg@10": _estimate(values[m]), "minus hybrid": _estimate((values - hybrid)[m])}
               for g, m in groups.items()},
        }  # fmt: skip
    return found


def _estimate(values: NDArray[np.float64]) -> dict[str, float] | None:
    estimate = mean_with_interval(values)
    return {name: round(value, 4) for name, value in asdict(estimate).items()} if estimate else None


def table(found: dict[str, Any]) -> Iterator[str]:
    """The results as rows of a table in markdown."""
    yield "| hub, log | nDCG@10 | all, against hybrid | seen | unseen |"
    yield "|---|---|---|---|---|"
    for hub, document in found.items():
        yield f"| {hub}, none (n {document['n']}) | {document['hybrid']['value']:.3f} | – | – | – |"
        for name, groups in document.items():
            if isinstance(groups, dict) and "all" in groups:
                cells = [_cell(groups[group]) for group in ("all", "seen", "unseen")]
                yield f"| {hub}, {name} | {groups['all']['ndcg@10']['value']:.3f} | {' | '.join(cells)} |"


def _cell(group: dict[str, Any]) -> str:
    change = group["minus hybrid"]
    if change is None:
        return "–"
    return f"{change['value']:+.3f} [{change['low']:+.3f}, {change['high']:+.3f}] (n {group['n']})"


def main() -> None:
    """Measure, print the table, and with --write keep the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("apibench", type=Path)
    parser.add_argument("--hub", choices=tuple(QUERIES), action="append")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    settings = Settings(home=Path(tempfile.gettempdir()))
    encoder = open_encoder(settings.encoder, threads=settings.threads)
    found: dict[str, Any] = {}
    for name in options.hub or QUERIES:
        with tempfile.TemporaryDirectory() as folder:
            hub = Hub(options.apibench, name, Path(folder), encoder)
            found[name] = measure(hub)
            hub.home.close()
    print("\n".join(table(found)))
    if options.write:
        RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
