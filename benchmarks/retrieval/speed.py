"""What a query costs beyond the encoder, in a warm process, on homes of several sizes.

    python benchmarks/retrieval/speed.py [--sizes 1000x10000,3000x30000,10000x100000] [--homes FOLDER] [--write]

A home of N artifacts (one capability, two or three searched texts, two claims each) and E events (four of five are
searches that delivered the ten nearest artifacts, one of five an outcome; 5,000 actors, popularity by Zipf's law, over
a year), all seeded, made with the real encoder, `build` and `rebuild`. Then `Engine.search`, page of ten, one query
after another, in an engine that has read ahead as a service does at its start: `cold` queries nobody asked before,
which found intents; `known` ones, whose vector the store has; each recorded durably. What is taken off for the encoder
is its median alone, on one thread, on as many other new texts; both after a known query, so that neither finds the
processor's caches as it left them. (A search looks words up while its query is encoded: timed inside a search, the
encoder would look slower than it is.) Also timed: the first search after another process wrote an outcome, and after
another process wrote a search; one durable empty transaction, the floor of recording; and how much of a search it is to
score all artifacts, and to record. `--homes` keeps the made homes for the next run.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from graph.artifacts import Artifact, Capability, Signals, Source, slug_of
from graph.claims import Claim, Scope, claim_id
from graph.constants import DAY_US
from graph.digest import GENESIS, canonical_json, link
from graph.events import Actor, Delivered, OutcomeEvent, SearchEvent, now_us
from graph.home import Home, open_home
from graph.settings import Settings
from graph.store import catalogue, log
from graph.store.database import insert_rows, upsert
from graph.store.tables import EVENTS, INTENTS
from graph.taxonomy import DOMAINS
from indexer.build import build
from indexer.claims import with_implied_claims
from indexer.snapshot import open_snapshot
from inference.embedder import Encoder, open_encoder
from search.engine import LOCAL, Engine
from search.memory import SearchRequest
from search.outcomes import Caller, record_outcome

RESULT = Path(__file__).with_name("results") / "speed.json"
GOAL_MS = 2.0
KINDS = ("click", "click", "select", "success", "failure", "dismiss")
VERBS = ["find", "classify", "translate", "summarise", "detect", "segment", "generate", "rank", "extract", "compare",
         "transcribe", "describe", "label", "predict", "restore", "search"]  # fmt: skip
THINGS = ["plants", "photos", "contracts", "invoices", "speech", "meetings", "satellite images", "X-rays", "tweets",
          "reviews", "source code", "tables", "time series", "songs", "faces", "streets", "handwriting", "recipes",
          "news articles", "scientific papers", "support tickets", "product pages", "birdsong", "video clips", "maps",
          "molecules", "emails", "legal texts", "sensor readings", "game screens"]  # fmt: skip
HOWS = ["on a phone", "in German", "in many languages", "without a network", "in real time", "for research",
        "with few examples", "from raw audio", "at high resolution", "on a small server", "for children",
        "with explanations", "in a browser", "under noise", "for customer service", "as JSON"]  # fmt: skip


def made_text(draw: random.Random) -> str:
    """A few words that ask for, or say, what a model does."""
    return f"{draw.choice(VERBS)} {draw.choice(THINGS)} {draw.choice(HOWS)}"


# The home -----------------------------------------------------------------------------------------------
def made_artifacts(count: int) -> Iterator[Artifact]:
    """Artifacts that can be searched, with numbers and claims."""
    draw = random.Random(1)
    tasks = [f"{domain}.{task}" for domain, named in DOMAINS.items() for task in named]
    for number in range(count):
        name, words = f"owner{number % 997}/model-{number}", made_text(draw)
        capability = Capability(
            id="main", name=words, task=draw.choice(tasks), description=f"Can {words}, also {made_text(draw)}.",
            intents_served=tuple(made_text(draw) for _ in range(draw.randint(0, 2))),
        )  # fmt: skip
        accuracy = _claim(name, "accuracy", draw.randint(500, 990) / 10, "percent")
        claims = (accuracy, _claim(name, "parameters", 1e6 * number))
        artifact = Artifact(
            id=name, slug=slug_of(name), name=name.partition("/")[2], description=f"A model to {words}.",
            capabilities=(capability,), claims=claims, params=1_000_000 * (number + 1), license="mit",
            released="2026-03-01", has_card=True, signals=Signals(downloads=number * 7 % 10_000, likes=number % 300),
            source=Source(kind="manifest", file="made"),
        )  # fmt: skip
        yield with_implied_claims(artifact)


def _claim(artifact: str, metric: str, value: float, unit: str = "none") -> Claim:
    scope = Scope(dataset="made" if metric == "accuracy" else None)
    return Claim(
        id=claim_id(artifact, "main", metric, "=", value, unit, scope), artifact=artifact, capability="main",
        subject="main", metric=metric, value=value, unit=unit, conditions=scope, text=f"{metric} {value}",
    )  # fmt: skip


def made_events(count: int, intents: Sequence[str], pages: Sequence[tuple[Delivered, ...]]) -> Iterator[Any]:
    """Searches that delivered the pages of their intents, and after every fourth an outcome of one result."""
    draw, start_us, made = np.random.default_rng(2), now_us() - 365 * DAY_US, 0
    while made < count:
        number = int(draw.zipf(1.2)) % len(intents)
        actor, time_us = Actor(id=f"ac_{int(draw.integers(5_000)):024x}"), start_us + made * 365 * DAY_US // count
        name, page = f"se_{made:032x}", pages[number]
        yield SearchEvent(
            id=name, root=name, time_us=time_us, operation="search", origin="api", actor=actor, query=intents[number],
            intent=intent_id(number), limit=10, results=page,
        )  # fmt: skip
        made += 1
        if made % 5 == 4 and made < count:
            chosen = page[min(int(draw.zipf(1.7)), 10) - 1]
            yield OutcomeEvent(
                id=f"oc_{made:032x}", time_us=time_us + 1, search=name, artifact=chosen.artifact, actor=actor,
                outcome=KINDS[int(draw.integers(len(KINDS)))], origin="api", intent=intent_id(number), uri=chosen.uri,
                position=chosen.position,
            )  # fmt: skip
            made += 1


def intent_id(number: int) -> str:
    """The id of a made intent."""
    return f"in_{number:016x}"


def made_intents(home: Home, encoder: Encoder, count: int) -> tuple[list[str], list[tuple[Delivered, ...]]]:
    """Queries of so many intents, kept with their vectors, and the ten nearest artifacts of each."""
    draw = random.Random(3)
    queries = sorted({f"{made_text(draw)} {made_text(draw).split()[-1]}" for _ in range(4 * count)})
    draw.shuffle(queries)
    queries = queries[:count]
    vectors = encoder.encode(queries)
    snapshot = open_snapshot(home.snapshots, encoder=encoder.info)
    pages = []
    for vector in vectors:
        rows, cosines = snapshot.dense(vector, 40)
        best: dict[str, Delivered] = {}
        for row, cosine in zip(rows.tolist(), cosines.tolist(), strict=True):
            found = snapshot.rows[row]
            if found.artifact not in best and len(best) < 10:
                best[found.artifact] = Delivered(
                    artifact=found.artifact, uri=found.uri, position=len(best) + 1, score=cosine
                )
        pages.append(tuple(best.values()))
    with home.store.writing() as connection:
        keys = [catalogue.vector_key(query) for query in queries]
        catalogue.save_vectors(connection, encoder.info.digest, dict(zip(keys, vectors, strict=True)))
        upsert(
            connection, INTENTS,
            [{"id": intent_id(i), "encoder": encoder.info.digest, "vector_key": key, "created_us": i}
             for i, key in enumerate(keys)],
        )  # fmt: skip
    return queries, pages


def write_log(home: Home, events: Iterator[Any]) -> None:
    """The events in the log, chained as `append_events` does, and folded."""
    chain, rows = GENESIS, []
    with home.store.writing() as connection:
        for seq, event in enumerate(events, start=log.last_seq(connection) + 1):
            chain = GENESIS if seq == 1 else chain
            payload = canonical_json(event.model_dump(mode="json"))
            digest = hashlib.sha256(payload).hexdigest()
            chain = link(chain, digest)
            row = {"seq": seq, "id": event.id, "time_us": event.time_us, "kind": event.kind, "actor": event.actor.id,
                   "synthetic": False, "root": None, "payload": payload.decode(), "payload_digest": digest,
                   "chain": chain}  # fmt: skip
            rows.append(tuple(row[column.name] for column in EVENTS.columns))
        insert_rows(connection, EVENTS, rows)
        log.rebuild(connection)


def made_home(folder: Path, artifacts: int, events: int) -> Home:
    """A home of this size; one that was finished before is used again."""
    done = folder / "done"
    home = open_home(Settings(home=folder))
    if done.exists():
        return home
    encoder = open_encoder(threads=2, home=folder)
    with home.store.writing() as connection:
        catalogue.save_artifacts(connection, list(made_artifacts(artifacts)))
    build(home, encoder, policy="open", probe=False)
    intents, pages = made_intents(home, encoder, max(200, artifacts // 2))
    with home.store.reading() as connection:
        there = log.last_seq(connection)
    write_log(home, made_events(events - there, intents, pages))
    done.touch()
    return home


# Asking -------------------------------------------------------------------------------------------------
class Taken(NamedTuple):
    """Milliseconds of one search: of the clock, and of the processor, all threads together."""

    ms: float
    cpu_ms: float


def asked(engine: Engine, text: str) -> Taken:
    """What one search took."""
    began, cpu = time.perf_counter(), time.process_time()
    engine.search(SearchRequest(text, LOCAL))
    return Taken(1e3 * (time.perf_counter() - began), 1e3 * (time.process_time() - cpu))


def encoded(engine: Engine, text: str) -> Taken:
    """What the encoder takes alone."""
    began, cpu = time.perf_counter(), time.process_time()
    engine.encoder.encode([text])
    return Taken(1e3 * (time.perf_counter() - began), 1e3 * (time.process_time() - cpu))


class Share:
    """Milliseconds spent in a method, call by call."""

    def __init__(self, of: Any, name: str) -> None:
        self.ms: list[float] = []
        method = getattr(of, name)

        def timed(*args: Any, **named: Any) -> Any:
            began = time.perf_counter()
            try:
                return method(*args, **named)
            finally:
                self.ms.append(1e3 * (time.perf_counter() - began))

        setattr(of, name, timed)


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, 95th percentile and least, in milliseconds."""
    return {
        "median_ms": round(statistics.median(values), 3), "p95_ms": round(float(np.percentile(values, 95)), 3),
        "least_ms": round(min(values), 3), "n": len(values),
    }  # fmt: skip


