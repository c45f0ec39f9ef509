"""Verification of artifacts: survey their files, run what is trusted and not yet finished, judge, record."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from graph.artifacts import Artifact
from graph.claims import Claim, Evidence
from graph.errors import InputError
from graph.events import now_us
from graph.home import Home
from graph.store.catalogue import find_artifact
from graph.store.evidence import (
    all_evidence,
    append_evidence,
    deciding_evidence,
    finish_unit,
    finished_unit,
    trust,
    trusted_names,
)
from inference.conclude import UnitResult, conclude
from inference.data.sets import open_data
from inference.ground import Ground, Shelf, survey
from inference.models.digests import FileDigests
from inference.models.locate import locate_model
from inference.probes import LOADING, PROBES
from inference.records import History, evidence_of, observations_of_files, observations_of_unit, sealed
from inference.routing import Need, route
from inference.sandbox.zygote import Zygote
from inference.units import Unit, plan_units, result_of, run_unit

DEVICES: Final = ("cpu",)
CLAIMED: Final = "claimed"
"""How a claim without a verdict is counted."""
_BATCH: Final = 200
"""Artifacts whose records are written in one transaction, where nothing had to be run for them."""


@dataclass(frozen=True)
class VerifyOptions:
    """How to verify: labelled sets by name, a time budget, names to trust.

    `budget_s` bounds the whole run (None: no bound); `unit_timeout_s` one unit of work; `trust` holds artifact names
    or model digests, remembered in the home. Without `run_models` only checks are made: files are read, finished units
    are judged again, and nothing is run.
    """

    data: Mapping[str, Path] = field(default_factory=dict)
    budget_s: float | None = None
    trust: tuple[str, ...] = ()
    device: str = "cpu"
    unit_timeout_s: float = 120.0
    run_models: bool = True


@dataclass(frozen=True)
class VerifyProgress:
    """Where a run is: `done` of `total` steps, and what is worked on now ("survey" or a probe's name)."""

    done: int
    total: int
    artifact: str
    step: str


@dataclass(frozen=True)
class VerdictCount:
    """How many claims stand at a verdict with a reason; `verdict` is `claimed` where there is none yet."""

    verdict: str
    reason_code: str
    claims: int


@dataclass(frozen=True)
class VerifyReport:
    """What a run came to. The `counts` sum up to `claims`.

    Units of work are `run`, `resumed` (finished in an earlier run) or `left` (the budget ended before them);
    `records` were appended. `import_s` is the worker's start, 0 where nothing had to be run.
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
    if options.device not in DEVICES:
        raise InputError(f"device {options.device!r}: this version runs models on {', '.join(DEVICES)} only")
    shelf = Shelf({name: open_data(name, path) for name, path in sorted(options.data.items())})
    trusted = _remember_trust(home, options.trust)
    run = _Run(home, shelf, options, started, on_progress)
    grounds = run.survey_all(artifacts, trusted)
    units = run.plan(grounds)
    if not options.run_models:
        units = run.only_finished(units)
    import_s = run.run_all(units, worker) if units else 0.0
    counts = _count(home, artifacts, run.unreached)
    return VerifyReport(
        artifacts=len(artifacts),
        local_models=sum(ground.facts is not None for ground in grounds),
        claims=sum(count.claims for count in counts),
        counts=counts,
        units_run=run.done["run"],
        units_resumed=run.done["resumed"],
        units_left=run.done["left"],
        records=run.done["records"],
        duration_s=time.perf_counter() - started,
        import_s=import_s,
    )


def _remember_trust(home: Home, names: Sequence[str]) -> frozenset[str]:
    """All that the user trusts, with the new names, kept as the ids of the artifacts that they name, or as digests."""
    with home.store.writing() as connection:
        digests = [name for name in names if len(name) == 64 and not set(name) - set("0123456789abcdef")]
        ids = [find_artifact(connection, name).id for name in names if name not in digests]
        trust(connection, [*ids, *digests])
        return trusted_names(connection)


class _Run:
    """One run: what it works with, and what it has done so far."""

    def __init__(
        self,
        home: Home,
        shelf: Shelf,
        options: VerifyOptions,
        started: float,
        on_progress: Callable[[VerifyProgress], None] | None,
    ) -> None:
        self._home, self._shelf, self._options = home, shelf, options
        self._started, self._on_progress = started, on_progress
        self._histories: dict[str, History] = {}
        self._waiting: dict[str, list[tuple[Claim, Need]]] = {}
        self.done: Counter[str] = Counter()
        self.unreached: set[str] = set()

    def survey_all(self, artifacts: Sequence[Artifact], trusted: frozenset[str]) -> list[Ground]:
        """What is known of each artifact; records all that needs no run."""
        grounds: list[Ground] = []
        digests = FileDigests(self._home.path / "digests.json")
        with contextlib.ExitStack() as stack:
            stack.callback(digests.save)
            writer = stack.enter_context(_Writer(self._home))
            for number, artifact in enumerate(artifacts):
                self._tell(number, len(artifacts), artifact, "survey")
                if self._left_s() <= 0 and locate_model(artifact.weights).path is not None:  # reading files takes time
                    self._leave(artifact.claims)
                    continue
                ground = survey(artifact, trusted, digests)
                grounds.append(ground)
                self._settle(ground, writer)
        self.done["records"] += writer.written
        return grounds

    def _settle(self, ground: Ground, writer: _Writer) -> None:
        artifact, now = ground.artifact, now_us()
        with self._home.store.reading() as connection:
            history = History(all_evidence(connection, artifact.id))
        self._histories[artifact.id] = history
        waiting = self._waiting.setdefault(artifact.id, [])
        records = observations_of_files(ground, now)
        for claim in artifact.claims:
            routed = route(claim, ground, self._shelf)
            if isinstance(routed, Need):
                waiting.append((claim, routed))
            else:
                records.append(evidence_of(claim, routed, ground, None, now))
        writer.add(_news(history, records))

    def plan(self, grounds: Iterable[Ground]) -> list[Unit]:
        """All units of work, model by model."""
        return [unit for ground in grounds for unit in plan_units(ground, self._waiting[ground.artifact.id])]

    def only_finished(self, units: Sequence[Unit]) -> list[Unit]:
        """The units that need not be run any more; the claims of the others are left as they are."""
        with self._home.store.reading() as connection:
            finished = {unit.id for unit in units if finished_unit(connection, unit.id) is not None}
        for unit in units:
            if unit.id not in finished:
                self.done["left"] += 1
                self._leave(unit.claims)
        return [unit for unit in units if unit.id in finished]

    def run_all(self, units: Sequence[Unit], worker: Zygote | None) -> float:
        """Run or resume all units, each recorded when it is finished; seconds that the worker took to start."""
        broken: dict[str, UnitResult] = {}
        left: set[str] = set()  # models whose loading the budget did not reach: nothing else is tried on them
        with contextlib.ExitStack() as stack:
            zygote = worker or stack.enter_context(Zygote(self._modules(units)))
            for number, unit in enumerate(units):
                self._tell(number, len(units), unit.ground.artifact, unit.probe)
                artifact = unit.ground.artifact.id
                result = broken.get(artifact) or (None if artifact in left else self._result(zygote, unit))
                if result is None:
                    left.add(artifact)
                    self.done["left"] += 1
                    self._leave(unit.claims)
                    continue
                if unit.probe == LOADING.info.name and not result.usable:
                    broken[artifact] = result
                self._record(unit, result)
            return zygote.import_s

    def _modules(self, units: Sequence[Unit]) -> list[str]:
        """What the worker imports: the needs of the probes that are not finished yet."""
        with self._home.store.reading() as connection:
            pending = {unit.probe for unit in units if finished_unit(connection, unit.id) is None}
        return sorted({module for probe in pending for module in PROBES[probe].info.modules})

    def _result(self, zygote: Zygote, unit: Unit) -> UnitResult | None:
        """The result of a unit: kept from an earlier run, or run now; None where the budget does not reach."""
        with self._home.store.reading() as connection:
            kept = finished_unit(connection, unit.id)
        if kept is not None:
            self.done["resumed"] += 1
            return UnitResult.model_validate_json(kept)
        left_s = self._left_s()
        if unit.cost_s > left_s:
            return None
        timeout_s = min(self._options.unit_timeout_s, left_s)
        answer = run_unit(zygote, unit, timeout_s)
        if answer.failure == "timeout" and timeout_s < self._options.unit_timeout_s:
            return None  # the budget ended, not the unit's own time
        self.done["run"] += 1
        return result_of(unit, answer)

    def _record(self, unit: Unit, result: UnitResult) -> None:
        """Write a unit's result and what follows from it, in one transaction."""
        ground, now = unit.ground, now_us()
        records = observations_of_unit(ground, result, now) if result.unit == unit.id else []
        records += [evidence_of(claim, conclude(claim, ground, result), ground, result, now) for claim in unit.claims]
        news = _news(self._histories[ground.artifact.id], records)
        with self._home.store.writing() as connection:
            if result.lasting and result.unit == unit.id:
                finish_unit(connection, unit.id, ground.artifact.id, unit.probe, result.model_dump_json())
            append_evidence(connection, news)
        self.done["records"] += len(news)

    def _left_s(self) -> float:
        budget_s = self._options.budget_s
        return float("inf") if budget_s is None else budget_s - (time.perf_counter() - self._started)

    def _leave(self, claims: Iterable[Claim]) -> None:
        self.unreached.update(claim.id for claim in claims)

    def _tell(self, done: int, total: int, artifact: Artifact, step: str) -> None:
        if self._on_progress is not None:
            self._on_progress(VerifyProgress(done, total, artifact.slug, step))


class _Writer:
    """Appends records in batches, and what is left when it is closed, also after an interruption."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._pending: list[Evidence] = []
        self._artifacts = 0
        self.written = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._flush()

    def add(self, records: Sequence[Evidence]) -> None:
        """Keep an artifact's records for the next batch."""
        self._pending += records
        self._artifacts += 1
        if self._artifacts >= _BATCH:
            self._flush()

    def _flush(self) -> None:
        if self._pending:
            with self._home.store.writing() as connection:
                append_evidence(connection, self._pending)
        self.written += len(self._pending)
        self._pending, self._artifacts = [], 0


def _news(history: History, records: Sequence[Evidence]) -> list[Evidence]:
    """The records that say something new, sealed, in order; the history takes them in."""
    news = []
    for record in records:
        if history.is_news(record):
            history.add(record)
            news.append(sealed(record))
    return news


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
