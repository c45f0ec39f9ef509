"""Which claim is settled without running anything, and how; which waits for which probe, set and settings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from graph.claims import Claim
from graph.metrics import METRICS
from graph.taxonomy import full_task, task_words
from inference.data.sets import LabelledSet
from inference.ground import Ground, Shelf
from inference.judging.findings import FACTS as FACTS
from inference.judging.findings import FACTS_VERSION as FACTS_VERSION
from inference.judging.findings import METHOD as METHOD
from inference.judging.findings import METHOD_VERSION as METHOD_VERSION
from inference.judging.findings import NEEDS_WEIGHTS, unusable, unverifiable
from inference.judging.findings import Finding as Finding
from inference.judging.scopes import (
    RUNTIMES_AT_HAND,
    foreign_runtime,
    is_same_device,
    is_top_1,
    is_unnamed_processor,
    named_device,
    named_precision,
    stated_scope,
)
from inference.judging.stated import ON_A_SET, SECONDS, TIMED, as_stated, is_own
from inference.probes import LOADING, PROBES
from inference.probes.base import Probe
from inference.probes.diffusion.drawing import misfit
from inference.probes.embedding import TASKS as EMBEDDING_TASKS
from inference.verdicts.rules import judge_exact

Setting = tuple[str, str | int]
FROM_LOADING: Final = frozenset({"loads", "labels", "context"})
"""The same in every number format."""
_WATCHED: Final = TIMED | {"size_ratio", "exports", "loss_points", "loss_relative"}
"""Measured here as observations also where the claim cannot be judged here."""
_LARGEST_BATCH: Final = 64
_FORMATS_AT_HAND: Final = frozenset({"float32", "float16", "bfloat16", "int8"})


@dataclass(frozen=True)
class Need:
    """A claim waits for this probe on this set, run with these settings: fields of its scope, sorted by name."""

    probe: str
    data: LabelledSet | None = None
    settings: tuple[Setting, ...] = ()

    @property
    def key(self) -> tuple[str, str, tuple[Setting, ...]]:
        """The same for needs that one run meets."""
        return self.probe, self.data.digest if self.data is not None else "", self.settings


def route(claim: Claim, ground: Ground, shelf: Shelf, device: str = "cpu") -> Finding | Need:
    """The verdict on a claim where none has to be run for, else which probe it waits for.

    `device` is what probes run on, its kind first: "cpu", or "cuda (NVIDIA H200)".
    """
    settled = as_stated(claim, ground) or _as_at_hand(claim, ground, device)
    if settled is not None:
        return settled
    if claim.metric == "runs":
        return _route_runs(claim, ground, shelf)
    if claim.metric in ("accuracy", "f1") and not is_top_1(claim):
        return unverifiable("not_runnable", f"only top-1 {claim.metric} is measured")
    return _route_metric(claim, ground, shelf)


def observation_needs(ground: Ground, claims: Iterable[Claim], shelf: Shelf, device: str = "cpu") -> list[Need]:
    """What is to be measured on a model though no claim waits for it, loading first, each once.

    Every probe that fits, asks for no labels and takes little time; the answers to every labelled set that fits; and
    what claims about other devices or without one speak of, with as much of their scope as can be had here. Empty
    where the model may not run.
    """
    if not (ground.runnable or ground.buildable):
        return []
    unasked = [probe for probe in PROBES.values() if not probe.info.on_demand]
    needs = [Need(probe.info.name) for probe in unasked if _fits(probe, ground, None)]
    needs += [need for claim in claims for need in _watching(claim, ground, shelf, device)]
    for data in shelf.all_for(ground.labels):
        fitting = _fitting("runs", ground, data)  # what changes the model takes long: only claims ask for that
        needs += [Need(probe.info.name, data) for probe in fitting]
    once = {need.key: need for need in needs}
    return sorted(once.values(), key=lambda need: need.probe != LOADING.info.name)


def _watching(claim: Claim, ground: Ground, shelf: Shelf, device: str) -> list[Need]:
    """What measures the thing that a claim speaks of, where the claim itself cannot be judged here."""
    if claim.metric not in _WATCHED or not is_own(claim, ground):
        return []
    if isinstance(route(claim, ground, shelf, device), Need):
        return []
    for data in (None, *shelf.all_for(ground.labels)):
        probes = _nearest(claim, ground, _fitting(claim.metric, ground, data))
        if probes:
            return [_need(probes[0], claim, ground, data)]
    return []


def _as_at_hand(claim: Claim, ground: Ground, at_hand: str) -> Finding | None:
    """The verdict that follows from what is at hand: files, their headers, device, trust."""
    facts = ground.facts
    bare = ground.subject.tier == "architecture"
    if facts is None and (not ground.buildable or claim.metric in NEEDS_WEIGHTS):
        if ground.problem is not None:
            return unusable(claim, *ground.problem)
        return unverifiable("no_weights", ground.absent)
    other = other_precision(claim, ground)
    if facts is not None and not bare and claim.metric == "size_bytes" and not other:
        return _from_header(claim, float(facts.size_bytes))
    if facts is not None and claim.metric == "parameters" and not ground.runnable and facts.parameters is not None:
        return _from_header(claim, float(facts.parameters))
    device = named_device(claim.conditions)
    if device is not None and not is_same_device(device, at_hand):
        return unverifiable("no_hardware", f"it is about {device}, which is not at hand")
    if device is not None and claim.metric in SECONDS and is_unnamed_processor(device):
        return unverifiable("underspecified", f"it does not say on which device: a {device.upper()} may be any")
    runtime = foreign_runtime(claim.conditions) or _foreign_format(claim)
    if runtime is not None:
        return unverifiable("missing_dependency", f"it is about the runtime {runtime}, which is not at hand")
    if other and claim.metric not in FROM_LOADING and not _converting(claim, ground):
        own = facts.dtype if facts is not None else "none"
        return unverifiable("no_weights", f"it is about {other} weights, those at hand are {own}")
    if ground.problem is not None and (not ground.buildable or claim.metric in NEEDS_WEIGHTS):
        return unusable(claim, *ground.problem)
    return None


def _foreign_format(claim: Claim) -> str | None:
    """The format that an export is about where nothing here converts to it."""
    if claim.metric != "exports" or not isinstance(claim.value, str) or "onnx" in claim.value.lower():
        return None
    return claim.value


def _route_metric(claim: Claim, ground: Ground, shelf: Shelf) -> Finding | Need:
    """The first probe that fits, on the set that the claim names, or on one that fits where it names none."""
    metric, named = claim.metric, claim.conditions.dataset
    without = _nearest(claim, ground, _fitting(metric, ground, None))
    asks = any(metric in probe.info.metrics and probe.info.needs is not None for probe in PROBES.values())
    if metric in ON_A_SET or (named and asks and not without):
        data = shelf.named(named or "")
        if data is None:
            return unverifiable("no_data", f"the labelled set {named} is not at hand: --data {named}=PATH")
        fitting = _nearest(claim, ground, _fitting(metric, ground, data))
        if not fitting:
            return unverifiable(*_misfit(metric, ground, data))
        return _need(fitting[0], claim, ground, data)
    if without:
        return _need(without[0], claim, ground, None)
    for data in shelf.all_for(ground.labels) if asks else ():
        fitting = _fitting(metric, ground, data)
        if fitting:
            return _need(fitting[0], claim, ground, data)
    if asks and any(_knows(probe, metric, ground) for probe in PROBES.values()):
        return unverifiable("no_data", f"no labelled set at hand fits: {METRICS[metric].meaning} needs one")
    if ground.subject.tier == "architecture":
        return unverifiable("no_weights", f"its architecture alone does not tell its {metric}")
    return unverifiable("not_runnable", _no_probe(metric, ground))


def _route_runs(claim: Claim, ground: Ground, shelf: Shelf) -> Finding | Need:
    """A labelled set that fits, those of the artifact's own claims first; else whatever shows that it runs at all."""
    capability = ground.capability(claim.capability, claim.subject)
    named = full_task(claim.conditions.note or "")
    task = named or (full_task(capability.task) if capability is not None else None)
    own = ground.subject.task
    if task is None or own is None:
        return unverifiable("not_runnable", "its files do not say which task the model does")
    claimed = {other.conditions.dataset for other in ground.artifact.claims if other.metric in ON_A_SET}
    for data in sorted(shelf.all_for(ground.labels), key=lambda data: data.name not in claimed):
        fitting = _doing(task, _fitting("runs", ground, data))
        if fitting:
            return _need(fitting[0], claim, ground, data)
    shows = _doing(task, _fitting("runs", ground, None))
    if task == own or {task, own} <= set(EMBEDDING_TASKS):
        shows += _fitting("loads", ground, None)
    if shows:
        return _need(shows[0], claim, ground, None)
    if task == own:
        return unverifiable("not_runnable", f"no probe loads {ground.subject.library} models for {task_words(own)}")
    other = f"the files at hand do {task_words(own)}"
    return unverifiable("not_runnable", f"{other}; no probe tries {task_words(task)} on them")


