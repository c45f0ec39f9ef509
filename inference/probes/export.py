"""Export to ONNX: does the exported file give the same answers, at several batch sizes."""

from __future__ import annotations

import io
import logging
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from graph.claims import Scope
from inference.data.sets import LabelledSet
from inference.probes.base import (
    Measured,
    Measurement,
    ProbeFailure,
    ProbeInfo,
    RunTask,
    Subject,
    load_seconds,
    one_line,
)
from inference.probes.models import made_up, main_output, open_model, require_finite

MODULES: Final = ("torch", "transformers.pipelines", "onnx", "onnxruntime", "onnxruntime.quantization")
RUNTIME: Final = "onnxruntime"
LARGEST_ERROR: Final = 1e-3
BATCHES: Final = (1, 2, 7, 64)
_BUDGET_S: Final = 4.0
"""A batch size is left out where the rest would take longer than this; 1, 2 and 7 are always tried."""
TASKS: Final = (
    "vision.image-classification", "vision.image-feature-extraction", "vision.image-segmentation",
    "vision.depth-estimation", "text.text-classification", "text.token-classification", "text.feature-extraction",
    "text.sentence-similarity", "text.fill-mask", "text.zero-shot-classification", "text.question-answering",
    "text.text-generation",
)  # fmt: skip
"""Tasks whose models take one picture or one text, so that a made-up item can be shown to them."""


