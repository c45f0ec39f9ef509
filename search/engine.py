"""The one path of every search: understand, score, filter, abstain, record, hand out tokens."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from graph.artifacts import Artifact
from graph.constants import EXPLORE_DEPTH
from graph.events import Actor, Operation, SearchEvent, now_us
from graph.home import Home
from graph.policy import POLICIES, Policy
from graph.responses import ReadPart, Result, SearchResponse, Understood
from graph.store import catalogue
from indexer.snapshot import Snapshot, open_snapshot
from indexer.vectors import DIVIDED
from inference.embedder import Encoder, open_encoder
from search.artifact_cache import ArtifactCache
from search.confidence import UNCALIBRATED, Fit, Judge, nothing_fits, nothing_left
from search.explore import Slot, draw_slot, with_slot
from search.facts import FactsCache, verdict_words
from search.fusion import PARTS, Texts, fuse
from search.jobs import Jobs
from search.memory import Delivery, Memory, Moment, SearchRequest, explored_before
from search.outcomes import Caller
from search.query import Query, read_limits, read_query
from search.query.language import has_only_stop_words
from search.query.names import Named, NameIndex
from search.query.understand import Understanding, conflict, understand
from search.ranking import Ranking, Scored
from search.ranks import RankCache
from search.sift import Sieve, is_allowed
from search.tokens import make_token
from search.why import explain_match

LOCAL: Final = Caller("cli", Actor(id="local"))
"""The caller of the command line and of the demo."""
_WARM_CHUNK: Final = 20
"""So many artifacts are read at a time ahead of searches, which wait no longer than that."""
_TEXTS_KEPT: Final = 64
"""The words of so many texts are remembered with their BM25: a further page asks for them again."""
_NAMED_KEPT: Final = 256
"""So many texts are remembered with what they name: one search asks several times."""
BLIND_PARTS: Final = tuple(part for part in PARTS if part != "graph")
"""What is added up where the log is not to count."""


@dataclass(frozen=True)
class Chosen:
    """What a search found, before it is recorded; `reasons` by artifact id replace the engine's own `why`.

    `understanding` is what was read from the query, `differences` what a difference asks for, `slot` what was drawn to
    be explored where it is on the page.
    """

    page: tuple[Scored, ...]
    artifacts: dict[str, Artifact] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    dropped_unknown: int = 0
    abstained: bool = False
    message: str = ""
    understanding: Understanding | None = None
    differences: tuple[str, ...] = ()
    confidence: float | None = None
    slot: Slot | None = None


class Engine:
    """A live snapshot, its encoder, and what the process remembers of the log. Safe to share between threads.

    Raises
    ------
    SnapshotError
        Nothing is built yet, or the snapshot is altered.
    EncoderMismatch
        The snapshot was built with another encoder.
    """

    def __init__(self, home: Home, encoder: Encoder | None = None) -> None:
        self.home = home
        chosen = home.settings
        self.encoder = encoder or open_encoder(
            chosen.encoder, threads=chosen.threads, home=home.path, runtime=chosen.encoder_runtime
        )
        self.snapshot: Snapshot = open_snapshot(home.snapshots, encoder=self.encoder.info)
        self.artifacts = ArtifactCache()
        self._ranks, self._facts = RankCache(home), FactsCache()
        self.lock = threading.RLock()
        """Held while the log's memory is read and written; one thread may take it again."""
        self._artifacts = sorted({row.artifact for row in self.snapshot.rows})
        position = {artifact: i for i, artifact in enumerate(self._artifacts)}
        self._numbers = position
        self._jobs: Jobs | None = None
        self._owners = np.array([position[row.artifact] for row in self.snapshot.rows], np.int64)
        self._texts = Texts(self._artifacts, self._owners)
        main = self.snapshot.vectors_of(self._texts.first)
        self.memory = Memory(home, self.encoder.info.digest, self._numbers, main)
        self.names = NameIndex((row.artifact, row.slug, row.name) for row in self.snapshot.rows)
        self._lexical = lru_cache(maxsize=_TEXTS_KEPT)(self.snapshot.lexical)
        self._encoding = ThreadPoolExecutor(chosen.threads, "encode") if chosen.threads > 1 else None
        # A pool of its own: what is asked for under the lock never waits for other queries to be encoded.
        self._aside = ThreadPoolExecutor(chosen.threads, "cosines") if chosen.threads > 1 else None
        self._named = lru_cache(maxsize=_NAMED_KEPT)(lambda text: self.names.find(text, self.snapshot.knows))

    def score(
        self,
        text: str,
        vector: NDArray[np.float32],
        *,
        as_of_us: int | None = None,
        parts: Sequence[str] = PARTS,
    ) -> Ranking:
        """Every artifact of the snapshot with its fused score, best first; records nothing.

        Parameters
        ----------
        text : str
            The redacted query.
        vector : ndarray
            Shape (dimension,), float32, normalised.
        as_of_us : int, optional
            The time at which outcomes are weighed; default now.
        parts : sequence of str
            Which of dense, lexical, graph, name to add up.
        """
        cosines = self._cosines(vector, beside_searches="graph" in parts)
        dense = cosines if "dense" in parts else None
        lexical = self._lexical(text) if "lexical" in parts else None
        said = None
        if "graph" in parts:
            moment = now_us() if as_of_us is None else as_of_us
            said = self.memory.confirmed.part(vector, cosines[self._texts.first], text, moment)
        named = self.find_named(text).artifacts if "name" in parts else frozenset()
        return fuse(self._texts, dense, lexical, said, [self._numbers[artifact] for artifact in named])

    def _cosines(self, vector: NDArray[np.float32], *, beside_searches: bool) -> NDArray[np.float32]:
        """The cosine of every row; those of the searches, which are remembered, are found on another core meanwhile."""
        searches = self.memory.confirmed.searches
        is_worth_it = self._aside and beside_searches and len(searches) >= DIVIDED
        ahead = self._aside.submit(searches.cosines, vector) if self._aside and is_worth_it else None
        cosines = self.snapshot.cosines(vector, self._aside)
        if ahead:
            ahead.result()
        return cosines

    def jobs(self, connection: Connection) -> Jobs:
        """The jobs of the snapshot's artifacts, read once."""
        if self._jobs is None:
            labels = catalogue.capability_labels(connection)
            self._jobs = Jobs(self.snapshot, self._artifacts, self._owners, labels)
        return self._jobs

    def number_of(self, artifact: str) -> int:
        """The number of an artifact of the snapshot, from 0, in the order of ids."""
        return self._numbers[artifact]

    def rows_of(self, artifact: str) -> NDArray[np.int64]:
        """The rows of an artifact in the snapshot, int64, the main text first; empty where it is not in it."""
        number = self._numbers.get(artifact, -1)
        return np.flatnonzero(self._owners == number).astype(np.int64)

    def has(self, artifact: str) -> bool:
        """Whether the snapshot has an artifact."""
        return artifact in self._numbers

    def vector_of(self, text: str) -> NDArray[np.float32]:
        """The vector of a text, float32 of shape (dimension,), normalised; from the store where it is kept."""
        kept = self._kept_vector(text)
        return self.encoder.encode([text])[0] if kept is None else kept

    def _kept_vector(self, text: str) -> NDArray[np.float32] | None:
        with self.home.store.reading(folded=False) as connection:
            return catalogue.load_vector(connection, self.encoder.info.digest, catalogue.vector_key(text))

    def _vector_ahead(self, text: str) -> Callable[[], NDArray[np.float32]]:
        """Gives the vector of a text when called; a new text is encoded meanwhile where there is a core for it."""
        kept = self._kept_vector(text)
        if kept is not None:
            return lambda: kept
        if self._encoding is None:
            return lambda: self.encoder.encode([text])[0]
        encoded = self._encoding.submit(self.encoder.encode, [text])
        return lambda: encoded.result()[0]

    def search(self, request: SearchRequest) -> SearchResponse:
        """The answer to a query: recorded, with a token per result.

        Raises
        ------
        QueryError
            The query, limit, offset or parent search is wrong.
        """
        read_limits(request.limit, request.offset)
        query = read_query(request.query)
        understanding = self.understand(query.text, request)
        query = replace(query, words=understanding.words)
        vector = self._vector_ahead(query.searched)
        self._lexical(query.searched)  # while it is encoded, its words are looked up
        return self._answer(widened(request, understanding), query, vector(), understanding)

    def _answer(
        self, asked: SearchRequest, query: Query, vector: NDArray[np.float32], understanding: Understanding
    ) -> SearchResponse:
        with self.lock:
            with self.home.store.reading(folded=False) as connection:
                moment = self.memory.moment(connection)
                chosen = self._choose(connection, query, vector, asked, moment, understanding)
            chosen = replace(chosen, understanding=understanding)
            return self._deliver(asked, query, vector, chosen, "search", moment)

    def warm(self, is_wanted: Callable[[], bool] = lambda: True) -> None:
        """Read what searches would otherwise wait for, a little at a time: the log, the ranks, artifacts and facts.

        Parameters
        ----------
        is_wanted : callable
            Asked now and then; False ends it early.
        """
        with self.lock, self.home.store.reading(folded=False) as connection:
            self.memory.refresh(connection)
            self._ranks.refresh(self.memory.stamp)
        for start in range(0, len(self._artifacts), _WARM_CHUNK):
            if not is_wanted():
                return
            with self.lock, self.home.store.reading(folded=False) as connection:
                found = self.artifacts.read(connection, self._artifacts[start : start + _WARM_CHUNK])
                for known in self._facts.read(self.home.store, self.memory.stamp, list(found.values())).values():
                    for capability in known.artifact.capabilities:
                        explain_match(known, capability.id, self.memory.fold)

    def understand(self, text: str, request: SearchRequest) -> Understanding:
        """What a query says; an artifact's own name, or a query that is not to be understood, is words alone."""
        named = self.find_named(text)
        if not request.understand or (named.artifacts and named.is_exact):
            return Understanding(text)
        return understand(text, self.names.owners)

    def find_named(self, text: str) -> Named:
        """The artifacts that a query names, exactly or but for its spelling."""
        return self._named(text)

    def deliver_different(
        self, request: SearchRequest, query: Query, chosen: Chosen, moment: Moment, target: str
    ) -> SearchResponse:
        """Record what was chosen instead of an artifact, and give the answer with its tokens."""
        with self.lock:
            return self._deliver(request, query, self.vector_of(query.text), chosen, "different", moment, target)

    def _choose(
        self, connection: Connection, query: Query, vector: NDArray[np.float32], request: SearchRequest, moment: Moment,
        understanding: Understanding,
    ) -> Chosen:  # fmt: skip
        parts = BLIND_PARTS if request.blind else PARTS
        scored = self.score(query.searched, vector, as_of_us=moment.time_us, parts=parts)
        if not scored:
            return Chosen((), abstained=True, message="the index is empty: ingest something and build")
        asks_words = bool(understanding.words)  # limits alone are satisfied, whatever the words
        refused = conflict(request.where) or (_says_nothing(query, scored) if asks_words else "")
        if refused:
            return Chosen((), abstained=True, message=refused, confidence=0.0)
        named = self.find_named(query.searched) if scored.parts["name"].any() else Named()
        judge = Judge(self.snapshot.calibration, named)
        fit = judge.of_all(scored) if asks_words else Fit(True, None)
        if not fit.fits:
            nearest = self.snapshot.rows[int(scored.rows_of(np.array([scored.parts["dense"].argmax()]))[0])].slug
            return Chosen((), abstained=True, message=nothing_fits(nearest), confidence=fit.confidence)
        known = (self.artifacts, self.snapshot, request, moment.time_us, self._facts, self.memory.stamp)
        sieve = Sieve(connection, *known)
        sifted = sieve.sift(scored)
        if asks_words and (request.where or request.policy or request.rejected):
            fit = judge.of(sifted.kept[:EXPLORE_DEPTH])
        if not sifted.kept or not fit.fits:
            drops, best = sieve.keeps_out(scored, judge.fits if asks_words else lambda _: True)
            message = nothing_left(sieve.words(), is_fit=not sifted.kept, drops=drops, fallback=best)
            return Chosen((), {}, {}, sifted.dropped_unknown, True, message, confidence=fit.confidence)
        slot = self._explored(connection, query, sifted.kept, request, judge) if asks_words else None
        page = tuple(with_slot(sifted.kept, slot)[request.offset : request.offset + request.limit])
        is_shown = slot is not None and request.offset < slot.position <= request.offset + len(page)
        return Chosen(
            page, sieve.artifacts_of(page, sifted), dropped_unknown=sifted.dropped_unknown,
            message="" if page else "no further results", confidence=fit.confidence, slot=slot if is_shown else None,
        )  # fmt: skip

    def _explored(
        self, connection: Connection, query: Query, found: Sequence[Scored], request: SearchRequest, judge: Judge
    ) -> Slot | None:
        """What is explored: on a further page what the first one explored, else what is drawn."""
        if not request.explore or request.blind:
            return None
        if request.parent is not None:
            return explored_before(connection, request.parent, query.text)
        chosen = self.memory.fold.is_chosen
        return draw_slot(
            found, request.limit, lambda each: judge.fits(each) and not chosen(each.artifact), query.searched,
            self.snapshot.id,
        )  # fmt: skip

    def is_allowed(
        self, connection: Connection, artifact: Artifact, candidate: Scored, policy: Policy | None,
        as_of_us: int | None = None,
    ) -> bool:  # fmt: skip
        """Whether a policy has nothing against the capability that matched."""
        capability = self.snapshot.rows[candidate.row].capability
        return is_allowed(connection, artifact, capability, policy, now_us() if as_of_us is None else as_of_us)

    def _deliver(
        self, request: SearchRequest, query: Query, vector: NDArray[np.float32], chosen: Chosen, operation: Operation,
        moment: Moment, target: str | None = None,
    ) -> SearchResponse:  # fmt: skip
        uris = {scored.artifact: self.snapshot.rows[scored.row].uri for scored in chosen.page}
        policy = request.policy.name if request.policy else self.snapshot.manifest.policy
        delivery = Delivery(
            operation, moment, self.snapshot.id, chosen.page, uris, policy, chosen.abstained, target, chosen.slot
        )  # fmt: skip
        event, seq = self.memory.record(request, query, vector, delivery)
        understood = self._understood(request, query, chosen)
        return SearchResponse(
            search_id=event.id, query=query.text, understood=understood, abstained=chosen.abstained,
            message=chosen.message, confidence=chosen.confidence, snapshot=self.snapshot.id, event_seq=seq,
            results=tuple(self._results(chosen, event)), dropped_unknown=chosen.dropped_unknown,
        )  # fmt: skip

    def _understood(self, request: SearchRequest, query: Query, chosen: Chosen) -> Understood:
        read = chosen.understanding or Understanding(query.text)
        named = self.find_named(query.searched) if chosen.understanding else Named()
        corrected = (f"no artifact is called {query.searched[:60]!r}: taken for {named.corrected!r}",)
        uncalibrated = () if self.snapshot.calibration or not self.snapshot.rows else (UNCALIBRATED,)
        return Understood(
            text=query.text, where=tuple(str(condition) for condition in request.where), cut=query.cut,
            name=next((s.artifact for s in chosen.page if s.parts.get("name")), None),
            type=next((str(w.value) for w in request.where if w.field == "type" and w.op == "="), None),
            searched=query.searched if read.words else "",
            read=tuple(ReadPart(words=part.words, condition=str(part.where)) for part in read.read),
            policy=request.policy.name if request.policy else None, rejected=request.rejected,
            differences=chosen.differences, switches=request.switches,
            notes=(*(() if named.is_exact else corrected), *read.notes, *uncalibrated),
        )  # fmt: skip

    def _results(self, chosen: Chosen, event: SearchEvent) -> Iterator[Result]:
        facts = self._facts.read(
            self.home.store, self.memory.stamp, [chosen.artifacts[each.artifact] for each in chosen.page]
        )
        self._ranks.hear(event, self.memory.stamp)
        for scored, delivered in zip(chosen.page, event.results, strict=True):
            row, known = self.snapshot.rows[scored.row], facts[scored.artifact]
            yield Result(
                position=delivered.position, artifact=scored.artifact, slug=known.artifact.slug,
                name=known.artifact.name, type=known.artifact.type, capability=row.capability, uri=row.uri,
                score=scored.score, parts=scored.parts, rank=self._ranks.rank(scored.artifact, self.memory.stamp),
                verdicts=known.verdicts, runs=verdict_words(known.runs(row.capability)),
                why=chosen.reasons.get(scored.artifact) or explain_match(known, row.capability, self.memory.fold),
                token=make_token(self.home, event.id, delivered.position),
                exploration=chosen.slot is not None and chosen.slot.position == delivered.position,
            )  # fmt: skip


def open_engine(home: Home, encoder: Encoder | None = None) -> Engine:
    """The engine of a home's live snapshot; see `Engine` for what it raises."""
    return Engine(home, encoder)


def widened(request: SearchRequest, understanding: Understanding) -> SearchRequest:
    """The request with the conditions and the policy that the query's own words state."""
    policy = request.policy or (POLICIES[understanding.policy] if understanding.policy else None)
    return replace(request, where=tuple(dict.fromkeys((*request.where, *understanding.where))), policy=policy)


def _says_nothing(query: Query, scored: Ranking) -> str:
    """One line where the query has stop words alone and is nobody's name; empty where it says something."""
    if not has_only_stop_words(query.searched) or scored.parts["name"].any():
        return ""
    return "only stop words: say in a few words what the model or tool should do"