def summary(taken: Sequence[Taken], encoder: Taken = Taken(0.0, 0.0)) -> dict[str, float]:  # noqa: B008
    """The spread of what searches took beyond the encoder, and the median of their processor time."""
    cpu_ms = round(statistics.median(each.cpu_ms for each in taken) - encoder.cpu_ms, 3)
    return {**spread([each.ms - encoder.ms for each in taken]), "cpu_median_ms": cpu_ms}


def measure(folder: Path, artifacts: int, events: int, count: int) -> dict[str, Any]:
    """What queries cost in a home of this size."""
    home = made_home(folder, artifacts, events)
    engine = Engine(home, open_encoder(threads=1, home=folder))
    draw = random.Random(f"{now_us()}")  # queries that no earlier run has left in the home
    fresh = [f"{made_text(draw)} and {made_text(draw)}" for _ in range(2 * count + 20)]
    began = time.perf_counter()
    asked(engine, fresh[0])
    first_s = time.perf_counter() - began
    began = time.perf_counter()
    engine.warm()
    warm_s = time.perf_counter() - began
    for text in fresh[1:20]:
        asked(engine, text)
    new, alone, cold = fresh[20 + count :], [], []
    for other, text in zip(fresh[20 : 20 + count], new, strict=True):
        asked(engine, fresh[1])
        alone.append(encoded(engine, other))
        asked(engine, fresh[2])
        cold.append(asked(engine, text))
    encoder = Taken(statistics.median(each.ms for each in alone), statistics.median(each.cpu_ms for each in alone))
    scoring, recording = Share(engine, "score"), Share(engine.memory, "record")
    known = [asked(engine, text) for text in new]
    shares = {name: spread(share.ms) for name, share in (("scoring_known", scoring), ("recording_known", recording))}
    floor, after_search, after_outcome = [], [], []
    other = Engine(home, engine.encoder)
    for text in new[: count // 4]:
        began = time.perf_counter()
        with home.store.writing(folded=False) as connection:
            connection.exec_driver_sql("UPDATE meta SET value = value WHERE key = 'throw_away'")
        floor.append(1e3 * (time.perf_counter() - began))
        answer = other.search(SearchRequest(text, LOCAL))
        after_search.append(asked(engine, text))
        record_outcome(home, answer.results[0].token, "click", Caller("cli", Actor(id="local")))
        after_outcome.append(asked(engine, text))
    with home.store.reading() as connection:
        seq = log.last_seq(connection)
    found = {
        "artifacts": artifacts, "events": events, "events_at_the_end": seq, "rows": len(engine.snapshot.rows),
        "votes": len(engine.memory.fold.votes), "first_search_s": round(first_s, 2),
        "read_ahead_s": round(warm_s, 2), "encoder": spread([each.ms for each in alone]),
        "beyond_the_encoder_cold": summary(cold, encoder), "beyond_the_encoder_known": summary(known),
        "after_a_search_of_another_process": summary(after_search),
        "after_an_outcome_of_another_process": summary(after_outcome),
        **shares,
        "an_empty_durable_transaction": spread(floor),
    }  # fmt: skip
    home.close()
    return found


def main() -> None:
    """Measure, print, and with --write keep the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="1000x10000,3000x30000,10000x100000")
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--homes", type=Path)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    found: dict[str, Any] = {"goal_ms": GOAL_MS, "cores": os.cpu_count(), "load": round(os.getloadavg()[0], 2)}
    with tempfile.TemporaryDirectory() as made:
        for size in options.sizes.split(","):
            artifacts, events = map(int, size.split("x"))
            folder = (options.homes or Path(made)) / size
            folder.mkdir(parents=True, exist_ok=True)
            found[size] = measure(folder, artifacts, events, options.queries)
            print(json.dumps(found[size]), file=sys.stderr, flush=True)
    text = json.dumps(found, indent=1)
    print(text)
    if options.write:
        RESULT.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
