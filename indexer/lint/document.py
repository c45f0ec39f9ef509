"""The JSON document of `lint`."""

from __future__ import annotations

from collections import Counter

from graph.claims import VERDICTS
from graph.work_responses import LintedArtifact, LintFlag, LintIgnored, LintResponse, Problem
from indexer.lint.findings import Linted, LintReport


def lint_document(report: LintReport) -> LintResponse:
    """The document of a lint, artifacts in the order read."""
    verdicts = Counter(claim.verdict or "claimed" for linted in report.artifacts for claim in linted.claims)
    flags = Counter(flag.code for linted in report.artifacts for flag in linted.flags)
    return LintResponse(
        artifacts=tuple(_artifact(linted, report) for linted in report.artifacts),
        counts={name: verdicts[name] for name in (*VERDICTS, "claimed")},
        flags=dict(sorted(flags.items())),
        ignored=sum(len(linted.ignored) for linted in report.artifacts),
        known=sum(len(linted.known) for linted in report.artifacts),
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
