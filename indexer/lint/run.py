"""One lint: read sources, read their claims, check them, set aside what is to be set aside."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from graph.artifacts import Artifact
from graph.claims import Claim, ClaimReport
from graph.errors import SourceError
from indexer.claims import read_claims
from indexer.lint.findings import Linted, LintReport
from indexer.lint.suppress import (
    Ignore,
    fingerprint_of_claim,
    fingerprint_of_flag,
    ignored_by,
    read_ignores,
)
from indexer.passages import Passage
from indexer.progress import OnProgress, Progress, silent
from indexer.sources import Entry, read_source
from inference.checks import Checked, Flag, check_artifact
from inference.checks.measured_tables import MeasuredTables
from inference.judging.findings import Finding

_STRONG_HEDGES: Final = re.compile(
    r"\b(?:unknown|likely|unlikely|unclear|unconfirmed|unspecified|presumably|reportedly|allegedly|tbd)\b",
    re.IGNORECASE,
)
_LONGEST_QUOTE: Final = 200


def lint(
    paths: Sequence[Path],
    *,
    kind: str | None = None,
    baseline: frozenset[str] = frozenset(),
    on_progress: OnProgress = silent,
) -> LintReport:
    """What checks find in sources; nothing is stored and no model runs.

    Parameters
    ----------
    paths
        Files and folders. Measured tables among them are what claims of all others are held against.
    kind
        Kind of all of them; None detects each.
    baseline
        Fingerprints of findings that are known and not told again.
    on_progress
        Hears after every artifact.
    """
    entries, rejected = _read(paths, kind)
    tables = MeasuredTables()
    tables.add(artifact for artifact, _ in entries)
    texts = _Texts()
    linted: list[Linted] = []
    for number, (artifact, passages) in enumerate(entries, 1):
        checked = check_artifact(artifact, tables)
        checked.flags += _hedges(passages)
        checked.flags += _variants(artifact, passages)
        linted.append(_told(artifact, checked, texts, baseline))
        on_progress(Progress("lint", number, len(entries)))
    return LintReport(tuple(linted), tuple(rejected), tuple(texts.warnings), texts.lines)


def _read(
    paths: Sequence[Path], kind: str | None
) -> tuple[list[tuple[Artifact, tuple[Passage, ...]]], list[SourceError]]:
    """Artifacts with all their claims, entries of one id joined, and what was rejected."""
    found: dict[str, tuple[Artifact, tuple[Passage, ...]]] = {}
    rejected: list[SourceError] = []
    for path in paths:
        for entry in _entries(path, kind):
            rejected += [entry.problem] if entry.problem is not None else []
            rejected += entry.left_out
            if entry.artifact is not None:
                artifact = _with_all_claims(entry.artifact, entry.passages)
                before = found.get(artifact.id)
                found[artifact.id] = _joined(before, artifact, entry.passages)
    return list(found.values()), rejected


def _entries(path: Path, kind: str | None) -> Iterator[Entry]:
    try:
        yield from read_source(path, kind)
    except SourceError as error:
        yield Entry(None, "rejected", problem=error)


def _with_all_claims(artifact: Artifact, passages: Iterable[Passage]) -> Artifact:
    """The artifact with a claim for every place that states one, also where two places say the same."""
    return artifact.model_copy(update={"claims": (*artifact.claims, *read_claims(artifact, passages))})


def _joined(
    before: tuple[Artifact, tuple[Passage, ...]] | None, artifact: Artifact, passages: tuple[Passage, ...]
) -> tuple[Artifact, tuple[Passage, ...]]:
    """Two pages about one artifact as one: what the one says can contradict the other."""
    if before is None:
        return artifact, passages
    first, earlier = before
    update = {"claims": (*first.claims, *artifact.claims), "license": first.license or artifact.license}
    return first.model_copy(update=update), (*earlier, *passages)


# Flags of the text itself ---------------------------------------------------------------------------------
def _hedges(passages: Iterable[Passage]) -> list[Flag]:
    """A flag for each word that says that the page does not know."""
    return [
        Flag("hedged", f"“{found.group().lower()}”: the page does not know", (), _around(passage.text, found.start()),
             passage.span(found.start(), found.end()))
        for passage in passages
        for found in _STRONG_HEDGES.finditer(passage.text)
    ]  # fmt: skip


def _variants(artifact: Artifact, passages: Iterable[Passage]) -> list[Flag]:
    """A flag for each capability that is really another artifact's."""
    seen: dict[tuple[str | None, str], Flag] = {}
    for passage in passages:
        if passage.subject:
            what = f"an ability of {passage.subject} stands under {artifact.name}"
            flag = Flag(
                "other_artifact", what, (), _around(passage.text, 0), passage.span(0, min(len(passage.text), 80))
            )
            seen.setdefault((passage.capability, passage.subject), flag)
    return list(seen.values())


