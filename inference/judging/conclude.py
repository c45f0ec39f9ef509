"""From the result of a finished unit to a verdict on a claim that waited for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from graph.claims import Claim, DataUsed, Scope
from graph.metrics import METRICS
from inference.data.sets import same_name
from inference.ground import Ground
from inference.judging.findings import NEEDS_WEIGHTS, Finding, unusable, unverifiable
from inference.judging.matching import matching, unmatched, whole_measurements
from inference.judging.results import UnitResult
from inference.probes import PROBES
from inference.probes.base import Measured, Measurement
from inference.verdicts.intervals import proportion_interval
from inference.verdicts.rules import (
    Judgement,
    judge_exact,
    judge_interval,
    judge_loss,
    judge_proportion,
    judge_runs,
    stated_number,
)

_MADE = frozenset({"size_ratio", "size_bytes", "speedup", "latency_s", "loss_points", "loss_relative"})
"""Numbers of a form that was made here, in more ways than one."""


def conclude(claim: Claim, ground: Ground, result: UnitResult) -> Finding:
    """The verdict on a claim, from the unit that it waited for, or from the loading that already failed."""
    finding = _conclude(claim, ground, result)
    control, judgement = finding.control, finding.judgement
    if control is not None and control.get("passed") is False and judgement.verdict in ("verified", "refuted"):
        held = f"{judgement.reason}; but the negative control failed: {control.get('kind', 'control')}"
        flags = (*judgement.flags, "control_failed")
        doubted = replace(judgement, verdict="inconclusive", reason_code=None, reason=held, flags=flags)
        return replace(finding, judgement=doubted)
    if judgement.verdict == "refuted" and claim.metric == "runs" and _is_foreign(ground, result):
        held = f"{judgement.reason}; but the model takes any labels, and none of its claims names this set"
        doubted = replace(judgement, verdict="inconclusive", reason_code="no_data", reason=held)
        return replace(finding, judgement=doubted)
    return finding


def _is_foreign(ground: Ground, result: UnitResult) -> bool:
    """Whether a model that takes any labels was asked about a set that none of its claims names."""
    probe = PROBES.get(result.probe)
    if probe is None or not probe.info.open_labels or result.data is None:
        return False
    named = (claim.conditions.dataset or "" for claim in ground.artifact.claims)
    return not any(same_name(result.data.name, name) for name in named)


def _conclude(claim: Claim, ground: Ground, result: UnitResult) -> Finding:
    measured = result.measured
    if result.failure is not None or measured is None:
        return _said_by(result, unusable(claim, result.failure or "crashed", result.what))
    if measured.loads is False and claim.metric not in ("parameters", "loads"):
        return _said_by(result, unusable(claim, "load_failed", measured.detail))
    lacking = not measured.all_of(claim.metric)
    if measured.finite is False and (lacking or claim.metric in NEEDS_WEIGHTS - {"loads"}):
        return _said_by(result, unusable(claim, "non_finite", "its output is not finite"))
    if ground.subject.tier == "architecture" and claim.metric in NEEDS_WEIGHTS:
        return _said_by(result, unverifiable("no_weights", "initialised weights say nothing about it"))
    found = matching(claim, ground, result)
    if found:
        return _judged(claim, ground, result, found)
    if claim.metric == "runs" and lacking:
        return _said_by(result, _without_labels(measured))
    return _said_by(result, unverifiable(*unmatched(claim, ground, result)))


def _judged(claim: Claim, ground: Ground, result: UnitResult, found: Sequence[Measurement]) -> Finding:
    """The finding by the most ordinary measurement; of `up_to` by whichever reaches furthest."""
    chosen = max(found, key=_reach) if claim.comparator == "up_to" and found[0].holds is None else found[0]
    ways = [(way, _judge(claim, way, result)) for way in _ways(claim, chosen, found)]
    chosen, judgement = _either_way(ways)
    if claim.metric == "loss_relative" and claim.unit != "points":
        judgement = _judge_both(claim, result, chosen, judgement)
    return Finding(
        replace(judgement, flags=(*judgement.flags, *chosen.flags)),
        chosen.value,
        ground.subject.tier,
        result.probe,
        result.version,
        chosen.successes,
        chosen.n,
        chosen.control,
        chosen.scope,
    )


def _judge(claim: Claim, chosen: Measurement, result: UnitResult) -> Judgement:
    """The verdict by what a measurement carries: a fact, a share, an interval, or an exact number."""
    metric = METRICS[claim.metric]
    if chosen.holds is not None:
        tried = chosen.detail or f"{metric.meaning}: {chosen.value}"
        if chosen.holds:
            return Judgement("verified", None, tried)
        return Judgement("refuted", "load_failed" if claim.metric == "loads" else None, tried)
    if chosen.metric == "runs" and chosen.successes is not None and chosen.n and chosen.chance is not None:
        return judge_runs(chosen.successes, chosen.n, chosen.chance, result.level)
    if chosen.successes is not None and chosen.n:
        share, whole = stated_number(claim), _whole(claim, chosen, result.data)
        return judge_proportion(chosen.successes, chosen.n, share, claim.comparator, whole=whole, level=result.level)
    if chosen.interval is not None:
        return judge_interval(float(chosen.value), chosen.interval, claim, METRICS[chosen.metric], chosen.n)
    return judge_exact(float(chosen.value), claim, metric)


def _ways(claim: Claim, chosen: Measurement, found: Sequence[Measurement]) -> list[Measurement]:
    """The measurement, and others of the same thing made in another way; of these the one that the claim names.

    Dynamic and static quantization are such ways; each stands in the note of its scope.
    """
    if chosen.metric not in _MADE:
        return [chosen]
    plain, words = _without_note(chosen), f"{claim.conditions.note or ''} {claim.text}".lower()
    ways = [chosen, *(other for other in found if other is not chosen and _without_note(other) == plain)]
    named = [way for way in ways if (way.scope.note or "?").partition(" ")[0] in words]
    return named or ways


def _without_note(measurement: Measurement) -> Scope:
    return measurement.scope.model_copy(update={"note": None})


def _either_way(judged: Sequence[tuple[Measurement, Judgement]]) -> tuple[Measurement, Judgement]:
    """The first measurement with its judgement, unless another way to the same thing came out the opposite.

    Then one that was counted verifies: the thing can be made so. Of sampled ones the luckier proves nothing: open.
    """
    by_verdict = {judgement.verdict: (way, judgement) for way, judgement in reversed(judged)}
    if not {"verified", "refuted"} <= by_verdict.keys():
        return judged[0]
    (way, verified), (_, refuted) = by_verdict["verified"], by_verdict["refuted"]
    told = f"{verified.reason}; made in another way: {refuted.reason}"
    counted = way.interval is None and way.successes is None
    flags = (*verified.flags, "depends_on_the_way")
    return way, replace(verified, verdict="verified" if counted else "inconclusive", reason=told, flags=flags)


def _judge_both(claim: Claim, result: UnitResult, chosen: Measurement, own: Judgement) -> Judgement:
    """A loss in percent, judged in points too: what was measured in the same scope."""
    same = [found for found in whole_measurements(result, "loss_points") if found.scope == chosen.scope]
    return judge_loss(own, _judge(claim, same[0], result)) if same else own


def _whole(claim: Claim, chosen: Measurement, data: DataUsed | None) -> int | None:
    """How many items the claim's own set has, where those asked are known to be all or part of it."""
    if claim.metric != "accuracy" or data is None or not same_name(data.name, claim.conditions.dataset or ""):
        return None
    if data.declared_by == "known":
        return chosen.n
    return data.whole if chosen.n == data.items else None


def _reach(measurement: Measurement) -> float:
    """How far up a measurement is sure to reach."""
    if measurement.successes is not None and measurement.n:
        return proportion_interval(measurement.successes, measurement.n)[0]
    return measurement.interval.low if measurement.interval is not None else float(measurement.value)


def _without_labels(measured: Measured) -> Finding:
    """`runs` where no set asked for the right answers: finite output is something, but not enough."""
    if measured.finite:
        reason = "one made-up item gives finite numbers; no labelled set at hand says whether they are right"
        return Finding(Judgement("inconclusive", "no_data", reason), tier="artifact")
    return unverifiable("not_runnable", measured.detail or "it loads, but nothing here can try its task")


def header_differs(ground: Ground, result: UnitResult) -> bool:
    """Whether the loaded model has another number of parameters than the headers of its files."""
    stated = ground.facts.parameters if ground.facts is not None else None
    loaded = result.measured.all_of("parameters") if result.measured is not None else []
    return stated is not None and any(float(found.value) != float(stated) for found in loaded)


def _said_by(result: UnitResult, finding: Finding) -> Finding:
    """The same finding, said by this unit's probe."""
    return replace(finding, method=result.probe, method_version=result.version)
