"""What a source gives: one entry per thing found, accepted or rejected with its reason."""

from __future__ import annotations

from dataclasses import dataclass

from graph.artifacts import Artifact
from graph.errors import SourceError
from indexer.passages import Passage

# Words of the inventory, in the order in which it names them.
LOADABLE = "loadable"
PICKLE_ONLY = "pickle only"
GGUF = "gguf"
ONNX = "onnx"
ADAPTER = "adapter"
CUSTOM_CODE = "custom code"
UNSAFE = "unsafe"
OTHER_FORMAT = "other format"
INCOMPLETE = "incomplete"
NO_WEIGHTS = "no weights"
ALTERED = "altered"
REFUSED = "refused"
BROKEN = "broken"
NOT_A_MODEL = "not a model"
MANIFEST = "manifest"
CATALOGUE_ENTRY = "catalogue entry"
COMPARED = "compared"
PAGE = "page"
ZOO_MODEL = "zoo model"
MEASURED = "measured model"
MCP_SERVER = "MCP server"
REJECTED = "rejected"
MODEL_BUCKETS = (
    LOADABLE, PICKLE_ONLY, GGUF, ONNX, ADAPTER, CUSTOM_CODE, UNSAFE, OTHER_FORMAT, INCOMPLETE, NO_WEIGHTS, ALTERED,
    REFUSED, BROKEN,
)  # fmt: skip
SOURCE_BUCKETS = (MANIFEST, CATALOGUE_ENTRY, COMPARED, PAGE, ZOO_MODEL, MEASURED, MCP_SERVER)
BUCKETS = (*MODEL_BUCKETS, *SOURCE_BUCKETS, REJECTED, NOT_A_MODEL)


@dataclass(frozen=True)
class Entry:
    """One thing that a source holds.

    Attributes
    ----------
    artifact : Artifact or None
        None where it was rejected (`problem` says why), or is no artifact (a cached data set).
    bucket : str
        The word under which the inventory counts it.
    size_bytes : int
        Bytes that it keeps on disk; what two entries share counts with the first.
    problem : SourceError or None
        Why it was rejected: file, line, what is wrong and what to do.
    warnings : tuple of str
        What is odd but no reason to reject it, one line each, with file and line.
    left_out : tuple of SourceError
        Parts that were rejected while the artifact itself was kept: a capability, a claim.
    passages : tuple of Passage
        Stretches of the source's text about the artifact, in the order of the file: what claims are read from.
    """

    artifact: Artifact | None
    bucket: str
    size_bytes: int = 0
    problem: SourceError | None = None
    warnings: tuple[str, ...] = ()
    left_out: tuple[SourceError, ...] = ()
    passages: tuple[Passage, ...] = ()


def rejected(problem: SourceError, *, bucket: str = REJECTED, size_bytes: int = 0) -> Entry:
    """The entry of something that was not accepted."""
    return Entry(None, bucket, size_bytes, problem)
