"""The size to which a picture model's own processor brings what it is shown."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from graph.errors import ModelError
from inference.models.files import ModelFile, read_json

_PROCESSORS: Final = ("preprocessor_config.json", "processor_config.json")


def own_size(files: Iterable[ModelFile]) -> str | None:
    """The size as "256x256", width first; None where the files do not fix both sides."""
    by_name = {file.name: file for file in files}
    for name in _PROCESSORS:
        try:
            settings = read_json(by_name[name]) if name in by_name else {}
        except ModelError:
            continue
        crops = settings.get("do_center_crop") and settings.get("crop_size")
        sides = _sides(crops or settings.get("size"), square=bool(crops))
        if sides is not None:
            return f"{sides[0]}x{sides[1]}"
    return None


def _sides(size: Any, *, square: bool) -> tuple[int, int] | None:
    """Width and height; None where only one edge is fixed, which leaves the other to the picture."""
    if isinstance(size, dict) and square and "shortest_edge" in size:
        size = size["shortest_edge"]
    size = (size.get("width"), size.get("height")) if isinstance(size, dict) else (size, size)
    return size if all(type(side) is int and side > 0 for side in size) else None
