"""Does the model load whole, and what is it then: parameters, labels, dimensions, context; times and memory."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from graph.claims import Scope
from inference.data.sets import LabelledSet
from inference.probes.base import (
    LOAD_SAFELY,
    Answer,
    Measured,
    Measurement,
    ProbeFailure,
    ProbeInfo,
    RunTask,
    Seconds,
    Subject,
    load_seconds,
    loading,
    one_line,
    transformer_folder,
)

LIBRARIES: Final = ("transformers", "sentence-transformers")
"""Whose models this loads: the transformer inside them, with its declared class."""
_REPEATS: Final = 5


class _Raw(BaseModel):
    """The child's answer; counts are bounded, names shortened."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    missing: list[Answer] = Field(max_length=20)
    missing_count: int = Field(ge=0)
    mismatched: list[Answer] = Field(max_length=20)
    unused_count: int = Field(ge=0)
    parameters: int = Field(ge=0)
    values: dict[Literal["labels", "dimensions", "context"], FiniteFloat]
    finite: bool | None
    untried: Answer = ""
    load_s: Seconds
    latency_s: Seconds | None
    peak_memory_bytes: int | None = Field(ge=0)


class LoadingProbe:
    """Loads the class that config.json names, asks which tensors it missed, and runs one made-up item."""

    info = ProbeInfo(
        name="loading",
        version="2",
        metrics=("loads", "parameters", "labels", "dimensions", "context"),
        control="a model without one of its tensors must not pass as loaded",
    )

    def cost_s(self, subject: Subject, data: LabelledSet | None) -> float | None:
        """Seconds to load, and to run one item six times at 2 GFLOP/s and 64 tokens; None where others load it."""
        if subject.library not in LIBRARIES or subject.tier != "artifact":
            return None
        return load_seconds(subject) + (_REPEATS + 1) * 64 * (subject.parameters or 0) / 2e10

    def run(self, task: RunTask) -> dict[str, Any]:
        """The raw answer: tensors missed, counts from the loaded model, whether one item gives finite numbers."""
        memory_before = _status_kib("VmRSS")
        started = time.perf_counter()
        with loading("loads"):
            model, found = load_declared(task.folder)
        load_s = time.perf_counter() - started
        values = _config_values(model.config)
        finite, latency_s, untried, seen = _try_one(model, task.seed)
        peak, before = _status_kib("VmHWM"), memory_before
        mismatched = [str(key[0] if isinstance(key, tuple) else key) for key in found["mismatched_keys"]]
        missing = sorted(found["missing_keys"])
        return {
            "missing": [key[:200] for key in missing[:20]],
            "missing_count": len(missing),
            "mismatched": sorted(key[:200] for key in mismatched)[:20],
            "unused_count": len(found["unexpected_keys"]),
            "parameters": sum(tensor.numel() for tensor in model.parameters()),
            "values": values | seen,
            "finite": finite,
            "untried": untried,
            "load_s": load_s,
            "latency_s": latency_s,
            "peak_memory_bytes": None if peak is None or before is None else max(0, peak - before) * 1024,
        }

    def score(self, raw: bytes, data: LabelledSet | None) -> Measured:
        """What loading showed; a missing or mismatched tensor means that it does not load."""
        answer = _Raw.model_validate_json(raw)
        loads = not answer.missing_count and not answer.mismatched
        detail = f"one item was not tried: {answer.untried}"[:500] if answer.untried else ""
        if answer.missing_count:
            detail = f"{answer.missing_count} tensors are not in the files, {answer.missing[0]} first"
        elif answer.mismatched:
            detail = f"{len(answer.mismatched)} tensors have another shape, {answer.mismatched[0]} first"
        return Measured(
            loads=loads,
            finite=answer.finite,
            detail=detail,
            flags=("unused_tensors",) if answer.unused_count else (),
            measurements=tuple(_measurements(answer, loads, detail)),
        )


