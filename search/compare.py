"""Comparing two to four artifacts: rows from the store, and a verdict that follows from the unrounded numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from graph.artifacts import Pricing
from graph.errors import QueryError
from graph.home import Home
from graph.responses import ArtifactReport, CompareResponse, CompareRow, SharedCapability
from graph.taxonomy import OTHER, task_words
from search.inspection.standings import artifact_standings
from search.show import report_artifact

COMPONENTS: Final = {
    "adoption": "Adoption", "quality": "Quality", "ecosystem": "Ecosystem",
    "match_graph": "Match Graph", "freshness": "Freshness",
}  # fmt: skip


def compare_artifacts(home: Home, names: Sequence[str]) -> CompareResponse:
    """The comparison of 2 to 4 artifacts.

    Raises
    ------
    QueryError
        Fewer than 2, more than 4, or the same artifact twice.
    UnknownArtifact
        One is unknown; names the nearest.
    """
    if not 2 <= len(names) <= 4:
        raise QueryError(f"{len(names)} artifacts: compare 2 to 4")
    with artifact_standings(home, names) as (connection, artifacts, standings):
        if len({artifact.id for artifact in artifacts}) < len(artifacts):
            raise QueryError("the same artifact twice: name different ones")
        pairs = zip(artifacts, standings, strict=True)
        reports = [report_artifact(home, connection, artifact, standing.score) for artifact, standing in pairs]
    shared = _shared(reports)
    of_all = (entry.uri for entry in shared if len(entry.names) == len(reports))
    same_job = any(map(_is_job, of_all)) or bool(_common_tasks(reports))
    return CompareResponse(
        artifacts=tuple(report.artifact for report in reports),
        rows=tuple(_rows(reports)),
        shared=shared,
        only=_only(reports, shared),
        claims={report.artifact: report.claims for report in reports},
        same_job=same_job,
        verdict=verdict_sentence(reports, same_job),
    )


def _rows(reports: Sequence[ArtifactReport]) -> list[CompareRow]:
    def row(name: str, values: Sequence[Any]) -> CompareRow:
        return CompareRow(name=name, values=tuple(values))

    return [
        row("Type", [r.type for r in reports]),
        row("UnfragileRank", [r.rank for r in reports]),
        *(row(title, [r.components[key].value for r in reports]) for key, title in COMPONENTS.items()),
        row("Pricing", [pricing_words(r.pricing) for r in reports]),
        row("Capabilities", [_capability_count(r) for r in reports]),
        row("Verified claims", [f"{_count(r, 'verified')} of {len(r.claims)}" for r in reports]),
        row("Refuted claims", [_count(r, "refuted") for r in reports]),
        row("Times Matched", [r.times_matched for r in reports]),
        row("Distinct actors", [r.distinct_actors for r in reports]),
    ]


def pricing_words(pricing: Pricing) -> str | None:
    """Pricing in words; None where nothing is known."""
    free = {True: "free", False: "not free", None: None}[pricing.free]
    words = [word for word in (pricing.model or free, pricing.detail) if word]
    return ": ".join(words) if words else None


def _count(report: ArtifactReport, verdict: str) -> int:
    return sum(claim.verdict == verdict for claim in report.claims)


def _capability_count(report: ArtifactReport) -> str:
    known = len(report.capabilities)
    total = report.declared_total
    return f"{known} known of {total} declared" if total is not None and total != known else f"{known} decomposed"


def _shared(reports: Sequence[ArtifactReport]) -> tuple[SharedCapability, ...]:
    names: dict[str, dict[str, str]] = {}
    for report in reports:
        for capability in report.capabilities:
            if capability.uri:
                names.setdefault(capability.uri, {}).setdefault(report.artifact, capability.name)
    found = [SharedCapability(uri=uri, names=who) for uri, who in sorted(names.items()) if len(who) > 1]
    return (*found, *_same_task(reports, {entry.uri for entry in found}))


def _same_task(reports: Sequence[ArtifactReport], together: set[str]) -> list[SharedCapability]:
    """First capabilities of one task that no URI unites; their `uri` is the task's, which ends before the slug."""
    names: dict[str, dict[str, str]] = {}
    for report in reports:
        for capability in report.capabilities:
            if capability.uri not in together and _is_task_of_its_own(capability.task):
                names.setdefault(capability.task, {}).setdefault(report.artifact, capability.name)
    united = sorted((task, who) for task, who in names.items() if len(who) > 1)
    return [SharedCapability(uri=f"capability://{task}", names=who) for task, who in united]


def _only(reports: Sequence[ArtifactReport], shared: Sequence[SharedCapability]) -> dict[str, tuple[str, ...]]:
    uris = {entry.uri for entry in shared}
    united = {(artifact, name) for entry in shared for artifact, name in entry.names.items()}
    return {
        r.artifact: tuple(c.name for c in r.capabilities if c.uri not in uris and (r.artifact, c.name) not in united)
        for r in reports
    }


def _is_task_of_its_own(task: str) -> bool:
    """Whether a task says what an artifact is for: not `other`, and not what any model can be put through."""
    return task != OTHER and not task.startswith("lifecycle.")


def _is_job(uri: str) -> bool:
    return not uri.startswith("capability://lifecycle.")


def _common_tasks(reports: Sequence[ArtifactReport]) -> frozenset[str]:
    """Tasks of all, but not those that any model can be put through (export, quantization, …)."""
    tasks = (frozenset(c.task for c in report.capabilities if _is_task_of_its_own(c.task)) for report in reports)
    return frozenset.intersection(*tasks)


def verdict_sentence(reports: Sequence[ArtifactReport], same_job: bool) -> str:
    """One sentence that is true of the unrounded rows: no winner between different jobs, ties named."""
    if not same_job:
        jobs = "; ".join(f"{report.name}: {_job(report)}" for report in reports)
        return f"These do different jobs, so neither wins ({jobs})."
    columns = {"UnfragileRank": {r.name: r.rank for r in reports}}
    columns |= {title: {r.name: r.components[key].value for r in reports} for key, title in COMPONENTS.items()}
    known = {title: values for title, values in columns.items() if sum(v is not None for v in values.values()) > 1}
    parts = [_leader(title, values) for title, values in known.items()]
    if len(known) < len(columns):
        parts.append(f"too little known to compare: {', '.join(title for title in columns if title not in known)}")
    refuted = [f"{r.name} has {_count(r, 'refuted')}" for r in reports if _count(r, "refuted")]
    return "; ".join([*parts, f"refuted claims: {', '.join(refuted)}" if refuted else "no claim is refuted"]) + "."


def _job(report: ArtifactReport) -> str:
    """The task of the first capability, in words; sources put the main job first."""
    return task_words(report.capabilities[0].task) if report.capabilities else "no known capability"


def _leader(title: str, values: Mapping[str, float | None]) -> str:
    known = {name: value for name, value in values.items() if value is not None}
    best = max(known.values())
    leaders = [name for name, value in known.items() if value == best]
    unknown = [name for name in values if name not in known]
    but = f" (unknown for {', '.join(unknown)})" if unknown else ""
    if len(leaders) == len(known):
        return f"{title}: tie at {best:.3f}{but}"
    others = ", ".join(f"{value:.3f}" for name, value in known.items() if name not in leaders)
    level = " (they differ beyond the printed digits)" if f"{best:.3f}" in others.split(", ") else ""
    return f"{title}: {' and '.join(leaders)} with {best:.3f} against {others}{level}{but}"
