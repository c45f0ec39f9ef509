"""Everything known of one artifact or one canonical capability."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from graph.artifacts import Artifact
from graph.errors import UnknownArtifact
from graph.home import Home
from graph.ranks.scores import Score
from graph.responses import (
    ArtifactReport,
    CanonicalMember,
    CanonicalReport,
    CapabilityReport,
    Component,
)
from graph.store import catalogue
from graph.store.evidence import observations
from graph.store.tables import FOLD_ACTORS, FOLD_ARTIFACT_EDGES, FOLD_TIMES
from indexer.snapshot import live_capabilities
from search.facts import ArtifactFacts, read_facts, verdict_words
from search.inspection.standings import artifact_standing


def show_artifact(home: Home, name: str) -> ArtifactReport:
    """The report of an artifact by id, slug or name.

    Raises
    ------
    UnknownArtifact
        There is none; names the nearest.
    """
    with artifact_standing(home, name) as (connection, artifact, standing):
        return report_artifact(home, connection, artifact, standing.score)


def report_artifact(home: Home, connection: Connection, artifact: Artifact, score: Score) -> ArtifactReport:
    """The report of an artifact with its score."""
    facts = read_facts(connection, [artifact])[artifact.id]
    indexed = live_capabilities(home.snapshots, artifact.id)
    uris = catalogue.assignments(connection)
    return ArtifactReport(
        artifact=artifact.id, slug=artifact.slug, name=artifact.name, type=artifact.type,
        description=artifact.description, maintainer=artifact.maintainer, url=artifact.url, license=artifact.license,
        library=artifact.library, family=artifact.family, params=artifact.params, pricing=artifact.pricing,
        signals=artifact.signals, capabilities=_capabilities(facts, uris, indexed),
        declared_total=artifact.declared_total, claims=facts.claims,
        observations=tuple(observations(connection, artifact.id)),
        times_matched=times_matched(connection, artifact.id), distinct_actors=distinct_actors(connection, artifact.id),
        rank=score.rank, known_weight=score.known_weight, components=report_components(score),
        source=f"{artifact.source.kind}: {artifact.source.file}",
    )  # fmt: skip


def report_components(score: Score) -> dict[str, Component]:
    """The components of a score as every face gives them."""
    return {
        name: Component(
            value=part.value, used=part.used, weight=part.weight, contribution=part.contribution,
            known=part.known, detail=dict(part.detail),
        )
        for name, part in score.components.items()
    }  # fmt: skip


def _capabilities(
    facts: ArtifactFacts, uris: dict[tuple[str, str], str], indexed: frozenset[str]
) -> tuple[CapabilityReport, ...]:
    return tuple(
        CapabilityReport(
            id=c.id, name=c.name, task=c.task, uri=uris.get((facts.artifact.id, c.id)), description=c.description,
            unique=c.unique, vs_alternatives=c.vs_alternatives, intents_served=c.intents_served,
            indexed=c.id in indexed, verified=facts.is_verified(c.id), runs=verdict_words(facts.runs(c.id)),
        )
        for c in facts.artifact.capabilities
    )  # fmt: skip


def times_matched(connection: Connection, artifact: str) -> int:
    """Distinct counted searches that delivered an artifact."""
    query = select(func.coalesce(func.sum(FOLD_TIMES.c.searches), 0)).where(FOLD_TIMES.c.artifact == artifact)
    return int(connection.execute(query).scalar_one())


def distinct_actors(connection: Connection, artifact: str) -> int:
    """Distinct actors whose searches delivered an artifact."""
    query = select(func.count()).select_from(FOLD_ACTORS).where(FOLD_ACTORS.c.artifact == artifact)
    return int(connection.execute(query).scalar_one())


def names_capability(home: Home, name: str) -> bool:
    """Whether a name is a capability's: with the scheme, or the `domain.task.slug` of a known one."""
    if name.startswith("capability://"):
        return True
    with home.store.reading() as connection:
        return f"capability://{name}" in {canonical.uri for canonical in catalogue.all_canonical(connection)}


def show_capability(home: Home, uri: str) -> CanonicalReport:
    """The report of a canonical capability; an alias gives the one it was merged into.

    Raises
    ------
    UnknownArtifact
        There is no such URI; names the nearest.
    """
    with home.store.reading() as connection:
        known = {canonical.uri: canonical for canonical in catalogue.all_canonical(connection)}
        wanted = uri if uri.startswith("capability://") else f"capability://{uri}"
        if wanted not in known:
            from rapidfuzz import process

            near = [hit[0] for hit in process.extract(wanted, list(known), limit=3, score_cutoff=60)]
            raise UnknownArtifact(uri, near, kind="capability")
        canonical = known[wanted]
        target = canonical.alias_of or canonical.uri
        pairs = sorted(pair for pair, assigned in catalogue.assignments(connection).items() if assigned == target)
        artifacts = catalogue.artifacts_by_id(connection, [artifact for artifact, _ in pairs])
        searches = select(func.coalesce(func.sum(FOLD_ARTIFACT_EDGES.c.searches), 0)).where(
            FOLD_ARTIFACT_EDGES.c.uri == target
        )
        return CanonicalReport(
            uri=target, task=known[target].task, label=known[target].label,
            alias_of=target if canonical.alias_of else None,
            members=tuple(_member(artifacts[a], c) for a, c in pairs if a in artifacts),
            searches=int(connection.execute(searches).scalar_one()),
        )  # fmt: skip


def _member(artifact: Artifact, capability: str) -> CanonicalMember:
    name = next((c.name for c in artifact.capabilities if c.id == capability), capability)
    return CanonicalMember(artifact=artifact.id, slug=artifact.slug, capability=capability, name=name)
