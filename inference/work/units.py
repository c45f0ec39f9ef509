"""Units of work: one probe on one model with one labelled set and settings; planned, run in a child, scored here."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from graph.claims import Claim
from graph.constants import INTERVAL_LEVEL
from graph.digest import digest_of
from graph.errors import ModelError, ModelRefused
from inference.data.sets import LabelledSet
from inference.ground import Ground
from inference.judging.results import UnitResult
from inference.judging.routing import Need
from inference.models.architecture import stage_architecture
from inference.models.estimate import LIBRARY_BYTES, estimate_memory_bytes
from inference.probes import PROBES
from inference.probes.fine_tuning import FineTuningProbe, stage_training
from inference.sandbox.zygote import Answer, Limits, Zygote
from inference.stage import changed_file, stage_items, stage_model
from inference.verdicts.levels import deciding_at
from inference.work.records import library_versions, processor

Settings = tuple[tuple[str, str | int], ...]
"""Fields of a claim's scope that a run takes over, by name, sorted."""
_COPIES_INITIALISED: Final = 6
"""How many times its float32 weights an initialised architecture may hold: made, calibrated, converted."""
_WRITTEN: Final = 2
"""How many times the bytes of its weights one written file may have: an export, or a pickle made into safetensors."""


@dataclass(frozen=True, eq=False)
class Unit:
    """One unit of work: a probe on a model, with a set or without, and the claims that wait for it.

    `settings` are what the claims' scopes ask of the run; what is not named there is the probe's own choice. `level` is
    that of the intervals by which its claims are judged.
    """

    ground: Ground
    probe: str
    data: LabelledSet | None
    claims: tuple[Claim, ...]
    settings: Settings = ()
    device: str = "cpu"
    level: float = INTERVAL_LEVEL

    @property
    def id(self) -> str:
        """The same for the same model, probe, set, settings, device, level and libraries (major and minor versions)."""
        versions = {name: version.split(".")[:2] for name, version in library_versions()}
        parts: list[Any] = [self.model, self.probe, PROBES[self.probe].info.version, self._data, self.device, versions]
        if self.settings:
            parts.append([list(setting) for setting in self.settings])
        if self.level != INTERVAL_LEVEL:
            parts.append(self.level)
        return "un_" + digest_of(parts)[:32]

    @property
    def seed(self) -> int:
        """For whatever the probe draws, 0..2³¹ − 1: its own, and the same with every version of the libraries."""
        settings = [list(setting) for setting in self.settings]
        return int(digest_of([self.model, self.probe, self._data, settings])[:8], 16) >> 1

    @property
    def cost_s(self) -> float:
        """Seconds that it will take, roughly."""
        return PROBES[self.probe].cost_s(self.ground.subject, self.data) or 0.0

    @property
    def alone(self) -> bool:
        """Whether nothing else may run on the machine meanwhile."""
        return PROBES[self.probe].info.alone

    @property
    def initialised(self) -> bool:
        """Whether it runs on the bare architecture, with initialised weights."""
        return self.ground.subject.tier == "architecture"

    @property
    def model(self) -> str:
        """What tells its model from others: the digest of its files, or of its bare architecture."""
        if self.initialised and self.ground.architecture is not None:
            return self.ground.architecture.digest
        return self.ground.model.digest if self.ground.model is not None else ""

    @property
    def asked(self) -> dict[str, str | int]:
        """What the probe is asked for: settings, and the device where it is not the processor."""
        return dict(self.settings) | ({} if self.device == "cpu" else {"device": self.device})

    @property
    def _data(self) -> str:
        return self.data.digest if self.data is not None else ""


def plan_units(
    ground: Ground, waiting: Iterable[tuple[Claim | None, Need]], device: str = "cpu", level: float = INTERVAL_LEVEL
) -> Iterator[Unit]:
    """The units of work on one model: loading first, then cheap to dear.

    `waiting` holds what each claim waits for, and what is to be observed without a claim (None).
    """
    first = loading_probe(ground)
    units: dict[Any, Unit] = {}
    for claim, need in [*_first(first), *waiting]:
        new = Unit(ground, need.probe, need.data, (), need.settings, _device(need, device), level)
        before = units.get(need.key, new)
        claims = before.claims if claim is None else (*before.claims, claim)
        units[need.key] = dataclasses.replace(before, claims=claims)
    yield from sorted(units.values(), key=lambda unit: (unit.probe != first, unit.cost_s, unit.probe, unit.settings))


