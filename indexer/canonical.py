"""Canonical capabilities: the same job of several artifacts under one URI, for ever.

A capability joins the most similar canonical capability of its task that nothing plain tells apart from it
(`indexer.jobs`), else it founds one. Similarity is the cosine of its vector and the mean of the members' vectors.
Founding and joining are kept for ever and written as catalogue events in the same transaction.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from graph.artifacts import Artifact, Capability, slug_of
from graph.constants import CANONICAL_SIMILARITY, CANONICAL_SIMILARITY_SAME_JOB, CANONICAL_SIMILARITY_STRICT
from graph.errors import UnknownArtifact
from graph.events import CatalogueEvent, new_id, now_us
from graph.home import Home
from graph.match_graph import resolve_alias
from graph.store.catalogue import (
    Canonical,
    alias_canonical,
    all_canonical,
    assignments,
    save_assignments,
    save_canonical,
    vector_key,
)
from graph.store.log import append_events
from graph.taxonomy import task_words
from indexer.decompose import canonical_text, refuted_claims
from indexer.embedding import embed_missing, read_vectors
from indexer.jobs import Job, fits, job_of, least_similarity, united
from indexer.progress import OnProgress, silent
from indexer.sentences import allowed_field

if TYPE_CHECKING:
    from inference.embedder import Encoder

SLUG_WORDS: Final = 6
_LEAST: Final = min(CANONICAL_SIMILARITY, CANONICAL_SIMILARITY_SAME_JOB, CANONICAL_SIMILARITY_STRICT)
Place = tuple[str, str]
"""(artifact id, local capability id)."""


@dataclass(frozen=True)
class Candidate:
    """A capability as the decision sees it. `vector` is float32 (dimension,), normalised."""

    place: Place
    task: str
    name: str
    text: str
    job: Job
    vector: NDArray[np.float32]


@dataclass
class Group:
    """A canonical capability: its place on the shelf, what is known of the job, and whose members it has."""

    uri: str
    row: int
    job: Job
    artifacts: set[str]


class Shelf:
    """The canonical capabilities of one task, oldest first, with the sums of their members' vectors."""

    def __init__(self) -> None:
        self.groups: list[Group] = []
        self._totals = np.zeros((0, 0), np.float32)

    def found(self, uri: str, founder: Candidate) -> Group:
        """A new canonical capability with its first member."""
        row = len(self.groups)
        if row == len(self._totals):  # doubled, so that many are founded in linear time
            grown = np.zeros((max(8, 2 * row), founder.vector.shape[0]), np.float32)
            if row:
                grown[:row] = self._totals
            self._totals = grown
        self.groups.append(Group(uri, row, founder.job, set()))
        self.join(self.groups[row], founder)
        return self.groups[row]

    def join(self, group: Group, member: Candidate) -> None:
        """Take a member in."""
        self._totals[group.row] += member.vector
        group.job = united(group.job, member.job)
        group.artifacts.add(member.place[0])

    def similar(self, candidate: Candidate) -> list[tuple[float, Group]]:
        """Groups that a capability may join, oldest first, with the cosine to the mean of their members."""
        if not self.groups:
            return []
        totals = self._totals[: len(self.groups)]
        lengths = np.linalg.norm(totals, axis=1)
        cosines = totals @ candidate.vector / np.where(lengths > 0, lengths, 1)
        return [
            (float(cosines[row]), self.groups[row])
            for row in np.flatnonzero(cosines >= _LEAST)
            if candidate.place[0] not in self.groups[row].artifacts
            and fits(self.groups[row].job, candidate.job)
            and cosines[row] >= least_similarity(candidate.task, self.groups[row].job, candidate.job)
        ]


@dataclass(frozen=True)
class Decided:
    """What a build decided: canonical capabilities founded, and where the unassigned capabilities went."""

    created: tuple[Canonical, ...]
    assigned: dict[Place, str]


def assign_canonical(
    home: Home,
    encoder: Encoder,
    artifacts: Sequence[Artifact],
    refuted: Mapping[str, frozenset[str]],
    on_progress: OnProgress = silent,
) -> int:
    """How many texts were embedded to give every capability of these artifacts its URI.

    Parameters
    ----------
    home, encoder
        Where canonical capabilities are kept, and what makes the vectors.
    artifacts
        All artifacts of the catalogue, sorted by id.
    refuted
        Ids of refuted claims by artifact id; their sentences take no part.
    """
    capabilities = [(artifact, capability) for artifact in artifacts for capability in artifact.capabilities]
    texts = [canonical_text(a, c, refuted.get(a.id, frozenset())) for a, c in capabilities]
    embedded = embed_missing(home, encoder, texts, on_progress)
    vectors = read_vectors(home, encoder, texts)
    candidates = [
        _candidate(artifact, capability, refuted.get(artifact.id, frozenset()), text, vector)
        for (artifact, capability), text, vector in zip(capabilities, texts, vectors, strict=True)
    ]
    with home.store.writing() as connection:
        known = all_canonical(connection)
        decided = decide(candidates, known, assignments(connection))
        _keep(connection, decided)
    return embedded


