"""Confidence and abstention: real questions told from queries about what no model does, through the whole engine.

    python benchmarks/retrieval/confidence.py ../shared/data [--set huggingface] [--write]

All 2,622 instructions of APIBench (TorchHub's train split included), each asked of its own hub's index (every published
row), without a log, by `Engine.search` as shipped, so that whatever is read from the words counts too. Against them the
half of indexer/calibration/off_domain.json that no build asks (the digest of a query decides). Nothing is fitted here:
every index was calibrated when it was built, on its own sentences and the other half of the off-domain queries.

"Fits": the query is an APIBench instruction. "Found": its labelled artifact's published domain is that of one of the
first ten results (ranked, even where the engine abstains). Calibration error: ten bins of confidence of equal width,
the mean over bins of |mean confidence - share right|, weighed by their queries; where off-domain queries take part,
they weigh 20 % in sum, the prior that the engine states. Intervals: 95 % percentile bootstrap over queries (2,000
draws, seed 0); a bootstrapped calibration error is biased upwards. Shares: Clopper-Pearson.

The made queries keep a third of the words; a half, all of them, and words mixed with off-domain ones were compared
on the questions of own_questions.json, which are reported here as looked at.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from graph.constants import FITS_PRIOR
from graph.events import Actor
from graph.home import Home, open_home
from graph.settings import Settings
from graph.store import catalogue
from indexer.calibration.questions import held_back_queries, off_domain
from indexer.pipeline import build, ingest
from indexer.sources import apibench_catalogue, apibench_queries
from inference.embedder import Encoder, open_encoder
from inference.verdicts.intervals import proportion_interval
from search.engine import Engine
from search.memory import SearchRequest
from search.outcomes import Caller
from search.query import read_query

FILES: Final = {
    "huggingface": ("huggingface_eval",),
    "torchhub": ("torchhub_eval", "torchhub_train"),
    "tensorflowhub": ("tensorflow_eval",),
}
OWN: Final = {"examples": "../examples/artifacts", "open_model_zoo": "open_model_zoo", "mcp": "mcp"}
DRAWS: Final = 2_000
BINS: Final = 10
_CALLER: Final = Caller("python", Actor(id="benchmark"))
_HERE: Final = Path(__file__).parent


@dataclass(frozen=True)
class Asked:
    """What came of the real questions and the off-domain queries of one index; `found` None without labels."""

    real: NDArray[np.float64]
    off: NDArray[np.float64]
    abstained_real: NDArray[np.bool_]
    abstained_off: NDArray[np.bool_]
    found: NDArray[np.bool_] | None
    queries: list[str]
    cut: float


def ask(engine: Engine, questions: Sequence[str], found: Callable[[int, list[str]], bool] | None) -> Asked:
    """Ask an engine all questions and the off-domain queries that were held back."""
    off = held_back_queries()
    _keep_vectors(engine, [*questions, *off])
    answers = [engine.search(SearchRequest(text, _CALLER, limit=1, explore=False)) for text in (*questions, *off)]
    confidences = np.array([-1.0 if a.confidence is None else a.confidence for a in answers])
    abstained = np.array([answer.abstained for answer in answers])
    hits = None
    if found is not None:
        hits = np.array([found(number, _first_ten(engine, text)) for number, text in enumerate(questions)])
    n, calibration = len(questions), engine.snapshot.calibration
    assert calibration is not None
    return Asked(
        confidences[:n], confidences[n:], abstained[:n], abstained[n:], hits, off, calibration.abstains_below
    )  # fmt: skip


def _keep_vectors(engine: Engine, texts: Sequence[str]) -> None:
    """Encode all at once: the engine then finds the vectors where a query was not read as a limit."""
    unique = sorted({read_query(text).text for text in texts})
    vectors = engine.encoder.encode(unique)
    with engine.home.store.writing() as connection:
        pairs = {catalogue.vector_key(text): vector for text, vector in zip(unique, vectors, strict=True)}
        catalogue.save_vectors(connection, engine.encoder.info.digest, pairs)


def _first_ten(engine: Engine, text: str) -> list[str]:
    query = read_query(text).text
    return [each.artifact for each in engine.score(query, engine.vector_of(query)).top(10)]


def calibration_error(confidence: NDArray[np.float64], right: NDArray[np.bool_], weights: NDArray[np.float64]) -> float:
    """The expected calibration error over ten bins of equal width, 0 to 1; all of shape (n,)."""
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, weights * (confidence - right), minlength=BINS)
    return float(np.abs(gaps).sum() / weights.sum())


def with_interval(groups: Sequence[int], measure: Callable[[NDArray[np.int64]], float]) -> dict[str, float]:
    """A measure of numbered queries with its bootstrap interval, drawn within each group; `groups` are their sizes."""
    rng = np.random.default_rng(0)
    starts = np.concatenate([[0], np.cumsum(groups)[:-1]])
    draws = [
        measure(np.concatenate([start + rng.integers(0, n, n) for start, n in zip(starts, groups, strict=True)]))
        for _ in range(DRAWS)
    ]
    low, high = np.quantile(draws, [0.025, 0.975])
    return {"value": measure(np.arange(sum(groups))), "low": float(low), "high": float(high)}


def share(mask: NDArray[np.bool_]) -> dict[str, float]:
    """A share with its Clopper-Pearson interval, and n."""
    low, high = proportion_interval(int(mask.sum()), len(mask))
    return {"value": float(mask.mean()), "low": low, "high": high, "n": len(mask)}


def measured(parts: Sequence[Asked]) -> dict[str, Any]:
    """Everything that is reported of one index, or of several together."""
    real, off = (np.concatenate([getattr(part, name) for part in parts]) for name in ("real", "off"))
    n, m = len(real), len(off)
    confidence, fits = np.concatenate([real, off]), np.arange(n + m) < n
    weights = np.where(fits, FITS_PRIOR / n, (1 - FITS_PRIOR) / m)
    document = {
        "auroc": with_interval([n, m], lambda i: float(roc_auc_score(fits[i], confidence[i]))),
        "abstained_real": share(np.concatenate([part.abstained_real for part in parts])),
        "abstained_off_domain": share(np.concatenate([part.abstained_off for part in parts])),
        "ece_fits": with_interval([n, m], lambda i: calibration_error(confidence[i], fits[i], weights[i])),
        "mean_confidence_real": float(real.mean()),
    }
    if all(part.found is not None for part in parts):
        hits = np.concatenate([part.found for part in parts if part.found is not None])
        right = np.concatenate([hits, np.zeros(m, bool)])
        document |= {
            "found": share(hits),
            "ece_found": with_interval([n, m], lambda i: calibration_error(confidence[i], right[i], weights[i])),
            "ece_found_real_alone": with_interval(
                [n], lambda i: calibration_error(real[i], hits[i], np.ones(len(i)))
            ),
        }  # fmt: skip
    if len(parts) == 1:
        document["abstains_below_cosine"] = parts[0].cut
    return document


def by_topic(parts: Sequence[Asked]) -> dict[str, dict[str, float]]:
    """The share of each topic's held-back queries on which the engine abstained, over all indexes."""
    topic = {query: name for name, queries in off_domain().items() for query in queries}
    masks: dict[str, list[bool]] = {}
    for part in parts:
        for query, abstained in zip(part.queries, part.abstained_off, strict=True):
            masks.setdefault(topic[query], []).append(bool(abstained))
    return {name: share(np.array(mask)) for name, mask in sorted(masks.items())}


