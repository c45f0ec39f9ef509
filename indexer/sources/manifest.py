"""Manifests: `matchgraph.yml` in YAML or JSON, and the open `unfragile.yml`, with a validator.

A wrong header rejects the manifest. A wrong capability or claim is rejected alone, with its file and line, and the
rest is kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from graph.artifacts import Artifact, Source
from graph.claims import Claim
from graph.errors import SourceError
from indexer.passages import Passage
from indexer.sources.entry import MANIFEST, REJECTED, Entry
from indexer.sources.findings import Findings, Problem, check_fields, read_items
from indexer.sources.manifest_artifact import read_artifact
from indexer.sources.manifest_capabilities import read_capabilities, whole_artifact
from indexer.sources.manifest_claims import read_claims
from indexer.sources.manifest_passages import read_passages
from indexer.sources.nodes import Node, read_documents, read_text
from indexer.sources.unfragile import as_manifest, is_unfragile

TOP_FIELDS: Final = ("artifact", "capabilities", "claims", "declared_total")
OWN_NAMES: Final = ("matchgraph.yml", "unfragile.yml")
SUFFIXES: Final = (".yml", ".yaml", ".json")
_MARK: Final = re.compile(rb"^(?:\xef\xbb\xbf)?(?:artifact|unfragile_version)[ \t]*:", re.MULTILINE)


@dataclass(frozen=True)
class Parsed:
    """One document of a manifest: its artifact, or None where it is rejected, everything found in it, its texts."""

    artifact: Artifact | None
    problems: tuple[Problem, ...] = ()
    passages: tuple[Passage, ...] = ()

    def as_entry(self) -> Entry:
        """The document as a source's entry."""
        errors = [problem.as_error() for problem in self.problems if problem.level == "error"]
        warnings = tuple(problem.as_line() for problem in self.problems if problem.level == "warning")
        if self.artifact is None:
            return Entry(None, REJECTED, 0, errors[0], warnings, tuple(errors[1:]))
        return Entry(self.artifact, MANIFEST, 0, None, warnings, tuple(errors), self.passages)


def read_manifests(path: Path) -> Iterator[Entry]:
    """One entry per document of a manifest file, or of all manifests of a folder.

    A folder's manifests are its `*.yml` and `*.yaml`, its `*.json` that have an `artifact`, and `matchgraph.yml` or
    `unfragile.yml` one folder below. The second artifact of the same id is rejected.
    """
    for parsed in _parsed(path):
        yield parsed.as_entry()


def validate_manifests(path: Path) -> list[Problem]:
    """Every error and warning of a manifest file or a folder of them, by file, in the order found."""
    return [problem for parsed in _parsed(path) for problem in parsed.problems]


def manifest_files(folder: Path) -> list[Path]:
    """The manifests of a folder, sorted by name."""
    direct = [file for file in folder.iterdir() if file.suffix in SUFFIXES and file.is_file()]
    below = [file for name in OWN_NAMES for file in folder.glob(f"*/{name}")]
    return sorted(file for file in direct + below if file.suffix != ".json" or has_artifact(file))


def has_artifact(file: Path) -> bool:
    """True if a JSON file reads like a manifest; other JSON files of a folder are none of ours."""
    try:
        with file.open("rb") as stream:
            return b'"artifact"' in stream.read(1 << 20)
    except OSError:
        return False


def is_manifest(file: Path) -> bool:
    """True if a YAML file reads like a manifest: a line of it begins with `artifact` or `unfragile_version`."""
    try:
        with file.open("rb") as stream:
            return bool(_MARK.search(stream.read(1 << 16)))
    except OSError:
        return False


def _parsed(path: Path) -> Iterator[Parsed]:
    """Every document of a file or folder, in order; an id that was seen before is an error."""
    seen: dict[str, str] = {}
    for file in manifest_files(path) if path.is_dir() else [path]:
        for parsed in parse_manifest_file(file):
            artifact = parsed.artifact
            if artifact is None:
                yield parsed
            elif artifact.id in seen:
                what = f"id {artifact.id!r} is taken by {seen[artifact.id]}: give one of them another id"
                problem = Problem("error", "duplicate_id", what, artifact.source.file, artifact.source.line)
                yield Parsed(None, (problem, *parsed.problems))
            else:
                seen[artifact.id] = f"{artifact.source.file}:{artifact.source.line}"
                yield parsed


def parse_manifest_file(file: Path) -> Iterator[Parsed]:
    """The documents of a manifest file."""
    try:
        text = read_text(file, str(file))
    except SourceError as error:
        yield _failed(error)
        return
    yield from parse_manifests(text, str(file), folder=file.parent, is_json=file.suffix == ".json")


def parse_manifests(text: str, file: str, *, folder: Path | None = None, is_json: bool = False) -> Iterator[Parsed]:
    """The documents of a manifest's text.

    Parameters
    ----------
    text
        YAML or JSON.
    file
        The file's name, for messages.
    folder
        What a relative `weights.path` is relative to; without one the path is kept as it is.
    is_json
        True for JSON, whose tabs and surrogate pairs YAML does not know.
    """
    count = 0
    for document in read_documents(text, file, is_json=is_json):
        count += 1
        yield _failed(document) if isinstance(document, SourceError) else _document(document, text, file, folder)
    if count == 0:
        yield _failed(SourceError("no document in it: write artifact: {name: …}", file=file, line=1, code="empty"))


def _failed(error: SourceError) -> Parsed:
    return Parsed(None, (Problem("error", error.code, error.what, error.file, error.line),))


def _document(document: Node, text: str, file: str, folder: Path | None) -> Parsed:
    header, parts = Findings(file), Findings(file)
    if is_unfragile(document):
        document = as_manifest(document, header)
    root = document.get("artifact")
    if root is None or root.fields is None:
        what = "no `artifact` mapping: a manifest begins with artifact: {name: …}"
        return _failed(SourceError(what, file=file, line=document.line, code="not_a_manifest"))
    line = document.field_lines.get("artifact", root.line)
    check_fields(document, TOP_FIELDS, "a manifest", header)
    fields = read_artifact(root, document, line, header, folder)
    items, claim_items = read_items(document, "capabilities", header), read_items(document, "claims", header)
    if header.errors:
        return Parsed(None, (*header.errors, *header.warnings))
    capabilities = read_capabilities(items, parts)
    if not items:
        header.warn("no_capabilities", line, "no capabilities are listed: describe what the artifact does")
        capabilities = (whole_artifact(fields),)
    if fields["declared_total"] is not None and fields["declared_total"] < len(capabilities):
        header.warn("declared_too_low", line, f"{fields['declared_total']} declared, {len(capabilities)} described")
    known = [capability.id for capability in capabilities]
    claims = _claims(claim_items, fields["id"], known, parts)
    source = Source(kind="manifest", file=file, line=line)
    artifact = Artifact(**fields, capabilities=capabilities, claims=claims, source=source)
    passages = read_passages(document, known, text, file)
    return Parsed(artifact, (*header.problems, *parts.problems), passages)


def _claims(items: tuple[Node, ...], artifact: str, capabilities: list[str], found: Findings) -> tuple[Claim, ...]:
    """The claims that are right, each once; each wrong one is noted and left out."""
    kept: dict[str, Claim] = {}
    for item in items:
        one = Findings(found.file)
        for claim in read_claims(item, artifact, capabilities, one):
            kept.setdefault(claim.id, claim)
        found.problems += one.problems
    return tuple(kept.values())
