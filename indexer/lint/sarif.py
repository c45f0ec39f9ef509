"""Findings as SARIF 2.1.0, which code hosts show beside the lines of a change.

Source: OASIS, Static Analysis Results Interchange Format (SARIF) Version 2.1.0, 2020. Columns count from 1 in
UTF-16 code units, as its `columnKind` says.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from graph.claims import ClaimReport, Span
from graph.errors import SourceError
from indexer.lint.baseline import fingerprint_of_claim, fingerprint_of_flag
from indexer.lint.findings import Linted, LintReport
from inference.checks.base import FLAGS, NO_PROBLEM

_SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LONGEST_MESSAGE: Final = 1_000


def sarif_document(report: LintReport, version: str) -> dict[str, Any]:
    """The SARIF log of a lint: refuted claims are errors, flags warnings, what cannot be read a notification."""
    results = [result for linted in report.artifacts for result in _results(linted, report)]
    rules = sorted({result["ruleId"] for result in results})
    driver = {"name": "matchgraph", "version": version, "rules": [_rule(rule) for rule in rules]}
    notes = [_notification(error) for error in report.rejected]
    notes += [{"level": "warning", "message": _message(warning)} for warning in report.warnings]
    run = {
        "tool": {"driver": driver},
        "columnKind": "utf16CodeUnits",
        "results": results,
        "invocations": [{"executionSuccessful": not report.rejected, "toolExecutionNotifications": notes}],
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _results(linted: Linted, report: LintReport) -> list[dict[str, Any]]:
    found = [
        _result(f"refuted/{claim.metric}", "error", _said(claim), _location(claim.span, linted, report),
                fingerprint_of_claim(claim))
        for claim in linted.refuted
    ]  # fmt: skip
    return found + [
        _result(f"flag/{flag.code}", "note" if flag.code in NO_PROBLEM else "warning",
                f"{linted.artifact.name}: {flag.reason}", _location(flag.span, linted, report),
                fingerprint_of_flag(flag, linted.artifact.id))
        for flag in linted.flags
    ]  # fmt: skip


def _said(claim: ClaimReport) -> str:
    return f"{claim.artifact}: {claim.reason}; refuted by {claim.tier}: “{claim.text}”"


def _result(rule: str, level: str, text: str, location: dict[str, Any], fingerprint: str) -> dict[str, Any]:
    return {
        "ruleId": rule, "level": level, "message": _message(text), "locations": [location],
        "partialFingerprints": {"matchgraph/v1": fingerprint},
    }  # fmt: skip


def _message(text: str) -> dict[str, str]:
    """A message as plain text: in SARIF `[text](1)` would be a link and `{0}` an argument, so both are escaped."""
    plain = " ".join("".join(char if char.isprintable() else " " for char in text).split())[:_LONGEST_MESSAGE]
    for char, escaped in (("\\", "\\\\"), ("[", "\\["), ("]", "\\]"), ("{", "{{"), ("}", "}}")):
        plain = plain.replace(char, escaped)
    return {"text": plain}


def _location(span: Span | None, linted: Linted, report: LintReport) -> dict[str, Any]:
    """Where a finding stands: its span, else the line at which its artifact begins."""
    source = linted.artifact.source
    file, region = source.file, {"startLine": source.line or 1}
    if span is not None:
        start, end = report.place(span.file, span.start), report.place(span.file, span.end)
        is_empty = (end.line, end.utf16_column) <= (start.line, start.utf16_column)
        file, region = span.file, {
            "startLine": start.line, "startColumn": start.utf16_column,
            "endLine": end.line, "endColumn": start.utf16_column + 1 if is_empty else end.utf16_column,
        }  # fmt: skip
    return {"physicalLocation": {"artifactLocation": {"uri": _uri(file)}, "region": region}}


def _notification(error: SourceError) -> dict[str, Any]:
    said: dict[str, Any] = {"level": "error", "message": _message(str(error))}
    if error.file:
        location: dict[str, Any] = {"artifactLocation": {"uri": _uri(error.file)}}
        if error.line:
            location["region"] = {"startLine": error.line}
        said["locations"] = [{"physicalLocation": location}]
    return said


def _rule(rule: str) -> dict[str, Any]:
    family, _, name = rule.partition("/")
    text = FLAGS.get(name, name) if family == "flag" else f"a claim about {name.replace('_', ' ')} that is refuted"
    return {"id": rule, "shortDescription": {"text": text}}


def _uri(file: str) -> str:
    """A path as a reference relative to the working folder where it lies inside, else absolute with its scheme."""
    from urllib.parse import quote

    path = Path(os.path.relpath(file)) if Path(file).is_absolute() else Path(file)
    if ".." in path.parts:
        return Path(file).resolve().as_uri()
    return quote(path.as_posix())
