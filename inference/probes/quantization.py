"""Eight-bit and half-precision forms of a model: how much smaller, and how much faster here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from graph.claims import Scope
from inference.data.sets import LabelledSet
from inference.probes.base import (
    Measured,
    Measurement,
    ProbeInfo,
    RunTask,
    Seconds,
    Subject,
    load_seconds,
)
from inference.probes.export import MODULES, TASKS, fits, item_seconds, open_session
from inference.probes.models import made_up, main_output, open_model, require_finite, shown_size
from inference.probes.smaller_forms import (
    EIGHT_BIT,
    HALVES,
    eight_bit_files,
    file_bytes,
    in_half,
    scope_of,
    wanted_forms,
)
from inference.probes.timing import (
    MOST_PAIRS,
    PAIRS,
    Work,
    alternate,
    median_of,
    repeats_for,
    rounds_within,
    same_against_same,
    seconds_of,
    speedup_of,
)

_CALIBRATION: Final = 2
_BUDGET_S: Final = 1.0
_TIMED_BY_DEFAULT: Final = ("bfloat16",)
_SLOW: Final = 10
"""A half-precision form this many times slower is timed only where a claim asks: the processor has no kernel for it."""
Times = Annotated[list[Seconds], Field(min_length=PAIRS, max_length=MOST_PAIRS)]


class _Sizes(BaseModel):
    """Bytes of the same kind of file before and after."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    before: int = Field(ge=1)
    after: int = Field(ge=1)


