"""What `lint` found on each artifact, with the place of each finding."""

from __future__ import annotations

from dataclasses import dataclass, field

from graph.artifacts import Artifact
from graph.claims import ClaimReport
from graph.errors import SourceError
from inference.checks import Flag


@dataclass(frozen=True)
class Linted:
    """An artifact with its claims as checked and its flags, in the order of the text.

    `ignored` are findings that a comment in the text sets aside, and `known` those of the baseline: (fingerprint, reason).
    """

    artifact: Artifact
    claims: tuple[ClaimReport, ...]
    flags: tuple[Flag, ...]
    ignored: tuple[tuple[str, str], ...] = ()
    known: tuple[str, ...] = ()

    @property
    def refuted(self) -> tuple[ClaimReport, ...]:
        """The claims that are refuted, neither ignored nor known."""
        return tuple(claim for claim in self.claims if claim.verdict == "refuted")


@dataclass(frozen=True)
class LintReport:
    """What `lint` found in all sources: artifacts, what was rejected, and warnings about comments and inputs."""

    artifacts: tuple[Linted, ...]
    rejected: tuple[SourceError, ...] = ()
    warnings: tuple[str, ...] = ()
    lines: dict[str, tuple[int, ...]] = field(default_factory=dict, repr=False)

    def place(self, file: str, offset: int) -> tuple[int, int]:
        """1-based line and column of a character offset in a file."""
        from bisect import bisect_right

        starts = self.lines.get(file, (0,))
        line = bisect_right(starts, offset)
        return line, offset - starts[line - 1] + 1
