"""What a search for something different finds."""

from __future__ import annotations

from dataclasses import dataclass, field

from graph.artifacts import Artifact
from search.ranking import Scored


@dataclass(frozen=True)
class Alternatives:
    """What does the same job and differs as stated, best first, with a reason each.

    `same_job` are all that do the job, `unknown` counts by difference or condition how many were left out because
    nobody knows, `dropped_unknown` how many artifacts that were.
    """

    kept: tuple[Scored, ...]
    artifacts: dict[str, Artifact]
    reasons: dict[str, str]
    same_job: tuple[str, ...]
    dropped_unknown: int
    unknown: dict[str, int] = field(default_factory=dict)
