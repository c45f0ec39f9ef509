"""The answer of a scoring: arrays over artifacts, of which objects are made only for what is looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Scored:
    """One artifact with its fused score: the sum of `parts`. `row` is its row of the largest cosine."""

    artifact: str
    row: int
    score: float
    parts: dict[str, float]


class Ranking(Sequence[Scored]):
    """All artifacts, best first, ties by id: a sequence whose items are made when they are asked for.

    Attributes
    ----------
    artifacts : sequence of str
        Ids, sorted; the arrays below are in this order.
    row_of : callable
        The row of the largest cosine of the artifact of a number.
    parts : mapping of str to ndarray
        Shape (artifacts,), float64 each: what the score is made of.
    total : ndarray
        Shape (artifacts,), float64: the parts added up, in their order.
    """

    def __init__(
        self, artifacts: Sequence[str], row_of: Callable[[int], int], parts: Mapping[str, NDArray[np.float64]]
    ) -> None:
        self.artifacts, self.row_of, self.parts = artifacts, row_of, parts
        self.total = np.zeros(len(artifacts))
        for part in parts.values():
            self.total = self.total + part
        self._order = np.zeros(0, np.int64)

    def __len__(self) -> int:
        return len(self.artifacts)

    @overload
    def __getitem__(self, index: int) -> Scored: ...
    @overload
    def __getitem__(self, index: slice) -> list[Scored]: ...
    def __getitem__(self, index: int | slice) -> Scored | list[Scored]:
        if isinstance(index, slice):
            wanted = range(len(self))[index]
            if not wanted:
                return []
            order = self.order(max(wanted) + 1)
            return [self.at(int(order[place])) for place in wanted]
        place = range(len(self))[index]
        return self.at(int(self.order(place + 1)[place]))

    def top(self, count: int) -> list[Scored]:
        """The first so many; fewer where there are fewer."""
        return self[:count]

    def at(self, number: int) -> Scored:
        """The artifact of a number, in the order of ids."""
        parts = {name: float(part[number]) for name, part in self.parts.items()}
        return Scored(self.artifacts[number], self.row_of(number), float(self.total[number]), parts)

    def order(self, count: int) -> NDArray[np.int64]:
        """Numbers of at least the first `count` artifacts, int64, best first; all of them where that is not enough.

        Only as many are sorted as were ever asked for.
        """
        count = min(count, len(self))
        if count > len(self._order):
            worst_first = -self.total
            if 2 * count < len(self):
                last = np.partition(worst_first, count - 1)[count - 1]
                among = np.flatnonzero(worst_first <= last)
            else:
                among = np.arange(len(self))
            # Numbers are in the order of ids, so a stable sort leaves equal scores in that order.
            self._order = among[np.argsort(worst_first[among], kind="stable")].astype(np.int64)
        return self._order
