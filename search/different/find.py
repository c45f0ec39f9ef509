"""Finding what does the same job and differs as stated: job, copies, facts, order, and an answer where none does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from graph.artifacts import Artifact
from graph.constants import DIFFERENT_NEED_WEIGHT, JOB_LEAST_AGREEMENT
from graph.errors import QueryError
from graph.responses import SearchResponse
from graph.store import catalogue
from indexer.decompose import texts_of
from search.copies import is_copy
from search.different.alternatives import Alternatives
from search.different.answer import no_answer
from search.different.diverse import spread
from search.different.phrases import Wish, read_wish
from search.engine import Chosen, Engine, widened
from search.facts import Candidates
from search.jobs import Jobs, Votes, job_of, label_words, tasks_of_kind
from search.memory import SearchRequest
from search.query import Candidate, holds, read_limits, read_query
from search.query.understand import Understanding, conflict
from search.ranking import Scored


@dataclass(frozen=True)
class _Job:
    """The job that is asked for: by what its source states, else by the votes of its neighbours."""

    label: str | None
    tasks: frozenset[str]
    uris: frozenset[str]
    votes: Votes | None

    def agreement(self, jobs: Jobs, number: int, row: int) -> float:
        """0 to 1: 1 for the stated job or a shared capability, the share of votes where the job is inferred."""
        if self.votes is not None:
            return jobs.agreement(self.votes, number, row) if self.votes.shares else 1.0
        tasks = {task.partition(".")[2] for task in jobs.tasks[number]}
        return float(bool(tasks & self.tasks or self.label in jobs.labels[number] or jobs.uris[number] & self.uris))

    def words(self, agreement: float) -> str:
        """The job as a reason."""
        if self.label is not None:
            return f"same job: {label_words(self.label)}"
        if self.votes is None or not self.votes.shares:
            return "near in meaning; no job is stated here"
        label, share = self.votes.best
        return f"same job, as far as its neighbours tell ({label_words(label)}, {share:.0%}; agreement {agreement:.0%})"


def find_different(engine: Engine, name: str, phrase: str, request: SearchRequest) -> SearchResponse:
    """Artifacts that do the same job as one, and for which the stated differences hold as facts; recorded.

    Raises
    ------
    UnknownArtifact
        There is no such artifact; names the nearest.
    QueryError
        The artifact has no capability to compare by, or limit or offset is wrong.
    """
    read_limits(request.limit, request.offset)
    query = read_query(phrase) if any(char.isalnum() for char in phrase) else read_query(name)
    wish = read_wish(query.text if phrase else "", engine.names.owners) if request.understand else Wish(words=phrase)
    asked = widened(request, Understanding(wish.words, wish.read, notes=wish.notes))
    with engine.lock:
        with engine.home.store.reading() as connection:
            rejected = catalogue.find_artifact(connection, name)
            moment = engine.memory.moment(connection)
            refused, end = conflict(asked.where), asked.offset + asked.limit
            found = _NOTHING
            if not refused:
                found = rank_different(engine, connection, rejected, wish, asked, moment.time_us, end)
        page = found.kept[asked.offset : end]
        message = "" if page else refused or no_answer(rejected, wish.differences, asked.where, found)
        chosen = Chosen(
            page, found.artifacts, found.reasons, found.dropped_unknown, not page and not asked.offset, message,
            Understanding(wish.words, wish.read, notes=wish.notes), tuple(d.name for d in wish.differences),
            found.kept[0].parts["job"] if found.kept else None,
        )  # fmt: skip
        query = replace(query, words=_intent_words(rejected, wish))
        return engine.deliver_different(asked, query, chosen, moment, target=rejected.id)


def _intent_words(rejected: Artifact, wish: Wish) -> str:
    """The job in words, with what was asked of it: the intent of the search, whatever should differ."""
    job = rejected.capabilities[0].name if rejected.capabilities else rejected.name
    return f"{job} {wish.words}".strip()


_NOTHING = Alternatives((), {}, {}, (), 0)


def rank_different(
    engine: Engine, connection: Connection, rejected: Artifact, wish: Wish, request: SearchRequest,
    as_of_us: int | None = None, count: int = 100, own: NDArray[np.float32] | None = None,
) -> Alternatives:  # fmt: skip
    """What does the same job as an artifact and satisfies every difference and condition as a known fact.

    Parameters
    ----------
    rejected
        The artifact that is not wanted.
    wish
        What should differ; its words are added to what is needed.
    request
        Its conditions, policy and further artifacts that are not wanted hold; its text does not count.
    as_of_us
        The time at which outcomes are weighed; default now.
    count
        How many of the first are put in order of diversity; the others follow.
    own
        The artifact's own vector, float32 (dimension,), normalised; default that of the index.

    Raises
    ------
    QueryError
        The artifact has no capability, so no job is known.
    """
    if not rejected.capabilities:
        raise QueryError(f"{rejected.slug} has no capability, so nothing is known to do the same job")
    own = _own_vector(engine, rejected) if own is None else own
    need = _need(engine, own, wish.words)
    unwanted = [rejected, *(catalogue.find_artifact(connection, name) for name in request.rejected)]
    parts = ("dense",) if request.blind else ("dense", "graph")
    scored = _same_job(engine, connection, rejected, unwanted, need, wish, as_of_us, parts)
    artifacts = engine.artifacts.read(connection, [found.artifact for found, _ in scored])
    scored = [
        pair for pair in scored
        if not any(is_copy(artifacts[pair[0].artifact], artifact) for artifact in unwanted)
    ]  # fmt: skip
    return _judged(engine, connection, rejected, wish, request, scored, artifacts, as_of_us, count)


def _own_vector(engine: Engine, rejected: Artifact) -> NDArray[np.float32]:
    rows = engine.rows_of(rejected.id)
    if len(rows):
        return np.asarray(engine.snapshot.vectors_of(rows[:1])[0], np.float32)
    return engine.vector_of(texts_of(rejected)[0].text)  # the gate kept it out: its own words still say its job


def _need(engine: Engine, own: NDArray[np.float32], words: str) -> NDArray[np.float32]:
    """The artifact's own vector plus that of the words, normalised, float32 (dimension,): added, never subtracted."""
    total = own + DIFFERENT_NEED_WEIGHT * engine.vector_of(words) if words else own
    return np.asarray(total / np.linalg.norm(total), np.float32)


