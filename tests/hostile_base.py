"""What hostile model directories are made from, and the table that their makers enter themselves into.

`refused` is the reason code of the pre-flight, None where the files
pass it and the child has to show what they are; `ends` are the ways in which the claim that it loads may end. Nothing
here harms whoever runs it unprotected, but for a file named `PWNED` beside the folder.
"""

from __future__ import annotations

import json
import pickle
import shutil
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "models" / "code-or-prose"
PAYLOAD = "PWNED"
"""The file that a payload writes beside the model's folder."""
TASK = "text.text-classification"

Ends = tuple[tuple[str, str | None], ...]
NORMAL: Ends = (("verified", None),)
NOT_LOADED: Ends = (("refuted", "load_failed"),)
REFUSED: Ends = (("error", "unsafe_refused"),)
NO_WEIGHTS: Ends = (("unverifiable", "no_weights"),)
NOT_RUNNABLE: Ends = (("unverifiable", "not_runnable"),)
NOT_FINITE: Ends = (("refuted", "non_finite"),)
STOPPED: Ends = (("error", "timeout"), ("error", "oom"))


@dataclass(frozen=True)
class HostileModel:
    """One hostile directory; `cheap` where all of it takes well under two seconds and little of the disk."""

    name: str
    write: Callable[[Path], None]
    refused: str | None
    ends: Ends
    cheap: bool = True
    runs: Ends | None = None
    """How the claim that it runs may end, where that differs: for models that load and are none."""


CASES: list[HostileModel] = []
Writer = Callable[[Path], None]


def case(
    refused: str | None, ends: Ends, *, cheap: bool = True, runs: Ends | None = None
) -> Callable[[Writer], Writer]:
    """A decorator that enters a writing function into `CASES` under its own name."""

    def enter(write: Writer) -> Writer:
        CASES.append(HostileModel(write.__name__.replace("_", "-"), write, refused, ends, cheap, runs))
        return write

    return enter


# What the cases are made from --------------------------------------------------------------------------
def honest(folder: Path, seed: int | None = None) -> None:
    """The example that tells code from prose, with one weight moved by so little that only its digest is another.

    Which weight follows from the seed, or from the folder's name where there is none.
    """
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("README.md"))
    weights = load_file(folder / "model.safetensors")
    largest = max(weights, key=lambda name: (weights[name].size, name))
    place = (zlib.crc32(folder.name.encode()) if seed is None else seed) % weights[largest].size
    weights[largest] = weights[largest].copy()
    weights[largest].flat[place] += np.float32(1e-3)
    save_weights(folder, weights)


def save_weights(folder: Path, weights: dict[str, np.ndarray]) -> None:
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def with_weights(folder: Path, change: Callable[[dict[str, np.ndarray]], None]) -> None:
    honest(folder)
    weights = {name: tensor.copy() for name, tensor in load_file(folder / "model.safetensors").items()}
    change(weights)
    save_weights(folder, weights)


def with_config(folder: Path, **fields: Any) -> None:
    honest(folder)
    config = json.loads((folder / "config.json").read_text()) | fields
    (folder / "config.json").write_text(json.dumps(config))


def with_header(folder: Path, header: Any, data: bytes = b"", length: int | None = None) -> None:
    honest(folder)
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    claimed = struct.pack("<Q", len(text) if length is None else length)
    (folder / "model.safetensors").write_bytes(claimed + text + data)


def entry(start: int, end: int, shape: list[int] | None = None, dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": [(end - start) // 4] if shape is None else shape, "data_offsets": [start, end]}


def sparse(path: Path, size_bytes: int, start: bytes = b"") -> None:
    """A file of any size that takes no room."""
    with path.open("wb") as stream:
        stream.write(start)
        stream.truncate(size_bytes)


class Payload:
    """Unpickled, it writes a file beside the model's folder."""

    def __init__(self, folder: Path) -> None:
        self.target = folder.parent / PAYLOAD

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.target,))


def pickled(folder: Path) -> bytes:
    return pickle.dumps({"weight": Payload(folder)})


def code(folder: Path) -> str:
    return f"from pathlib import Path\nPath({str(folder.parent / PAYLOAD)!r}).touch()\nclass Mine: pass\n"


def pipeline(folder: Path, index: dict[str, Any]) -> None:
    """A pipeline's folder with one network; its index as given."""
    part = folder / "unet"
    part.mkdir(parents=True)
    (part / "config.json").write_text(json.dumps({"_class_name": "UNet2DModel"}))
    save_file({"w": np.zeros(4, np.float32)}, part / "diffusion_pytorch_model.safetensors")
    full = {"_class_name": "DDPMPipeline", "unet": ["diffusers", "UNet2DModel"], **index}
    (folder / "model_index.json").write_text(json.dumps(full))
