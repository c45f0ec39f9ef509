"""What of a lint goes into a baseline."""

from __future__ import annotations

from collections.abc import Iterator

from indexer.lint.findings import LintReport
from indexer.lint.suppress import fingerprint_of_claim, fingerprint_of_flag


def rows_of(report: LintReport) -> Iterator[dict[str, object]]:
    """A row for each refuted claim and each flag: its fingerprint, and what it is about for whoever reads the file."""
    for linted in report.artifacts:
        for claim in linted.refuted:
            yield {
                "fingerprint": fingerprint_of_claim(claim), "artifact": linted.artifact.id,
                "finding": f"refuted {claim.metric}", "text": claim.text[:200],
            }  # fmt: skip
        for flag in linted.flags:
            yield {
                "fingerprint": fingerprint_of_flag(flag, linted.artifact.id), "artifact": linted.artifact.id,
                "finding": flag.code, "text": flag.text[:200],
            }  # fmt: skip
