"""The score of one artifact, as kept in the store or else computed and kept."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from graph.artifacts import Artifact
from graph.errors import StoreError, UnknownArtifact
from graph.events import now_us
from graph.home import Home
from graph.kept_scores import Standing, compute_standings, keep_standings, read_standing
from graph.store import catalogue


@contextmanager
def artifact_standing(home: Home, name: str) -> Iterator[tuple[Connection, Artifact, Standing]]:
    """A connection, the artifact of a name, and its score and crowd; after a change all scores are computed and kept.

    Raises
    ------
    UnknownArtifact
        There is none, or it was retired; names the nearest.
    """
    computed = None
    with home.store.reading() as connection:
        artifact, now = catalogue.find_artifact(connection, name), now_us()
        standing = read_standing(connection, artifact.id, now)
        if standing is None:
            computed = compute_standings(connection, now)
            if artifact.id not in computed.scores:
                raise UnknownArtifact(name, catalogue.suggest_artifacts(connection, name))
            standing = computed.of(artifact.id)
        yield connection, artifact, standing
    if computed is not None:
        # Where another process writes just now, or the disk is full, the next who asks computes them again.
        with contextlib.suppress(StoreError), home.store.writing(wait=False) as connection:
            keep_standings(connection, computed)
