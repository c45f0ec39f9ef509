"""The answers of `ingest`, `verify`, `build` and `snapshots`, as every face gives them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from graph.artifacts import Artifact
from graph.errors import SourceError
from graph.home import Home
from graph.store import catalogue
from graph.store.evidence import all_evidence, observations
from graph.work_responses import (
    BuildResponse,
    DataWanted,
    EncoderUsed,
    IngestResponse,
    PlanResponse,
    ProbePlanned,
    ProbeSeconds,
    Problem,
    Refused,
    ReproduceResponse,
    SnapshotInfo,
    UnitLeft,
    UnitPlanned,
    VerdictReason,
    VerifiedArtifact,
    VerifyResponse,
)
from indexer.pipeline import build, ingest
from indexer.progress import OnProgress, Progress
from indexer.snapshots import Listed, list_snapshots
from inference.embedder import Encoder, open_encoder, runtime_of
from inference.work.executor import VerifyOptions, VerifyProgress, verify_artifacts
from inference.work.plan import plan_verification
from inference.work.reproduce import reproduce
from search.facts import read_facts


def ingest_response(
    home: Home | None,
    sources: Sequence[Path],
    kind: str | None,
    on_progress: OnProgress,
    mapping: Mapping[str, str] | None = None,
) -> IngestResponse:
    """Read sources into the catalogue, or without a home only show what would be; see `indexer.pipeline.ingest`."""
    report = ingest(home, sources, kind=kind, mapping=mapping, on_progress=on_progress)
    return IngestResponse(
        found=report.found, accepted=report.accepted, added=report.added, changed=report.changed,
        unchanged=report.unchanged, rejected=tuple(map(_problem, report.rejected)), passed_over=report.passed_over,
        left_out=tuple(map(_problem, report.left_out)), warnings=report.warnings, inventory=report.inventory,
        size_bytes=report.size_bytes, dry_run=home is None, preview=report.preview,
    )  # fmt: skip


def _problem(error: SourceError) -> Problem:
    return Problem(what=error.what, file=error.file, line=error.line, code=error.code)


def verify_response(
    home: Home, names: Sequence[str], options: VerifyOptions, on_progress: OnProgress
) -> VerifyResponse:
    """Check claims and run local models, of the named artifacts or of all; see `verify_artifacts`.

    Raises
    ------
    UnknownArtifact
        A name is unknown; names the nearest.
    SourceError
        A labelled set cannot be read.
    """
    chosen = _chosen(home, names)
    report = verify_artifacts(home, chosen, options, _hearing(on_progress))
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
        artifacts=verified, counts=counts, reasons=tuple(VerdictReason(**asdict(count)) for count in report.counts),
        units_run=report.units_run, units_resumed=report.units_resumed, units_left=report.units_left,
        left=tuple(UnitLeft(**asdict(unit)) for unit in report.left),
        probes=tuple(ProbeSeconds(**asdict(probe)) for probe in report.probes),
        unused_data=tuple(sorted(set(options.data) - used)), import_s=report.import_s, duration_s=report.duration_s,
    )  # fmt: skip


def plan_response(home: Home, names: Sequence[str], options: VerifyOptions, on_progress: OnProgress) -> PlanResponse:
    """What `verify_response` would do with the same options, without running anything; see `plan_verification`."""
    plan = plan_verification(home, _chosen(home, names), options, _hearing(on_progress))
    costs: dict[str, list[float]] = {}
    for unit in plan.units:
        if unit.state == "waiting":
            costs.setdefault(unit.probe, []).append(unit.cost_s)
    by_cost = sorted(costs.items(), key=lambda item: (-sum(item[1]), item[0]))
    return PlanResponse(
        claims=plan.claims, settled=plan.settled, waiting=plan.waiting, without_data=plan.without_data,
        units=tuple(UnitPlanned(**asdict(unit) | {"settings": dict(unit.settings)}) for unit in plan.units),
        probes=tuple(ProbePlanned(probe=name, units=len(each), cost_s=sum(each)) for name, each in by_cost),
        cost_s=plan.cost_s, time_s=plan.time_s,
        data=tuple(DataWanted(**asdict(wanted)) for wanted in plan.data),
        any_data=tuple(DataWanted(**asdict(wanted)) for wanted in plan.any_data),
    )  # fmt: skip


def reproduce_response(home: Home, evidence: str, options: VerifyOptions) -> ReproduceResponse:
    """A record of evidence, the same made again, and whether they agree; see `inference.work.reproduce.reproduce`."""
    found = reproduce(home, evidence, options)
    return ReproduceResponse(
        record=found.record, again=found.again, agrees=found.agrees, reason=found.reason,
        differences=found.differences,
    )  # fmt: skip


def _chosen(home: Home, names: Sequence[str]) -> list[Artifact]:
    with home.store.reading() as connection:
        found = [catalogue.find_artifact(connection, name) for name in names]
        return list({each.id: each for each in found}.values()) or catalogue.all_artifacts(connection)


def _hearing(on_progress: OnProgress) -> Callable[[VerifyProgress], None]:
    return lambda heard: on_progress(Progress("verify", heard.done, heard.total, heard.left_s))


def build_response(
    home: Home, policy: str, *, probe: bool, budget_s: float | None, on_progress: OnProgress
) -> BuildResponse:
    """Check, gate, embed what is new and switch to a fresh snapshot; see `indexer.pipeline.build`."""
    chosen = home.settings
    encoder = open_encoder(chosen.encoder, threads=chosen.threads, home=home.path, runtime=chosen.encoder_runtime)
    report = build(home, encoder, policy=policy, probe=probe, budget_s=budget_s, on_progress=on_progress)
    return BuildResponse(
        snapshot=report.snapshot, unchanged=report.unchanged, artifacts=report.artifacts,
        capabilities=report.capabilities, rows=report.rows, embedded=report.embedded, policy=report.policy,
        refused=tuple(
            Refused(artifact=r.artifact, capability=r.capability, what=r.what, reason=r.reason) for r in report.refused
        ),
        claims=report.claims, encoder=_encoder_used(encoder),
    )  # fmt: skip


def _encoder_used(encoder: Encoder) -> EncoderUsed:
    """Which encoder it is and what it runs on: its graph is made, and compared with torch, here if not before."""
    runtime = runtime_of(encoder)
    if runtime is None:
        return EncoderUsed(name=encoder.info.name, digest=encoder.info.digest)
    return EncoderUsed(
        name=encoder.info.name, digest=encoder.info.digest, runtime=runtime.name, note=runtime.note,
        difference=runtime.difference,
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
