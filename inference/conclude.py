"""From the result of a finished unit to a verdict on a claim that waited for it."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from graph.claims import Claim, DataUsed
from graph.metrics import METRICS
from inference.data.sets import same_name
from inference.ground import Ground
from inference.probes.base import FailureCode, Measured
from inference.routing import Finding, loader_of, unusable
from inference.verdicts import Judgement, judge_exact, judge_proportion, judge_runs

LASTING: Final = (None, "load_failed", "crashed", "non_finite")
"""How a unit may end so that it is not run again: time and memory may suffice another day, trust may come."""
_IN_PERCENT: Final = ("fraction", "share", "ratio")


class UnitResult(BaseModel):
    """What a unit of work came to; kept as JSON with the finished unit, so that later claims need no new run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    unit: str
    probe: str
    version: str
    failure: FailureCode | None = None
    what: str = Field(default="", max_length=2_000)
    measured: Measured | None = None
    data: DataUsed | None = None
    seed: int = 0
    device: str = "cpu"
    libraries: dict[str, str] = Field(default_factory=dict)
    layers: tuple[str, ...] = ()
    duration_s: float = 0.0

    @property
    def lasting(self) -> bool:
        """Whether the unit is finished for good."""
        return self.failure in LASTING

    @property
    def usable(self) -> bool:
        """Whether the model came out whole: loaded, and its numbers finite as far as they were tried."""
        measured = self.measured
        return measured is not None and measured.loads is not False and measured.finite is not False


def conclude(claim: Claim, ground: Ground, result: UnitResult) -> Finding:
    """The verdict on a claim, from the unit that it waited for, or from the loading that already failed."""
    finding = _conclude(claim, ground, result)
    control = result.measured.control if result.measured is not None else None
    if control is not None and not control["passed"] and finding.judgement.verdict in ("verified", "refuted"):
        held = f"{finding.judgement.reason}; but shuffled labels did not give chance"
        judgement = Judgement("inconclusive", None, held, finding.judgement.interval, flags=("control_failed",))
        return _of(result, judgement, finding.measured, finding.successes, finding.n)
    return finding


def _conclude(claim: Claim, ground: Ground, result: UnitResult) -> Finding:
    measured = result.measured
    if result.failure is not None or measured is None:
        return _probed(unusable(claim, result.failure or "crashed", result.what), result)
    if claim.metric == "loads":
        verdict: Any = "verified" if measured.loads else "refuted"
        code = None if measured.loads else "load_failed"
        return _of(result, Judgement(verdict, code, measured.detail or "every tensor was in the files"))
    if not measured.loads and claim.metric != "parameters":
        return _probed(unusable(claim, "load_failed", measured.detail), result)
    if measured.finite is False and claim.metric in ("runs", "accuracy"):
        return _probed(unusable(claim, "non_finite", "its output is not finite"), result)
    if claim.metric == "runs":
        return _runs(measured, result)
    if claim.metric == "accuracy":
        return _accuracy(claim, measured, result)
    return _number(claim, ground, measured, result)


def _runs(measured: Measured, result: UnitResult) -> Finding:
    if measured.successes is not None and measured.n:
        judgement = judge_runs(measured.successes, measured.n, measured.majority or 0.0, measured.classes or 2)
        return _of(result, judgement, measured.successes / measured.n, measured.successes, measured.n)
    if measured.finite:
        reason = "one made-up item gives finite numbers; no labelled set at hand says whether they are right"
        return _of(result, Judgement("inconclusive", "no_data", reason))
    reason = measured.detail or "it loads, but nothing here can try its task"
    return _of(result, Judgement("unverifiable", "not_runnable", reason), tier=False)


def _accuracy(claim: Claim, measured: Measured, result: UnitResult) -> Finding:
    if measured.successes is None or not measured.n or not isinstance(claim.value, int | float):
        return _of(result, Judgement("unverifiable", "no_data", "the probe asked for no labels"), tier=False)
    value = claim.value * 100 if claim.unit in _IN_PERCENT else claim.value
    data = result.data
    whole = data is not None and data.declared_by == "known" and same_name(data.name, claim.conditions.dataset or "")
    judgement = judge_proportion(measured.successes, measured.n, float(value), claim.comparator, whole_set=whole)
    share = 100 * measured.successes / measured.n
    return _of(result, judgement, share, measured.successes, measured.n)


def _number(claim: Claim, ground: Ground, measured: Measured, result: UnitResult) -> Finding:
    loader = loader_of(claim, ground) if claim.metric == "max_tokens" else None
    found = measured.values.get(f"{claim.metric}@{loader}" if loader else claim.metric)
    if found is None:
        where = f" through {loader}" if loader else ""
        reason = f"the loaded model shows no {claim.metric}{where}"
        return _of(result, Judgement("unverifiable", "not_runnable", reason), tier=False)
    judgement = judge_exact(found, claim, METRICS[claim.metric])
    finding = _of(result, judgement, found)
    return Finding(**{**vars(finding), "loader": loader})


def header_differs(ground: Ground, result: UnitResult) -> bool:
    """Whether the loaded model has another number of parameters than the headers of its files."""
    stated = ground.facts.parameters if ground.facts is not None else None
    loaded = result.measured.values.get("parameters") if result.measured is not None else None
    return stated is not None and loaded is not None and float(stated) != loaded


def _of(
    result: UnitResult,
    judgement: Judgement,
    measured: float | str | None = None,
    successes: int | None = None,
    n: int | None = None,
    *,
    tier: bool = True,
) -> Finding:
    """A finding of this unit's probe."""
    control = result.measured.control if result.measured is not None and n is not None else None
    return Finding(
        judgement, measured, "artifact" if tier else None, result.probe, result.version, successes, n, control
    )


def _probed(finding: Finding, result: UnitResult) -> Finding:
    """The same finding, said by this unit's probe."""
    return Finding(finding.judgement, finding.measured, finding.tier, result.probe, result.version)
