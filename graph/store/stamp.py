"""What differs when anything was written: looked at in one statement before every search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from graph.store.catalogue import CATALOGUE_CHANGED
from graph.store.database import fetch
from graph.store.log import VOTES_CHANGED

_STATEMENT: Final = (
    "SELECT (SELECT MAX(seq) FROM events), (SELECT value FROM meta WHERE meta.key = ?), "
    "(SELECT value FROM meta WHERE meta.key = ?), (SELECT MAX(seq) FROM evidence)"
)


@dataclass(frozen=True)
class Stamp:
    """The number of the newest event, what changed votes and catalogue last, and the newest evidence's number."""

    seq: int
    votes: str | None
    catalogue: str | None
    evidence: int


def read_stamp(connection: Connection) -> Stamp:
    """What the store has now."""
    [(seq, votes, catalogue, evidence)] = fetch(connection, _STATEMENT, (VOTES_CHANGED, CATALOGUE_CHANGED))
    return Stamp(int(seq or 0), votes, catalogue, int(evidence or 0))
