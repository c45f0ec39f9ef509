"""Staging: what a child gets to see of a model and of a labelled set, in a scratch folder of its own."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from graph.errors import ModelError, ModelRefused
from inference.data.sets import LabelledSet
from inference.models.files import ModelFile, open_regular, stamp_of
from inference.models.preflight import STAGED, is_staged
from inference.probes.shown import shown_files

__all__ = ["PICKLED", "STAGED", "changed_file", "counts", "is_staged", "stage_items", "stage_model"]

_OTHER_WEIGHTS: Final = (".gguf", ".onnx")
PICKLED: Final = (".bin", ".bin.index.json")
"""Pickled weights as transformers names them: staged only for a model that the user trusts by name."""
_LARGEST_ITEMS_BYTES: Final = 8 << 30
_COPIED_BYTES: Final = 16 << 20
"""Files up to this size are copied, and the copies hashed; larger ones are linked to."""
_PIECE_BYTES: Final = 1 << 20


def counts(file: ModelFile) -> bool:
    """Whether a file is part of what the model is, and so of its digest; a card or a picture beside it is not."""
    return file.name.lower().endswith((*STAGED, *_OTHER_WEIGHTS))


def stage_model(
    files: Iterable[ModelFile], folder: Path, digests: Mapping[str, str] | None = None, *, pickles: bool = False
) -> list[Path]:
    """Real paths outside `folder` that the child must be allowed to read, after the model was put into that folder.

    Small files are copied, so that nobody can change them any more, and the copies are held against their digests.
    Large ones are linked to (copies of them would take longer than most probes, and fill the disk), and the child is
    allowed their real paths; that they are still the files that were hashed shows in their times, before the run and
    after it (`changed_file`).

    Parameters
    ----------
    files : iterable of ModelFile
        The model's files; only those that a model may be made of are staged.
    folder : Path
        A new folder.
    digests : mapping of str to str or None
        SHA-256 by name, from when the model was surveyed; None holds nothing against the copies.
    pickles : bool
        True also stages pickled weights where there are no others: only for a model that the user trusts by name.

    Raises
    ------
    ModelRefused
        A file is not the one that was hashed any more, or its name leads out of the folder.
    ModelError
        The scratch folder cannot be written, or has no room.
    """
    linked, listed = [], list(files)
    pickles = pickles and not any(file.name.lower().endswith(".safetensors") for file in listed)
    try:
        folder.mkdir(parents=True, mode=0o755)
        for file in listed:
            if is_staged(file.name) or (pickles and file.name.lower().endswith(PICKLED)):
                target = _place(folder, file.name)
                if _link(file, target):
                    linked.append(file.path)
                else:
                    _copy(file, target, (digests or {}).get(file.name))
    except OSError as error:
        raise ModelError(f"scratch folder: {error.strerror or error}: check that the disk has room") from error
    return linked


def changed_file(files: Iterable[ModelFile]) -> str | None:
    """The name of the first linked file that is not as it was when it was listed, None where all are; times tell.

    Files that were copied cannot have changed for the child, whatever became of the originals.
    """
    linked = (file for file in files if file.size_bytes > _COPIED_BYTES and is_staged(file.name))
    return next((file.name for file in linked if _has_changed(file)), None)


def _has_changed(file: ModelFile) -> bool:
    try:
        return bool(file.stamp) and stamp_of(file.path.stat(follow_symlinks=False)) != file.stamp
    except OSError:
        return True


def _place(folder: Path, name: str) -> Path:
    """Where a file of this name goes, its folders made; everybody may pass through them."""
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise ModelRefused(f"{name[:80]!r} leads out of the model's folder: refused")
    target = folder / name
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    return target


def _link(file: ModelFile, target: Path) -> bool:
    """Whether a large file was linked to; False where it is to be copied."""
    if file.size_bytes <= _COPIED_BYTES:
        return False
    if _has_changed(file):
        raise ModelRefused(f"{file.name} changed while it was verified: verify the model again")
    target.symlink_to(file.path)
    return True


def _copy(file: ModelFile, target: Path, digest: str | None) -> None:
    """Copy a file and hold what was copied against its digest and size; everybody may read the copy."""
    copied, seen_bytes = hashlib.sha256(), 0
    try:
        source = open_regular(file.path)
    except OSError as error:
        raise ModelRefused(f"{file.name}: {error.strerror or error}: verify the model again") from error
    with source, target.open("xb") as written:
        while (piece := source.read(_PIECE_BYTES)) and seen_bytes <= file.size_bytes:
            copied.update(piece)
            written.write(piece)
            seen_bytes += len(piece)
    other = seen_bytes != file.size_bytes or (digest is not None and copied.hexdigest() != digest)
    if other or _has_changed(file):  # the pre-flight read it before it was hashed, and after it was listed
        raise ModelRefused(f"{file.name} changed while it was verified: verify the model again")
    target.chmod(0o444)


def stage_items(data: LabelledSet, folder: Path) -> None:
    """Write the items of a set, without their labels, into a new folder: as JSON, or pictures by number.

    Raises
    ------
    ModelError
        A picture cannot be copied, or all together are too large.
    """
    try:
        folder.mkdir(parents=True, mode=0o755)
        if data.kind == "image":
            _stage_pictures(data, folder)
            return
        for name, content in shown_files(data).items():
            file = folder / name
            file.write_text(json.dumps(content), encoding="utf-8")
            file.chmod(0o444)
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
            copy = folder / f"{number:06d}{item.suffix.lower()}"
            shutil.copyfile(item, copy)
            copy.chmod(0o444)
        elif not isinstance(item, str | tuple | list):
            copy = folder / f"{number:06d}.png"
            item.save(copy)
            copy.chmod(0o444)