def decide(candidates: Sequence[Candidate], known: Sequence[Canonical], assigned: Mapping[Place, str]) -> Decided:
    """Where capabilities without a URI go; pure, and the same for the same input.

    Artifacts are taken in the order of their ids, an artifact's own capabilities the most similar first: two
    capabilities of one artifact never share a URI that one of them was newly given.
    """
    shelves = _shelves(candidates, known, assigned)
    taken = {canonical.uri for canonical in known}
    created: list[Canonical] = []
    placed: dict[Place, str] = {}
    waiting: dict[str, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        if candidate.place not in assigned:
            waiting[candidate.place[0]].append(candidate)
    for _, own in sorted(waiting.items()):
        for candidate, group in _matched(own, shelves):
            if group is not None:
                shelves[candidate.task].join(group, candidate)
            else:
                uri = free_uri(candidate.task, candidate.name, taken)
                taken.add(uri)
                created.append(Canonical(uri, candidate.task, candidate.name, vector_key(candidate.text)))
                group = shelves[candidate.task].found(uri, candidate)
            placed[candidate.place] = group.uri
    return Decided(tuple(created), placed)


def free_uri(task: str, name: str, taken: Container[str]) -> str:
    """A URI that is not taken: `capability://<domain>.<task>.<slug>`, the slug of at most six words of the name.

    Examples
    --------
    >>> free_uri("text.translation", "English to German translation, fast and small", set())
    'capability://text.translation.english-to-german-translation-fast-and'
    """
    words = re.sub(r"[^a-z0-9]+", " ", slug_of(name)).split()[:SLUG_WORDS]
    base = f"capability://{task}.{'-'.join(words)[:80] or 'capability'}"
    uri, number = base, 2
    while uri in taken:
        uri, number = f"{base}-{number}", number + 1
    return uri


def surviving_uris(known: Sequence[Canonical]) -> dict[str, str]:
    """The URI that each known URI stands for today, aliases followed to their end."""
    aliases = {canonical.uri: canonical.alias_of for canonical in known if canonical.alias_of is not None}
    return {canonical.uri: resolve_alias(canonical.uri, aliases) for canonical in known}


def merge_canonical(home: Home, one: str, other: str) -> str:
    """The URI that survives uniting two canonical capabilities: the older; the other becomes its alias.

    Raises
    ------
    UnknownArtifact
        A URI is not known.
    """
    with home.store.writing() as connection:
        known = all_canonical(connection)
        survivors = surviving_uris(known)
        for uri in (one, other):
            if uri not in survivors:
                raise UnknownArtifact(uri, sorted(survivors)[:3], kind="capability")
        order = [canonical.uri for canonical in known]
        oldest, newest = sorted((survivors[one], survivors[other]), key=order.index)
        if oldest != newest:
            alias_canonical(connection, newest, oldest)
            append_events(connection, [_event("capability_aliased", newest, oldest, now_us())])
    return oldest


def _candidate(
    artifact: Artifact, capability: Capability, refuted: frozenset[str], text: str, vector: NDArray[np.float32]
) -> Candidate:
    claims = refuted_claims(artifact, refuted)
    name = allowed_field(capability.name, claims) or task_words(capability.task)
    job = job_of(artifact, capability, claims)
    return Candidate((artifact.id, capability.id), capability.task, name, text, job, vector)


def _shelves(
    candidates: Sequence[Candidate], known: Sequence[Canonical], assigned: Mapping[Place, str]
) -> dict[str, Shelf]:
    """Canonical capabilities that have a member here, by task, oldest first."""
    survivors = surviving_uris(known)
    members: dict[str, list[Candidate]] = defaultdict(list)
    for candidate in sorted(candidates, key=lambda candidate: candidate.place):
        uri = survivors.get(assigned.get(candidate.place, ""))
        if uri is not None:
            members[uri].append(candidate)
    shelves: dict[str, Shelf] = defaultdict(Shelf)
    for canonical in known:
        own = members.get(canonical.uri, [])
        for number, member in enumerate(own):
            shelf = shelves[canonical.task]
            if number == 0:
                shelf.found(canonical.uri, member)
            else:
                shelf.join(shelf.groups[-1], member)
    return shelves


def _matched(own: Sequence[Candidate], shelves: dict[str, Shelf]) -> list[tuple[Candidate, Group | None]]:
    """The capabilities of one artifact, each with the group it joins or None, no group twice."""
    pairs = [
        (-similarity, number, group.row, group)
        for number, candidate in enumerate(own)
        for similarity, group in shelves[candidate.task].similar(candidate)
    ]
    joined: dict[int, Group] = {}
    used: set[str] = set()
    for _, number, _, group in sorted(pairs, key=lambda pair: pair[:3]):
        if number not in joined and group.uri not in used:
            joined[number] = group
            used.add(group.uri)
    return [(candidate, joined.get(number)) for number, candidate in enumerate(own)]


def _keep(connection: Connection, decided: Decided) -> None:
    time_us = now_us()
    save_canonical(connection, decided.created, time_us)
    save_assignments(connection, decided.assigned)
    events = [
        _event("capability_created", canonical.uri, None, time_us, task=canonical.task, label=canonical.label)
        for canonical in decided.created
    ]
    events += [
        _event("capability_assigned", artifact, uri, time_us, capability=capability)
        for (artifact, capability), uri in sorted(decided.assigned.items())
    ]
    if events:
        append_events(connection, events)


def _event(
    action: Literal["capability_created", "capability_assigned", "capability_aliased"],
    subject: str,
    into: str | None,
    time_us: int,
    **detail: str,
) -> CatalogueEvent:
    return CatalogueEvent(
        id=new_id("ce"), time_us=time_us, action=action, subject=subject, object=into, detail=dict(detail)
    )
