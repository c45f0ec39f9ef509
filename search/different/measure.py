"""Judged cases of "something different", as `evaluate search --different` runs them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from graph.artifacts import Artifact, Wording
from graph.errors import UnknownArtifact
from graph.store import catalogue
from graph.taxonomy import task_of_label
from indexer.decompose import texts_of
from indexer.progress import OnProgress, Progress
from search.different.find import rank_different
from search.different.phrases import Wish, read_wish
from search.engine import LOCAL, Engine
from search.memory import SearchRequest
from search.query import read_query

DEPTH: Final = 10
"""How many results of each case are measured."""


@dataclass(frozen=True)
class Case:
    """What the engine sees of a case: never the answers."""

    qid: str
    text: str
    reject: str
    phrase: str


@dataclass(frozen=True)
class Ranked:
    """The first results of a case, and the id of the artifact that was not wanted."""

    artifacts: list[str]
    rejected: str


def rank_cases(engine: Engine, cases: Sequence[Case], tell: OnProgress, *, hide_domain: bool) -> Iterator[Ranked]:
    """The results of each case, in order; nothing is recorded.

    Parameters
    ----------
    engine
        Of a throw-away home: vectors of the cases' texts are kept in its store.
    cases
        The cases.
    tell
        Hears progress.
    hide_domain
        The artifact that is not wanted is taken without the label that judges: its own domain, and the task that
        follows from it, are in neither its facts nor its vector. Other artifacts keep theirs.

    Raises
    ------
    UnknownArtifact
        A case rejects what the catalogue has not; names the case.
    """
    wishes = [_wish(case, engine) for case in cases]
    rejected = _rejected(engine, cases)
    rejected = {name: without_domain(artifact) for name, artifact in rejected.items()} if hide_domain else rejected
    own = {name: texts_of(artifact)[0].text for name, artifact in rejected.items()} if hide_domain else {}
    _keep_vectors(engine, [*(wish.words for wish in wishes), *own.values()], tell)
    request = SearchRequest("", LOCAL, limit=DEPTH)
    stage = "different" if hide_domain else "different, domain seen"
    with engine.home.store.reading() as connection:
        engine.memory.refresh(connection)
        for number, (case, wish) in enumerate(zip(cases, wishes, strict=True), start=1):
            unwanted = rejected[case.reject]
            vector = engine.vector_of(own[case.reject]) if hide_domain else None
            found = rank_different(engine, connection, unwanted, wish, request, count=DEPTH, own=vector)
            yield Ranked([scored.artifact for scored in found.kept[:DEPTH]], unwanted.id)
            tell(Progress(stage, number, len(cases)))


def _wish(case: Case, engine: Engine) -> Wish:
    wish = read_wish(case.phrase, engine.names.owners)
    return replace(wish, words=read_query(f"{case.text} {wish.words}").text)


def _rejected(engine: Engine, cases: Sequence[Case]) -> dict[str, Artifact]:
    found: dict[str, Artifact] = {}
    with engine.home.store.reading() as connection:
        for case in cases:
            if case.reject in found:
                continue
            try:
                found[case.reject] = catalogue.find_artifact(connection, case.reject)
            except UnknownArtifact as error:
                raise UnknownArtifact(f"{case.reject} (case {case.qid})", error.suggestions) from error
    return found


def without_domain(artifact: Artifact) -> Artifact:
    """The artifact as if its source had given it no domain; what its functionality says of its task stays."""
    capabilities = tuple(
        capability.model_copy(
            update={
                "domain": None, "task": task_of_label(capability.functionality),
                "wordings": tuple(_without_domain(wording) for wording in capability.wordings),
            }
        )
        for capability in artifact.capabilities
    )  # fmt: skip
    return artifact.model_copy(update={"capabilities": capabilities})


def _without_domain(wording: Wording) -> Wording:
    return wording.model_copy(update={"domain": None})


def _keep_vectors(engine: Engine, texts: Sequence[str], tell: OnProgress) -> None:
    unique = sorted(set(texts))
    vectors = engine.encoder.encode(unique, lambda done: tell(Progress("encode cases", done, len(unique))))
    with engine.home.store.writing() as connection:
        kept = {catalogue.vector_key(text): vector for text, vector in zip(unique, vectors, strict=True)}
        catalogue.save_vectors(connection, engine.encoder.info.digest, kept)
