"""What was measured, in the formats that model pages read: `model-index` (README.md) and `.eval_results/*.yaml`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from graph.claims import Evidence
from graph.errors import InputError
from graph.metrics import METRICS
from graph.responses import ArtifactReport
from graph.taxonomy import full_task

FORMATS: Final = ("model-index", "eval-results")


def render_card(report: ArtifactReport, form: str) -> str:
    """The measured results of an artifact as YAML, to be pasted into a model's card or its `.eval_results` folder.

    Only what was measured on a labelled set is given, never what was claimed. Each result names its evidence, its
    interval and who declared the set.

    Parameters
    ----------
    report : ArtifactReport
        The artifact as `show` gives it.
    form : str
        `model-index` or `eval-results`.

    Raises
    ------
    InputError
        There is no such format, or nothing was measured on a labelled set.
    """
    if form not in FORMATS:
        raise InputError(f"format {form!r}: write one of {', '.join(FORMATS)}")
    results = sorted(filter(_is_result, report.observations), key=lambda record: (record.metric, record.id))
    if not results:
        raise InputError(f"{report.slug}: nothing was measured on a labelled set: matchgraph verify --data NAME=PATH")
    import yaml

    content = _model_index(report, results) if form == "model-index" else _eval_results(report, results)
    return str(yaml.safe_dump(content, sort_keys=False, allow_unicode=True))


def _is_result(record: Evidence) -> bool:
    return record.data is not None and record.metric in METRICS and isinstance(record.measured, int | float)


def _model_index(report: ArtifactReport, results: list[Evidence]) -> dict[str, Any]:
    """Source of the format: huggingface_hub's `eval_results_to_model_index`."""
    from huggingface_hub import EvalResult
    from huggingface_hub.repocard_data import eval_results_to_model_index

    entries = [
        EvalResult(
            task_type=_task(report),
            dataset_type=_data(record).name,
            dataset_name=_data(record).name,
            dataset_args={"sha256": _data(record).digest, "declared_by": _data(record).declared_by},
            metric_type=record.metric,
            metric_name=METRICS[record.metric].meaning,
            metric_value=_rounded(record),
            metric_args=_args(record),
        )
        for record in results
    ]
    return {"model-index": eval_results_to_model_index(report.name, entries)}


def _eval_results(report: ArtifactReport, results: list[Evidence]) -> list[dict[str, Any]]:
    """Source of the format: huggingface_hub's `eval_result_entries_to_yaml`."""
    from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml

    entries = [
        EvalResultEntry(
            dataset_id=_data(record).name,
            task_id=_task(report),
            value=_rounded(record),
            date=datetime.fromtimestamp(record.time_us / 1e6, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            notes=f"{record.metric}; " + "; ".join(f"{name} {value}" for name, value in _args(record).items()),
        )
        for record in results
    ]
    return eval_result_entries_to_yaml(entries)


def _task(report: ArtifactReport) -> str:
    """The task as the hub's pipeline tag: that of the first capability."""
    tasks = (full_task(capability.task) for capability in report.capabilities)
    return next((task.partition(".")[2] for task in tasks if task), "other")


def _args(record: Evidence) -> dict[str, Any]:
    """What a result rests on."""
    args: dict[str, Any] = {"evidence": record.id, "unit": record.unit, "n": record.n}
    if record.interval is not None:
        interval = record.interval
        args["interval"] = f"[{interval.low:.4g}, {interval.high:.4g}] {interval.level:.0%} {interval.method}"
    args["data"] = f"sha256 {_data(record).digest[:16]}, declared by {_data(record).declared_by}"
    if record.model is not None:
        args["model"] = f"sha256 {record.model.digest[:16]}"
    return {name: value for name, value in args.items() if value is not None}


def _data(record: Evidence) -> Any:
    assert record.data is not None  # noqa: S101 - _is_result looked
    return record.data


def _rounded(record: Evidence) -> float:
    return round(float(record.measured or 0.0), 4)
