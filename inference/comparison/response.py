"""The answer of `evaluate models`, put together from what each model did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from graph.claims import Interval
from graph.constants import INTERVAL_LEVEL
from graph.model_comparison import ComparedData, ComparedModel, EvaluateModelsResponse
from inference.comparison.models import Candidate, Trial
from inference.comparison.outcomes import BITS, Outcome
from inference.comparison.statistics import Answers, compare_pairs, leaders, pair_level
from inference.comparison.verdict import decide_winner
from inference.data.sets import LabelledSet
from inference.verdicts.intervals import mean_interval, proportion_interval

_NOT_CHANCE: Final = ("passages",)


@dataclass(frozen=True)
class Compared:
    """A model and what it did; `reason_code` says why it has no answers."""

    candidate: Candidate
    trial: Trial | None
    outcome: Outcome | None
    reason_code: str | None = None
    reason: str = ""
    resumed: bool = False
    evidence: tuple[str, ...] = ()


def comparison_response(
    compared: Sequence[Compared],
    data: LabelledSet,
    *,
    of_items: int,
    task: str | None,
    seed: int,
    device: str,
    units: Mapping[str, int],
    duration_s: float,
    repeat: str,
) -> EvaluateModelsResponse:
    """The answer from what each model did, in the order the models were named.

    Models are compared by the metric that most of them have; one with another stays out with its reason.
    """
    metric = _metric(compared)
    judged = [_with_control(_same_metric(model, metric)) for model in compared]
    answers = [model.outcome.answers(model.candidate.name) for model in judged if _answered(model) and model.outcome]
    pairs = compare_pairs(answers)
    guess = _guess(data)
    winner, verdict = decide_winner(answers, pairs, guess[1])
    tasks = {model.trial.probe.info.tasks[0] for model in judged if model.trial is not None and _answered(model)}
    in_percent = bool(answers) and bool(answers[0].right)
    return EvaluateModelsResponse(
        task=task or (tasks.pop() if len(tasks) == 1 else None),
        metric=metric,
        unit="percent" if in_percent or not metric else "bits",
        data=_data(data, of_items, seed, guess),
        models=tuple(_model(model) for model in judged),
        pairs=pairs,
        level=INTERVAL_LEVEL,
        pair_level=pair_level(len(answers)),
        leading=leaders(answers, pairs),
        winner=winner,
        verdict=verdict,
        units_run=units.get("run", 0),
        units_resumed=units.get("resumed", 0),
        units_left=units.get("left", 0),
        device=device,
        duration_s=duration_s,
        repeat=repeat,
    )


def _metric(compared: Sequence[Compared]) -> str:
    """The metric that most of the models have, ties by name; "" where none has any."""
    counts = Counter(model.outcome.metric for model in compared if _answered(model) and model.outcome is not None)
    return min(counts, key=lambda name: (-counts[name], name)) if counts else ""


def _same_metric(model: Compared, metric: str) -> Compared:
    if not _answered(model) or model.outcome is None or model.outcome.metric == metric:
        return model
    what = f"it is measured by {model.outcome.metric}, the others by {metric}: compare it apart"
    return Compared(model.candidate, model.trial, None, "not_runnable", what)


def _with_control(model: Compared) -> Compared:
    """The model, out of the comparison where its negative control shows that its numbers mean something else."""
    if not _answered(model) or model.outcome is None or _control_passed(model.outcome) is not False:
        return model
    what = "its negative control failed: what should give chance did not, so its answers cannot be trusted"
    return Compared(model.candidate, model.trial, None, "control_failed", what)


def _control_passed(outcome: Outcome) -> bool | None:
    """Whether the negative control gave what it should; None where the probe made none."""
    found = outcome.measurement("perplexity" if outcome.metric == BITS else outcome.metric)
    control = found.control if found is not None else None
    return bool(control["passed"]) if control is not None and "passed" in control else None


def _answered(model: Compared) -> bool:
    return model.reason_code is None and model.outcome is not None


def _guess(data: LabelledSet) -> tuple[str | None, float | None]:
    """What a guesser would always say, and the share of items that it gets right; whole sentences for tags."""
    if data.kind in _NOT_CHANCE:
        return None, None
    if not data.labels:
        return None, data.majority
    label, count = min(Counter(data.labels).items(), key=lambda pair: (-pair[1], pair[0]))
    return label, count / len(data.labels)


def _data(data: LabelledSet, of_items: int, seed: int, guess: tuple[str | None, float | None]) -> ComparedData:
    return ComparedData(
        name=data.name, kind=data.kind, digest=data.digest, declared_by=data.declared_by, items=len(data.items),
        of_items=of_items, seed=seed, labels=data.classes, majority=guess[1] or 0.0, majority_label=guess[0],
        warnings=data.warnings,
    )  # fmt: skip


def _model(model: Compared) -> ComparedModel:
    ground, outcome = model.candidate.ground, model.outcome
    facts = ground.facts
    probe = model.trial.probe.info if model.trial is not None else None
    numbers = _numbers(outcome) if outcome is not None and _answered(model) else {}
    return ComparedModel(
        name=model.candidate.name,
        origin=model.candidate.origin,
        artifact=ground.artifact.id if model.candidate.origin == "home" else None,
        digest=ground.model.digest if ground.model is not None else None,
        task=ground.subject.task,
        probe=f"{probe.name}/{probe.version}" if probe is not None else None,
        reason_code=model.reason_code,
        reason=model.reason,
        size_bytes=facts.size_bytes if facts is not None else None,
        parameters=facts.parameters if facts is not None else None,
        resumed=model.resumed,
        evidence=model.evidence,
        layers=outcome.result.layers if outcome is not None else (),
        **numbers,
    )


def _numbers(outcome: Outcome) -> dict[str, Any]:
    """Score with its interval, F1, times and control of a model that answered."""
    answers = outcome.answers("")
    measured = outcome.result.measured
    return {
        "score": answers.score,
        "interval": _interval(answers),
        "successes": sum(answers.right) if answers.right else None,
        "n": len(answers.right) or len(answers.losses),
        "f1": outcome.f1,
        "load_s": outcome.value("load_s"),
        "seconds_per_item": outcome.value("seconds_per_item"),
        "control_passed": _control_passed(outcome),
        "flags": measured.flags if measured is not None else (),
    }


def _interval(answers: Answers) -> Interval | None:
    """Clopper-Pearson of the share in percent, Student's of a mean loss; None for a single loss."""
    if answers.right:
        low, high = proportion_interval(sum(answers.right), len(answers.right))
        return Interval(low=100 * low, high=100 * high, level=INTERVAL_LEVEL, method="clopper-pearson")
    return mean_interval(answers.losses) if len(answers.losses) > 1 else None
