"""Smaller forms of a model: eight bits by onnxruntime's own quantiser, sixteen by torch, and their files."""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from graph.claims import Scope
from inference.probes.base import ProbeFailure, one_line
from inference.probes.export import RUNTIME, export_onnx

EIGHT_BIT: Final = ("dynamic", "static")
HALVES: Final = ("bfloat16", "float16")


def wanted_forms(precision: str, model: Any) -> tuple[str, ...]:
    """The forms that a claim's precision is about: those of eight bits, or one of sixteen; all where it names none.

    A model of texts is never quantised statically: the numbers that stand for masked places stretch its scales until
    nothing is left of the others. onnxruntime's own advice is dynamic for transformers, static for convolutions.

    Raises
    ------
    ProbeFailure
        A precision that nothing here makes.
    """
    word = precision.strip().lower()
    eight_bit = EIGHT_BIT if model.main_input_name == "pixel_values" else EIGHT_BIT[:1]
    if not word:
        return (*eight_bit, *HALVES)
    if word in ("int8", "8-bit", "8bit"):
        return eight_bit
    if word in HALVES:
        return (word,)
    raise ProbeFailure("missing_dependency", f"nothing here makes {precision[:40]} of a model")


def scope_of(form: str) -> Scope:
    """Precision, runtime and reference of a form; dynamic or static is a note."""
    if form in EIGHT_BIT:
        return Scope(precision="int8", runtime=RUNTIME, reference="float32", note=f"{form} quantization")
    return Scope(precision=form, runtime="torch", reference="float32")


@contextlib.contextmanager
def eight_bit_files(
    model: Any, example: dict[str, Any], forms: Sequence[str], items: Sequence[dict[str, Any]]
) -> Iterator[dict[str, Path]]:
    """The files "float32" and one a form, in a scratch folder that is removed at the end.

    Parameters
    ----------
    model : torch module
        The model, in evaluation mode.
    example : dict
        Two items of the shape that all will have, tensors by name.
    forms : sequence of str
        Of EIGHT_BIT.
    items : sequence of dict
        Inputs by name, tensors with a batch of one, that calibrate the static form.
    """
    logging.getLogger().setLevel(logging.ERROR)  # the quantiser writes to the root logger
    with tempfile.TemporaryDirectory(prefix="forms-") as folder:
        files = {form: Path(folder) / f"{form}.onnx" for form in ("float32", *forms)}
        _write_forms(files, export_onnx(model, example), items)
        yield files


def _write_forms(files: Mapping[str, Path], exported: bytes, items: Sequence[dict[str, Any]]) -> None:
    """Write the float32 file and those of the forms that are asked for.

    Raises
    ------
    ProbeFailure
        There is no room for the files, or the quantiser cannot write this model: that shows nothing about others.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic, quantize_static

    try:
        files["float32"].write_bytes(exported)
        if "dynamic" in files:  # unsigned: the runtime's integer convolution takes no signed weights
            quantize_dynamic(files["float32"], files["dynamic"], weight_type=QuantType.QUInt8)
        if "static" in files:
            quantize_static(files["float32"], files["static"], _Reader(items))
    except MemoryError:
        raise
    except OSError as error:
        raise ProbeFailure("oom", f"no room for files of {len(exported):,} bytes: {error.strerror or error}") from error
    except Exception as error:  # the runtime's exceptions share no class but this one
        what = f"onnxruntime's quantiser did not write it: {type(error).__name__}: {one_line(error)}"
        raise ProbeFailure("missing_dependency", what[:500]) from error


class _Reader:
    """What the quantiser calibrates on: one item after another, then None."""

    def __init__(self, items: Sequence[dict[str, Any]]) -> None:
        self._items = iter(items)

    def get_next(self) -> dict[str, Any] | None:
        item = next(self._items, None)
        return None if item is None else {name: value.numpy() for name, value in item.items()}

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return ({name: value.numpy() for name, value in item.items()} for item in self._items)


def in_half(model: Any, form: str) -> Any:
    """A copy of the model in bfloat16 or float16."""
    import copy

    import torch

    return copy.deepcopy(model).to(getattr(torch, form))


def file_bytes(model: Any) -> int:
    """Bytes of the safetensors file that these weights make, tensors that share memory once."""
    from safetensors.torch import save

    seen: dict[int, str] = {}
    for name, tensor in model.state_dict().items():
        seen.setdefault(tensor.untyped_storage().data_ptr(), name)
    state = model.state_dict()
    return len(save({name: state[name].contiguous() for name in seen.values()}))
