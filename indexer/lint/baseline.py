"""The baseline: findings that are known and not told again, by fingerprints that moving lines do not change."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from graph.claims import Claim
from graph.digest import digest_of
from graph.errors import InputError
from indexer.lint.findings import Linted, LintReport
from inference.checks import Flag
from inference.checks.base import NO_PROBLEM

SCHEMA: Final = 1
_LONGEST_TEXT: Final = 200


def fingerprint_of_claim(claim: Claim) -> str:
    """The same for the same statement about the same artifact, wherever in the file it stands."""
    return "fp_" + digest_of(["refuted", claim.id])[:20]


def fingerprint_of_flag(flag: Flag, artifact: str) -> str:
    """The same for the same flag about the same words of the same artifact, wherever in the file they stand."""
    return "fp_" + digest_of([flag.code, artifact, sorted(flag.claims), " ".join(flag.text.split())])[:20]


def read_baseline(path: Path) -> frozenset[str]:
    """The fingerprints of a baseline file.

    Raises
    ------
    InputError
        It cannot be read or is no baseline.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        said = getattr(error, "strerror", None) or "no JSON in UTF-8"
        raise InputError(f"baseline {path}: {said}: make it with --write-baseline {path}") from error
    rows = document.get("findings") if isinstance(document, dict) else None
    if not isinstance(rows, list) or document.get("schema") != SCHEMA:
        raise InputError(f"baseline {path}: no findings of schema {SCHEMA} in it: make it with --write-baseline {path}")
    return frozenset(str(row.get("fingerprint")) for row in rows if isinstance(row, dict))


def write_baseline(path: Path, report: LintReport) -> int:
    """Write the findings of a report and those that the last baseline knew, sorted; gives how many.

    Raises
    ------
    InputError
        It cannot be written.
    """
    rows = sorted(_rows(report), key=lambda row: (row["artifact"], row["finding"], row["text"], row["fingerprint"]))
    text = json.dumps({"schema": SCHEMA, "findings": rows}, indent=2, ensure_ascii=False)
    try:
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"baseline {path}: {error.strerror or error}: give another place") from error
    return len(rows)


def _rows(report: LintReport) -> list[dict[str, str]]:
    """A row per fingerprint, with what it is about for whoever reads the file."""
    rows: dict[str, dict[str, str]] = {}
    for linted in report.artifacts:
        artifact = linted.artifact.id
        for fingerprint, finding, text in _findings(linted):
            rows.setdefault(
                fingerprint,
                {"fingerprint": fingerprint, "artifact": artifact, "finding": finding, "text": text[:_LONGEST_TEXT]},
            )
    return list(rows.values())


def _findings(linted: Linted) -> Iterator[tuple[str, str, str]]:
    for claim in linted.refuted:
        yield fingerprint_of_claim(claim), f"refuted {claim.metric}", claim.text
    for flag in (flag for flag in linted.flags if flag.code not in NO_PROBLEM):
        yield fingerprint_of_flag(flag, linted.artifact.id), flag.code, flag.text
    for known in linted.known:
        yield known.fingerprint, known.kind, known.text
