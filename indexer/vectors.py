"""Exact nearest neighbours by inner product: a FAISS flat index, mapped from its file."""

from __future__ import annotations

from concurrent.futures import Executor
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from graph.errors import SnapshotError

DIVIDED: Final = 4_096
"""So many rows are worth a second core."""


class Vectors:
    """Unit vectors by row number, in the order given."""

    def __init__(self, index: Any) -> None:
        import faiss

        self._index = index
        rows, dimension = self.shape
        flat = faiss.rev_swig_ptr(index.get_xb(), rows * dimension) if rows else np.zeros(0, np.float32)
        self._matrix: NDArray[np.float32] = flat.reshape(rows, dimension)

    @classmethod
    def of(cls, matrix: NDArray[np.float32]) -> Vectors:
        """The index of a matrix, float32 (rows, dimension), rows L2-normalised; no rows are fine."""
        import faiss

        index = faiss.IndexFlatIP(matrix.shape[1])
        index.add(np.ascontiguousarray(matrix, np.float32))
        return cls(index)

    @classmethod
    def open(cls, file: Path) -> Vectors:
        """The index of a file, mapped into memory rather than read.

        Raises
        ------
        SnapshotError
            The file is missing or no FAISS index; names it.
        """
        import faiss

        try:
            return cls(faiss.read_index(str(file), faiss.IO_FLAG_MMAP_IFC | faiss.IO_FLAG_READ_ONLY))
        except RuntimeError as error:
            problem = "cannot be read as a FAISS index"
            raise SnapshotError(f"{file}: {problem}: run `matchgraph rollback` or `matchgraph build`") from error

    def save(self, file: Path) -> None:
        """Write the index to a file.

        Raises
        ------
        SnapshotError
            The file cannot be written; names it.
        """
        import faiss

        try:
            faiss.write_index(self._index, str(file))
        except RuntimeError as error:
            raise SnapshotError(f"{file}: cannot be written: check the folder's rights and room") from error

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and dimension."""
        return int(self._index.ntotal), int(self._index.d)

    def nearest(self, vector: NDArray[np.float32], top: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The `top` rows with the largest inner product (cosine, for unit vectors), exactly.

        Parameters
        ----------
        vector
            float32 (dimension,).
        top
            How many rows; fewer come back where there are fewer.

        Returns
        -------
        rows, cosines
            int64 (k,) and float32 (k,), k = min(top, rows), largest first, equal ones by row number.
        """
        rows, dimension = self.shape
        if vector.shape != (dimension,):
            raise ValueError(f"vector of shape {vector.shape}, the index has dimension {dimension}")
        wanted = min(max(top, 0), rows)
        if wanted == 0:
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        query = np.ascontiguousarray(vector, np.float32)[np.newaxis]
        cosines, found = self._index.search(query, min(wanted + 1, rows))
        if rows > wanted and cosines[0, -1] == cosines[0, -2]:
            cosines, found = self._index.search(query, rows)  # a tie over the cut: FAISS does not say which it keeps
        order = np.lexsort((found[0], -cosines[0]))[:wanted]
        return found[0][order].astype(np.int64), cosines[0][order].astype(np.float32)

    def all_cosines(self, vector: NDArray[np.float32], aside: Executor | None = None) -> NDArray[np.float32]:
        """The inner product of every row with a vector (dimension,), float32 (rows,), in row order.

        With `aside`, half of the rows is worked off by it; of each row the same bits.
        """
        rows, dimension = self.shape
        if vector.shape != (dimension,):
            raise ValueError(f"vector of shape {vector.shape}, the index has dimension {dimension}")
        if not rows:
            return np.zeros(0, np.float32)
        if aside is None or rows < DIVIDED:
            return inner_products(self._matrix, vector)
        half = rows // 2
        others = aside.submit(inner_products, self._matrix[half:], vector)
        return np.concatenate([inner_products(self._matrix[:half], vector), others.result()])

    def at(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """The vectors of rows, float32 (k, dimension), in the order given; no rows give (0, dimension)."""
        if len(rows) == 0:
            return np.zeros((0, self.shape[1]), np.float32)
        numbers = np.ascontiguousarray(rows, np.int64)
        if numbers.min() < 0 or numbers.max() >= self.shape[0]:
            raise IndexError(f"rows {numbers.min()} to {numbers.max()} asked, the index has {self.shape[0]}")
        found: NDArray[np.float32] = self._index.reconstruct_batch(numbers)
        return found


def inner_products(matrix: NDArray[np.float32], vector: NDArray[np.float32]) -> NDArray[np.float32]:
    """The inner product of every row of a matrix (n, dimension), float32, C order, with a vector, float32 (n,).

    On one thread, and of each row the same bits wherever it stands.
    """
    import faiss

    if matrix.dtype != np.float32 or not matrix.flags.c_contiguous or vector.shape != matrix.shape[1:]:
        raise ValueError(f"matrix {matrix.dtype} {matrix.shape} and vector {vector.shape}: give float32 in C order")
    found = np.zeros(len(matrix), np.float32)
    if len(matrix):
        query = np.ascontiguousarray(vector, np.float32)
        faiss.fvec_inner_products_ny(  # type: ignore[attr-defined]
            faiss.swig_ptr(found), faiss.swig_ptr(query), faiss.swig_ptr(matrix), len(query), len(matrix)
        )
    return found
