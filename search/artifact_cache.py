"""Artifacts as the catalogue has them, parsed once while it does not change."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from graph.artifacts import Artifact
from graph.errors import SnapshotError
from graph.store import catalogue
from graph.store.database import read_meta


class ArtifactCache:
    """Artifacts by id. A filter that few satisfy looks at all of them: parsing is most of what that costs."""

    def __init__(self) -> None:
        self._stamp: str | None = None
        self._artifacts: dict[str, Artifact] = {}

    def read(self, connection: Connection, ids: Sequence[str]) -> dict[str, Artifact]:
        """These artifacts, retired ones included, by id.

        Raises
        ------
        SnapshotError
            One is in the index but not in the catalogue.
        """
        stamp = read_meta(connection, catalogue.CATALOGUE_CHANGED)
        if stamp != self._stamp:
            self._stamp, self._artifacts = stamp, {}
        missing = [artifact for artifact in ids if artifact not in self._artifacts]
        if missing:
            self._artifacts |= catalogue.artifacts_by_id(connection, missing)
        gone = next((artifact for artifact in missing if artifact not in self._artifacts), None)
        if gone is not None:
            raise SnapshotError(f"{gone} is in the index but not in the catalogue: build again")
        return {artifact: self._artifacts[artifact] for artifact in ids}