def loading_probe(ground: Ground) -> str | None:
    """The probe that loads this model, None for a bare architecture: what it finds broken is not tried any further."""
    if not ground.runnable:
        return None
    loads = (probe for probe in PROBES.values() if "loads" in probe.info.metrics)
    return next((probe.info.name for probe in loads if probe.cost_s(ground.subject, None) is not None), None)


def _first(probe: str | None) -> list[tuple[None, Need]]:
    return [] if probe is None else [(None, Need(probe))]


def _device(need: Need, device: str) -> str:
    """Where a probe runs: on the device asked for, where it knows how to."""
    return device if "device" in PROBES[need.probe].info.settings else "cpu"


def run_unit(zygote: Zygote, unit: Unit, timeout_s: float) -> Answer:
    """How a unit's child ended; the staged files are removed."""
    ground, folder = unit.ground, zygote.scratch / unit.id
    files = ground.facts.files if ground.facts is not None and not unit.initialised else ()
    try:
        try:
            readable = _stage(unit, folder)
        except ModelRefused as error:
            return Answer(None, "unsafe_refused", str(error), (), 0.0)
        except ModelError as error:  # neither scratch nor set says anything about the model
            return Answer(None, "no_data", str(error), (), 0.0)
        answer = zygote.run(
            unit.probe, folder / "model", folder / "items" if unit.data is not None else None, _limits(unit, timeout_s),
            timeout_s, unit.seed, settings=unit.asked, initialised=unit.initialised, readable=readable,
            untrusted=ground.untrusted,
        )  # fmt: skip
        if (changed := changed_file(files)) is not None:
            what = f"{changed} changed while it was verified: verify the model again"
            return Answer(None, "unsafe_refused", what, answer.layers, answer.duration_s)
        return answer
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _stage(unit: Unit, folder: Path) -> list[Path]:
    """Real paths outside the folder that the child may read, after model and items were put into it."""
    ground, readable = unit.ground, []
    if unit.initialised and ground.architecture is not None:
        stage_architecture(ground.architecture, folder / "model")
    elif ground.facts is not None:
        digests = ground.model.files if ground.model is not None else {}
        readable = stage_model(ground.facts.files, folder / "model", digests, pickles=ground.trust == "name")
    if unit.data is not None:
        stage_items(unit.data, folder / "items")
        if isinstance(PROBES[unit.probe], FineTuningProbe):  # the one that is shown labels: those it learns from
            stage_training(unit.data, folder / "items")
    return readable


def _limits(unit: Unit, timeout_s: float) -> Limits:
    facts = unit.ground.facts
    if facts is None or unit.initialised:
        memory_bytes = LIBRARY_BYTES + _COPIES_INITIALISED * unit.ground.subject.size_bytes
    else:
        memory_bytes = estimate_memory_bytes(facts.size_bytes, facts.parameters, unit.probe)
    file_bytes = max(64 << 20, _WRITTEN * unit.ground.subject.size_bytes)
    return Limits(
        memory_bytes=memory_bytes, cpu_s=int(min(timeout_s, 86_400.0)) + 10, file_bytes=file_bytes,
        disk_bytes=max(2 << 30, 4 * file_bytes),
    )  # fmt: skip


def result_of(unit: Unit, answer: Answer) -> UnitResult:
    """A unit's result from the child's answer, which is scored here and nowhere else."""
    common = blank_result(unit, answer.layers, answer.duration_s)
    if answer.raw is None:
        return common.model_copy(update={"failure": answer.failure or "crashed", "what": answer.what})
    try:
        with deciding_at(unit.level):
            measured = PROBES[unit.probe].score(answer.raw, unit.data)
    except ValueError as error:  # pydantic's ValidationError is one
        what = f"its answer is not what the probe answers: {' '.join(str(error).split())[:200]}"
        return common.model_copy(update={"failure": "crashed", "what": what})
    return common.model_copy(update={"measured": measured})


def blank_result(unit: Unit, layers: tuple[str, ...] = (), duration_s: float = 0.0) -> UnitResult:
    """A unit's result with all that is known of the run besides what came out."""
    return UnitResult(
        unit=unit.id,
        probe=unit.probe,
        version=PROBES[unit.probe].info.version,
        data=unit.data.used() if unit.data is not None else None,
        seed=unit.seed,
        device=processor(),
        libraries=dict(library_versions()),
        layers=layers,
        duration_s=duration_s,
        level=unit.level,
    )
