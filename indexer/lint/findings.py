"""What `lint` found on each artifact, with the place of each finding."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from graph.artifacts import Artifact
from graph.claims import VERDICTS, ClaimReport, Span
from graph.errors import SourceError
from indexer.lint.places import Place, Text
from inference.checks import Flag


@dataclass(frozen=True)
class SetAside:
    """A finding that is not told: `reason` is what a comment gives, "" where the baseline knows it.

    `kind` is "refuted METRIC" or the code of a flag, `text` what the finding is about.
    """

    fingerprint: str
    kind: str
    text: str
    line: int | None
    reason: str = ""


@dataclass(frozen=True)
class Linted:
    """An artifact with its claims as checked and its flags, in the order of the text.

    `ignored` are findings that a comment in the text sets aside, `known` those of the baseline; neither are among
    claims and flags.
    """

    artifact: Artifact
    claims: tuple[ClaimReport, ...]
    flags: tuple[Flag, ...]
    ignored: tuple[SetAside, ...] = ()
    known: tuple[SetAside, ...] = ()

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
    texts: Mapping[str, Text] = field(default_factory=dict, repr=False)

    @property
    def counts(self) -> dict[str, int]:
        """Claims by verdict, "claimed" where there is none."""
        verdicts = Counter(claim.verdict or "claimed" for linted in self.artifacts for claim in linted.claims)
        return {name: verdicts[name] for name in (*VERDICTS, "claimed")}

    @property
    def flags(self) -> dict[str, int]:
        """Flags by code, sorted."""
        return dict(sorted(Counter(flag.code for linted in self.artifacts for flag in linted.flags).items()))

    @property
    def ignored(self) -> int:
        """How many findings comments set aside."""
        return sum(len(linted.ignored) for linted in self.artifacts)

    @property
    def known(self) -> int:
        """How many findings the baseline knows."""
        return sum(len(linted.known) for linted in self.artifacts)

    def place(self, file: str, offset: int) -> Place:
        """The line and the columns of a character offset in a file."""
        return self.texts.get(file, Text()).place(offset)

    def printed(self, span: Span) -> str:
        """The words of a file that a span marks."""
        return self.texts.get(span.file, Text()).text[span.start : span.end]
