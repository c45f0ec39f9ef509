"""`evaluate search`: the ruler of every change to search. Runs in a throw-away home of its own."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from graph.errors import QueryError, SourceError
from graph.events import CatalogueEvent, now_us
from graph.home import Home, open_home
from graph.settings import Settings
from graph.store import log
from indexer.pipeline import build, ingest
from indexer.progress import OnProgress, Progress, silent
from inference.embedder import open_encoder
from search.different.measure import Case, rank_cases
from search.engine import Engine
from search.evaluation.controls import add_popularity, shuffle_labels, without_near_duplicates
from search.evaluation.ir_metrics import Estimate, mean_with_interval, ndcg, precision, recall, reciprocal_rank
from search.evaluation.logged import Judged, log_lines, remember_only, write_log
from search.query import read_query

SETS: Final = {
    "dense": ("dense",),
    "lexical": ("lexical",),
    "hybrid": ("dense", "lexical"),
    "graph": ("dense", "lexical", "graph"),
}
_DEPTH: Final = 10


@dataclass(frozen=True)
class EvaluateFiles:
    """The input of an evaluation, in the forms that `DESIGN` gives; absent ones give null sets."""

    catalog: Path
    queries: Path
    log: Path | None = None
    different: Path | None = None


@dataclass
class Scores:
    """Per measure, one value per query."""

    values: dict[str, list[float]] = field(default_factory=dict)

    def add(self, ranked: Sequence[str], rel: frozenset[str]) -> None:
        """Measure one query's ranking, best first."""
        found = {"ndcg@10": ndcg(ranked, rel), "mrr@10": reciprocal_rank(ranked, rel)}
        found |= {f"recall@{k}": recall(ranked, rel, k) for k in (1, 5, 10)}
        for name, value in found.items():
            self.values.setdefault(name, []).append(value)


def evaluate_search(
    settings: Settings, files: EvaluateFiles, on_progress: OnProgress = silent, *, controls: bool = False
) -> dict[str, Any]:
    """The measures of every set, all, seen and unseen, and their paired differences, as one JSON document.

    With `controls` and a log, also what the log's labels shuffled, its popularity alone, and the log without
    near-duplicates of the queries would give (`search.evaluation.controls`).

    Abstained queries are ranked all the same; exploration is off; no user's home is touched. Equal scores (a query
    without a word that BM25 knows scores 0 everywhere) are ranked in the order of the catalogue file.

    Raises
    ------
    SourceError
        A file is missing or a line malformed; names file and line.
    """
    queries = list(read_judged(files.queries))
    logged = list(read_judged(files.log)) if files.log else []
    cases = list(read_judged(files.different)) if files.different else []
    with tempfile.TemporaryDirectory(prefix="matchgraph-evaluate-") as folder:
        own = settings.model_copy(update={"home": Path(folder), "database_url": None})
        home = open_home(own, throw_away=True)
        try:
            return _evaluate(home, files, queries, logged, cases, on_progress, controls=controls)
        finally:
            home.close()


def _evaluate(
    home: Home,
    files: EvaluateFiles,
    queries: list[Judged],
    logged: list[Judged],
    cases: list[Judged],
    tell: OnProgress,
    *,
    controls: bool,
) -> dict[str, Any]:
    chosen = home.settings
    encoder = open_encoder(chosen.encoder, threads=chosen.threads, home=home.path, runtime=chosen.encoder_runtime)
    report = ingest(home, [files.catalog], kind="catalogue", on_progress=tell)
    if report.rejected:
        raise report.rejected[0]
    build(home, encoder, policy="open", probe=False, on_progress=tell)
    engine = Engine(home, encoder)
    vectors = _encode(engine, [read_query(judged.text).text for judged in (*queries, *logged)], tell)
    if logged:
        write_log(home, encoder.info.digest, log_lines(logged, vectors, encoder.info.digest, now_us()))
    names = [name for name in SETS if logged or name != "graph"]
    scores = rank_all(engine, queries, vectors, names, tell)
    seen_ids = frozenset().union(*(judged.rel for judged in logged)) if logged else frozenset()
    seen = np.array([bool(judged.rel & seen_ids) for judged in queries], bool)
    pairs = [("hybrid", "dense"), ("hybrid", "lexical"), ("graph", "hybrid")]
    found: dict[str, Any] = {
        "sets": {
            **{name: _measures(scores[name], seen) if name in scores else None for name in SETS},
            "learned": None,
            "different": _different(engine, cases, seen_ids, tell) if cases else None,
        },
        "paired": {
            f"{one}-{other}": _paired(scores[one], scores[other], seen) if one in scores else None
            for one, other in pairs
        },
        "different_with_domain": _different(engine, cases, seen_ids, tell, hide_domain=False) if cases else None,
        "controls": None,
    }
    if controls and logged:
        tried = _controls(engine, queries, logged, vectors, tell)
        found["controls"] = {name: _measures(each, seen) for name, each in tried.items()}
        found["paired"] |= {f"{name}-hybrid": _paired(each, scores["hybrid"], seen) for name, each in tried.items()}
    return found


def _controls(
    engine: Engine,
    queries: list[Judged],
    logged: list[Judged],
    vectors: dict[str, NDArray[np.float32]],
    tell: OnProgress,
) -> dict[str, Scores]:
    found = {"popularity": rank_all(engine, queries, vectors, ["hybrid"], tell, popularity=logged)["hybrid"]}
    others = {
        "shuffled": shuffle_labels(logged),
        "without_near_duplicates": without_near_duplicates(logged, queries, vectors),
    }
    for name, lines in others.items():
        remember_only(engine, log_lines(lines, vectors, engine.encoder.info.digest, now_us()))
        found[name] = rank_all(engine, queries, vectors, ["graph"], tell)["graph"]
    return found


