"""What the header of a GGUF file says: metadata, names, types and shapes of tensors. No weight is read."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from graph.errors import ModelError
from inference.models.files import UnreadableError, open_regular
from inference.models.tensors import MOST_TENSORS, Tensor, safetensors_tensors

__all__ = ["GgufHeader", "Tensor", "gguf_header", "safetensors_tensors"]

_MOST_PAIRS: Final = 1_000_000
_LONGEST_STRING_BYTES: Final = 1 << 20


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
        with open_regular(path) as stream:
            return _GgufReader(stream, name or path.name, path.stat().st_size).read()
    except OSError as error:
        raise UnreadableError(f"{name or path.name}: {error.strerror or error}: check the file's rights") from error


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
        if tensors > MOST_TENSORS or pairs > _MOST_PAIRS:
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