def _doing(task: str, probes: Sequence[Probe]) -> list[Probe]:
    """Those of the probes that try this task: a model's files may do more than the one that they declare."""
    return [probe for probe in probes if not probe.info.tasks or task in probe.info.tasks]


# Which probe ----------------------------------------------------------------------------------------------
def _fits(probe: Probe, ground: Ground, data: LabelledSet | None) -> bool:
    """Whether a probe can be run on this model with this set, or with none."""
    subject, info = ground.subject, probe.info
    if (info.needs is None) != (data is None) or (subject.tier == "architecture" and not info.architecture):
        return False
    return probe.cost_s(subject, data) is not None


def _fitting(metric: str, ground: Ground, data: LabelledSet | None) -> list[Probe]:
    """The probes of a metric that can be run, the model's own loader before others."""
    found = [probe for probe in PROBES.values() if metric in probe.info.metrics and _fits(probe, ground, data)]
    by_sentences = ground.subject.library == "sentence-transformers"
    return sorted(found, key=lambda probe: by_sentences and probe.info.name == LOADING.info.name)


def _nearest(claim: Claim, ground: Ground, probes: Sequence[Probe]) -> list[Probe]:
    """Those probes first that can be set to most of what a claim's scope says; before all to another number format."""
    stated, converts = stated_scope(claim), other_precision(claim, ground) is not None

    def missed(probe: Probe) -> tuple[bool, int]:
        able = probe.info.settings
        return converts and "precision" not in able, -sum(getattr(stated, name) is not None for name in able)

    return sorted(probes, key=missed)


