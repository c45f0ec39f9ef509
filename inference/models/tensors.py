"""What a safetensors file says of itself: names, types, shapes and places of its tensors. No weight is read."""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from graph.errors import ModelError
from inference.models.files import UnreadableError, open_regular

LARGEST_HEADER_BYTES: Final = 25_000_000
"""The hub's own limit on a safetensors header."""
MOST_TENSORS: Final = 200_000
_BITS: Final = {
    "BOOL": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8,
    "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32,
    "C64": 64, "F64": 64, "I64": 64, "U64": 64,
}  # fmt: skip
_MOST_DIMENSIONS: Final = 16
_BUFFER_ENDS: Final = (
    "running_mean", "running_var", "num_batches_tracked", "position_ids", "inv_freq", "relative_position_index",
    "attn.masked_bias", "attn.bias", "attention.masked_bias", "attention.bias",
)  # fmt: skip
_BUFFER_ONLY: Final = ("attn.bias", "attention.bias")
"""These are a causal mask where they have four dimensions, and a trained bias where they have one."""


@dataclass(frozen=True)
class Tensor:
    """A tensor as a header describes it: its type in lower case ("f32", "bf16", "q4_k"), its shape."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def elements(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)

    @property
    def is_buffer(self) -> bool:
        """True for what is saved but not trained: running statistics, masks, position indices."""
        if self.name.endswith(_BUFFER_ONLY):
            return len(self.shape) > 1
        return self.name.endswith(_BUFFER_ENDS)


def safetensors_tensors(path: Path, name: str | None = None) -> list[Tensor]:
    """The tensors of a safetensors file, sorted by name.

    The file is read, not mapped into memory, so that a file that shrinks meanwhile cannot kill this process; the
    format's own rules are held against every entry (https://github.com/huggingface/safetensors#format). The
    library's reader is the second opinion in the tests, and reads the file once more in the child.

    Parameters
    ----------
    path
        Where its bytes are.
    name
        What messages call it; its path's last part where it is not given.

    Raises
    ------
    ModelError
        The header is too long, truncated, names a tensor twice or does not fit the file.
    """
    shown = name or path.name
    try:
        with open_regular(path) as stream:
            size_bytes = stream.seek(0, 2)
            stream.seek(0)
            start = stream.read(8)
            if len(start) < 8:
                raise ModelError(f"{shown} is no safetensors file: it has fewer than 8 bytes")
            length = struct.unpack("<Q", start)[0]
            if length > LARGEST_HEADER_BYTES:
                raise ModelError(f"{shown}: its header claims {length} bytes; at most {LARGEST_HEADER_BYTES} are read")
            data = stream.read(length)
    except OSError as error:
        raise UnreadableError(f"{shown}: {error.strerror or error}: check the file's rights") from error
    if len(data) < length or not data.startswith(b"{"):
        raise _wrong(shown, "its header is cut off or no JSON")
    try:
        header = json.loads(data, object_pairs_hook=_without_doubles)
    except (ValueError, RecursionError) as error:
        raise _wrong(shown, f"its header: {' '.join(str(error).split())[:100]}") from error
    return _checked(shown, header, size_bytes - 8 - length)


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these pairs; two readers may keep different ones of two that bear the same name."""
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a name is given twice")
    return made


def _checked(shown: str, header: Any, room_bytes: int) -> list[Tensor]:
    """The tensors of a header whose entries lie side by side and fill the file."""
    if not isinstance(header, dict):
        raise _wrong(shown, "its header is no object")
    entries = {name: entry for name, entry in header.items() if name != "__metadata__"}
    if len(entries) > MOST_TENSORS:
        raise _wrong(shown, f"it claims {len(entries)} tensors")
    placed = [_placed(shown, name, entry) for name, entry in entries.items()]
    placed.sort(key=lambda found: (found[0], found[1], found[2].name))
    end = 0
    for start, stop, tensor in placed:
        if start != end:
            raise _wrong(shown, f"tensor {tensor.name[:80]!r} overlaps another or leaves a gap")
        end = stop
    if end != room_bytes:
        raise _wrong(shown, f"its tensors need {end} bytes and {max(room_bytes, 0)} are there")
    return sorted((tensor for _, _, tensor in placed), key=lambda tensor: tensor.name)


def _placed(shown: str, name: str, entry: Any) -> tuple[int, int, Tensor]:
    """Where a tensor's bytes begin and end, and the tensor; its type and shape must need just these."""
    label = f"tensor {name[:80]!r}"
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise _wrong(shown, f"{label} is not described by type, shape and place")
    shape, offsets, bits = entry["shape"], entry["data_offsets"], _BITS.get(str(entry["dtype"]))
    if bits is None:
        raise _wrong(shown, f"{label} has the unknown type {str(entry['dtype'])[:20]!r}")
    if not (_are_counts(shape) and len(shape) <= _MOST_DIMENSIONS and _are_counts(offsets) and len(offsets) == 2):
        raise _wrong(shown, f"{label} has an impossible shape or place")
    tensor = Tensor(name, str(entry["dtype"]).lower(), tuple(shape))
    if (offsets[1] - offsets[0]) * 8 != bits * tensor.elements:
        raise _wrong(shown, f"{label} of shape {shape} does not fill its {offsets[1] - offsets[0]} bytes")
    return offsets[0], offsets[1], tensor


def _are_counts(values: Any) -> bool:
    whole = isinstance(values, list) and all(type(value) is int for value in values)
    return whole and all(0 <= value < 1 << 63 for value in values)


def _wrong(shown: str, what: str) -> ModelError:
    return ModelError(f"{shown} is no valid safetensors file ({what}): fetch the model again")
