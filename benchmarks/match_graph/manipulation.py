"""What one actor, and what two hundred who collude, change: the real engine on a made catalogue, before and after.

    python benchmarks/match_graph/manipulation.py [--clicks 10000] [--write]

144 artifacts of 12 jobs, 72 queries, 600 honest actors who search three times, look down the page, try one result of
the right job and say whether it worked (each artifact has a chance to, drawn once). Then, each on its own:

- *clicks*: one actor searches over and over, through all queries, and clicks the same artifact wherever it is shown.
- *clicks where it is closest*: the same clicks, shared among the five artifacts that are nearest to the one above.
- *dismissals*: one actor dismisses the artifact that is best in most queries, as often.
- *collusion*: 200 actors, each with one search, report success for one artifact of middling rank.

Places are among the ten results of a page. Seeded; the encoder is the default one.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]

from graph.artifacts import Artifact, Capability, Source, slug_of  # noqa: E402
from graph.constants import ACTOR_EPSILON, DAY_US  # noqa: E402
from graph.digest import text_digest  # noqa: E402
from graph.events import Actor, Delivered, OutcomeEvent, SearchEvent, new_id, now_us  # noqa: E402
from graph.explain import explain_artifact  # noqa: E402
from graph.home import Home, open_home  # noqa: E402
from graph.ranks.scores import score_all, score_inputs  # noqa: E402
from graph.settings import Settings  # noqa: E402
from graph.statistics import read_match_graph  # noqa: E402
from graph.store import catalogue, log  # noqa: E402
from indexer.build import build  # noqa: E402
from inference.embedder import Encoder, open_encoder  # noqa: E402
from search.engine import Engine  # noqa: E402
from search.ranking import Scored  # noqa: E402
from search.votes.intents import assign_intent  # noqa: E402

RESULT = Path(__file__).with_name("manipulation.json")
PAGE, PER_JOB, HONEST, SEARCHES, COLLUDING = 10, 12, 600, 3, 200
JOBS = {
    "text.summarization": "summarise long articles", "text.translation": "translate English to German",
    "vision.image-classification": "name what is on a photo", "vision.object-detection": "find objects in pictures",
    "vision.depth-estimation": "estimate depth from one image", "vision.text-to-image": "draw pictures from a sentence",
    "audio.automatic-speech-recognition": "write down spoken words", "audio.text-to-speech": "read text aloud",
    "text.question-answering": "answer questions about a document", "text.sentence-similarity": "compare sentences",
    "text.token-classification": "find names of people and places", "text.text-generation": "continue a text",
}  # fmt: skip
FLAVOURS = (
    "small and fast", "large and accurate", "for phones", "on a server", "for research", "for production",
    "trained on web data", "fine-tuned on news", "multilingual", "quantised", "distilled", "experimental",
)  # fmt: skip
WORDINGS = ("{}", "a model that can {}", "I want to {}", "tool to {} offline", "best way to {}", "{} in Python")


@dataclass(frozen=True)
class Attack:
    """What an attack changed, over all queries and artifacts; places count among the first page."""

    targets: tuple[str, ...]
    events: int
    largest_score_change: float
    largest_place_change_of_target: int
    largest_place_change: int
    places_changed_share: float
    match_graph_points_before: tuple[float, ...]
    match_graph_points_after: tuple[float, ...]


class World:
    """A home with the catalogue and the honest log, and what is needed to add to it."""

    def __init__(self, folder: Path, encoder: Encoder) -> None:
        self.home = open_home(Settings(home=folder))
        self.jobs: dict[str, str] = {}
        self.queries = [(job, wording.format(words)) for job, words in JOBS.items() for wording in WORDINGS]
        with self.home.store.writing() as connection:
            catalogue.save_artifacts(connection, list(self._catalogue()))
        build(self.home, encoder, policy="open", probe=False)
        self.engine = Engine(self.home, encoder)
        texts = [text for _, text in self.queries]
        self.vectors = dict(zip(texts, encoder.encode(texts), strict=True))
        self.now = now_us()
        self._known: tuple[list[str], np.ndarray[Any, Any]] = ([], np.zeros((0, 0), np.float32))

    def _catalogue(self) -> Any:
        for number, (job, words) in enumerate(JOBS.items()):
            for place, flavour in enumerate(FLAVOURS[:PER_JOB]):
                name = f"owner{place}/{words.split()[-1]}-{number}-{place}"
                self.jobs[name] = job
                capability = Capability(id="main", name=words, task=job, description=f"Can {words}, {flavour}.")
                yield Artifact(id=name, slug=slug_of(name), name=name.partition("/")[2], capabilities=(capability,),
                               source=Source(kind="manifest", file="made"), has_card=True)  # fmt: skip

    def page(self, text: str) -> list[Scored]:
        """The first page of a query at the fixed moment."""
        return self.all_scores(text)[:PAGE]

    def all_scores(self, text: str) -> list[Scored]:
        """All artifacts, best first, at the fixed moment."""
        with self.home.store.reading() as connection:
            self.engine.memory.refresh(connection)
        return self.engine.score(text, self.vectors[text], as_of_us=self.now)

    def searched(self, text: str, page: Sequence[Scored], actor: str, time_us: int) -> SearchEvent:
        """The event of a search that delivered a page; its intent is kept as the engine keeps it."""
        digest, key = self.engine.encoder.info.digest, catalogue.vector_key(text)
        vector, (ids, known) = self.vectors[text], self._known
        intent = assign_intent(vector, text_digest(key + digest), ids, known)
        if intent.new:
            with self.home.store.writing() as connection:
                catalogue.save_vectors(connection, digest, {key: vector})
                catalogue.save_intent(connection, intent.id, digest, key, time_us)
            self._known = ([*ids, intent.id], np.vstack([known, vector]) if ids else vector[None])
        name, rows = new_id("se"), self.engine.snapshot.rows
        results = tuple(
            Delivered(artifact=s.artifact, uri=rows[s.row].uri, position=i, score=s.score)
            for i, s in enumerate(page, start=1)
        )
        return SearchEvent(id=name, root=name, time_us=time_us, operation="search", origin="api", query=text,
                           actor=Actor(id=actor), intent=intent.id, limit=PAGE, results=results)  # fmt: skip

    def write(self, events: Sequence[SearchEvent | OutcomeEvent]) -> None:
        """Append in transactions of a thousand."""
        for start in range(0, len(events), 1_000):
            with self.home.store.writing() as connection:
                log.append_events(connection, events[start : start + 1_000])


def happened(search: SearchEvent, artifact: str, outcome: str) -> OutcomeEvent:
    """The outcome of a delivered artifact."""
    result = next(r for r in search.results if r.artifact == artifact)
    return OutcomeEvent(
        id=new_id("oc"), time_us=search.time_us + 1, search=search.id, artifact=artifact, outcome=outcome,
        actor=search.actor, origin="api", intent=search.intent, uri=result.uri, position=result.position,
    )  # fmt: skip


def be_honest(world: World, seed: int = 0) -> None:
    """The honest log: looked at by position, tried if of the right job, success by the artifact's own chance."""
    draw = np.random.default_rng(seed)
    works = {
        artifact: float(chance)
        for artifact, chance in zip(sorted(world.jobs), draw.beta(4, 2, len(world.jobs)), strict=True)
    }
    pages = {text: world.page(text) for _, text in world.queries}
    events: list[SearchEvent | OutcomeEvent] = []
    for number in range(HONEST * SEARCHES):
        job, text = world.queries[int(draw.integers(len(world.queries)))]
        time_us = world.now - int(draw.integers(1, 90 * DAY_US))
        search = world.searched(text, pages[text], f"honest {number % HONEST}", time_us)
        events.append(search)
        right = [r for r in search.results if world.jobs[r.artifact] == job]
        if right:
            looks = np.array([r.position**-0.7 for r in right])
            tried = right[int(draw.choice(len(right), p=looks / looks.sum()))].artifact
            events.append(happened(search, tried, "success" if draw.random() < works[tried] else "failure"))
    world.write(events)


