"""What the scores depend on, read from the store: signals, votes, decided claims, links, dates."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, func, select

from graph.artifacts import Artifact, slug_of
from graph.claims import Claim, Evidence, Tier
from graph.store.catalogue import all_artifacts, assignments, stated_claims, stated_claims_of
from graph.store.evidence import all_evidence, deciding_among, deciding_evidence
from graph.store.log import read_identities, read_votes
from graph.store.tables import EVIDENCE
from graph.walks import Node, Walks, walk_votes
from graph.weights import WeighedVote, selecting_actors

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Decided:
    """A claim that is verified or refuted; `capability` "" where it is about the artifact as a whole."""

    capability: str
    metric: str
    verified: bool
    tier: Tier


@dataclass(frozen=True)
class ScoreInput:
    """All that one artifact's score depends on; None is unknown, never 0."""

    artifact: str
    type: str
    downloads: int | None = None
    likes: int | None = None
    stars: int | None = None
    times_matched: int = 0
    selecting_actors: float = 0.0
    voters: int = 0
    pagerank: float = 0.0
    flow: float = 0.0
    decided: tuple[Decided, ...] = ()
    formats: int = 0
    libraries: int = 0
    derivatives: int = 0
    shared_capabilities: int = 0
    has_files: bool = False
    has_card: bool = False
    released_us: int | None = None
    evidence_us: int | None = None


def score_inputs(connection: Connection, as_of_us: int) -> list[ScoreInput]:
    """The score inputs of all artifacts that are not retired, sorted by id, as of a moment."""
    fold = read_votes(connection)
    return join_inputs(read_known(connection, as_of_us), walk_votes(fold, as_of_us), fold.times)


def read_decided(connection: Connection, artifact: str, as_of_us: int) -> tuple[tuple[Decided, ...], int | None]:
    """The decided claims of one artifact, and the moment of its newest evidence, as of a moment."""
    records = list(all_evidence(connection, artifact))
    decided = decided_claims(stated_claims_of(connection, [artifact]), deciding_among(records))
    newest = newest_evidence(record for record in records if record.time_us <= as_of_us)
    return tuple(decided.get(artifact, ())), newest.get(artifact)


def read_known(connection: Connection, as_of_us: int) -> Known:
    """What is known of all artifacts that are not retired, sorted by id, apart from searches, as of a moment."""
    artifacts = all_artifacts(connection)
    aliases = read_identities(connection).survivors("capability")
    return Known(
        artifacts, decided_claims(stated_claims(connection), deciding_evidence(connection)),
        _newest_evidence(connection, as_of_us), shared_capabilities(assignments(connection), artifacts, aliases),
    )  # fmt: skip


@dataclass(frozen=True)
class Known:
    """What is known of artifacts apart from searches: their entries, decided claims, newest evidence, shared jobs."""

    artifacts: Sequence[Artifact]
    decided: Mapping[str, Sequence[Decided]]
    newest_evidence: Mapping[str, int]
    shared: Mapping[str, int]


def join_inputs(known: Known, walks: Walks, times: Mapping[str, int]) -> list[ScoreInput]:
    """The score inputs of the known artifacts, in their order, from outcomes and times matched by artifact id."""
    derivatives = count_derivatives(known.artifacts)
    return [
        score_input(
            artifact, walks.votes.get(artifact.id, ()), times_matched=times.get(artifact.id, 0),
            pagerank=walks.ranks.get(Node("artifact", artifact.id), 0.0), flow=walks.flows.get(artifact.id, 0.0),
            decided=known.decided.get(artifact.id, ()), evidence_us=known.newest_evidence.get(artifact.id),
            derivatives=derivatives[artifact.id], shared_capabilities=known.shared.get(artifact.id, 0),
        )
        for artifact in known.artifacts
    ]  # fmt: skip


def score_input(
    artifact: Artifact, votes: Sequence[WeighedVote], *, times_matched: int, pagerank: float, flow: float,
    decided: Sequence[Decided], evidence_us: int | None, derivatives: int, shared_capabilities: int,
) -> ScoreInput:  # fmt: skip
    """The score input of an artifact from its entry, the votes on it, and what depends on others too."""
    return ScoreInput(
        artifact=artifact.id, type=artifact.type,
        downloads=artifact.signals.downloads, likes=artifact.signals.likes, stars=artifact.signals.stars,
        times_matched=times_matched, selecting_actors=selecting_actors(votes),
        voters=len({weighed.vote.actor for weighed in votes}), pagerank=pagerank, flow=flow,
        decided=tuple(decided), formats=len(set(artifact.formats)),
        libraries=1 if artifact.library else 0, derivatives=derivatives, shared_capabilities=shared_capabilities,
        has_files=bool(artifact.formats or artifact.weights.path), has_card=artifact.has_card,
        released_us=date_us(artifact.released), evidence_us=evidence_us,
    )  # fmt: skip