def _same_job(
    engine: Engine, connection: Connection, rejected: Artifact, unwanted: Sequence[Artifact],
    need: NDArray[np.float32], wish: Wish, as_of_us: int | None, parts: Sequence[str],
) -> list[tuple[Scored, str]]:  # fmt: skip
    """Every artifact that does the job, with its part `job` and the words for it, best first, ties by id."""
    jobs = engine.jobs(connection)
    ids = {artifact.id for artifact in unwanted}
    job = _job_of(engine, connection, jobs, rejected, need, wish, ids)
    found = []
    for scored in engine.score("", need, as_of_us=as_of_us, parts=parts):
        agreement = job.agreement(jobs, engine.number_of(scored.artifact), scored.row)
        if scored.artifact not in ids and agreement >= JOB_LEAST_AGREEMENT:
            with_job = {**scored.parts, "job": agreement}
            found.append((replace(scored, score=scored.score + agreement, parts=with_job), job.words(agreement)))
    return sorted(found, key=lambda pair: (-pair[0].score, pair[0].artifact))


def _job_of(
    engine: Engine, connection: Connection, jobs: Jobs, rejected: Artifact, need: NDArray[np.float32], wish: Wish,
    ids: set[str],
) -> _Job:  # fmt: skip
    stated = job_of(rejected)
    uris = catalogue.assignments_of(connection, rejected.id)
    own = frozenset(uri for uri in uris if not uri.startswith("capability://lifecycle."))
    if stated.label is not None and not stated.is_guess:
        is_wide = any(difference.widens for difference in wish.differences)
        bare = stated.task.partition(".")[2]
        tasks = tasks_of_kind(stated.task) if is_wide else frozenset({bare} - {"other"})
        return _Job(stated.label, tasks, own, None)
    leave_out = [engine.number_of(artifact) for artifact in sorted(ids) if engine.has(artifact)]
    return _Job(None, frozenset(), own, jobs.votes(need, leave_out))


def _judged(
    engine: Engine, connection: Connection, rejected: Artifact, wish: Wish, request: SearchRequest,
    scored: Sequence[tuple[Scored, str]], artifacts: dict[str, Artifact], as_of_us: int | None, count: int,
) -> Alternatives:  # fmt: skip
    candidates = Candidates(connection)
    other, kept, reasons, dropped = candidates.of(rejected), [], {}, 0
    unknown: dict[str, int] = {}
    conditions = tuple(dict.fromkeys((*request.where, *wish.where)))
    for each, job in scored:
        candidate = candidates.of(artifacts[each.artifact])
        answers = _answers(candidate, other, wish, conditions)
        if False in answers.values():
            continue
        open_ones = [name for name, answer in answers.items() if answer is None]
        dropped += bool(open_ones)
        for name in open_ones:
            unknown[name] = unknown.get(name, 0) + 1
        if not open_ones and engine.is_allowed(connection, candidate.artifact, each, request.policy, as_of_us):
            kept.append(each)
            stated = [d.reason(candidate, other) for d in wish.differences]
            reasons[each.artifact] = "; ".join([job, *stated, *map(str, conditions)])
    ordered = spread(kept, artifacts, engine.snapshot, count)
    return Alternatives(
        tuple(ordered), artifacts, reasons, tuple(each.artifact for each, _ in scored), dropped, unknown
    )


def _answers(
    candidate: Candidate, rejected: Candidate, wish: Wish, conditions: Sequence[object]
) -> dict[str, bool | None]:
    found = {difference.name: difference.judge(candidate, rejected) for difference in wish.differences}
    return found | {str(where): holds(where, candidate) for where in conditions}  # type: ignore[arg-type]
