"""Which claim is settled without running anything, and with which verdict; which needs which probe on which set."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from graph.claims import Claim, Tier
from graph.metrics import METRICS
from graph.taxonomy import full_task, task_words
from inference.data.sets import LabelledSet
from inference.ground import Ground, Shelf
from inference.probes import LOADING, WITH_DATA
from inference.probes.embedding import TASKS as EMBEDDING_TASKS
from inference.scopes import foreign_runtime, is_unnamed_processor, named_device, named_loader, named_precision
from inference.verdicts import Judgement, judge_exact

NOT_RUNNABLE: Final = frozenset({"price", "license_allows", "api_exists", "tool_listed"})
"""No model decides these."""
TIMED: Final = frozenset({"latency_s", "throughput", "speedup", "memory_bytes", "memory_ratio"})
FROM_LOADING: Final = frozenset({"loads", "labels", "context"})
_WITHOUT_VALUE: Final = frozenset({"runs", "loads", "exports", "fine_tunes"})
_BESIDE_TOP_1: Final = re.compile(r"\btop[- ]?(?:[2-9]|\d\d+)\b", re.IGNORECASE)
METHOD, METHOD_VERSION = "routing", "1"
FACTS, FACTS_VERSION = "facts", "1"


@dataclass(frozen=True)
class Need:
    """A claim waits for this probe on this set."""

    probe: str
    data: LabelledSet | None = None


@dataclass(frozen=True)
class Finding:
    """A verdict on a claim with what it rests on; `method` names the check or probe."""

    judgement: Judgement
    measured: float | str | None = None
    tier: Tier | None = None
    method: str = METHOD
    method_version: str = METHOD_VERSION
    successes: int | None = None
    n: int | None = None
    control: dict[str, Any] | None = None
    loader: str | None = None


def route(claim: Claim, ground: Ground, shelf: Shelf) -> Finding | Need:
    """The verdict on a claim where none has to be run for, else which probe it waits for."""
    settled = _as_stated(claim, ground) or _as_at_hand(claim, ground)
    if settled is not None:
        return settled
    if claim.metric in FROM_LOADING:
        return Need(LOADING.info.name)
    if claim.metric in ("dimensions", "max_tokens", "parameters"):
        return _route_shape(claim, ground)
    if claim.metric == "accuracy":
        return _route_accuracy(claim, ground, shelf)
    if claim.metric == "runs":
        return _route_runs(claim, ground, shelf)
    return _unverifiable("not_runnable", f"no probe measures {claim.metric} yet")


def _as_stated(claim: Claim, ground: Ground) -> Finding | None:
    """The verdict that the claim's own words bring with them, whatever is at hand."""
    metric = METRICS.get(claim.metric)
    if metric is None or "opinion" in claim.flags:
        return _unverifiable("not_falsifiable", "an opinion: no measurement could show it wrong")
    artifact = ground.artifact
    own = {artifact.id, artifact.slug, artifact.name, "", *(capability.id for capability in artifact.capabilities)}
    if "other_artifact" in claim.flags or claim.subject not in own:
        return _unverifiable("other_artifact", f"it is about {claim.subject or 'another artifact'}")
    if claim.metric in NOT_RUNNABLE:
        return _unverifiable("not_runnable", f"{metric.meaning}: nothing to run")
    if claim.metric not in _WITHOUT_VALUE and not isinstance(claim.value, int | float):
        return _unverifiable("underspecified", "it states no number")
    if claim.metric in TIMED and (named_device(claim.conditions) or "cpu") in ("cpu", "cpus"):
        return _unverifiable("underspecified", "it does not say on which device")
    if claim.metric == "accuracy" and not claim.conditions.dataset:
        return _unverifiable("underspecified", "it does not say on which labelled set")
    return None


def _as_at_hand(claim: Claim, ground: Ground) -> Finding | None:
    """The verdict that follows from what is at hand: files, their headers, device, trust."""
    facts = ground.facts
    if facts is None:
        if ground.problem is not None:
            return unusable(claim, *ground.problem)
        return _unverifiable("no_weights", ground.absent)
    if claim.metric == "size_bytes" and not _other_precision(claim, ground):
        return _from_header(claim, float(facts.size_bytes))
    if claim.metric == "parameters" and not ground.runnable and facts.parameters is not None:
        return _from_header(claim, float(facts.parameters))
    device = named_device(claim.conditions)
    if device is not None and not is_unnamed_processor(device):
        return _unverifiable("no_hardware", f"it is about {device}, which is not at hand")
    runtime = foreign_runtime(claim.conditions)
    if runtime is not None:
        return _unverifiable("missing_dependency", f"it is about the runtime {runtime}, which is not at hand")
    if claim.metric not in FROM_LOADING and (other := _other_precision(claim, ground)):
        return _unverifiable("no_weights", f"it is about {other} weights, those at hand are {facts.dtype}")
    if ground.problem is not None:
        return unusable(claim, *ground.problem)
    if ground.trust is None:
        return unusable(claim, "unsafe_refused", f"not run unless you trust it by name: --trust {ground.artifact.slug}")
    return None


