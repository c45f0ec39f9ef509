"""Pictures on their way from the child to the parent: as bytes, no larger than needed, and read with suspicion."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

LARGEST_SIDE: Final = 64
"""Pixels of a side; larger pictures are averaged down to it, which changes neither colour nor outline of a shape."""
_LARGEST_COUNT: Final = 1_000
_LARGEST_TEXT: Final = 14 << 20

Bytes8 = NDArray[np.uint8]


class PackedPictures(BaseModel):
    """Pictures of one size: base64 of uint8 in the order (count, height, width, 3)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    count: int = Field(ge=0, le=_LARGEST_COUNT)
    height: int = Field(ge=1, le=LARGEST_SIDE)
    width: int = Field(ge=1, le=LARGEST_SIDE)
    data: Annotated[str, StringConstraints(max_length=_LARGEST_TEXT)]

    def unpack(self) -> Bytes8:
        """The pictures, shape (count, height, width, 3), uint8.

        Raises
        ------
        ValueError
            Not as many bytes as there should be.
        """
        try:
            content = base64.b64decode(self.data, validate=True)
        except binascii.Error as error:
            raise ValueError("pictures are not base64") from error
        shape = (self.count, self.height, self.width, 3)
        if len(content) != int(np.prod(shape)):
            raise ValueError(f"{len(content)} bytes of pictures where {shape} was said")
        return np.frombuffer(content, np.uint8).reshape(shape)


def pack(pictures: NDArray[np.float32]) -> dict[str, int | str]:
    """Pictures of shape (count, height, width, 3), values 0..1, as JSON; `PackedPictures` reads it."""
    small = np.stack([_reduced(picture) for picture in to_bytes(pictures)])
    count, height, width, _ = small.shape
    return {"count": count, "height": height, "width": width, "data": base64.b64encode(small.tobytes()).decode()}


def to_bytes(pictures: NDArray[np.float32]) -> Bytes8:
    """The same pictures in 256 levels."""
    return np.round(255 * np.clip(pictures, 0, 1)).astype(np.uint8)


def _reduced(picture: Bytes8) -> Bytes8:
    from PIL import Image

    height, width = picture.shape[:2]
    if max(height, width) <= LARGEST_SIDE:
        return picture
    scale = LARGEST_SIDE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BOX))


def distances(one: Bytes8, other: Bytes8) -> NDArray[np.float64]:
    """Mean absolute difference of each pair of pictures, in levels 0..255; shape (count,)."""
    apart: NDArray[np.float64] = np.abs(one.astype(np.float64) - other.astype(np.float64)).mean(axis=(1, 2, 3))
    return apart
