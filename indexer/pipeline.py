"""The two long commands: `ingest` reads sources into the catalogue, `build` makes the index from it.

Both keep what is finished as they go, so that Ctrl-C loses nothing and the next run resumes; the live snapshot
changes at the very end of a build, at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import TypeAdapter
from sqlalchemy import Connection

from graph.artifacts import Artifact
from graph.claims import VERDICTS, Evidence
from graph.digest import digest_of, text_digest
from graph.errors import SnapshotError, SourceError
from graph.events import CatalogueEvent, new_id, now_us
from graph.home import Home
from graph.policy import Policy
from graph.policy_file import find_policy
from graph.store.catalogue import Saved, all_artifacts, all_canonical, assignments, save_artifacts, vector_key
from graph.store.evidence import deciding_evidence
from graph.store.log import append_events
from indexer.canonical import assign_canonical, surviving_uris
from indexer.decompose import IndexText, texts_of
from indexer.embedding import embed_missing, read_vectors
from indexer.gate import Admission, Refused, admit, refuted_by_artifact
from indexer.progress import OnProgress, Progress, silent
from indexer.snapshot import Draft, Row, content_digest, write_snapshot
from indexer.snapshots import build_lock, check_files, current_id
from indexer.sources import Entry, read_source

if TYPE_CHECKING:
    from inference.embedder import Encoder

SAVE_BATCH: Final = 200
"""Artifacts saved in one transaction."""
Verify = Callable[[Home, Sequence[Artifact], float | None, OnProgress], object]
"""Runs checks and probes on artifacts within a budget in seconds, keeping evidence as it goes."""
_RULES: Final = TypeAdapter(Policy)


@dataclass(frozen=True)
class IngestReport:
    """What an ingest found. accepted + rejected = found = the sum of `inventory`; added + changed + unchanged =
    accepted.
    """

    found: int
    accepted: int
    added: int
    changed: int
    unchanged: int
    rejected: tuple[SourceError, ...]
    warnings: tuple[str, ...]
    inventory: dict[str, int]
    size_bytes: int


@dataclass(frozen=True)
class BuildReport:
    """What a build made: `unchanged` where the live snapshot already was it. `claims` counts verdicts of all claims
    stated (claimed: none yet); `embedded` the texts that had no vector yet.
    """

    snapshot: str
    unchanged: bool
    artifacts: int
    capabilities: int
    rows: int
    embedded: int
    policy: str
    refused: tuple[Refused, ...]
    claims: dict[str, int]


def ingest(
    home: Home, paths: Sequence[Path], *, kind: str | None = None, on_progress: OnProgress = silent
) -> IngestReport:
    """Read sources into the catalogue; what this found, adding up.

    Parameters
    ----------
    home
        Whose catalogue.
    paths
        Files and folders.
    kind
        Kind of all of them; None detects each.
    on_progress
        Hears after every thing found.
    """
    tally = _Tally(home, on_progress)
    try:
        for path in paths:
            for entry in _entries(path, kind):
                tally.take(entry)
    finally:  # also on Ctrl-C: what was read is kept
        tally.save()
    return tally.report()


class _Tally:
    """Counts entries and saves their artifacts in batches."""

    def __init__(self, home: Home, on_progress: OnProgress) -> None:
        self._home, self._on_progress = home, on_progress
        self._waiting: dict[str, Artifact] = {}
        self._saved: Counter[str] = Counter()
        self._inventory: Counter[str] = Counter()
        self._rejected: list[SourceError] = []
        self._warnings: list[str] = []
        self._places: dict[str, str] = {}
        self._size_bytes = 0

    def take(self, entry: Entry) -> None:
        self._inventory[entry.bucket] += 1
        self._size_bytes += entry.size_bytes
        self._warnings += entry.warnings
        if entry.problem is not None:
            self._rejected.append(entry.problem)
        if entry.artifact is not None:
            self._note_repeat(entry.artifact)
            if entry.artifact.id in self._waiting or len(self._waiting) >= SAVE_BATCH:
                self.save()
            self._waiting[entry.artifact.id] = entry.artifact
        self._on_progress(Progress("ingest", self._inventory.total()))

    def save(self) -> None:
        batch, self._waiting = list(self._waiting.values()), {}
        if not batch:
            return
        with self._home.store.writing() as connection:
            saved = save_artifacts(connection, batch)
            _tell_added(connection, batch, saved)
        self._saved.update(added=len(saved.added), changed=len(saved.changed), unchanged=len(saved.unchanged))

    def report(self) -> IngestReport:
        found = self._inventory.total()
        return IngestReport(
            found=found, accepted=found - len(self._rejected), added=self._saved["added"],
            changed=self._saved["changed"], unchanged=self._saved["unchanged"], rejected=tuple(self._rejected),
            warnings=tuple(self._warnings), inventory=dict(sorted(self._inventory.items())),
            size_bytes=self._size_bytes,
        )  # fmt: skip

    def _note_repeat(self, artifact: Artifact) -> None:
        line = f":{artifact.source.line}" if artifact.source.line is not None else ""
        place = f"{artifact.source.file}{line}"
        before = self._places.setdefault(artifact.id, place)
        if before != place:
            self._warnings.append(f"{place}: {artifact.id} was given before in {before}: the later one counts")
            self._places[artifact.id] = place


def build(
    home: Home,
    encoder: Encoder,
    *,
    policy: str | Policy = "default",
    probe: bool = True,
    budget_s: float | None = None,
    verify: Verify | None = None,
    on_progress: OnProgress = silent,
) -> BuildReport:
    """Check, unite, gate, embed what is new, and switch to a fresh snapshot; what came of it.

    Parameters
    ----------
    home
        Whose catalogue.
    encoder
        Makes the vectors.
    policy
        The gate's rules: a preset's name, a YAML file, or a policy.
    probe
        Whether to run checks and probes first.
    budget_s
        Seconds for probes; None is no limit.
    verify
        What runs them; default `inference.executor.verify_artifacts`.
    on_progress
        Hears of every stage.

    Raises
    ------
    SnapshotError
        Another build is running, or the snapshot cannot be written; the live one stays as it was.
    """
    rules = find_policy(policy) if isinstance(policy, str) else policy
    with build_lock(home.snapshots):
        if probe:
            (verify or _verify)(home, _catalogue(home), budget_s, on_progress)
        with home.store.reading() as connection:
            artifacts = all_artifacts(connection)
            evidence = deciding_evidence(connection)
        refuted = refuted_by_artifact(artifacts, evidence)
        embedded = assign_canonical(home, encoder, artifacts, refuted, on_progress)
        admission = admit(artifacts, evidence, rules, now_us())
        rows, texts = _rows(home, artifacts, admission)
        embedded += embed_missing(home, encoder, texts, on_progress)
        on_progress(Progress("index", 0, len(rows)))
        live = _live_content(home)
        unchanged = live is not None and live[1] == content_digest(encoder.info, _plain(rules), rows)
        snapshot = live[0] if live is not None and unchanged else _write(
            home, encoder, rules, artifacts, admission, rows, texts
        )  # fmt: skip
        on_progress(Progress("index", len(rows), len(rows)))
    return BuildReport(
        snapshot=snapshot, unchanged=unchanged, artifacts=len({row.artifact for row in rows}),
        capabilities=len({(row.artifact, row.capability) for row in rows}), rows=len(rows), embedded=embedded,
        policy=rules.name, refused=admission.refused, claims=count_verdicts(artifacts, evidence),
    )  # fmt: skip


def count_verdicts(artifacts: Iterable[Artifact], evidence: dict[str, Evidence]) -> dict[str, int]:
    """How many stated claims stand at each verdict; `claimed` have none yet. They sum to all claims."""
    counts = dict.fromkeys((*VERDICTS, "claimed"), 0)
    for artifact in artifacts:
        for claim in artifact.claims:
            verdict = evidence[claim.id].verdict if claim.id in evidence else None
            counts[verdict or "claimed"] += 1
    return counts


def _entries(path: Path, kind: str | None) -> Iterable[Entry]:
    """The entries of a source; a source that cannot be read at all is one rejected entry."""
    try:
        yield from read_source(path, kind)
    except SourceError as error:
        yield Entry(artifact=None, bucket="rejected", size_bytes=0, problem=error, warnings=())


def _tell_added(connection: Connection, batch: Sequence[Artifact], saved: Saved) -> None:
    time_us, by_id = now_us(), {artifact.id: artifact for artifact in batch}
    events = [
        CatalogueEvent(
            id=new_id("ev"), time_us=time_us, action="artifact_added", subject=artifact,
            detail={"name": by_id[artifact].name, "type": by_id[artifact].type},
        )
        for artifact in saved.added
    ]  # fmt: skip
    if events:
        append_events(connection, events)


def _catalogue(home: Home) -> list[Artifact]:
    with home.store.reading() as connection:
        return all_artifacts(connection)


def _rows(home: Home, artifacts: Sequence[Artifact], admission: Admission) -> tuple[list[Row], list[str]]:
    """Rows of the index with their texts: artifacts by id, their capabilities and texts in the order given."""
    with home.store.reading() as connection:
        uris = assignments(connection)
        survivors = surviving_uris(all_canonical(connection))
    rows: list[Row] = []
    texts: list[str] = []
    for artifact in artifacts:
        for text in texts_of(artifact, admission.refuted.get(artifact.id, frozenset())):
            if (artifact.id, text.capability) in admission.admitted:
                uri = uris.get((artifact.id, text.capability))
                rows.append(_row(artifact, text, survivors.get(uri) if uri else None))
                texts.append(text.text)
    return rows, texts


def _row(artifact: Artifact, text: IndexText, uri: str | None) -> Row:
    return Row(
        artifact=artifact.id, slug=artifact.slug, name=artifact.name, type=artifact.type,
        capability=text.capability, uri=uri, kind=text.kind, key=vector_key(text.text),
    )  # fmt: skip


def _live_content(home: Home) -> tuple[str, str] | None:
    """Id and content digest of the live snapshot; None where there is none, or it is damaged and must be replaced."""
    try:
        name = current_id(home.snapshots)
        return None if name is None else (name, check_files(home.snapshots / name).content)
    except SnapshotError:
        return None


def _write(
    home: Home,
    encoder: Encoder,
    rules: Policy,
    artifacts: Sequence[Artifact],
    admission: Admission,
    rows: list[Row],
    texts: list[str],
) -> str:
    draft = Draft(
        encoder=encoder.info, policy=rules.name, rules=_plain(rules),
        catalogue=digest_of([[artifact.id, text_digest(artifact.model_dump_json())] for artifact in artifacts]),
        rows=rows, texts=texts, vectors=read_vectors(home, encoder, texts),
        counts={
            "artifacts": len({row.artifact for row in rows}),
            "capabilities": len({(row.artifact, row.capability) for row in rows}),
            "rows": len(rows),
        },
        refused=admission.refused,
    )  # fmt: skip
    return write_snapshot(home.snapshots, draft).id


def _plain(rules: Policy) -> dict[str, object]:
    plain: dict[str, object] = _RULES.dump_python(rules, mode="json")
    return plain


def _verify(home: Home, artifacts: Sequence[Artifact], budget_s: float | None, on_progress: OnProgress) -> object:
    from inference.executor import VerifyOptions, verify_artifacts

    return verify_artifacts(home, artifacts, VerifyOptions(budget_s=budget_s))
