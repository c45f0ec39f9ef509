"""Something different: the same job as an artifact, but differing the way the user says."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from graph.artifacts import Artifact
from graph.errors import QueryError
from graph.responses import SearchResponse
from graph.store import catalogue
from graph.taxonomy import OTHER
from search.engine import Chosen, Engine
from search.fusion import Scored
from search.memory import SearchRequest
from search.query import Where, holds, read_limits, read_query

NEED_TEXT_WEIGHT: Final = 1.0
"""Needed vector = the artifact's own + this · the free words' (adding, never subtracting, the artifact)."""


@dataclass(frozen=True)
class Difference:
    """One stated difference: a fact that a candidate satisfies, does not, or that nobody knows (None)."""

    name: str
    holds: Callable[[Artifact, Artifact], bool | None]
    reason: Callable[[Artifact, Artifact], str]


def _unequal(field: str) -> Callable[[Artifact, Artifact], bool | None]:
    def differs(candidate: Artifact, rejected: Artifact) -> bool | None:
        one, other = getattr(candidate, field), getattr(rejected, field)
        return None if one is None or other is None else str(one).lower() != str(other).lower()

    return differs


def _smaller(candidate: Artifact, rejected: Artifact) -> bool | None:
    if candidate.params is None or rejected.params is None:
        return None
    return candidate.params < rejected.params


def _larger(candidate: Artifact, rejected: Artifact) -> bool | None:
    smaller = _smaller(rejected, candidate)
    return None if smaller is None else smaller


def _offline(candidate: Artifact, _: Artifact) -> bool | None:
    weights = candidate.weights
    return True if weights.path or weights.hub_id else False if weights.endpoint else None


def _free(candidate: Artifact, _: Artifact) -> bool | None:
    return candidate.pricing.free


def _params_reason(candidate: Artifact, rejected: Artifact) -> str:
    return f"{candidate.params:,} parameters against {rejected.params:,}"


def _field_reason(field: str) -> Callable[[Artifact, Artifact], str]:
    return lambda candidate, rejected: f"{field} {getattr(candidate, field)} instead of {getattr(rejected, field)}"


_WORDS: Final = (
    (r"smaller|lighter|fewer parameters|more compact", Difference("smaller", _smaller, _params_reason)),
    (r"larger|bigger|more parameters", Difference("larger", _larger, _params_reason)),
    (
        r"offline|self-hosted|open weights?|local(?:ly)?|downloadable",
        Difference("offline", _offline, lambda c, _: f"open weights: {c.weights.hub_id or 'a local folder'}"),
    ),
    (r"free(?: of charge)?|no cost", Difference("free", _free, lambda c, _: "free by its source")),
    *(
        (
            rf"(?:other|another|different) {word}",
            Difference(f"other {field}", _unequal(field), _field_reason(field)),
        )
        for word, field in (
            ("family", "family"), ("librar(?:y|ies)", "library"), ("licen[cs]e", "license"),
            ("organi[sz]ation|(?:other|another|different) (?:company|publisher)", "organization"),
            ("maintainer", "maintainer"), ("type", "type"),
        )
    ),
)  # fmt: skip
_PATTERNS: Final = tuple((re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE), found) for pattern, found in _WORDS)
_FILLER: Final = re.compile(r"\b(?:but|and|like|it|one|something|with|that|is|a|an|the|of|from|than|this)\b", re.I)


def read_differences(phrase: str) -> tuple[tuple[Difference, ...], str]:
    """The differences that a phrase states, and the words that are left."""
    found, rest = [], phrase
    for pattern, difference in _PATTERNS:
        rest, hits = pattern.subn(" ", rest)
        if hits:
            found.append(difference)
    words = " ".join(_FILLER.sub(" ", re.sub(r"[^\w-]+", " ", rest)).split())
    return tuple(found), words


@dataclass(frozen=True)
class Alternatives:
    """What does the same job and differs as stated, best first, with a reason each.

    `same_job` are all that do the job, `dropped_unknown` how many were left out because a fact is unknown.
    """

    kept: tuple[Scored, ...]
    artifacts: dict[str, Artifact]
    reasons: dict[str, str]
    same_job: tuple[str, ...]
    dropped_unknown: int


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
    differences, words = read_differences(phrase)
    with engine.home.store.reading() as connection:
        rejected = catalogue.find_artifact(connection, name)
        moment = engine.memory.moment(connection)
        found = rank_different(engine, connection, rejected, words, differences, request.where, moment.time_us)
    page = found.kept[request.offset : request.offset + request.limit]
    message = "" if page else _no_answer(rejected, differences, found)
    abstained = not page and not request.offset
    chosen = Chosen(page, found.artifacts, found.reasons, found.dropped_unknown, abstained, message)
    return engine.deliver_different(request, query, chosen, moment, target=rejected.id)


def rank_different(
    engine: Engine,
    connection: Connection,
    rejected: Artifact,
    words: str,
    differences: Sequence[Difference],
    where: Sequence[Where] = (),
    as_of_us: int | None = None,
) -> Alternatives:
    """What does the same job as an artifact and satisfies every difference and condition as a known fact.

    Raises
    ------
    QueryError
        The artifact has no capability, so no job is known.
    """
    if not rejected.capabilities:
        raise QueryError(f"{rejected.slug} has no capability, so nothing is known to do the same job")
    scored = engine.score(words or rejected.name, _need(engine, rejected, words), as_of_us=as_of_us)
    artifacts = catalogue.artifacts_by_id(connection, [s.artifact for s in scored])
    job = _Job(rejected, catalogue.assignments(connection))
    same = [s for s in scored if job.done_by(artifacts[s.artifact]) and not is_copy(artifacts[s.artifact], rejected)]
    kept, reasons, dropped = [], {}, 0
    for candidate in same:
        artifact = artifacts[candidate.artifact]
        answers = [d.holds(artifact, rejected) for d in differences] + [holds(w, artifact) for w in where]
        dropped += None in answers and False not in answers
        if all(answers):
            kept.append(candidate)
            stated = [d.reason(artifact, rejected) for d in differences]
            reasons[artifact.id] = "; ".join([f"same job: {job.words(artifact)}", *stated])
    return Alternatives(tuple(kept), artifacts, reasons, tuple(s.artifact for s in same), dropped)


def _need(engine: Engine, rejected: Artifact, words: str) -> NDArray[np.float32]:
    """The artifact's own vector plus that of the free words, normalised, of shape (dimension,)."""
    rows = [i for i, row in enumerate(engine.snapshot.rows) if row.artifact == rejected.id]
    if rows:
        own = engine.snapshot.vectors_of(rows[:1])[0]
    else:  # the gate kept it out: its own words still say what job it does
        first = rejected.capabilities[0]
        own = engine.vector_of(f"{rejected.name}. {first.name}. {first.description}"[:1_000])
    total = own + NEED_TEXT_WEIGHT * engine.vector_of(words) if words else own
    return np.asarray(total / np.linalg.norm(total), np.float32)


