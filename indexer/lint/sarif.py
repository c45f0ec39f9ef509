"""Findings as SARIF 2.1.0, which code hosts show beside the lines of a change.

Source: OASIS, Static Analysis Results Interchange Format (SARIF) Version 2.1.0, 2020. Columns count from 1 in
UTF-16 code units, as its `columnKind` says.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from graph.claims import ClaimReport, Span
from indexer.lint.findings import Linted, LintReport
from indexer.lint.suppress import fingerprint_of_claim, fingerprint_of_flag
from inference.checks.base import FLAGS

_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
_TEXT: Final = 1_000
_NO_PROBLEM: Final = frozenset({"corroborated"})


def sarif_document(report: LintReport, version: str) -> dict[str, Any]:
    """The SARIF log of a lint: refuted claims are errors, flags warnings, what cannot be read a notification."""
    results = [result for linted in report.artifacts for result in _results(linted, report)]
    kinds = sorted({result["ruleId"] for result in results})
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {"name": "matchgraph", "version": version, "rules": [_rule(kind) for kind in kinds]}
                },
                "columnKind": "utf16CodeUnits",
                "results": results,
                "invocations": [
                    {
                        "executionSuccessful": True,
                        "toolExecutionNotifications": [
                            {"level": "error", "message": {"text": str(error)}} for error in report.rejected
                        ],
                    }
                ],
            }
        ],
    }


def _results(linted: Linted, report: LintReport) -> list[dict[str, Any]]:
    found = [
        _result(
            f"refuted/{claim.metric}", "error", _said(claim), claim.span, linted, report, fingerprint_of_claim(claim)
        )
        for claim in linted.refuted
    ]
    return found + [
        _result(
            f"flag/{flag.code}", "note" if flag.code in _NO_PROBLEM else "warning", flag.reason, flag.span, linted,
            report, fingerprint_of_flag(flag, linted.artifact.id),
        )
        for flag in linted.flags
    ]  # fmt: skip


def _said(claim: ClaimReport) -> str:
    return f"{claim.reason} ({claim.tier}): {claim.text}"


def _result(
    rule: str, level: str, text: str, span: Span | None, linted: Linted, report: LintReport, fingerprint: str
) -> dict[str, Any]:
    file = span.file if span is not None else linted.artifact.source.file
    region: dict[str, int] = {"startLine": linted.artifact.source.line or 1}
    if span is not None:
        (line, column), (end_line, end_column) = report.place(file, span.start), report.place(file, span.end)
        region = {
            "startLine": line,
            "startColumn": column,
            "endLine": end_line,
            "endColumn": max(end_column, column + 1),
        }
    return {
        "ruleId": rule,
        "level": level,
        "message": {"text": text[:_TEXT]},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": _uri(file)}, "region": region}}],
        "partialFingerprints": {"matchgraph/v1": fingerprint},
    }


def _rule(kind: str) -> dict[str, Any]:
    family, _, name = kind.partition("/")
    text = FLAGS.get(name, name) if family == "flag" else f"a claim about {name.replace('_', ' ')} that is refuted"
    return {"id": kind, "shortDescription": {"text": text}}


def _uri(file: str) -> str:
    """A path as a reference relative to the working folder, or absolute with its scheme."""
    from urllib.parse import quote

    path = Path(file)
    return path.as_uri() if path.is_absolute() else quote(path.as_posix())