class _Parity(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    batch_size: int = Field(ge=1, le=1024)
    relative_error: FiniteFloat = Field(ge=0)
    same_top_1: bool

    @property
    def holds(self) -> bool:
        """Whether the two answers are equal, within the declared error."""
        return self.relative_error < LARGEST_ERROR and self.same_top_1


class _Raw(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    parity: list[_Parity] = Field(min_length=1, max_length=len(BATCHES))
    perturbed: _Parity
    size_bytes: int = Field(ge=1)
    export_s: FiniteFloat = Field(ge=0)


class ExportProbe:
    """`torch.onnx.export`, onnx's own checker, and both models on the same made-up items."""

    info = ProbeInfo(
        name="export",
        version="1",
        metrics=("exports",),
        tasks=TASKS,
        modules=MODULES,
        architecture=True,
        on_demand=True,
        control="an export with one number of one weight changed must fail the comparison",
        declared=f"relative error below {LARGEST_ERROR:g} and the same top-1 at batches 1, 2, 7 (and 64 where cheap)",
    )

    def cost_s(self, subject: Subject, data: LabelledSet | None) -> float | None:
        """Seconds to load, to export, and for some twenty items in both runtimes."""
        return None if not fits(subject) else load_seconds(subject) + 3 + 20 * item_seconds(subject)

    def run(self, task: RunTask) -> dict[str, Any]:
        """The raw answer: errors by batch size, and that of the perturbed export."""
        model = open_model(task)
        started = time.perf_counter()
        exported = export_onnx(model, made_up(model, 2, task.folder, task.seed))
        export_s = time.perf_counter() - started
        session = open_session(exported)
        parity, spent, items = [], 0.0, 0
        for batch_size in BATCHES:
            if items and batch_size > 7 and spent / items * batch_size > _BUDGET_S:
                continue
            started = time.perf_counter()
            parity.append(_compare(model, session, task, batch_size))
            spent, items = spent + time.perf_counter() - started, items + batch_size
        perturbed = _compare(model, open_session(_perturbed(exported)), task, 2)
        return {"parity": parity, "perturbed": perturbed, "size_bytes": len(exported), "export_s": export_s}

    def score(self, raw: bytes, data: LabelledSet | None) -> Measured:
        """Whether it exports to ONNX, and how large the file is."""
        answer = _Raw.model_validate_json(raw)
        tried = [one.batch_size for one in answer.parity]
        if tried not in ([*BATCHES[:3]], [*BATCHES]):
            raise ValueError("not the batch sizes that were asked for")
        worst = max(answer.parity, key=lambda one: one.relative_error)
        control = {"kind": "perturbed_weight", "relative_error": answer.perturbed.relative_error,
                   "passed": not answer.perturbed.holds}  # fmt: skip
        detail = f"largest relative error {worst.relative_error:.1e} at batches {', '.join(map(str, tried))}"
        holds = all(one.holds for one in answer.parity)
        scope = Scope(runtime=RUNTIME, reference="torch")
        return Measured(
            detail=detail,
            measurements=(
                Measurement(metric="exports", value="onnx", holds=holds, scope=scope, control=control, detail=detail),
                Measurement(metric="onnx_bytes", value=float(answer.size_bytes), unit="bytes"),
                Measurement(metric="export_s", value=answer.export_s, unit="seconds"),
            ),
        )


def fits(subject: Subject) -> bool:
    """Whether a made-up item can be shown to such a model, and one process can hold it twice."""
    return subject.task in TASKS and subject.library != "diffusers" and (subject.parameters or 0) <= 200_000_000


def item_seconds(subject: Subject) -> float:
    """Seconds for one item on one core, roughly: a picture model uses each weight at many places."""
    pictures = (subject.task or "").startswith("vision.")
    return 0.001 + (500 if pictures else 40) * (subject.parameters or 5_000_000) / 5e10


def export_onnx(model: Any, inputs: Mapping[str, Any]) -> bytes:
    """The model as an ONNX file that onnx's checker accepts, with any batch size; its weights inside.

    Parameters
    ----------
    model : torch module
        The model, in evaluation mode.
    inputs : mapping of str to tensor
        Two items to trace it with; a text's length is fixed by them.

    Raises
    ------
    ProbeFailure
        This exporter cannot write this model: that shows nothing about others.
    """
    import onnx
    import torch

    wrapper = answering(model)
    axes = {name: {0: "n"} for name in (*inputs, "answer")}
    written = io.BytesIO()
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                wrapper, tuple(inputs.values()), written, dynamo=False, dynamic_axes=axes,
                input_names=list(inputs), output_names=["answer"],
            )  # fmt: skip
        content = written.getvalue()
        onnx.checker.check_model(content)
    except MemoryError:
        raise
    except Exception as error:  # the exporter raises anything where it has no translation
        what = f"torch.onnx.export {torch.__version__} did not write it: {type(error).__name__}: {one_line(error)}"
        raise ProbeFailure("missing_dependency", what[:500]) from error
    return content


def answering(model: Any) -> Any:
    """The model as a module from its inputs, in order, to its main output; in evaluation mode, itself and inside.

    torch.onnx.export restores the wrapper's mode after it ran: one that is in training mode would flip the model.
    """
    import torch

    if getattr(model.config, "use_cache", False):
        model.config.use_cache = False

    class Answering(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *inputs: Any) -> Any:
            names = ("pixel_values",) if len(inputs) == 1 else ("input_ids", "attention_mask")
            return main_output(self.model(**dict(zip(names, inputs, strict=True)), return_dict=True))

    return Answering().eval()


def open_session(model: bytes | Path) -> Any:
    """An onnxruntime session on the processor, on one thread, silent.

    Raises
    ------
    ProbeFailure
        The runtime has no kernel for a part of it.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    logging.getLogger().setLevel(logging.ERROR)  # the quantiser writes to the root logger
    source = model if isinstance(model, bytes) else str(model)
    try:
        return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime's exceptions share no class but this one
        what = f"onnxruntime {onnxruntime.__version__} does not open it: {one_line(error)}"
        raise ProbeFailure("missing_dependency", what[:500]) from error


def _compare(model: Any, session: Any, task: RunTask, batch_size: int) -> dict[str, Any]:
    """How far the session's answers are from the model's, on the same made-up items."""
    import numpy as np
    import torch

    inputs = made_up(model, batch_size, task.folder, task.seed + batch_size)
    with torch.inference_mode():
        right = main_output(model(**inputs)).numpy()
    given = session.run(None, {name: value.numpy() for name, value in inputs.items()})[0]
    require_finite(right)
    require_finite(given)
    if given.shape != right.shape:
        return {"batch_size": batch_size, "relative_error": 1e9, "same_top_1": False}
    error = float(np.abs(given - right).max() / max(float(np.abs(right).max()), 1e-30))
    same = right.ndim != 2 or bool((given.argmax(-1) == right.argmax(-1)).all())
    return {"batch_size": batch_size, "relative_error": min(error, 1e9), "same_top_1": same}


def _perturbed(exported: bytes) -> bytes:
    """The same file with one number changed: the first of the last weight (a bias, mostly) that an operation uses."""
    import numpy as np
    import onnx

    proto = onnx.load_from_string(exported)
    weights = {one.name: one for one in proto.graph.initializer if one.data_type == onnx.TensorProto.FLOAT}
    last = next(name for node in reversed(proto.graph.node) for name in reversed(node.input) if name in weights)
    values = np.array(onnx.numpy_helper.to_array(weights[last]))
    values.flat[0] += 1 + 10 * np.abs(values).max()
    weights[last].CopyFrom(onnx.numpy_helper.from_array(values, last))
    return bytes(proto.SerializeToString())
