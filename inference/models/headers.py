"""What the headers of weight files say: names, types and shapes of tensors. No weight is read."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from graph.errors import ModelError

LARGEST_HEADER_BYTES: Final = 25_000_000
"""The hub's own limit on a safetensors header."""
_BUFFER_ENDS: Final = (
    "running_mean", "running_var", "num_batches_tracked", "position_ids", "inv_freq", "relative_position_index",
    "attn.masked_bias", "attn.bias", "attention.masked_bias", "attention.bias",
)  # fmt: skip
_BUFFER_ONLY: Final = ("attn.bias", "attention.bias")
"""These are a causal mask where they have four dimensions, and a trained bias where they have one."""
_MOST_PAIRS: Final = 1_000_000
_MOST_TENSORS: Final = 200_000
_LONGEST_STRING_BYTES: Final = 1 << 20


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
    """The tensors of a safetensors file, sorted by name, by the library's own validating reader.

    Parameters
    ----------
    path
        Where its bytes are.
    name
        What messages call it; its path's last part where it is not given.

    Raises
    ------
    ModelError
        The header is too long, truncated or does not fit the file.
    """
    from safetensors import SafetensorError, safe_open

    shown = name or path.name
    try:
        with path.open("rb") as stream:
            start = stream.read(8)
        if len(start) < 8:
            raise ModelError(f"{shown} is no safetensors file: it has fewer than 8 bytes")
        length = struct.unpack("<Q", start)[0]
        if length > LARGEST_HEADER_BYTES:
            raise ModelError(f"{shown}: its header claims {length} bytes; at most {LARGEST_HEADER_BYTES} are read")
        with safe_open(str(path), framework="np") as opened:
            slices = [(key, opened.get_slice(key)) for key in sorted(opened.keys())]
            return [Tensor(key, part.get_dtype().lower(), tuple(part.get_shape())) for key, part in slices]
    except SafetensorError as error:
        raise ModelError(f"{shown} is no valid safetensors file ({error}): fetch the model again") from error
    except OSError as error:
        raise ModelError(f"{shown}: {error.strerror or error}") from error


@dataclass(frozen=True)
class GgufHeader:
    """A GGUF file's metadata (arrays left out, but for their lengths under `NAME.length`) and tensors."""

    fields: dict[str, str | int | float | bool]
    tensors: tuple[Tensor, ...]


def gguf_header(path: Path, name: str | None = None) -> GgufHeader:
    """The header of a GGUF file, versions 2 and 3, little-endian; `name` is what messages call it.

    Read here and not by `gguf.GGUFReader`, which loops over counts that the file chooses and takes seconds for
    the vocabulary of an honest one; its constants are used, and it is the tests' second opinion.

    Raises
    ------
    ModelError
        The file is truncated, of another version, or claims more than its bytes can hold.
    """
    try:
        with path.open("rb") as stream:
            return _GgufReader(stream, name or path.name, path.stat().st_size).read()
    except OSError as error:
        raise ModelError(f"{name or path.name}: {error.strerror or error}") from error


class _GgufReader:
    """A cursor over the header's bytes; every length is checked against the file before it is used."""

    def __init__(self, stream: BinaryIO, name: str, size_bytes: int) -> None:
        self._stream, self._name, self._left = stream, name, size_bytes

    def read(self) -> GgufHeader:
        if self._take(4) != b"GGUF":
            raise self._wrong("it does not begin with GGUF")
        version, tensors, pairs = self._unpack("<IQQ")
        if version not in (2, 3):
            raise self._wrong(f"version {version & 0xFFFF_FFFF} is not known")
        if tensors > _MOST_TENSORS or pairs > _MOST_PAIRS:
            raise self._wrong(f"it claims {tensors} tensors and {pairs} fields")
        fields: dict[str, str | int | float | bool] = {}
        for _ in range(pairs):
            key = self._string()
            name, value = self._value(key, self._unpack("<I")[0])
            fields[name] = value
        return GgufHeader(fields, tuple(self._tensor() for _ in range(tensors)))

    def _value(self, key: str, kind: int) -> tuple[str, str | int | float | bool]:
        from gguf.constants import GGUFValueType

        if kind == GGUFValueType.STRING:
            return key, self._string()
        if kind == GGUFValueType.ARRAY:
            inner, count = self._unpack("<IQ")
            self._skip_array(inner, count)
            return f"{key}.length", count
        return key, self._unpack(self._format(kind))[0]

    def _skip_array(self, kind: int, count: int) -> None:
        from gguf.constants import GGUFValueType

        if kind == GGUFValueType.STRING:
            if count > self._left // 8:
                raise self._wrong(f"an array of {count} texts does not fit")
            for _ in range(count):
                self._skip(self._unpack("<Q")[0])
        else:
            self._skip(struct.calcsize(self._format(kind)) * count)

    def _tensor(self) -> Tensor:
        from gguf.constants import GGMLQuantizationType

        name = self._string()
        dimensions = self._unpack("<I")[0]
        if dimensions > 8:
            raise self._wrong(f"tensor {name[:80]!r} claims {dimensions} dimensions")
        shape = self._unpack(f"<{dimensions}Q")
        kind, _ = self._unpack("<IQ")
        try:
            dtype = GGMLQuantizationType(kind).name.lower()
        except ValueError:
            dtype = f"type-{kind}"
        return Tensor(name, dtype, tuple(reversed(shape)))

    def _format(self, kind: int) -> str:
        formats = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
        if kind not in formats:
            raise self._wrong(f"a field has the unknown type {kind}")
        return formats[kind]

    def _string(self) -> str:
        length = self._unpack("<Q")[0]
        if length > _LONGEST_STRING_BYTES:
            raise self._wrong(f"a text claims {length} bytes")
        return self._take(length).decode("utf-8", "replace")

    def _unpack(self, layout: str) -> tuple[Any, ...]:
        return struct.unpack(layout, self._take(struct.calcsize(layout)))

    def _take(self, count: int) -> bytes:
        if count > self._left:
            raise self._wrong("it ends within its header")
        self._left -= count
        taken = self._stream.read(count)
        if len(taken) < count:
            raise self._wrong("it ends within its header")
        return taken

    def _skip(self, count: int) -> None:
        if count > self._left:
            raise self._wrong("it ends within its header")
        self._left -= count
        self._stream.seek(count, 1)

    def _wrong(self, what: str) -> ModelError:
        return ModelError(f"{self._name} is no valid GGUF file ({what}): fetch the model again")
