"""The scores of artifacts as of now, from the ranks that the store keeps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from weakref import WeakKeyDictionary

from sqlalchemy import Connection

from graph.artifacts import Artifact
from graph.errors import UnknownArtifact
from graph.events import now_us
from graph.explain import Crowd, describe_crowd
from graph.home import Home
from graph.ranks.kept_ranks import SharedRanks, read_outcomes
from graph.ranks.rank_table import RankTable
from graph.ranks.score_inputs import read_decided, score_input
from graph.ranks.scores import Score
from graph.store import catalogue
from graph.store.database import Database, fetch
from graph.store.folded import read_identities
from graph.weights import flow_of, weigh_votes

_SHARED: Final[WeakKeyDictionary[Database, SharedRanks]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Standing:
    """An artifact's score as of a moment, and who stands behind its votes."""

    as_of_us: int
    score: Score
    crowd: Crowd


@contextmanager
def artifact_standings(
    home: Home, names: Sequence[str]
) -> Iterator[tuple[Connection, list[Artifact], list[Standing]]]:  # fmt: skip
    """A connection, the artifacts of these names, and the score and crowd of each, as of now and the newest event.

    Raises
    ------
    UnknownArtifact
        One is not there, or was retired; names the nearest.
    """
    shared = _SHARED.setdefault(home.store, SharedRanks())
    with home.store.reading() as connection:
        artifacts = [catalogue.find_artifact(connection, name) for name in names]
        now = now_us()
        with shared.at(connection, now) as table:
            for artifact, name in zip(artifacts, names, strict=True):
                if not table.is_known(artifact.id):
                    raise UnknownArtifact(name, catalogue.suggest_artifacts(connection, name))
            standings = [read_standing(connection, table, artifact, now) for artifact in artifacts]
        yield connection, artifacts, standings
    shared.keep(home.store)


@contextmanager
def artifact_standing(home: Home, name: str) -> Iterator[tuple[Connection, Artifact, Standing]]:
    """As `artifact_standings`, of one artifact."""
    with artifact_standings(home, [name]) as (connection, [artifact], [standing]):
        yield connection, artifact, standing


def read_standing(connection: Connection, table: RankTable, artifact: Artifact, as_of_us: int) -> Standing:
    """The score and crowd of an artifact of the table, with the inputs behind it, which are read for it alone."""
    outcomes = read_outcomes(connection, artifact.id, read_identities(connection))
    votes = weigh_votes(outcomes, as_of_us)
    flow = flow_of(votes)
    decided, evidence_us = read_decided(connection, artifact.id, as_of_us)
    times = fetch(connection, "SELECT searches FROM fold_times WHERE artifact = ?", (artifact.id,))
    given = score_input(
        artifact, votes, times_matched=int(times[0][0]) if times else 0,
        pagerank=table.pagerank(flow, as_of_us), flow=flow,
        decided=decided, evidence_us=evidence_us, derivatives=int(table.known_of(artifact.id, "derivatives")),
        shared_capabilities=int(table.known_of(artifact.id, "shared_capabilities")),
    )  # fmt: skip
    crowd = describe_crowd(votes, *table.crowd(artifact.id))
    return Standing(as_of_us, table.score(given, as_of_us), crowd)
