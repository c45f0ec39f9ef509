"""Where the names of one growing list stand in another, without looking at all of them again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from graph.vote_table import Column


class Places:
    """The number of each name of a list, kept while list and numbers grow; others are read from the beginning."""

    def __init__(self) -> None:
        self._names: Sequence[str] | None = None
        self._numbers: Mapping[str, int] | None = None
        self._places = Column(np.int64)
        self._missing: list[int] = []
        self._size = 0

    def of(self, names: Sequence[str], numbers: Mapping[str, int]) -> NDArray[np.int64]:
        """The number of each name, int64 (names,), -1 where it has none yet; a view."""
        if names is not self._names or numbers is not self._numbers:
            self._names, self._numbers = names, numbers
            self._places, self._missing, self._size = Column(np.int64), [], 0
        if len(numbers) != self._size and self._missing:
            for row in self._missing:
                self._places.values[row] = numbers.get(names[row], -1)
            self._missing = [row for row in self._missing if self._places.values[row] < 0]
        self._size = len(numbers)
        for row in range(len(self._places), len(names)):
            number = numbers.get(names[row], -1)
            self._places.append(number)
            if number < 0:
                self._missing.append(row)
        return self._places.values
