"""Staging: what a child gets to see of a model and of a labelled set, in a scratch folder of its own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from graph.errors import ModelError
from inference.data.sets import LabelledSet
from inference.models.files import ModelFile
from inference.probes.embedding import shown_triples

STAGED: Final = (
    ".safetensors", ".json", ".txt", ".model", ".jinja", ".tiktoken", ".bpe", ".codes", ".spm", ".vocab",
)  # fmt: skip
"""Files that a model may be made of here: no code and no pickle is ever staged."""
_OTHER_WEIGHTS: Final = (".gguf", ".onnx")
_LARGEST_ITEMS_BYTES: Final = 8 << 30


def counts(file: ModelFile) -> bool:
    """Whether a file is part of what the model is, and so of its digest; a card or a picture beside it is not."""
    return file.name.lower().endswith((*STAGED, *_OTHER_WEIGHTS))


def stage_model(files: Iterable[ModelFile], folder: Path) -> None:
    """Link the files that a model may be made of into a new folder, under their own names.

    Links and not copies: weights are large, and a locked-down child has to be allowed their real paths by name.

    Raises
    ------
    ModelError
        A name leads out of the folder, or the scratch folder cannot be written.
    """
    try:
        folder.mkdir(parents=True)
        for file in files:
            if not file.name.lower().endswith(STAGED):
                continue
            link = folder / file.name
            if Path(file.name).is_absolute() or ".." in Path(file.name).parts:
                raise ModelError(f"{file.name[:80]!r} leads out of the model's folder: refused")
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(file.path)
    except OSError as error:
        raise ModelError(f"scratch folder: {error.strerror or error}: check that the disk has room") from error


def stage_items(data: LabelledSet, folder: Path) -> None:
    """Write the items of a set, without their labels, into a new folder: items.json, or pictures by number.

    Raises
    ------
    ModelError
        A picture cannot be copied, or all together are too large.
    """
    try:
        folder.mkdir(parents=True)
        if data.kind == "image":
            _stage_pictures(data, folder)
            return
        items = shown_triples(data)[0] if data.kind == "triples" else list(data.items)
        (folder / "items.json").write_text(json.dumps(items), encoding="utf-8")
    except OSError as error:
        what = f"labelled set {data.name}: {error.strerror or error}"
        raise ModelError(f"{what}: check that the set is still there and the disk has room") from error


def _stage_pictures(data: LabelledSet, folder: Path) -> None:
    written = 0
    for number, item in enumerate(data.items):
        if isinstance(item, Path):
            written += item.stat().st_size
            if written > _LARGEST_ITEMS_BYTES:
                raise ModelError(f"labelled set {data.name}: more than 8 GiB of pictures: take a part of it")
            shutil.copyfile(item, folder / f"{number:06d}{item.suffix.lower()}")
        elif not isinstance(item, str | tuple):
            item.save(folder / f"{number:06d}.png")