class _Raw(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    sizes: dict[str, _Sizes] = Field(min_length=1, max_length=4)
    seconds: dict[str, Times] = Field(max_length=7)
    inputs: Scope


class QuantizationProbe:
    """onnxruntime's own quantiser, and torch in half precision, each against float32 in the same runtime."""

    info = ProbeInfo(
        name="quantization",
        version="1",
        metrics=("size_ratio", "speedup", "latency_s", "size_bytes"),
        tasks=TASKS,
        modules=MODULES,
        settings=("precision",),
        covered=(("precision", "int8"), ("precision", "bfloat16")),
        alone=True,
        architecture=True,
        on_demand=True,
        control="float32 against float32 must give a ratio whose interval contains 1",
    )

    def cost_s(self, subject: Subject, data: LabelledSet | None) -> float | None:
        """Seconds to load, to export, to quantise twice, and to time five forms on single items."""
        if not fits(subject):
            return None
        made_s = 3.0 if (subject.task or "").startswith("vision.") else 0.5  # texts have no static form
        return load_seconds(subject) + made_s + _BUDGET_S + (PAIRS + 2) * 5 * item_seconds(subject)

    def run(self, task: RunTask) -> dict[str, Any]:
        """The raw answer: bytes of files, and seconds by turns."""
        model = open_model(task)
        wanted = wanted_forms(str(task.settings.get("precision", "")), model)
        sizes: dict[str, dict[str, int]] = {}
        seconds: dict[str, list[float]] = {}
        if set(wanted) & set(EIGHT_BIT):
            _eight_bit(model, task, [form for form in wanted if form in EIGHT_BIT], sizes, seconds)
        _halves(model, task, [form for form in wanted if form in HALVES], sizes, seconds)
        inputs = shown_size(made_up(model, 1, task.folder, task.seed))
        return {"sizes": sizes, "seconds": seconds, "inputs": inputs.model_dump(exclude_none=True)}

    def score(self, raw: bytes, data: LabelledSet | None) -> Measured:
        """Exact size ratios, and medians of paired time ratios."""
        answer = _Raw.model_validate_json(raw)
        if not set(answer.sizes) <= {*EIGHT_BIT, *HALVES}:
            raise ValueError("a form that was not asked for")
        return Measured(measurements=tuple(_measurements(answer)))


def _measurements(answer: _Raw) -> Iterator[Measurement]:
    for form, size in answer.sizes.items():
        file = scope_of(form)
        shared = answer.inputs.model_dump(exclude_none=True)
        notes = [note for note in (file.note, answer.inputs.note) if note]
        timed = Scope(**{**file.model_dump(exclude_none=True), **shared, "note": "; ".join(notes) or None},
                      device="cpu", threads=1, batch_size=1)  # fmt: skip
        detail = f"{size.before} bytes in float32, {size.after} after"
        yield Measurement(metric="size_ratio", value=size.before / size.after, scope=file, detail=detail)
        yield Measurement(metric="size_bytes", value=float(size.after), scope=file)
        if form not in answer.seconds:
            continue
        runtime = "onnx" if form in EIGHT_BIT else "torch"
        before, again = answer.seconds.get(runtime, []), answer.seconds.get(f"{runtime} again", [])
        control = same_against_same(before, again)
        yield speedup_of(before, answer.seconds[form], timed, control=control)
        alone = timed.model_copy(update={"reference": None})
        yield median_of("latency_s", answer.seconds[form], alone, control=control)


def _eight_bit(
    model: Any, task: RunTask, forms: Sequence[str], sizes: dict[str, dict[str, int]], seconds: dict[str, list[float]]
) -> None:
    """Write and time the eight-bit files of these forms, beside the float32 file."""
    items = [made_up(model, 1, task.folder, task.seed + 1 + number) for number in range(_CALIBRATION)]
    with eight_bit_files(model, made_up(model, 2, task.folder, task.seed), forms, items) as files:
        before = files["float32"].stat().st_size
        sizes.update({form: {"before": before, "after": files[form].stat().st_size} for form in forms})
        arrays = {name: value.numpy() for name, value in made_up(model, 1, task.folder, task.seed).items()}
        ways = [_session_work(files[form], arrays) for form in ("float32", *forms)]
    seconds.update(_timed(["onnx", "onnx again", *forms], [ways[0], *ways]))


def _session_work(file: Path, arrays: dict[str, Any]) -> Work:
    session = open_session(file)
    require_finite(session.run(None, arrays)[0])
    return lambda: session.run(None, arrays)


def _halves(
    model: Any, task: RunTask, forms: Sequence[str], sizes: dict[str, dict[str, int]], seconds: dict[str, list[float]]
) -> None:
    """Count and time the half-precision forms; the float32 model is read before it is changed."""
    if not forms:
        return
    inputs = made_up(model, 1, task.folder, task.seed)
    full = _torch_work(model, inputs, "float32")
    seconds_of(full)
    full_s = seconds_of(full)
    names, ways = ["torch", "torch again"], [full, full]
    for form in forms:
        half = in_half(model, form)
        sizes[form] = {"before": file_bytes(model), "after": file_bytes(half)}
        if len(forms) > 1 and form not in _TIMED_BY_DEFAULT:
            continue
        work = _torch_work(half, inputs, form)
        first_s = seconds_of(work)  # the first call also chooses kernels
        if len(forms) == 1 or min(first_s, seconds_of(work)) < _SLOW * full_s:
            require_finite(main_output(work()).float())
            names.append(form)
            ways.append(work)
    if len(ways) > 2:
        seconds.update(_timed(names, ways))


def _timed(names: Sequence[str], ways: Sequence[Work]) -> dict[str, list[float]]:
    """Seconds of each way by its name, the first two being the control."""
    once_s = seconds_of(*ways)
    repeats = repeats_for(once_s / len(ways))
    rounds = rounds_within(_BUDGET_S, once_s * repeats)
    return dict(zip(names, alternate(*ways, rounds=rounds, repeats=repeats), strict=True))


def _torch_work(model: Any, inputs: dict[str, Any], form: str) -> Work:
    import torch

    dtype = getattr(torch, form)
    own = {name: value.to(dtype) if value.is_floating_point() else value for name, value in inputs.items()}

    def call() -> Any:
        with torch.inference_mode():
            return model(**own)

    return call
