"""Errors of matchgraph, one tree.

Every message says what happened, where, and what to do next; the command line prints it as one line.

    MatchgraphError
    ├── InputError              the caller's input is wrong
    │   ├── SourceError         a source (file, line) cannot be read
    │   ├── QueryError          a query, filter or limit is malformed
    │   ├── UnknownArtifact     no such artifact; names the nearest ones
    │   └── TokenRefused        an outcome token is forged, late, reused or foreign
    ├── HomeError               the home folder cannot be read or written
    │   └── StoreError          the database refuses
    ├── SnapshotError           a snapshot is missing, altered or half-written
    │   └── EncoderMismatch     a snapshot was built with another encoder
    ├── ModelError              a model cannot be used
    │   └── ModelRefused        a model is not trusted or not safe to run
    └── EvidenceError           an evidence record or the chain does not add up
"""

from __future__ import annotations

from collections.abc import Sequence


class MatchgraphError(Exception):
    """Root of all errors that a user may see."""


class InputError(MatchgraphError):
    """The caller's input is wrong."""


class SourceError(InputError):
    """A source, or one entry of it, cannot be read.

    Parameters
    ----------
    what : str
        What is wrong and what to do, one line.
    file : str
        Path as the user gave it.
    line : int or None
        1-based line of the entry; None where the format has no lines.
    code : str
        Stable machine-readable name of the problem.
    """

    def __init__(self, what: str, *, file: str = "", line: int | None = None, code: str = "unreadable") -> None:
        self.what, self.file, self.line, self.code = what, file, line, code
        where = f"{file}:{line}: " if file and line is not None else f"{file}: " if file else ""
        super().__init__(f"{where}{what}")


class QueryError(InputError):
    """A query, filter, limit or offset is malformed."""


class UnknownArtifact(InputError):
    """No artifact, capability or node has this name.

    Parameters
    ----------
    name : str
        What was asked for.
    suggestions : sequence of str
        Nearest known names, best first.
    kind : str
        What was looked for.
    """

    def __init__(self, name: str, suggestions: Sequence[str] = (), kind: str = "artifact") -> None:
        self.name, self.suggestions, self.kind = name, tuple(suggestions), kind
        shown = name if len(name) <= 80 else name[:77] + "..."
        hint = f"did you mean {', '.join(self.suggestions)}?" if suggestions else "see `matchgraph search`"
        super().__init__(f"no {kind} {shown!r}: {hint}")


class TokenRefused(InputError):
    """An outcome token changes nothing; `reason` is forged, expired, reused, foreign or contradicts."""

    def __init__(self, reason: str, detail: str) -> None:
        self.reason = reason
        super().__init__(f"outcome refused ({reason}): {detail}")


class HomeError(MatchgraphError):
    """The home folder cannot be read or written."""


class StoreError(HomeError):
    """The database refuses."""


class SnapshotError(MatchgraphError):
    """A snapshot is missing, altered or half-written."""


class EncoderMismatch(SnapshotError):
    """The live snapshot was built with another encoder."""


class ModelError(MatchgraphError):
    """A model cannot be used."""


class ModelRefused(ModelError):
    """A model is not trusted, or its bytes are not safe to load."""


class EvidenceError(MatchgraphError):
    """An evidence record or its chain does not add up."""
