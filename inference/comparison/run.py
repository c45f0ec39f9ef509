"""`evaluate models`: every model is asked the same items in the sandbox, and what it got right is compared in pairs."""

from __future__ import annotations

import contextlib
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from graph.digest import digest_of
from graph.events import now_us
from graph.home import Home
from graph.model_comparison import EvaluateModelsResponse
from graph.store.evidence import all_evidence, append_evidence, finish_unit, finished_unit
from inference.comparison.labels import translated_answer
from inference.comparison.models import Candidate, NotComparable, Trial, find_candidates, plan_trial
from inference.comparison.options import CompareOptions, open_source, repeat_command
from inference.comparison.outcomes import Outcome, outcome_of
from inference.comparison.response import Compared, comparison_response
from inference.data.sets import LabelledSet, sample
from inference.judging.results import UnitResult
from inference.probes import LOADING, PROBES
from inference.sandbox.answers import Answer
from inference.sandbox.layers import switched_off
from inference.sandbox.zygote import Zygote
from inference.work.machine import machine
from inference.work.records import History, observations_of_unit, sealed
from inference.work.units import Unit, loading_probe, result_of, run_unit

VERSION: Final = "1"
_LEAST_TIMEOUT_S: Final = 120.0
_PATIENCE: Final = 10.0
"""A model gets this many times the seconds it was estimated to need."""
_PICTURE: Final = re.compile(r"^picture (\d+) of the set")
OnStep = Callable[[str, int, int], None]


def compare_models(
    home: Home,
    names: Sequence[str],
    source: Path,
    options: CompareOptions,
    on_step: OnStep | None = None,
    *,
    worker: Zygote | None = None,
) -> EvaluateModelsResponse:
    """Which of these models does best on these items, with intervals for every pair.

    Parameters
    ----------
    home : Home
        Where finished work is kept: an interrupted comparison goes on where it stopped. What artifacts of the home
        measured is appended to its evidence, as observations.
    names : sequence of str
        Folders of models, artifacts of the home, or hub ids in the local cache.
    source : Path
        A CSV or parquet file, a folder of pictures by label, or the name of a built-in set.
    options : CompareOptions
        Task, label map, part of the set, trust, budget.
    on_step : callable or None
        Hears which model is asked, how many steps are done and how many there are.
    worker : Zygote or None
        A worker to use and to leave running; None starts one where something has to be run.

    Raises
    ------
    SourceError
        The set cannot be read.
    InputError
        A model, task, device, label or name to trust is unknown.
    ModelError
        The worker cannot be started.
    """
    started = time.perf_counter()
    task = options.full_task()
    whole = open_source(source)
    data = sample(whole, options.limit, options.seed)
    options.labels.check(data)
    candidates = find_candidates(home, names, options.trust)
    run = _Run(home, options, started, on_step)
    compared = run.all(candidates, data, task, worker)
    return comparison_response(
        compared, data, of_items=len(whole.items), task=task, seed=options.seed, device=options.device,
        units=run.done, duration_s=time.perf_counter() - started, repeat=repeat_command(names, source, options),
    )  # fmt: skip


