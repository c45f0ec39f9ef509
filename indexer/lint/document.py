"""The JSON document of `lint`."""

from __future__ import annotations

from graph.work_responses import LintedArtifact, LintFlag, LintIgnored, LintResponse, Problem
from indexer.lint.findings import Linted, LintReport


def lint_document(report: LintReport) -> LintResponse:
    """The document of a lint, artifacts in the order read."""
    return LintResponse(
        artifacts=tuple(_artifact(linted, report) for linted in report.artifacts),
        counts=report.counts,
        flags=report.flags,
        ignored=report.ignored,
        known=report.known,
        rejected=tuple(
            Problem(what=error.what, file=error.file, line=error.line, code=error.code) for error in report.rejected
        ),
        warnings=report.warnings,
    )


def _artifact(linted: Linted, report: LintReport) -> LintedArtifact:
    return LintedArtifact(
        artifact=linted.artifact.id,
        file=linted.artifact.source.file,
        claims=linted.claims,
        flags=tuple(
            LintFlag(
                flag=flag.code, reason=flag.reason, claims=flag.claims, text=flag.text, span=flag.span,
                line=report.place(flag.span.file, flag.span.start).line if flag.span is not None else None,
            )
            for flag in linted.flags
        ),
        ignored=tuple(
            LintIgnored(fingerprint=each.fingerprint, finding=each.kind, line=each.line, reason=each.reason)
            for each in linted.ignored
        ),
        known=len(linted.known),
    )  # fmt: skip
