"""Verification of artifacts: survey their files, run what is trusted and not yet finished, judge, record."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from graph.artifacts import Artifact
from graph.constants import INTERVAL_LEVEL
from graph.errors import InputError
from graph.home import Home
from graph.store.catalogue import find_artifact
from graph.store.evidence import deciding_evidence, trust, trusted_names
from inference.data.sets import LabelledSet, open_data
from inference.ground import Shelf
from inference.probes import PROBES
from inference.sandbox.zygote import Zygote
from inference.work.settle import settle_all
from inference.work.shared import Work
from inference.work.units import Unit, plan_units

DEVICES: Final = ("cpu", "cuda")
JOBS_MOST: Final = 64
CLAIMED: Final = "claimed"
"""How a claim without a verdict is counted."""


@dataclass(frozen=True)
class VerifyOptions:
    """How to verify: labelled sets by name, a time budget, names to trust.

    `budget_s` bounds the whole run (None: no bound); `unit_timeout_s` one unit of work; `trust` holds artifact names
    or model digests, remembered in the home. `jobs` units run at once, each with a worker of its own; what measures
    time runs alone all the same. Without `run_models` only checks are made: files are read, finished units are judged
    again, and nothing is run. `level` is that of the two-sided intervals that decide: .998 refutes an honest claim at
    most once in a thousand times. What was decided at another level stays decided.
    """

    data: Mapping[str, Path] = field(default_factory=dict)
    budget_s: float | None = None
    trust: tuple[str, ...] = ()
    device: str = "cpu"
    unit_timeout_s: float = 120.0
    run_models: bool = True
    jobs: int = 1
    level: float = INTERVAL_LEVEL


@dataclass(frozen=True)
class VerifyProgress:
    """Where a run is: `done` of `total` steps, and what is worked on now ("survey" or a probe's name).

    `left_s` are the seconds that the rest will take, from the probes' estimates and how far they were off until now;
    None while files are read.
    """

    done: int
    total: int
    artifact: str
    step: str
    left_s: float | None = None


@dataclass(frozen=True)
class VerdictCount:
    """How many claims stand at a verdict with a reason; `verdict` is `claimed` where there is none yet."""

    verdict: str
    reason_code: str
    claims: int


@dataclass(frozen=True)
class ProbeTime:
    """How many units of a probe were run, and the seconds that they took together."""

    probe: str
    units: int
    seconds: float


@dataclass(frozen=True)
class LeftUnit:
    """A unit of work that the budget did not reach: artifact, probe, name of its set, estimated seconds."""

    artifact: str
    probe: str
    data: str | None
    cost_s: float


@dataclass(frozen=True)
class VerifyReport:
    """What a run came to. The `counts` sum up to `claims`.

    Units of work are `run`, `resumed` (finished in an earlier run, or by another process) or `left` (the budget ended
    before them: `left` names them); `records` were appended. `probes` says how long the units took that were run.
    `import_s` is the worker's start, 0 where nothing had to be run.
    """

    artifacts: int
    local_models: int
    claims: int
    counts: tuple[VerdictCount, ...]
    units_run: int
    units_resumed: int
    units_left: int
    records: int
    duration_s: float
    import_s: float
    probes: tuple[ProbeTime, ...] = ()
    left: tuple[LeftUnit, ...] = ()


def verify_artifacts(
    home: Home,
    artifacts: Sequence[Artifact],
    options: VerifyOptions,
    on_progress: Callable[[VerifyProgress], None] | None = None,
    *,
    worker: Zygote | None = None,
) -> VerifyReport:
    """What verification came to, after recording evidence for every claim that could be judged.

    Parameters
    ----------
    home : Home
        Where finished units, evidence and trust are kept. Each unit is recorded when it is finished, so that an
        interrupted run goes on where it stopped.
    artifacts : sequence of Artifact
        What to verify: all their claims.
    options : VerifyOptions
        Labelled sets, budget, trust.
    on_progress : callable or None
        Hears of every step before it begins.
    worker : Zygote or None
        A worker to use and to leave running, for callers that verify often; it must import what the probes need
        (`PROBES[…].info.modules`). None starts one where something has to be run, and ends it.

    Raises
    ------
    SourceError
        A labelled set cannot be read.
    UnknownArtifact
        A name to trust is that of no artifact.
    InputError
        The device is not supported.
    ModelError
        The worker cannot be started.
    """
    started = time.perf_counter()
    check_options(options)
    shelf = Shelf(open_sets(options))
    trusted = _remember_trust(home, options.trust)

    def left_s() -> float:
        return float("inf") if options.budget_s is None else options.budget_s - (time.perf_counter() - started)

    def tell(done: int, total: int, artifact: Artifact, step: str, remaining_s: float | None = None) -> None:
        if on_progress is not None:
            on_progress(VerifyProgress(done, total, artifact.slug, step, remaining_s))

    surveyed = settle_all(
        home, artifacts, trusted, shelf, is_over=lambda: left_s() <= 0,
        tell=lambda number, artifact: tell(number, len(artifacts), artifact, "survey"), device=options.device,
    )  # fmt: skip
    units = [
        unit for one in surveyed.settled for unit in plan_units(one.ground, one.waiting, options.device, options.level)
    ]
    work = Work(
        home, units, left_s=left_s, unit_timeout_s=options.unit_timeout_s,
        tell=lambda done, unit, rest_s: tell(done, len(units), unit.ground.artifact, unit.probe, rest_s),
    )  # fmt: skip
    work.resume()
    if not options.run_models:
        work.leave_all()
    import_s = work.run(options.jobs, worker, options.device)
    unreached = {claim.id for claim in surveyed.unread} | {claim.id for unit in work.left for claim in unit.claims}
    counts = _count(home, artifacts, unreached)
    return VerifyReport(
        artifacts=len(artifacts),
        local_models=sum(one.ground.facts is not None for one in surveyed.settled),
        claims=sum(count.claims for count in counts),
        counts=counts,
        units_run=work.done["run"],
        units_resumed=work.done["resumed"],
        units_left=len(work.left),
        records=surveyed.records + work.done["records"],
        duration_s=time.perf_counter() - started,
        import_s=import_s,
        probes=_probe_times(work.took),
        left=tuple(map(_left, work.left)),
    )


def check_options(options: VerifyOptions) -> None:
    """Nothing, where the options can be followed here.

    Raises
    ------
    InputError
        No such device, none of that kind here, or no sensible number of jobs or level.
    """
    if options.device not in DEVICES:
        raise InputError(f"device {options.device!r}: models run on {' or '.join(DEVICES)}")
    if options.device == "cuda" and not _has_cuda():
        raise InputError("device 'cuda': torch finds none here: leave --device out to run on the processor")
    if options.device != "cpu" and not any("device" in probe.info.settings for probe in PROBES.values()):
        raise InputError(f"device {options.device!r}: no probe of this version measures there: leave --device out")
    if not 1 <= options.jobs <= JOBS_MOST:
        raise InputError(f"{options.jobs} jobs at once: choose 1 to {JOBS_MOST}")
    if not 0.5 <= options.level < 1:
        raise InputError(f"level {options.level}: choose one from 0.5 to below 1, such as 0.95")


def _has_cuda() -> bool:
    import torch

    return bool(torch.cuda.is_available())


def open_sets(options: VerifyOptions) -> dict[str, LabelledSet]:
    """The labelled sets that the options name, opened, by name."""
    return {name: open_data(name, path) for name, path in sorted(options.data.items())}


def _remember_trust(home: Home, names: Sequence[str]) -> frozenset[str]:
    """All that the user trusts, with the new names, kept as the ids of the artifacts that they name, or as digests."""
    with home.store.writing() as connection:
        trust(connection, _ids_or_digests(connection, names))
        return trusted_names(connection)


def trusted_now(home: Home, names: Sequence[str]) -> frozenset[str]:
    """All that the user trusts, with these names too, which are not remembered."""
    with home.store.reading() as connection:
        return trusted_names(connection) | set(_ids_or_digests(connection, names))


def _ids_or_digests(connection: Connection, names: Sequence[str]) -> list[str]:
    digests = [name for name in names if len(name) == 64 and not set(name) - set("0123456789abcdef")]
    return [*(find_artifact(connection, name).id for name in names if name not in digests), *digests]


def _count(home: Home, artifacts: Sequence[Artifact], unreached: set[str]) -> tuple[VerdictCount, ...]:
    """Claims by verdict and reason as they stand now, sorted; each claim is counted once."""
    counts: Counter[tuple[str, str]] = Counter()
    with home.store.reading() as connection:
        for artifact in artifacts:
            deciding = deciding_evidence(connection, artifact.id)
            for claim in artifact.claims:
                record = deciding.get(claim.id)
                if record is None or record.verdict is None:
                    counts[CLAIMED, "budget" if claim.id in unreached else ""] += 1
                else:
                    counts[record.verdict, record.reason_code or ""] += 1
    return tuple(VerdictCount(verdict, code, count) for (verdict, code), count in sorted(counts.items()))


def _probe_times(took: Sequence[tuple[Unit, float]]) -> tuple[ProbeTime, ...]:
    """How long the units took, by probe; the dearest first."""
    seconds: Counter[str] = Counter()
    units = Counter(unit.probe for unit, _ in took)
    for unit, took_s in took:
        seconds[unit.probe] += took_s  # type: ignore[assignment]
    order = sorted(units, key=lambda probe: (-seconds[probe], probe))
    return tuple(ProbeTime(probe, units[probe], seconds[probe]) for probe in order)


def _left(unit: Unit) -> LeftUnit:
    name = unit.data.name if unit.data is not None else None
    return LeftUnit(unit.ground.artifact.slug, unit.probe, name, unit.cost_s)