def _knows(probe: Probe, metric: str, ground: Ground) -> bool:
    """Whether a probe would measure this on models of this task, had it a labelled set."""
    info = probe.info
    return metric in info.metrics and (not info.tasks or ground.subject.task in info.tasks)


def _need(probe: Probe, claim: Claim, ground: Ground, data: LabelledSet | None) -> Need:
    return Need(probe.info.name, data, tuple(sorted(_settings(probe, claim, ground))))


def _settings(probe: Probe, claim: Claim, ground: Ground) -> Iterator[Setting]:
    """What a claim's scope asks of a probe's run and can be had here; what is ordinary anyway is left to the probe."""
    stated = stated_scope(claim)
    for name in probe.info.settings:
        value = getattr(stated, name)
        ordinary = (
            (name == "runtime" and value == "torch")
            or (name == "precision" and value == _dtype(ground))
            or (name, value) in probe.info.covered
        )
        foreign = (
            (name == "runtime" and value not in RUNTIMES_AT_HAND)
            or (name == "precision" and value not in _FORMATS_AT_HAND)
            or (name == "batch_size" and value is not None and value > _LARGEST_BATCH)
        )
        if value is not None and name != "device" and not ordinary and not foreign:
            yield name, value


def _converting(claim: Claim, ground: Ground) -> bool:
    """Whether a probe can bring these weights into the number format that a claim is about."""
    if named_precision(claim.conditions) not in _FORMATS_AT_HAND:
        return False
    able = (
        probe for probe in PROBES.values() if claim.metric in probe.info.metrics and _knows(probe, claim.metric, ground)
    )
    return any("precision" in probe.info.settings for probe in able)


def _misfit(metric: str, ground: Ground, data: LabelledSet) -> tuple[str, str]:
    """Why no probe asks this model about this set, as reason code and line."""
    if data.kind == "prompt" and (reason := misfit(data)):
        return "no_data", reason
    known = [probe for probe in PROBES.values() if _knows(probe, metric, ground)]
    if not known:
        return "not_runnable", _no_probe(metric, ground)
    if any(probe.info.needs == data.kind for probe in known):
        shown = ", ".join(data.classes[:3])
        return "no_data", f"the labels of {data.name} ({shown}…) are not the model's: not comparable"
    return "no_data", f"{data.name} holds {data.kind}: no probe asks this model about that"


def _no_probe(metric: str, ground: Ground) -> str:
    task = ground.subject.task
    return f"no probe measures {metric} of {task_words(task) + ' models' if task else 'this model'}"


def other_precision(claim: Claim, ground: Ground) -> str | None:
    """The number format that the claim is about where it is not that of the files."""
    named, at_hand = named_precision(claim.conditions), _dtype(ground)
    return named if named is not None and at_hand is not None and named != at_hand else None


def _dtype(ground: Ground) -> str | None:
    return ground.facts.dtype.lower() if ground.facts is not None and ground.facts.dtype else None


def _from_header(claim: Claim, measured: float) -> Finding:
    judgement = judge_exact(measured, claim, METRICS[claim.metric])
    return Finding(judgement, measured, "artifact", FACTS, FACTS_VERSION)
