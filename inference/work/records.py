"""Evidence records: sealed from findings and observations, and told apart from what is already known."""

from __future__ import annotations

import functools
import importlib.metadata
import platform
import re
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from graph.claims import Claim, Evidence, Interval, Scope, Tier, evidence_id
from graph.metrics import METRICS
from inference.data.sets import BUILT_IN
from inference.ground import Ground
from inference.judging.conclude import header_differs
from inference.judging.matching import whole_measurements
from inference.judging.results import UnitResult
from inference.judging.routing import FACTS, FACTS_VERSION, Finding
from inference.probes.measurements import OBSERVED_UNITS, Measurement
from inference.verdicts.intervals import proportion_interval

_LIBRARIES: Final = (
    "torch", "transformers", "sentence-transformers", "diffusers", "tokenizers", "safetensors", "onnx", "onnxruntime",
    "numpy", "pillow",
)  # fmt: skip
_NEVER_OBSERVED: Final = ("loads", "runs")
"""Thresholds of ours, judged and not observed."""
_PATHS: Final = re.compile(r"(?<![\w./])(?:/[\w.+@~-]+){2,}/?|(?<![\w])[A-Za-z]:\\[^\s'\"]+")
_PHASES: Final = {"load_s": "load", "export_s": "export"}
UNSEALED: Final = ""
"""The id of a record that is not sealed yet: only what is news gets sealed."""
NOT_RUN_YET: Final = "budget"
"""Reason code of a record that takes back what was decided on other files of the model."""
_MEASURED_ANEW: Final = ("id", "time_us", "duration_s", "durations_s", "attempt")


def evidence_of(claim: Claim, finding: Finding, ground: Ground, result: UnitResult | None, time_us: int) -> Evidence:
    """The record, not yet sealed, of a finding on a claim; `result` is its unit, None for a check."""
    judgement = finding.judgement
    flags = {*judgement.flags}
    if result is not None and claim.metric == "parameters" and header_differs(ground, result):
        flags.add("header_differs")
    if result is not None and result.measured is not None:
        flags |= set(result.measured.flags)
    decided = finding.tier is not None
    return Evidence(
        id=UNSEALED,
        kind="check" if result is None else "probe",
        artifact=ground.artifact.id,
        capability=claim.capability,
        claim=claim.id,
        metric=claim.metric,
        unit=claim.unit,
        verdict=judgement.verdict,
        reason_code=judgement.reason_code,
        reason=without_paths(judgement.reason),
        tier=finding.tier,
        measured=finding.measured,
        successes=finding.successes,
        n=finding.n,
        interval=judgement.interval,
        threshold=judgement.threshold,
        decisive_n=judgement.decisive_n,
        detectable=judgement.detectable,
        method=finding.method,
        method_version=finding.method_version,
        control=finding.control,
        scope=(finding.scope or Scope()) if decided else claim.conditions,
        model=ground.model,
        flags=tuple(sorted(flags)),
        time_us=time_us,
        repeat=repeat_command(ground, result),
        **_run_fields(result),
    )


def _run_fields(result: UnitResult | None) -> dict[str, Any]:
    """The fields of a record that tell how the run was made."""
    if result is None:
        return {}
    return {
        "unit_id": result.unit, "seed": result.seed, "data": result.data, "libraries": result.libraries,
        "device": result.device, "sandbox": result.layers, "duration_s": result.duration_s,
        "durations_s": _phases(result),
    }  # fmt: skip


def _phases(result: UnitResult) -> dict[str, float]:
    """Seconds of the parts of a run, as far as its probe told them: loading, exporting."""
    found = result.measured.measurements if result.measured is not None else ()
    return {phase: float(one.value) for one in found for metric, phase in _PHASES.items() if one.metric == metric}


def observations_of_files(ground: Ground, time_us: int) -> list[Evidence]:
    """What the files say by themselves, as observations not yet sealed: formats, bytes, parameters, labels, sizes."""
    facts = ground.facts
    if facts is None:
        return []
    found: dict[str, float | str | None] = {
        "size_bytes": facts.size_bytes or None, "parameters": facts.parameters, "labels": facts.labels,
        "dimensions": facts.dimensions, "context": facts.context, "formats": ", ".join(facts.formats) or None,
    }  # fmt: skip
    return [
        _observation(ground, metric, value, FACTS, FACTS_VERSION, Scope(), time_us)
        for metric, value in found.items()
        if value is not None
    ]


def observations_of_unit(ground: Ground, result: UnitResult, time_us: int) -> list[Evidence]:
    """What a unit measured, as observations not yet sealed: every number and fact that the files do not say already."""
    told = {(record.metric, record.measured) for record in observations_of_files(ground, time_us)}
    return [
        _observed(ground, result, found, time_us)
        for found in whole_measurements(result)
        if found.metric not in _NEVER_OBSERVED and (found.metric, found.value) not in told
    ]


def _observed(ground: Ground, result: UnitResult, found: Measurement, time_us: int) -> Evidence:
    """One measurement as an observation; a fact that does not hold is observed as "not …"."""
    measured = f"not {found.value}" if found.holds is False else found.value
    return _observation(
        ground, found.metric, measured, result.probe, result.version, found.scope, time_us,
        unit=found.shown_unit, tier=ground.subject.tier, interval=_interval(found, result.level),
        successes=found.successes, n=found.n, control=found.control,
        flags=tuple(sorted(set(found.flags))), reason=without_paths(found.detail), result=result,
    )  # fmt: skip


