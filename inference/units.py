"""Units of work: one probe on one model with one labelled set; planned, run in a child, and scored here."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from graph.claims import Claim
from graph.digest import digest_of
from graph.errors import ModelError
from inference.conclude import UnitResult
from inference.data.sets import LabelledSet
from inference.ground import Ground
from inference.probes import LOADING, PROBES, WITHOUT_DATA
from inference.records import library_versions, processor
from inference.routing import Need
from inference.sandbox.zygote import Answer, Limits, Zygote
from inference.stage import stage_items, stage_model

SEED: Final = 0
_BASE_MEMORY_BYTES: Final = 3 << 30
"""Address space for the libraries' own work; four times the weights come on top."""


@dataclass(frozen=True)
class Unit:
    """One unit of work: a probe on a model, with a set or without, and the claims that wait for it."""

    ground: Ground
    probe: str
    data: LabelledSet | None
    claims: tuple[Claim, ...]

    @property
    def id(self) -> str:
        """The same for the same model, probe, set, device and libraries (major and minor versions)."""
        model = self.ground.model.digest if self.ground.model is not None else ""
        versions = {name: version.split(".")[:2] for name, version in library_versions()}
        data = self.data.digest if self.data is not None else ""
        parts = [model, self.probe, PROBES[self.probe].info.version, data, "cpu", versions]
        return "un_" + digest_of(parts)[:32]

    @property
    def cost_s(self) -> float:
        """Seconds that it will take, roughly."""
        return PROBES[self.probe].cost_s(self.ground.subject, self.data) or 0.0


def plan_units(ground: Ground, waiting: Iterable[tuple[Claim, Need]]) -> Iterator[Unit]:
    """The units of work on one model: loading first, then what claims wait for; none where it may not run."""
    if not ground.runnable:
        return
    fixed = [LOADING, *(probe for probe in WITHOUT_DATA if probe.cost_s(ground.subject, None) is not None)]
    needs = {(probe.info.name, ""): Unit(ground, probe.info.name, None, ()) for probe in fixed}
    for claim, need in waiting:
        key = (need.probe, need.data.digest if need.data is not None else "")
        before = needs.get(key, Unit(ground, need.probe, need.data, ()))
        needs[key] = Unit(ground, need.probe, need.data, (*before.claims, claim))
    yield from needs.values()


def run_unit(zygote: Zygote, unit: Unit, timeout_s: float) -> Answer:
    """How a unit's child ended; the staged files are removed."""
    facts = unit.ground.facts
    folder = zygote.scratch / unit.id
    try:
        try:
            stage_model(facts.files if facts is not None else (), folder / "model")
            if unit.data is not None:
                stage_items(unit.data, folder / "items")
        except ModelError as error:  # neither says anything about the model
            return Answer(None, "no_data", str(error), (), 0.0)
        limits = Limits(
            memory_bytes=_BASE_MEMORY_BYTES + 4 * (facts.size_bytes if facts is not None else 0),
            cpu_s=int(min(timeout_s, 86_400.0)) + 10,
        )
        items = folder / "items" if unit.data is not None else None
        return zygote.run(unit.probe, folder / "model", items, limits, timeout_s, SEED)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def result_of(unit: Unit, answer: Answer) -> UnitResult:
    """A unit's result from the child's answer, which is scored here and nowhere else."""
    common = UnitResult(
        unit=unit.id,
        probe=unit.probe,
        version=PROBES[unit.probe].info.version,
        data=unit.data.used() if unit.data is not None else None,
        seed=SEED,
        device=processor(),
        libraries=dict(library_versions()),
        layers=answer.layers,
        duration_s=answer.duration_s,
    )
    if answer.raw is None:
        return common.model_copy(update={"failure": answer.failure or "crashed", "what": answer.what})
    try:
        measured = PROBES[unit.probe].score(answer.raw, unit.data)
    except ValueError as error:  # pydantic's ValidationError is one
        what = f"its answer is not what the probe answers: {' '.join(str(error).split())[:200]}"
        return common.model_copy(update={"failure": "crashed", "what": what})
    return common.model_copy(update={"measured": measured})