def _measurements(answer: _Raw, loads: bool, detail: str) -> Iterator[Measurement]:
    yield Measurement(metric="loads", value="transformers", holds=loads, detail=detail)
    yield Measurement(metric="parameters", value=float(answer.parameters))
    for metric, value in sorted(answer.values.items()):
        yield Measurement(metric=metric, value=value)
    yield Measurement(metric="load_s", value=answer.load_s)
    if answer.latency_s is not None:
        yield Measurement(metric="latency_s", value=answer.latency_s, scope=Scope(batch_size=1))
    if answer.peak_memory_bytes is not None:
        yield Measurement(metric="peak_memory_bytes", value=float(answer.peak_memory_bytes), scope=Scope(batch_size=1))


def load_declared(folder: Path) -> tuple[Any, dict[str, Any]]:
    """The model of the class that config.json names, in evaluation mode, and the library's loading report.

    Raises
    ------
    ProbeFailure
        This version of transformers has no such class.
    """
    import transformers

    folder = transformer_folder(folder)
    config = transformers.AutoConfig.from_pretrained(folder, **LOAD_SAFELY)
    named = (getattr(config, "architectures", None) or ["AutoModel"])[0]
    declared: Any = getattr(transformers, str(named), None)
    known = isinstance(declared, type) and issubclass(declared, transformers.PreTrainedModel)
    if not known and named != "AutoModel":
        raise ProbeFailure("missing_dependency", f"transformers {transformers.__version__} has no class {named!r}")
    config.return_dict = True  # a configuration may ask for tuples, in which no output has its name
    model, report = declared.from_pretrained(  # what has another shape is in the report, and fails by its name
        folder, config=config, use_safetensors=True, output_loading_info=True, ignore_mismatched_sizes=True,
        **LOAD_SAFELY,
    )  # fmt: skip
    return model.eval(), report


def _config_values(config: Any) -> dict[str, float]:
    """Exact numbers that the loaded model's configuration gives: context; labels where it has a label head."""
    text = config.get_text_config()
    context = getattr(text, "max_position_embeddings", None)
    values = {"context": float(context)} if isinstance(context, int) and context > 0 else {}
    if any(str(name).endswith("Classification") for name in config.architectures or ()):
        values["labels"] = float(config.num_labels)
    return values


def _try_one(model: Any, seed: int) -> tuple[bool | None, float | None, str, dict[str, float]]:
    """Whether one made-up item gives finite numbers, its median time in seconds, why not tried, sizes seen."""
    import torch

    torch.manual_seed(seed)
    inputs = _made_up(model)
    if inputs is None:
        return None, None, f"no made-up {model.main_input_name}", {}
    times = []
    try:
        with torch.inference_mode():
            for _ in range(_REPEATS + 1):
                started = time.perf_counter()
                output = model(**inputs)
                times.append(time.perf_counter() - started)
    except (RuntimeError, ValueError, TypeError, IndexError, KeyError, AttributeError) as error:
        return None, None, f"{type(error).__name__}: {one_line(error)}"[:400], {}
    tensors = [value for value in output.values() if torch.is_tensor(value) and value.is_floating_point()]
    finite = bool(tensors) and all(bool(torch.isfinite(tensor).all()) for tensor in tensors)
    seen = {}
    if "last_hidden_state" in output and output["last_hidden_state"].ndim == 3:
        seen["dimensions"] = float(output["last_hidden_state"].shape[-1])
    if "logits" in output and output["logits"].ndim == 2:
        seen["labels"] = float(output["logits"].shape[-1])
    return finite, statistics.median(times[1:]), "", seen


def _made_up(model: Any) -> dict[str, Any] | None:
    """A made-up picture or token sequence for this model; None where it takes something else."""
    import torch

    config = model.config
    if model.main_input_name == "pixel_values":
        size = getattr(config, "image_size", None) or 224
        height, width = size if isinstance(size, list | tuple) else (size, size)
        return {"pixel_values": torch.rand(1, getattr(config, "num_channels", 3), int(height), int(width))}
    if model.main_input_name == "input_ids" and not config.is_encoder_decoder:
        vocabulary = getattr(config.get_text_config(), "vocab_size", 0)
        return {"input_ids": torch.randint(0, vocabulary, (1, 8))} if vocabulary else None
    return None


def _status_kib(field: str) -> int | None:
    """A field of this process's memory status, in KiB; None where the system does not tell."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{field}:")), None)
