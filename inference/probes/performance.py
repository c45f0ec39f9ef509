"""Speed and memory on this machine: one item, a batch against as many single items, and bytes held at the peak."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from graph.claims import Scope
from inference.data.sets import LabelledSet
from inference.probes.base import Measured, Measurement, ProbeInfo, RunTask, Seconds, Subject, load_seconds
from inference.probes.export import MODULES, RUNTIME, TASKS, export_onnx, fits, item_seconds, open_session
from inference.probes.models import made_up, main_output, open_model, require_finite, shown_size
from inference.probes.timing import (
    MOST_PAIRS,
    PAIRS,
    alternate,
    median_of,
    repeats_for,
    rounds_within,
    same_against_same,
    seconds_of,
    speedup_of,
)

BATCH_SIZE: Final = 8
_BUDGET_S: Final = 1.5
"""Seconds of timing above the least number of pairs."""
_SINGLES_S: Final = 0.1
"""Single items of one round take about this long at most, and are at least two; the others count as these do."""
_ONNX: Final = frozenset({"onnx", "onnxruntime", "onnx runtime", "ort"})


Times = Annotated[list[Seconds], Field(min_length=PAIRS, max_length=MOST_PAIRS)]


class _Raw(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    batch_size: int = Field(ge=2, le=1024)
    singles: int = Field(ge=1, le=1024)
    single_s: Times
    again_s: Times
    batch_s: Times
    runtime: str = Field(pattern=f"^(torch|{RUNTIME})$")
    inputs: Scope
    weights_bytes: int = Field(ge=0)
    peak_bytes: dict[int, int] = Field(max_length=2)


class PerformanceProbe:
    """Times the model on made-up items of its own size, on one thread, a batch and single items by turns."""

    info = ProbeInfo(
        name="performance",
        version="1",
        metrics=("latency_s", "throughput", "speedup", "memory_bytes"),
        tasks=TASKS,
        modules=MODULES,
        settings=("batch_size", "runtime", "size"),
        covered=(("batch_size", 1), ("batch_size", BATCH_SIZE)),
        alone=True,
        architecture=True,
        on_demand=True,
        control="single items against single items must give a ratio whose interval contains 1",
    )

    def cost_s(self, subject: Subject, data: LabelledSet | None) -> float | None:
        """Seconds to load, and for at least 15 pairs of two single items and a batch, and the control."""
        if not fits(subject):
            return None
        return load_seconds(subject) + 2 * _BUDGET_S + (PAIRS + 2) * (4 + 1.2 * BATCH_SIZE) * item_seconds(subject)

    def run(self, task: RunTask) -> dict[str, Any]:
        """The raw answer: seconds by turns, and bytes counted."""
        model = open_model(task)
        batch_size = max(2, min(int(task.settings.get("batch_size", BATCH_SIZE)), 1024))
        asked = str(task.settings.get("runtime", "torch")).lower()
        size = str(task.settings["size"]) if "size" in task.settings else None
        runtime = RUNTIME if asked in _ONNX else "torch"
        prepare = _onnx_work if runtime == RUNTIME else _torch_work
        work = prepare(model, task, size)
        one, many = work(1), work(batch_size)
        started = time.perf_counter()
        peaks = {} if runtime == RUNTIME else {n: _peak_bytes(model, task, n, size) for n in (1, batch_size)}
        singles = max(1, min(batch_size // 2, int(_SINGLES_S / 2 / max(seconds_of(one), 1e-6))))

        def half() -> None:
            for _ in range(singles):
                one()

        if runtime == RUNTIME:
            many()
        rounds = rounds_within(_BUDGET_S, time.perf_counter() - started)
        repeats = repeats_for(seconds_of(half))
        single_s, again_s, batch_s = alternate(half, half, many, rounds=rounds, repeats=repeats)
        inputs = made_up(model, 1, task.folder, task.seed, size)
        return {
            "batch_size": batch_size, "singles": singles, "single_s": single_s, "again_s": again_s, "batch_s": batch_s,
            "runtime": runtime, "inputs": shown_size(inputs).model_dump(exclude_none=True),
            "weights_bytes": _weights_bytes(model), "peak_bytes": peaks,
        }  # fmt: skip

    def score(self, raw: bytes, data: LabelledSet | None) -> Measured:
        """Medians with exact order-statistic intervals; bytes are counts."""
        answer = _Raw.model_validate_json(raw)
        scope = Scope(device="cpu", runtime=answer.runtime, threads=1, batch_size=1,
                      **answer.inputs.model_dump(exclude_none=True))  # fmt: skip
        batched = scope.model_copy(update={"batch_size": answer.batch_size})
        control = same_against_same(answer.single_s, answer.again_s)
        single_s = [one + other for one, other in zip(answer.single_s, answer.again_s, strict=True)]
        timed = 2 * answer.singles
        item_s = [seconds / timed for seconds in single_s]
        rates = [answer.batch_size / max(seconds, 1e-9) for seconds in answer.batch_s]
        factor = answer.batch_size / timed
        against = batched.model_copy(update={"reference": "batch 1"})
        how = f"{answer.batch_size} items one by one ({timed} timed in each pair) against one batch"
        measured = [
            median_of("latency_s", item_s, scope, control=control),
            median_of("throughput", [1 / max(seconds, 1e-9) for seconds in item_s], scope, control=control),
            median_of("throughput", rates, batched, control=control),
            speedup_of(single_s, answer.batch_s, against, factor, control=control, detail=how),
            *(
                Measurement(metric="memory_bytes", value=float(answer.weights_bytes + peak),
                            scope=scope.model_copy(update={"batch_size": n}),
                            detail=f"weights {answer.weights_bytes} and at most {peak} in live tensors")
                for n, peak in sorted(answer.peak_bytes.items())
            ),
        ]  # fmt: skip
        return Measured(measurements=tuple(measured))


def _torch_work(model: Any, task: RunTask, size: str | None) -> Callable[[int], Callable[[], None]]:
    """For a batch size, the work of one call through torch."""
    import torch

    def work(batch_size: int) -> Callable[[], None]:
        inputs = made_up(model, batch_size, task.folder, task.seed, size)

        def call() -> None:
            with torch.inference_mode():
                model(**inputs)

        if batch_size == 1:
            with torch.inference_mode():
                require_finite(main_output(model(**inputs)))
        return call

    return work


def _onnx_work(model: Any, task: RunTask, size: str | None) -> Callable[[int], Callable[[], None]]:
    """For a batch size, the work of one call through onnxruntime, on the exported model."""
    session = open_session(export_onnx(model, made_up(model, 2, task.folder, task.seed, size)))

    def work(batch_size: int) -> Callable[[], None]:
        inputs = made_up(model, batch_size, task.folder, task.seed, size)
        arrays = {name: value.numpy() for name, value in inputs.items()}
        return lambda: session.run(None, arrays)

    return work


def _weights_bytes(model: Any) -> int:
    """Bytes of all parameters and buffers, shared ones once."""
    held = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in model.parameters()}
    held |= {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in model.buffers()}
    return sum(held.values())


def _peak_bytes(model: Any, task: RunTask, batch_size: int, size: str | None) -> int:
    """The most bytes that tensors made in one call hold at once, its inputs included: counted, so always the same.

    What a kernel keeps for itself while it runs is not seen.
    """
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    held: dict[int, int] = {}
    peak = 0

    class Counting(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            nonlocal peak
            output = func(*args, **(kwargs or {}))
            for tensor in tree_leaves(output):
                if torch.is_tensor(tensor):
                    _hold(tensor.untyped_storage(), held)
            peak = max(peak, sum(held.values()))
            return output

    known = {tensor.untyped_storage()._cdata for tensor in (*model.parameters(), *model.buffers())}
    inputs = made_up(model, batch_size, task.folder, task.seed, size)
    for tensor in inputs.values():
        _hold(tensor.untyped_storage(), held)
    held |= dict.fromkeys(known, 0)  # views of weights cost nothing
    with torch.no_grad(), Counting():
        model(**inputs)
    return peak


def _hold(storage: Any, held: dict[int, int]) -> None:
    """Count a storage until it is freed."""
    key = storage._cdata
    if key not in held:
        held[key] = storage.nbytes()
        weakref.finalize(storage, held.pop, key, None)
