"""The scores of all artifacts, kept in the store, so that one of them is read without computing all.

A score depends on every vote: percentiles, medians and PageRank are over all artifacts. What is kept holds while
nothing else that scores depend on has changed (`score_stamp`) and its decay is at most `SCORES_FRESH_US` behind.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from sqlalchemy import Connection, delete, select

from graph.constants import SCORES_FRESH_US
from graph.explain import Crowd, find_crowd
from graph.score_inputs import score_inputs_and_walks, score_stamp
from graph.scores import Component, Score, score_all
from graph.store.database import insert_rows, read_meta, write_meta
from graph.store.tables import FOLD_TIMES, KEPT_SCORES

_KEPT: Final = "kept_scores"
"""Key of the stamp and the moment of what is kept."""


@dataclass(frozen=True)
class Standing:
    """An artifact's score as of a moment, and who stands behind its votes."""

    as_of_us: int
    score: Score
    crowd: Crowd


@dataclass(frozen=True)
class Standings:
    """All artifacts' scores and crowds, by id, as of a moment, and the stamp that they belong to."""

    as_of_us: int
    stamp: tuple[str | int | None, ...]
    scores: Mapping[str, Score]
    crowds: Mapping[str, Crowd]

    def of(self, artifact: str) -> Standing:
        """That of one artifact."""
        return Standing(self.as_of_us, self.scores[artifact], self.crowds[artifact])


def compute_standings(connection: Connection, as_of_us: int) -> Standings:
    """The scores and crowds of all artifacts that are not retired."""
    inputs, walks = score_inputs_and_walks(connection, as_of_us)
    crowds = {each.artifact: find_crowd(walks, each.artifact) for each in inputs}
    return Standings(as_of_us, score_stamp(connection), score_all(inputs, as_of_us), crowds)


def keep_standings(connection: Connection, standings: Standings) -> None:
    """Keep these scores in place of those kept before."""
    connection.execute(delete(KEPT_SCORES))
    rows = ((artifact, _written(standings.of(artifact))) for artifact in sorted(standings.scores))
    insert_rows(connection, KEPT_SCORES, rows)
    write_meta(connection, _KEPT, json.dumps({"as_of_us": standings.as_of_us, "stamp": standings.stamp}))


def read_standing(connection: Connection, artifact: str, now_us: int) -> Standing | None:
    """What is kept of an artifact; None where it no longer holds, or nothing is kept.

    Times matched grow without a change of any score: they are those of now.
    """
    kept = json.loads(read_meta(connection, _KEPT) or "null")
    if kept is None or not 0 <= now_us - kept["as_of_us"] <= SCORES_FRESH_US:
        return None
    if tuple(kept["stamp"]) != score_stamp(connection):
        return None
    of_artifact = select(KEPT_SCORES.c.document).where(KEPT_SCORES.c.artifact == artifact)
    document = connection.execute(of_artifact).scalar_one_or_none()
    if document is None:
        return None
    times = select(FOLD_TIMES.c.searches).where(FOLD_TIMES.c.artifact == artifact)
    return _read(kept["as_of_us"], json.loads(document), int(connection.execute(times).scalar() or 0))


def _written(standing: Standing) -> str:
    return json.dumps({"score": standing.score.to_json(), "crowd": asdict(standing.crowd)})


def _read(as_of_us: int, document: dict[str, Any], times: int) -> Standing:
    score = document["score"]
    components = {name: Component(**part) for name, part in score["components"].items()}
    adoption = components["adoption"]
    components["adoption"] = replace(adoption, detail={**adoption.detail, "times_matched": times})
    return Standing(as_of_us, Score(**{**score, "components": components}), Crowd(**document["crowd"]))
