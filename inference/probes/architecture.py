"""What an architecture alone tells: parameters, labels, dimensions, context, from shapes without memory."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from inference.data.sets import LabelledSet
from inference.probes.base import Answer, Measured, Measurement, ProbeFailure, ProbeInfo, RunTask, Subject
from inference.probes.models import build_on_meta, made_up

_LARGEST: Final = 1 << 50


class _Raw(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    parameters: int = Field(ge=0, le=_LARGEST)
    with_one_more: int = Field(ge=0, le=_LARGEST + 1)
    values: dict[str, int] = Field(max_length=4)
    untried: Answer = ""


class ArchitectureProbe:
    """Builds the class that config.json names on torch's meta device and lets shapes flow through it."""

    info = ProbeInfo(
        name="architecture",
        version="1",
        metrics=("parameters", "labels", "dimensions", "context"),
        architecture=True,
        control="the same model with one more number must count one more",
    )

    def cost_s(self, subject: Subject, data: LabelledSet | None) -> float | None:
        """Seconds to import the class and to build it; None where the weights are at hand and loading tells."""
        return 1.0 if subject.tier == "architecture" else None

    def run(self, task: RunTask) -> dict[str, Any]:
        """The raw answer: counts, and the widths of what shapes alone come out as."""
        import torch

        model = build_on_meta(task.folder)
        values, untried = {}, ""
        try:
            values = _widths(model, task)
        except ProbeFailure as failure:
            untried = failure.what
        except (
            RuntimeError,
            ValueError,
            TypeError,
            IndexError,
            KeyError,
            AttributeError,
            NotImplementedError,
        ) as error:
            untried = f"{type(error).__name__}: {error}"
        if context := _context(model):
            values["context"] = context
        parameters = _count(model)
        model.register_parameter("one_more", torch.nn.Parameter(torch.empty(1, device="meta")))
        return {
            "parameters": parameters,
            "with_one_more": _count(model),
            "values": values,
            "untried": " ".join(untried.split())[:300],
        }

    def score(self, raw: bytes, data: LabelledSet | None) -> Measured:
        """Exact numbers of the architecture."""
        answer = _Raw.model_validate_json(raw)
        found = {"parameters": answer.parameters, **answer.values}
        unknown = set(found) - set(self.info.metrics)
        if unknown:
            raise ValueError(f"no such metric: {sorted(unknown)[0][:40]}")
        detail = f"no shapes seen: {answer.untried}"[:500] if answer.untried else ""
        control = {"kind": "one_more", "parameters": answer.with_one_more,
                   "passed": answer.with_one_more == answer.parameters + 1}  # fmt: skip
        measurements = tuple(
            Measurement(metric=name, value=float(value), control=control) for name, value in found.items()
        )
        return Measured(detail=detail, measurements=measurements)


def _count(model: Any) -> int:
    """Elements of all tensors that are trained, shared ones once; buffers are not counted."""
    return sum(tensor.numel() for tensor in model.parameters())


def _widths(model: Any, task: RunTask) -> dict[str, int]:
    """Labels or dimensions, from the shapes of the output for one made-up item."""
    inputs = made_up(model, 1, task.folder, task.seed, device="meta")
    output = model.eval()(**inputs)
    classifies = type(model).__name__.endswith("Classification")
    if classifies and "logits" in output:
        return {"labels": int(output["logits"].shape[-1])}
    if "last_hidden_state" in output and output["last_hidden_state"].ndim == 3:
        return {"dimensions": int(output["last_hidden_state"].shape[-1])}
    return {}


def _context(model: Any) -> int | None:
    """Positions that the built model reads at most, where it has a table of them; else None."""
    config: Any = getattr(model, "config", None)
    if not hasattr(config, "get_text_config"):
        return None
    positions = getattr(config.get_text_config(), "max_position_embeddings", None)
    return positions if isinstance(positions, int) and positions > 0 else None