def _around(text: str, position: int) -> str:
    start = max(0, position - 60)
    return " ".join(text[start : start + _LONGEST_QUOTE].split())


# Telling --------------------------------------------------------------------------------------------------
class _Texts:
    """The files that findings stand in: where their lines begin, and what their comments ignore."""

    def __init__(self) -> None:
        self.lines: dict[str, tuple[int, ...]] = {}
        self.warnings: list[str] = []
        self._ignores: dict[str, list[Ignore]] = {}

    def ignored(self, kind: str, file: str, offset: int) -> str | None:
        """The reason why a finding is ignored, or None."""
        from bisect import bisect_right

        self._open(file)
        return ignored_by(self._ignores[file], kind, bisect_right(self.lines[file], offset))

    def _open(self, file: str) -> None:
        if file in self.lines:
            return
        try:
            with Path(file).open(encoding="utf-8", errors="replace", newline="") as stream:
                text = stream.read()
        except OSError:
            text = ""
        self.lines[file] = (0, *(found.end() for found in re.finditer("\n", text)))
        self._ignores[file], warnings = read_ignores(text, file)
        self.warnings += warnings


def _told(artifact: Artifact, checked: Checked, texts: _Texts, baseline: frozenset[str]) -> Linted:
    claims, flags, ignored, known = [], [], [], []
    for claim in artifact.claims:
        report = _report(claim, checked)
        print_ = fingerprint_of_claim(claim)
        reason = texts.ignored(claim.metric, claim.span.file, claim.span.start) if claim.span is not None else None
        if report.verdict == "refuted" and reason is not None:
            ignored.append((print_, reason))
        elif report.verdict == "refuted" and print_ in baseline:
            known.append(print_)
        else:
            claims.append(report)
    for flag in checked.flags:
        print_ = fingerprint_of_flag(flag, artifact.id)
        reason = texts.ignored(flag.code, flag.span.file, flag.span.start) if flag.span is not None else None
        if reason is not None:
            ignored.append((print_, reason))
        elif print_ in baseline:
            known.append(print_)
        else:
            flags.append(flag)
    return Linted(artifact, tuple(claims), tuple(flags), tuple(ignored), tuple(known))


def _report(claim: Claim, checked: Checked) -> ClaimReport:
    """The claim with its verdict; null where no check decides it."""
    stated = {name: getattr(claim, name) for name in Claim.model_fields}
    stated["flags"] = tuple(sorted({*claim.flags, *checked.flags_of(claim.id)}))
    finding = checked.findings.get(claim.id)
    return ClaimReport(**stated) if finding is None else ClaimReport(**stated, **_verdict(finding))


def _verdict(finding: Finding) -> dict[str, object]:
    judgement = finding.judgement
    return {
        "verdict": judgement.verdict, "reason_code": judgement.reason_code, "reason": judgement.reason,
        "tier": finding.tier, "method": f"{finding.method}/{finding.method_version}", "measured": finding.measured,
        "interval": judgement.interval,
    }  # fmt: skip
