"""Folders of pictures by label: what is taken, what is refused before any of it is unpacked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from inference.data.columns import Where
from inference.data.labelled import LARGEST_ITEMS, LabelledSet, finished

if TYPE_CHECKING:
    from PIL.Image import Image

PICTURES: Final = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
FORMATS: Final = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF")
"""Formats that are looked for, whatever a file is called."""
LARGEST_PICTURE_BYTES: Final = 64 << 20
LARGEST_FOLDER_BYTES: Final = 8 << 30
LARGEST_PICTURE_PIXELS: Final = 64_000_000


def read_pictures(where: Where, folder: Path) -> LabelledSet:
    """A set of pictures, one subfolder a label; hidden files are left out, anything else must be a picture.

    Only the headers are read here (format, width and height); the pictures are unpacked where the model runs. Of
    pictures that move the first frame counts.

    Raises
    ------
    SourceError
        Something in it is no picture, too large, or leads out of the folder; or there are no two labels.
    """
    try:
        items, digests, size_bytes = [], [], 0
        for file in _files(where, folder):
            size_bytes += file.stat().st_size
            _check_picture(where, file, size_bytes)
            items.append(file)
            with file.open("rb") as stream:
                digests.append(hashlib.file_digest(stream, "sha256").digest())
    except OSError as error:
        at = Where(where.name, str(error.filename or folder))
        at.refuse(f"{error.strerror or error}: check the folder's rights", "unreadable", cause=error)
    return finished(where.name, "image", items, tuple(item.parent.name for item in items), digests, where.file)


def open_picture(file: Path) -> Image:
    """The picture in a file as RGB, upright as its EXIF says, without anything else that the file carries.

    Raises
    ------
    ValueError
        It cannot be unpacked: truncated, too large, or not a picture.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(file, formats=FORMATS) as opened:
            if opened.width * opened.height > LARGEST_PICTURE_PIXELS:
                raise ValueError(f"{opened.width}x{opened.height} pixels")
            picture = opened.convert("RGB")
        ImageOps.exif_transpose(picture, in_place=True)
        picture.info.clear()
        return picture
    except MemoryError:
        raise
    except Exception as error:  # a picture can make the decoders raise anything
        said = " ".join(str(error).split())[:200] or type(error).__name__
        raise ValueError(said) from error


def _files(where: Where, folder: Path) -> Iterator[Path]:
    root, count = folder.resolve(), 0
    for part in sorted(path for path in folder.iterdir() if not path.name.startswith(".")):
        if not part.is_dir():
            if part.suffix.lower() in PICTURES:
                _at(where, part).refuse("a picture outside the folders of labels: one folder a label", "unknown_format")
            continue
        for file in sorted(path for path in part.iterdir() if not path.name.startswith(".")):
            at = _at(where, file)
            if file.suffix.lower() not in PICTURES or not file.is_file():
                at.refuse(f"not a picture: {', '.join(PICTURES)} only, one folder a label", "unknown_format")
            if not file.resolve().is_relative_to(root):
                at.refuse("leads out of its folder: copy the picture into it", "outside")
            count += 1
            if count > LARGEST_ITEMS:
                where.refuse(f"more than {LARGEST_ITEMS:,} items: take a part", "too_large")
            yield file


def _check_picture(where: Where, file: Path, total_bytes: int) -> None:
    """Refuse a picture by its bytes and by what its header says."""
    from PIL import Image

    at = _at(where, file)
    if file.stat().st_size > LARGEST_PICTURE_BYTES:
        at.refuse(f"larger than {LARGEST_PICTURE_BYTES >> 20} MiB: make it smaller or remove it", "too_large")
    if total_bytes > LARGEST_FOLDER_BYTES:
        where.refuse(f"more than {LARGEST_FOLDER_BYTES >> 30} GiB of pictures: take a part", "too_large")
    limit_before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None  # the size is judged below, by our own limit
    try:
        with Image.open(file, formats=FORMATS) as opened:
            width, height = opened.size
    except Exception as error:  # noqa: BLE001 - a file can make the header's readers raise anything
        at.refuse("not a picture that can be read: replace it or remove it", "malformed", cause=error)
    finally:
        Image.MAX_IMAGE_PIXELS = limit_before
    if width * height > LARGEST_PICTURE_PIXELS:
        what = f"{width}x{height} pixels, more than {LARGEST_PICTURE_PIXELS // 1_000_000} million: make it smaller"
        at.refuse(what, "too_large")


def _at(where: Where, file: Path) -> Where:
    return Where(where.name, str(file))