class _Run:
    """One comparison: what it works with, and what it has done so far."""

    def __init__(self, home: Home, options: CompareOptions, started: float, on_step: OnStep | None) -> None:
        self._home, self._options, self._started, self._on_step = home, options, started, on_step
        self.done: Counter[str] = Counter()

    def all(
        self, candidates: Sequence[Candidate], data: LabelledSet, task: str | None, worker: Zygote | None
    ) -> list[Compared]:
        """What each model did, in the order given; the worker starts only where something has to be run."""
        trials = [self._plan(candidate, data, task) for candidate in candidates]
        with contextlib.ExitStack() as stack:
            without = switched_off(self._home.settings.sandbox)
            zygote = worker or stack.enter_context(Zygote(self._modules(trials), without=without))
            compared = []
            for number, (candidate, trial) in enumerate(zip(candidates, trials, strict=True)):
                if self._on_step is not None:
                    self._on_step(candidate.name, number, len(candidates))
                compared.append(self._one(zygote, candidate, trial))
            return compared

    def _plan(self, candidate: Candidate, data: LabelledSet, task: str | None) -> Trial | NotComparable:
        try:
            return plan_trial(candidate, data, task, self._options.labels)
        except NotComparable as reason:
            return reason

    def _modules(self, trials: Sequence[Trial | NotComparable]) -> list[str]:
        planned = [trial for trial in trials if isinstance(trial, Trial)]
        probes = {trial.probe.info.name for trial in planned}
        probes |= {_loader(trial) for trial in planned}
        return sorted({module for probe in probes for module in PROBES[probe].info.modules})

    def _one(self, zygote: Zygote, candidate: Candidate, trial: Trial | NotComparable) -> Compared:
        if isinstance(trial, NotComparable):
            return Compared(candidate, None, None, trial.code, trial.reason)
        loaded = self._load(zygote, trial)
        if loaded is None:
            return self._out_of_budget(trial)
        if not loaded.usable:
            return Compared(candidate, trial, None, *_unusable(loaded))
        unit = Unit(candidate.ground, trial.probe.info.name, trial.data, ())
        kept = self._kept(compared_id(unit))
        if kept is not None:
            self.done["resumed"] += 1
            return _concluded(candidate, trial, Outcome.model_validate_json(kept), resumed=True)
        outcome = self._ask(zygote, trial, unit)
        if outcome is None:
            return self._out_of_budget(trial)
        return self._record(trial, unit, loaded, outcome)

    def _load(self, zygote: Zygote, trial: Trial) -> UnitResult | None:
        """How the model loads: kept from `verify` or an earlier comparison, or tried now; None: no time is left."""
        ground = trial.candidate.ground
        unit = Unit(ground, _loader(trial), None, ())
        kept = self._kept(unit.id)
        if kept is not None:
            return UnitResult.model_validate_json(kept)
        answer = self._run(zygote, unit, unit.cost_s)
        if answer is None:
            return None
        result = result_of(unit, answer)
        self._keep(unit.id, unit, result.model_dump_json(), lasting=result.lasting)
        return result

    def _ask(self, zygote: Zygote, trial: Trial, unit: Unit) -> Outcome | None:
        """What the model did with the items, in the user's labels; None where no time is left."""
        answer = self._run(zygote, unit, trial.cost_s)
        if answer is None:
            return None
        self.done["run"] += 1
        if answer.raw is not None:
            with contextlib.suppress(ValueError):  # what is no JSON is refused when it is scored
                answer = replace(answer, raw=translated_answer(answer.raw, trial.meaning))
        result = result_of(unit, answer)
        try:
            return outcome_of(result, answer.raw, trial.data)
        except ValueError as error:
            failed = {"failure": "missing_dependency", "what": str(error), "measured": None}
            return Outcome(result=result.model_copy(update=failed), metric="", items=0)

    def _run(self, zygote: Zygote, unit: Unit, cost_s: float) -> Answer | None:
        left_s = self._left_s()
        timeout_s = max(_LEAST_TIMEOUT_S, _PATIENCE * cost_s)
        if cost_s > left_s:
            return None
        with machine(alone=False, is_over=lambda: self._left_s() <= 0) as had:  # others may be timing
            if not had:
                return None
            left_s = self._left_s()
            answer = run_unit(zygote, unit, min(timeout_s, left_s))
        ended = answer.failure == "timeout" and left_s < timeout_s  # the budget ended, not the model's own time
        return None if ended else answer

    def _record(self, trial: Trial, unit: Unit, loaded: UnitResult, outcome: Outcome) -> Compared:
        """Keep what a model did, and append it to the evidence of an artifact of the home."""
        result = outcome.result
        self._keep(compared_id(unit), unit, outcome.model_dump_json(), lasting=result.failure is None)
        found = _concluded(trial.candidate, trial, outcome)
        if trial.candidate.origin != "home" or result.measured is None:
            return found
        ground, now = trial.candidate.ground, now_us()
        records = [
            record.model_copy(update={"repeat": _repeat(trial)}) for record in observations_of_unit(ground, result, now)
        ]
        with self._home.store.writing() as connection:
            history = History(all_evidence(connection, ground.artifact.id))
            news = [sealed(record) for record in records if history.is_news(record)]
            append_evidence(connection, news)
        return replace(found, evidence=tuple(record.id for record in news))

    def _kept(self, unit: str) -> str | None:
        with self._home.store.reading() as connection:
            return finished_unit(connection, unit)

    def _keep(self, ident: str, unit: Unit, payload: str, *, lasting: bool) -> None:
        if lasting:
            with self._home.store.writing() as connection:
                finish_unit(connection, ident, unit.ground.artifact.id, unit.probe, payload)

    def _out_of_budget(self, trial: Trial) -> Compared:
        self.done["left"] += 1
        what = f"about {trial.cost_s:.0f} s are needed: raise --budget-s or ask fewer items with --limit"
        return Compared(trial.candidate, trial, None, "budget", what)

    def _left_s(self) -> float:
        budget_s = self._options.budget_s
        return float("inf") if budget_s is None else budget_s - (time.perf_counter() - self._started)


def compared_id(unit: Unit) -> str:
    """The id under which a unit's answers are kept item by item; `verify` keeps the same unit without them."""
    return "cm_" + digest_of([unit.id, VERSION])[:32]


def _unusable(loaded: UnitResult) -> tuple[str, str]:
    """Reason code and line of a model that did not come out whole."""
    measured = loaded.measured
    if measured is None:
        return loaded.failure or "crashed", loaded.what
    if measured.loads is False:
        return "load_failed", measured.detail
    return "non_finite", measured.detail or "one made-up item gives numbers that are not finite"


def _loader(trial: Trial) -> str:
    """The probe that loads the model: what it finds broken is not asked anything."""
    return loading_probe(trial.candidate.ground) or LOADING.info.name


def _concluded(candidate: Candidate, trial: Trial, outcome: Outcome, *, resumed: bool = False) -> Compared:
    result = outcome.result
    if result.failure is None and result.measured is not None:
        return Compared(candidate, trial, outcome, resumed=resumed)
    return Compared(candidate, trial, outcome, result.failure or "crashed", _with_file(trial, result.what), resumed)


def _with_file(trial: Trial, what: str) -> str:
    """A child's message about a picture by number, with the name of its file."""
    found = _PICTURE.match(what)
    number = int(found[1]) if found else 0
    if not 1 <= number <= len(trial.data.items):
        return what
    item = trial.data.items[number - 1]
    named = f"{item.parent.name}/{item.name}" if isinstance(item, Path) else "it"
    return f"{what}: replace {named} or remove it"


def _repeat(trial: Trial) -> str:
    """The command that repeats a model's part of the comparison, without any path."""
    return f"matchgraph evaluate models {trial.candidate.ground.artifact.slug} --data {trial.data.name}=…"