def measured(world: World, targets: tuple[str, ...], attack: Callable[[], int]) -> Attack:
    """What an attack changes; it stays in the world."""
    before = {text: world.all_scores(text) for _, text in world.queries}
    points = ranks(world.home, world.now)
    events = attack()
    scores, places, of_target = [], [], []
    for _, text in world.queries:
        after = world.all_scores(text)
        old, new = ({s.artifact: (i, s.score) for i, s in enumerate(each)} for each in (before[text], after))
        scores += [abs(new[a][1] - old[a][1]) for a in old]
        shown = {a for a in old if min(old[a][0], new[a][0]) < PAGE}
        places += [abs(new[a][0] - old[a][0]) for a in shown]
        of_target += [abs(new[target][0] - old[target][0]) if target in shown else 0 for target in targets]
    after_points = ranks(world.home, world.now)
    return Attack(
        targets, events, max(scores), max(of_target), max(places), sum(place > 0 for place in places) / len(places),
        tuple(points[target] for target in targets), tuple(after_points[target] for target in targets),
    )  # fmt: skip


def ranks(home: Home, now: int) -> dict[str, float]:
    """The match-graph points of every artifact: what outcomes do to a rank."""
    with home.store.reading() as connection:
        scores = score_all(score_inputs(connection, now), now)
    return {name: score.components["match_graph"].contribution for name, score in scores.items()}