def _interval(found: Measurement, level: float) -> Interval | None:
    """The interval of a measurement; of a share Clopper-Pearson's, in percent where its value is."""
    if found.interval is not None or found.successes is None or found.n is None:
        return found.interval
    scale = 100 if found.shown_unit == "percent" else 1
    low, high = (scale * end for end in proportion_interval(found.successes, found.n, level))
    return Interval(low=low, high=high, level=level, method="clopper-pearson")


def _observation(
    ground: Ground, metric: str, value: float | str, method: str, version: str, scope: Scope, time_us: int, *,
    unit: str = "", tier: Tier = "artifact", result: UnitResult | None = None, **more: Any,
) -> Evidence:  # fmt: skip
    unit = unit or (METRICS[metric].unit if metric in METRICS else OBSERVED_UNITS[metric])
    return Evidence(
        id=UNSEALED, kind="observation", artifact=ground.artifact.id, metric=metric, unit=unit, tier=tier,
        measured=value, method=method, method_version=version, scope=scope, model=ground.model, time_us=time_us,
        repeat=repeat_command(ground, result), **_run_fields(result), **more,
    )  # fmt: skip


def repeat_command(ground: Ground, result: UnitResult | None) -> str:
    """The command that repeats a record, with names only: no path of anybody's disk.

    A labelled set that does not come with the program is looked for by its name in the folder where it is run.
    """
    words = ["matchgraph", "verify", ground.artifact.slug]
    if result is None:
        return " ".join(words)
    if result.data is not None and result.data.name not in BUILT_IN:
        words += ["--data", f"{result.data.name}={result.data.name}"]
    if ground.trust in ("name", "digest"):
        known = ground.architecture if ground.subject.tier == "architecture" else ground.model
        by_digest = known.digest if ground.trust == "digest" and known is not None else None
        words += ["--trust", by_digest or ground.artifact.slug]
    if not result.device.startswith("cpu"):
        words += ["--device", result.device.partition(" ")[0]]
    return shlex.join(words)


def without_paths(text: str) -> str:
    """A text with the paths of files replaced by "…": records are shown to others."""
    return _PATHS.sub("…", text)


@functools.cache
def library_versions() -> tuple[tuple[str, str], ...]:
    """Versions of Python and of the libraries that run models, by name; those not installed are left out."""
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return tuple(sorted(found.items()))


@functools.cache
def processor() -> str:
    """The device that probes run on, with the processor's model name where the system tells it."""
    name = platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), name)
    except OSError:
        name = platform.processor() or name
    return f"cpu ({name})"


def sealed(record: Evidence) -> Evidence:
    """The record with the id that follows from its fields."""
    return record.model_copy(update={"id": evidence_id(record.model_dump(mode="json"))})


class History:
    """What is recorded about one artifact, to tell news from repetition."""

    def __init__(self, records: Iterable[Evidence]) -> None:
        self._told: dict[tuple[str, ...], tuple[tuple[str | None, ...], list[dict[str, Any]]]] = {}
        self._decided: dict[str, str | None] = {}
        for record in records:
            self.add(record)

    def add(self, record: Evidence) -> None:
        """Take a record into account."""
        key, made_from = _key(record), _made_from(record)
        before, told = self._told.get(key, (made_from, []))
        self._told[key] = (made_from, [*told, _substance(record)] if before == made_from else [_substance(record)])
        if record.claim is not None and _is_attempt(record) and record.verdict != "error":
            self._decided[record.claim] = _model_digest(record)

    def is_news(self, record: Evidence) -> bool:
        """Whether a record says anything new.

        Not what was said before about the same weights by the same unit, and not "cannot be tried now" about a claim
        that was decided on these weights: a set that is not given today takes back nothing. NOT_RUN_YET is news only
        about a claim that was decided on other weights.
        """
        made_from, told = self._told.get(_key(record), ((), []))
        if made_from == _made_from(record) and _substance(record) in told:
            return False
        if record.claim not in self._decided:
            return record.reason_code != NOT_RUN_YET
        if _is_attempt(record):
            return True
        weights = _model_digest(record)
        return weights is not None and weights != self._decided[record.claim]


def _is_attempt(record: Evidence) -> bool:
    """Whether a record tells of something tried, and not only that nothing here could judge it."""
    return record.verdict != "unverifiable" and (record.verdict, record.reason_code) != ("inconclusive", "no_data")


def _model_digest(record: Evidence) -> str | None:
    return record.model.digest if record.model is not None else None


def _key(record: Evidence) -> tuple[str, ...]:
    if record.claim is not None:
        return "claim", record.claim
    return "observation", record.method, record.unit_id or "", record.metric, record.scope.model_dump_json()


def _made_from(record: Evidence) -> tuple[str | None, ...]:
    """Weights and unit of work: while they stay, what was said once need not be said again after something else."""
    return _model_digest(record), record.unit_id


def _substance(record: Evidence) -> dict[str, Any]:
    return record.model_dump(mode="json", exclude=set(_MEASURED_ANEW))
