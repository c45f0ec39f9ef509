"""The answers of `ingest`, `verify`, `build` and `snapshots`, as every face gives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from graph.errors import SourceError
from graph.home import Home
from graph.responses import (
    BuildResponse,
    IngestResponse,
    Problem,
    Refused,
    SnapshotInfo,
    VerifiedArtifact,
    VerifyResponse,
)
from graph.store import catalogue
from graph.store.evidence import all_evidence, observations
from indexer.pipeline import build, ingest
from indexer.progress import OnProgress, Progress
from indexer.snapshots import Listed, list_snapshots
from inference.embedder import open_encoder
from inference.executor import VerifyOptions, VerifyProgress, verify_artifacts
from search.facts import read_facts


def ingest_response(home: Home, sources: Sequence[Path], kind: str | None, on_progress: OnProgress) -> IngestResponse:
    """Read sources into the catalogue; see `indexer.pipeline.ingest`."""
    report = ingest(home, sources, kind=kind, on_progress=on_progress)
    return IngestResponse(
        found=report.found, accepted=report.accepted, added=report.added, changed=report.changed,
        unchanged=report.unchanged, rejected=tuple(map(_problem, report.rejected)), passed_over=report.passed_over,
        left_out=tuple(map(_problem, report.left_out)), warnings=report.warnings, inventory=report.inventory,
        size_bytes=report.size_bytes,
    )  # fmt: skip


def _problem(error: SourceError) -> Problem:
    return Problem(what=error.what, file=error.file, line=error.line, code=error.code)


def verify_response(
    home: Home,
    names: Sequence[str],
    data: Mapping[str, Path],
    budget_s: float | None,
    trust: tuple[str, ...],
    on_progress: OnProgress,
) -> VerifyResponse:
    """Check claims and run trusted local models, of the named artifacts or of all; see `verify_artifacts`.

    Raises
    ------
    UnknownArtifact
        A name is unknown; names the nearest.
    SourceError
        A labelled set cannot be read.
    """
    with home.store.reading() as connection:
        chosen = [catalogue.find_artifact(connection, name) for name in names] or catalogue.all_artifacts(connection)

    def hear(heard: VerifyProgress) -> None:
        on_progress(Progress("verify", heard.done, heard.total))

    options = VerifyOptions(data=data, budget_s=budget_s, trust=trust)
    report = verify_artifacts(home, chosen, options, hear)
    with home.store.reading() as connection:
        facts = read_facts(connection, chosen)
        verified = tuple(
            VerifiedArtifact(
                artifact=artifact.id, claims=facts[artifact.id].claims,
                flags=tuple(sorted({flag for claim in facts[artifact.id].claims for flag in claim.flags})),
                observations=tuple(observations(connection, artifact.id)),
            )
            for artifact in chosen
        )  # fmt: skip
        records = (record for artifact in chosen for record in all_evidence(connection, artifact.id))
        used = {record.data.name for record in records if record.data is not None}
    counts: dict[str, int] = {}
    for count in report.counts:
        name = count.verdict + (f" ({count.reason_code})" if count.reason_code else "")
        counts[name] = counts.get(name, 0) + count.claims
    return VerifyResponse(
        artifacts=verified, counts=counts, units_run=report.units_run, units_resumed=report.units_resumed,
        units_left=report.units_left, unused_data=tuple(sorted(set(data) - used)),
    )  # fmt: skip


def build_response(
    home: Home, policy: str, *, probe: bool, budget_s: float | None, on_progress: OnProgress
) -> BuildResponse:
    """Check, gate, embed what is new and switch to a fresh snapshot; see `indexer.pipeline.build`."""
    encoder = open_encoder(home.settings.encoder, threads=home.settings.threads, home=home.path)
    report = build(home, encoder, policy=policy, probe=probe, budget_s=budget_s, on_progress=on_progress)
    return BuildResponse(
        snapshot=report.snapshot, unchanged=report.unchanged, artifacts=report.artifacts,
        capabilities=report.capabilities, rows=report.rows, embedded=report.embedded, policy=report.policy,
        refused=tuple(
            Refused(artifact=r.artifact, capability=r.capability, what=r.what, reason=r.reason) for r in report.refused
        ),
        claims=report.claims,
    )  # fmt: skip


def snapshot_infos(home: Home) -> list[SnapshotInfo]:
    """The snapshots of a home, as listed by `indexer.snapshot.list_snapshots`."""
    return [_info(each) for each in list_snapshots(home.snapshots)]


def _info(listed: Listed) -> SnapshotInfo:
    manifest = listed.manifest
    if manifest is None:
        return SnapshotInfo(id=listed.id, current=listed.is_current, problem=listed.problem)
    return SnapshotInfo(
        id=listed.id, current=listed.is_current, created_us=manifest.created_us,
        artifacts=manifest.counts["artifacts"], rows=manifest.counts["rows"], encoder=manifest.encoder.name,
        policy=manifest.policy,
    )  # fmt: skip
