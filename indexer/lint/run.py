"""One lint: read sources, read their claims, check them, set aside what is to be set aside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from graph.artifacts import Artifact
from graph.claims import Claim, ClaimReport, Span
from graph.errors import MatchgraphError, SourceError
from indexer.claims import read_claims
from indexer.lint.baseline import fingerprint_of_claim, fingerprint_of_flag
from indexer.lint.findings import Linted, LintReport, SetAside
from indexer.lint.flags import flags_of_text
from indexer.lint.places import Text, open_text
from indexer.lint.suppress import Ignore, ignored_by, read_ignores
from indexer.passages import Passage
from indexer.progress import OnProgress, Progress, silent
from indexer.sources import Entry, read_source
from inference.checks import Checked, Flag, check_artifact
from inference.checks.base import Verdict
from inference.checks.files import Builder, check_files
from inference.checks.measured_tables import MeasuredTables
from inference.judging.findings import Finding

STDIN: Final = "stdin"
"""How findings name the text that was given on standard input."""
_Found = tuple[Artifact, tuple[Passage, ...]]


def lint(
    paths: Sequence[Path],
    *,
    kind: str | None = None,
    baseline: frozenset[str] = frozenset(),
    stdin: bytes | None = None,
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
    stdin
        A page that is linted with the others, named `STDIN`.
    on_progress
        Hears after every artifact.
    """
    texts = _Texts()
    found: dict[str, _Found] = {}
    rejected: list[SourceError] = []
    for entry in _entries(paths, kind, stdin, texts):
        rejected += [*([entry.problem] if entry.problem is not None else []), *entry.left_out]
        texts.warnings += entry.warnings
        if entry.artifact is not None:
            _take(found, entry.artifact, entry.passages)
    tables = MeasuredTables()
    tables.add(artifact for artifact, _ in found.values())
    linted: list[Linted] = []
    with Builder() as builder:
        for number, (artifact, passages) in enumerate(found.values(), 1):
            checked = check_artifact(artifact, tables)
            checked.add(_by_files(artifact, builder, texts))
            checked.flags += flags_of_text(artifact, passages)
            linted.append(_told(artifact, checked, texts, baseline))
            on_progress(Progress("lint", number, len(found)))
    return LintReport(tuple(linted), tuple(rejected), (*texts.warnings, *texts.unused()), texts.texts)


# Reading --------------------------------------------------------------------------------------------------
def _entries(paths: Sequence[Path], kind: str | None, stdin: bytes | None, texts: _Texts) -> Iterator[Entry]:
    if stdin is not None:
        yield from _entries_of_stdin(stdin, texts)
    for path in paths:
        try:
            yield from read_source(path, kind, check_blobs=False)
        except SourceError as error:
            yield Entry(None, "rejected", problem=error)


def _entries_of_stdin(data: bytes, texts: _Texts) -> Iterator[Entry]:
    from indexer.sources.page import page_entries
    from indexer.sources.text_file import text_of_bytes

    try:
        found = text_of_bytes(data, STDIN)
        texts.add(STDIN, Text(found.text))
        yield from page_entries(found, Path(STDIN))
    except SourceError as error:
        yield Entry(None, "rejected", problem=error)


def _take(found: dict[str, _Found], artifact: Artifact, passages: tuple[Passage, ...]) -> None:
    """Take in an artifact with a claim for every place that states one; pages about one artifact become one.

    What one of its pages says can then contradict another.
    """
    claims = (*artifact.claims, *read_claims(artifact, passages))
    before = found.get(artifact.id)
    if before is None:
        found[artifact.id] = artifact.model_copy(update={"claims": claims}), passages
        return
    first, earlier = before
    update = {"claims": (*first.claims, *claims), "license": first.license or artifact.license}
    found[artifact.id] = first.model_copy(update=update), (*earlier, *passages)


# Checking -------------------------------------------------------------------------------------------------
def _by_files(artifact: Artifact, builder: Builder, texts: _Texts) -> list[Verdict | Flag]:
    try:
        return list(check_files(artifact, artifact.claims, builder))
    except MatchgraphError as error:
        texts.warnings.append(f"{artifact.id}: its files or architecture were not looked at: {error}")
        return []


# Telling --------------------------------------------------------------------------------------------------
class _Texts:
    """The files that findings stand in, what their comments ignore, and what is odd about either."""

    def __init__(self) -> None:
        self.texts: dict[str, Text] = {}
        self.warnings: list[str] = []
        self._ignores: dict[str, list[Ignore]] = {}

    def add(self, file: str, text: Text) -> None:
        """Take in a file's text with its comments."""
        self.texts[file] = text
        self._ignores[file], warnings = read_ignores(text.text, file)
        self.warnings += warnings

    def line(self, span: Span | None) -> int | None:
        """The line that a span begins on; None where there is no span."""
        if span is None:
            return None
        if span.file not in self.texts:
            self.add(span.file, open_text(span.file))
        return self.texts[span.file].place(span.start).line

    def ignored(self, kind: str, span: Span | None) -> str | None:
        """The reason why a finding is ignored, or None."""
        line = self.line(span)
        return None if span is None or line is None else ignored_by(self._ignores[span.file], kind, line)

    def unused(self) -> list[str]:
        """A warning for each comment that set nothing aside."""
        return [
            f"{file}:{each.line}: nothing is found here that this comment would set aside: remove it"
            for file, ignores in self._ignores.items()
            for each in ignores
            if not each.used
        ]


def _told(artifact: Artifact, checked: Checked, texts: _Texts, baseline: frozenset[str]) -> Linted:
    """The findings on an artifact: those to tell, and those set aside by a comment or the baseline."""
    claims, flags = [], []
    aside: list[SetAside] = []

    def is_set_aside(fingerprint: str, kind: str, said: str, text: str, span: Span | None) -> bool:
        reason = texts.ignored(kind, span)
        if reason is not None or fingerprint in baseline:
            aside.append(SetAside(fingerprint, said, text, texts.line(span), reason or ""))
        return reason is not None or fingerprint in baseline

    for claim in artifact.claims:
        report = _report(claim, checked)
        refuted = report.verdict == "refuted"
        said = f"refuted {claim.metric}"
        if not (refuted and is_set_aside(fingerprint_of_claim(claim), claim.metric, said, claim.text, claim.span)):
            claims.append(report)
    for flag in checked.flags:
        if not is_set_aside(fingerprint_of_flag(flag, artifact.id), flag.code, flag.code, flag.text, flag.span):
            flags.append(flag)
    ignored = tuple(each for each in aside if each.reason)
    return Linted(artifact, tuple(claims), tuple(flags), ignored, tuple(each for each in aside if not each.reason))


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