def repeat(world: World, actor: str, targets: tuple[str, ...], kind: str, times: int) -> int:
    """One actor searches and reacts to the same artifacts so many times, through all queries that show them."""
    pages = {text: world.page(text) for _, text in world.queries}
    showing = [(text, s.artifact) for text, page in pages.items() for s in page if s.artifact in targets]
    events: list[SearchEvent | OutcomeEvent] = []
    for number in range(times):
        text, target = showing[number % len(showing)]
        search = world.searched(text, pages[text], actor, world.now - 10**9 + number)
        events += [search, happened(search, target, kind)]
    world.write(events)
    return len(events)


def collude(world: World, target: str) -> int:
    """Two hundred actors, one search and one success each, on the same day."""
    pages = {text: world.page(text) for _, text in world.queries}
    showing = [text for text, page in pages.items() if any(s.artifact == target for s in page)]
    events: list[SearchEvent | OutcomeEvent] = []
    for number in range(COLLUDING):
        text = showing[number % len(showing)]
        search = world.searched(text, pages[text], f"hired {number}", world.now - 10**9 + number)
        events += [search, happened(search, target, "success")]
    world.write(events)
    return len(events)


def shown_at(world: World, place: int) -> str:
    """The artifact that stands at a place in the most queries."""
    pages = [world.page(text) for _, text in world.queries]
    names = [page[place].artifact for page in pages]
    return max(sorted(set(names)), key=names.count)


def closest(world: World, count: int) -> tuple[str, ...]:
    """The artifacts that are nearest in score to the one above them on a page: the easiest to lift."""
    gaps: dict[str, float] = {}
    for _, text in world.queries:
        page = world.page(text)
        for above, below in pairwise(page):
            gaps[below.artifact] = min(gaps.get(below.artifact, 1.0), above.score - below.score)
    return tuple(sorted(gaps, key=lambda artifact: (gaps[artifact], artifact))[:count])


def one_against_ninety(encoder: Encoder) -> dict[str, Any]:
    """One success of one, beside ninety of a hundred, by as many actors: two twins that nothing else tells apart."""
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder), encoder)
        text = next(text for job, text in world.queries if job == "text.summarization")
        page = world.page(text)
        rare, proven = page[0].artifact, page[1].artifact  # the rare one starts ahead
        events: list[SearchEvent | OutcomeEvent] = []
        for number in range(101):
            search = world.searched(text, page, f"actor {number}", world.now - DAY_US + number)
            kind = "success" if number in (100, *range(90)) else "failure"
            events += [search, happened(search, rare if number == 100 else proven, kind)]
        world.write(events)
        after = {s.artifact: s for s in world.all_scores(text)}
        points = ranks(world.home, world.now)
        with world.home.store.reading() as connection:
            match_graph = read_match_graph(connection, world.now)
        found = {}
        for name, artifact in (("1 of 1", rare), ("90 of 100", proven)):
            explained = explain_artifact(match_graph, artifact)
            found[name] = {"vote_part": after[artifact].parts["graph"], "match_graph_points": points[artifact],
                           "success_mean": explained.success.mean, "success_low": explained.success.low}  # fmt: skip
        world.home.close()
    return found


def run(clicks: int) -> dict[str, Any]:
    """All attacks, each in a world of its own."""
    settings = Settings(home=Path(tempfile.gettempdir()))
    encoder = open_encoder(settings.encoder, threads=settings.threads)
    found: dict[str, Any] = {"repetitions": clicks, "epsilon": ACTOR_EPSILON}
    for name in ("clicks", "clicks_where_it_is_closest", "dismissals", "collusion"):
        with tempfile.TemporaryDirectory() as folder:
            world = World(Path(folder), encoder)
            be_honest(world)
            targets = (shown_at(world, 0 if name == "dismissals" else 4),)
            if name == "clicks_where_it_is_closest":
                targets = closest(world, 5)
            if name == "collusion":
                attack = measured(world, targets, lambda w=world, t=targets: collude(w, t[0]))
            else:
                kind = "dismiss" if name == "dismissals" else "click"
                attack = measured(world, targets, lambda w=world, t=targets, k=kind: repeat(w, "one", t, k, clicks))
            with world.home.store.reading() as connection:
                crowd = explain_artifact(read_match_graph(connection, world.now), targets[0]).crowd
            found[name] = {**asdict(attack), "crowd": asdict(crowd)}
            world.home.close()
        print(name, found[name], file=sys.stderr)
    found["one_against_ninety"] = one_against_ninety(encoder)
    return found


def main() -> None:
    """Simulate, print, and with --write keep the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clicks", type=int, default=10_000)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    found = run(options.clicks)
    print(json.dumps(found, indent=1))
    if options.write:
        RESULT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
