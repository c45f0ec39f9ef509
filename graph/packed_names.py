"""Names as one text: found and decoded one by one, so that of a hundred thousand only those cost that are looked at."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


class PackedNames:
    """Names numbered by code point; more can be added, numbered as they come."""

    def __init__(self, text: bytes, ends: bytes) -> None:
        """Takes what `pack_names` gives."""
        self._text, self._ends = text, memoryview(ends).cast("I")
        self._added: dict[str, int] = {}
        self._last: list[str] = []

    def __len__(self) -> int:
        return len(self._ends) + len(self._last)

    def __getitem__(self, number: int) -> str:
        if number >= len(self._ends):
            return self._last[number - len(self._ends)]
        return self._encoded(number).decode("utf-8", "surrogatepass")

    def _encoded(self, number: int) -> bytes:
        return self._text[self._ends[number - 1] if number else 0 : self._ends[number]]

    def find(self, name: str) -> int | None:
        """The number of a name; None where it is not among them."""
        encoded, low, high = name.encode("utf-8", "surrogatepass"), 0, len(self._ends)
        while low < high:
            middle = (low + high) // 2
            if self._encoded(middle) < encoded:  # UTF-8 sorts by code point
                low = middle + 1
            else:
                high = middle
        return low if low < len(self._ends) and self._encoded(low) == encoded else self._added.get(name)

    def number(self, name: str) -> int:
        """The number of a name, which is added where it is not among them."""
        found = self.find(name)
        if found is None:
            found = self._added[name] = len(self)
            self._last.append(name)
        return found


def pack_names(names: Iterable[str]) -> tuple[bytes, bytes]:
    """Sorted names as UTF-8 behind each other, and where each ends, uint32."""
    encoded = [name.encode("utf-8", "surrogatepass") for name in names]
    return b"".join(encoded), np.cumsum([len(each) for each in encoded], dtype=np.uint32).tobytes()
