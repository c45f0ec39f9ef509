"""What verification would do, without running or recording anything: units, seconds, and the data sets it waits for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from graph.artifacts import Artifact
from graph.attempts import is_complete
from graph.claims import Claim
from graph.home import Home
from graph.store.evidence import deciding_evidence, finished_unit
from graph.store.jobs import measured_costs
from inference.data.sets import ItemKind, LabelledSet, same_name
from inference.ground import Ground, Shelf
from inference.judging.conclude import conclude
from inference.judging.results import UnitResult
from inference.judging.routing import Need, route
from inference.probes import PROBES
from inference.probes.zero_shot import entails
from inference.work.executor import VerifyOptions, VerifyProgress, check_options, open_sets, trusted_now
from inference.work.pace import Pace
from inference.work.settle import Settled, settle_all
from inference.work.units import Settings, Unit, plan_units

Opened = Mapping[str, LabelledSet]
ANY_NAME: Final = "any name"
"""How a set is called that no claim names: one that says whether a model runs."""


@dataclass(frozen=True)
class PlannedUnit:
    """A unit of work: what it will cost in seconds, how many claims wait for it, and where it stands.

    `shared`: the same unit as one before it, of the same model under another name; it is run once.
    """

    artifact: str
    probe: str
    data: str | None
    settings: Settings
    cost_s: float
    alone: bool
    claims: int
    state: Literal["waiting", "finished", "shared"]


@dataclass(frozen=True)
class WantedSet:
    """A labelled set that is not at hand, and how many claims would no longer lack data if it were.

    `labels` and `kind` are those of the models that wait for it: a set with others decides nothing. `at_most`: the
    number cannot be sure, because models with different labels wait for it, or one of them was not loaded yet.
    """

    name: str
    kind: ItemKind
    labels: tuple[str, ...]
    claims: int
    at_most: bool


@dataclass(frozen=True)
class Plan:
    """What a run would do. The claims add up: `settled` + `waiting` + `without_data` = `claims`.

    `settled` need no run, `waiting` are decided by the units, `without_data` are left for lack of a labelled set.
    `cost_s` is the work, `time_s` how long it takes with so many jobs, without the start of the workers.
    `data` are the sets that claims name, the one that decides most first; `any_data` those that no claim names.
    """

    claims: int
    settled: int
    waiting: int
    without_data: int
    units: tuple[PlannedUnit, ...]
    cost_s: float
    time_s: float
    data: tuple[WantedSet, ...]
    any_data: tuple[WantedSet, ...]


def plan_verification(
    home: Home,
    artifacts: Sequence[Artifact],
    options: VerifyOptions,
    on_progress: Callable[[VerifyProgress], None] | None = None,
) -> Plan:
    """What `verify_artifacts` would do with the same options; nothing is run, and nothing recorded.

    Raises
    ------
    SourceError, UnknownArtifact, InputError
        As `verify_artifacts`.
    """
    check_options(options)
    opened = open_sets(options)

    def tell(number: int, artifact: Artifact) -> None:
        if on_progress is not None:
            on_progress(VerifyProgress(number, len(artifacts), artifact.slug, "survey"))

    trusted = trusted_now(home, options.trust)
    surveyed = settle_all(
        home, artifacts, trusted, Shelf(opened), is_over=lambda: False, tell=tell, device=options.device, keep=False
    )
    units = [
        unit for one in surveyed.settled for unit in plan_units(one.ground, one.waiting, options.device, options.level)
    ]
    with home.store.reading() as connection:
        kept = {unit.id: finished_unit(connection, unit.id) for unit in units}
        pace = Pace(measured_costs(connection))
    results = {ident: UnitResult.model_validate_json(text) for ident, text in kept.items() if text is not None}
    lacking = list(_lacking(home, surveyed.settled, units, results))
    missing = {each.claim.id for each in lacking}
    waiting = {claim.id for one in surveyed.settled for claim, _ in one.waiting if claim is not None} - missing
    claims = sum(len(artifact.claims) for artifact in artifacts)
    pending = {unit.id: unit for unit in units if unit.id not in results}.values()
    return Plan(
        claims=claims,
        settled=claims - len(waiting) - len(missing),
        waiting=len(waiting),
        without_data=len(missing),
        units=tuple(_planned(units, pace, results)),
        cost_s=pace.left_s(pending, 1),
        time_s=pace.left_s(pending, options.jobs),
        data=_named_sets(lacking, opened),
        any_data=_unnamed_sets(lacking, opened),
    )


def _planned(units: Iterable[Unit], pace: Pace, results: Mapping[str, UnitResult]) -> Iterator[PlannedUnit]:
    seen: set[str] = set()
    for unit in units:
        ident, name = unit.id, unit.data.name if unit.data is not None else None
        state: Literal["waiting", "finished", "shared"] = "shared" if ident in seen else "waiting"
        state = "finished" if ident in results else state
        cost_s = pace.cost_s(unit) if state == "waiting" else 0.0
        seen.add(ident)
        yield PlannedUnit(unit.ground.artifact.slug, unit.probe, name, unit.settings, cost_s, unit.alone,
                          len(unit.claims), state)  # fmt: skip


# Claims that lack data ------------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Lacking:
    """A claim that would end as `no_data`; `sure` where that does not hang on a unit that was not run yet."""

    claim: Claim
    ground: Ground
    sure: bool = True


def _lacking(
    home: Home, settled: Iterable[Settled], units: Iterable[Unit], results: dict[str, UnitResult]
) -> Iterator[_Lacking]:
    """The claims that would end as `no_data`, as far as that can be told: unless they were decided before."""
    unit_of = {claim.id: unit for unit in units for claim in unit.claims}
    for one in settled:
        ground, digest = one.ground, one.ground.model.digest if one.ground.model is not None else None
        with home.store.reading() as connection:
            deciding = deciding_evidence(connection, ground.artifact.id)
        decided = {
            claim for claim, record in deciding.items()
            if is_complete(record) and (record.model is None or record.model.digest == digest)
        }  # fmt: skip
        for claim, finding in one.findings:
            if finding.judgement.reason_code == "no_data" and claim.id not in decided:
                yield _Lacking(claim, ground)
        for waiter, need in one.waiting:
            if waiter is None or waiter.id in decided or waiter.metric != "runs" or need.data is not None:
                continue
            unit = unit_of.get(waiter.id)
            result = results.get(unit.id) if unit is not None else None
            if result is None and unit is not None:
                yield _Lacking(waiter, ground, sure=False)
            elif result is not None and conclude(waiter, ground, result).judgement.reason_code == "no_data":
                yield _Lacking(waiter, ground)


# Sets that would help -------------------------------------------------------------------------------------
def _named_sets(lacking: Sequence[_Lacking], opened: Opened) -> tuple[WantedSet, ...]:
    """What each set would decide that a claim names, most first."""
    names: list[str] = []
    for each in lacking:
        name = each.claim.conditions.dataset
        if name and not any(same_name(name, known) for known in names):
            names.append(name)
    wanted = []
    for name in names:
        claimed = [each for each in lacking if same_name(each.claim.conditions.dataset or "", name)]
        found = _wanted(name, list(_imagined(name, claimed)), lacking, opened)
        wanted += [found] if found is not None else []
    return tuple(sorted(wanted, key=lambda each: (-each.claims, each.at_most, each.name)))


def _unnamed_sets(lacking: Sequence[_Lacking], opened: Opened) -> tuple[WantedSet, ...]:
    """What sets of a kind and with labels that some model knows would decide, whatever their name, most first."""
    unnamed = [each for each in lacking if not each.claim.conditions.dataset]
    found = (_wanted(ANY_NAME, [imagined], unnamed, opened) for imagined in _imagined(ANY_NAME, unnamed))
    return tuple(sorted((each for each in found if each is not None), key=lambda each: (-each.claims, each.labels)))


def _wanted(
    name: str, imagined: Sequence[LabelledSet], lacking: Sequence[_Lacking], opened: Opened
) -> WantedSet | None:
    """How many claims a set of this name would give data to; None where none, whatever is in it."""
    moved = [[each for each in lacking if _gets(each, data, opened)] for data in imagined]
    if not any(moved):
        return None
    most, data = max(zip(moved, imagined, strict=True), key=lambda pair: len(pair[0]))
    at_most = len(imagined) > 1 or not all(each.sure for each in most)
    return WantedSet(name, data.kind, data.classes, len(most), at_most)


def _gets(each: _Lacking, data: LabelledSet, opened: Opened) -> bool:
    """Whether a claim would be tried on this set if it were at hand."""
    routed = route(each.claim, each.ground, Shelf({**opened, data.name: data}))
    return isinstance(routed, Need) and routed.data is not None and routed.data.name == data.name


def _imagined(name: str, lacking: Iterable[_Lacking]) -> Iterator[LabelledSet]:
    """A set as each of these models could be asked about: of its kind, with its labels; each once."""
    seen: set[tuple[str, tuple[str, ...]]] = set()
    for each in lacking:
        subject = each.ground.subject
        for kind in _kinds(each.claim.metric, subject.task):
            named = kind in ("text", "image", "tokens") and not entails(subject.labels)  # that takes any labels
            labels = tuple(sorted(subject.labels)) if named else ()
            if (kind, labels) not in seen:
                seen.add((kind, labels))
                shown = (" ".join(labels),) if kind == "tokens" else labels
                yield LabelledSet(name, kind, [""] * max(len(shown), 1), shown, f"imagined {kind}", "operator")


def _kinds(metric: str, task: str | None) -> list[ItemKind]:
    """Kinds of sets on which a probe measures this of models that do this task."""
    infos = (probe.info for probe in PROBES.values() if metric in probe.info.metrics)
    kinds = Counter(info.needs for info in infos if info.needs and (not info.tasks or task in info.tasks))
    return [kind for kind in kinds if kind is not None]
