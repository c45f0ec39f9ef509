"""The answer of a scoring: arrays over artifacts, of which objects are made only for what is looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

_RowsOf = Callable[[NDArray[np.int64]], NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
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
    rows_of : callable
        The rows of the largest cosine of the artifacts of some numbers, both int64 (k,).
    parts : mapping of str to ndarray
        Shape (artifacts,), float64 each: what the score is made of.
    total : ndarray
        Shape (artifacts,), float64: the parts added up, in their order.
    """

    def __init__(self, artifacts: Sequence[str], rows_of: _RowsOf, parts: Mapping[str, NDArray[np.float64]]) -> None:
        self.artifacts, self.rows_of, self.parts = artifacts, rows_of, parts
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
            return self.at(order[wanted.start : wanted.stop : wanted.step] if wanted.step > 0 else order[list(wanted)])
        place = range(len(self))[index]
        return self.at(self.order(place + 1)[place : place + 1])[0]

    def __iter__(self) -> Iterator[Scored]:
        return iter(self[:])

    def top(self, count: int) -> list[Scored]:
        """The first so many; fewer where there are fewer."""
        return self[:count]

    def at(self, numbers: NDArray[np.int64]) -> list[Scored]:
        """The artifacts of some numbers, in the order of ids; int64 (k,), each once."""
        columns = [part[numbers].tolist() for part in self.parts.values()]
        each = zip(
            numbers.tolist(), self.rows_of(numbers).tolist(), self.total[numbers].tolist(),
            zip(*columns, strict=True), strict=True,
        )  # fmt: skip
        return [
            Scored(self.artifacts[number], row, total, dict(zip(self.parts, parts, strict=True)))
            for number, row, total, parts in each
        ]

    def order(self, count: int) -> NDArray[np.int64]:
        """Numbers of at least the first `count` artifacts, int64, best first; all of them where that is not enough.

        Only as many are sorted as were ever asked for.
        """
        count = min(count, len(self))
        if count > len(self._order):
            count = min(2 * count, len(self))  # who looks at ties asks for a few more
            worst_first = -self.total
            if 2 * count < len(self):
                last = np.partition(worst_first, count - 1)[count - 1]
                among = np.flatnonzero(worst_first <= last)
            else:
                among = np.arange(len(self))
            # Numbers are in the order of ids, so a stable sort leaves equal scores in that order.
            self._order = among[np.argsort(worst_first[among], kind="stable")].astype(np.int64)
        return self._order
