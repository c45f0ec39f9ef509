"""Findings that are set aside: by a comment in the text, with a reason, or because the baseline knows them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from graph.claims import Claim
from graph.digest import digest_of
from graph.errors import InputError
from inference.checks import Flag

_COMMENT: Final = re.compile(
    r"matchgraph:[ \t]*ignore[ \t]+(?P<what>[a-z_*]+(?:[ \t]*,[ \t]*[a-z_*]+){0,20})(?:[ \t]*(?:--|because|:)[ \t]*(?P<reason>[^\n]{0,300}))?"
)
_END: Final = re.compile(r"\s*(?:-->|\*/|\}\}|#\})?\s*$")
SCHEMA: Final = 1


@dataclass(frozen=True)
class Ignore:
    """A comment that sets aside findings of these metrics or flags on its own line and the next; "*" is all."""

    line: int
    what: frozenset[str]
    reason: str


def read_ignores(text: str, file: str) -> tuple[list[Ignore], list[str]]:
    """The ignoring comments of a text, and a warning for each that gives no reason: such a one is not honoured.

    Examples
    --------
    >>> read_ignores("<!-- matchgraph: ignore size_ratio -- measured on the phone -->", "a.md")[0][0].reason
    'measured on the phone'
    """
    found, warnings = [], []
    for match in _COMMENT.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        reason = _END.sub("", match["reason"] or "").strip()
        if reason:
            what = frozenset(word.strip() for word in match["what"].split(","))
            found.append(Ignore(line, what, reason))
        else:
            warnings.append(f"{file}:{line}: ignored without a reason, so not ignored: write `-- why` behind it")
    return found, warnings


def ignored_by(ignores: Iterable[Ignore], kind: str, line: int) -> str | None:
    """The reason why a finding of this kind on this line is ignored; None where it is not."""
    return next(
        (each.reason for each in ignores if line in (each.line, each.line + 1) and each.what & {kind, "*"}), None
    )


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
    except (OSError, ValueError) as error:
        raise InputError(f"baseline {path}: {error}: make it with --write-baseline {path}") from error
    rows = document.get("findings") if isinstance(document, dict) else None
    if not isinstance(rows, list) or document.get("schema") != SCHEMA:
        raise InputError(f"baseline {path}: no findings of schema {SCHEMA} in it: make it with --write-baseline {path}")
    return frozenset(str(row.get("fingerprint")) for row in rows if isinstance(row, dict))


def write_baseline(path: Path, findings: Iterable[Mapping[str, object]]) -> None:
    """Write the fingerprints of findings, with what each was about, sorted, so that a change is a small diff.

    Raises
    ------
    InputError
        It cannot be written.
    """
    rows = sorted(findings, key=lambda row: (str(row.get("artifact")), str(row.get("fingerprint"))))
    try:
        path.write_text(json.dumps({"schema": SCHEMA, "findings": rows}, indent=2, ensure_ascii=False) + "\n", "utf-8")
    except OSError as error:
        raise InputError(f"baseline {path}: {error.strerror or error}: give another place") from error
