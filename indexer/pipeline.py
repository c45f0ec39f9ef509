"""The way of the data, in two commands: `ingest` fills the catalogue, `build` makes the index from it."""

from __future__ import annotations

from indexer.build import BuildReport, Verify, build, count_verdicts
from indexer.ingest import IngestReport, ingest

__all__ = ["BuildReport", "IngestReport", "Verify", "build", "count_verdicts", "ingest"]