class _Job:
    """What an artifact is for: its canonical capabilities and tasks."""

    def __init__(self, rejected: Artifact, uris: dict[tuple[str, str], str]) -> None:
        self._uris = uris
        main = rejected.capabilities[0].task
        jobs = [c for c in rejected.capabilities if c.task == main or not c.task.startswith("lifecycle.")]
        self._canonical = {uris.get((rejected.id, c.id)) for c in jobs} - {None}  # export, batching… are no job
        self._task = None if main == OTHER else main

    def done_by(self, candidate: Artifact) -> bool:
        return any(self._matches(candidate, c.id, c.task) for c in candidate.capabilities)

    def words(self, candidate: Artifact) -> str:
        return next(c.name for c in candidate.capabilities if self._matches(candidate, c.id, c.task))

    def _matches(self, candidate: Artifact, capability: str, task: str) -> bool:
        uri = self._uris.get((candidate.id, capability))
        return task == self._task or (uri is not None and uri in self._canonical)


def is_copy(candidate: Artifact, rejected: Artifact) -> bool:
    """Whether one is a copy or conversion of the other: by base model, or by the same name from another owner."""
    if rejected.id in (candidate.base_model, candidate.id) or candidate.id == rejected.base_model:
        return True
    return candidate.name.rpartition("/")[2].lower() == rejected.name.rpartition("/")[2].lower()


def _no_answer(rejected: Artifact, differences: Sequence[Difference], found: Alternatives) -> str:
    names = [difference.name for difference in differences]
    unknown = f"; for {found.dropped_unknown} it is unknown" if found.dropped_unknown else ""
    same = [found.artifacts[artifact] for artifact in found.same_job]
    sized = sorted((a.params, a.slug) for a in same if a.params is not None)
    for name, end, word in (("smaller", 0, "smallest"), ("larger", -1, "largest")):
        if name in names and sized and rejected.params is not None:
            params, slug = sized[end]
            return f"nothing {name} does this; the {word} other is {slug} with {params:,} parameters{unknown}"
    if rejected.params is None and {"smaller", "larger"} & set(names):
        return f"the size of {rejected.slug} is unknown, so nothing can be shown to be smaller or larger"
    wanted = f" and is {', '.join(names)}" if names else ""
    return f"nothing else known does the job of {rejected.slug}{wanted}{unknown}"