def score_facts(artifact: Artifact) -> dict[str, Any]:
    """What ranks depend on in an artifact's entry, as plain JSON: kept with every change, so that history is exact."""
    facts = artifact.model_dump(
        mode="json", include={"type", "released", "formats", "library", "base_model", "has_card", "slug"}
    )
    return {
        **facts, "signals": artifact.signals.model_dump(exclude_none=True), "has_files": bool(artifact.weights.path),
        "claims": sorted(claim.id for claim in artifact.claims),
    }  # fmt: skip


def decided_claims(claims: Iterable[Claim], deciding: Mapping[str, Evidence]) -> dict[str, list[Decided]]:
    """The verified and refuted ones among claims, by artifact id; `deciding` is the evidence by claim id."""
    found: dict[str, list[Decided]] = {}
    for claim in claims:
        evidence = deciding.get(claim.id)
        if evidence is not None and evidence.verdict in ("verified", "refuted"):
            tier = evidence.tier or "text"  # a verdict without a tier weighs least
            verdict = Decided(claim.capability or "", claim.metric, evidence.verdict == "verified", tier)
            found.setdefault(claim.artifact, []).append(verdict)
    return found


def shared_capabilities(
    assigned: Mapping[tuple[str, str], str], artifacts: Sequence[Artifact], survivors: Mapping[str, str]
) -> Counter[str]:
    """How many canonical capabilities each artifact has together with at least one other, by artifact id.

    `assigned` are URIs by (artifact id, local capability id), `survivors` lead from merged URIs to today's.
    """
    alive = {artifact.id for artifact in artifacts}
    owners: dict[str, set[str]] = {}
    for (artifact, _), uri in assigned.items():
        if artifact in alive:
            owners.setdefault(survivors.get(uri, uri), set()).add(artifact)
    return Counter(artifact for shared in owners.values() if len(shared) > 1 for artifact in shared)


def count_derivatives(artifacts: Iterable[Artifact]) -> Counter[str]:
    """How many other artifacts name each one as their base model, by artifact id; ids first, then slugs."""
    given = list(artifacts)
    by_slug = {artifact.slug: artifact.id for artifact in given}
    ids = {artifact.id for artifact in given}
    found: Counter[str] = Counter()
    for artifact in given:
        if artifact.base_model:
            named = artifact.base_model
            base = named if named in ids else by_slug.get(slug_of(named))
            if base is not None and base != artifact.id:
                found[base] += 1
    return found


def newest_evidence(evidence: Iterable[Evidence]) -> dict[str, int]:
    """Time of the newest of some records that found something out, by artifact."""
    newest: dict[str, int] = {}
    for record in evidence:
        if record.verdict not in ("unverifiable", "error"):
            newest[record.artifact] = max(record.time_us, newest.get(record.artifact, 0))
    return newest


def _newest_evidence(connection: Connection, as_of_us: int) -> dict[str, int]:
    """Time of the newest evidence that found something out, by artifact: "no weights here" proves nothing of anybody.

    Payloads are canonical JSON: quotes inside a string are escaped, so the pattern meets the field alone.
    """
    query = select(EVIDENCE.c.artifact, func.max(EVIDENCE.c.time_us)).where(EVIDENCE.c.time_us <= as_of_us)
    for verdict in ("unverifiable", "error"):
        query = query.where(EVIDENCE.c.payload.not_like(f'%"verdict":"{verdict}"%'))
    return {
        str(artifact): int(time_us) for artifact, time_us in connection.execute(query.group_by(EVIDENCE.c.artifact))
    }


def date_us(text: str | None) -> int | None:
    """A date as microseconds since 1970 UTC: ISO 8601, or a year, or a year and month (their first day); else None.

    Examples
    --------
    >>> date_us("1970-01-02") == date_us("1970-01-02T00:00:00Z") == 86_400_000_000
    True
    >>> date_us("soon") is None
    True
    """
    written = (text or "").strip()
    if re.fullmatch(r"\d{4}(-\d{2})?", written):
        written = f"{written}-01-01" if len(written) == 4 else f"{written}-01"
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(microseconds=1)
