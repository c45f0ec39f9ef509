"""Pickled weights of a model that the user trusts by name: turned into safetensors inside the sandboxed child.

Nothing but tensors is unpickled (`torch.load(weights_only=True)`), and never in the process that judges. After that
every probe loads the model as any other.
"""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any, Final

from inference.probes.base import ProbeFailure, one_line

_SINGLE: Final = "pytorch_model.bin"
_INDEX: Final = "pytorch_model.bin.index.json"


def unpickled(folder: Path, scratch: Path) -> Path:
    """The folder itself; where its weights are pickled alone, a new one in `scratch` that holds them as safetensors.

    Raises
    ------
    ProbeFailure
        The pickle holds more than tensors (unsafe_refused), or cannot be read (load_failed).
    """
    pickles = _pickles(folder)
    if not pickles or any(folder.glob("*.safetensors")):
        return folder
    from safetensors.torch import save_file

    tensors: dict[str, Any] = {}
    for path in pickles:
        tensors |= _tensors(path)
    made = scratch / "unpickled"
    made.mkdir()
    for file in folder.iterdir():
        if file not in pickles and file.name != _INDEX:
            (made / file.name).symlink_to(file)
    separate = {name: tensor.contiguous().clone() for name, tensor in tensors.items()}  # tied ones share their memory
    save_file(separate, made / "model.safetensors", metadata={"format": "pt"})
    return made


def _pickles(folder: Path) -> list[Path]:
    """The pickled weight files that transformers would load, sorted; plain names in the folder only."""
    index = folder / _INDEX
    if index.exists():
        named = json.loads(index.read_text(encoding="utf-8")).get("weight_map", {}).values()
        return sorted({folder / Path(str(name)).name for name in named})
    return [folder / _SINGLE] if (folder / _SINGLE).exists() else []


def _tensors(path: Path) -> dict[str, Any]:
    """The tensors of one pickled file by name."""
    import torch

    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        what = f"{path.name} holds more than tensors, which is never unpickled: {one_line(error)[:120]}"
        raise ProbeFailure("unsafe_refused", what) from error
    except (RuntimeError, OSError, EOFError, ValueError) as error:
        raise ProbeFailure("load_failed", f"{path.name}: {type(error).__name__}: {one_line(error)}") from error
    found = {str(name): tensor for name, tensor in loaded.items() if torch.is_tensor(tensor)}
    if not found or len(found) < len(loaded):
        raise ProbeFailure("load_failed", f"{path.name} holds no plain table of tensors: convert it to safetensors")
    return found