def read_judged(file: Path) -> Iterator[Judged]:
    """The lines of a queries, log or different file.

    Raises
    ------
    SourceError
        The file cannot be read, or a line is not `{qid, text, rel: [ids]}`.
    """
    try:
        with file.open(encoding="utf-8") as stream:
            for number, line in enumerate(stream, start=1):
                if line.strip():
                    yield _judged(line, file, number)
    except OSError as error:
        raise SourceError(f"{error.strerror}: check the path", file=str(file)) from error
    except UnicodeDecodeError as error:
        raise SourceError("not UTF-8 text: give a JSON Lines file", file=str(file)) from error


def _judged(line: str, file: Path, number: int) -> Judged:
    try:
        row = json.loads(line)
        if not isinstance(row["rel"], list):
            raise TypeError("rel is not a list")
        rel = frozenset(str(item) for item in row["rel"])
        reject = row.get("reject")
        read = Judged(
            str(row["qid"]), str(row["text"]), rel, None if reject is None else str(reject), str(row.get("phrase", ""))
        )
        read_query(read.text)
    except (ValueError, KeyError, TypeError, AttributeError, QueryError) as error:
        message = f"not a JSON object with qid, text and rel ({error}): mend or remove the line"
        raise SourceError(message, file=str(file), line=number) from error
    return read


def _encode(engine: Engine, texts: Sequence[str], tell: OnProgress) -> dict[str, NDArray[np.float32]]:
    unique = sorted(set(texts))
    vectors = engine.encoder.encode(unique, lambda done: tell(Progress("encode queries", done, len(unique))))
    return dict(zip(unique, vectors, strict=True))


def rank_all(
    engine: Engine, queries: Sequence[Judged], vectors: dict[str, NDArray[np.float32]], names: Sequence[str],
    tell: OnProgress = silent, *, popularity: Sequence[Judged] = (),
) -> dict[str, Scores]:  # fmt: skip
    """The measures of every query in these sets of parts, by the engine's own scores.

    Parameters
    ----------
    engine
        Of a throw-away home made from a catalogue file.
    vectors
        By text, float32 (dimension,), normalised.
    names
        Of `SETS`.
    popularity
        Log lines whose popularity is added to every set, for the control.
    """
    with engine.home.store.reading() as connection:
        engine.memory.refresh(connection)
        added = _catalogue_order(connection)
    scores = {name: Scores() for name in names}
    as_of = now_us()
    places: NDArray[np.int64] | None = None
    for number, judged in enumerate(queries, start=1):
        text = read_query(judged.text).text
        for name in names:
            scored = engine.score(text, vectors[text], parts=SETS[name], as_of_us=as_of)
            if popularity:
                scored = add_popularity(scored, popularity)
            if places is None:
                places = np.array([added[artifact] for artifact in scored.artifacts], np.int64)
            first = np.lexsort((places, -scored.total))[:_DEPTH]
            scores[name].add([scored.artifacts[i] for i in first.tolist()], judged.rel)
        tell(Progress("search", number, len(queries)))
    return scores


def _catalogue_order(connection: Connection) -> dict[str, int]:
    """The place of each artifact in the catalogue file, by id: equal scores are ranked in this order, not by name."""
    added = (
        event.subject
        for event in log.read_events(connection, kind="catalogue")
        if isinstance(event, CatalogueEvent) and event.action == "artifact_added"
    )
    return {artifact: place for place, artifact in enumerate(added)}


def _different(
    engine: Engine, cases: Sequence[Judged], seen_ids: frozenset[str], tell: OnProgress, *, hide_domain: bool = True
) -> dict[str, Any]:
    found = Scores()
    extra: dict[str, list[float]] = {"p@1": [], "p@5": [], "rejected_in_top5": []}
    asked = [Case(case.qid, case.text, case.reject or "", case.phrase) for case in cases]
    for case, ranked in zip(cases, rank_cases(engine, asked, tell, hide_domain=hide_domain), strict=True):
        found.add(ranked.artifacts, case.rel)
        extra["p@1"].append(precision(ranked.artifacts, case.rel, 1))
        extra["p@5"].append(precision(ranked.artifacts, case.rel, 5))
        extra["rejected_in_top5"].append(float(ranked.rejected in ranked.artifacts[:5]))
    found.values |= extra
    return _measures(found, np.array([bool(case.rel & seen_ids) for case in cases], bool))


def _groups(seen: NDArray[np.bool_]) -> dict[str, NDArray[np.bool_]]:
    return {"all": np.ones_like(seen), "seen": seen, "unseen": ~seen}


def _measures(scores: Scores, seen: NDArray[np.bool_]) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for group, mask in _groups(seen).items():
        part = {name: _json(mean_with_interval(np.array(values)[mask])) for name, values in scores.values.items()}
        document[group] = {"n": int(mask.sum()), **part}
    return document


def _paired(one: Scores, other: Scores, seen: NDArray[np.bool_]) -> dict[str, Any]:
    difference = np.array(one.values["ndcg@10"]) - np.array(other.values["ndcg@10"])
    document: dict[str, Any] = {}
    for group, mask in _groups(seen).items():
        estimate = mean_with_interval(difference[mask])
        document[group] = {"n": int(mask.sum()), **(asdict(estimate) if estimate else _NOTHING)}
    return document


_NOTHING: Final = {"value": None, "low": None, "high": None}


def _json(estimate: Estimate | None) -> dict[str, float | None]:
    return asdict(estimate) if estimate else dict(_NOTHING)
