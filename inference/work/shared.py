"""Units of work, shared with other processes: each is claimed by a lease, run in a child and recorded at once."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from graph.claims import Claim
from graph.events import now_us
from graph.home import Home
from graph.store.evidence import append_evidence, finish_unit, finished_unit
from graph.store.jobs import ATTEMPTS_MOST, job_standings, measured_costs
from inference.ground import Ground
from inference.judging.conclude import conclude
from inference.judging.results import UnitResult
from inference.judging.routing import Finding
from inference.probes import PROBES
from inference.sandbox.layers import switched_off
from inference.sandbox.zygote import Zygote
from inference.verdicts.rules import Judgement
from inference.work.leases import Leases
from inference.work.machine import machine
from inference.work.pace import Pace
from inference.work.records import evidence_of, observations_of_unit
from inference.work.settle import news
from inference.work.units import Unit, blank_result, loading_probe, result_of, run_unit

LOST: Final = f"the process that ran it was lost {ATTEMPTS_MOST} times and left no answer"
_POLL_S: Final = 0.2
_CANDIDATES: Final = 200
"""Units that are looked at for one claim."""


@dataclass(frozen=True)
class _Step:
    """What to do next: a unit with its result where that is known already; `attempt` counts from 1."""

    unit: Unit
    result: UnitResult | None = None
    attempt: int = 0


class Work:
    """The units of one run, and what has become of them; used once.

    Parameters
    ----------
    home : Home
        Where jobs, finished units and evidence are kept.
    units : sequence of Unit
        In the order of the plan, a model's loading before whatever else is tried on it.
    left_s : callable
        Seconds that the budget still has.
    unit_timeout_s : float
        Seconds after which one unit is killed.
    tell : callable
        Hears how many units are done, the unit, and the seconds that the rest will take, before each.
    """

    def __init__(
        self, home: Home, units: Sequence[Unit], *, left_s: Callable[[], float], unit_timeout_s: float,
        tell: Callable[[int, Unit, float], None],
    ) -> None:  # fmt: skip
        self._home, self._left_s, self._unit_timeout_s, self._tell = home, left_s, unit_timeout_s, tell
        self._loading = {unit for unit in units if unit.probe == loading_probe(unit.ground)}
        self._pending = sorted(units, key=self._turn)  # stable: within a turn in the order of the plan
        self._leases = Leases(home)
        self._unready = {unit.ground.artifact.id for unit in self._loading}
        self._unloaded: set[str] = set()
        self._broken: dict[str, UnitResult] = {}
        self._deciding, self._telling, self._over = threading.Lock(), threading.Lock(), threading.Event()
        self._errors: list[BaseException] = []
        self._ended, self._jobs = 0, 1
        self.done: Counter[str] = Counter()
        self.left: list[Unit] = []
        self.took: list[tuple[Unit, float]] = []
        with home.store.reading() as connection:
            self._pace = Pace(measured_costs(connection))

    def resume(self) -> None:
        """Judge the claims of all units that are finished already; the others stay to be run."""
        pending, self._pending = self._pending, []
        for position, unit in enumerate(pending):
            with self._home.store.reading() as connection:
                kept = finished_unit(connection, unit.id)
            broken = self._broken.get(unit.ground.artifact.id)
            result = broken if kept is None else UnitResult.model_validate_json(kept)
            if result is None:
                self._pending.append(unit)
                continue
            self._say(unit, [*self._pending, *pending[position:]])
            self.done["resumed"] += kept is not None
            self._record(unit, result)

    def leave_all(self) -> None:
        """Run nothing: what is not finished is left."""
        self.left += self._pending
        self._pending = []

    def run(self, jobs: int = 1, worker: Zygote | None = None, device: str = "cpu") -> float:
        """Run what is left, so many units at once; seconds that the slowest worker took to start.

        Whatever ends it, no lease is kept: another run goes on where this one stopped.
        """
        if not self._pending:
            return 0.0
        self._jobs = jobs
        self._leases.add(self._pending)
        modules = sorted({module for unit in self._pending for module in PROBES[unit.probe].info.modules})
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._leases.held())
            given = [worker] if worker is not None else []
            without = switched_off(self._home.settings.sandbox)
            fresh = (Zygote(modules, device=device, without=without) for _ in range(jobs - len(given)))
            workers = [*given, *(stack.enter_context(zygote) for zygote in fresh)]
            if jobs == 1:
                self._loop(workers[0])
            else:
                self._loop_in_threads(workers)
            return max(zygote.import_s for zygote in workers)

    def _turn(self, unit: Unit) -> tuple[bool, bool]:
        """When a unit is due: what claims wait for before what is only observed, what runs alone at the end of each."""
        is_loading = unit in self._loading
        return not (unit.claims or is_loading), unit.alone and not is_loading

    # What is next -------------------------------------------------------------------------------------------
    def _loop(self, zygote: Zygote) -> None:
        while (step := self._next()) is not None:
            if step.result is not None:
                self._record(step.unit, step.result)
            else:
                self._run_claimed(zygote, step)

    def _next(self) -> _Step | None:
        """The next thing to do, told before it begins; None where nothing is left. Waits for what others hold."""
        while not self._over.is_set():
            with self._deciding:
                self._leave_unaffordable()
                if not self._pending:
                    return None
                step = self._known() or self._claimed()
                if step is not None:
                    rest = list(self._pending)
                    self._pending.remove(step.unit)
            if step is not None:
                self._say(step.unit, rest)
                return step
            time.sleep(_POLL_S)
        return None

    def _leave_unaffordable(self) -> None:
        """Give up units that the budget does not reach; with its loading goes the whole model."""
        left_s = self._left_s()
        for unit in self._ready():
            if left_s <= 0 or unit.cost_s > left_s:
                self._leave(unit)
                self._pending.remove(unit)
        for unit in [unit for unit in self._pending if unit.ground.artifact.id in self._unloaded]:
            self._leave(unit)
            self._pending.remove(unit)

    def _ready(self) -> list[Unit]:
        """The units whose model was loaded, or that load it."""
        return [unit for unit in self._pending if unit in self._loading or unit.ground.artifact.id not in self._unready]

    def _known(self) -> _Step | None:
        """A unit whose result is known: its model does not load, or somebody has run it meanwhile."""
        for unit in self._pending:
            if (broken := self._broken.get(unit.ground.artifact.id)) is not None:
                return _Step(unit, broken)
        ready = self._ready()[:_CANDIDATES]
        with self._home.store.reading() as connection:
            standing = job_standings(connection, [unit.id for unit in ready])
            for unit in ready:
                job = standing[unit.id]
                kept = finished_unit(connection, unit.id) if job.state == "done" else job.failure
                if job.state in ("done", "left") and kept is not None:
                    self.done["resumed"] += 1
                    return _Step(unit, UnitResult.model_validate_json(kept))
        return None

    def _claimed(self) -> _Step | None:
        """The first unit that is free, leased to this process now."""
        ready = {unit.id: unit for unit in reversed(self._ready()[:_CANDIDATES])}
        claimed = self._leases.take(list(reversed(ready)))
        return _Step(ready[claimed[0]], attempt=claimed[1]) if claimed is not None else None

    # Running ------------------------------------------------------------------------------------------------
    def _run_claimed(self, zygote: Zygote, step: _Step) -> None:
        """Run a unit that this process holds, and record what came out; it goes back where the budget ends first."""
        unit = step.unit
        if step.attempt > ATTEMPTS_MOST:
            self._record(unit, blank_result(unit).model_copy(update={"failure": "crashed", "what": LOST}), ran=True)
            return
        with machine(alone=unit.alone, is_over=lambda: self._over.is_set() or self._left_s() <= 0) as had:
            timeout_s = min(self._unit_timeout_s, self._left_s())
            answer = run_unit(zygote, unit, timeout_s) if had and timeout_s > 0 else None
        if self._over.is_set():
            return  # its worker was ended, which says nothing; the lease is given back with all others
        if answer is None or (answer.failure == "timeout" and timeout_s < self._unit_timeout_s):
            self._leases.give_back(unit.id)
            self._leave(unit)  # the budget ended, not the unit's own time
            return
        if self._record(unit, result_of(unit, answer), ran=True):
            self.done["run"] += 1

    def _record(self, unit: Unit, result: UnitResult, *, ran: bool = False) -> bool:
        """Whether a unit's result, and what follows from it, was written: in one transaction, by the lease's holder."""
        ground, now = unit.ground, now_us()
        own = result.unit == unit.id
        records = observations_of_unit(ground, result, now) if own else []
        records += [evidence_of(claim, _finding(claim, ground, result), ground, result, now) for claim in unit.claims]
        with self._home.store.writing() as connection:
            is_mine = not ran or self._end(connection, unit, result)
            fresh = news(connection, ground.artifact.id, records) if is_mine else []
            append_evidence(connection, fresh)
        with self._deciding:
            if not is_mine:  # this process was taken for lost: another one runs the unit
                self._pending.append(unit)
                return False
            self._ended += 1
            self.done["records"] += len(fresh)
            if own and unit in self._loading:
                self._unready.discard(ground.artifact.id)
                if not result.usable:
                    self._broken[ground.artifact.id] = result
            if ran:
                self._pace.add(unit, result.duration_s)
                self.took.append((unit, result.duration_s))
        return True

    def _end(self, connection: Connection, unit: Unit, result: UnitResult) -> bool:
        """Whether the job was this process's to end; what lasts is kept as a finished unit."""
        kept = result.model_dump_json()
        lasting = result.lasting and not _is_lost(result)
        failure = None if lasting else kept
        is_mine = self._leases.end(connection, unit.id, duration_s=result.duration_s, failure=failure)
        if is_mine and lasting:
            finish_unit(connection, unit.id, unit.ground.artifact.id, unit.probe, kept)
        return is_mine

    def _leave(self, unit: Unit) -> None:
        self.left.append(unit)
        if unit in self._loading:
            self._unloaded.add(unit.ground.artifact.id)

    def _say(self, unit: Unit, rest: Sequence[Unit]) -> None:
        with self._telling:
            self._tell(self._ended, unit, self._pace.left_s(rest, self._jobs))

    # Threads and leases -------------------------------------------------------------------------------------
    def _loop_in_threads(self, workers: Sequence[Zygote]) -> None:
        """One thread a worker. An error in one of them, or Ctrl-C here, ends all, their children too."""
        threads = [threading.Thread(target=self._loop_caught, args=(zygote,), daemon=True) for zygote in workers]
        try:
            for thread in threads:
                thread.start()
            while any(thread.is_alive() for thread in threads) and not self._errors:
                threads[0].join(_POLL_S) if threads[0].is_alive() else time.sleep(_POLL_S)
        finally:
            if any(thread.is_alive() for thread in threads):
                self._over.set()
                for zygote in workers:
                    zygote.stop()
            for thread in threads:
                thread.join()
        if self._errors:
            raise self._errors[0]

    def _loop_caught(self, zygote: Zygote) -> None:
        try:
            self._loop(zygote)
        except BaseException as error:  # noqa: BLE001 - raised again in the main thread
            if not self._over.is_set():  # else it is only what ending its worker looks like
                self._errors.append(error)


def _is_lost(result: UnitResult) -> bool:
    return result.failure == "crashed" and result.what == LOST


def _finding(claim: Claim, ground: Ground, result: UnitResult) -> Finding:
    """What a unit's result says about a claim; a unit whose process was lost too often says nothing about the model."""
    if _is_lost(result):
        judgement = Judgement("error", "crashed", LOST)
        return Finding(judgement, method=result.probe, method_version=result.version)
    return conclude(claim, ground, result)