def _engine(folder: Path, source: Path, encoder: Encoder, kind: str | None) -> tuple[Home, Engine]:
    home = open_home(Settings(home=folder), throw_away=True)
    ingest(home, [source], kind=kind)
    build(home, encoder, policy="open", probe=False)
    return home, Engine(home, encoder)


def _hub(root: Path, hub: str, folder: Path, encoder: Encoder) -> Asked:
    rows = list(apibench_catalogue(root / "apibench", hub, with_variants=True))  # type: ignore[arg-type]
    file = folder / "catalogue.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    questions = [
        question
        for name in FILES[hub]
        for question in apibench_queries(root / "apibench" / "data" / "apibench" / f"{name}.json")
    ]
    domains = {row["id"]: {row["domain"], *(v.get("domain") for v in row.get("variants", []))} - {None} for row in rows}

    def found(number: int, ranked: list[str]) -> bool:
        wanted = set().union(*(domains.get(artifact, set()) for artifact in questions[number]["rel"]))
        return any(domains[artifact] & wanted for artifact in ranked)

    home, engine = _engine(folder / "home", file, encoder, "catalogue")
    try:
        return ask(engine, [question["text"] for question in questions], found)
    finally:
        home.close()


def _own(root: Path, name: str, folder: Path, encoder: Encoder) -> Asked:
    source = _HERE / "../.." / "examples/artifacts" if name == "examples" else root / OWN[name]
    questions = json.loads((_HERE / "own_questions.json").read_text(encoding="utf-8"))[name]
    home, engine = _engine(folder / "home", source, encoder, None)
    try:
        return ask(engine, questions, None)
    finally:
        home.close()


def main() -> None:
    """Measure, print, and with --write keep the document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--set", choices=[*FILES, *OWN], action="append")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    encoder = open_encoder(Settings().encoder, threads=Settings().threads)
    asked: dict[str, Asked] = {}
    for name in options.set or [*FILES, *OWN]:
        with tempfile.TemporaryDirectory() as folder:
            asked[name] = (_hub if name in FILES else _own)(options.data, name, Path(folder), encoder)
    hubs = [asked[name] for name in FILES if name in asked]
    document: dict[str, Any] = {name: measured([part]) for name, part in asked.items()}
    if len(hubs) == len(FILES):
        document["apibench, all three"] = {**measured(hubs), "off_domain_by_topic": by_topic(hubs)}
    for name, found in document.items():
        words = [
            f"{key} {value['value']:.3f} [{value['low']:.3f}, {value['high']:.3f}]"
            for key, value in found.items()
            if isinstance(value, dict) and "value" in value
        ]
        print(f"{name}: {'; '.join(words)}", flush=True)
    if options.write:
        file = _HERE / "results" / "confidence.json"
        file.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
