"""Baselines of search on APIBench: dense, lexical, hybrid and votes, through `evaluate search` itself.

    python benchmarks/retrieval/apibench.py ../shared/data/apibench [--hub torchhub] [--output FILE]

Each hub is converted to the catalogue and query files that `evaluate search` reads, once with one row per artifact
and once with every published row (variants). TorchHub has a log of its own (the train split); the two other hubs'
eval queries are ranked without a log. Fairness: same encoder, same queries, one configuration for all hubs.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from graph.settings import Settings
from indexer.sources import apibench_catalogue, apibench_queries
from search.evaluation.evaluate import EvaluateFiles, evaluate_search

HUBS = ("huggingface", "torchhub", "tensorflowhub")
QUERIES = {"huggingface": "huggingface_eval", "torchhub": "torchhub_eval", "tensorflowhub": "tensorflow_eval"}
LOGS = {"torchhub": "torchhub_train"}
RESULTS = Path(__file__).with_name("results") / "baselines.json"


def _write(file: Path, rows: Iterable[dict[str, Any]]) -> Path:
    with file.open("w", encoding="utf-8") as stream:
        stream.writelines(json.dumps(row) + "\n" for row in rows)
    return file


def measure(root: Path, hub: str, folder: Path, *, with_variants: bool, with_log: bool) -> dict[str, Any]:
    """The document of `evaluate search` for one hub."""
    pairs = root / "data" / "apibench"
    catalogue = apibench_catalogue(root, hub, with_variants=with_variants)  # type: ignore[arg-type]
    files = EvaluateFiles(
        _write(folder / "catalogue.jsonl", catalogue),
        _write(folder / "queries.jsonl", apibench_queries(pairs / f"{QUERIES[hub]}.json")),
        _write(folder / "log.jsonl", apibench_queries(pairs / f"{LOGS[hub]}.json")) if with_log else None,
    )
    return evaluate_search(Settings(), files)


def main() -> None:
    """Measure, print one line per hub and set, and write the documents."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("apibench", type=Path)
    parser.add_argument("--hub", choices=HUBS, action="append")
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    found: dict[str, Any] = {}
    for hub in options.hub or HUBS:
        for variants in (False, True):
            name = f"{hub}, {'every row' if variants else 'one row an artifact'}"
            with tempfile.TemporaryDirectory() as folder:
                with_log = hub in LOGS and not variants
                found[name] = measure(options.apibench, hub, Path(folder), with_variants=variants, with_log=with_log)
            for kind, groups in found[name]["sets"].items():
                if groups and kind != "different":
                    estimate = groups["all"]["ndcg@10"]
                    interval = f"[{estimate['low']:.3f}, {estimate['high']:.3f}]"
                    print(
                        f"{name:38} {kind:8} n {groups['all']['n']:4} nDCG@10 {estimate['value']:.3f} {interval}",
                        flush=True,
                    )
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
