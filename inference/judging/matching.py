"""Which measurement of a unit a claim is about: the one of its metric whose scope is what the claim says."""

from __future__ import annotations

from typing import Final

from graph.claims import Claim, Scope
from inference.data.sets import same_name
from inference.ground import Ground
from inference.judging.results import UnitResult
from inference.judging.scopes import is_same_device, plain_scope, stated_scope
from inference.models.pictures import own_size
from inference.probes.base import Measurement

_SILENT: Final = frozenset({"runs", "accuracy", "f1", "perplexity", "loss_points", "loss_relative"})
"""Metrics whose probes show pictures at the size of the model's own processor."""
_OF_ANSWERS: Final = ("dataset", "runtime", "precision", "loader", "steps", "size", "reference")
_RELEVANT: Final[dict[str, tuple[str, ...]]] = {
    "parameters": (), "labels": (), "context": (), "loads": ("loader",), "exports": (), "fine_tunes": (),
    "dimensions": ("loader",), "max_tokens": ("loader",), "size_ratio": ("precision", "reference"),
    **dict.fromkeys((*_SILENT, "adherence"), _OF_ANSWERS),
}  # fmt: skip
"""The fields that make a difference to a metric; all of them where it is not named here."""
_ANYWHERE: Final = frozenset({"parameters", "labels", "context", "dimensions", "max_tokens", "size_ratio"})
"""The same on every device."""
_ABSOLUTE: Final = frozenset({"size_bytes", "latency_s", "throughput", "memory_bytes", *_SILENT, "adherence"})
"""Numbers of the model as it is: a claim that names no number format is about that of its files."""
_CODES: Final = {
    "device": "no_hardware",
    "runtime": "missing_dependency",
    "dataset": "no_data",
    "value": "missing_dependency",
}


def matching(claim: Claim, ground: Ground, result: UnitResult) -> list[Measurement]:
    """The measurements that a claim may be judged by, the most ordinary first, each with its whole scope."""
    found = whole_measurements(result, claim.metric)
    fits = [measurement for measurement in found if not _differences(claim, ground, result, measurement)]
    own = own_loader(ground)
    if claim.conditions.loader is None and stated_scope(claim).loader is None:
        fits.sort(key=lambda measurement: measurement.scope.loader not in (None, own))
    return fits


def unmatched(claim: Claim, ground: Ground, result: UnitResult) -> tuple[str, str]:
    """Reason code and line for a claim that no measurement is about: what was measured instead."""
    found = whole_measurements(result, claim.metric)
    stated = stated_scope(claim)
    if not found:
        where = f" through {stated.loader}" if stated.loader else ""
        return "not_runnable", f"the model shows no {claim.metric}{where}"
    differs = [_differences(claim, ground, result, measurement) for measurement in found]
    nearest = min(range(len(found)), key=lambda place: len(differs[place]))
    first = differs[nearest][0]
    wanted = claim.value if first == "value" else getattr(stated, first)
    name = first.replace("_", " ")
    instead = sorted({str(_got(first, ground, measurement) or "none") for measurement in found})
    seen = f"measured was {', '.join(instead)[:200]}"
    if wanted is None:
        return "underspecified", f"it names no {name}; {seen}"
    return _CODES.get(first, "not_runnable"), f"it is about {name} {wanted}; {seen}"


def whole_measurements(result: UnitResult, metric: str | None = None) -> list[Measurement]:
    """The measurements of a unit (of one metric), each with all of its scope.

    Where the probe says nothing else: the unit's device and set, torch, one thread.
    """
    measured = result.measured
    if measured is None:
        return []
    base = {"device": result.device.partition(" ")[0], "runtime": "torch", "threads": 1}
    dataset = {"dataset": result.data.name} if result.data is not None else {}
    found = measured.measurements if metric is None else measured.all_of(metric)
    return [
        measurement.model_copy(
            update={"scope": Scope(**{**base, **dataset, **measurement.scope.model_dump(exclude_none=True)})}
        )
        for measurement in found
    ]


def own_loader(ground: Ground) -> str:
    """The library that the files are made for."""
    facts = ground.facts
    if facts is not None and any(file.name == "modules.json" for file in facts.files):
        return "sentence-transformers"
    return ground.subject.library


def _differences(claim: Claim, ground: Ground, result: UnitResult, measurement: Measurement) -> list[str]:
    """The fields in which a measurement is not what the claim says; `value` for a fact about something else."""
    stated = stated_scope(claim)
    differs = [
        name
        for name in _RELEVANT.get(claim.metric, tuple(Scope.model_fields))
        if name not in ("note", "device") and not _same(name, getattr(stated, name), _got(name, ground, measurement))
    ]
    if stated.device and claim.metric not in _ANYWHERE and not is_same_device(stated.device, result.device):
        differs.insert(0, "device")
    if stated.precision is None and claim.metric in _ABSOLUTE and measurement.scope.precision is not None:
        own = _got("precision", ground, measurement.model_copy(update={"scope": Scope()}))
        if plain_scope(measurement.scope).precision != own:
            differs.append("precision")
    if measurement.holds is not None and isinstance(claim.value, str) and claim.metric == "exports":
        tried = str(measurement.value)
        return differs if _bare(claim.value) == _bare(tried) else ["value", *differs]
    return differs


def _got(name: str, ground: Ground, measurement: Measurement) -> str | int | None:
    """A field of a measurement's scope by its plain name; where it is not said, what the files bring with them."""
    if name == "value":
        return str(measurement.value)
    got: str | int | None = getattr(plain_scope(measurement.scope), name)
    if got is None and name in ("precision", "reference"):
        return ground.facts.dtype.lower() if ground.facts is not None and ground.facts.dtype else "float32"
    if got is None and name == "loader":
        return own_loader(ground)
    if got is None and name == "size" and measurement.metric in _SILENT and ground.facts is not None:
        return own_size(ground.facts.files)
    return got


def _same(name: str, wanted: str | int | None, got: str | int | None) -> bool:
    if wanted is None or wanted == got:
        return True
    return name == "dataset" and same_name(str(wanted), str(got))


def _bare(format_name: str) -> str:
    return "".join(letter for letter in format_name.casefold() if letter.isalnum())
