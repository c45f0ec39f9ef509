"""Arrays that grow."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class Column:
    """A growing array: appending is cheap, and `values` is always one array."""

    def __init__(self, dtype: type[Any], width: int | None = None) -> None:
        self._length = 0
        self._held: NDArray[Any] = np.zeros(16 if width is None else (16, width), dtype)

    def __len__(self) -> int:
        return self._length

    @property
    def values(self) -> NDArray[Any]:
        """What was appended, shape (n,) or (n, width); a view."""
        return self._held[: self._length]

    def append(self, value: Any) -> None:
        """Add one value, or one row."""
        if self._length == len(self._held):
            self._held = np.concatenate([self._held, np.zeros_like(self._held)])
        self._held[self._length] = value
        self._length += 1