def _route_shape(claim: Claim, ground: Ground) -> Finding | Need:
    """Sizes of an embedder need its own loader, those of a plain transformer are seen when it is loaded."""
    if claim.metric == "max_tokens":
        if ground.subject.task in EMBEDDING_TASKS:
            return Need("embedding")
        return _unverifiable("not_runnable", "tokens read are measured for sentence embedders only")
    made_for_sentences = ground.facts is not None and ground.facts.library == "sentence-transformers"
    return Need("embedding" if made_for_sentences else LOADING.info.name)


def _route_accuracy(claim: Claim, ground: Ground, shelf: Shelf) -> Finding | Need:
    stated = " ".join((claim.conditions.note or "", claim.text))
    if _BESIDE_TOP_1.search(stated):
        return _unverifiable("not_runnable", "only top-1 accuracy is measured")
    wanted = claim.conditions.dataset or ""
    data = shelf.named(wanted)
    if data is None:
        return _unverifiable("no_data", f"the labelled set {wanted} is not at hand: --data {wanted}=PATH")
    probe = _fitting(ground, data)
    if probe is None:
        return _unverifiable("no_data", _misfit(ground, data))
    return Need(probe, data)


def _route_runs(claim: Claim, ground: Ground, shelf: Shelf) -> Finding | Need:
    capability = ground.capability(claim.capability, claim.subject)
    task = full_task(capability.task) if capability is not None else full_task(claim.conditions.note or "")
    own = ground.subject.task
    if task is None or own is None:
        return _unverifiable("not_runnable", "its files do not say which task the model does")
    if task != own and not {task, own} <= set(EMBEDDING_TASKS):
        other = f"the files at hand do {task_words(own)}"
        return _unverifiable("not_runnable", f"{other}; no probe tries {task_words(task)}")
    claimed = {other.conditions.dataset for other in ground.artifact.claims if other.metric == "accuracy"}
    candidates = shelf.all_for(ground.labels)
    for data in sorted(candidates, key=lambda data: data.name not in claimed):
        probe = _fitting(ground, data)
        if probe is not None:
            return Need(probe, data)
    return Need(LOADING.info.name)


def _fitting(ground: Ground, data: LabelledSet) -> str | None:
    """The probe that can ask this model for the labels of this set; None where labels or kinds do not match."""
    for probe in WITH_DATA:
        if probe.cost_s(ground.subject, data) is not None:
            return probe.info.name
    return None


def _misfit(ground: Ground, data: LabelledSet) -> str:
    kinds = {task: probe.info.needs for probe in WITH_DATA for task in probe.info.tasks}
    if kinds.get(ground.subject.task or "") == data.kind:
        return f"the labels of {data.name} ({', '.join(data.classes[:3])}…) are not the model's: not comparable"
    return f"{data.name} holds {data.kind}: no probe asks this model about that"


def unusable(claim: Claim, code: str, reason: str) -> Finding:
    """The verdict on a claim about a model that cannot be run or did not end well, by reason code.

    A model that does not load, crashes or gives numbers that are not finite refutes `loads` and `runs`; running out
    of time or memory, a missing dependency or a lack of trust refutes nothing.
    """
    if code in ("load_failed", "crashed", "non_finite"):
        if claim.metric in ("loads", "runs"):
            return Finding(Judgement("refuted", code, reason), tier="artifact")
        return Finding(Judgement("error", code, reason))
    if code in ("timeout", "oom", "unsafe_refused"):
        return Finding(Judgement("error", code, reason))
    return _unverifiable(code, reason)


def _other_precision(claim: Claim, ground: Ground) -> str | None:
    """The number format that the claim is about where it is not that of the files."""
    named = named_precision(claim.conditions)
    at_hand = ground.facts.dtype if ground.facts is not None else None
    return named if named is not None and at_hand is not None and named != at_hand.lower() else None


def _from_header(claim: Claim, measured: float) -> Finding:
    judgement = judge_exact(measured, claim, METRICS[claim.metric])
    return Finding(judgement, measured, "artifact", FACTS, FACTS_VERSION)


def _unverifiable(code: str, reason: str) -> Finding:
    return Finding(Judgement("unverifiable", code, reason))


def loader_of(claim: Claim, ground: Ground) -> str:
    """The loader whose number a claim is about: the one it names, else the library that the files are made for."""
    made_for_sentences = any(file.name == "modules.json" for file in ground.facts.files) if ground.facts else False
    return named_loader(claim.conditions) or ("sentence-transformers" if made_for_sentences else "transformers")
